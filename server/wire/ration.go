package wire

import (
	"sync"
	"time"
)

const (
	// rationBurst is how many lines may follow each other at once, and
	// rationPerSecond how many there may be in the long run.
	rationBurst     = 100
	rationPerSecond = 10
)

// rationed says which lines of the log are written, where their number is up to
// clients. The zero value is ready for use.
type rationed struct {
	mu      sync.Mutex
	spent   float64 // lines, less those that time has given back
	last    time.Time
	skipped int
}

// take says whether a line may be written now, and how many were not since the
// one before.
func (r *rationed) take(now time.Time) (skipped int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spent = max(0, r.spent-now.Sub(r.last).Seconds()*rationPerSecond)
	r.last = now
	if r.spent+1 > rationBurst {
		r.skipped++
		return 0, false
	}
	r.spent++
	skipped, r.skipped = r.skipped, 0
	return skipped, true
}
