package partition

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"sordini/log"
	"sordini/server/metrics"
)

// parallelFlushes is how many logs are flushed at a time. One fsync after the
// other leaves the disk idle in between; more than some dozens only make threads.
const parallelFlushes = 32

// flusher is shared by all partitions: it bounds how many flushes run and
// measures them.
type flusher struct {
	slots   chan struct{}
	metrics *metrics.Metrics
	logger  *slog.Logger
	running sync.WaitGroup
}

func newFlusher(m *metrics.Metrics, logger *slog.Logger) *flusher {
	return &flusher{slots: make(chan struct{}, parallelFlushes), metrics: m, logger: logger}
}

func (f *flusher) flush(l *log.Log) (log.Position, error) {
	f.slots <- struct{}{}
	began := time.Now()
	pos, err := l.Flush()
	took := time.Since(began)
	<-f.slots
	f.metrics.FlushSeconds.Observe(took.Seconds())
	if err != nil && !errors.Is(err, log.ErrClosed) {
		f.metrics.FlushErrors.Inc()
	}
	return pos, err
}
