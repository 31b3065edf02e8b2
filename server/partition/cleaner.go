package partition

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"sordini/log"
	"sordini/log/checkpoint"
	"sordini/log/compact"
	"sordini/server/config"
)

// cleaner compacts the partitions whose cleanup.policy says so. Every
// log.cleaner.backoff.ms it lists those that are dirty enough, or overdue, the
// dirtiest first, and up to log.cleaner.threads workers go through the list. With
// nothing to do there is no worker, and no memory for one.
//
// A partition in which compaction has met damage, or failed otherwise than for want
// of space, is left alone until the next start.
type cleaner struct {
	set      *Set
	ctx      context.Context // done once the Set closes
	cancel   context.CancelFunc
	throttle compact.Throttle

	mu      sync.Mutex // guards also the cleanState of all partitions
	queue   []*Partition
	workers int

	checkpointMu sync.Mutex
}

// cleanState is what the cleaner knows of a partition.
type cleanState struct {
	busy        bool
	uncleanable bool
	retry       time.Time // not before
}

// retryDelay is how long a partition is left alone that could not be compacted for
// a reason that may pass.
const retryDelay = time.Minute

func newCleaner(s *Set) *cleaner {
	c := &cleaner{set: s}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// kick looks for what there is to do and starts workers for it.
func (c *cleaner) kick() {
	settings := c.set.Broker().Cleaner
	if !settings.Enabled {
		return
	}
	due := c.due()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = due
	for c.workers < min(settings.Threads, c.workers+len(due)) {
		c.workers++
		c.set.background.Add(1)
		go c.work()
		due = due[1:]
	}
}

// due lists the partitions to be compacted, the dirtiest first.
func (c *cleaner) due() []*Partition {
	type candidate struct {
		p     *Partition
		ratio float64
	}
	var found []candidate
	dirtiest, uncleanable := 0.0, 0
	for _, p := range c.set.All() {
		c.mu.Lock()
		state := p.clean
		c.mu.Unlock()
		if state.uncleanable {
			uncleanable++
		}
		if !p.Settings().CleanupCompact || state.busy || state.uncleanable || c.set.Now().Before(state.retry) {
			continue
		}
		s, err := p.cleanable()
		if err != nil {
			c.failed(p, err)
			continue
		}
		dirtiest = max(dirtiest, s.Ratio())
		if s.DirtyBytes > 0 && (s.Overdue > 0 || s.Ratio() > p.Settings().MinCleanableDirtyRatio) {
			found = append(found, candidate{p, s.Ratio()})
		}
	}
	c.set.opt.Metrics.CleanerDirtiest.Set(dirtiest)
	c.set.opt.Metrics.UncleanablePartitions.Set(float64(uncleanable))
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Compare(b.ratio, a.ratio) })
	partitions := make([]*Partition, len(found))
	for i, f := range found {
		partitions[i] = f.p
	}
	return partitions
}

func (p *Partition) cleanable() (log.Cleanable, error) {
	o, err := p.Offsets()
	if err != nil {
		return log.Cleanable{}, err
	}
	rolled, err := p.log.RollOverdue()
	if err != nil {
		return log.Cleanable{}, err
	}
	if rolled {
		p.mu.Lock()
		p.startFlushLocked() // the next look finds it
		p.mu.Unlock()
	}
	return p.log.Cleanable(o.High.Offset)
}

// work goes through the list until it is empty.
func (c *cleaner) work() {
	defer c.set.background.Done()
	keys := c.newMap()
	for {
		p := c.next()
		if p == nil {
			break
		}
		for c.clean(c.ctx, p, keys) {
		}
		c.mu.Lock()
		p.clean.busy = false
		c.mu.Unlock()
	}
	c.set.try("checkpoint of compaction", c.checkpoint)
}

// newMap returns a map as large as the one of a worker may be.
func (c *cleaner) newMap() *compact.Map {
	settings := c.set.Broker().Cleaner
	return compact.NewMap(settings.DedupeBufferBytes/int64(max(1, settings.Threads)), settings.LoadFactor)
}

// next takes a partition off the list. It is nil, and the worker counted out, when
// there is nothing more to do.
func (c *cleaner) next() *Partition {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 && c.workers <= c.set.Broker().Cleaner.Threads && c.ctx.Err() == nil {
		p := c.queue[0]
		c.queue = c.queue[1:]
		if !p.clean.busy {
			p.clean.busy = true
			return p
		}
	}
	c.workers--
	return nil
}

