package audit

import (
	"sync"

	"sordini/server/partition"
	"sordini/server/wire"
)

const (
	// rings is how many there are; partitions are spread over them.
	rings = 8
	// ringSize is how many entries wait in one at most.
	ringSize = 4096
	// ringUrgent is at how many the worker comes before its time: as long as it keeps
	// up, the entries stay in the processor's caches.
	ringUrgent = 512
	// mergeSpan is the longest time, in microseconds, that one entry stands for.
	mergeSpan = 10_000
)

// entry is what a batch or a flush leaves behind.
type entry struct {
	partition *partition.Partition
	client    *wire.Client // nil for a flush
	by        partition.Durability
	span
}

// follows says whether o is the continuation of e.
func (e *entry) follows(o *entry) bool {
	return e.partition == o.partition && e.client == o.client && e.by == o.by && e.to == o.from &&
		o.last >= e.last && o.last-e.at <= mergeSpan
}

// ring is entries that wait for the worker, in the order in which they came. It is
// two buffers, one filled and one worked on; both are made with the first entry.
type ring struct {
	mu      sync.Mutex
	filled  []entry
	spare   []entry // nil while the worker has it
	dropped Gap
	_       [64]byte // rings are used by different processors
}

// put leaves an entry. It says whether the worker should come before its time.
func (r *ring) put(e *entry) (urgent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.filled)
	if n > 0 && r.filled[n-1].follows(e) {
		r.filled[n-1].to, r.filled[n-1].last = e.to, e.last
		return false
	}
	if n == cap(r.filled) && !r.roomLocked() {
		r.dropped.add(dropped(e))
		return true
	}
	r.filled = append(r.filled, *e)
	return n+1 == ringUrgent
}

// roomLocked makes the buffers if there are none.
func (r *ring) roomLocked() bool {
	if cap(r.filled) > 0 {
		return false
	}
	r.filled, r.spare = make([]entry, 0, ringSize), make([]entry, 0, ringSize)
	return true
}

func dropped(e *entry) Gap {
	g := Gap{From: e.at, To: e.last}
	if e.client != nil {
		g.Appends = 1
	} else {
		g.Flushes = 1
	}
	return g
}

// take takes all entries, to be given back, and what was dropped.
func (r *ring) take() ([]entry, Gap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.dropped
	r.dropped = Gap{}
	if len(r.filled) == 0 || r.spare == nil {
		return nil, g
	}
	taken := r.filled
	r.filled, r.spare = r.spare, nil
	return taken, g
}

// give gives a buffer back that take has returned.
func (r *ring) give(b []entry) {
	clear(b) // partitions and clients may be gone
	r.mu.Lock()
	r.spare = b[:0]
	r.mu.Unlock()
}

// ringOf is the number of the ring of a partition.
func ringOf(p *partition.Partition) int { return (int(p.ID[15]) ^ int(p.Index)) & (rings - 1) }
