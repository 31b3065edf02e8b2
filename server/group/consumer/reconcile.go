package consumer

import (
	"time"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// reconcile brings a member as near to its target as it can come now. changed says
// that its subscription is another than before, owned what it says that it has, nil
// if it says nothing.
func (g *Group) reconcile(now time.Time, m *member, changed bool, owned []record.TopicPartitions, topics step.Topics, out *step.Output) {
	next := g.next(m, changed, owned, topics)
	if sameCurrent(next, m.current) {
		return
	}
	g.write(&record.Current{Group: g.id, Member: m.id, Value: next}, out)
	m.revocation = time.Time{}
	if !m.classic() && next.State == record.UnrevokedPartitions {
		g.arm(&m.revocation, now.Add(milliseconds(m.told.RebalanceTimeout)))
	}
}

// next is the state that follows on a member's present one. What the member has to
// give back comes first; only then it goes on to the epoch of the target and gets what
// nobody else has or is still giving back.
//
//	Stable                stays until there is another target, but gives back at once
//	                      what it does not subscribe to any more
//	UnrevokedPartitions   stays until the member says that it has given back
//	UnreleasedPartitions  tries again with every heartbeat
//	Unknown               begins again, from nothing
func (g *Group) next(m *member, changed bool, owned []record.TopicPartitions, topics step.Topics) *record.CurrentValue {
	switch m.current.State {
	case record.Stable:
		switch {
		case m.current.Epoch != g.targetEpoch:
		case changed:
			return g.shrink(m, owned, topics)
		default:
			return m.current
		}
	case record.UnrevokedPartitions:
		switch {
		case owned != nil && !overlap(owned, m.current.Revoking):
		case changed:
			return g.shrink(m, owned, topics)
		default:
			return m.current
		}
	}
	return g.approach(m, owned, topics)
}

// shrink takes back what a member does not subscribe to any more.
func (g *Group) shrink(m *member, owned []record.TopicPartitions, topics step.Topics) *record.CurrentValue {
	var kept, dropped []record.TopicPartitions
	for _, t := range m.current.Assigned {
		if g.subscribes(m, t.Topic, topics) {
			kept = append(kept, t)
		} else {
			dropped = append(dropped, t)
		}
	}
	if len(dropped) == 0 {
		return m.current
	}
	next := &record.CurrentValue{Epoch: m.current.Epoch, PreviousEpoch: m.current.Epoch, State: m.current.State}
	next.Assigned, next.Revoking = kept, m.current.Revoking
	if revoking := union(m.current.Revoking, dropped); owned == nil || overlap(owned, revoking) {
		next.State, next.Revoking = record.UnrevokedPartitions, revoking
	}
	return next
}

// approach computes what a member keeps, gives back, and gets.
func (g *Group) approach(m *member, owned []record.TopicPartitions, topics step.Topics) *record.CurrentValue {
	target := g.targets[m.id]
	var kept, all, revoking builder // all: kept, and what is new
	waits := false                  // for what others have to give back
	for _, id := range topicsOf(target, m.current.Assigned) {
		want := of(target, id).Partitions
		if !g.subscribes(m, id, topics) {
			want = nil
		}
		have := of(m.current.Assigned, id)
		for i, w := 0, 0; i < len(have.Partitions) || w < len(want); {
			switch {
			case i < len(have.Partitions) && (w == len(want) || have.Partitions[i] < want[w]):
				revoking.add(id, have.Partitions[i], have.Epochs[i])
				i++
			case i < len(have.Partitions) && have.Partitions[i] == want[w]:
				kept.add(id, want[w], have.Epochs[i])
				all.add(id, want[w], have.Epochs[i])
				i++
				w++
			default:
				if g.free(partition{id, want[w]}, m) {
					all.add(id, want[w], g.targetEpoch)
				} else {
					waits = true
				}
				w++
			}
		}
	}
	next := &record.CurrentValue{Epoch: g.targetEpoch, PreviousEpoch: m.current.Epoch, Assigned: all.list}
	switch {
	case len(revoking.list) > 0 && (owned == nil || overlap(owned, revoking.list)):
		next.Epoch, next.State = m.current.Epoch, record.UnrevokedPartitions
		next.Assigned, next.Revoking = kept.list, revoking.list
	case waits:
		next.State = record.UnreleasedPartitions
	default:
		next.State = record.Stable
	}
	return next
}

// free says that a partition may be given to a member: nobody else has it or is still
// giving it back.
func (g *Group) free(p partition, m *member) bool {
	owner := g.owners[p]
	return owner == nil || owner == m
}

func milliseconds(n int32) time.Duration { return time.Duration(max(n, 0)) * time.Millisecond }
