package checkpoint

import (
	"maps"
	"os"
	"testing"

	"sordini/segment/vfs"
)

func TestMarks(t *testing.T) {
	mem := vfs.NewMem()
	if got, err := ReadMarks(mem, "."); err != nil || len(got) > 0 {
		t.Errorf("without a file: %v, %v", got, err)
	}
	m, err := CreateMarks(mem, ".")
	if err != nil {
		t.Fatal(err)
	}
	keys := []MarkKey{{[16]byte{1}, 0}, {[16]byte{1}, 1}}
	a, b := m.Of(keys[0]), m.Of(keys[1])
	a.Raise(5)
	b.Raise(7)
	a.Raise(9)
	want := map[MarkKey]Marked{keys[0]: {9, true}, keys[1]: {7, true}}
	expect := func(what string, want map[MarkKey]Marked) {
		t.Helper()
		if got, err := ReadMarks(mem, "."); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", what, got, err, want)
		}
	}
	expect("raised", want)
	f, err := mem.OpenFile(MarksFile, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	byteAt := make([]byte, 1)
	for bit := range 8 * markSize {
		pos := int64(bit / 8)
		if _, err := f.ReadAt(byteAt, pos); err != nil {
			t.Fatal(err)
		}
		byteAt[0] ^= 1 << (bit % 8)
		if _, err := f.WriteAt(byteAt, pos); err != nil {
			t.Fatal(err)
		}
		expect("one bit of the first slot flipped", map[MarkKey]Marked{keys[1]: {7, true}})
		byteAt[0] ^= 1 << (bit % 8)
		if _, err := f.WriteAt(byteAt, pos); err != nil {
			t.Fatal(err)
		}
	}
	for size := int64(2*markSize - 1); size >= markSize; size-- {
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		expect("cut", map[MarkKey]Marked{keys[0]: {9, true}})
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMarks_Begin: from Begin to End, and after DoubtMarks, a log is not idle, and
// what was said of offsets stays.
func TestMarks_Begin(t *testing.T) {
	mem := vfs.NewMem()
	if err := DoubtMarks(mem, "."); err != nil {
		t.Errorf("without a file: %v", err)
	}
	m, err := CreateMarks(mem, ".")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	keys := []MarkKey{{[16]byte{1}, 0}, {[16]byte{1}, 1}}
	a, b := m.Of(keys[0]), m.Of(keys[1])
	expect := func(what string, want map[MarkKey]Marked) {
		t.Helper()
		if got, err := ReadMarks(mem, "."); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", what, got, err, want)
		}
	}
	begin := func(k *Mark) {
		t.Helper()
		if err := k.Begin(); err != nil {
			t.Fatal(err)
		}
	}
	begin(a)
	b.Raise(0)
	expect("begun", map[MarkKey]Marked{keys[0]: {0, false}, keys[1]: {0, true}})
	a.Raise(3)
	expect("raised by another than the sync that has begun", map[MarkKey]Marked{keys[0]: {3, false}, keys[1]: {0, true}})
	begin(a)
	a.End(4)
	expect("one of two syncs ended", map[MarkKey]Marked{keys[0]: {4, false}, keys[1]: {0, true}})
	a.End(5)
	begin(b)
	expect("ended", map[MarkKey]Marked{keys[0]: {5, true}, keys[1]: {0, false}})
	if err := DoubtMarks(mem, "."); err != nil {
		t.Fatal(err)
	}
	expect("doubted", map[MarkKey]Marked{keys[0]: {5, false}, keys[1]: {0, false}})
	faulty := vfs.NewFaulty(mem, func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpWrite {
			return vfs.Fault{Err: os.ErrInvalid}
		}
		return vfs.Fault{}
	})
	other, err := CreateMarks(faulty, ".")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if other.Of(keys[0]).Begin() == nil {
		t.Error("a begin that was not written is no error")
	}
}

func TestMarks_RaiseAllocatesNothing(t *testing.T) {
	m, err := CreateMarks(vfs.OS(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	mark := m.Of(MarkKey{})
	if n := testing.AllocsPerRun(100, func() { mark.Raise(1) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}
