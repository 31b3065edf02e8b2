package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"sync/atomic"

	"sordini/index"
	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

// What an earlier process wrote is compared with its .check file, each block once
// in the life of this one, before the first byte of it is served and before any of
// its headers is believed. What this process wrote or recovered needs no such
// check: it has just been seen.
//
// Bytes [0, Segment.cold) need it. Segment.verifying is nil until the first read.

// coldStep is how much of what is to be compared is read ahead at most, in bytes.
const coldStep = 1 << 20

// verifying is how far the comparison has come.
type verifying struct {
	table *checkTable
	done  []atomic.Uint64 // a bit for each block that was compared
	left  int             // blocks still to do; guarded by Segment.verifyMu
}

func newVerifying(t *checkTable) *verifying {
	n := len(t.sums.blocks)
	return &verifying{table: t, done: make([]atomic.Uint64, (n+63)/64), left: n}
}

func (v *verifying) has(block int64) bool {
	if block >= int64(len(v.table.sums.blocks)) {
		return true // no batch starts there
	}
	return v.done[block/64].Load()&(1<<(block%64)) != 0
}

// verify makes sure that the batches which start in bytes [pos, end) were compared
// with their checksums. Those that differ are damage afterwards. The error is one
// of reading, never of what was read.
func (s *Segment) verify(h *idleHandle, sc *scratch, pos, end int64) error {
	end = min(end, s.cold.Load())
	if pos >= end {
		return nil
	}
	if v := s.verifying.Load(); v != nil {
		block := pos >> blockBits
		for block<<blockBits < end && v.has(block) {
			block++
		}
		if block<<blockBits >= end {
			return nil
		}
	}
	return s.verifyBlocks(h, sc, pos, end)
}

func (s *Segment) verifyBlocks(h *idleHandle, sc *scratch, pos, end int64) error {
	s.verifyMu.Lock()
	defer s.verifyMu.Unlock()
	if s.cold.Load() == 0 {
		return nil // done meanwhile
	}
	v := s.verifying.Load()
	if v == nil {
		t, err := s.readCheck(s.cold.Load())
		if err != nil {
			return s.remakeCheck(h, err)
		}
		s.addDamage(t.damage...)
		v = newVerifying(t)
		s.verifying.Store(v)
	}
	// The headers lie far apart, which looks like random access to the kernel: it would
	// read a page for each, and the batches later. Half of this is for the next reader
	// that comes behind.
	vfs.ReadAhead(h.file, pos, 2*min(max(end-pos, blockSize), coldStep))
	for block := pos >> blockBits; block<<blockBits < end; block++ {
		if v.has(block) {
			continue
		}
		d, ok, err := s.compareBlock(h.file, sc, v.table, block)
		if err != nil {
			return err
		}
		if !ok {
			s.addDamage(d)
		}
		v.done[block/64].Or(1 << (block % 64))
		v.left--
	}
	if v.left == 0 {
		s.verified()
	}
	return nil
}

// verified notes that nothing is left to compare.
func (s *Segment) verified() {
	s.cold.Store(0)
	s.verifying.Store(nil)
}

// compareBlock compares one block by walking over its headers. If they differ it
// returns the block as damage.
func (s *Segment) compareBlock(r io.ReaderAt, sc *scratch, t *checkTable, block int64) (d Damage, ok bool, err error) {
	e := t.sums.blocks[block]
	end, next := t.size, s.base+int64(t.sums.next)
	if block+1 < int64(len(t.sums.blocks)) {
		behind := t.sums.blocks[block+1]
		end, next = int64(behind.pos), s.base+int64(behind.rel)
	}
	if int64(e.pos) >= (block+1)<<blockBits {
		return d, true, nil // no batch starts in it
	}
	sum, ok, err := s.sumHeaders(r, sc, int64(e.pos), end)
	if err != nil {
		return d, false, fmt.Errorf("read %s: %w", s.Path(), err)
	}
	if ok && sum == e.crc {
		return d, true, nil
	}
	return Damage{
		Pos: int64(e.pos), EndPos: end, Offset: s.base + int64(e.rel), NextOffset: next,
		Reason: fmt.Sprintf("batch headers in bytes %d to %d are not those that were written", e.pos, end),
	}, false, nil
}

