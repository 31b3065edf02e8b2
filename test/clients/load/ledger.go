package load

import (
	"fmt"
	"sync"
)

// ledger says who owns which partitions of one group's topic.
type ledger struct {
	partitions int

	mu      sync.Mutex
	owners  map[int32]string
	members map[string]*standing
	faults  []string
	changes int // times that a member took something
}

// standing is a member that lives.
type standing struct {
	generation int32
	owns       int
}

func newLedger(partitions int) *ledger {
	return &ledger{partitions: partitions, owners: make(map[int32]string), members: make(map[string]*standing)}
}

func (l *ledger) enter(member string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.members[member] = &standing{}
}

// exit takes a member and all it owns away.
func (l *ledger) exit(member string) {
	l.drop(member, nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.members, member)
}

// take gives partitions to a member in a generation or epoch.
func (l *ledger) take(member string, generation int32, partitions []int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.members[member]
	m.generation = generation
	l.changes++
	for _, p := range partitions {
		if other := l.owners[p]; other != "" {
			l.fault("partition %d was given to %s in %d while %s had it", p, member, generation, other)
			l.members[other].owns--
		}
		l.owners[p] = member
		m.owns++
	}
}

// drop takes partitions from a member, all it has if they are nil.
func (l *ledger) drop(member string, partitions []int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if partitions == nil {
		for p, owner := range l.owners {
			if owner == member {
				partitions = append(partitions, p)
			}
		}
	}
	for _, p := range partitions {
		if l.owners[p] == member {
			delete(l.owners, p)
			l.members[member].owns--
		}
	}
}

func (l *ledger) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

// unsettled says why the group has not converged on this many members, "" if it has:
// all partitions are owned, in equal shares, in one generation.
func (l *ledger) unsettled(members int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.members) != members {
		return fmt.Sprintf("%d members, want %d", len(l.members), members)
	}
	if len(l.owners) != l.partitions {
		return fmt.Sprintf("%d partitions have owners, want %d", len(l.owners), l.partitions)
	}
	generation := int32(-1)
	for name, m := range l.members {
		if m.owns < l.partitions/members || m.owns > (l.partitions+members-1)/members {
			return fmt.Sprintf("%s owns %d partitions of %d, with %d members", name, m.owns, l.partitions, members)
		}
		if generation >= 0 && m.generation != generation {
			return fmt.Sprintf("generations %d and %d", generation, m.generation)
		}
		generation = m.generation
	}
	return ""
}
