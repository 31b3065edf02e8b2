package log

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"sordini/segment"
	"sordini/segment/vfs"
)

// Tail appends to b what was appended to the log from a position on, or from where
// it was flushed if that lies behind, and returns the stretch that this is. It says false if that may not be kept in a journal: the rest is longer
// than most, a segment or a name in the directory is not durable yet, or the log takes no
// requests. Then a Flush does it, or tells why not.
//
// What it returned may be counted as durable once a journal holds it, and Redo
// writes it back at the next Open, until the next Flush.
func (l *Log) Tail(b []byte, from Position, most int64) (_ []byte, begin, end Position, ok bool) {
	l.mu.Lock()
	end = l.end
	settled := l.usableLocked() == nil && len(l.rolled) == 0 && l.names <= l.synced
	if from.Offset < l.flushed.Offset {
		from = l.flushed
	}
	var active *segment.Segment
	if settled {
		active = l.segments[len(l.segments)-1]
	}
	l.mu.Unlock()
	n := end.Pos - from.Pos
	if !settled || from.Segment != end.Segment || n <= 0 || n > most {
		return b, from, end, false
	}
	b, ok = active.ReadTail(b, from.Pos, n)
	return b, from, end, ok
}

// Redo writes batches that a journal has kept back into the files of a log that is
// not open. Bytes that are there already are written all the same: they may be in
// the page cache only.
type Redo struct {
	opt   Options
	start int64
	gaps  gaps
	files map[int64]vfs.File // by base offset of the segment
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
	f, ok := r.files[base]
	if !ok {
		var err error
		f, err = r.opt.FS.OpenFile((&Log{opt: r.opt}).path(segment.FileName(base, segment.LogSuffix)), os.O_RDWR)
		if errors.Is(err, fs.ErrNotExist) && base < r.start {
			return nil
		}
		if err != nil {
			return fmt.Errorf("redo: %w", err)
		}
		r.files[base] = f
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

// Close makes durable what was written.
func (r *Redo) Close() error {
	var failed error
	for _, f := range r.files {
		err := f.Sync()
		failed = errors.Join(failed, err, f.Close())
	}
	if failed != nil {
		return fmt.Errorf("redo: %w", failed)
	}
	return nil
}
