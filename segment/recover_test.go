package segment

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

func ignore(batch.Header) {}

// recoverWith writes content as the .log file of a fresh directory and recovers.
func (m *model) recoverWith(content []byte, durable int64) (*Segment, Recovered, error) {
	m.t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll(testDir); err != nil {
		m.t.Fatal(err)
	}
	if err := mem.SyncDir("."); err != nil {
		m.t.Fatal(err)
	}
	m.use(mem)
	writeFile(m.t, mem, testDir+"/"+FileName(m.base, LogSuffix), content)
	return Recover(testDir, m.base, durable, m.opt, ignore)
}

// content is all bytes of the segment.
func (m *model) content() []byte {
	var b []byte
	for _, x := range m.batches {
		b = append(b, x.bytes...)
	}
	return b
}

// recovered makes a segment of n small batches and closes it.
func recovered(t *testing.T, base int64, n int) (*model, []byte) {
	m := newModel(t, base)
	rng := rand.New(rand.NewPCG(3, 3))
	for range n {
		m.append(newBatch(t, rng, m.next, 1+rng.IntN(3), rng.IntN(60), 1000+m.next))
	}
	if err := m.seg.Close(); err != nil {
		t.Fatal(err)
	}
	return m, m.content()
}

func TestRecover_TornTailIsCutAtEveryByte(t *testing.T) {
	m, all := recovered(t, 500, 40)
	for _, junk := range [][]byte{nil, make([]byte, 700), bytes.Repeat([]byte{2, 0, 7}, 50)} {
		for cut := int(m.batches[36].pos); cut <= len(all); cut++ {
			content := append(bytes.Clone(all[:cut]), junk...)
			end, whole := 0, 0
			for _, b := range m.batches {
				if bytes.HasPrefix(content[end:], b.bytes) { // the junk may complete it
					end, whole = end+len(b.bytes), whole+1
				}
			}
			s, r, err := m.recoverWith(content, m.batches[36].first)
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			if int(s.Size()) != end || int(r.Batches) != whole || int(r.Cut) != len(content)-end || r.Damaged {
				t.Fatalf("cut at %d: %+v, size %d, want %d", cut, r, s.Size(), end)
			}
			m.checkAside(r, content[end:])
			got, _, err := read(s, m.base, 1<<30, math.MaxInt64, true)
			if err != nil || !bytes.Equal(got, all[:end]) {
				t.Fatalf("cut at %d: %d bytes served: %v", cut, len(got), err)
			}
			m.seg = s
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// checkAside compares what was kept of a tail with the tail.
func (m *model) checkAside(r Recovered, tail []byte) {
	m.t.Helper()
	if len(bytes.Trim(tail, "\x00")) == 0 {
		if r.CutFile != "" {
			m.t.Fatalf("zeros are kept in %s", r.CutFile)
		}
		return
	}
	kept, err := readFile(m.mem, r.CutFile)
	if err != nil || !bytes.Equal(kept, tail) || !strings.HasSuffix(r.CutFile, TornSuffix) {
		m.t.Fatalf("%q keeps %d bytes of %d: %v", r.CutFile, len(kept), len(tail), err)
	}
}

// TestRecover_DamageBelowDurableHurtsItsOwnBatchOnly flips every bit of a batch
// in the middle and at the ends.
func TestRecover_DamageBelowDurableHurtsItsOwnBatchOnly(t *testing.T) {
	m, all := recovered(t, 500, 12)
	for _, hit := range []int{0, 5, 6} {
		b := m.batches[hit]
		for i := range len(b.bytes) * 8 {
			content := bytes.Clone(all)
			content[int(b.pos)+i/8] ^= 1 << (i % 8)
			for _, durable := range []int64{b.last + 1, m.next} {
				s, r, err := m.recoverWith(content, durable)
				if err != nil {
					t.Fatalf("batch %d bit %d: %v", hit, i, err)
				}
				m.seg = s
				m.checkOneLost(s, r, hit, i, content)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// checkOneLost makes sure that all batches but one are served as they were, and
// that one, if it is served, with nothing changed but the leader epoch.
func (m *model) checkOneLost(s *Segment, r Recovered, hit, bit int, content []byte) {
	m.t.Helper()
	if r.Cut != 0 || s.Size() != int64(len(content)) {
		m.t.Fatalf("batch %d bit %d: %d bytes were cut", hit, bit, r.Cut)
	}
	for i, b := range m.batches {
		got, found, err := read(s, b.first, 1, math.MaxInt64, true)
		switch {
		case i != hit && (err != nil || !found || !bytes.Equal(got, b.bytes)):
			m.t.Fatalf("batch %d bit %d: batch %d is lost: %v %v", hit, bit, i, found, err)
		case i == hit && err == nil && !bytes.Equal(got, b.bytes):
			if h, perr := batch.ParseHeader(got); perr != nil || h.BaseOffset != b.first || !bytes.Equal(got[16:], b.bytes[16:]) {
				m.t.Fatalf("batch %d bit %d: wrong bytes are served", hit, bit)
			}
		case i == hit && err != nil:
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || !r.Damaged {
				m.t.Fatalf("batch %d bit %d: %v, damaged %v", hit, bit, err, r.Damaged)
			}
		}
	}
}

func TestRecover_DamageOfTheLastDurableBatchKeepsWhatIsBehind(t *testing.T) {
	m, all := recovered(t, 0, 20)
	content := bytes.Clone(all)
	hit := m.batches[9]
	for i := range len(hit.bytes) {
		content[int(hit.pos)+i] = 0xAA
	}
	s, r, err := m.recoverWith(content, hit.last+1)
	if err != nil {
		t.Fatal(err)
	}
	m.seg = s
	if r.Next != m.next || r.Batches != 19 || !r.Damaged || r.Cut != 0 {
		t.Errorf("%+v, want 19 batches up to %d", r, m.next)
	}
	got, _, err := read(s, m.batches[10].first, 1<<30, math.MaxInt64, true)
	if err != nil || !bytes.Equal(got, all[m.batches[10].pos:]) {
		t.Errorf("behind the damage: %d bytes, %v", len(got), err)
	}
	if got, _, err = read(s, 0, 1<<30, math.MaxInt64, true); err != nil || !bytes.Equal(got, all[:hit.pos]) {
		t.Errorf("before the damage: %d bytes, %v", len(got), err)
	}
}

func TestRecover_BatchInsideOfAValueIsNoBatch(t *testing.T) {
	m := newModel(t, 0)
	rng := rand.New(rand.NewPCG(3, 3))
	m.append(newBatch(t, rng, 0, 2, 10, 5))
	b := batch.Builder{BaseOffset: 2, LeaderEpoch: 3}
	b.Add(7, nil, newBatch(t, rng, 1_000_000, 1, 100, 9))
	evil, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	m.append(evil)
	for range 5 {
		m.append(newBatch(t, rng, m.next, 2, 10, 5))
	}
	if err := m.seg.Close(); err != nil {
		t.Fatal(err)
	}
	content := m.content()
	content[m.batches[1].pos+11] ^= 0x80 // the length, so that only the bytes can tell
	s, r, err := m.recoverWith(content, 3)
	if err != nil {
		t.Fatal(err)
	}
	m.seg = s
	if r.Next != m.next || r.Batches != 6 {
		t.Errorf("%+v, want to go on at 3 up to %d", r, m.next)
	}
}

func TestRecover_WritesAgainWhatAFailedSyncLeftBehind(t *testing.T) {
	m, all := recovered(t, 0, 10)
	half := m.batches[5].pos
	s, _, err := m.recoverWith(all[:half], 0)
	if err != nil {
		t.Fatal(err)
	}
	m.seg, m.next = s, m.batches[5].first
	late := m.batches[5:]
	for _, b := range late {
		m.append(b.bytes)
	}
	if err := m.mem.SyncDir(testDir); err != nil {
		t.Fatal(err)
	}
	if err := m.mem.Forget(s.Path()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, r, err := Recover(testDir, 0, m.batches[5].first, m.opt, ignore)
	if err != nil || r.Batches != 10 {
		t.Fatalf("%+v %v", r, err)
	}
	m.seg = s
	disk := m.mem.Crash(1, vfs.CrashDropAll)
	got, err := readFile(disk, testDir+"/"+FileName(0, LogSuffix))
	if err != nil || !bytes.Equal(got, all) {
		t.Errorf("after a power cut %d of %d bytes are right: %v", commonPrefix(got, all), len(all), err)
	}
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func TestOpenActive_EqualsRecover(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 4))
		m := newModel(t, 70)
		m.fill(rng, rng.IntN(150))
		if err := m.seg.Sync(); err != nil {
			t.Fatal(err)
		}
		if err := m.seg.WriteIndexes(); err != nil {
			t.Fatal(err)
		}
		size := m.seg.Size()
		if err := m.seg.Close(); err != nil {
			t.Fatal(err)
		}
		a, err := OpenActive(testDir, 70, m.next, size, m.opt, ignore)
		if err != nil {
			t.Fatal(err)
		}
		m.seg = a
		if _, err := m.mem.Stat(a.path(IndexSuffix)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the index file is left to go stale: %v", err)
		}
		if size > 0 {
			m.checkReads(rng)
		}
		ao, at := a.active.Load().Files()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		b, _, err := Recover(testDir, 70, m.next, m.opt, ignore)
		if err != nil {
			t.Fatal(err)
		}
		m.seg = b
		bo, bt := b.active.Load().Files()
		if !bytes.Equal(ao, bo) || !bytes.Equal(at, bt) || a.FirstTimestamp() != b.FirstTimestamp() || a.Size() != b.Size() {
			t.Errorf("seed %d: indexes differ: %d %d, %d %d", seed, len(ao), len(bo), len(at), len(bt))
		}
		if ts, off := a.MaxTimestamp(); true {
			if bts, boff := b.MaxTimestamp(); ts != bts || off != boff {
				t.Errorf("seed %d: max %d at %d, %d at %d", seed, ts, off, bts, boff)
			}
		}
		for range 5 {
			m.fill(rng, 3)
		}
		m.checkReads(rng)
	}
}

// TestOpenActive_ReadsLittle: a start opens thousands of segments, of which it reads the
// first batch and those behind the last index entry.
func TestOpenActive_ReadsLittle(t *testing.T) {
	m := newModel(t, 0)
	rng := rand.New(rand.NewPCG(1, 4))
	for range 200 {
		m.append(newBatch(t, rng, m.next, 10, 1000, 5))
	}
	if err := m.seg.WriteIndexes(); err != nil {
		t.Fatal(err)
	}
	size := m.seg.Size()
	if err := m.seg.Close(); err != nil {
		t.Fatal(err)
	}
	var read atomic.Int64
	opt := m.opt
	opt.FS = vfs.NewFaulty(m.fs, func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpRead && filepath.Ext(op.Path) == LogSuffix {
			read.Add(op.Size)
		}
		return vfs.Fault{}
	})
	s, err := OpenActive(testDir, 0, m.next, size, opt, ignore)
	if err != nil {
		t.Fatal(err)
	}
	m.seg = s
	if batch := int64(len(m.batches[0].bytes)); read.Load() > 3*batch+lookAhead {
		t.Errorf("%d bytes were read of a segment of %d with batches of %d", read.Load(), size, batch)
	}
}

func TestOpenActive_RefusesWhatDiffersFromTheShutdown(t *testing.T) {
	m := newModel(t, 0)
	m.fill(rand.New(rand.NewPCG(1, 4)), 50)
	if err := m.seg.WriteIndexes(); err != nil {
		t.Fatal(err)
	}
	size := m.seg.Size()
	for _, bad := range [][2]int64{{m.next + 1, size}, {m.next - 1, size}, {m.next, size + 1}, {m.next, size - 1}} {
		if s, err := OpenActive(testDir, 0, bad[0], bad[1], m.opt, ignore); err == nil {
			t.Errorf("end %d size %d accepted, they are %d %d", bad[0], bad[1], m.next, size)
			s.Close()
		}
	}
}

func TestTruncateTo_AtEveryOffset(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 6))
	m := newModel(t, 10)
	m.fill(rng, 60)
	for m.next > 10 {
		if rng.IntN(3) == 0 {
			if err := m.seg.Seal(); err != nil {
				t.Fatal(err)
			}
		}
		to := max(10, m.next-rng.Int64N(8))
		keep := len(m.batches)
		for keep > 0 && m.batches[keep-1].last >= to {
			keep--
		}
		m.batches = m.batches[:keep]
		m.next = 10
		var size int64
		if keep > 0 {
			last := m.batches[keep-1]
			m.next, size = last.last+1, last.pos+int64(len(last.bytes))
		}
		next, err := m.seg.TruncateTo(to)
		if err != nil || next != m.next || m.seg.Size() != size {
			t.Fatalf("truncate to %d: next %d size %d, want %d %d: %v", to, next, m.seg.Size(), m.next, size, err)
		}
		if keep > 0 {
			m.checkReads(rng)
		}
		if rng.IntN(4) == 0 {
			m.fill(rng, 2)
		}
	}
}

func TestProvenMaxTimestamp_SeesThroughADamagedTimeIndex(t *testing.T) {
	m := newModel(t, 0)
	m.fill(rand.New(rand.NewPCG(11, 4)), 100)
	var largest int64
	for _, b := range m.batches {
		largest = max(largest, b.max)
	}
	if err := m.seg.Seal(); err != nil {
		t.Fatal(err)
	}
	name := m.seg.path(TimeIndexSuffix)
	good, err := readFile(m.mem, name)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(good) - 12; i < len(good); i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		writeFile(t, m.mem, name, bad)
		s, err := OpenSealed(testDir, 0, m.opt)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.ProvenMaxTimestamp(); err != nil || got != largest {
			t.Errorf("byte %d: %d %v, want %d", i, got, err, largest)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzRecover(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 1))
	a := newBatch(f, rng, 100, 2, 30, 5)
	b := newBatch(f, rng, 102, 3, 9, 5)
	f.Add(append(bytes.Clone(a), b...), int64(105))
	f.Add(append(bytes.Clone(a), b[:30]...), int64(100))
	f.Add(append(append(bytes.Clone(a[:50]), b...), make([]byte, 600)...), int64(103))
	f.Add([]byte{}, int64(0))
	f.Fuzz(func(t *testing.T, content []byte, durable int64) {
		mem := vfs.NewMem()
		if err := mem.MkdirAll(testDir); err != nil {
			t.Fatal(err)
		}
		writeFile(t, mem, testDir+"/"+FileName(100, LogSuffix), content)
		opt := Options{FS: mem, Handles: NewHandles(mem, 1), IndexInterval: 64}
		s, r, err := Recover(testDir, 100, durable, opt, ignore)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if r.Cut+s.Size() != int64(len(content)) || r.Next < 100 || r.Damaged && durable <= 100 {
			t.Fatalf("%d bytes: %+v, size %d", len(content), r, s.Size())
		}
		for offset := int64(100); offset < min(r.Next, 200); offset++ {
			got, _, err := read(s, offset, 1, math.MaxInt64, true)
			if err != nil || len(got) == 0 {
				continue
			}
			h, err := batch.ParseHeader(got)
			if err != nil || h.LastOffset() < offset || batch.CheckCRC(got, h) != nil {
				t.Fatalf("read of %d: %+v %v", offset, h, err)
			}
		}
		if _, again, err := Recover(testDir, 100, durable, opt, ignore); err != nil || again.Batches != r.Batches || again.Cut != 0 {
			t.Fatalf("a second recovery finds %+v after %+v: %v", again, r, err)
		}
	})
}

// TestRecover_GivenUp: it ends soon, within a segment too, and nothing has changed.
func TestRecover_GivenUp(t *testing.T) {
	m, all := recovered(t, 500, 40)
	mem := vfs.NewMem()
	if err := mem.MkdirAll(testDir); err != nil {
		t.Fatal(err)
	}
	m.use(mem)
	writeFile(t, mem, testDir+"/"+FileName(m.base, LogSuffix), append(all, "torn"...))
	fsys := vfs.NewFaulty(m.fs, nil)
	m.opt.FS = fsys
	for given := range m.batches {
		giveUp := make(chan struct{})
		m.opt.Scanned = &Scanned{GiveUp: giveUp}
		if given == 0 {
			close(giveUp)
		}
		n := 0
		_, r, err := Recover(testDir, m.base, m.base, m.opt, func(batch.Header) {
			if n++; n == given {
				close(giveUp)
			}
		})
		if !errors.Is(err, ErrGivenUp) || r.Batches != int64(given) || fsys.Ops() != 0 {
			t.Fatalf("given up behind %d batches: %+v, %d changes, %v", given, r, fsys.Ops(), err)
		}
	}
}

// TestRecover_GivenUpWritingAgain: that can take longer than the scan.
func TestRecover_GivenUpWritingAgain(t *testing.T) {
	m := newModel(t, 0)
	rng := rand.New(rand.NewPCG(3, 3))
	for range 4 {
		m.append(newBatch(t, rng, m.next, 1, scanBuffer, 1000))
	}
	if err := m.seg.Close(); err != nil {
		t.Fatal(err)
	}
	giveUp := make(chan struct{})
	fsys := vfs.NewFaulty(m.fs, func(op vfs.Op) vfs.Fault {
		if op.N == 1 {
			close(giveUp)
		}
		return vfs.Fault{}
	})
	m.opt.FS, m.opt.Scanned = fsys, &Scanned{GiveUp: giveUp}
	fsys.StartTrace()
	_, r, err := Recover(testDir, 0, 0, m.opt, ignore)
	if trace := fsys.Trace(); !errors.Is(err, ErrGivenUp) || r.Batches != 4 || len(trace) != 1 || !strings.HasPrefix(trace[0], "write ") {
		t.Errorf("%+v %v, %v", r, err, trace)
	}
}
