package log

import (
	"errors"
	"os"
	"slices"
	"testing"

	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// fill appends n batches, of which some fill a segment, and returns the history.
func fill(t *testing.T, l *Log, n int) []entry {
	t.Helper()
	var history []entry
	for range n {
		a := built(&batch.Builder{}, 2, make([]byte, 300), 5)
		if l.Append(a); a.Err != nil {
			t.Fatal(a.Err)
		}
		history = append(history, entry{a.Header, a.Batch})
	}
	return history
}

// TestFlush_SegmentsDoNotPileUp: where nobody completes the segments, or not as fast as
// they come, Flush does.
func TestFlush_SegmentsDoNotPileUp(t *testing.T) {
	l := mustOpen(t, options(newDisk(t)), Known{})
	most := 0
	for l.Segments() < 5*mostRolled {
		fill(t, l, 1)
		if _, err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		most = max(most, len(l.rolled))
	}
	if most < mostRolled/2 || most > mostRolled {
		t.Errorf("%d segments of %d waited for their Seal, want some, at most %d", most, l.Segments(), mostRolled)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestTail_SegmentsDoNotPileUp: with too many segments to be completed, no journal keeps
// the Flush away that waits for them.
func TestTail_SegmentsDoNotPileUp(t *testing.T) {
	l := mustOpen(t, options(newDisk(t)), Known{})
	fill(t, l, 1)
	from, err := l.Flush()
	if err != nil {
		t.Fatal(err)
	}
	var tail Tail
	for l.Segments() < 5*mostRolled {
		fill(t, l, 1)
		if ok, want := l.Tail(&tail, from, noLimit), len(l.rolled) <= mostRolled; ok != want {
			t.Fatalf("%d segments to be completed, tail %v", len(l.rolled), ok)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestOpen_LostEnds: full segments that were not completed have lost bytes that were
// durable. That is told at once, and reading what is gone is an error.
func TestOpen_LostEnds(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f vfs.File, size, batch int64) error
		cut    int64
		ok     bool
	}{
		"whole batches": {change: func(f vfs.File, size, batch int64) error { return f.Truncate(size - batch) }},
		"part of one":   {change: func(f vfs.File, size, batch int64) error { return f.Truncate(size - batch/2) }},
		"zeros instead": {change: func(f vfs.File, size, batch int64) error {
			_, err := f.WriteAt(make([]byte, batch), size-batch)
			return err
		}},
		"zeros behind": {cut: 4096, ok: true, change: func(f vfs.File, size, _ int64) error { return f.Truncate(size + 4096) }},
	} {
		t.Run(name, func(t *testing.T) {
			disk := newDisk(t)
			l := mustOpen(t, options(disk), Known{})
			history := fill(t, l, 30)
			pos, err := l.Flush()
			hurt, following := l.view()[2], l.view()[3].Base()
			if err = errors.Join(err, l.Abandon()); err != nil {
				t.Fatal(err)
			}
			f, err := disk.OpenFile(hurt.Path(), os.O_RDWR)
			if err == nil {
				err = errors.Join(c.change(f, hurt.Size(), int64(len(history[0].bytes))), f.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			l, report, err := Open(options(disk), Known{Recovery: pos.Offset})
			if err != nil {
				t.Fatal(err)
			}
			lost := []Span{{following - 2, following}}
			if c.ok {
				lost = nil
			}
			if !slices.Equal(report.Damaged, lost) || report.Cut != c.cut {
				t.Errorf("damaged %v, cut %d; want %v, %d", report.Damaged, report.Cut, lost, c.cut)
			}
			_, err = l.Read(following-2, 1, l.State().End, true)
			var corrupt *segment.CorruptError
			if errors.As(err, &corrupt) == c.ok {
				t.Errorf("read of the last batch: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOpen_NothingLostBelowTheStart: what a power cut took below the log start is missed
// by nobody.
func TestOpen_NothingLostBelowTheStart(t *testing.T) {
	disk := newDisk(t)
	for _, k := range []Known{{}, {Start: 3}, {Start: 3, Recovery: 3}} {
		for _, suffix := range segment.Suffixes()[1:] {
			_ = disk.Remove(logDir + "/" + segment.FileName(0, suffix)) // they were not made
		}
		l, report, err := Open(options(disk), k)
		if err != nil || len(report.Damaged) > 0 {
			t.Fatalf("%+v: %+v %v", k, report, err)
		}
		if err := l.Abandon(); err != nil {
			t.Fatal(err)
		}
		disk = disk.Crash(1, vfs.CrashDropAll)
	}
}
