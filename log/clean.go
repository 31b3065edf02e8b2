package log

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"sordini/log/compact"
	"sordini/protocol/batch"
	"sordini/segment"
)

// Cleanable is what compaction could do with a log.
type Cleanable struct {
	Dirty int64 // first offset that no compaction has seen
	End   int64 // first offset that none may see yet

	CleanBytes int64 // in segments before Dirty
	DirtyBytes int64 // in segments from Dirty to End
	// Overdue is for how long the oldest dirty record has been older than
	// max.compaction.lag.ms (KIP-354); 0 if it is not.
	Overdue time.Duration
}

// Ratio is the share of the bytes before End that is dirty, 0 to 1.
func (c Cleanable) Ratio() float64 {
	if c.DirtyBytes == 0 {
		return 0
	}
	return float64(c.DirtyBytes) / float64(c.CleanBytes+c.DirtyBytes)
}

// Cleaned is the offset up to which compaction came: below it no key has two
// records, but for those of later compactions that were cut off.
func (l *Log) Cleaned() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cleaned
}

// Cleanable tells what there is to compact below stable, which is the high
// watermark or the last stable offset.
func (l *Log) Cleanable(stable int64) (Cleanable, error) {
	s, err := l.section(stable)
	return s.Cleanable, err
}

// section is the part of a log that can be compacted.
type section struct {
	Cleanable
	// segments are all before End; dirty is how many from the first come before
	// the one that holds Dirty.
	segments []*segment.Segment
	dirty    int
}

// end is the offset behind segment i.
func (s *section) end(i int) int64 {
	if i+1 < len(s.segments) {
		return s.segments[i+1].Base()
	}
	return s.End
}

// rewritten is the end of the last segment that a compaction up to end writes anew; end
// may lie inside of it.
func (s *section) rewritten(end int64) int64 {
	for i, g := range s.segments {
		if g.Base() < end {
			end = max(end, s.end(i))
		}
	}
	return end
}

// section chooses what can be compacted: closed and synced segments, all of whose
// records lie below stable and are older than min.compaction.lag.ms.
func (l *Log) section(stable int64) (s section, err error) {
	c, now := l.config.Load(), l.opt.Now()
	l.mu.Lock()
	if err := l.usableLocked(); err != nil {
		l.mu.Unlock()
		return s, err
	}
	segments, missing := l.segments, l.missing
	s.Dirty, s.End = max(l.cleaned, l.start), segments[len(segments)-1].Base()
	if len(l.rolled) > 0 {
		s.End = min(s.End, l.rolled[0].segment.Base())
	}
	l.mu.Unlock()
	for i, g := range segments {
		if i+1 == len(segments) || segments[i+1].Base() > min(stable, s.End) {
			s.End = min(s.End, g.Base())
			break
		}
		if end := segments[i+1].Base(); end > s.Dirty {
			if ts, _ := g.MaxTimestamp(); c.MinLag > 0 && ts > now.Add(-c.MinLag).UnixMilli() {
				s.End = g.Base()
				break
			}
			s.DirtyBytes += g.Size()
		} else {
			s.CleanBytes += g.Size()
			s.dirty++
		}
		s.segments = append(s.segments, g)
	}
	for _, m := range missing {
		if m.From < s.End {
			return s, &segment.CorruptError{File: l.opt.Dir, Pos: -1, Offset: m.From, Reason: "the data was durable once and is gone"}
		}
	}
	if c.MaxLag > 0 {
		s.Overdue, err = s.overdue(now.Add(-c.MaxLag).UnixMilli())
	}
	return s, err
}

// overdue is for how long the first batch of a dirty segment has been older than a
// time, in ms since 1970.
func (s *section) overdue(than int64) (time.Duration, error) {
	oldest := int64(math.MaxInt64)
	for _, g := range s.segments[s.dirty:] {
		err := g.EachBatch(g.Base(), g.Size(), func(h batch.Header, _ func() ([]byte, error)) (bool, error) {
			if h.MaxTimestamp > 0 {
				oldest = min(oldest, h.MaxTimestamp)
			}
			return false, nil
		})
		if err != nil {
			return 0, err
		}
	}
	return time.Duration(max(0, than-oldest)) * time.Millisecond, nil
}

