package segment

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

// checkReads compares random reads, and one from every offset, with the model.
func (m *model) checkReads(rng *rand.Rand) {
	m.t.Helper()
	check := func(offset, maxBytes, limit int64, whole bool) {
		m.t.Helper()
		got, found, err := read(m.seg, offset, maxBytes, limit, whole)
		want, wantFound := m.want(offset, maxBytes, limit, whole)
		if err != nil || found != wantFound {
			m.t.Fatalf("read %d max %d limit %d: found %v, want %v: %v", offset, maxBytes, limit, found, wantFound, err)
		}
		// A read may stop at an index entry, short of what would fit.
		enough := len(want) == 0 || len(got) > 0 && int64(len(got))+25000 > min(int64(len(want)), maxBytes)
		if !bytes.HasPrefix(want, got) || !m.isPrefix(got, offset) || !enough {
			m.t.Fatalf("read %d max %d limit %d whole %v: %d bytes, want %d", offset, maxBytes, limit, whole, len(got), len(want))
		}
	}
	for offset := m.base; offset <= m.next; offset++ {
		check(offset, 1+rng.Int64N(60000), m.seg.Size(), true)
		check(offset, 1+rng.Int64N(30000), m.seg.Size(), rng.IntN(2) == 0)
		b := m.batches[rng.IntN(len(m.batches))]
		check(offset, 1+rng.Int64N(30000), b.pos, rng.IntN(2) == 0)
	}
	check(m.base, math.MaxInt64, math.MaxInt64, true)
	check(m.next+1<<40, 1, math.MaxInt64, true)
}

func TestRead_ActiveSealedAndReopenedGiveTheSame(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := newModel(t, rng.Int64N(2)*1_000_000)
		m.fill(rng, 1+rng.IntN(300))
		m.checkReads(rng)
		if err := m.seg.Seal(); err != nil {
			t.Fatal(err)
		}
		m.checkReads(rng)
		if err := m.seg.Close(); err != nil {
			t.Fatal(err)
		}
		s, err := OpenSealed(testDir, m.base, m.opt)
		if err != nil {
			t.Fatal(err)
		}
		m.seg = s
		m.checkReads(rng)
	}
}

func TestRead_ConsumerWalksThroughWithEveryByteOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	m := newModel(t, 0)
	m.fill(rng, 500)
	if err := m.seg.Seal(); err != nil {
		t.Fatal(err)
	}
	for _, maxBytes := range []int64{1, 100, 5000, 100000} {
		var got []byte
		for offset := int64(0); offset < m.next; {
			b, found, err := read(m.seg, offset, maxBytes, math.MaxInt64, true)
			if err != nil || !found || !m.isPrefix(b, offset) {
				t.Fatalf("read %d: %v %v", offset, found, err)
			}
			got = append(got, b...)
			for _, x := range m.batches {
				if x.pos+int64(len(x.bytes)) == int64(len(got)) {
					offset = x.last + 1
				}
			}
		}
		if int64(len(got)) != m.seg.Size() {
			t.Errorf("max %d: %d bytes of %d", maxBytes, len(got), m.seg.Size())
		}
	}
}

// TestRead_DamagedIndexGivesRightBytesOrAnError flips bytes in the offset index,
// cuts it, and removes it, both for a sealed segment and for one that is loaded
// to be appended to.
func TestRead_DamagedIndexGivesRightBytesOrAnError(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	m := newModel(t, 1000)
	m.fill(rng, 120)
	if err := m.seg.Seal(); err != nil {
		t.Fatal(err)
	}
	name := m.seg.path(IndexSuffix)
	good, err := readFile(m.mem, name)
	if err != nil {
		t.Fatal(err)
	}
	if len(good) < 5*8 {
		t.Fatalf("only %d bytes of index", len(good))
	}
	times, err := readFile(m.mem, m.seg.path(TimeIndexSuffix))
	if err != nil {
		t.Fatal(err)
	}
	refused, served := 0, 0
	try := func(index []byte, appendable bool) {
		t.Helper()
		writeFile(t, m.mem, name, index)
		writeFile(t, m.mem, m.seg.path(TimeIndexSuffix), times)
		s, err := m.open(appendable)
		if err != nil {
			refused++
			return
		}
		defer s.Close()
		for range 40 {
			offset := m.base + rng.Int64N(m.next-m.base)
			got, found, err := read(s, offset, 1+rng.Int64N(30000), math.MaxInt64, true)
			if err != nil {
				refused++
				continue
			}
			served++
			if !found || len(got) == 0 || !m.isPrefix(got, offset) {
				t.Fatalf("index % x: read of %d gives %d wrong bytes", index, offset, len(got))
			}
		}
	}
	for _, appendable := range []bool{false, true} {
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= byte(1 << rng.IntN(8))
			try(bad, appendable)
			try(good[:i], appendable)
		}
	}
	if err := m.mem.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if _, err := OpenSealed(testDir, m.base, m.opt); err == nil {
		t.Error("a missing index is accepted")
	}
	if served < 1000 || refused == 0 {
		t.Errorf("served %d, refused %d: nothing was tested", served, refused)
	}
}

