package partition

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sordini/log"
	"sordini/server/config"
	"sordini/server/metrics"
)

// parallelFlushes is how many logs are flushed at a time. One fsync after the
// other leaves the disk idle in between; more than some dozens only make threads.
const parallelFlushes = 32

// flusher is shared by all partitions: it runs their flushes, bounds how many run at
// once, and measures them.
//
// Flushes that acknowledgements wait for come in rounds. All that are due begin
// together, and what becomes due meanwhile waits for the next round, which begins when
// the last of them has ended. So each flush finds what has been appended during a
// whole round. A sync costs about the same whatever it finds, and partitions that
// each begin one as soon as they have a record leave little processor time for
// anything else. Flushes that nobody waits for may be long and have no part in this.
// With a journal a round is one write and one sync; see journal.go.
type flusher struct {
	slots    chan struct{}
	seals    chan struct{}
	hints    chan struct{}
	journal  *journaler   // nil where each log is synced by itself
	flushes  atomic.Int64 // how many
	took     atomic.Int64 // and how long, all together, ns
	metrics  *metrics.Metrics
	observer Observer // nil: nobody
	logger   *slog.Logger
	running  sync.WaitGroup

	mu     sync.Mutex
	due    []*Partition // for the next round
	rounds bool         // runRounds runs

	// Of runRounds, of which there is one at a time.
	round  []*Partition
	others sync.WaitGroup
}

func newFlusher(m *metrics.Metrics, logger *slog.Logger) *flusher {
	return &flusher{
		slots: make(chan struct{}, parallelFlushes), seals: make(chan struct{}, parallelSeals), hints: make(chan struct{}, parallelHints),
		metrics: m, logger: logger,
	}
}

// start has a partition flushed soon. The caller holds Partition.mu.
func (f *flusher) start(p *Partition) {
	policy := p.Settings().FlushPolicy
	if policy == config.FlushAsync || policy == config.FlushHybrid && len(p.holds) == 0 {
		f.running.Go(p.flushOnce)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.due = append(f.due, p)
	if !f.rounds {
		f.rounds = true
		f.running.Add(1)
		go f.runRounds()
	}
}

// runRounds flushes until nothing is due.
func (f *flusher) runRounds() {
	defer f.running.Done()
	for f.nextRound() {
		if f.journal != nil {
			f.journal.run(f.round)
			continue
		}
		for _, p := range f.round[1:] {
			f.others.Go(p.flushOnce)
		}
		f.round[0].flushOnce()
		f.others.Wait()
	}
}

// nextRound takes what is due, and says false if that is nothing.
func (f *flusher) nextRound() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.round)
	f.round, f.due = f.due, f.round[:0]
	f.rounds = len(f.round) > 0
	return f.rounds
}

// observe counts a flush.
func (f *flusher) observe(took time.Duration) {
	f.flushes.Add(1)
	f.took.Add(int64(took))
	f.metrics.FlushSeconds.Observe(took.Seconds())
}

func (f *flusher) flush(l *log.Log) (log.Position, error) {
	f.slots <- struct{}{}
	began := time.Now()
	pos, err := l.Flush()
	f.observe(time.Since(began))
	<-f.slots
	if err != nil && !errors.Is(err, log.ErrClosed) {
		f.metrics.FlushErrors.Inc()
	}
	return pos, err
}
