package partition

import "sync/atomic"

// AckWaiter waits for a high watermark. It serves one wait at a time and may be
// used again.
type AckWaiter struct {
	C      chan struct{}
	offset int64
}

// NewAckWaiter returns an idle waiter.
func NewAckWaiter() *AckWaiter { return &AckWaiter{C: make(chan struct{}, 1)} }

func (w *AckWaiter) wake() {
	select {
	case w.C <- struct{}{}:
	default:
	}
}

// Acked says whether the high watermark has reached offset. If it has not, and
// the partition serves, w hears on C when that may have changed; then the caller
// asks again, or calls Forget.
func (p *Partition) Acked(offset int64, w *AckWaiter) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.high.Offset >= offset {
		return true, nil
	}
	if p.gone {
		return false, ErrGone
	}
	if p.failed {
		return false, p.log.State().Failure
	}
	if w == nil {
		return false, nil
	}
	select {
	case <-w.C: // a wake-up of an earlier wait
	default:
	}
	w.offset = offset
	i := len(p.acks)
	for i > 0 && p.acks[i-1].offset > offset {
		i--
	}
	p.acks = append(p.acks, nil)
	copy(p.acks[i+1:], p.acks[i:])
	p.acks[i] = w
	return false, nil
}

// Forget ends a wait that was not woken.
func (p *Partition) Forget(w *AckWaiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.acks {
		if other == w {
			p.acks = append(p.acks[:i], p.acks[i+1:]...)
			return
		}
	}
}

// FetchWaiter waits until enough bytes have come in the partitions that it
// watches together.
type FetchWaiter struct {
	C    chan struct{}
	need atomic.Int64
}

// NewFetchWaiter returns a waiter that wakes after need more bytes.
func NewFetchWaiter(need int64) *FetchWaiter {
	w := &FetchWaiter{C: make(chan struct{}, 1)}
	w.need.Store(need)
	return w
}

// enough is more bytes than anybody waits for.
const enough = 1 << 62

func (w *FetchWaiter) grow(n int64) {
	if n >= enough {
		w.need.Store(0)
	} else if w.need.Add(-n) > 0 {
		return
	}
	select {
	case w.C <- struct{}{}:
	default:
	}
}

// Watch tells w of the bytes that come below the high watermark from now on.
// seen is the high watermark that the caller has read up to: if it has moved
// since, or the partition serves no more, w is woken at once.
func (p *Partition) Watch(w *FetchWaiter, seen int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches = append(p.fetches, w)
	if p.high.Offset != seen || p.gone || p.failed {
		w.grow(enough)
	}
}

// Unwatch ends Watch.
func (p *Partition) Unwatch(w *FetchWaiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.fetches {
		if other == w {
			last := len(p.fetches) - 1
			p.fetches[i] = p.fetches[last]
			p.fetches[last] = nil
			p.fetches = p.fetches[:last]
			return
		}
	}
}
