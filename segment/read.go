package segment

import (
	"fmt"
	"io"
	"os"
	"sync"

	"sordini/index"
	"sordini/protocol/batch"
)

// Range is a run of whole batches in a .log file, ready to be sent. It owns a
// file handle until Release.
type Range struct {
	handle *idleHandle
	pos    int64
	size   int64
	// First is the base offset of the first batch.
	First int64
}

// Len is the size in bytes; the zero Range has none.
func (r *Range) Len() int64 { return r.size }

// Pos is the position of the first byte in the file.
func (r *Range) Pos() int64 { return r.pos }

// Segment is the base offset of the segment that the range lies in.
func (r *Range) Segment() int64 {
	if r.handle == nil {
		return -1
	}
	return r.handle.segment.base
}

// OS is the file to sendfile from, which the holder of the range may seek; nil
// for a file that is not the operating system's.
func (r *Range) OS() *os.File {
	if r.handle == nil {
		return nil
	}
	return r.handle.file.OS()
}

// ReadAt reads from the range; pos 0 is its first byte.
func (r *Range) ReadAt(p []byte, pos int64) (int, error) {
	if pos < 0 || pos >= r.size {
		return 0, io.EOF
	}
	if rest := r.size - pos; int64(len(p)) > rest {
		n, err := r.handle.file.ReadAt(p[:rest], r.pos+pos)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	return r.handle.file.ReadAt(p, r.pos+pos)
}

// Release gives the handle back. The range is empty afterwards.
func (r *Range) Release() {
	if r.handle != nil {
		r.handle.segment.opt.Handles.give(r.handle)
	}
	*r = Range{}
}

// chunkSize is how much one step of a walk over headers reads.
const chunkSize = 4 << 10

// scratch is what a read needs for a moment.
type scratch struct {
	chunk  [chunkSize]byte
	header [batch.HeaderSize]byte
	block  index.Block
	// headers is the chunk of a walk that verifies, which may run inside another.
	headers [chunkSize]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Read returns the batches from the one that holds offset (or the next one after
// it, where compaction left a gap) up to maxBytes, never reaching behind limit,
// which is a position between batches. If the first batch is larger than
// maxBytes it is returned alone when whole is set, and nothing otherwise. found
// says whether the segment has a batch below limit that holds offset or a later
// one; the Range is empty if it has none or if that one was too large.
func (s *Segment) Read(offset, maxBytes, limit int64, whole bool) (r Range, found bool, err error) {
	limit = min(limit, s.size.Load())
	if limit <= 0 {
		return Range{}, false, nil
	}
	h, err := s.opt.Handles.take(s)
	if err != nil {
		return Range{}, false, err
	}
	sc := scratches.Get().(*scratch)
	r, found, err = s.readWith(h, sc, request{offset, maxBytes, limit, whole})
	scratches.Put(sc)
	if err != nil || r.size == 0 {
		s.opt.Handles.give(h)
		return Range{}, found, err
	}
	r.handle = h
	return r, true, nil
}

type request struct {
	offset, maxBytes, limit int64
	whole                   bool
}

func (s *Segment) readWith(h *idleHandle, sc *scratch, q request) (Range, bool, error) {
	pos, first, err := s.locate(h, sc, q.offset, q.limit)
	if err != nil || first.Length == 0 {
		return Range{}, false, err
	}
	// All that cut may look at, which is one byte more than may be returned.
	if err := s.verify(h, sc, pos, pos+1+min(q.limit-pos-1, max(0, q.maxBytes))); err != nil {
		return Range{}, false, err
	}
	end := s.cut(h, sc, pos, first, q)
	return Range{pos: pos, size: end - pos, First: first.BaseOffset}, true, nil
}

// locate finds the first batch below limit whose last offset is at least offset.
// A zero header means that there is none.
func (s *Segment) locate(h *idleHandle, sc *scratch, offset, limit int64) (int64, batch.Header, error) {
	var start int64
	if offset > s.base {
		floor, ceil, hasFloor, hasCeil, err := s.find(h, sc, uint32(min(offset-s.base, 1<<32-1)))
		if err != nil {
			return 0, batch.Header{}, err
		}
		if hasCeil && int64(ceil.Pos) < limit {
			hd, err := s.readVerified(h, sc, int64(ceil.Pos))
			if err == nil && s.leadsTo(&hd, ceil, limit) && hd.BaseOffset <= offset {
				return int64(ceil.Pos), hd, s.damagedAt(int64(ceil.Pos))
			}
		}
		if hasFloor && int64(floor.Pos) < limit {
			hd, err := s.readVerified(h, sc, int64(floor.Pos))
			if err == nil && s.leadsTo(&hd, floor, limit) {
				start = int64(floor.Pos)
			}
		}
	}
	return s.walk(h, sc, start, offset, limit)
}

// leadsTo says whether h is the header that an index entry promises.
func (s *Segment) leadsTo(h *batch.Header, e index.OffsetEntry, limit int64) bool {
	return h.LastOffset() == s.base+int64(e.Rel) && s.plausible(h, int64(e.Pos), s.base, limit) == ""
}

// find asks whichever index there is.
func (s *Segment) find(h *idleHandle, sc *scratch, rel uint32) (floor, ceil index.OffsetEntry, hasFloor, hasCeil bool, err error) {
	sc.block.Reset()
	if a := s.active.Load(); a != nil {
		floor, ceil, hasFloor, hasCeil = a.Find(rel)
		return floor, ceil, hasFloor, hasCeil, nil
	}
	f, err := h.openIndex()
	if err != nil {
		return floor, ceil, false, false, nil // a missing index costs a scan, no more
	}
	floor, ceil, hasFloor, hasCeil, err = s.sealed.Load().offsets.Find(f, &sc.block, rel)
	if err != nil {
		return floor, ceil, false, false, nil
	}
	return floor, ceil, hasFloor, hasCeil, nil
}

// walk goes over the batches from start to the first that ends at offset or
// later.
func (s *Segment) walk(h *idleHandle, sc *scratch, start, offset, limit int64) (int64, batch.Header, error) {
	next := s.base
	for pos := start; pos < limit; {
		n, err := h.file.ReadAt(sc.chunk[:min(chunkSize, limit-pos)], pos)
		if err != nil && err != io.EOF || n < batch.HeaderSize {
			return 0, batch.Header{}, s.readError(pos, next, err)
		}
		for at := 0; at+batch.HeaderSize <= n; {
			if err := s.verify(h, sc, pos, pos+1); err != nil {
				return 0, batch.Header{}, err
			}
			if d, ok := s.damageAt(pos); ok {
				if offset < d.NextOffset {
					return 0, batch.Header{}, d.err(s)
				}
				pos, next = d.EndPos, d.NextOffset
				break
			}
			hd, err := batch.ParseHeader(sc.chunk[at:n])
			reason := ""
			if err != nil {
				reason = err.Error()
			} else {
				reason = s.plausible(&hd, pos, next, limit)
			}
			if reason != "" {
				return 0, batch.Header{}, &CorruptError{File: s.Path(), Pos: pos, Offset: next, Reason: reason}
			}
			if hd.LastOffset() >= offset {
				return pos, hd, nil
			}
			next = hd.LastOffset() + 1
			pos += hd.Size()
			at += int(hd.Size())
			if hd.Size() > chunkSize {
				break
			}
		}
	}
	return 0, batch.Header{}, nil
}

func (s *Segment) readError(pos, offset int64, err error) error {
	if err != nil && err != io.EOF {
		return fmt.Errorf("read %s at %d: %w", s.Path(), pos, err)
	}
	return &CorruptError{File: s.Path(), Pos: pos, Offset: offset, Reason: "the file ends inside a batch header"}
}

func (s *Segment) readHeader(h *idleHandle, sc *scratch, pos int64) (batch.Header, error) {
	b := &sc.header
	if n, err := h.file.ReadAt(b[:], pos); n < len(b) {
		return batch.Header{}, s.readError(pos, -1, err)
	}
	return batch.ParseHeader(b[:])
}

// readVerified is readHeader of a batch that may not have been verified yet.
func (s *Segment) readVerified(h *idleHandle, sc *scratch, pos int64) (batch.Header, error) {
	if err := s.verify(h, sc, pos, pos+1); err != nil {
		return batch.Header{}, err
	}
	return s.readHeader(h, sc, pos)
}

// cut returns the position behind the last whole batch that fits.
func (s *Segment) cut(h *idleHandle, sc *scratch, pos int64, first batch.Header, q request) int64 {
	end := pos + first.Size()
	limit := s.damageAfter(pos, q.limit)
	if first.Size() > q.maxBytes {
		if q.whole {
			return end
		}
		return pos
	}
	if q.maxBytes >= limit-pos {
		return limit
	}
	if e, ok := s.floorPos(h, sc, pos+q.maxBytes, limit); ok && e > end {
		return e
	}
	for end < limit && end+batch.HeaderSize <= pos+q.maxBytes {
		hd, err := s.readHeader(h, sc, end)
		if err != nil || end+hd.Size() > pos+q.maxBytes || s.plausible(&hd, end, first.LastOffset()+1, limit) != "" {
			return end // what is behind end is for the next read to judge
		}
		end += hd.Size()
	}
	return end
}

// floorPos returns the position of the last indexed batch at or before pos. The
// entry is checked against the batch that it points to: it may come from disk.
func (s *Segment) floorPos(h *idleHandle, sc *scratch, pos, limit int64) (int64, bool) {
	if a := s.active.Load(); a != nil {
		e, ok := a.FloorPos(pos)
		if !ok {
			return 0, false
		}
		hd, err := s.readHeader(h, sc, int64(e.Pos))
		return int64(e.Pos), err == nil && s.leadsTo(&hd, e, limit)
	}
	f, err := h.openIndex()
	if err != nil {
		return 0, false
	}
	offsets := s.sealed.Load().offsets
	e, slot, ok, err := offsets.FloorPos(f, &sc.block, pos)
	if err != nil || !ok {
		return 0, false
	}
	hd, err := s.readHeader(h, sc, int64(e.Pos))
	if err != nil || !s.leadsTo(&hd, e, limit) {
		return 0, false
	}
	offsets.Remember(uint32(hd.BaseOffset-s.base), slot)
	return int64(e.Pos), true
}
