package classic

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/step"
)

type phase int

const (
	outside      phase = iota // it has to join
	inGeneration              // it has to sync
	isMember                  // it has to send heartbeats
)

// client is a client of a world.
type client struct {
	version            int16
	instance           *string
	kind               string
	offer              []string
	session, rebalance time.Duration

	phase      phase
	waiting    step.Token // 0: for nothing
	id         string
	generation int32
	assigned   string
	members    []string // as told to the leader
	next       time.Time
}

func newClient(w *world) *client {
	c := &client{kind: ConsumerType, version: int16(w.rng.IntN(10))}
	c.change(w)
	return c
}

// change makes it another that asks for other things.
func (c *client) change(w *world) {
	c.version = int16(w.rng.IntN(10))
	c.kind = ConsumerType
	if w.rng.IntN(20) == 0 {
		c.kind = "connect"
	}
	c.instance = nil
	if w.rng.IntN(2) == 0 {
		name := fmt.Sprint("i", w.rng.IntN(3))
		c.instance, c.version = &name, max(c.version, 5)
	}
	c.offer = [][]string{{"range"}, {"range", "sticky"}, {"sticky", "range"}, {"sticky"}, {"range", "range"}, {}}[min(w.rng.IntN(10), w.rng.IntN(6))]
	c.session = time.Duration(6+w.rng.IntN(5)) * time.Second
	c.rebalance = time.Duration(w.rng.IntN(13)) * time.Second
}

// forget makes it a new incarnation.
func (c *client) forget() {
	c.phase, c.waiting, c.id, c.generation, c.members, c.assigned, c.next = outside, 0, "", -1, nil, "", time.Time{}
}

// behave makes it one of clients that get along with each other: its instance id is
// its own, all agree on a protocol, and none asks for a rebalance shorter than the
// time from heartbeat to heartbeat. One that was different begins anew.
func (c *client) behave(w *world, i int) {
	name := fmt.Sprint("i", i)
	fits := c.kind == ConsumerType && len(c.offer) > 0 && (c.offer[0] == "range" || len(c.offer) == 2) && c.rebalance >= 3*time.Second
	fits = fits && (c.instance == nil || *c.instance == name)
	if fits && w.rng.IntN(2) == 0 {
		return
	}
	c.change(w)
	c.forget()
	if c.kind, c.offer = ConsumerType, []string{"range", "sticky"}; w.rng.IntN(3) == 0 {
		c.offer = c.offer[:1]
	}
	if c.instance != nil {
		c.instance = &name
	}
	c.rebalance = max(c.rebalance, 3*time.Second)
}

// act does what a client has to do that keeps to the protocol.
func (c *client) act(w *world) {
	if c.waiting != 0 || w.now.Before(c.next) {
		return
	}
	switch c.phase {
	case outside:
		c.send(w, c.joinRequest(c.id))
	case inGeneration:
		c.send(w, c.syncRequest(w))
	case isMember:
		r := kmsg.NewPtrHeartbeatRequest()
		r.Version, r.Group, r.MemberID, r.Generation = 3, "g", c.id, c.generation
		r.InstanceID = c.instance
		c.next = w.now.Add(time.Second)
		c.send(w, r)
	}
}

// send has c wait for the answer, which may come before send returns.
func (c *client) send(w *world, req kmsg.Request) {
	c.waiting = w.token + 1
	w.send(c, req)
}

func (c *client) joinRequest(id string) *kmsg.JoinGroupRequest {
	return joinRequest(timeouts(c.session, c.rebalance), offers(c.offer...), func(r *kmsg.JoinGroupRequest) {
		r.Version, r.MemberID, r.ProtocolType = c.version, id, c.kind
		if c.instance != nil {
			name := *c.instance
			r.InstanceID = &name
		}
	})
}

func (c *client) syncRequest(w *world) *kmsg.SyncGroupRequest {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.MemberID, r.Generation, r.InstanceID = min(c.version, 4), "g", c.id, c.generation, c.instance
	for _, id := range c.members {
		r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{
			MemberID: id, MemberAssignment: []byte(w.assignment(c.generation, id)),
		})
	}
	return r
}

