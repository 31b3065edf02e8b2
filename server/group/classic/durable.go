package classic

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// Replay makes the group what a record says: empty, or stable with its members. The
// group keeps what v refers to. Sessions begin with [Group.Loaded].
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
	g.agree(v.Protocol)
}

// restore adds a member of a stable group.
func (g *Group) restore(m step.ClassicMember) {
	if g.byID[m.ID] == nil {
		g.insert(&member{ClassicMember: m})
		g.state = stable
	}
}

// Loaded is to be called when the log has been replayed: the sessions of the members
// begin. A group of more members than are allowed now rebalances.
func (g *Group) Loaded(now time.Time, out *step.Output) {
	for _, m := range g.members {
		g.touch(m, now)
	}
	if len(g.members) > g.settings.MaxSize {
		g.Rebalance(now, out)
	}
}

// Adopt makes a new group of the members of a consumer group that all speak the
// classic protocol: stable, of the protocol (see [Choose]), led by the first. The
// group is written. Whether a rebalance is to follow says the caller, with
// [Group.Rebalance].
func (g *Group) Adopt(generation int32, protocol string, members []step.ClassicMember, now time.Time, out *step.Output) {
	g.clear()
	g.generation, g.protocolType = generation, ConsumerType
	for _, m := range members {
		g.restore(m)
	}
	g.agree(&protocol)
	g.enter(g.state, now)
	for _, m := range g.members {
		g.touch(m, now)
	}
	g.write(out)
}

// Abandon answers whoever waits with REBALANCE_IN_PROGRESS. It is for a group whose
// members are taken over by a group of another protocol.
func (g *Group) Abandon(out *step.Output) {
	for _, m := range g.members {
		g.refuseJoin(m, m.ID, kerr.RebalanceInProgress.Code, out)
		refuseSync(m, kerr.RebalanceInProgress.Code, out)
	}
}
