package consumer

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// Loaded ends the replay: the sessions of all members begin, or what is left of them (see
// [step.Silence]), and the time of those who have partitions to give back.
func (g *Group) Loaded(now time.Time, s *Settings) {
	if len(g.members) > 0 {
		g.watch.Begin(now)
		g.wakeBy(g.watch.Due())
	}
	for _, m := range g.members {
		m.silence.Load(m.current.Silent)
		g.arm(&m.session, now.Add(m.silence.Left(m.sessionTimeout(s))))
		if m.current.State == record.UnrevokedPartitions && !m.classic() {
			g.arm(&m.revocation, now.Add(milliseconds(m.told.RebalanceTimeout)))
		}
	}
}

// sessionTimeout is that of the group, or, of the classic protocol, the member's own.
func (m *member) sessionTimeout(s *Settings) time.Duration {
	if m.classic() {
		return milliseconds(m.told.Classic.SessionTimeout)
	}
	return s.SessionTimeout
}

// hear notes that a member was heard of.
func (g *Group) hear(m *member, now time.Time, session time.Duration) {
	g.arm(&m.session, now.Add(session))
	if g.watch.Hear(&m.silence, now); !g.watch.Due().IsZero() {
		g.wakeBy(g.watch.Due())
	}
}

// arm sets a timer of a member.
func (g *Group) arm(timer *time.Time, at time.Time) {
	*timer = at
	g.wakeBy(at)
}

func (g *Group) wakeBy(at time.Time) {
	if g.wake.IsZero() || at.Before(g.wake) {
		g.wake = at
	}
}

// Deadline is when Tick must be called next, false for never. It may be too early,
// because a heartbeat only moves a member's own time, and never is too late.
func (g *Group) Deadline() (time.Time, bool) { return g.wake, !g.wake.IsZero() }

// Tick fences the members whose time is up, and tells the log who is not heard of.
func (g *Group) Tick(now time.Time, s *Settings, topics step.Topics, out *step.Output) {
	if g.wake.IsZero() || now.Before(g.wake) {
		return
	}
	var late []*member
	g.wake = time.Time{}
	for _, m := range g.members {
		if due, ok := m.deadline(); ok && !now.Before(due) {
			late = append(late, m)
		} else if ok && (g.wake.IsZero() || due.Before(g.wake)) {
			g.wake = due
		}
	}
	slices.SortFunc(late, func(a, b *member) int { return cmp.Compare(a.id, b.id) })
	g.fence(late, s, topics, out)
	if g.Empty() || g.conversion != nil {
		g.watch = step.Watch{}
	}
	if due := g.watch.Due(); !due.IsZero() && !now.Before(due) {
		g.noteSilence(now, out)
	}
	if due := g.watch.Due(); !due.IsZero() {
		g.wakeBy(due)
	}
}

// noteSilence tells the log who is not heard of, or is again.
func (g *Group) noteSilence(now time.Time, out *step.Output) {
	g.watch.Pass(now)
	unheard := false
	for _, m := range g.sorted() {
		unheard = unheard || m.silence.Unheard()
		if g.watch.Wants(&m.silence) {
			v := *m.current
			v.Silent = g.watch.Note(&m.silence)
			g.write(&record.Current{Group: g.id, Member: m.id, Value: &v}, out)
		}
	}
	g.watch.Next(unheard)
}

// deadline is the first of a member's timers.
func (m *member) deadline() (first time.Time, ok bool) {
	for _, t := range []time.Time{m.session, m.revocation, m.join, m.sync} {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first, !first.IsZero()
}

// leave takes out a member that says so, or lets a static one keep its place.
func (g *Group) leave(c step.Call, req *kmsg.ConsumerGroupHeartbeatRequest, r *kmsg.ConsumerGroupHeartbeatResponse, s *Settings, topics step.Topics, out *step.Output) *fault {
	m, f := g.find(req.MemberID, req.InstanceID)
	if f != nil {
		return f
	}
	id := m.id
	r.MemberID, r.MemberEpoch = &id, req.MemberEpoch
	if req.InstanceID != nil && req.MemberEpoch == staticLeaveEpoch {
		m.revocation = time.Time{}
		g.watch.Hear(&m.silence, c.Now)
		g.write(&record.Current{Group: g.id, Member: m.id, Value: away(m.current)}, out)
		return nil
	}
	g.fence([]*member{m}, s, topics, out)
	return nil
}

// find is the member that a request names.
func (g *Group) find(id string, instance *string) (*member, *fault) {
	if instance != nil {
		return g.static(id, *instance)
	}
	if m := g.members[id]; m != nil {
		return m, nil
	}
	return nil, g.unknown(id)
}

// away is the state of a static member that will be back. What it has will count as
// assigned from the beginning to who takes its place.
func away(v *record.CurrentValue) *record.CurrentValue {
	next := *v
	next.Epoch, next.Revoking, next.Silent = staticLeaveEpoch, nil, 0
	next.Assigned = slices.Clone(v.Assigned)
	for i := range next.Assigned {
		next.Assigned[i].Epochs = make([]int32, len(next.Assigned[i].Partitions))
	}
	return &next
}

// fence takes members out, which asks for another assignment. If they leave the group
// to members of the classic protocol it is to be converted instead.
func (g *Group) fence(members []*member, s *Settings, topics step.Topics, out *step.Output) {
	if len(members) == 0 {
		return
	}
	var left []string // patterns that may have lost their last member
	for _, m := range members {
		left = append(left, regex(m.told))
		g.remove(m, out)
	}
	for _, r := range left {
		if g.patterns[r] != nil && g.regexes[r] == 0 {
			g.write(&record.Pattern{Group: g.id, Regex: r}, out)
		}
	}
	if !g.convert(true, s, topics) {
		g.renew(true, topics, out)
	}
}
