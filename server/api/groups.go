package api

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/step"
	"sordini/server/wire"
)

// Groups is the group coordinator as handlers see it. Of a call they set who asks.
type Groups interface {
	// Ensure makes sure that the coordinator's topic exists.
	Ensure() error
	// Do runs the step of a request that concerns one group. The request must not be
	// changed afterwards.
	Do(c step.Call, group string, req kmsg.Request) Pending
	// DoAll runs the step of a request in every shard, each with a request of its
	// own, which make returns.
	DoAll(c step.Call, make func() kmsg.Request) []Pending
}

// Pending is an answer of the coordinator that may still have to come.
type Pending interface {
	// Ready says without blocking whether Response may be called.
	Ready() bool
	// Wait blocks until it may, or w tells that the connection or the server goes.
	Wait(w *wire.Waiter)
	// Response is the answer, or why there is none.
	Response() (kmsg.Response, *kerr.Error)
	// Cancel says that nobody wants the answer any more. It may be called at any time.
	Cancel()
}

// groupReply waits for the coordinator, for each of its parts, and makes one answer
// of theirs. A join or a sync may take minutes.
type groupReply struct {
	parts []groupPart
	// whole makes the answer of those of the parts.
	whole func(parts []kmsg.Response) wire.Appender
}

// groupPart is what was asked of one shard.
type groupPart struct {
	req     kmsg.Request
	pending Pending
}

// Ready implements wire.Reply.
func (g *groupReply) Ready() bool {
	for _, p := range g.parts {
		if !p.pending.Ready() {
			return false
		}
	}
	return true
}

// Wait implements wire.Reply.
func (g *groupReply) Wait(w *wire.Waiter) {
	for _, p := range g.parts {
		if !p.pending.Ready() {
			p.pending.Wait(w)
		}
	}
}

// Encode implements wire.Reply.
func (g *groupReply) Encode(w *wire.Writer) error {
	w.Append(g.AppendTo)
	return nil
}

// AppendTo implements wire.Appender.
func (g *groupReply) AppendTo(b []byte) []byte {
	answers := make([]kmsg.Response, len(g.parts))
	for i, p := range g.parts {
		answer, refusal := p.pending.Response()
		if refusal != nil {
			answer = step.Refuse(p.req, refusal)
		}
		answers[i] = answer
	}
	return g.whole(answers).AppendTo(b)
}

// Release implements wire.Reply.
func (g *groupReply) Release() {
	for _, p := range g.parts {
		p.pending.Cancel()
	}
}

// ask asks the coordinator for part of an answer.
func (g *groupReply) ask(a *API, r *wire.Request, group string, req kmsg.Request) {
	g.parts = append(g.parts, groupPart{req, a.groups.Do(caller(r), group, req)})
}

// askOne leaves the whole answer to the group.
func (a *API) askOne(r *wire.Request, group string, req kmsg.Request) wire.Reply {
	g := &groupReply{whole: func(parts []kmsg.Response) wire.Appender { return parts[0] }}
	g.ask(a, r, group, req)
	return g
}

// refuse answers a request without asking a group.
func refuse(req kmsg.Request, cause *kerr.Error) wire.Reply {
	return &groupReply{
		parts: []groupPart{{req, refused{cause}}},
		whole: func(parts []kmsg.Response) wire.Appender { return parts[0] },
	}
}

// refused is a Pending whose answer is known without asking a group.
type refused struct{ cause *kerr.Error }

func (refused) Ready() bool                              { return true }
func (refused) Wait(*wire.Waiter)                        {}
func (refused) Cancel()                                  {}
func (r refused) Response() (kmsg.Response, *kerr.Error) { return nil, r.cause }

// caller is who asks the coordinator.
func caller(r *wire.Request) step.Call {
	return step.Call{Client: r.Client(), ClientID: r.ClientID, ClientHost: "/" + javaAddress(r.Conn.Remote().Addr())}
}

// javaAddress is an address as Java writes it, and so as the members of groups are
// shown: "127.0.0.1", "0:0:0:0:0:0:0:1".
func javaAddress(a netip.Addr) string {
	if !a.Is6() {
		return a.String()
	}
	b := a.As16()
	var fields []string
	for i := 0; i < len(b); i += 2 {
		fields = append(fields, fmt.Sprintf("%x", uint16(b[i])<<8|uint16(b[i+1])))
	}
	s := strings.Join(fields, ":")
	if zone := a.Zone(); zone != "" {
		s += "%" + zone
	}
	return s
}
