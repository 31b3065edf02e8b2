package segment

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"

	"sordini/index"
	"sordini/protocol/batch"
)

// epochPos is where a batch header has the leader epoch, and unsealed how many of its
// bytes lie outside of the batch's checksum: base offset, length, leader epoch, magic.
const (
	epochPos = 12
	unsealed = 17
)

// patch is those bytes, put right, of the batch at a position.
type patch struct {
	pos   int64
	bytes [unsealed]byte
}

// offset is the base offset that the patch gives the batch.
func (p *patch) offset() int64 { return int64(binary.BigEndian.Uint64(p.bytes[:])) }

// patched is a file as it would be with patches, which are in order.
type patched struct {
	io.ReaderAt
	patches []patch
}

func (p patched) ReadAt(b []byte, pos int64) (int, error) {
	n, err := p.ReaderAt.ReadAt(b, pos)
	first, _ := slices.BinarySearchFunc(p.patches, pos-unsealed+1, func(x patch, pos int64) int { return cmp.Compare(x.pos, pos) })
	for i := first; i < len(p.patches) && p.patches[i].pos < pos+int64(n); i++ {
		x := &p.patches[i]
		copy(b[max(x.pos-pos, 0):n], x.bytes[max(pos-x.pos, 0):])
	}
	return n, err
}

// with is the file with more patches.
func (p patched) with(more ...patch) patched {
	all := append(slices.Clone(p.patches), more...)
	slices.SortFunc(all, func(a, b patch) int { return cmp.Compare(a.pos, b.pos) })
	return patched{p.ReaderAt, all}
}

// place is where a good batch is, and what of its header others can prove.
type place struct {
	pos, end   int64
	base, next int64
	epoch      int32
}

// finder looks for damage in a .log file, and for what puts it right.
type finder struct {
	dir       string
	base      int64
	opt       RepairOptions
	size      int64
	following int64       // where the next segment begins; MaxInt64 for the last
	table     *checkTable // nil if there is none that is whole

	file patched // with the patches that were found
	// Of the last look: stretches without a good batch, those whose headers are not
	// what the .check file tells of, and the good batches in and beside both.
	bad, differ []Damage
	near        []place
}

// survey reads the file into a Segment that is good for nothing else: its indexes,
// header checksums and damage. known is damage that was found otherwise; what lies in
// it is not looked at. visit gets every good batch.
func (f *finder) survey(known []Damage, visit func(place)) (*Segment, Recovered, error) {
	s := newSegment(f.dir, f.base, f.opt.Options)
	s.active.Store(index.NewActive(f.opt.IndexInterval))
	s.addDamage(known...)
	sc := newScanner(s, f.file, f.size)
	r := Recovered{Next: s.base}
	for sc.pos < sc.limit {
		if d, ok := s.damageAt(sc.pos); ok {
			sc.pos, sc.next = d.EndPos, d.NextOffset
			r.Next = sc.next
			continue
		}
		h, err := sc.step()
		var bad errBad
		switch {
		case err == nil:
			visit(place{sc.pos, sc.pos + h.Size(), h.BaseOffset, h.LastOffset() + 1, h.LeaderEpoch})
			s.sums.add(sc.pos, sc.head[:], s.base)
			s.accept(sc, &r, h)
		case errors.As(err, &bad):
			err = s.skipDamage(sc, &r, f.following, bad.reason)
		}
		if err != nil && !errors.As(err, &bad) {
			return nil, r, err
		}
	}
	s.size.Store(sc.pos)
	return s, r, nil
}

// look surveys the file as it is with the patches so far.
func (f *finder) look() error {
	f.differ, f.near = nil, nil
	if f.table != nil {
		f.differ = slices.Clone(f.table.damage) // nothing is known of the headers in there
		for block := range int64(len(f.table.sums.blocks)) {
			if d, ok, err := f.compare(f.file, block); err != nil {
				return err
			} else if !ok {
				f.differ = append(f.differ, d)
			}
		}
	}
	var last place
	behind := false // the batch before is in a stretch that differs
	s, _, err := f.survey(nil, func(p place) {
		in := overlaps(f.differ, p.pos, p.end)
		if in || p.pos != last.end {
			f.keep(last)
		}
		if in || behind || p.pos != last.end {
			f.keep(p)
		}
		last, behind = p, in
	})
	if err != nil {
		return err
	}
	f.keep(last)
	f.bad = s.Damages()
	return nil
}

