package journal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"sordini/segment/vfs"
)

const dir = "data/journal"

func newDisk(t testing.TB) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	if err := errors.Join(mem.MkdirAll("data"), mem.SyncDir(".")); err != nil {
		t.Fatal(err)
	}
	return mem
}

func mustOpen(t testing.TB, fs vfs.FS, size int64) *Journal {
	t.Helper()
	j, err := Open(Options{FS: fs, Dir: dir, FileBytes: size}, false)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// entry is the n-th of a log.
func entry(log byte, n int) Entry {
	e := Entry{Segment: 10, Pos: int64(100 * n), First: int64(10 + n), Next: int64(11 + n)}
	e.Topic[3], e.Partition = log, int32(log)
	e.Batches = bytes.Repeat([]byte{log, byte(n)}, 50+n)
	return e
}

// commit commits a round of entries, which must succeed.
func commit(t testing.TB, j *Journal, entries ...Entry) (full *File) {
	t.Helper()
	for i := range entries {
		j.Add(&entries[i])
	}
	full, err := j.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return full
}

// replay returns what Replay finds.
func replay(fs vfs.FS) (entries []Entry, r Report, err error) {
	r, err = Replay(fs, dir, false, func(e *Entry) error {
		c := *e
		c.Batches = bytes.Clone(e.Batches)
		entries = append(entries, c)
		return nil
	})
	return entries, r, err
}

func same(a, b []Entry) bool {
	return slices.EqualFunc(a, b, func(a, b Entry) bool {
		return bytes.Equal(a.Batches, b.Batches) && fmt.Sprint(a.Key, a.Segment, a.Pos, a.First, a.Next) == fmt.Sprint(b.Key, b.Segment, b.Pos, b.First, b.Next)
	})
}

// wantReplay demands that a power cut leaves these entries.
func wantReplay(t *testing.T, disk *vfs.Mem, want ...Entry) {
	t.Helper()
	got, r, err := replay(disk.Crash(1, vfs.CrashDropAll))
	if err != nil || r.Damaged != 0 || !same(got, want) {
		t.Fatalf("replayed %d entries, want %d: %+v %v", len(got), len(want), r, err)
	}
}

func TestCommit_SurvivesAPowerCut(t *testing.T) {
	disk := newDisk(t)
	j := mustOpen(t, disk, 1<<20)
	var want []Entry
	for n := range 20 {
		round := []Entry{entry(1, n), entry(2, n)}
		commit(t, j, round...)
		want = append(want, round...)
		wantReplay(t, disk, want...)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, disk, 1<<20) // all is where it belongs now
	wantReplay(t, disk)
}

func TestFinish_LeavesNothingToReplay(t *testing.T) {
	disk := newDisk(t)
	j := mustOpen(t, disk, 1<<20)
	commit(t, j, entry(1, 1))
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	wantReplay(t, disk)
}

// TestFiles follows a small journal through its files.
func TestFiles(t *testing.T) {
	disk := newDisk(t)
	const size = 2 * alignment // two rounds
	j := mustOpen(t, disk, size)
	e := make([]Entry, 12)
	for i := range e {
		e[i] = entry(7, i)
	}
	commit(t, j, e[0])
	commit(t, j, e[1])
	first := commit(t, j, e[2])
	if first == nil || first.Keys()[e[1].Key] != e[1].Next {
		t.Fatalf("the first file is full: %+v", first)
	}
	commit(t, j, e[3])
	wantReplay(t, disk, e[:4]...)

	j.Add(&e[4])
	if _, err := j.Commit(); err != ErrFull {
		t.Fatalf("both files are in use: %v", err)
	}
	j.Retired(first)
	second := commit(t, j, e[4]) // in the first file, behind which an old round lies
	wantReplay(t, disk, e[2], e[3], e[4])

	if err := j.Keep(second); err != nil { // a log of it could not be synced
		t.Fatal(err)
	}
	commit(t, j, e[5])
	third := commit(t, j, e[6]) // in a new file
	wantReplay(t, disk, e[2], e[3], e[4], e[5], e[6])
	j.Retired(third)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, err := Open(Options{FS: disk, Dir: dir, FileBytes: size}, true) // not all could be written back
	if err != nil {
		t.Fatal(err)
	}
	commit(t, j, e[7])
	wantReplay(t, disk, e[2], e[3], e[4], e[5], e[6], e[7])
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, disk, size)
	if left, err := list(disk, dir); err != nil || len(left) != 2 {
		t.Errorf("files %v %v", left, err)
	}
}

