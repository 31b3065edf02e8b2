package partition

import (
	"time"

	"sordini/log"
	"sordini/server/metrics"
)

// Storage finds out how the data directories are doing. It looks at every partition.
func (s *Set) Storage() []metrics.Storage {
	all := make([]metrics.Storage, len(s.volumes))
	byVolume := make(map[*volume]*metrics.Storage, len(s.volumes))
	now := time.Now()
	for i, v := range s.volumes {
		all[i] = v.storage(now)
		byVolume[v] = &all[i]
	}
	for _, p := range s.All() {
		m := byVolume[p.volume]
		n, since := p.unflushed()
		m.UnflushedBytes += n
		if n > 0 && !since.IsZero() {
			m.UnflushedAge = max(m.UnflushedAge, now.Sub(since))
		}
	}
	return all
}

func (v *volume) storage(now time.Time) metrics.Storage {
	state, used, usage := v.space.now()
	m := metrics.Storage{Dir: v.Path, Offline: v.offline() != nil, DiskState: int(state), DiskUsed: used, DiskFree: usage.Free}
	if at := v.checkpointed.Load(); at != 0 && !m.Offline {
		m.CheckpointAge = max(0, now.Sub(time.Unix(0, at)))
	}
	m.Flushes, m.FlushTime = v.flusher.flushes.Load(), time.Duration(v.flusher.took.Load())
	m.ProbedSync, m.ProbedSpeed = time.Duration(v.probed.sync.Load()), float64(v.probed.speed.Load())
	if j := v.flusher.journal; j != nil {
		m.JournalBroken = j.broken.Load()
	}
	return m
}

// unflushed is how many bytes of the log a power cut may take, and since when the
// oldest of them is there.
func (p *Partition) unflushed() (n int64, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := p.log.State()
	if p.gone || st.Failure != nil {
		return 0, time.Time{}
	}
	durable := st.Flushed
	if p.logged.Offset > durable.Offset {
		durable = p.logged
	}
	if durable.Offset >= st.End.Offset {
		return 0, time.Time{}
	}
	return p.log.Between(durable, st.End), p.dirty
}

// dirtyLocked notes that there is something to flush, if nothing was so far.
func (p *Partition) dirtyLocked() {
	if p.dirty.IsZero() {
		p.dirty = time.Now()
	}
}

// cleanLocked notes that a flush up to pos has ended, of a log that ends at end. What
// is left was written after the flush began, which is as good as known.
func (p *Partition) cleanLocked(pos, end log.Position) {
	if p.dirty = (time.Time{}); pos.Offset < end.Offset {
		p.dirty = p.began
	}
}
