package classic

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// record is the group as it is written when it is stable or empty.
func (g *Group) record() *record.Classic {
	v := &record.ClassicValue{
		ProtocolType:   g.protocolType,
		Generation:     g.generation,
		Protocol:       g.protocol,
		StateTimestamp: g.since,
	}
	if g.leader != "" {
		leader := g.leader
		v.Leader = &leader
	}
	for _, m := range g.members {
		v.Members = append(v.Members, g.note(m, g.Protocol()))
	}
	return &record.Classic{Group: g.id, Value: v}
}

// between is the group as it is written between two generations: members without a
// leader, in the generation that is to come. Those are not named whose first join has
// not been answered: nobody knows yet that they are members.
//
// Kafka, which never writes that, takes it for a stable group of that generation. Its
// members, who are of the one before, are then told ILLEGAL_GENERATION and join again.
func (g *Group) between() *record.Classic {
	v := &record.ClassicValue{ProtocolType: g.protocolType, Generation: g.generation + 1, StateTimestamp: g.since}
	known := slices.DeleteFunc(slices.Clone(g.members), func(m *member) bool { return m.fresh })
	if len(known) > 0 {
		protocol := choose(known)
		v.Protocol = &protocol
		for _, m := range known {
			v.Members = append(v.Members, g.note(m, protocol))
		}
	}
	return &record.Classic{Group: g.id, Value: v}
}

func (g *Group) write(r *record.Classic, out *step.Output) {
	g.logged, g.outdated = true, false
	for _, m := range g.members {
		m.logged = r.Value.Leader != nil || !m.fresh
	}
	out.Write(r)
}

// finish ends a step in which members may have gone: the log must not bring them back
// once their leave is answered or others are told that they are not there.
func (g *Group) finish(out *step.Output) {
	if g.outdated {
		g.write(g.between(), out)
	}
}

// noteSilence tells the log who is not heard of. One that the log says so of is unheard
// no more, or for longer.
func (g *Group) noteSilence(now time.Time, out *step.Output) {
	g.watch.Pass(now)
	wanted, unheard := false, false
	for _, m := range g.members {
		wanted, unheard = wanted || g.watch.Wants(&m.silence), unheard || m.silence.Unheard()
	}
	switch {
	case !wanted:
	case g.state == stable:
		g.write(g.record(), out)
	default:
		g.write(g.between(), out)
	}
	g.watch.Next(unheard)
}

// Tombstone is the record that ends the group.
func (g *Group) Tombstone() record.Record { return &record.Classic{Group: g.id} }

// Replay makes the group what a record says: empty, stable with its members, or, if
// they have no leader, due to rebalance. The group keeps what v refers to. Sessions
// begin with [Group.Loaded].
func (g *Group) Replay(v *record.ClassicValue) {
	g.clear()
	g.logged = true
	g.state, g.since = empty, v.StateTimestamp
	g.generation, g.protocolType = v.Generation, v.ProtocolType
	protocol := ""
	if v.Protocol != nil {
		protocol = *v.Protocol
	}
	for _, r := range v.Members {
		m := step.ClassicMember{ClassicMember: r}
		if m.RebalanceTimeout == -1 {
			m.RebalanceTimeout = m.SessionTimeout
		}
		m.Protocols = []record.ClassicProtocol{{Name: protocol, Metadata: m.Subscription}}
		g.restore(m)
	}
	if v.Leader != nil && g.byID[*v.Leader] != nil {
		g.leader = *v.Leader
	}
	if g.due = v.Leader == nil && len(g.members) > 0; g.due {
		g.generation = max(g.generation-1, 0)
	}
	g.agree(v.Protocol)
}

// restore adds a member of a stable group.
func (g *Group) restore(m step.ClassicMember) {
	if g.byID[m.ID] == nil {
		n := &member{ClassicMember: m, logged: true}
		n.silence.Load(m.Silent)
		n.Silent = 0
		g.insert(n)
		g.state = stable
	}
}

// Loaded is to be called when the log has been replayed: the sessions of the members
// begin, or what is left of them (see [step.Silence]). A group that is between two generations rebalances, and so does one of more
// members than are allowed now.
func (g *Group) Loaded(now time.Time, out *step.Output) {
	for _, m := range g.members {
		m.expires = now.Add(m.silence.Left(milliseconds(m.SessionTimeout)))
		g.wakeBy(m.expires)
	}
	if len(g.members) > 0 {
		g.watch.Begin(now)
		g.wakeBy(g.watch.Due())
	}
	if g.due || len(g.members) > g.settings.MaxSize {
		g.due = false
		g.Rebalance(now, out)
	}
}

// Adopt makes a new group of the members of a consumer group that all speak the
// classic protocol: stable, of the protocol (see [Choose]), led by the first, or
// in a rebalance. The group is written as what it is.
func (g *Group) Adopt(generation int32, protocol string, members []step.ClassicMember, rebalance bool, now time.Time, out *step.Output) {
	g.clear()
	g.generation, g.protocolType = generation, ConsumerType
	for _, m := range members {
		g.restore(m)
	}
	g.agree(&protocol)
	g.enter(g.state, now)
	for _, m := range g.members {
		g.hear(m, now)
	}
	if rebalance {
		g.Rebalance(now, out)
		g.write(g.between(), out)
		return
	}
	g.write(g.record(), out)
}

// Abandon answers whoever waits with REBALANCE_IN_PROGRESS. It is for a group whose
// members are taken over by a group of another protocol.
func (g *Group) Abandon(out *step.Output) {
	for _, m := range g.members {
		g.refuseJoin(m, m.ID, kerr.RebalanceInProgress.Code, out)
		refuseSync(m, kerr.RebalanceInProgress.Code, out)
	}
}
