package audit

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"sordini/protocol/batch"
	"sordini/server/wire"
)

// Action is what an administrative change has done.
type Action string

// The actions.
const (
	ActionTopicCreated    Action = "topic_created"
	ActionTopicDeleted    Action = "topic_deleted"
	ActionPartitionsAdded Action = "partitions_added"
	ActionConfigsAltered  Action = "configs_altered"
	ActionRecordsDeleted  Action = "records_deleted"
	ActionGroupDeleted    Action = "group_deleted"
	ActionOffsetAltered   Action = "offset_altered" // committed by a client that is no member
	ActionOffsetDeleted   Action = "offset_deleted"

	// Of the server itself, where the topic exists already.
	ActionServerStarted Action = "server_started"
	ActionServerStopped Action = "server_stopped" // in order
)

// Change is an administrative change, as it stands in partition 0 of the topic, in JSON.
type Change struct {
	JSONVersion int       `json:"_version"`
	At          time.Time `json:"at"`
	Action      Action    `json:"action"`
	// Who: without authentication the principal is Kafka's User:ANONYMOUS. All are empty
	// if it was the server.
	Principal string `json:"principal,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Address   string `json:"address,omitempty"` // host:port
	Listener  string `json:"listener,omitempty"`
	// What, as far as it applies.
	Topic      string         `json:"topic,omitempty"`
	TopicID    string         `json:"topic_id,omitempty"`
	Partition  *int32         `json:"partition,omitempty"`
	Group      string         `json:"group,omitempty"`
	Broker     *string        `json:"broker,omitempty"`     // whose settings were altered; "" for all brokers
	Partitions int32          `json:"partitions,omitempty"` // how many the topic has since
	Automatic  bool           `json:"automatic,omitempty"`  // created because a client asked for it by name
	Recovered  bool           `json:"recovered,omitempty"`  // started without an orderly stop before
	Configs    []ConfigChange `json:"configs,omitempty"`
	OldOffset  *int64         `json:"old_offset,omitempty"`
	NewOffset  *int64         `json:"new_offset,omitempty"` // committed, or the new log start
}

// ConfigChange is a setting that was altered. A value is null where none was, or is,
// set there; those of passwords are never told.
type ConfigChange struct {
	Name   string  `json:"name"`
	Old    *string `json:"old"`
	New    *string `json:"new"`
	Secret bool    `json:"secret,omitempty"`
}

// Anonymous is the principal of everybody without authentication, Kafka's.
const Anonymous = "User:ANONYMOUS"

// Change keeps an administrative change that a client has made. When it returns the
// change is in the log, unless that is not possible: then it is counted and logged.
func (r *Recorder) Change(client *wire.Client, c Change) {
	if r == nil || r.set == nil {
		return
	}
	r.change(client, r.opt.Now(), c)
}

func (r *Recorder) change(client *wire.Client, at time.Time, c Change) {
	c.JSONVersion, c.At = 1, at.UTC()
	if client != nil {
		c.Principal, c.ClientID, c.Listener = Anonymous, cut(client.ID), client.Listener
		if client.Address.IsValid() {
			c.Address = client.Address.String()
		}
	}
	for i := range c.Configs {
		s := &c.Configs[i]
		if s.Secret {
			s.Old, s.New = nil, nil
		}
		s.Old, s.New = cutValue(s.Old), cutValue(s.New)
	}
	value, err := json.Marshal(c)
	if err == nil {
		r.changeMu.Lock()
		defer r.changeMu.Unlock()
		var b batch.Builder
		b.Add(at.UnixMilli(), nil, value)
		err = r.appendTo(changesPartition, r.changeLog, &b)
	}
	if err != nil {
		r.opt.Metrics.AuditDropped.Add(1)
		r.opt.Logger.Error("administrative change not recorded", "action", c.Action, "topic", c.Topic, "group", c.Group,
			"client", c.Address, "id", c.ClientID, "err", err)
		return
	}
	r.opt.Metrics.AuditEntries.Add(1)
}

// Bounds of what is kept of a client's texts, in bytes.
const (
	maxText  = 256
	maxValue = 4096
)

// GroupKey is the name by which a trace tells a group: its own, shortened if it is long.
func GroupKey(group string) string { return cut(group) }

// cut shortens a client's string.
func cut(s string) string { return shorten(s, maxText) }

func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return strings.Clone(s[:most]) + "..."
}

func cutValue(s *string) *string {
	if s == nil || len(*s) <= maxValue {
		return s
	}
	short := shorten(*s, maxValue)
	return &short
}
