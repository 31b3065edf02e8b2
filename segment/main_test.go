package segment

import (
	"bytes"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"

	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

const testDir = "data"

// openFiles counts the files that are open.
type openFiles struct {
	vfs.FS
	open, opened atomic.Int64
}

type countedFile struct {
	vfs.File
	fs *openFiles
}

func (c *openFiles) count(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	c.opened.Add(1)
	return &countedFile{f, c}, nil
}

func (c *openFiles) Open(name string) (vfs.File, error) { return c.count(c.FS.Open(name)) }

func (c *openFiles) OpenFile(name string, flag int) (vfs.File, error) {
	return c.count(c.FS.OpenFile(name, flag))
}

func (f *countedFile) Close() error {
	err := f.File.Close()
	if err == nil {
		f.fs.open.Add(-1)
	}
	return err
}

// stored is a batch as it was appended.
type stored struct {
	first, last, pos, max int64
	bytes                 []byte
}

// model is a segment and what is in it.
type model struct {
	t       *testing.T
	mem     *vfs.Mem
	fs      *openFiles
	opt     Options
	base    int64
	seg     *Segment
	batches []stored
	next    int64
}

// newModel makes an empty segment; its handles are checked at the end.
func newModel(t *testing.T, base int64) *model {
	mem := vfs.NewMem()
	if err := mem.MkdirAll(testDir); err != nil {
		t.Fatal(err)
	}
	m := &model{t: t, mem: mem, base: base, next: base}
	m.use(mem)
	s, err := Create(testDir, base, m.opt)
	if err != nil {
		t.Fatal(err)
	}
	m.seg = s
	t.Cleanup(func() {
		if err := m.seg.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if n := m.fs.open.Load(); n != 0 {
			t.Errorf("%d files remain open", n)
		}
	})
	return m
}

// use turns to a file system, which holds the segment.
func (m *model) use(mem *vfs.Mem) {
	m.mem, m.fs = mem, &openFiles{FS: mem}
	m.opt = Options{FS: m.fs, Handles: NewHandles(m.fs, 4), IndexInterval: 4096, Preallocate: 1 << 20}
}

// newBatch makes a batch of n records with random values of size bytes each.
func newBatch(t testing.TB, rng *rand.Rand, base int64, n, size int, timestamp int64) []byte {
	t.Helper()
	b := batch.Builder{BaseOffset: base, LeaderEpoch: 3}
	value := make([]byte, size)
	for i := range n {
		for j := range value {
			value[j] = byte(rng.Uint32())
		}
		b.Add(timestamp+int64(i), nil, value)
	}
	out, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// append adds batches in one write.
func (m *model) append(batches ...[]byte) {
	m.t.Helper()
	var entries []Entry
	pos := m.seg.Size()
	for _, b := range batches {
		h, err := batch.ParseHeader(b)
		if err != nil {
			m.t.Fatal(err)
		}
		entries = append(entries, Entry{Size: h.Size(), LastOffset: h.LastOffset(), MaxTimestamp: h.MaxTimestamp})
		m.batches = append(m.batches, stored{h.BaseOffset, h.LastOffset(), pos, h.MaxTimestamp, b})
		pos += h.Size()
		m.next = h.LastOffset() + 1
	}
	if err := m.seg.Append(batches, entries); err != nil {
		m.t.Fatal(err)
	}
}

// fill appends n random batches, some of them large.
func (m *model) fill(rng *rand.Rand, n int) {
	for n > 0 {
		group := min(n, 1+rng.IntN(3))
		var batches [][]byte
		next := m.next
		for range group {
			count, size := 1+rng.IntN(5), rng.IntN(200)
			if rng.IntN(15) == 0 {
				size = 3000 + rng.IntN(20000)
			}
			b := newBatch(m.t, rng, next, count, size, 1000+next+rng.Int64N(50))
			batches = append(batches, b)
			next += int64(count)
		}
		m.append(batches...)
		n -= group
	}
}

// want is what a read must return.
func (m *model) want(offset, maxBytes, limit int64, whole bool) (content []byte, found bool) {
	for _, b := range m.batches {
		if b.last < offset || b.pos >= limit {
			continue
		}
		size := int64(len(b.bytes))
		if !found && size > maxBytes {
			if whole {
				return b.bytes, true
			}
			return nil, true
		}
		found = true
		if int64(len(content))+size > maxBytes {
			break
		}
		content = append(content, b.bytes...)
	}
	return content, found
}

// read reads through a range and gives it back.
func read(s *Segment, offset, maxBytes, limit int64, whole bool) ([]byte, bool, error) {
	r, found, err := s.Read(offset, maxBytes, limit, whole)
	if err != nil {
		return nil, found, err
	}
	defer r.Release()
	content := make([]byte, r.Len())
	if len(content) > 0 {
		_, err = r.ReadAt(content, 0)
	}
	return content, found, err
}

// isPrefix says whether got is the model's batches from offset on, whole ones, and
// at least one.
func (m *model) isPrefix(got []byte, offset int64) bool {
	for i, b := range m.batches {
		if b.last < offset {
			continue
		}
		for ; i < len(m.batches) && len(got) > 0; i++ {
			if !bytes.HasPrefix(got, m.batches[i].bytes) {
				return false
			}
			got = got[len(m.batches[i].bytes):]
		}
		break
	}
	return len(got) == 0
}

func writeFile(t *testing.T, fsys vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
