package compact

import (
	"context"
	"sync"
	"time"
)

// Throttle bounds the bytes per second of all who share it.
type Throttle struct {
	mu   sync.Mutex
	rate float64
	free time.Time // when what was taken so far is paid for
}

// longestWait is the longest time that one Take costs.
const longestWait = time.Hour

// Set changes the bytes per second, which are above 0.
func (t *Throttle) Set(rate float64) {
	t.mu.Lock()
	t.rate = rate
	t.mu.Unlock()
}

// Take waits until n bytes more may be read or written. The error is that of ctx.
// A nil Throttle lets everything pass.
func (t *Throttle) Take(ctx context.Context, n int) error {
	if t == nil {
		return ctx.Err()
	}
	wait := t.take(time.Now(), n)
	if wait < time.Millisecond {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// take returns how long n bytes have to wait. Short waits add up to one.
func (t *Throttle) take(now time.Time, n int) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rate <= 0 {
		return 0
	}
	if t.free.Before(now) {
		t.free = now
	}
	cost := min(float64(n)/t.rate, longestWait.Seconds())
	t.free = t.free.Add(time.Duration(cost * float64(time.Second)))
	return t.free.Sub(now)
}
