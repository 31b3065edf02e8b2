package scenario

import (
	"slices"
	"sync"

	"sordini/test/clients/event"
)

// board gathers events and knows who owns what at the moment.
type board struct {
	mu      sync.Mutex
	events  []event.Event
	owned   map[string]map[int32]bool // by member
	records map[string]int64          // by member
	changes map[string]int            // by member: assignments and revocations
}

func newBoard() *board {
	return &board{owned: make(map[string]map[int32]bool), records: make(map[string]int64), changes: make(map[string]int)}
}

func (b *board) tell(e event.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
	switch e.Kind {
	case event.Assigned:
		if b.owned[e.Member] == nil {
			b.owned[e.Member] = make(map[int32]bool)
		}
		for _, p := range e.Partitions {
			b.owned[e.Member][p] = true
		}
		b.changes[e.Member]++
	case event.Revoked, event.Lost:
		for _, p := range e.Partitions {
			delete(b.owned[e.Member], p)
		}
		b.changes[e.Member]++
	case event.Killed, event.Exited:
		delete(b.owned, e.Member)
	case event.Records:
		b.records[e.Member] += e.Last - e.First + 1
	}
}

// balanced says whether these members own all partitions in equal shares.
func (b *board) balanced(members []*process, partitions int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []int32
	for _, m := range members {
		if len(b.owned[m.name]) != partitions/len(members) {
			return false
		}
		for p := range b.owned[m.name] {
			all = append(all, p)
		}
	}
	slices.Sort(all)
	return len(slices.Compact(all)) == partitions
}

// read is how many records each member has processed.
func (b *board) read(members []*process) []int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []int64
	for _, m := range members {
		all = append(all, b.records[m.name])
	}
	return all
}

// changed is how many assignments and revocations a member has told of.
func (b *board) changed(m *process) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changes[m.name]
}

func (b *board) all() []event.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}
