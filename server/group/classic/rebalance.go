package classic

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"sordini/server/group/step"
)

// retryAtLeast is the least time between two attempts to end a rebalance for which
// nobody has joined: a client may have asked for a rebalance timeout of zero.
const retryAtLeast = time.Second

// rebalance begins a rebalance, or ends the one under way if all have joined.
func (g *Group) rebalance(now time.Time, out *step.Output) {
	if g.state != preparing {
		g.prepare(now, out)
		return
	}
	g.completeIfJoined(now, out)
}

// Rebalance begins a rebalance of a group that is not in one.
func (g *Group) Rebalance(now time.Time, out *step.Output) {
	if g.state != preparing {
		g.prepare(now, out)
	}
}

// prepare enters Preparing. Who waits for an assignment has to join again.
func (g *Group) prepare(now time.Time, out *step.Output) {
	for _, m := range g.members {
		m.unsynced = false
		if g.state == completing {
			m.Assignment = []byte{}
		}
		if m.sync != nil {
			refuseSync(m, kerr.RebalanceInProgress.Code, out)
			g.touch(m, now)
		}
	}
	g.syncDue = time.Time{}
	g.initial = g.state == empty
	g.enter(preparing, now)
	switch {
	case g.initial:
		g.arrived = false
		g.delay = g.settings.InitialRebalanceDelay
		g.remaining = max(g.rebalanceTimeout()-g.delay, 0)
		g.joinBy(now.Add(g.delay))
	case g.allJoined():
		g.complete(now, out)
	default:
		g.joinBy(now.Add(g.rebalanceTimeout()))
	}
}

func (g *Group) joinBy(t time.Time) {
	g.joinDue = t
	g.wakeBy(t)
}

// rebalanceTimeout is the longest of all members.
func (g *Group) rebalanceTimeout() time.Duration {
	longest := int32(0)
	for _, m := range g.members {
		longest = max(longest, m.RebalanceTimeout)
	}
	return milliseconds(longest)
}

func (g *Group) allJoined() bool { return g.waiting == len(g.members) && len(g.pending) == 0 }

// completeIfJoined ends Preparing if all have joined. The initial delay is waited
// for to its end.
func (g *Group) completeIfJoined(now time.Time, out *step.Output) {
	if g.state == preparing && !g.initial && g.allJoined() {
		g.complete(now, out)
	}
}

// complete ends Preparing with those that have joined and with static members.
func (g *Group) complete(now time.Time, out *step.Output) {
	g.joinDue = time.Time{}
	for _, m := range slices.Clone(g.members) {
		if m.join == nil && !m.static() {
			g.remove(m, out)
		}
	}
	if len(g.members) > 0 && !g.elect() {
		g.remaining = 0
		g.joinBy(now.Add(max(g.rebalanceTimeout(), retryAtLeast)))
		return
	}
	g.generation++
	if len(g.members) == 0 {
		g.agree(nil)
		g.enter(empty, now)
		g.write(g.record(), out)
		return
	}
	protocol := choose(g.members)
	g.agree(&protocol)
	g.enter(completing, now)
	for _, m := range g.members {
		if m.join != nil {
			g.answerJoin(m, g.joined(m, m.join.version), out)
		}
		g.touch(m, now)
		m.fresh, m.unsynced = false, true
	}
	g.syncDue = now.Add(g.rebalanceTimeout())
	g.wakeBy(g.syncDue)
	// Who syncs after a load must not hear that nobody knows him or his generation:
	// clients take that for the loss of their partitions.
	g.write(g.between(), out)
}

// elect keeps a leader that has joined, or takes the oldest member that has. It is
// false if none has.
func (g *Group) elect() bool {
	if g.byID[g.leader].join != nil {
		return true
	}
	i := slices.IndexFunc(g.members, func(m *member) bool { return m.join != nil })
	if i >= 0 {
		g.leader = g.members[i].ID
	}
	return i >= 0
}

// agree sets the protocol, nil for none.
func (g *Group) agree(protocol *string) {
	g.protocol = protocol
	g.topics = g.subscribedTopics()
}

func (g *Group) wakeBy(t time.Time) {
	if g.wake.IsZero() || t.Before(g.wake) {
		g.wake = t
	}
}

// Deadline is when Tick is to be called next, false for never. It may be earlier
// than anything happens.
func (g *Group) Deadline() (time.Time, bool) { return g.wake, !g.wake.IsZero() }

// Tick does what is due at now.
func (g *Group) Tick(now time.Time, out *step.Output) {
	due := func(t time.Time) bool { return !t.IsZero() && !t.After(now) }
	if !due(g.wake) {
		return
	}
	g.expirePending(due, now, out)
	g.expireSessions(due, now, out)
	if due(g.syncDue) {
		g.expireUnsynced(now, out)
	}
	if due(g.joinDue) {
		g.endJoin(now, out)
	}
	if due(g.watch.Due()) {
		g.noteSilence(now, out)
	}
	g.wake = g.earliest()
	g.finish(out)
}

// earliest is when the next timer is due; zero: none is set.
func (g *Group) earliest() time.Time {
	var first time.Time
	next := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	next(g.joinDue)
	next(g.syncDue)
	next(g.watch.Due())
	for _, t := range g.pending {
		next(t)
	}
	for _, m := range g.members {
		next(m.expires)
	}
	return first
}

func (g *Group) expirePending(due func(time.Time) bool, now time.Time, out *step.Output) {
	before := len(g.pending)
	for id, t := range g.pending {
		if due(t) {
			delete(g.pending, id)
		}
	}
	if len(g.pending) < before && g.state == preparing && g.allJoined() {
		g.complete(now, out)
	}
}

// expireSessions removes the members that have not been heard of. One that waits
// is alive as far as anybody knows, except if it has waited for the first time.
func (g *Group) expireSessions(due func(time.Time) bool, now time.Time, out *step.Output) {
	for _, m := range slices.Clone(g.members) {
		if g.byID[m.ID] != m || !due(m.expires) {
			continue
		}
		if !m.fresh && (m.join != nil || m.sync != nil) {
			m.expires = time.Time{} // it begins again with the answer
			continue
		}
		g.remove(m, out)
		switch {
		case g.state != preparing:
			g.prepare(now, out)
		case g.allJoined():
			g.complete(now, out)
		}
	}
}

// expireUnsynced removes the members that joined and did not sync.
func (g *Group) expireUnsynced(now time.Time, out *step.Output) {
	g.syncDue = time.Time{}
	before := len(g.members)
	for _, m := range slices.Clone(g.members) {
		if m.unsynced {
			g.remove(m, out)
		}
	}
	if len(g.members) < before {
		g.prepare(now, out)
	}
}

// endJoin ends Preparing, or waits longer if members keep arriving at a group that
// was empty.
func (g *Group) endJoin(now time.Time, out *step.Output) {
	if !g.initial || !g.arrived || g.remaining == 0 {
		g.complete(now, out)
		return
	}
	g.arrived = false
	delay := min(g.settings.InitialRebalanceDelay, g.remaining)
	g.remaining = max(g.remaining-g.delay, 0)
	g.delay = delay
	g.joinBy(now.Add(delay))
}
