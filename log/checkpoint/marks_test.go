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
	want := map[MarkKey]int64{keys[0]: 9, keys[1]: 7}
	expect := func(what string, want map[MarkKey]int64) {
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
		expect("one bit of the first slot flipped", map[MarkKey]int64{keys[1]: 7})
		byteAt[0] ^= 1 << (bit % 8)
		if _, err := f.WriteAt(byteAt, pos); err != nil {
			t.Fatal(err)
		}
	}
	for size := int64(2*markSize - 1); size >= markSize; size-- {
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		expect("cut", map[MarkKey]int64{keys[0]: 9})
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
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