// answered tells it the answer to one of its requests.
func (c *client) answered(w *world, a step.Answer) {
	if a.Token != c.waiting {
		return
	}
	c.waiting = 0
	switch r := a.Response.(type) {
	case *kmsg.JoinGroupResponse:
		if r.ErrorCode == kerr.MemberIDRequired.Code {
			c.id = r.MemberID
		}
		if c.failed(w, r.ErrorCode) {
			return
		}
		c.phase, c.id, c.generation, c.members = inGeneration, r.MemberID, r.Generation, nil
		for _, m := range r.Members {
			if !r.SkipAssignment {
				c.members = append(c.members, m.MemberID)
			}
		}
	case *kmsg.SyncGroupResponse:
		if !c.failed(w, r.ErrorCode) {
			c.phase, c.assigned, c.next = isMember, string(r.MemberAssignment), time.Time{}
		}
	case *kmsg.HeartbeatResponse:
		c.failed(w, r.ErrorCode)
	}
}

// failed says what an error means to the client.
func (c *client) failed(w *world, code int16) bool {
	switch code {
	case 0:
		return false
	case kerr.MemberIDRequired.Code, kerr.RebalanceInProgress.Code:
		c.phase, c.next = outside, time.Time{}
	case kerr.UnknownMemberID.Code, kerr.IllegalGeneration.Code:
		c.forget()
	default:
		c.forget()
		c.next = w.now.Add(time.Second)
	}
	return true
}

// someID is an id that a rude client may use: its own, another's, an old one, none.
func (c *client) someID(w *world) string {
	switch n := w.rng.IntN(6); {
	case n < 3:
		return c.id
	case n < 5 && len(w.seen) > 0:
		return w.seen[w.rng.IntN(len(w.seen))]
	}
	return []string{"", "x"}[w.rng.IntN(2)]
}

func (c *client) someInstance(w *world) *string {
	if w.rng.IntN(3) > 0 {
		return c.instance
	}
	name := fmt.Sprint("i", w.rng.IntN(4))
	return &name
}

// misbehave does something that no client should.
func (c *client) misbehave(w *world) {
	switch w.rng.IntN(12) {
	case 0: // joins once more
		c.send(w, c.joinRequest(c.id))
	case 1: // is another now, and does not care for what it waits for
		c.change(w)
		c.phase, c.waiting = outside, 0
	case 2, 3: // crashes
		c.forget()
	case 4:
		r := c.joinRequest(c.someID(w))
		r.InstanceID = c.someInstance(w)
		w.send(&client{}, r)
	case 5: // assigns what is not its to assign, or only a part
		r := c.syncRequest(w)
		r.MemberID, r.InstanceID = c.someID(w), c.someInstance(w)
		r.Generation += int32(w.rng.IntN(3) - 1)
		if r.MemberID != w.g.leader {
			r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: c.someID(w), MemberAssignment: []byte("evil")})
		} else {
			r.GroupAssignment = r.GroupAssignment[:w.rng.IntN(len(r.GroupAssignment)+1)]
			for i := range r.GroupAssignment {
				a := &r.GroupAssignment[i]
				a.MemberAssignment = []byte(w.assignment(r.Generation, a.MemberID))
			}
		}
		w.send(&client{}, r)
	case 6:
		r := kmsg.NewPtrHeartbeatRequest()
		r.Version, r.Group, r.MemberID, r.InstanceID = 4, "g", c.someID(w), c.someInstance(w)
		r.Generation = w.g.Generation() + int32(w.rng.IntN(3)-1)
		w.send(&client{}, r)
	case 7, 8:
		r := kmsg.NewPtrLeaveGroupRequest()
		r.Version, r.Group, r.MemberID = int16(w.rng.IntN(6)), "g", c.someID(w)
		for range w.rng.IntN(3) {
			r.Members = append(r.Members, kmsg.LeaveGroupRequestMember{MemberID: c.someID(w), InstanceID: c.someInstance(w)})
		}
		w.send(&client{}, r)
	case 9:
		w.step(func(step.Call, *step.Output) {
			w.g.CheckCommit(Committer{MemberID: c.someID(w), InstanceID: c.someInstance(w), Generation: int32(w.rng.IntN(3) - 1 + int(w.g.Generation()))}, w.now)
		})
	case 10:
		w.settings.MaxSize = 1 + w.rng.IntN(12)
		w.settings.InitialRebalanceDelay = time.Duration(w.rng.IntN(4)) * time.Second
	case 11:
		if w.rng.IntN(10) == 0 {
			w.restart()
		}
	}
}