func TestCommit_BrokenByAnError(t *testing.T) {
	disk := newDisk(t)
	failing := false
	j := mustOpen(t, vfs.NewFaulty(disk, func(op vfs.Op) vfs.Fault {
		if failing && op.Kind == vfs.OpSyncData {
			failing = false // the next sync succeeds, and proves nothing
			return vfs.Fault{Err: syscall.EIO}
		}
		return vfs.Fault{}
	}), 1<<20)
	commit(t, j, entry(1, 1))
	failing = true
	e := entry(1, 2)
	j.Add(&e)
	if _, err := j.Commit(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("commit without a sync: %v", err)
	}
	j.Add(&e)
	if _, err := j.Commit(); err != ErrBroken {
		t.Fatalf("commit behind a failed one: %v", err)
	}
	wantReplay(t, disk, entry(1, 1))
}

func TestCommit_LargerThanAFile(t *testing.T) {
	j := mustOpen(t, newDisk(t), 2*alignment)
	e := entry(1, 1)
	e.Batches = make([]byte, 3*alignment)
	j.Add(&e)
	if _, err := j.Commit(); err != ErrFull {
		t.Fatal(err)
	}
	commit(t, j, entry(1, 1))
}

// written is a journal file of three rounds, and their entries.
func written(t testing.TB) (disk *vfs.Mem, name string, want []Entry) {
	disk = newDisk(t)
	j := mustOpen(t, disk, 8*alignment)
	for n := range 3 {
		commit(t, j, entry(1, n), entry(2, n))
		want = append(want, entry(1, n), entry(2, n))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return disk, fileName(dir, 1), want
}

func contents(t testing.TB, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, _ := f.Size()
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

func overwrite(t testing.TB, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.OpenFile(name, 2)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil && len(b) > 0 {
		_, err = f.WriteAt(b, 0)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestReplay_EveryBit flips every bit. What is replayed is whole rounds as they were
// written, and a round is missing only if it was hit; that it was not torn is noticed
// if another one lies behind.
func TestReplay_EveryBit(t *testing.T) {
	disk, name, want := written(t)
	b := contents(t, disk, name)
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		overwrite(t, disk, name, b)
		got, r, err := replay(disk)
		hit := min(bit/8/alignment, 3)
		expected, damaged := want, 0
		if !same(got, want) && hit < 3 {
			expected = slices.Concat(want[:2*hit], want[2*hit+2:])
			damaged = 1
			if hit == 2 {
				damaged = 0 // as if it had been torn
			}
		}
		if err != nil || !same(got, expected) || r.Damaged != damaged {
			t.Fatalf("bit %d: %d entries, %+v, %v", bit, len(got), r, err)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}

// TestReplay_EveryCut cuts the file everywhere.
func TestReplay_EveryCut(t *testing.T) {
	disk, name, want := written(t)
	b := contents(t, disk, name)
	for n := range len(b) {
		overwrite(t, disk, name, b[:n])
		got, r, err := replay(disk)
		if err != nil || r.Damaged != 0 || !same(got, want[:len(got)]) || len(got) < 2*(min(n, 3*alignment)/alignment) {
			t.Fatalf("%d bytes: %d entries, %+v, %v", n, len(got), r, err)
		}
	}
}

// FuzzReplay: whatever a file holds, it costs no more than its size and is an error
// or entries.
func FuzzReplay(f *testing.F) {
	disk, name, _ := written(f)
	f.Add(contents(f, disk, name))
	f.Fuzz(func(t *testing.T, b []byte) {
		disk, name, _ := written(t)
		overwrite(t, disk, name, b)
		total := 0
		_, _ = Replay(disk, dir, false, func(e *Entry) error {
			total += len(e.Batches)
			return nil
		})
		if total > len(b) {
			t.Fatalf("%d bytes of batches in a file of %d", total, len(b))
		}
	})
}
