package log

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"sordini/segment"
	"sordini/segment/vfs"
)

// TestClean_Damage: a damaged batch ends it, and nothing is dropped.
func TestClean_Damage(t *testing.T) {
	disk := newDisk(t)
	opt := compactOptions(disk)
	l := mustOpen(t, opt, Known{})
	m := newCleanModel()
	m.append(t, l, rand.New(rand.NewPCG(5, 5)), 200, 30)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	k := known(l, true)
	segments := l.Segments()
	name := l.segments[2].Path()
	f, err := disk.OpenFile(name, 2)
	if err != nil {
		t.Fatal(err)
	}
	var one [1]byte
	for _, step := range []func([]byte, int64) (int, error){f.ReadAt, f.WriteAt} {
		if _, err := step(one[:], 700); err != nil {
			t.Fatal(err)
		}
		one[0] ^= 4
	}
	f.Close()
	l = mustOpen(t, opt, k)
	_, err = l.Clean(t.Context(), cleanOptions(l))
	var corrupt *segment.CorruptError
	if !errors.As(err, &corrupt) || corrupt.File != name {
		t.Errorf("error %v, want damage in %s", err, name)
	}
	if l.Segments() != segments || l.Cleaned() != 0 {
		t.Errorf("%d segments, cleaned to %d: something was changed", l.Segments(), l.Cleaned())
	}
	if err := l.Abandon(); err != nil {
		t.Fatal(err)
	}
}

// TestClean_EveryFault fails each operation of a compaction in turn. What was
// appended is there afterwards, at once and after a power cut, and unless a sync of
// the directory failed the log goes on.
func TestClean_EveryFault(t *testing.T) {
	for _, fault := range []vfs.Fault{{Err: syscall.EIO}, {Err: syscall.ENOSPC}, {Err: syscall.EIO, Done: true}, {Err: syscall.EIO, Short: 30}} {
		for n := int64(1); faultyClean(t, fault, n); n++ {
		}
	}
}

