/*
Package step is the language in which the state machines of groups are spoken to:
what a call brings, and what a step leaves to be done.

A machine is a plain value without goroutines, locks, clocks, randomness or I/O.
Each of its methods is one step: it gets the time and all else it needs as
arguments, changes the machine, and appends to an [Output] what is to be done:
records, which are to be written as one batch in their order, and answers, which
are given once those records, and all before them, are durable. If the records
cannot be written the machine is thrown away and made again from its log, so a
machine never takes a change back.
*/
package step

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/audit"
	"sordini/server/group/record"
	"sordini/server/wire"
)

// Token names a request that waits for its answer. Whoever calls the machine makes
// them; one is not used again while its request waits.
type Token uint64

// Call is what comes with a request.
type Call struct {
	Token    Token
	Now      time.Time
	ClientID string
	// ClientHost is the client's address as groups show it: "/127.0.0.1".
	ClientHost string
	// Client is who asks, for the audit; nil: nobody.
	Client *wire.Client
	// NewID is a random id, a UUID in the form of RFC 9562.
	NewID func() string
}

// ShortID is a random id in Kafka's 22 characters of base64, which never begin with
// a dash.
func (c Call) ShortID() string {
	for {
		id := c.NewID()
		b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
		if err != nil || len(b) != 16 {
			return id
		}
		if short := base64.RawURLEncoding.EncodeToString(b); short[0] != '-' {
			return short
		}
	}
}

// Answer is the answer to an earlier request or to the one at hand.
type Answer struct {
	Token    Token
	Response kmsg.Response
}

// Output is what a step leaves to be done.
type Output struct {
	Records []record.Record
	Answers []Answer
	Events  []audit.GroupEvent // what a client has changed by Records
}

// Answer adds the answer to the call's request.
func (o *Output) Answer(t Token, r kmsg.Response) { o.Answers = append(o.Answers, Answer{t, r}) }

// Write adds records.
func (o *Output) Write(r ...record.Record) { o.Records = append(o.Records, r...) }

// Note adds what a client has changed. Of the event, who has and when are set here.
func (o *Output) Note(c Call, e audit.GroupEvent) {
	e.Client, e.At = c.Client, c.Now
	o.Events = append(o.Events, e)
}

// Topics is which topics there are at the time of a step.
type Topics interface {
	// Version rises with every change.
	Version() int64
	ByName(name string) (Topic, bool)
	ByID(id record.TopicID) (Topic, bool)
	// Names calls yield with each name, in order, until it returns false.
	Names(yield func(string) bool)
}

// Topic is a topic that exists.
type Topic struct {
	ID         record.TopicID
	Name       string
	Partitions int32
}

// ClassicMember is a member that speaks the classic protocol, with all that a group
// needs to know of it when it changes its own protocol.
type ClassicMember struct {
	record.ClassicMember
	Protocols []record.ClassicProtocol // all that it offers, by preference
}
