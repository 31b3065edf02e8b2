package log

import (
	"testing"

	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

// journaled fills a log until its tail has n stretches, and returns the history.
func journaled(t *testing.T, l *Log, tail *Tail, n int) []entry {
	t.Helper()
	var history []entry
	a := built(&batch.Builder{}, 2, make([]byte, 300), 5)
	l.Append(a)
	history = append(history, entry{a.Header, a.Batch})
	from, err := l.Flush()
	if err != nil {
		t.Fatal(err)
	}
	for len(tail.Stretches) < n && len(history) < 1000 {
		a := built(&batch.Builder{}, 2, make([]byte, 300), 5)
		if l.Append(a); a.Err != nil {
			t.Fatal(a.Err)
		}
		history = append(history, entry{a.Header, a.Batch})
		if !l.Tail(tail, from, 1<<20) {
			t.Fatalf("no tail behind batch %d", len(history))
		}
	}
	return history
}

// TestRedo_SegmentsWithoutNames: a journal alone makes what was appended to new segments
// durable, though no file was synced since, nor their directory.
func TestRedo_SegmentsWithoutNames(t *testing.T) {
	disk := newDisk(t)
	l := mustOpen(t, options(disk), Known{})
	var tail Tail
	history := journaled(t, l, &tail, 3)
	end := l.State().End
	if tail.End() != end {
		t.Errorf("the tail ends at %+v, the log at %+v", tail.End(), end)
	}
	survived := disk.Crash(1, vfs.CrashDropAll)
	if err := l.Abandon(); err != nil {
		t.Fatal(err)
	}

	opt := options(survived)
	redo, err := OpenRedo(opt, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range tail.Stretches {
		if err := redo.Apply(s.Begin.Segment, s.Begin.Pos, s.Begin.Offset, s.Batches); err != nil {
			t.Fatal(err)
		}
	}
	if err := redo.Close(); err != nil {
		t.Fatal(err)
	}
	opt.FS = survived.Crash(2, vfs.CrashDropAll) // what Redo wrote is durable
	l, report, err := Open(opt, Known{Recovery: end.Offset})
	if err != nil {
		t.Fatal(err)
	}
	if err := check(l, history); err != nil || len(report.Damaged) > 0 || report.Cut > 0 {
		t.Errorf("%v: %+v", err, report)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestTail_Refused: more than fits, names that no Redo makes again, and nothing.
func TestTail_Refused(t *testing.T) {
	l := mustOpen(t, options(newDisk(t)), Known{})
	var tail Tail
	journaled(t, l, &tail, 2)
	if from := l.State().Flushed; l.Tail(&tail, from, 2500) {
		t.Errorf("%d stretches, %d bytes of 2500", len(tail.Stretches), len(tail.bytes))
	}
	l.noteNames(1)
	if l.Tail(&tail, l.State().Flushed, 1<<20) {
		t.Error("the directory is not in order")
	}
	if _, err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	if l.Tail(&tail, l.State().Flushed, 1<<20) {
		t.Error("all is flushed")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestRedo_MissingSegments: those before the log start were deleted, others are made again.
func TestRedo_MissingSegments(t *testing.T) {
	for _, c := range []struct {
		base, pos int64
		made      bool
	}{{base: 5}, {base: 5, pos: 100}, {base: 10, pos: 100, made: true}, {base: 10, made: true}} {
		disk := newDisk(t)
		redo, err := OpenRedo(options(disk), 8)
		if err != nil {
			t.Fatal(err)
		}
		if err := redo.Apply(c.base, c.pos, c.base+1, []byte("batches")); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		if err := redo.Close(); err != nil {
			t.Error(err)
		}
		entries, err := disk.ReadDir(logDir)
		if err != nil || len(entries) == 1 != c.made {
			t.Errorf("%+v: %v %v", c, entries, err)
		}
	}
}

// TestSeal_MayBeLate: a log whose segments were flushed and never sealed loses nothing.
func TestSeal_MayBeLate(t *testing.T) {
	disk := newDisk(t)
	opt := options(disk)
	opt.Preallocate = 1 << 20
	opt.Config.SegmentBytes = 600 << 10
	l := mustOpen(t, opt, Known{})
	var history []entry
	for range 40 {
		a := built(&batch.Builder{}, 2, make([]byte, 50<<10), 5)
		if l.Append(a); a.Err != nil {
			t.Fatal(a.Err)
		}
		history = append(history, entry{a.Header, a.Batch})
	}
	pos, err := l.Flush()
	if err != nil || !l.Rolled() {
		t.Fatal(err)
	}
	opt.FS = disk.Crash(1, vfs.CrashDropAll)
	if err := l.Abandon(); err != nil {
		t.Fatal(err)
	}
	l, report, err := Open(opt, Known{Recovery: pos.Offset})
	if err != nil {
		t.Fatal(err)
	}
	if err := check(l, history); err != nil || len(report.Damaged) > 0 {
		t.Errorf("%v: %+v", err, report)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
