package segment

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"sordini/index"
	"sordini/protocol/batch"
)

// Lookup is what a key index says of a key.
type Lookup struct {
	// Known is false if the segment has no key index: it has to be scanned.
	Known bool
	// Bloomed says that a bloom filter was asked, Passed that it let the key pass.
	Bloomed, Passed bool
	// Positions are where batches start that have records with the key's hash, which
	// may be other keys, in order.
	Positions []uint32
}

// FindKey asks the key index for up to most batches that start below limit, the
// newest or the oldest from the position from on.
func (s *Segment) FindKey(key []byte, from, limit int64, most int, newest bool) (Lookup, error) {
	hash := s.keyHash(key)
	if s.removed.Load() {
		return Lookup{}, ErrClosed
	}
	s.lockKeys()
	disk := s.loadKeys()
	if disk == nil {
		defer s.unlockKeys()
		return s.findInMemory(hash, from, limit, most, newest)
	}
	s.unlockKeys()
	l, err := s.findOnDisk(disk, hash, from, limit, most, newest)
	if err == nil || errors.Is(err, ErrClosed) {
		return l, err
	}
	s.ForgetKeys() // it is made again, from the .log file
	return Lookup{}, nil
}

// findInMemory finds a hash in the key index in memory. What is missing is read first,
// but not a whole segment that was sealed before: that is left to IndexKeys.
func (s *Segment) findInMemory(hash uint64, from, limit int64, most int, newest bool) (Lookup, error) {
	view := s.keys.growing.view()
	if s.keysMissing(limit) {
		if s.Sealed() && view.Len() == 0 {
			return Lookup{}, nil
		}
		_, err := s.indexKeys(math.MaxInt64, limit, false)
		if errors.Is(err, ErrClosed) {
			return Lookup{}, err
		}
		if err != nil || s.keysMissing(limit) {
			return Lookup{}, nil
		}
	}
	view = s.keys.growing.view()
	l := Lookup{Known: true, Positions: s.keys.table.Find(s.opt.Handles.keyMemory, view, nil, hash)}
	l.Positions = slices.DeleteFunc(l.Positions, func(pos uint32) bool { return int64(pos) < from || int64(pos) >= limit })
	slices.Sort(l.Positions)
	l.Positions = slices.Compact(l.Positions)
	if n := len(l.Positions); newest {
		l.Positions = l.Positions[max(0, n-most):]
	} else {
		l.Positions = l.Positions[:min(n, most)]
	}
	return l, nil
}

func (s *Segment) findOnDisk(disk *index.Keys, hash uint64, from, limit int64, most int, newest bool) (Lookup, error) {
	bloom := s.opt.Handles.blooms.get(s)
	if bloom == nil {
		var err error
		if bloom, err = s.readBloom(); err != nil {
			return Lookup{}, err
		}
		if bloom.Source != disk.Source {
			return Lookup{}, index.ErrKeys
		}
		s.opt.Handles.blooms.put(s, bloom)
	}
	l := Lookup{Known: true, Bloomed: true, Passed: bloom.Has(hash)}
	if !l.Passed || from >= limit {
		return l, nil
	}
	f, err := s.open(s.opt.FS, KeyIndexSuffix)
	if err != nil {
		return Lookup{}, err
	}
	defer f.Close()
	l.Positions, err = positions(disk, f, hash, uint32(from), uint32(min(limit, math.MaxUint32)), most, newest)
	return l, err
}

// positions are those of a hash in [from, limit).
func positions(disk *index.Keys, f io.ReaderAt, hash uint64, from, limit uint32, most int, newest bool) ([]uint32, error) {
	page := new(index.KeyPage)
	bound, step := from, 1
	if newest {
		bound, step = limit, -1
	}
	slot, err := disk.Search(f, page, index.KeyEntry{Hash: hash, Pos: bound})
	if err != nil {
		return nil, err
	}
	if newest {
		slot--
	}
	var out []uint32
	for ; slot >= 0 && slot < disk.Len() && len(out) < most; slot += step {
		e, err := disk.At(f, page, slot)
		if err != nil {
			return nil, err
		}
		if e.Hash != hash || e.Pos < from || e.Pos >= limit {
			break
		}
		out = append(out, e.Pos)
	}
	if newest {
		slices.Reverse(out)
	}
	return out, nil
}

// BatchAt appends the batch that starts at pos to dst, checked. A *CorruptError says
// that there is none, which may be the fault of who said so.
func (s *Segment) BatchAt(dst []byte, pos, limit int64) ([]byte, batch.Header, error) {
	h, err := s.opt.Handles.take(s)
	if err != nil {
		return dst, batch.Header{}, err
	}
	defer s.opt.Handles.give(h)
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	hd, err := s.readVerified(h, sc, pos)
	if err == nil {
		err = s.damagedAt(pos)
	}
	if err != nil {
		return dst, hd, err
	}
	if reason := s.plausible(&hd, pos, s.base, min(limit, s.size.Load())); reason != "" {
		return dst, hd, &CorruptError{File: s.Path(), Pos: pos, Offset: -1, Reason: reason}
	}
	from := len(dst)
	dst = slices.Grow(dst, int(hd.Size()))[:from+int(hd.Size())]
	if n, err := h.file.ReadAt(dst[from:], pos); n < len(dst)-from {
		return dst[:from], hd, fmt.Errorf("read %s at %d: %w", s.Path(), pos, err)
	}
	if err := batch.CheckCRC(dst[from:], hd); err != nil {
		return dst[:from], hd, &CorruptError{File: s.Path(), Pos: pos, Offset: hd.BaseOffset, Reason: err.Error()}
	}
	return dst, hd, nil
}
