package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"

	"sordini/segment/vfs"
)

// RepairOptions say of which log a segment is that is looked at.
type RepairOptions struct {
	Options
	// Following is the base offset of the next segment, -1 for the last one of a log.
	Following int64
}

// Repair is what was found of a segment that nobody has open, and what can be done
// about it. Nothing has changed before Apply or Reindex.
type Repair struct {
	File    string
	Base    int64
	Size    int64 // bytes of the .log file
	Batches int64 // good ones, with those whose headers can be put right
	Records int64
	Next    int64 // offset behind the last good batch

	Restored []Restored
	// Fenced are stretches that stay as they are, and whose reading is refused.
	Fenced []Damage
	// Cut is the bytes of a torn end, which are taken off: only the last segment of a
	// log has one.
	Cut int64
	// Aside are the files that keep the bytes as they were of all these, once it is done.
	Aside []string

	opt     RepairOptions
	dir     string
	patches []patch
	known   []Damage // fenced before
	cutAt   int64
	segment *Segment // what the survey gave: indexes, checksums
}

// Restored is a batch whose header was damaged where its checksum does not cover it,
// and whose base offset, length, leader epoch and magic are known for certain: the
// batches around it leave no others, or the .check file has their checksum.
type Restored struct {
	Pos, Offset int64
}

// Wrong says whether there is anything to repair in the .log file that was not
// fenced before.
func (r *Repair) Wrong() bool {
	return len(r.patches) > 0 || r.Cut > 0 || slices.ContainsFunc(r.Fenced, r.isNew)
}

// HoldsBack says whether the segment is the last one of its log and stays fenced
// somewhere. Then all of it below Next must be known to be durable when the log is
// opened, or recovery takes the first bad batch for a torn write and cuts there.
func (r *Repair) HoldsBack() bool { return r.opt.Following < 0 && len(r.Fenced) > 0 }

func (r *Repair) isNew(d Damage) bool {
	return !slices.ContainsFunc(r.known, func(k Damage) bool { return k.Pos == d.Pos && k.EndPos == d.EndPos })
}

// Examine reads all of a segment, and its .check file. It writes nothing. With
// restore it looks for headers that can be put right.
func Examine(dir string, base int64, opt RepairOptions, restore bool) (*Repair, error) {
	s := newSegment(dir, base, opt.Options)
	f, err := opt.FS.Open(s.path(LogSuffix))
	if err != nil {
		return nil, fmt.Errorf("examine segment: %w", err)
	}
	defer f.Close()
	r := &Repair{File: s.Path(), Base: base, opt: opt, dir: dir}
	if err := r.examine(f, restore); err != nil {
		return nil, fmt.Errorf("examine %s: %w", r.File, err)
	}
	return r, nil
}

func (r *Repair) examine(f vfs.File, restore bool) (err error) {
	if r.Size, err = f.Size(); err != nil {
		return err
	}
	find := &finder{dir: r.dir, base: r.Base, opt: r.opt, size: r.Size, following: r.opt.Following, file: patched{ReaderAt: f}}
	if find.following < 0 {
		find.following = math.MaxInt64
	}
	t, err := newSegment(r.dir, r.Base, r.opt.Options).readCheck(r.Size)
	var path *fs.PathError
	switch {
	case err == nil:
		find.table, r.known = t, t.damage
	case errors.As(err, &path) && !errors.Is(err, fs.ErrNotExist):
		return err // the disk fails
	}
	if restore {
		err = find.restore()
	} else {
		err = find.look()
	}
	if err != nil {
		return err
	}
	if err := r.settle(find, restore); err != nil {
		return err
	}
	r.patches = find.file.patches
	for _, p := range r.patches {
		r.Restored = append(r.Restored, Restored{Pos: p.pos, Offset: p.offset()})
	}
	return nil
}

// settle takes the torn end off, if cut says so and there is one, and fences off the
// rest. Both change how a batch before is judged whose offsets only one behind it bore
// out, so that it is done until nothing more is found.
func (r *Repair) settle(find *finder, cut bool) error {
	fences, bad := find.fences(), find.bad
	r.cutAt = r.Size
	for {
		if n := len(fences); cut && n > 0 && r.opt.Following < 0 && fences[n-1].EndPos == r.cutAt && slices.Contains(bad, fences[n-1]) {
			r.cutAt = fences[n-1].Pos
			fences, find.size = fences[:n-1], r.cutAt
			continue
		}
		s, rec, err := find.survey(fences, func(place) {})
		if err != nil {
			return err
		}
		found := s.Damages()
		if len(found) == len(fences) {
			r.Cut, r.Fenced = r.Size-r.cutAt, fences
			r.segment, r.Batches, r.Records, r.Next = s, rec.Batches, rec.Records, rec.Next
			return nil
		}
		for _, d := range found {
			if !slices.Contains(fences, d) {
				bad = append(bad, d)
			}
		}
		fences = found
	}
}

