package inspect

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"sordini/protocol/batch"
	"sordini/segment"
)

// logBytes are the bytes of a segment.
func logBytes(t *testing.T, batches int) []byte {
	t.Helper()
	l, dir := openLog(t, 1<<30)
	appendBatches(t, l, 0, batches)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, segment.FileName(0, segment.LogSuffix)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func inMemory(b []byte) Log {
	return Log{Reader: bytes.NewReader(b), Size: func() (int64, error) { return int64(len(b)), nil }}
}

// scanAll returns the items and holds that they cover the log without gaps.
func scanAll(t *testing.T, l Log) []Item {
	t.Helper()
	var items []Item
	var pos int64
	err := Scan(l, func(item Item, _ func() ([]byte, error)) error {
		if item.Pos != pos || item.Size <= 0 {
			t.Fatalf("item at %d of %d bytes, want one at %d", item.Pos, item.Size, pos)
		}
		pos += item.Size
		items = append(items, item)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if size, _ := l.Size(); pos != size {
		t.Fatalf("items end at %d, the log at %d", pos, size)
	}
	return items
}

func TestScan_LoadsWholeBatches(t *testing.T) {
	b := logBytes(t, 5)
	offset := int64(0)
	err := Scan(inMemory(b), func(item Item, load func() ([]byte, error)) error {
		whole, err := load()
		if err != nil {
			return err
		}
		for r, err := range batch.Records(whole, batch.Limits{}) {
			if err != nil {
				return err
			}
			if r.Offset != offset {
				t.Errorf("record %d, want %d", r.Offset, offset)
			}
			offset++
		}
		return nil
	})
	if err != nil || offset != 15 {
		t.Errorf("%d records, %v; want 15", offset, err)
	}
}

// growing is a log to which the rest is written between two looks at its size.
type growing struct {
	*bytes.Reader
	sizes []int64
}

func (g *growing) size() (int64, error) {
	size := g.sizes[0]
	if len(g.sizes) > 1 {
		g.sizes = g.sizes[1:]
	}
	return size, nil
}

func TestScan_WriteInProgressIsNotTorn(t *testing.T) {
	b := logBytes(t, 5)
	short := int64(len(b)) - 100
	g := &growing{bytes.NewReader(b), []int64{short, short, short + 50, int64(len(b))}}
	pauses := 0
	items := scanAll(t, Log{Reader: g, Size: g.size, Pause: func() { pauses++ }})
	if pauses == 0 {
		t.Error("the size was asked again without a pause")
	}
	if len(items) != 5 {
		t.Fatalf("%d items, want 5", len(items))
	}
	for _, item := range items {
		if item.Fault != nil {
			t.Errorf("batch %d: %v", item.Offset, item.Fault)
		}
	}
}

func TestScan_ReadErrorEndsIt(t *testing.T) {
	b := logBytes(t, 5)
	broken := errors.New("input/output error")
	l := inMemory(b)
	l.Reader = readerFunc(func([]byte, int64) (int, error) { return 0, broken })
	if err := Scan(l, func(Item, func() ([]byte, error)) error { return nil }); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	l.Reader = readerFunc(func([]byte, int64) (int, error) { return 0, io.EOF })
	if err := Scan(l, func(Item, func() ([]byte, error)) error { return nil }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

type readerFunc func([]byte, int64) (int, error)

func (f readerFunc) ReadAt(b []byte, pos int64) (int, error) { return f(b, pos) }

// TestScan_EveryFlip flips each byte in turn: the scan never fails, covers all bytes, and sees the damage wherever
// the checksum or the order of offsets can.
func TestScan_EveryFlip(t *testing.T) {
	b := logBytes(t, 4)
	size := len(b) / 4
	for pos := range b {
		damaged := bytes.Clone(b)
		damaged[pos] ^= 0xff
		items := scanAll(t, inMemory(damaged))
		faults := 0
		for _, item := range items {
			if item.Fault != nil {
				faults++
			}
		}
		in := pos % size
		// Flipped, base offset and leader epoch are negative, or follow from nothing before them.
		hidden := in >= 12 && in < 16 || in < 8
		if faults == 0 && !hidden {
			t.Errorf("the flip at %d, byte %d of its batch, is not seen", pos, in)
		}
	}
}

func FuzzScan(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	f.Add(noise)
	f.Add(bytes.Repeat([]byte{2}, 300))
	f.Add(make([]byte, 200))
	var builder batch.Builder
	builder.Add(1, []byte("key"), []byte("value"))
	good, err := builder.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(noise[:10:10], good...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 {
			scanAll(t, inMemory(b))
		}
	})
}