// RollOverdue closes the active segment if its first batch is older than
// max.compaction.lag.ms, so that it can be compacted though nothing is appended any
// more. The caller flushes the log then.
func (l *Log) RollOverdue() (rolled bool, err error) {
	c := l.config.Load()
	if c.MaxLag <= 0 {
		return false, nil
	}
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	st := l.State()
	if st.Failure != nil {
		return false, st.Failure
	}
	first := l.active().FirstTimestamp()
	if st.End.Pos == 0 || first <= 0 || first >= l.opt.Now().Add(-c.MaxLag).UnixMilli() {
		return false, nil
	}
	if err := l.roll(); err != nil {
		return false, l.fail(err)
	}
	return true, nil
}

// CleanOptions are those of one compaction.
type CleanOptions struct {
	Stable   int64             // nothing at or behind it is touched
	Map      *compact.Map      // bounds the memory
	Throttle *compact.Throttle // nil for none
}

// CleanReport tells what a compaction did.
type CleanReport struct {
	compact.Stats
	From, To      int64 // the dirty offsets that it has seen
	Keys          int   // in the map
	MapMemory     int64 // bytes
	Before, After int   // segments
	BytesBefore   int64 // in them
	BytesAfter    int64
	Indexing      time.Duration // part of Took
	Took          time.Duration
}

// Clean compacts the log: of each key, only the last record below what
// CleanOptions and the configuration allow is kept; see package compact. It comes
// as far as the map does. Appends, reads, flushes and retention go on meanwhile.
//
// Truncation and Close end it; then, and if ctx is done, the error is
// context.Canceled or that of ctx, and what was not finished is as before. So it is
// after an error of the disk, and if a damaged batch is met, which is a
// *segment.CorruptError, or segments were deleted meanwhile (ErrReplaced).
func (l *Log) Clean(ctx context.Context, o CleanOptions) (CleanReport, error) {
	l.cleanMu.Lock()
	defer l.cleanMu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := l.beginCleaning(cancel); err != nil {
		return CleanReport{}, err
	}
	defer l.endCleaning()
	c := cleaning{l: l, ctx: ctx}
	began := time.Now()
	err := c.run(o)
	if gone(err) && ctx.Err() == nil {
		err = ErrReplaced
	}
	c.report.Took = time.Since(began)
	c.report.Stats = c.pass.Stats
	return c.report, err
}

func (l *Log) beginCleaning(cancel context.CancelFunc) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.halts > 0 {
		return context.Canceled
	}
	if err := l.usableLocked(); err != nil {
		return err
	}
	l.halt = cancel
	return nil
}

func (l *Log) endCleaning() {
	l.mu.Lock()
	l.halt = nil
	l.mu.Unlock()
}

// stopCleaning ends the compaction that runs, if one does, waits for its end, and
// keeps others away until resume is called.
func (l *Log) stopCleaning() (resume func()) {
	l.mu.Lock()
	l.halts++
	if l.halt != nil {
		l.halt()
	}
	l.mu.Unlock()
	l.cleanMu.Lock()
	return func() {
		l.mu.Lock()
		l.halts--
		l.mu.Unlock()
		l.cleanMu.Unlock()
	}
}

// cleaning is one Clean.
type cleaning struct {
	l       *Log
	ctx     context.Context
	section section
	pass    compact.Pass
	report  CleanReport
}