func (m *model) open(appendable bool) (*Segment, error) {
	if appendable {
		return OpenActive(testDir, m.base, m.next, m.seg.Size(), m.opt, func(batch.Header) {})
	}
	return OpenSealed(testDir, m.base, m.opt)
}

func TestRead_IndexRemovedUnderneathCostsAScan(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 7))
	m := newModel(t, 0)
	m.fill(rng, 200)
	if err := m.seg.Seal(); err != nil {
		t.Fatal(err)
	}
	if err := m.mem.Remove(m.seg.path(IndexSuffix)); err != nil {
		t.Fatal(err)
	}
	m.checkReads(rng)
}

func TestRange_OutlivesItsSegment(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 7))
	m := newModel(t, 0)
	m.fill(rng, 50)
	r, _, err := m.seg.Read(0, 1<<30, math.MaxInt64, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.seg.Remove(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, r.Len())
	if _, err := r.ReadAt(got, 0); err != nil || !m.isPrefix(got, 0) {
		t.Errorf("read after removal: %v", err)
	}
	r.Release()
	if r.Len() != 0 {
		t.Error("the range is not empty after Release")
	}
	if _, _, err := m.seg.Read(0, 1, math.MaxInt64, true); !errors.Is(err, ErrClosed) {
		t.Errorf("read of a removed segment: %v", err)
	}
	entries, err := m.mem.ReadDir(testDir)
	if err != nil || len(entries) != 0 {
		t.Errorf("files remain: %v, %v", entries, err)
	}
}

// TestHandles_ConcurrentReadersWhileSegmentsGo runs readers against sealing and
// removing, and counts files at the end.
func TestHandles_ConcurrentReadersWhileSegmentsGo(t *testing.T) {
	mem := vfs.NewMem()
	if err := mem.MkdirAll(testDir); err != nil {
		t.Fatal(err)
	}
	counted := &openFiles{FS: mem}
	opt := Options{FS: counted, Handles: NewHandles(counted, 3), IndexInterval: 4096}
	var models []*model
	for i := range 6 {
		m := &model{t: t, mem: mem, fs: counted, opt: opt, base: int64(i) * 10000, next: int64(i) * 10000}
		s, err := Create(testDir, m.base, opt)
		if err != nil {
			t.Fatal(err)
		}
		m.seg = s
		m.fill(rand.New(rand.NewPCG(uint64(i), 9)), 100)
		models = append(models, m)
	}
	var readers sync.WaitGroup
	for i := range 8 {
		readers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 10))
			for range 400 {
				m := models[rng.IntN(len(models))]
				offset := m.base + rng.Int64N(m.next-m.base)
				got, _, err := read(m.seg, offset, 1+rng.Int64N(20000), math.MaxInt64, true)
				if err != nil && !errors.Is(err, ErrClosed) || err == nil && !m.isPrefix(got, offset) {
					t.Errorf("read %d: %d bytes, %v", offset, len(got), err)
					return
				}
			}
		})
	}
	for i, m := range models {
		if err := m.seg.Seal(); err != nil {
			t.Error(err)
		}
		if i%2 == 0 {
			if err := m.seg.Remove(); err != nil {
				t.Error(err)
			}
		}
	}
	readers.Wait()
	if n := counted.open.Load(); n > 3*2 {
		t.Errorf("%d files are open while nobody reads; at most 3 logs and their indexes may be", n)
	}
	for _, m := range models {
		if err := m.seg.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := counted.open.Load(); n != 0 || counted.opened.Load() == 0 {
		t.Errorf("%d of %d files remain open", n, counted.opened.Load())
	}
}

func TestRead_Allocates(t *testing.T) {
	if raceEnabled {
		return // sync.Pool drops what it holds on purpose
	}
	dir := t.TempDir()
	opt := Options{FS: vfs.OS(), Handles: NewHandles(vfs.OS(), 4), IndexInterval: 4096}
	s, err := Create(dir, 0, opt)
	if err != nil {
		t.Fatal(err)
	}
	m := &model{t: t, base: 0, seg: s}
	m.fill(rand.New(rand.NewPCG(1, 1)), 500)
	defer s.Close()
	offset := int64(0)
	measure := func(name string) {
		t.Helper()
		got := testing.AllocsPerRun(500, func() {
			offset = (offset + 17) % m.next
			r, found, err := s.Read(offset, 10000, math.MaxInt64, true)
			if err != nil || !found {
				t.Fatal(err)
			}
			r.Release()
		})
		if got > 1 {
			t.Errorf("%s: %v allocations a read, want at most 1", name, got)
		}
	}
	measure("active")
	if err := s.Seal(); err != nil {
		t.Fatal(err)
	}
	measure("sealed")
}
