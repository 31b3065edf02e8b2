package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sordini/index"
	"sordini/segment/vfs"
)

// Compaction writes a new segment beside those that it replaces, which readers and
// a power cut must not notice. Its files change their names on the way:
//
//	X.log.cleaned   being written; found at start, it is removed
//	X.log.swap      complete and synced: it replaces X.log and all segments up to
//	                its end, and whoever finds it at start finishes that
//	X.log           in place
//
// The files made from it go along, each step before the .log file, so that they
// never stand beside a .log file that they do not belong to. The caller syncs the
// directory between the steps.

// tails is what the names of a segment's files end in.
type tails struct{ log, derived string }

// CreateCleaned makes an empty segment whose files are named *.cleaned, to be
// appended to and sealed.
func CreateCleaned(dir string, base int64, opt Options) (*Segment, error) {
	s := newSegment(dir, base, opt)
	s.tails.Store(&tails{CleanedSuffix, CleanedSuffix})
	if err := s.dropIndexFiles(); err != nil {
		return nil, err
	}
	f, err := opt.FS.OpenFile(s.path(LogSuffix), os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, fmt.Errorf("create cleaned segment: %w", err)
	}
	s.file = f
	s.active.Store(index.NewActive(opt.IndexInterval))
	return s, nil
}

// Complete names the files of a sealed segment *.swap.
func (s *Segment) Complete() error {
	if err := s.moveDerived(SwapSuffix); err != nil {
		return err
	}
	return s.moveLog(SwapSuffix)
}

// PlaceDerived gives all files but the .log file their final names. It may be
// called again after an error.
func (s *Segment) PlaceDerived() error { return s.moveDerived("") }

// PlaceLog gives the .log file its final name.
func (s *Segment) PlaceLog() error { return s.moveLog("") }

func (s *Segment) moveDerived(tail string) error {
	s.namesMu.Lock()
	defer s.namesMu.Unlock()
	t := *s.tails.Load()
	if t.derived == tail {
		return nil
	}
	for _, suffix := range derived {
		if optional(suffix) && !s.keys.files.Load() {
			continue
		}
		name := s.path(suffix)
		err := s.opt.FS.Rename(name, name[:len(name)-len(t.derived)]+tail)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // done by a call before
			return fmt.Errorf("swap segment: %w", err)
		}
	}
	t.derived = tail
	s.tails.Store(&t)
	return nil
}

func (s *Segment) moveLog(tail string) error {
	s.namesMu.Lock()
	defer s.namesMu.Unlock()
	t := *s.tails.Load()
	if t.log == tail {
		return nil
	}
	name := s.path(LogSuffix)
	if err := s.opt.FS.Rename(name, name[:len(name)-len(t.log)]+tail); err != nil {
		// Readers open the file by its name: it must be known whether it has moved.
		if _, serr := s.opt.FS.Stat(name); !errors.Is(serr, fs.ErrNotExist) {
			return fmt.Errorf("swap segment: %w", err)
		}
	}
	t.log = tail
	s.tails.Store(&t)
	return nil
}

// Discard closes a segment that is not to take its place, and removes its files
// under whatever name they have come to.
func (s *Segment) Discard() error {
	err := s.Close()
	for _, suffix := range Suffixes() {
		for _, tail := range []string{SwapSuffix, CleanedSuffix} {
			name := filepath.Join(s.dir, FileName(s.base, suffix)+tail)
			if rerr := s.opt.FS.Remove(name); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) && err == nil {
				err = fmt.Errorf("discard cleaned segment: %w", rerr)
			}
		}
	}
	return err
}

// Compacted says whether this process has written the segment by compaction, so
// that a position noted before may be one of another file.
func (s *Segment) Compacted() bool { return s.tails.Load() != nil }

// open opens one of the files for reading. The name is that of this segment until
// it is closed: a file that has taken its name since is not opened.
func (s *Segment) open(fsys vfs.FS, suffix string) (vfs.File, error) {
	s.namesMu.RLock()
	defer s.namesMu.RUnlock()
	if s.removed.Load() {
		return nil, ErrClosed
	}
	f, err := fsys.Open(s.path(suffix))
	if s.removed.Load() { // removed meanwhile, or replaced
		if err == nil {
			f.Close()
		}
		return nil, ErrClosed
	}
	return f, err
}

// IndexSize is the bytes of the larger of the two indexes, in memory or on disk.
func (s *Segment) IndexSize() int64 {
	if a := s.active.Load(); a != nil {
		return a.Bytes()
	}
	si := s.sealed.Load()
	return max(int64(si.offsets.Len())*index.OffsetEntrySize, si.timeSize)
}

// SwapEnd reads a segment whose .log file is named *.swap, and checks all of it. It
// returns the offset behind its last batch: up to there it replaces others.
func SwapEnd(dir string, base int64, opt Options) (int64, error) {
	s := newSegment(dir, base, opt)
	s.tails.Store(&tails{SwapSuffix, SwapSuffix})
	f, err := opt.FS.Open(s.path(LogSuffix))
	if err != nil {
		return 0, fmt.Errorf("open swap segment: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return 0, fmt.Errorf("open swap segment: %w", err)
	}
	sc := newScanner(s, f, size)
	for sc.pos < size {
		h, err := sc.batch(sc.pos, sc.next, sc.epoch)
		var bad errBad
		if errors.As(err, &bad) {
			return 0, &CorruptError{File: s.Path(), Pos: sc.pos, Offset: sc.next, Reason: bad.reason}
		}
		if err != nil {
			return 0, err
		}
		sc.advance(h)
	}
	return sc.next, nil
}