// sumHeaders is the checksum over the headers of the batches in bytes [pos, end);
// ok is false if no run of batches fills them.
func (s *Segment) sumHeaders(r io.ReaderAt, sc *scratch, pos, end int64) (sum uint32, ok bool, err error) {
	want := int64(len(sc.headers))
	for pos < end {
		if d, is := s.damageAt(pos); is {
			pos = d.EndPos
			continue
		}
		b := sc.headers[:min(want, end-pos)]
		n, err := r.ReadAt(b, pos)
		if err != nil && err != io.EOF {
			return 0, false, err
		}
		for b = b[:n]; len(b) >= batch.HeaderSize; {
			size := int64(int32(binary.BigEndian.Uint32(b[lengthPos:]))) + batch.LengthPrefix
			if size < batch.HeaderSize || size > end-pos {
				return 0, false, nil
			}
			sum = crc32.Update(sum, castagnoli, b[:batch.HeaderSize])
			pos += size
			b = b[min(size, int64(len(b))):]
			want = int64(len(sc.headers))
			if size >= want {
				want = batch.HeaderSize // the next header alone, or mostly nothing else would be read
			}
			if _, is := s.damageAt(pos); is {
				break
			}
		}
		if n < batch.HeaderSize {
			return 0, false, nil
		}
	}
	return sum, pos == end, nil
}

// remakeCheck makes the .check file anew from the batches, because of cause. Their
// own checksums and the order of offsets and epochs must hold; what they do not
// cover cannot be told from what was written.
func (s *Segment) remakeCheck(h *idleHandle, cause error) error {
	var path *fs.PathError
	if errors.As(cause, &path) && !errors.Is(cause, fs.ErrNotExist) {
		return cause // the disk fails
	}
	sc := newScanner(s, h.file, s.size.Load())
	var r Recovered
	s.sums.reset()
	for sc.pos < sc.limit {
		hd, err := sc.step()
		var bad errBad
		switch {
		case err == nil:
			s.sums.add(sc.pos, sc.head[:], s.base)
			sc.advance(hd)
		case !errors.As(err, &bad):
			return err
		default:
			if err := s.skipDamage(sc, &r, math.MaxInt64, bad.reason); err != nil {
				return err
			}
		}
	}
	s.verified()
	// That it could not be written costs the next process this scan again.
	if times, err := readFile(s.opt.FS, s.path(TimeIndexSuffix)); err == nil {
		_ = s.writeCheck(times)
	}
	return nil
}

// proveTimes compares the time index of a segment that an earlier process sealed
// with its checksum, once. If it differs it is not used any more, and the largest
// timestamp is found again by walking over the batches.
func (s *Segment) proveTimes() error {
	if s.active.Load() != nil || s.timesProven.Load() {
		return nil
	}
	s.timesMu.Lock()
	defer s.timesMu.Unlock()
	if s.timesProven.Load() {
		return nil
	}
	t, err := s.readCheck(s.size.Load())
	if err == nil {
		var b []byte
		b, err = readFile(s.opt.FS, s.path(TimeIndexSuffix))
		if err == nil && crc32.Checksum(b, castagnoli) == t.times {
			s.timesProven.Store(true)
			return nil
		}
	}
	si := *s.sealed.Load()
	si.timeSize, si.maxTime, si.maxRel = 0, index.NoTimestamp, 0
	err = s.EachBatch(s.base, s.size.Load(), func(h batch.Header, _ func() ([]byte, error)) (bool, error) {
		if ts := IndexTime(&h); ts > si.maxTime {
			si.maxTime, si.maxRel = ts, uint32(h.LastOffset()-s.base)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	s.sealed.Store(&si)
	s.timesProven.Store(true)
	return nil
}

// verifyAll compares whatever was not compared yet.
func (s *Segment) verifyAll() error {
	cold := s.cold.Load()
	if cold == 0 {
		return nil
	}
	h, err := s.opt.Handles.take(s)
	if err != nil {
		return err
	}
	defer s.opt.Handles.give(h)
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	return s.verify(h, sc, 0, cold)
}
