package classic

import (
	"encoding/binary"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Committer is who commits offsets.
type Committer struct {
	MemberID      string
	InstanceID    *string
	Generation    int32 // negative: not of a generation
	Transactional bool  // by TxnOffsetCommit
}

// CheckCommit is the error code of a commit, 0 if it is allowed. Who is not a member
// and knows of no generation may commit while the group is empty, and within a
// transaction always. A commit keeps the member's session, as a heartbeat does.
func (g *Group) CheckCommit(c Committer, now time.Time) int16 {
	if c.Generation < 0 && g.state == empty {
		return 0
	}
	if c.Generation < 0 && c.MemberID == "" && c.InstanceID == nil {
		if c.Transactional {
			return 0
		}
		return kerr.UnknownMemberID.Code
	}
	if code := g.check(c.MemberID, c.InstanceID); code != 0 {
		return code
	}
	switch {
	case c.Generation != g.generation:
		return kerr.IllegalGeneration.Code
	case c.Transactional:
		return 0
	case g.state == completing:
		return kerr.RebalanceInProgress.Code
	}
	g.hear(g.byID[c.MemberID], now)
	return 0
}

// CheckDelete is the error code of DeleteGroups, 0 if the group may be deleted.
func (g *Group) CheckDelete() int16 {
	if g.state != empty {
		return kerr.NonEmptyGroup.Code
	}
	return 0
}

// CheckOffsetDelete is the error code of OffsetDelete, 0 if offsets of topics may be
// deleted to which nobody is [Group.Subscribed].
func (g *Group) CheckOffsetDelete() int16 {
	if g.state != empty && g.protocolType != ConsumerType {
		return kerr.NonEmptyGroup.Code
	}
	return 0
}

// Subscribed says that a member consumes the topic, or that nobody knows. Offsets of
// such a topic are neither deleted nor do they expire.
func (g *Group) Subscribed(topic string) bool {
	if g.topics == nil {
		return g.protocolType == ConsumerType
	}
	_, ok := g.topics[topic]
	return ok
}

// RetainedFrom is the time, in ms since 1970, from which on the retention of an
// offset counts that was committed at the time given (KIP-211). It is false if
// offsets do not expire in the group's state.
//
//	never had members      from the commit on
//	empty                  from the time on at which it became so
//	stable, of consumers   from the commit on, for topics nobody is [Group.Subscribed] to
//	else                   not
func (g *Group) RetainedFrom(committed int64) (int64, bool) {
	switch {
	case g.protocolType == "":
		return committed, true
	case g.state == empty && g.since >= 0:
		return g.since, true
	case g.state == empty, g.state == stable && g.topics != nil:
		return committed, true
	}
	return 0, false
}

// subscribedTopics are the topics of all members, nil if they are not known.
func (g *Group) subscribedTopics() map[string]struct{} {
	if g.protocolType != ConsumerType {
		return nil
	}
	all := make(map[string]struct{})
	for _, m := range g.members {
		if !addTopics(all, m.metadata(g.Protocol())) {
			return nil
		}
	}
	return all
}

// addTopics adds the topics that a consumer's metadata names. It understands what is
// common to all versions, their beginning:
//
//	version int16 | topics int32 x (int16 x bytes) | user data int32 x bytes, negative for none
func addTopics(all map[string]struct{}, metadata []byte) bool {
	d := decoder{rest: metadata}
	d.take(2)
	for n := int(int32(binary.BigEndian.Uint32(d.take(4)))); n != 0; n-- {
		name := d.take(int(int16(binary.BigEndian.Uint16(d.take(2)))))
		if d.short || n < 0 {
			return false
		}
		all[string(name)] = struct{}{}
	}
	if n := int(int32(binary.BigEndian.Uint32(d.take(4)))); n > 0 {
		d.take(n)
	}
	return !d.short
}

// decoder reads on after an error and gives zeros.
type decoder struct {
	rest  []byte
	short bool
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.rest) || d.short {
		d.short = true
		return make([]byte, 4)
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}
