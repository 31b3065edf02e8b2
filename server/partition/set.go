package partition

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"sordini/log"
	"sordini/segment"
	"sordini/segment/vfs"
	"sordini/server/config"
	"sordini/server/meta"
	"sordini/server/metrics"
)

// Options of a Set. All fields but SpaceInterval, Progress and Observer are required.
type Options struct {
	FS      vfs.FS
	Dirs    []Dir // data directories, at least one
	Store   *meta.Store
	Values  config.Values // the static settings
	Metrics *metrics.Metrics
	Logger  *slog.Logger
	Now     func() time.Time
	Random  io.Reader // for topic ids
	// SpaceInterval is how often to look how full the disk is; 0: only when so much
	// was appended that it may be full.
	SpaceInterval time.Duration
	Progress      *Progress // of opening; nil for one that nobody looks at
	Observer      Observer  // nil: nobody
}

// idleHandles is how many read handles stay open while nobody reads.
const idleHandles = 512

// Set is all partitions of this broker.
type Set struct {
	opt     Options
	handles *segment.Handles
	volumes []*volume // not changed after Open has begun
	cleaner *cleaner
	keyer   *keyer
	broker  atomic.Pointer[config.Broker]

	// changing is held while topics, partitions or settings change.
	changing sync.Mutex

	// mu guards the maps; the slices in them are replaced, never changed.
	mu     sync.RWMutex
	byName map[string][]*Partition
	byID   map[meta.TopicID][]*Partition
	count  atomic.Int64 // of all partitions

	purging    sync.WaitGroup
	stop       chan struct{}
	background sync.WaitGroup
}

// Image is the current metadata.
func (s *Set) Image() *meta.Image { return s.opt.Store.Image() }

// Broker is the settings in force.
func (s *Set) Broker() *config.Broker { return s.broker.Load() }

// Now is the time by the clock that the Set was given.
func (s *Set) Now() time.Time { return s.opt.Now() }

// Dirs tells of each data directory whether it is offline, and why.
func (s *Set) Dirs() []Dir {
	dirs := make([]Dir, len(s.volumes))
	for i, v := range s.volumes {
		dirs[i] = v.Dir
		if e := v.failure.Load(); e != nil {
			dirs[i].Err = e.cause
		}
	}
	return dirs
}

// FS is the file system of the data directories.
func (s *Set) FS() vfs.FS { return s.opt.FS }

// Get returns a partition by topic name, nil if there is none.
func (s *Set) Get(topic string, index int32) *Partition {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return at(s.byName[topic], index)
}

// GetBytes is Get for a name that is still in the request's buffer.
func (s *Set) GetBytes(topic []byte, index int32) *Partition {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return at(s.byName[string(topic)], index)
}

// GetByID returns a partition by topic id, nil if there is none.
func (s *Set) GetByID(id meta.TopicID, index int32) *Partition {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return at(s.byID[id], index)
}

func at(partitions []*Partition, index int32) *Partition {
	if index < 0 || int(index) >= len(partitions) {
		return nil
	}
	return partitions[index]
}

// Topic returns the partitions of a topic in order, nil if there is none. The
// slice must not be changed.
func (s *Set) Topic(name string) []*Partition {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byName[name]
}

// All returns every partition, in no order.
func (s *Set) All() []*Partition {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*Partition, 0, len(s.byName))
	for _, partitions := range s.byName {
		all = append(all, partitions...)
	}
	return all
}

// Len is the number of partitions.
func (s *Set) Len() int { return int(s.count.Load()) }

func (s *Set) publish(name string, id meta.TopicID, partitions []*Partition) {
	s.mu.Lock()
	s.count.Add(int64(len(partitions) - len(s.byName[name])))
	s.byName[name], s.byID[id] = partitions, partitions
	s.mu.Unlock()
}

// logConfig is what a topic's settings mean for its logs.
func logConfig(t *config.Topic) log.Config {
	c := log.Config{
		SegmentBytes: t.SegmentBytes, IndexBytes: t.SegmentIndexBytes,
		SegmentAge: millis(t.SegmentMs), Retention: millis(t.RetentionMs), RetainBytes: t.RetentionBytes,
		Delete: t.CleanupDelete, IndexKeys: t.IndexKey,
	}
	if jitter := min(t.SegmentJitterMs, t.SegmentMs-1); jitter > 0 && c.SegmentAge > 0 {
		c.SegmentAge -= millis(rand.Int64N(jitter))
	}
	compaction(&c, t)
	return c
}

// longest is the longest Duration.
const longest = time.Duration(1<<63 - 1)

// millis turns Kafka's milliseconds into a Duration; what does not fit is the
// longest one.
func millis(ms int64) time.Duration {
	if ms > int64(longest/time.Millisecond) {
		return longest
	}
	return time.Duration(ms) * time.Millisecond
}

func (v *volume) logOptions(t *meta.Topic, index int32, settings *config.Topic) log.Options {
	// Many files grow at once, and on a small disk steps must be small.
	const step, share = 64 << 20, 256
	preallocate := int64(step)
	if total := v.space.total(); total > 0 {
		preallocate = int64(min(step, max(total/share, 1<<20)))
	}
	return log.Options{
		FS: v.set.opt.FS, Dir: v.dirOf(t.Name, index), Handles: v.set.handles, Now: v.set.opt.Now,
		Logger:      v.set.opt.Logger.With("topic", t.Name, "partition", index),
		LeaderEpoch: v.set.Image().LeaderEpoch(t), IndexInterval: settings.IndexIntervalBytes,
		Preallocate: preallocate, Config: logConfig(settings), Scanned: &v.set.opt.Progress.scanned,
	}
}