func (f *finder) keep(p place) {
	if p.end > 0 && (len(f.near) == 0 || f.near[len(f.near)-1].pos != p.pos) {
		f.near = append(f.near, p)
	}
}

// compare holds one block of the file against the .check file.
func (f *finder) compare(r io.ReaderAt, block int64) (Damage, bool, error) {
	s := newSegment(f.dir, f.base, f.opt.Options)
	s.addDamage(f.table.damage...)
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	return s.compareBlock(r, sc, f.table, block)
}

// sealed says that the .check file tells that the headers in a stretch are right.
func (f *finder) sealed(r io.ReaderAt, pos, end int64) (bool, error) {
	if f.table == nil || overlaps(f.table.damage, pos, end) {
		return false, nil
	}
	// The batch at pos may have begun in the block before, as far as the table tells.
	for block := max(pos>>blockBits-1, 0); block<<blockBits < end && block < int64(len(f.table.sums.blocks)); block++ {
		if _, ok, err := f.compare(r, block); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func overlaps(stretches []Damage, pos, end int64) bool {
	return slices.ContainsFunc(stretches, func(d Damage) bool { return d.Pos < end && pos < d.EndPos })
}

// restore finds patches for headers, as many as it can prove.
func (f *finder) restore() error {
	for {
		if err := f.look(); err != nil {
			return err
		}
		before := len(f.file.patches)
		for _, d := range f.bad {
			if err := f.restoreStretch(d); err != nil {
				return err
			}
		}
		if len(f.file.patches) == before {
			break // else what was put right may prove others
		}
	}
	for _, d := range f.differ {
		if err := f.restoreEpoch(d); err != nil {
			return err
		}
	}
	return f.look()
}

// beside are the good batches right before and right behind a stretch, nil where
// there is none.
func (f *finder) beside(pos, end int64) (before, behind *place) {
	at, found := slices.BinarySearchFunc(f.near, end, func(p place, pos int64) int { return cmp.Compare(p.pos, pos) })
	if found {
		behind = &f.near[at]
	}
	at, _ = slices.BinarySearchFunc(f.near, pos, func(p place, pos int64) int { return cmp.Compare(p.pos, pos) })
	if at > 0 && f.near[at-1].end == pos {
		before = &f.near[at-1]
	}
	return before, behind
}

// epochs are those that a batch at an offset may have, the certain one first.
func (f *finder) epochs(offset int64, before, behind *place) []int32 {
	all := make([]int32, 0, 3)
	if f.opt.EpochAt != nil {
		if e := f.opt.EpochAt(offset); e >= 0 {
			return append(all, e)
		}
	}
	for _, p := range []*place{before, behind} {
		if p != nil && !slices.Contains(all, p.epoch) {
			all = append(all, p.epoch)
		}
	}
	return all
}

// restoreStretch puts right the headers in a stretch without a good batch, if what
// lies around them or the .check file proves what they were.
func (f *finder) restoreStretch(d Damage) error {
	before, behind := f.beside(d.Pos, d.EndPos)
	var own [unsealed]byte
	if n, err := f.file.ReadAt(own[:], d.Pos); n < unsealed && err != io.EOF {
		return err
	}
	epochs := append(f.epochs(d.Offset, before, behind), int32(binary.BigEndian.Uint32(own[epochPos:])))
	for _, epoch := range epochs {
		patches, next, err := f.guess(d, epoch)
		if err != nil {
			return err
		}
		if patches == nil {
			return nil
		}
		file := f.file.with(patches...)
		ok := f.proven(d, next, epoch, before, behind)
		if !ok {
			if ok, err = f.sealed(file, d.Pos, d.EndPos); err != nil {
				return err
			}
		}
		if ok {
			f.file = file
			return nil
		}
	}
	return nil
}

// proven says whether the batches beside a stretch leave no other offsets and epoch
// than those from d.Offset to next in it.
func (f *finder) proven(d Damage, next int64, epoch int32, before, behind *place) bool {
	dense := f.opt.SparseBelow == nil || d.Offset >= f.opt.SparseBelow()
	offsets := (before != nil || d.Pos == 0) && next == d.NextOffset && (behind != nil || next == f.following)
	certain := f.opt.EpochAt != nil && f.opt.EpochAt(d.Offset) == epoch
	between := before != nil && behind != nil && before.epoch == epoch && behind.epoch == epoch
	return dense && offsets && (certain || between)
}

// guess makes headers for a stretch that batches fill, each with the offset behind the
// one before, and as long as it says, or as all that is left, whatever makes its
// checksum right. It returns nil if no such batches fill the stretch.
func (f *finder) guess(d Damage, epoch int32) (patches []patch, next int64, err error) {
	sc := newScanner(newSegment(f.dir, f.base, f.opt.Options), f.file, f.size)
	next = d.Offset
	for pos := d.Pos; pos < d.EndPos; {
		if d.EndPos-pos < batch.HeaderSize {
			return nil, 0, nil
		}
		b, err := sc.at(pos, batch.HeaderSize)
		if err != nil {
			return nil, 0, err
		}
		head := [batch.HeaderSize]byte(b)
		size, err := sc.fitting(pos, &head, d.EndPos-pos)
		be := binary.BigEndian
		delta := int64(int32(be.Uint32(head[lastDeltaPos:])))
		if size == 0 || delta < 0 || err != nil {
			return nil, 0, err
		}
		p := patch{pos: pos}
		be.PutUint64(p.bytes[:], uint64(next))
		be.PutUint32(p.bytes[lengthPos:], uint32(size-batch.LengthPrefix))
		be.PutUint32(p.bytes[epochPos:], uint32(epoch))
		p.bytes[magicPos] = batch.Magic
		patches = append(patches, p)
		pos, next = pos+size, next+delta+1
	}
	return patches, next, nil
}

// fitting is how long the batch at pos is by its checksum: as long as its header says,
// or as all that is left; 0 if neither.
func (sc *scanner) fitting(pos int64, head *[batch.HeaderSize]byte, left int64) (int64, error) {
	said := int64(int32(binary.BigEndian.Uint32(head[lengthPos:]))) + batch.LengthPrefix
	for _, size := range []int64{said, left} {
		if size < batch.HeaderSize || size > left || size > math.MaxInt32 {
			continue
		}
		sum, err := sc.checksum(pos+crcStart, size-crcStart)
		if err != nil {
			return 0, err
		}
		if sum == binary.BigEndian.Uint32(head[crcPos:]) {
			return size, nil
		}
	}
	return 0, nil
}

// restoreEpoch looks for one batch in a stretch that differs whose leader epoch makes
// it what the .check file tells of, if it is that of a batch beside it.
func (f *finder) restoreEpoch(d Damage) error {
	for i := range f.near {
		p := f.near[i]
		if p.pos < d.Pos || p.end > d.EndPos {
			continue
		}
		before, behind := f.beside(p.pos, p.end)
		for _, epoch := range f.epochs(p.base, before, behind) {
			if epoch == p.epoch {
				continue
			}
			x := patch{pos: p.pos}
			if n, err := f.file.ReadAt(x.bytes[:], p.pos); n < unsealed {
				return err
			}
			binary.BigEndian.PutUint32(x.bytes[epochPos:], uint32(epoch))
			file := f.file.with(x)
			if ok, err := f.sealed(file, p.pos, p.end); err != nil {
				return err
			} else if ok {
				f.file = file
				return nil
			}
		}
	}
	return nil
}

// fences are what has to be refused: stretches without a good batch, and of those that
// differ the batches whose headers nothing proves, or all of it if nothing else tells
// why it differs.
func (f *finder) fences() []Damage {
	fences := slices.Clone(f.bad)
	for at, d := range f.differ {
		reason := overlaps(f.bad, d.Pos, d.EndPos) || at < len(f.table.damage)
		for i := range f.near {
			if p := &f.near[i]; p.pos >= d.Pos && p.end <= d.EndPos && !f.trusted(p) {
				fences = append(fences, Damage{Pos: p.pos, EndPos: p.end, Offset: p.base, NextOffset: p.next, Reason: d.Reason})
				reason = true
			}
		}
		if !reason {
			fences = append(fences, d)
		}
	}
	slices.SortFunc(fences, func(a, b Damage) int { return cmp.Compare(a.Pos, b.Pos) })
	return fences
}

// trusted says whether the batch before or behind bears out offsets and epoch of one.
func (f *finder) trusted(p *place) bool {
	before, behind := f.beside(p.pos, p.end)
	offsets := before != nil && before.next == p.base || behind != nil && behind.base == p.next
	epoch := before != nil && before.epoch == p.epoch || behind != nil && behind.epoch == p.epoch ||
		f.opt.EpochAt != nil && f.opt.EpochAt(p.base) == p.epoch
	return offsets && epoch
}