func (c *cleaning) run(o CleanOptions) error {
	l := c.l
	if err := l.settleBefore(); err != nil {
		return err
	}
	var err error
	if c.section, err = l.section(o.Stable); err != nil {
		return err
	}
	s := &c.section
	c.report.From, c.report.To = s.Dirty, s.Dirty
	c.report.Before, c.report.BytesBefore = len(s.segments), s.CleanBytes+s.DirtyBytes
	c.report.After, c.report.BytesAfter = c.report.Before, c.report.BytesBefore
	if s.dirty == len(s.segments) {
		return nil
	}
	now := l.opt.Now()
	c.pass = compact.Pass{
		Map: o.Map, Throttle: o.Throttle,
		Now: now.UnixMilli(), Horizon: now.Add(l.config.Load().DeleteRetention).UnixMilli(),
	}
	began := time.Now()
	end, err := c.pass.Index(c.ctx, s.segments[s.dirty:], s.Dirty, s.End)
	c.report.Indexing = time.Since(began)
	c.report.Keys, c.report.MapMemory = o.Map.Len(), o.Map.Bytes()
	if err != nil {
		return err
	}
	if err := l.allowGaps(s.rewritten(end)); err != nil {
		return err
	}
	if err := c.copy(end); err != nil {
		return err
	}
	l.mu.Lock()
	l.cleaned = end
	l.mu.Unlock()
	c.report.To = end
	return nil
}

// settleBefore finishes what a compaction before had to leave.
func (l *Log) settleBefore() error {
	l.swapMu.Lock()
	defer l.swapMu.Unlock()
	return l.settle()
}

// lastOffsets says which batch of each producer compaction has to leave.
func (l *Log) lastOffsets() map[int64]int64 {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	return l.producers.LastOffsets(l.State().Flushed.Offset)
}

// copy copies all segments with an offset below end.
func (c *cleaning) copy(end int64) error {
	c.pass.Last = c.l.lastOffsets()
	for i := 0; i < len(c.section.segments) && c.section.segments[i].Base() < end; {
		n, err := c.group(i, end)
		if err != nil {
			return err
		}
		i += n
	}
	return nil
}

// groupFactor bounds how much is read for one new segment, in sizes of a segment:
// what was read is lost if the compaction is cut off.
const groupFactor = 8

// group makes one new segment from segment i and those behind it, as many as fit,
// and puts it in their place. It returns how many they are.
func (c *cleaning) group(i int, end int64) (n int, err error) {
	l, s := c.l, &c.section
	opt := l.segmentOptions()
	opt.Preallocate = 0
	dst, err := segment.CreateCleaned(l.opt.Dir, s.segments[i].Base(), opt)
	if err != nil {
		return 0, err
	}
	out := c.pass.CopyTo(dst)
	read := int64(0)
	for err == nil && (n == 0 || c.joins(out, dst, i+n, end, read)) {
		err = out.Segment(c.ctx, s.segments[i+n])
		read += s.segments[i+n].Size()
		n++
	}
	if err == nil {
		err = out.Finish(c.ctx)
	}
	if err == nil && c.ctx.Err() != nil {
		err = c.ctx.Err()
	}
	sources := s.segments[i : i+n]
	if err != nil {
		return n, errors.Join(err, l.discard(dst))
	}
	if n == 1 && !out.Changed() {
		return n, l.discard(dst)
	}
	if err := l.swap(dst, sources); err != nil {
		return n, fmt.Errorf("compaction of %d segments from %s: %w", n, sources[0].Path(), err)
	}
	c.report.After -= n - 1
	c.report.BytesAfter += dst.Size() - read
	return n, nil
}

// joins says whether segment i, of which there is one, can go into the same new
// segment as those before it.
func (c *cleaning) joins(out *compact.Copy, dst *segment.Segment, i int, end, read int64) bool {
	s, limits := &c.section, c.l.config.Load()
	if i == len(s.segments) || s.segments[i].Base() >= end {
		return false
	}
	src := s.segments[i]
	return out.Size()+src.Size() <= limits.SegmentBytes &&
		dst.IndexBytes()+src.IndexSize() <= limits.IndexBytes &&
		s.end(i)-1-dst.Base() <= math.MaxInt32 &&
		read+src.Size() <= groupFactor*limits.SegmentBytes
}
