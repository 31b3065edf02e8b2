package consumer

import (
	"bytes"
	"slices"
	"time"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// member is a member of a group. What told and current refer to is never changed.
type member struct {
	id      string
	told    *record.MemberValue
	current *record.CurrentValue // its lists are in normal order

	// When it is fenced, zero for never: without a heartbeat, without having given
	// partitions back, and, of the classic protocol, without a join or a sync.
	session, revocation, join, sync time.Time

	silence step.Silence
}

// A member of which there is no record yet.
var (
	untold  = &record.MemberValue{RebalanceTimeout: -1, Regex: new(string)}
	unheard = &record.CurrentValue{PreviousEpoch: -1}
)

// classic says that m speaks the classic protocol.
func (m *member) classic() bool { return m.told.Classic != nil }

// reconciled says that m has all that the assignment of an epoch gives it.
func (m *member) reconciled(epoch int32) bool {
	return m.current.State == record.Stable && m.current.Epoch == epoch
}

// regex is the pattern that somebody subscribes to, "" for none.
func regex(v *record.MemberValue) string {
	if v.Regex == nil {
		return ""
	}
	return *v.Regex
}

// subscribes says that m is to have partitions of a topic that exists.
func (g *Group) subscribes(m *member, id record.TopicID, topics step.Topics) bool {
	t, ok := topics.ByID(id)
	if !ok {
		return false
	}
	if _, ok := slices.BinarySearch(m.told.Topics, t.Name); ok {
		return true
	}
	p := g.patterns[regex(m.told)]
	if p == nil {
		return false
	}
	_, ok = slices.BinarySearch(p.Topics, t.Name)
	return ok
}

// sameMember says that two members have told the same.
func sameMember(a, b *record.MemberValue) bool {
	return sameText(a.InstanceID, b.InstanceID) && sameText(a.RackID, b.RackID) &&
		a.ClientID == b.ClientID && a.ClientHost == b.ClientHost &&
		slices.Equal(a.Topics, b.Topics) && sameText(a.Regex, b.Regex) &&
		a.RebalanceTimeout == b.RebalanceTimeout && sameText(a.Assignor, b.Assignor) &&
		sameClassic(a.Classic, b.Classic)
}

func sameClassic(a, b *record.ClassicProtocols) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.SessionTimeout == b.SessionTimeout &&
		slices.EqualFunc(a.Protocols, b.Protocols, func(a, b record.ClassicProtocol) bool {
			return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
		})
}

func sameText(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// sameCurrent says that two members have the same, as far as they have come.
func sameCurrent(a, b *record.CurrentValue) bool {
	return a.Epoch == b.Epoch && a.PreviousEpoch == b.PreviousEpoch && a.State == b.State &&
		same(a.Assigned, b.Assigned) && same(a.Revoking, b.Revoking)
}
