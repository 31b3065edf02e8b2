package log

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"sordini/log/epoch"
	"sordini/protocol/batch"
	"sordini/segment"
)

// Append is one batch on its way into the log, and what became of it. It may be
// used again, so that appending allocates nothing.
type Append struct {
	// Batch is the whole batch, validated; its base offset and leader epoch are
	// overwritten. Header is its decoded header.
	Batch  []byte
	Header batch.Header

	// Results, valid after Log.Append.
	Base      int64 // offset of the first record
	Next      int64 // offset behind the last record
	Start     int64 // log start offset
	Duplicate bool  // the batch was stored before, at Base
	Stored    int64 // largest timestamp of the batch that was stored before, ms
	Err       error

	wake  chan struct{}
	leads bool

	keys    []uint64 // hashes of the keys in the batch
	hasKeys bool     // keys are known
}

// NewAppend returns an Append ready to be filled.
func NewAppend() *Append { return &Append{wake: make(chan struct{}, 1)} }

// Append orders the batch behind all others, checks the sequence of its producer,
// and writes it. It returns when the batch is readable, or not accepted:
// then a.Err says why. Appends that are waiting at the same time share one write.
func (l *Log) Append(a *Append) {
	l.hashKeys(a)
	l.queueMu.Lock()
	l.queue = append(l.queue, a)
	if l.leading {
		l.queueMu.Unlock()
		<-a.wake
		if !a.leads {
			return
		}
	} else {
		l.leading = true
		l.queueMu.Unlock()
	}
	l.lead(a)
}

// lead appends everything that is queued, a among it, and passes the lead on.
func (l *Log) lead(a *Append) {
	l.appendMu.Lock()
	l.queueMu.Lock()
	l.group.queue, l.queue = l.queue, l.group.queue[:0]
	l.queueMu.Unlock()
	members := l.group.queue
	l.appendGroup(members)
	for i, m := range members {
		members[i] = nil
		m.leads = false
		if m != a {
			m.wake <- struct{}{}
		}
	}
	l.appendMu.Unlock()

	l.queueMu.Lock()
	defer l.queueMu.Unlock()
	if len(l.queue) == 0 {
		l.leading = false
		return
	}
	l.queue[0].leads = true
	l.queue[0].wake <- struct{}{}
}

// group is what the leader collects for one write.
type group struct {
	queue   []*Append
	pending []*Append
	bufs    [][]byte
	entries []segment.Entry
	bytes   int64
}

func (g *group) reset() {
	clear(g.pending)
	clear(g.bufs)
	clear(g.entries)
	g.pending, g.bufs, g.entries, g.bytes = g.pending[:0], g.bufs[:0], g.entries[:0], 0
}

func (l *Log) appendGroup(members []*Append) {
	l.mu.Lock()
	err := l.usableLocked()
	start := l.start
	l.mu.Unlock()
	for _, a := range members {
		a.Base, a.Next, a.Start, a.Err, a.Duplicate = -1, -1, start, err, false
		if err != nil {
			continue
		}
		if a.Err = l.admit(a); a.Err != nil || a.Duplicate {
			continue
		}
		if err = l.place(a); err != nil {
			a.Err = err
		}
	}
	if err == nil {
		err = l.writePending()
	}
	if err == nil {
		return
	}
	for _, a := range members {
		if a.Duplicate && a.Err == nil {
			a.Err = err // of a batch in this very group, perhaps
		}
	}
}

// admit checks the sequence of an idempotent producer.
func (l *Log) admit(a *Append) error {
	if !a.Header.HasProducer() {
		return nil
	}
	dup, is, err := l.producers.Check(&a.Header)
	if is {
		a.Duplicate, a.Base, a.Next, a.Stored = true, dup.FirstOffset(), dup.LastOffset+1, dup.Timestamp
	}
	return err
}

// place gives the batch its offset and puts it into the group, rolling before it
// if need be.
func (l *Log) place(a *Append) error {
	size := int64(len(a.Batch))
	if l.mustRoll(size, &a.Header) {
		if err := l.writePending(); err != nil {
			return err
		}
		if err := l.roll(); err != nil {
			return l.fail(err)
		}
	}
	g := &l.group
	a.Base = l.next.Offset
	a.Next = a.Base + int64(a.Header.LastOffsetDelta) + 1
	batch.StampOffset(a.Batch, a.Base, l.opt.LeaderEpoch)
	a.Header.BaseOffset, a.Header.LeaderEpoch = a.Base, l.opt.LeaderEpoch
	l.producers.Update(&a.Header)
	g.pending = append(g.pending, a)
	g.bufs = append(g.bufs, a.Batch)
	g.entries = append(g.entries, segment.Entry{
		Size: size, LastOffset: a.Next - 1, MaxTimestamp: a.Header.MaxTimestamp, Keys: a.keys, HasKeys: a.hasKeys,
	})
	g.bytes += size
	l.next.Offset = a.Next
	l.next.Pos += size
	return nil
}