// clean compacts a partition as far as the map reaches, and says whether there is
// more to do.
func (c *cleaner) clean(ctx context.Context, p *Partition, keys *compact.Map) (more bool) {
	r, err := c.set.clean(ctx, p, keys)
	if err != nil {
		c.failed(p, err)
		return false
	}
	s, err := p.cleanable()
	return err == nil && r.To > r.From && s.DirtyBytes > 0 && s.Ratio() > p.Settings().MinCleanableDirtyRatio
}

// failed notes that a partition could not be compacted.
func (c *cleaner) failed(p *Partition, err error) {
	var offline *log.OfflineError
	switch logger := c.set.opt.Logger.With("topic", p.Topic, "partition", p.Index, "err", err); {
	case errors.As(err, &offline):
		p.noteFailure()
	case errors.Is(err, context.Canceled), errors.Is(err, log.ErrClosed), errors.Is(err, ErrGone):
	case errors.Is(err, log.ErrReplaced), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		logger.Warn("partition not compacted; it will be tried again")
		c.mu.Lock()
		p.clean.retry = c.set.Now().Add(retryDelay)
		c.mu.Unlock()
	default:
		logger.Error("partition not compacted, and not tried again before the next start: nothing was dropped")
		c.mu.Lock()
		p.clean.uncleanable = true
		c.mu.Unlock()
		c.set.opt.Metrics.UncleanablePartitions.Inc()
	}
}

// Clean compacts a partition now, as far as one pass comes, however little there is
// to gain, whatever its cleanup.policy is. It may be called while the cleaner works.
func (s *Set) Clean(ctx context.Context, p *Partition) (log.CleanReport, error) {
	r, err := s.clean(ctx, p, s.cleaner.newMap())
	if err != nil {
		return r, fmt.Errorf("compact %s-%d: %w", p.Topic, p.Index, err)
	}
	return r, s.cleaner.checkpoint()
}

func (s *Set) clean(ctx context.Context, p *Partition, keys *compact.Map) (log.CleanReport, error) {
	o, err := p.Offsets()
	if err != nil {
		return log.CleanReport{}, err
	}
	s.cleaner.throttle.Set(s.Broker().Cleaner.MaxBytesPerSecond)
	r, err := p.log.Clean(ctx, log.CleanOptions{Stable: o.High.Offset, Map: keys, Throttle: &s.cleaner.throttle})
	m := s.opt.Metrics
	m.CleanerReadBytes.Add(r.MapBytes + r.ReadBytes)
	m.CleanerWrittenBytes.Add(r.WrittenBytes)
	if err != nil || r.To == r.From {
		return r, err
	}
	m.CleanerDroppedRecords.Add(r.ReadRecords - r.WrittenRecords)
	m.CleanSeconds.Observe(r.Took.Seconds())
	m.LastClean.Set(float64(s.Now().UnixMilli()) / 1000)
	s.opt.Logger.Info("compacted partition", "topic", p.Topic, "partition", p.Index, "from", r.From, "to", r.To,
		"segments", r.Before, "into", r.After, "bytes", r.BytesBefore, "left", r.BytesAfter,
		"records", r.ReadRecords, "dropped", r.ReadRecords-r.WrittenRecords, "keyless", r.Keyless, "keys", r.Keys,
		"map_bytes", r.MapMemory, "indexing", r.Indexing, "took", r.Took)
	return r, nil
}

// checkpoint writes how far compaction came everywhere.
func (c *cleaner) checkpoint() error {
	c.checkpointMu.Lock()
	defer c.checkpointMu.Unlock()
	var failed error
	for _, v := range c.set.volumes {
		if v.offline() != nil {
			continue
		}
		err := v.writeCleaned()
		v.noteError(err)
		failed = errors.Join(failed, err)
	}
	return failed
}

func (v *volume) writeCleaned() error {
	offsets := make(map[checkpoint.Partition]int64)
	for _, p := range v.partitions() {
		if cleaned := p.log.Cleaned(); cleaned > 0 {
			offsets[checkpoint.Partition{Topic: p.Topic, Index: p.Index}] = cleaned
		}
	}
	return checkpoint.WriteCleaner(v.set.opt.FS, v.Path, offsets)
}

// compaction adds what a topic's settings mean for the compaction of its logs.
func compaction(c *log.Config, t *config.Topic) {
	c.Compact = t.CleanupCompact
	c.DeleteRetention, c.MinLag = millis(t.DeleteRetentionMs), millis(t.MinCompactionLagMs)
	if lag := millis(t.MaxCompactionLagMs); c.Compact && lag < longest {
		c.MaxLag = lag
		if c.SegmentAge == 0 || lag < c.SegmentAge {
			c.SegmentAge = lag // as in Kafka: the active segment is never compacted
		}
	}
}
