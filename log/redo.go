package log

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"sordini/segment"
	"sordini/segment/vfs"
)

// Stretch is what lies between two positions in one segment.
type Stretch struct {
	Begin, End Position
	Batches    []byte
}

// Tail is the end of a log for a journal. It may be filled again and again.
type Tail struct {
	Stretches []Stretch // one for each segment
	bytes     []byte
}

// End is the position behind the last stretch.
func (t *Tail) End() Position { return t.Stretches[len(t.Stretches)-1].End }

// Tail fills t with what was appended to the log from a position on, or from where it
// was flushed if that lies behind. It says false if that may not be kept in a journal:
// there is nothing or more than most bytes of it, a change of names in the directory is
// not durable yet that a Redo cannot make again, too many segments wait for their Seal, or
// the log takes no requests. Then a Flush does it, or tells why not.
//
// What it returned may be counted as durable once a journal holds it, and Redo
// writes it back at the next Open, until the next Flush. A segment that was begun since
// need not have a durable name: Redo makes it.
func (l *Log) Tail(t *Tail, from Position, most int64) bool {
	l.mu.Lock()
	end, segments := l.end, l.segments
	settled := l.usableLocked() == nil && l.firm <= l.synced && len(l.rolled) <= mostRolled
	if from.Offset < l.flushed.Offset {
		from = l.flushed
	}
	l.mu.Unlock()
	t.Stretches, t.bytes = t.Stretches[:0], t.bytes[:0]
	first := len(segments) - 1 // or not far from it
	for first > 0 && segments[first].Base() > from.Segment {
		first--
	}
	if !settled || segments[first].Base() != from.Segment {
		return false
	}
	for i, s := range segments[first:] {
		stretch := Stretch{Begin: Position{Offset: s.Base(), Segment: s.Base()}, End: end}
		if i == 0 {
			stretch.Begin = from
		}
		if s.Base() != end.Segment {
			stretch.End = Position{Offset: segments[first+i+1].Base(), Segment: s.Base(), Pos: s.Size()}
		}
		if !t.add(s, stretch, most) {
			return false
		}
		if s.Base() == end.Segment {
			break
		}
	}
	t.share()
	return len(t.Stretches) > 0
}

// add reads a stretch of a segment, if there is room for it.
func (t *Tail) add(s *segment.Segment, stretch Stretch, most int64) bool {
	n := stretch.End.Pos - stretch.Begin.Pos
	if n <= 0 {
		return n == 0
	}
	if int64(len(t.bytes))+n > most {
		return false
	}
	var ok bool
	if t.bytes, ok = s.ReadTail(t.bytes, stretch.Begin.Pos, n); ok {
		t.Stretches = append(t.Stretches, stretch)
	}
	return ok
}

// share gives each stretch its part of the bytes, which do not move any more.
func (t *Tail) share() {
	rest := t.bytes
	for i := range t.Stretches {
		s := &t.Stretches[i]
		n := s.End.Pos - s.Begin.Pos
		s.Batches, rest = rest[:n:n], rest[n:]
	}
}

// Writeback has the disk begin with what is in the active segment from a position on,
// which a journal holds: the Flush that must come in the end has less to do then, and
// the syncs of the journal do not queue behind so much at once.
func (l *Log) Writeback(from Position) {
	if s := l.active(); s.Base() == from.Segment {
		s.Writeback(from.Pos)
	}
}

// Redo writes batches that a journal has kept back into the files of a log that is
// not open. Bytes that are there already are written all the same: they may be in
// the page cache only.
type Redo struct {
	opt   Options
	start int64
	gaps  gaps
	files map[int64]vfs.File // by base offset of the segment
	made  bool               // one of them was missing
}

// OpenRedo begins; start is the log start offset that is known. Of opt only FS and
// Dir matter.
func OpenRedo(opt Options, start int64) (*Redo, error) {
	l := &Log{opt: opt}
	b, err := readAll(opt.FS, l.path(gapsFile))
	if err == nil {
		l.gaps, err = parseGaps(b)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", l.path(gapsFile), err)
	}
	return &Redo{opt: opt, start: start, gaps: l.gaps, files: make(map[int64]vfs.File)}, nil
}

// Apply writes batches of which the first begins at offset first to a position in a
// segment. What retention has deleted since, or compaction has replaced, is left out: both
// come only behind a Flush.
func (r *Redo) Apply(base, pos, first int64, batches []byte) error {
	if first < r.gaps.below {
		return nil
	}
	f, err := r.open(base)
	if errors.Is(err, fs.ErrNotExist) && base < r.start {
		return nil
	}
	if err != nil {
		return fmt.Errorf("redo: %w", err)
	}
	n, err := f.WriteAt(batches, pos)
	if err == nil && n != len(batches) {
		err = fmt.Errorf("short write to %s: %d of %d bytes", f.Name(), n, len(batches))
	}
	if err != nil {
		return fmt.Errorf("redo: %w", err)
	}
	return nil
}

// open opens a segment. If it is not older than the log start, its name may have been lost
// with the power, and it is made again: the journal has all of it, and what has rotted
// there is damage, found by the scan that follows.
func (r *Redo) open(base int64) (vfs.File, error) {
	f, ok := r.files[base]
	if ok {
		return f, nil
	}
	name := (&Log{opt: r.opt}).path(segment.FileName(base, segment.LogSuffix))
	f, err := r.opt.FS.OpenFile(name, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) && base >= r.start {
		r.made = true
		f, err = r.opt.FS.OpenFile(name, os.O_RDWR|os.O_CREATE)
	}
	if err == nil {
		r.files[base] = f
	}
	return f, err
}

// Abandon closes the files without making anything durable, as if the process had died.
func (r *Redo) Abandon() {
	for _, f := range r.files {
		f.Close()
	}
}

// Close makes durable what was written.
func (r *Redo) Close() error {
	var failed error
	for _, f := range r.files {
		err := f.Sync()
		failed = errors.Join(failed, err, f.Close())
	}
	if r.made {
		failed = errors.Join(failed, r.opt.FS.SyncDir(r.opt.Dir))
	}
	if failed != nil {
		return fmt.Errorf("redo: %w", failed)
	}
	return nil
}
