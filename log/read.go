package log

import (
	"errors"
	"fmt"
	"sort"

	"sordini/segment"
)

// view is what a read works on.
type view struct {
	segments []*segment.Segment
	start    int64
	end      Position
	missing  []Span
	ragged   int64 // below, segments may end before the next one begins
}

func (l *Log) readView() (view, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return view{l.segments, l.start, l.end, l.missing, l.gaps.ragged}, l.usableLocked()
}

// from returns the index of the segment that would hold an offset.
func (v view) from(offset int64) int {
	i := sort.Search(len(v.segments), func(i int) bool { return v.segments[i].Base() > offset })
	return max(0, i-1)
}

// limit is how far a segment may be read under a bound. One that was compacted since
// the bound was noted lies below the bound there is now, all of it.
func limit(s *segment.Segment, bound Position) int64 {
	switch {
	case s.Base() < bound.Segment, s.Base() == bound.Segment && s.Compacted():
		return s.Size()
	case s.Base() == bound.Segment:
		return bound.Pos
	}
	return 0
}

// Read returns the whole batches from the one that holds offset, up to maxBytes
// and never behind bound. If the first batch alone is larger it is returned when
// whole is set. The range is empty where there is nothing to read; it must be
// released.
func (l *Log) Read(offset, maxBytes int64, bound Position, whole bool) (segment.Range, error) {
	for {
		v, err := l.readView()
		if err != nil {
			return segment.Range{}, err
		}
		if offset < v.start || offset > v.end.Offset {
			return segment.Range{}, ErrOffsetOutOfRange
		}
		if offset >= bound.Offset || maxBytes <= 0 && !whole {
			return segment.Range{}, nil
		}
		if err := l.lost(v, offset); err != nil {
			return segment.Range{}, err
		}
		r, err := v.read(offset, maxBytes, bound, whole)
		if !gone(err) {
			return r, err
		}
		// A segment was deleted under us: look again.
	}
}

func (v view) read(offset, maxBytes int64, bound Position, whole bool) (segment.Range, error) {
	from := v.from(offset)
	for i, s := range v.segments[from:] {
		if s.Base() > bound.Segment {
			break
		}
		if i > 0 && offset < s.Base() && s.Base() > v.ragged {
			return segment.Range{}, &segment.CorruptError{
				File: v.segments[from+i-1].Path(), Pos: v.segments[from+i-1].Size(), Offset: offset,
				Reason: fmt.Sprintf("the file ends before offset %d, where the next one begins", s.Base()),
			}
		}
		r, found, err := s.Read(offset, maxBytes, limit(s, bound), whole)
		if err != nil || found {
			return r, err
		}
	}
	return segment.Range{}, nil
}

// gone says whether err means that a segment was deleted during the read.
func gone(err error) bool { return errors.Is(err, segment.ErrClosed) }

// lost is the error for an offset whose data was lost.
func (l *Log) lost(v view, offset int64) error {
	for _, m := range v.missing {
		if offset >= m.From && offset < m.To {
			return &segment.CorruptError{File: l.opt.Dir, Pos: -1, Offset: m.From, Reason: "the data was durable once and is gone"}
		}
	}
	return nil
}
