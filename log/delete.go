package log

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"sordini/log/producer"
	"sordini/segment"
)

// Retain raises the log start past segments that retention no longer keeps,
// never past the high watermark, and returns it. The segments leave the log at
// once; their files stay until Purge, which the caller calls after the new start
// is durable, so that an interrupted deletion can't leave a hole.
func (l *Log) Retain(high int64) (start int64, changed bool, err error) {
	c := l.config.Load()
	if !c.Delete {
		return 0, false, nil
	}
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if err := l.State().Failure; err != nil {
		return 0, false, err
	}
	if err := l.rollExpired(c, high); err != nil {
		return 0, false, l.fail(err)
	}
	segments := l.view()
	n := l.deletable(segments, c, high)
	if n == 0 {
		return 0, false, nil
	}
	if err := l.sealRolled(); err != nil {
		return 0, false, err
	}
	return segments[n].Base(), true, l.raiseStart(segments[n].Base(), high)
}

// sealRolled makes sure that the producer state at the end of every complete
// segment is on disk: once the start is raised past the segment, its batches can't
// be replayed any more. The caller holds flushMu and appendMu.
func (l *Log) sealRolled() error {
	if !l.Rolled() {
		return nil
	}
	if _, err := l.flushLocked(); err != nil {
		return err
	}
	return l.Seal()
}

// rollExpired closes the active segment if time has passed over all of it, so
// that it can be deleted.
func (l *Log) rollExpired(c *Config, high int64) error {
	active := l.active()
	if l.State().End.Offset <= high && active.Size() > 0 && l.expired(active, c) {
		return l.roll()
	}
	return nil
}

func (l *Log) expired(s *segment.Segment, c *Config) bool {
	old := func(timestamp int64) bool {
		return timestamp >= 0 && l.opt.Now().Sub(time.UnixMilli(timestamp)) > c.Retention
	}
	largest, _ := s.MaxTimestamp()
	if c.Retention < 0 || largest >= 0 && !old(largest) {
		return false
	}
	proven, err := s.ProvenMaxTimestamp() // also of batches without records, which have a time of their own
	if gone(err) {
		return false // replaced by compaction at this moment
	}
	if err != nil {
		l.opt.Logger.Warn("segment kept: its largest timestamp cannot be read", "dir", l.opt.Dir, "base", s.Base(), "err", err)
		return false
	}
	return old(proven)
}

// deletable is how many segments from the oldest may go.
func (l *Log) deletable(segments []*segment.Segment, c *Config, high int64) int {
	var excess int64 = -1
	if c.RetainBytes >= 0 {
		excess = -c.RetainBytes
		for _, s := range segments {
			excess += s.Size()
		}
	}
	n := 0
	for ; n+1 < len(segments) && segments[n+1].Base() <= high; n++ {
		s := segments[n]
		bySize := c.RetainBytes >= 0 && excess-s.Size() >= 0
		if !bySize && !l.expired(s, c) {
			break
		}
		excess -= s.Size()
	}
	return n
}

// DeleteBefore raises the log start to offset (DeleteRecords). An offset above
// high, the high watermark, is out of range; one below the start changes nothing.
// Purge must follow once the new start is durable.
func (l *Log) DeleteBefore(offset, high int64) (start int64, err error) {
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if err := l.sealRolled(); err != nil {
		return 0, err
	}
	if err := l.raiseStart(offset, high); err != nil {
		return 0, err
	}
	return l.State().Start, nil
}

func (l *Log) raiseStart(offset, high int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return err
	}
	if offset > high || offset > l.end.Offset {
		return ErrOffsetOutOfRange
	}
	if offset <= l.start {
		return nil
	}
	l.start = offset
	n := 0
	for n+1 < len(l.segments) && l.segments[n+1].Base() <= offset {
		n++
	}
	l.doomed = append(l.doomed, l.segments[:n]...)
	l.segments = l.segments[n:len(l.segments):len(l.segments)]
	l.epochs = append(l.epochs[:0:0], l.epochs...)
	l.epochs.StartAt(offset)
	return nil
}

// Doomed says whether segments have left the log whose files wait for Purge.
func (l *Log) Doomed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.doomed) > 0
}

