package consumer

import (
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// arrival is who sends a request: a member, somebody new, or, of a static member, who
// takes its place.
type arrival struct {
	id       string
	replaces *member // nil: nobody
	told     *record.MemberValue
	current  *record.CurrentValue
}

// by is the arrival of who has an id, a member or not.
func (g *Group) by(id string) *arrival {
	if m := g.members[id]; m != nil {
		return &arrival{id: m.id, told: m.told, current: m.current}
	}
	return &arrival{id: strings.Clone(id), told: untold, current: unheard}
}

// instead is the arrival of who comes in the place of a static member, with what that
// one had.
func instead(id string, of *member) *arrival {
	current := *of.current
	current.Epoch, current.PreviousEpoch, current.Silent = 0, 0, 0
	return &arrival{id: strings.Clone(id), replaces: of, told: of.told, current: &current}
}

// arrive finds out who sends a heartbeat and whether it may.
func (g *Group) arrive(c step.Call, req *kmsg.ConsumerGroupHeartbeatRequest, s *Settings) (*arrival, *fault) {
	if f := g.checkRoom(req.MemberID, s); f != nil {
		return nil, f
	}
	id, joins := req.MemberID, req.MemberEpoch == joinEpoch
	if id == "" {
		id = c.ShortID()
	}
	if req.InstanceID == nil {
		if !joins && g.members[id] == nil {
			return nil, g.unknown(id)
		}
		a := g.by(id)
		return a, a.checkEpoch(req)
	}
	holder := g.byInstance[*req.InstanceID]
	switch {
	case !joins:
		m, f := g.static(id, *req.InstanceID)
		if f != nil {
			return nil, f
		}
		a := g.by(m.id)
		return a, a.checkEpoch(req)
	case holder == nil:
		return g.by(id), nil
	case !holder.classic() && holder.current.Epoch != staticLeaveEpoch:
		return nil, refuse(kerr.UnreleasedInstanceID, "Static member %s with instance id %s cannot join the group because the instance id is owned by %s member.", id, *req.InstanceID, holder.id)
	}
	return instead(id, holder), nil
}

func (g *Group) checkRoom(id string, s *Settings) *fault {
	if len(g.members) >= s.MaxSize && g.members[id] == nil {
		return refuse(kerr.GroupMaxSizeReached, "The consumer group has reached its maximum capacity of %d members.", s.MaxSize)
	}
	return nil
}

func (g *Group) unknown(id string) *fault {
	return refuse(kerr.UnknownMemberID, "Member %s is not a member of group %s.", id, g.id)
}

// static is the member with an instance id, if it is the one with the id, too.
func (g *Group) static(id, instance string) (*member, *fault) {
	m := g.byInstance[instance]
	switch {
	case m == nil:
		return nil, refuse(kerr.UnknownMemberID, "Instance id %s is unknown.", instance)
	case m.id != id:
		return nil, refuse(kerr.FencedInstanceID, "Static member %s with instance id %s was fenced by member %s.", id, instance, m.id)
	}
	return m, nil
}

// checkEpoch: a member has to be at the epoch that it was last told. If that answer was
// lost it is at the one before, and has nothing that it should not have.
func (a *arrival) checkEpoch(req *kmsg.ConsumerGroupHeartbeatRequest) *fault {
	at, is := req.MemberEpoch, a.current.Epoch
	switch {
	case at == joinEpoch || at == is:
		return nil
	case at > is:
		return refuse(kerr.FencedMemberEpoch, "The consumer group member has a greater member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", at, is)
	case at == a.current.PreviousEpoch && req.Topics != nil && within(reported(req.Topics), a.current.Assigned):
		return nil
	}
	return refuse(kerr.FencedMemberEpoch, "The consumer group member has a smaller member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.", at, is)
}

// change is what of a member's subscription has changed.
type change struct {
	subscription bool // anything
	bump         bool // what asks for another assignment
}

// admit makes a member of who arrives, with what it tells, and resolves patterns.
func (g *Group) admit(now time.Time, a *arrival, told *record.MemberValue, topics step.Topics, out *step.Output) (*member, change) {
	if a.replaces != nil {
		g.replace(a, out)
	}
	if told != a.told {
		g.write(&record.Member{Group: g.id, Member: a.id, Value: told}, out)
	}
	was, is := regex(a.told), regex(told)
	if was != is && g.patterns[was] != nil && g.regexes[was] == 0 {
		g.write(&record.Pattern{Group: g.id, Regex: was}, out)
	}
	named := !slices.Equal(a.told.Topics, told.Topics)
	c := change{subscription: named || was != is}
	c.bump = named || was != is && (is == "" || g.patterns[is] != nil)
	c.bump = g.resolve(now, topics, out) || c.bump
	return g.members[a.id], c
}

// replace gives the place of a static member to another.
func (g *Group) replace(a *arrival, out *step.Output) {
	target := &record.TargetValue{Partitions: g.targets[a.replaces.id]}
	g.remove(a.replaces, out)
	g.write(&record.Member{Group: g.id, Member: a.id, Value: a.told}, out)
	g.write(&record.TargetMember{Group: g.id, Member: a.id, Value: target}, out)
	g.write(&record.Current{Group: g.id, Member: a.id, Value: a.current}, out)
}

// remove takes a member out.
func (g *Group) remove(m *member, out *step.Output) {
	g.write(&record.Current{Group: g.id, Member: m.id}, out)
	g.write(&record.TargetMember{Group: g.id, Member: m.id}, out)
	g.write(&record.Member{Group: g.id, Member: m.id}, out)
}