// Apply does what was found to be done: bytes that will change or be refused are
// copied aside, headers put right, the end cut, and the derived files written anew.
// Interrupted anywhere, it leaves a log whose reading is refused where it was refused
// before, or is right.
func (r *Repair) Apply() error {
	f, err := r.opt.FS.OpenFile(r.File, os.O_RDWR)
	if err != nil {
		return fmt.Errorf("repair segment: %w", err)
	}
	err = r.apply(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = r.writeDerived()
	}
	if err != nil {
		return fmt.Errorf("repair %s: %w", r.File, err)
	}
	return nil
}

func (r *Repair) apply(f vfs.File) error {
	if err := r.copyAside(f); err != nil {
		return err
	}
	for i := range r.patches {
		p := &r.patches[i]
		if n, err := f.WriteAt(p.bytes[:], p.pos); err != nil || n < unsealed {
			return fmt.Errorf("header at %d: %d bytes written: %w", p.pos, n, err)
		}
	}
	if r.Cut > 0 {
		if err := f.Truncate(r.cutAt); err != nil {
			return fmt.Errorf("cut at %d: %w", r.cutAt, err)
		}
	}
	// Recovery must not cut the last segment of a log at what is fenced, so that all of
	// it must be durable; see Recover for why it is written again.
	if r.opt.Following < 0 && len(r.Fenced) > 0 {
		if err := copyRange(f, f, 0, r.Size-r.Cut, 0); err != nil {
			return fmt.Errorf("write again: %w", err)
		}
	}
	return f.Sync()
}

// copyAside keeps what will change or be refused.
func (r *Repair) copyAside(f vfs.File) error {
	keep := func(from, to int64) error {
		name, err := keepAside(r.opt.FS, f, r.File, from, to)
		if err == nil {
			r.Aside = append(r.Aside, name)
		}
		return err
	}
	for _, p := range r.patches {
		if err := keep(p.pos, p.pos+unsealed); err != nil {
			return err
		}
	}
	for _, d := range r.Fenced {
		if !r.isNew(d) {
			continue
		}
		if err := keep(d.Pos, d.EndPos); err != nil {
			return err
		}
	}
	if r.Cut > 0 {
		if zeros, err := allZeros(f, r.cutAt, r.Size); err != nil {
			return err
		} else if !zeros {
			if err := keep(r.cutAt, r.Size); err != nil {
				return err
			}
		}
	}
	if len(r.Aside) == 0 {
		return nil
	}
	return r.opt.FS.SyncDir(r.dir)
}

// Reindex writes the files that are made from the .log file anew: indexes, header
// checksums, and the key index and bloom filter if there are any. Headers that the
// .check file calls wrong and nothing proves are not taken into the checksums; they
// stay refused. The .log file stays as it is.
func (r *Repair) Reindex() error {
	if err := r.writeDerived(); err != nil {
		return fmt.Errorf("reindex %s: %w", r.File, err)
	}
	if err := r.writeKeys(); err != nil {
		return fmt.Errorf("reindex %s: %w", r.File, err)
	}
	return nil
}

// writeDerived writes the files one by one. Each is held against the .log file or its
// own checksum before it is believed, so that old and new ones may meet.
func (r *Repair) writeDerived() error {
	err := r.segment.WriteIndexes()
	if r.segment.Size() == 0 {
		err = r.segment.dropIndexFiles()
	}
	if err != nil {
		return err
	}
	return r.opt.FS.SyncDir(r.dir)
}

// writeKeys makes the key index anew if there is one. A segment with damage can have
// none.
func (r *Repair) writeKeys() error {
	found := false
	for _, suffix := range []string{KeyIndexSuffix, BloomSuffix} {
		err := r.opt.FS.Remove(r.segment.path(suffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove key index: %w", err)
		}
		found = found || err == nil
	}
	if !found || r.segment.Size() == 0 {
		return nil
	}
	s, err := OpenSealed(r.dir, r.Base, r.opt.Options)
	if err != nil {
		return err
	}
	defer s.Close()
	if len(r.Fenced) == 0 {
		if _, err := s.IndexKeys(math.MaxInt64); err != nil {
			return err
		}
		if _, err := s.WriteKeys(); err != nil {
			return err
		}
	}
	return r.opt.FS.SyncDir(r.dir)
}