// Purge removes the files of the segments that left the log. Reads that hold a
// range of them are not disturbed.
func (l *Log) Purge() error {
	l.swapMu.Lock()
	defer l.swapMu.Unlock()
	if err := l.settle(); err != nil {
		return err
	}
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	l.mu.Lock()
	doomed := l.doomed
	l.mu.Unlock()
	if len(doomed) == 0 {
		return nil
	}
	for _, s := range doomed {
		if err := l.removeSegment(s); err != nil {
			return err
		}
	}
	if err := l.opt.FS.SyncDir(l.opt.Dir); err != nil {
		return l.fail(fmt.Errorf("sync directory %s: %w", l.opt.Dir, err))
	}
	l.mu.Lock()
	l.doomed = l.doomed[len(doomed):]
	l.mu.Unlock()
	return nil
}

func (l *Log) removeSegment(s *segment.Segment) error {
	if err := s.Remove(); err != nil {
		return err
	}
	for _, suffix := range []string{kafkaSnapshot, producersSuffix} {
		err := l.opt.FS.Remove(l.path(segment.FileName(s.Base(), suffix)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove snapshot: %w", err)
		}
	}
	return nil
}

// Remove closes the log and removes all its files and its directory; the removal
// is durable after a SyncDir of the parent. Reads in flight are not disturbed.
func (l *Log) Remove() error {
	if err := l.Abandon(); err != nil {
		l.opt.Logger.Warn("closing a deleted log", "dir", l.opt.Dir, "err", err)
	}
	return RemoveDir(l.opt, l.opt.Dir)
}

// RemoveDir removes the directory of a log that is not open, with its files. The
// .log files go oldest first.
func RemoveDir(opt Options, dir string) error {
	entries, err := opt.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove log: %w", err)
	}
	l := &Log{opt: opt}
	l.opt.Dir = dir
	for _, e := range entries {
		if err := opt.FS.Remove(l.path(e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove log: %w", err)
		}
	}
	if err := opt.FS.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove log: %w", err)
	}
	return nil
}

// TruncateTo cuts the log so that End is at most offset: batches that end at or
// behind it go. It is durable when it returns. If it is interrupted the log is
// longer than asked for, and whole.
func (l *Log) TruncateTo(offset int64) error {
	defer l.stopCleaning()()
	l.swapMu.Lock()
	defer l.swapMu.Unlock()
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	st := l.State()
	if st.Failure != nil {
		return st.Failure
	}
	if offset >= st.End.Offset {
		return nil
	}
	if offset < st.Start {
		return ErrOffsetOutOfRange
	}
	if _, err := l.flushLocked(); err != nil {
		return err // what remains counts as flushed
	}
	if err := l.Seal(); err != nil {
		return err
	}
	err := l.settle()
	if err == nil {
		err = l.truncate(offset)
	}
	if err == nil {
		err = l.closeGaps()
	}
	if err != nil {
		return l.fail(err)
	}
	return nil
}

func (l *Log) truncate(offset int64) error {
	segments := l.view()
	keep := len(segments)
	for keep > 1 && segments[keep-1].Base() >= offset {
		keep--
	}
	last := segments[keep-1]
	l.mu.Lock()
	l.segments = segments[:keep:keep]
	l.end.Offset = min(l.end.Offset, offset) // readers see the rest go before it goes
	l.mu.Unlock()
	for i := len(segments) - 1; i >= keep; i-- {
		if err := l.removeSegment(segments[i]); err != nil {
			return err
		}
		if err := l.opt.FS.SyncDir(l.opt.Dir); err != nil {
			return err
		}
	}
	next, err := last.TruncateTo(offset)
	if err != nil {
		return err
	}
	return l.rebuild(Position{Offset: next, Segment: last.Base(), Pos: last.Size()})
}

// rebuild makes producer state, epochs and end again after a truncation.
func (l *Log) rebuild(end Position) error {
	entries, err := l.opt.FS.ReadDir(l.opt.Dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	l.producers = producer.NewState()
	o := &opener{l: l, segments: l.view()}
	if err := o.loadState(names, end.Offset); err != nil {
		return err
	}
	l.next = end
	o.rebuilt.TruncateTo(end.Offset)
	l.mu.Lock()
	o.rebuilt.StartAt(l.start)
	l.end, l.flushed = end, end
	l.epochs = o.rebuilt
	l.mu.Unlock()
	if err := l.writeEpochs(o.rebuilt); err != nil {
		return err
	}
	return l.opt.FS.SyncDir(l.opt.Dir)
}
