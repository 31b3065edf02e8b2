package segment

import (
	"fmt"

	"sordini/index"
	"sordini/protocol/batch"
)

// MaxTimestamp returns the largest timestamp in the segment (ms since the epoch)
// and the last offset of the batch that carries it; index.NoTimestamp if the
// segment is empty.
func (s *Segment) MaxTimestamp() (timestamp, offset int64) {
	if a := s.active.Load(); a != nil {
		ts, rel := a.Max()
		return ts, s.base + int64(rel)
	}
	si := s.sealed.Load()
	return si.maxTime, s.base + int64(si.maxRel)
}

// IndexTime is the largest timestamp of a batch as the time index has it: one that
// compaction has emptied has none, whatever its header remembers.
func IndexTime(h *batch.Header) int64 {
	if h.Count == 0 {
		return index.NoTimestamp
	}
	return h.MaxTimestamp
}

// LargestTimestamp is MaxTimestamp for lookups, whose answer depends on it: of a
// segment that an earlier process sealed the time index is checked first.
func (s *Segment) LargestTimestamp() (timestamp, offset int64, err error) {
	if err := s.proveTimes(); err != nil {
		return 0, 0, err
	}
	timestamp, offset = s.MaxTimestamp()
	return timestamp, offset, nil
}

// SeekTime returns an offset such that every record of the segment before it is
// earlier than timestamp: where to start looking for the first record at or
// after timestamp.
func (s *Segment) SeekTime(timestamp int64) (int64, error) {
	if a := s.active.Load(); a != nil {
		if e, ok := a.FloorTime(timestamp); ok {
			return s.base + int64(e.Rel) + 1, nil
		}
		return s.base, nil
	}
	if err := s.proveTimes(); err != nil {
		return s.base, err
	}
	f, err := s.open(s.opt.FS, TimeIndexSuffix)
	if err != nil {
		return s.base, nil // the whole segment, then
	}
	defer f.Close()
	e, ok, err := index.FloorTime(f, s.sealed.Load().timeSize, timestamp)
	if err != nil || !ok {
		return s.base, nil
	}
	return s.base + int64(e.Rel) + 1, nil
}

// EachBatch calls f with the header of every batch that ends at offset or later
// and lies below limit, until f returns false. load reads the whole batch into
// memory; it may be called inside f only.
func (s *Segment) EachBatch(offset, limit int64, f func(h batch.Header, load func() ([]byte, error)) (bool, error)) error {
	limit = min(limit, s.size.Load())
	if limit <= 0 {
		return nil
	}
	h, err := s.opt.Handles.take(s)
	if err != nil {
		return err
	}
	defer s.opt.Handles.give(h)
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	pos, hd, err := s.locate(h, sc, offset, limit)
	for err == nil && hd.Length != 0 {
		load := func() ([]byte, error) {
			b := make([]byte, hd.Size())
			if n, err := h.file.ReadAt(b, pos); n < len(b) {
				return nil, fmt.Errorf("read %s at %d: %w", s.Path(), pos, err)
			}
			return b, nil
		}
		more, err := f(hd, load)
		if err != nil || !more {
			return err
		}
		pos, hd, err = s.walk(h, sc, pos+hd.Size(), hd.LastOffset()+1, limit)
	}
	return err
}

// ProvenMaxTimestamp is MaxTimestamp checked against the batches, for decisions
// that cannot be undone: the index file of a sealed segment has no checksum.
func (s *Segment) ProvenMaxTimestamp() (int64, error) {
	want, last := s.MaxTimestamp()
	proven := index.NoTimestamp
	limit := s.Size()
	err := s.EachBatch(last, limit, func(h batch.Header, _ func() ([]byte, error)) (bool, error) {
		if h.LastOffset() == last && h.MaxTimestamp == want {
			proven = want
		}
		return false, nil
	})
	if err != nil || proven == want {
		return proven, err
	}
	err = s.EachBatch(s.base, limit, func(h batch.Header, _ func() ([]byte, error)) (bool, error) {
		proven = max(proven, h.MaxTimestamp)
		return true, nil
	})
	return proven, err
}
