package log

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sordini/segment"
)

// swaps is what is left to do with the files of replaced segments.
type swaps struct {
	placed   *segment.Segment   // in use as *.swap; nil if none is
	replaced []*segment.Segment // by placed
	discards []*segment.Segment // that never took their place
}

// ErrReplaced: segments that were being compacted were deleted by retention
// meanwhile. Another try may do better.
var ErrReplaced = errors.New("segments were deleted during their compaction")

// swap lets a new segment take the place of those that it was made from.
func (l *Log) swap(placed *segment.Segment, replaced []*segment.Segment) error {
	l.swapMu.Lock()
	defer l.swapMu.Unlock()
	err := placed.Complete()
	if err == nil {
		if err := l.syncNames(); err != nil {
			return err
		}
		err = l.replace(placed, replaced)
	}
	if err != nil {
		l.swaps.discards = append(l.swaps.discards, placed)
		return errors.Join(err, l.settle())
	}
	l.swaps.placed, l.swaps.replaced = placed, replaced
	for _, s := range replaced {
		if err := s.Close(); err != nil {
			l.opt.Logger.Warn("closing a compacted segment", "dir", l.opt.Dir, "err", err)
		}
	}
	return l.settle()
}

// discard removes a new segment that is not complete.
func (l *Log) discard(s *segment.Segment) error {
	l.swapMu.Lock()
	defer l.swapMu.Unlock()
	l.swaps.discards = append(l.swaps.discards, s)
	return l.settle()
}

// replace changes the list of segments, from which on readers see the new one.
func (l *Log) replace(placed *segment.Segment, replaced []*segment.Segment) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return err
	}
	at := slices.Index(l.segments, replaced[0])
	if at < 0 || len(l.segments)-at <= len(replaced) || !slices.Equal(l.segments[at:at+len(replaced)], replaced) {
		return ErrReplaced
	}
	l.segments = slices.Concat(l.segments[:at], []*segment.Segment{placed}, l.segments[at+len(replaced):])
	return nil
}

// settle brings the files in order after swap. It may be called again after an
// error, and must have succeeded before closed segments are changed in any other
// way. The caller holds swapMu.
func (l *Log) settle() error {
	w := &l.swaps
	for len(w.discards) > 0 {
		if err := w.discards[0].Discard(); err != nil {
			return err
		}
		w.discards = w.discards[1:]
	}
	if w.placed == nil {
		return nil
	}
	for _, s := range w.replaced[1:] {
		if err := l.removeSegment(s); err != nil {
			return err
		}
	}
	if err := w.replaced[0].RemoveKeys(); err != nil {
		return err
	}
	if err := w.placed.PlaceDerived(); err != nil {
		return err
	}
	if err := l.syncNames(); err != nil {
		return err
	}
	if err := w.placed.PlaceLog(); err != nil {
		return err
	}
	if err := l.syncNames(); err != nil {
		return err
	}
	w.placed, w.replaced = nil, nil
	return nil
}

// finishSwaps does what settle was kept from in an earlier process. What was not
// complete is removed. The indexes are made anew by who opens the segment.
func (o *opener) finishSwaps() error {
	entries, err := o.l.opt.FS.ReadDir(o.l.opt.Dir)
	if err != nil {
		return err
	}
	var swaps []int64
	bases := make(map[int64]bool)
	for _, e := range entries {
		if base, ok := segment.ParseFileName(e.Name(), segment.LogSuffix); ok {
			bases[base] = true
		}
		if base, ok := segment.ParseFileName(e.Name(), segment.LogSuffix+segment.SwapSuffix); ok {
			swaps = append(swaps, base)
			continue
		}
		if strings.HasSuffix(e.Name(), segment.CleanedSuffix) || strings.HasSuffix(e.Name(), segment.SwapSuffix) {
			if err := o.l.opt.FS.Remove(o.l.path(e.Name())); err != nil {
				return err
			}
		}
	}
	for _, base := range swaps {
		if err := o.finishSwap(base, bases); err != nil {
			return fmt.Errorf("finish compaction of the segment at %d: %w", base, err)
		}
	}
	return nil
}

// finishSwap finishes one swap; bases are those of the segments that there are.
func (o *opener) finishSwap(base int64, bases map[int64]bool) error {
	l := o.l
	name := l.path(segment.FileName(base, segment.LogSuffix))
	if !bases[base] { // its sources have been replaced by another since
		l.opt.Logger.Warn("result of an old compaction set aside", "file", name+segment.SwapSuffix)
		return l.opt.FS.Rename(name+segment.SwapSuffix, name+segment.SwapSuffix+segment.TornSuffix)
	}
	end, err := segment.SwapEnd(l.opt.Dir, base, l.segmentOptions())
	if err != nil {
		return err // if it is damaged, nobody knows how many of its sources are left: a person decides
	}
	// The process before may have died before its sync, so that the name would not
	// survive a power cut yet.
	if err := l.opt.FS.SyncDir(l.opt.Dir); err != nil {
		return err
	}
	for other := range bases {
		if other > base && other < end {
			if err := o.remove(other); err != nil {
				return err
			}
		}
	}
	for _, suffix := range segment.Suffixes()[1:] {
		err := l.opt.FS.Remove(l.path(segment.FileName(base, suffix)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := l.opt.FS.SyncDir(l.opt.Dir); err != nil {
		return err
	}
	if err := l.opt.FS.Rename(name+segment.SwapSuffix, name); err != nil {
		return err
	}
	return l.opt.FS.SyncDir(l.opt.Dir)
}