// writePending writes what place has collected and publishes the new end. A
// failure takes the log offline: part of the bytes may be in the file.
func (l *Log) writePending() error {
	g := &l.group
	if len(g.pending) == 0 {
		return nil
	}
	defer g.reset()
	var err error
	if l.opt.LeaderEpoch > l.latestEpoch() {
		err = l.noteEpoch(g.pending[0].Base)
	}
	if err == nil {
		err = l.active().Append(g.bufs, g.entries)
	}
	if err != nil {
		failure := l.fail(err)
		for _, a := range g.pending {
			a.Err = failure
		}
		return failure
	}
	l.mu.Lock()
	l.end = l.next
	l.mu.Unlock()
	return nil
}

func (l *Log) active() *segment.Segment {
	segments := l.view()
	return segments[len(segments)-1]
}

func (l *Log) latestEpoch() int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs.Latest()
}

// noteEpoch records that this process's leader epoch begins at an offset.
func (l *Log) noteEpoch(start int64) error {
	l.mu.Lock()
	epochs := append(epoch.List(nil), l.epochs...)
	epochs.Add(l.opt.LeaderEpoch, start)
	l.epochs = epochs
	l.mu.Unlock()
	return l.writeEpochs(epochs)
}

// writeEpochs replaces the leader epoch checkpoint. It is derived data: that it
// could not be written is logged, no more, if at least the old one could be
// removed. A missing one is made again, a stale one would be believed.
func (l *Log) writeEpochs(epochs epoch.List) error {
	err := segment.ReplaceFile(l.opt.FS, l.path(epochFile), epochs.Format())
	if err != nil {
		rerr := l.opt.FS.Remove(l.path(epochFile))
		if rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			return errors.Join(err, rerr)
		}
		l.opt.Logger.Warn("leader epoch checkpoint not written; it will be made again from the log", "err", err)
	}
	l.noteNames(1)
	return nil
}

func (l *Log) noteNames(n int64) {
	l.mu.Lock()
	l.names += n
	l.firm = l.names
	l.mu.Unlock()
}

// mustRoll says whether the batch belongs into a new segment: by size, by the
// reach of positions and relative offsets, by index size, or by age. As in Kafka
// the age is told by the timestamps of the records where they have one.
func (l *Log) mustRoll(size int64, h *batch.Header) bool {
	s := l.active()
	pos := l.next.Pos
	if pos == 0 {
		return false
	}
	c := l.config.Load()
	last := l.next.Offset + int64(h.LastOffsetDelta)
	switch {
	case pos+size > c.SegmentBytes, !s.Fits(l.group.bytes+size, last):
		return true
	case s.IndexBytes() >= c.IndexBytes:
		return true
	}
	return c.SegmentAge > 0 && l.age(s, h) > c.SegmentAge
}

func (l *Log) age(s *segment.Segment, h *batch.Header) time.Duration {
	if first := s.FirstTimestamp(); first >= 0 && h.MaxTimestamp >= 0 {
		const most = math.MaxInt64 / int64(time.Millisecond)
		return time.Duration(max(-most, min(most, h.MaxTimestamp-first))) * time.Millisecond
	}
	return l.opt.Now().Sub(s.Created())
}

// roll begins a new segment at the next offset. The old one is synced by the next
// Flush, and completed by the Seal behind it, for which no append waits.
func (l *Log) roll() error {
	s, err := segment.Create(l.opt.Dir, l.next.Offset, l.segmentOptions())
	if err != nil {
		return fmt.Errorf("roll: %w", err)
	}
	old := rolled{segment: l.active(), next: s.Base(), kafka: l.producers.KafkaSnapshot(), snapshot: l.producers.Snapshot()}
	l.next.Segment, l.next.Pos = s.Base(), 0
	l.mu.Lock()
	l.segments = append(l.segments[:len(l.segments):len(l.segments)], s)
	l.rolled = append(l.rolled, old)
	l.unsynced++
	l.end = l.next
	l.names++
	if s.Replaced() {
		l.firm = l.names
	}
	l.mu.Unlock()
	return nil
}
