package segment

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

const cleanedDir = "t-0"

func cleanedOptions(t testing.TB) (*vfs.Mem, Options) {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll(cleanedDir); err != nil {
		t.Fatal(err)
	}
	return mem, Options{FS: mem, Handles: NewHandles(mem, 4), IndexInterval: 200}
}

// fillSegment appends n batches of one record with a value of size bytes and seals.
func fillSegment(t testing.TB, s *Segment, n, size int, value byte) [][]byte {
	t.Helper()
	var all [][]byte
	for i := range n {
		b := batch.Builder{BaseOffset: s.Base() + int64(i)}
		b.Add(int64(1000+i), []byte("key"), bytes.Repeat([]byte{value}, size))
		raw, err := b.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		e := Entry{Size: int64(len(raw)), LastOffset: s.Base() + int64(i), MaxTimestamp: int64(1000 + i)}
		if err := s.Append([][]byte{raw}, []Entry{e}); err != nil {
			t.Fatal(err)
		}
		all = append(all, raw)
	}
	if err := s.Seal(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSequence(t *testing.T) {
	_, opt := cleanedOptions(t)
	for _, size := range []int{10, scanBuffer / 3, scanBuffer + 5000} {
		s, err := Create(cleanedDir, 40, opt)
		if err != nil {
			t.Fatal(err)
		}
		want := fillSegment(t, s, 12, size, 'x')
		for _, from := range []int64{0, 40, 45, 51, 52} {
			q, err := s.Sequence()
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Skip(from); err != nil {
				t.Fatal(err)
			}
			for i := max(0, from-40); i < 12; i++ {
				h, b, err := q.Next()
				if err != nil || h.BaseOffset != 40+i || !bytes.Equal(b, want[i]) {
					t.Fatalf("size %d from %d: batch %d: %+v %v", size, from, i, h, err)
				}
			}
			if _, _, err := q.Next(); err != io.EOF {
				t.Fatalf("behind the last: %v", err)
			}
			q.Close()
		}
		if err := s.Remove(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSequence_EveryFlip: no flipped bit of a .log file gets through.
func TestSequence_EveryFlip(t *testing.T) {
	mem, opt := cleanedOptions(t)
	s, err := Create(cleanedDir, 0, opt)
	if err != nil {
		t.Fatal(err)
	}
	fillSegment(t, s, 5, 20, 'x')
	for bit := range s.Size() * 8 {
		flipAt(t, mem, s.Path(), bit)
		opened, err := OpenSealed(cleanedDir, 0, opt)
		if err != nil {
			t.Fatal(err)
		}
		var corrupt *CorruptError
		if err := readSequence(opened); !errors.As(err, &corrupt) {
			t.Errorf("bit %d: %v", bit, err)
		}
		if err := opened.Close(); err != nil {
			t.Fatal(err)
		}
		flipAt(t, mem, s.Path(), bit)
	}
}

func readSequence(s *Segment) error {
	q, err := s.Sequence()
	if err != nil {
		return err
	}
	defer q.Close()
	for err == nil {
		_, _, err = q.Next()
	}
	if err == io.EOF {
		return nil
	}
	return err
}

func flipAt(t testing.TB, mem *vfs.Mem, name string, bit int64) {
	t.Helper()
	f, err := mem.OpenFile(name, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], bit/8); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (bit % 8)
	if _, err := f.WriteAt(b[:], bit/8); err != nil {
		t.Fatal(err)
	}
}

// TestCleaned_Names follows the files of a cleaned segment to their places, while
// readers read, and makes sure that the segment before never opens them.
func TestCleaned_Names(t *testing.T) {
	mem, opt := cleanedOptions(t)
	old, err := Create(cleanedDir, 0, opt)
	if err != nil {
		t.Fatal(err)
	}
	fillSegment(t, old, 30, 50, 'o')
	s, err := CreateCleaned(cleanedDir, 0, opt)
	if err != nil {
		t.Fatal(err)
	}
	fillSegment(t, s, 30, 50, 'n')
	done := make(chan struct{})
	var readers sync.WaitGroup
	read := func(s *Segment, value byte, mayClose bool) {
		for {
			select {
			case <-done:
				return
			default:
			}
			r, _, err := s.Read(7, 300, s.Size(), true)
			if mayClose && errors.Is(err, ErrClosed) {
				return
			}
			b := make([]byte, r.Len())
			if err == nil {
				_, err = r.ReadAt(b, 0)
			}
			r.Release()
			if err != nil || !bytes.Contains(b, bytes.Repeat([]byte{value}, 50)) {
				t.Errorf("%c: %d bytes, %v", value, len(b), err)
				return
			}
		}
	}
	readers.Go(func() { read(s, 'n', false) })
	readers.Go(func() { read(old, 'o', true) })
	for _, step := range []func() error{s.Complete, old.Close, s.PlaceDerived, s.PlaceLog, s.PlaceLog} {
		if err := step(); err != nil {
			t.Error(err)
		}
	}
	close(done)
	readers.Wait()
	if _, _, err := old.Read(7, 300, old.Size(), true); !errors.Is(err, ErrClosed) {
		t.Errorf("the segment before: %v", err)
	}
	entries, err := mem.ReadDir(cleanedDir)
	if err != nil || len(entries) != len(Suffixes())-2 { // no key index
		t.Errorf("%d files, %v", len(entries), err)
	}
	if opened, err := OpenSealed(cleanedDir, 0, opt); err != nil || readSequence(opened) != nil {
		t.Errorf("opened again: %v", err)
	}
}

func TestCleaned_SwapEndAndDiscard(t *testing.T) {
	mem, opt := cleanedOptions(t)
	s, err := CreateCleaned(cleanedDir, 5, opt)
	if err != nil {
		t.Fatal(err)
	}
	fillSegment(t, s, 10, 20, 'n')
	if err := s.Complete(); err != nil {
		t.Fatal(err)
	}
	if end, err := SwapEnd(cleanedDir, 5, opt); err != nil || end != 15 {
		t.Errorf("end %d, %v, want 15", end, err)
	}
	flipAt(t, mem, s.Path(), 800)
	var corrupt *CorruptError
	if _, err := SwapEnd(cleanedDir, 5, opt); !errors.As(err, &corrupt) || !strings.HasSuffix(corrupt.File, SwapSuffix) {
		t.Errorf("damaged: %v", err)
	}
	if err := s.Discard(); err != nil {
		t.Fatal(err)
	}
	if entries, err := mem.ReadDir(cleanedDir); err != nil || len(entries) != 0 {
		t.Errorf("%v is left, %v", entries, err)
	}
}