// faultyClean fails the n-th changing operation; it is false if there were fewer.
func faultyClean(t *testing.T, fault vfs.Fault, n int64) bool {
	disk := newDisk(t)
	faulty := vfs.NewFaulty(disk, nil)
	opt := compactOptions(faulty)
	opt.Config.SegmentBytes = 1500
	l := mustOpen(t, opt, Known{})
	rng := rand.New(rand.NewPCG(8, 8))
	m := newCleanModel()
	m.append(t, l, rng, 25, 8)
	if _, err := flushed(l); err != nil {
		t.Fatal(err)
	}
	first := faulty.Ops()
	var hit *vfs.Op
	faulty.SetRule(func(op vfs.Op) vfs.Fault {
		if op.N != first+n {
			return vfs.Fault{}
		}
		hit = &op
		return fault
	})
	_, err := l.Clean(t.Context(), cleanOptions(l))
	if hit == nil {
		if err != nil {
			t.Fatal(err)
		}
		return l.Abandon() != nil
	}
	what := fmt.Sprintf("%v of %v", fault, *hit)
	if failed := l.State().Failure; failed != nil != (hit.Kind == vfs.OpSyncDir) {
		t.Errorf("%s: clean %v, log %v", what, err, failed)
	} else if failed == nil {
		if err := m.check(l, l.Cleaned()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		mustClean(t, l) // the next one finds everything in order
		m.append(t, l, rng, 10, 10)
		mustClean(t, l)
		if err := m.check(l, l.Cleaned()); err != nil {
			t.Errorf("%s: cleaned again: %v", what, err)
		}
	}
	k := known(l, false)
	if err := l.Abandon(); err != nil {
		t.Fatal(err)
	}
	for seed, mode := range []vfs.CrashMode{vfs.CrashDropAll, vfs.CrashKeepAll, vfs.CrashRandom, vfs.CrashRandom} {
		opt := compactOptions(disk.Crash(uint64(seed), mode))
		l, report, err := Open(opt, k)
		if err != nil || len(report.Damaged) > 0 {
			t.Fatalf("%s: open after %v: %+v %v", what, mode, report, err)
		}
		if err := m.check(l, 0); err != nil {
			t.Errorf("%s: after %v: %v", what, mode, err)
		}
		if err := l.Abandon(); err != nil {
			t.Fatal(err)
		}
	}
	return true
}

// TestOpen_GapsOfAnotherProgram: Kafka's compaction may leave nothing of a segment's
// end. Where it has been that is no damage; elsewhere it is a torn tail.
func TestOpen_GapsOfAnotherProgram(t *testing.T) {
	for _, known := range []bool{true, false} {
		disk := newDisk(t)
		l := mustOpen(t, compactOptions(disk), Known{})
		m := newCleanModel()
		m.append(t, l, rand.New(rand.NewPCG(5, 5)), 200, 30)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		_, entries, err := logRecords(mustOpen(t, compactOptions(disk.Crash(0, vfs.CrashKeepAll)), Known{}))
		if err != nil {
			t.Fatal(err)
		}
		first, second := l.segments[0], l.segments[1].Base()
		last := entry{}
		for _, e := range entries {
			if e.header.LastOffset() < second {
				last = e
			}
		}
		f, err := disk.OpenFile(first.Path(), 2)
		if err == nil {
			err = f.Truncate(first.Size() - last.header.Size())
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		var k Known
		if known {
			k.Ragged = second
		}
		l, report, err := Open(compactOptions(disk), k)
		if err != nil || len(report.Damaged) > 0 || (report.Cut == 0) != known {
			t.Fatalf("known %v: %+v %v", known, report, err)
		}
		if !known {
			continue
		}
		r, err := l.Read(last.header.BaseOffset, 1, l.State().End, true)
		if err != nil || r.First != second {
			t.Errorf("read in the gap: batch at %d, want %d, %v", r.First, second, err)
		}
		r.Release()
		if err := l.Abandon(); err != nil {
			t.Fatal(err)
		}
		l, report, err = Open(compactOptions(disk), Known{}) // it is still known
		if err != nil || report.Cut > 0 || l.Segments() < 3 {
			t.Fatalf("again: %+v %v", report, err)
		}
		mustClean(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOpen_DamagedGapsFile: no gap is taken for damage then.
func TestOpen_DamagedGapsFile(t *testing.T) {
	for _, contents := range []string{"", "sordini-cleaned 1\nbelow 5 ragged 0\ncrc32c 00000000\n", strings.Repeat("x", 1000)} {
		disk := newDisk(t)
		opt := compactOptions(disk)
		l := mustOpen(t, opt, Known{})
		m := newCleanModel()
		m.append(t, l, rand.New(rand.NewPCG(5, 5)), 200, 30)
		mustClean(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := segment.ReplaceFile(disk, l.path(gapsFile), []byte(contents)); err != nil {
			t.Fatal(err)
		}
		l, report, err := Open(opt, Known{})
		if err != nil || len(report.Damaged) > 0 || report.Cut > 0 {
			t.Fatalf("%q: %+v %v", contents, report, err)
		}
		if err := m.check(l, 0); err != nil {
			t.Error(err)
		}
		b, err := readAll(disk, l.path(gapsFile))
		if g, perr := parseGaps(b); err != nil || perr != nil || g != l.gaps || g.below != l.State().End.Offset {
			t.Errorf("%q: %+v afterwards, %v %v", contents, g, err, perr)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOpen_OldSwap: a copy whose source is not there any more does not come back.
func TestOpen_OldSwap(t *testing.T) {
	disk := newDisk(t)
	opt := compactOptions(disk)
	l := mustOpen(t, opt, Known{})
	m := newCleanModel()
	m.append(t, l, rand.New(rand.NewPCG(5, 5)), 100, 30)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := readAll(disk, l.segments[1].Path())
	if err != nil {
		t.Fatal(err)
	}
	name := l.path(segment.FileName(l.segments[1].Base()+1, segment.LogSuffix) + segment.SwapSuffix)
	if err := segment.ReplaceFile(disk, name, b); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, opt, Known{})
	if err := m.check(l, 0); err != nil {
		t.Error(err)
	}
	if _, err := disk.Stat(name + segment.TornSuffix); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func FuzzGaps(f *testing.F) {
	f.Add([]byte("sordini-cleaned 1\nbelow 4711 ragged 0\ncrc32c 0a1b2c3d\n"))
	f.Add(gaps{4711, 12}.format())
	f.Fuzz(func(t *testing.T, b []byte) {
		if g, err := parseGaps(b); err == nil && string(g.format()) != string(b) {
			t.Errorf("%q is read as %+v", b, g)
		}
	})
}
