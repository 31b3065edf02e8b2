package wire

import (
	"sync"
	"sync/atomic"
)

// budget is the memory that large requests in flight may take together. Waiters
// are served in order.
//
// A frame claims more while it grows and keeps what it has meanwhile, so frames
// could wait for each other for ever. When all that hold something wait, the
// oldest of them goes on above the limit, until it is whole: the limit is then
// exceeded by one frame.
type budget struct {
	held  *atomic.Int64 // for the metric
	limit int64         // negative: no bound

	mu      sync.Mutex
	used    int64
	holders int // frames that hold something
	stuck   int // those of them that wait
	ticket  int64
	waiters []*claim
}

type claim struct {
	n       int64
	holds   int64 // what the frame has already
	ticket  int64 // when its frame first claimed something
	granted chan struct{}
}

func newBudget(limit int64, held *atomic.Int64) *budget { return &budget{limit: limit, held: held} }

// take waits until n bytes are there, or gone is closed; then it says false. holds
// is what the frame holds already, and ticket what take returned with that, 0 if
// nothing. A claim above the whole budget is granted when nothing else is held.
func (b *budget) take(n, holds, ticket int64, gone <-chan struct{}) (int64, bool) {
	b.mu.Lock()
	if ticket == 0 {
		b.ticket++
		ticket = b.ticket
	}
	if len(b.waiters) == 0 && b.fitsLocked(n) {
		b.grantedLocked(n, holds)
		b.mu.Unlock()
		return ticket, true
	}
	c := &claim{n, holds, ticket, make(chan struct{})}
	b.waiters = append(b.waiters, c)
	if holds > 0 {
		b.stuck++
	}
	b.grantLocked()
	b.mu.Unlock()
	select {
	case <-c.granted:
		return ticket, true
	case <-gone:
	}
	return ticket, !b.withdraw(c)
}

// withdraw takes a claim back. It says false if it was granted at the last moment.
func (b *budget) withdraw(c *claim) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, w := range b.waiters {
		if w == c {
			b.removeLocked(i)
			b.grantLocked()
			return true
		}
	}
	return false
}

func (b *budget) removeLocked(i int) {
	if b.waiters[i].holds > 0 {
		b.stuck--
	}
	b.waiters = append(b.waiters[:i], b.waiters[i+1:]...)
}

// give takes n bytes back, of which the frame keeps left.
func (b *budget) give(n, left int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if left == 0 {
		b.holders--
	}
	b.grantLocked()
}

func (b *budget) grantLocked() {
	for len(b.waiters) > 0 {
		i := 0
		if !b.fitsLocked(b.waiters[0].n) {
			if i = b.oldestLocked(); i < 0 {
				break
			}
		}
		c := b.waiters[i]
		b.removeLocked(i)
		b.grantedLocked(c.n, c.holds)
		close(c.granted)
	}
	b.held.Store(b.used)
}

func (b *budget) fitsLocked(n int64) bool {
	return b.limit < 0 || b.used+n <= b.limit || b.used == 0
}

func (b *budget) grantedLocked(n, holds int64) {
	b.used += n
	if holds == 0 {
		b.holders++
	}
	b.held.Store(b.used)
}

// oldestLocked is the waiter of the oldest frame that holds something, if all
// that do are waiting, and else -1.
func (b *budget) oldestLocked() int {
	oldest := -1
	if b.stuck < b.holders {
		return oldest
	}
	for i, w := range b.waiters {
		if w.holds > 0 && (oldest < 0 || w.ticket < b.waiters[oldest].ticket) {
			oldest = i
		}
	}
	return oldest
}
