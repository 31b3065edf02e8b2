package segment

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

const wrongHeader, wrongPayload = 17, 61

// examined looks at the model's segment as the last one of its log, or not.
func (m *model) examined(last, restore bool) *Repair {
	m.t.Helper()
	o := RepairOptions{Options: m.opt, Following: m.next}
	if last {
		o.Following = -1
	}
	r, err := Examine(testDir, m.base, o, restore)
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

// servedSealed opens the segment as one that was closed, and says what it serves.
func (m *model) servedSealed() []bool {
	m.t.Helper()
	s, err := OpenSealed(testDir, m.base, m.opt)
	if err != nil {
		m.t.Fatal(err)
	}
	defer s.Close()
	return m.servedBy(s, 50_000)
}

func (m *model) logName() string { return testDir + "/" + FileName(m.base, LogSuffix) }

// wantOnly demands that all batches but some are served.
func (m *model) wantOnly(served []bool, what string, missing ...int) {
	m.t.Helper()
	for i, ok := range served {
		gone := false
		for _, j := range missing {
			gone = gone || i == j
		}
		if ok == gone {
			m.t.Fatalf("%s: batch %d of %d served: %v", what, i, len(served), ok)
		}
	}
}

// Whatever bit flips that the checksum of a batch does not cover is put right, with
// the .check file and, but at the ends of the segment, without it.
func TestRepair_PutsHeadersRight(t *testing.T) {
	m := sealedModel(t, 5, 120, false)
	whole := m.mem
	rng := rand.New(rand.NewPCG(3, 1))
	for _, check := range []bool{true, false} {
		for try := range 150 {
			i, pos, bit := rng.IntN(len(m.batches)), rng.IntN(wrongHeader), rng.IntN(8)
			if try < 6 {
				i = []int{0, len(m.batches) - 1}[try%2] // the ends
			}
			m.use(whole.Crash(0, vfs.CrashKeepAll))
			rot(t, m.mem, m.logName(), m.batches[i].pos+int64(pos), bit)
			if !check {
				if err := m.mem.Remove(testDir + "/" + FileName(m.base, CheckSuffix)); err != nil {
					t.Fatal(err)
				}
			}
			r := m.examined(false, true)
			ends := i == 0 || i == len(m.batches)-1
			if !check && ends {
				if r.Wrong() && len(r.Restored) == 0 && len(r.Fenced) != 1 {
					t.Fatalf("fenced %+v", r.Fenced)
				}
				continue
			}
			if len(r.Restored) != 1 || r.Restored[0] != (Restored{m.batches[i].pos, m.batches[i].first}) || len(r.Fenced) != 0 {
				t.Fatalf("check %v: bit %d of byte %d of batch %d of %d: restored %+v, fenced %+v", check, bit, pos, i, len(m.batches), r.Restored, r.Fenced)
			}
			if err := r.Apply(); err != nil {
				t.Fatal(err)
			}
			m.wantOnly(m.servedSealed(), "after the repair")
			if got := readAllOf(t, m.mem, m.logName()); !bytes.Equal(got, readAllOf(t, whole, m.logName())) {
				t.Fatal("the file is not as it was written")
			}
			if again := m.examined(false, true); again.Wrong() {
				t.Fatalf("still wrong: %+v", again)
			}
		}
	}
}

func readAllOf(t *testing.T, fsys vfs.FS, name string) []byte {
	t.Helper()
	b, err := readFile(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A batch whose contents are rotten stays refused; its bytes are kept, and every other
// batch is served. What was fenced once is not copied again.
func TestRepair_FencesContents(t *testing.T) {
	m := sealedModel(t, 6, 200, false)
	whole := m.mem
	for _, i := range []int{0, 57, len(m.batches) - 1} {
		m.use(whole.Crash(0, vfs.CrashKeepAll))
		b := m.batches[i]
		rot(t, m.mem, m.logName(), b.pos+wrongPayload, 3)
		bad := readAllOf(t, m.mem, m.logName())
		r := m.examined(false, true)
		if !r.Wrong() || len(r.Restored) != 0 || len(r.Fenced) != 1 || r.Fenced[0].Pos != b.pos || r.Fenced[0].Offset != b.first || r.Cut != 0 {
			t.Fatalf("%+v", r)
		}
		if err := r.Apply(); err != nil {
			t.Fatal(err)
		}
		if len(r.Aside) != 1 || !bytes.Equal(readAllOf(t, m.mem, r.Aside[0]), bad[b.pos:b.pos+int64(len(b.bytes))]) {
			t.Errorf("kept aside: %v", r.Aside)
		}
		m.wantOnly(m.servedSealed(), "after the repair", i)
		if !bytes.Equal(readAllOf(t, m.mem, m.logName()), bad) {
			t.Error("the .log file was changed")
		}
		if again := m.examined(false, true); again.Wrong() || len(again.Fenced) != 1 {
			t.Errorf("%+v", again)
		}
	}
}

// Two wrong headers side by side, of which one has a wrong length.
func TestRepair_Neighbours(t *testing.T) {
	m := sealedModel(t, 7, 100, false)
	rot(t, m.mem, m.logName(), m.batches[40].pos+5, 2)
	rot(t, m.mem, m.logName(), m.batches[41].pos+lengthPos+2, 1)
	r := m.examined(false, true)
	if len(r.Restored) != 2 || len(r.Fenced) != 0 {
		t.Fatalf("restored %+v, fenced %+v", r.Restored, r.Fenced)
	}
	if err := r.Apply(); err != nil {
		t.Fatal(err)
	}
	m.wantOnly(m.servedSealed(), "after the repair")
}

// The torn end of the last segment is taken off and kept.
func TestRepair_TornEnd(t *testing.T) {
	m := sealedModel(t, 8, 50, true)
	torn := m.batches[0].bytes[:len(m.batches[0].bytes)-1]
	size := int64(len(readAllOf(t, m.mem, m.logName())))
	f, err := m.mem.OpenFile(m.logName(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(torn, size); err != nil {
		t.Fatal(err)
	}
	f.Close()
	r := m.examined(true, true)
	if r.Cut != int64(len(torn)) || len(r.Fenced) != 0 || r.Next != m.next {
		t.Fatalf("%+v", r)
	}
	if err := r.Apply(); err != nil {
		t.Fatal(err)
	}
	if len(r.Aside) != 1 || !bytes.Equal(readAllOf(t, m.mem, r.Aside[0]), torn) {
		t.Errorf("kept aside: %v", r.Aside)
	}
	m.wantOnly(m.servedSealed(), "after the repair")
}

// Indexes, checksums and key indexes are made again; headers that the old checksums
// call wrong stay refused, and the rest of their block is served.
func TestReindex(t *testing.T) {
	m := sealedModel(t, 9, 200, false)
	whole := m.mem
	for _, suffix := range []string{IndexSuffix, TimeIndexSuffix, CheckSuffix} {
		m.use(whole.Crash(0, vfs.CrashKeepAll))
		want := readAllOf(t, m.mem, testDir+"/"+FileName(m.base, suffix))
		rot(t, m.mem, testDir+"/"+FileName(m.base, suffix), 5, 1)
		if err := m.examined(false, false).Reindex(); err != nil {
			t.Fatal(err)
		}
		if got := readAllOf(t, m.mem, testDir+"/"+FileName(m.base, suffix)); !bytes.Equal(got, want) {
			t.Errorf("%s is not as it was", suffix)
		}
	}
	m.use(whole.Crash(0, vfs.CrashKeepAll))
	last := len(m.batches) - 1
	rot(t, m.mem, m.logName(), m.batches[last].pos+epochPos+2, 0)
	r := m.examined(false, false)
	if !r.Wrong() || len(r.Restored) != 0 || len(r.Fenced) != 1 {
		t.Fatalf("%+v", r)
	}
	if err := r.Reindex(); err != nil {
		t.Fatal(err)
	}
	m.wantOnly(m.servedSealed(), "after the new index", last)
	// What is refused is not forgotten by a second time, and can still be put right if
	// the epoch is known for certain.
	if r = m.examined(false, false); len(r.Fenced) != 1 {
		t.Fatalf("%+v", r)
	}
	m.opt.EpochAt = func(int64) int32 { return 3 }
	if r = m.examined(false, true); len(r.Restored) != 1 || len(r.Fenced) != 0 {
		t.Fatalf("restored %+v, fenced %+v", r.Restored, r.Fenced)
	}
}

// damagedModel has a header to put right, contents to fence, and a torn end if it is the
// last of its log.
func damagedModel(t *testing.T, last bool) (m *model, fenced int) {
	t.Helper()
	m = sealedModel(t, 10, 150, last)
	fenced = 90
	rot(t, m.mem, m.logName(), m.batches[30].pos+3, 4)
	rot(t, m.mem, m.logName(), m.batches[fenced].pos+wrongPayload, 4)
	if last {
		end := int64(len(readAllOf(t, m.mem, m.logName())))
		f, err := m.mem.OpenFile(m.logName(), 2)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("torn"), end); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	m.syncAll()
	return m, fenced
}

// syncAll makes everything durable.
func (m *model) syncAll() {
	m.t.Helper()
	entries, err := m.mem.ReadDir(testDir)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, e := range entries {
		f, err := m.mem.Open(testDir + "/" + e.Name())
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
	if err := errors.Join(m.mem.SyncDir(testDir), m.mem.SyncDir(".")); err != nil {
		m.t.Fatal(err)
	}
}

// interrupted does work until the power goes out after n operations, and says whether it
// did.
func (m *model) interrupted(n int64, seed uint64, work func(fsys vfs.FS) error) (cut bool) {
	m.t.Helper()
	before := m.mem
	m.use(before.Crash(0, vfs.CrashKeepAll))
	faulty := vfs.NewFaulty(m.mem, nil)
	faulty.CutAfter(n)
	err := work(faulty)
	if err != nil && !errors.Is(err, vfs.ErrPowerCut) {
		m.t.Fatal(err)
	}
	m.use(m.mem.Crash(seed, []vfs.CrashMode{vfs.CrashDropAll, vfs.CrashRandom, vfs.CrashKeepAll}[seed%3]))
	return err != nil
}

// A repair or a new index that is interrupted at any operation leaves a log that serves
// nothing wrong and all that it served before, and the next one brings it to the end.
func TestRepair_Interrupted(t *testing.T) {
	for name, work := range map[string]func(*Repair) error{"repair": (*Repair).Apply, "reindex": (*Repair).Reindex} {
		for _, last := range []bool{false, true} {
			m, fenced := damagedModel(t, last)
			start := m.mem
			for n := int64(0); ; n++ {
				m.use(start)
				cut := m.interrupted(n, uint64(n), func(fsys vfs.FS) error {
					o := RepairOptions{Options: m.opt, Following: m.next}
					if last {
						o.Following = -1
					}
					o.FS = fsys
					r, err := Examine(testDir, m.base, o, name == "repair")
					if err != nil {
						return err
					}
					return work(r)
				})
				served := m.servedAfter(last, fenced)
				for i, ok := range served {
					near := m.batches[i].block() == m.batches[30].block() || m.batches[i].block() == m.batches[fenced].block() || i == 30 || i == fenced
					if !ok && !near {
						t.Fatalf("%s, cut after %d: batch %d is not served", name, n, i)
					}
				}
				r := m.examined(last, true)
				if err := r.Apply(); err != nil {
					t.Fatal(err)
				}
				m.wantOnly(m.servedAfter(last, fenced), name, fenced)
				if !cut {
					break
				}
			}
		}
	}
}

// servedAfter is what recovery makes of the segment, or of a closed one what is there.
// Contents that are rotten already are a client's to refuse, by their checksum, until
// they are fenced.
func (m *model) servedAfter(last bool, rotten int) []bool {
	m.t.Helper()
	disk := m.mem
	m.use(disk.Crash(0, vfs.CrashKeepAll))
	defer m.use(disk)
	s, err := OpenSealed(testDir, m.base, m.opt)
	if last || err != nil {
		s, _, err = Recover(testDir, m.base, m.next, m.opt, func(batch.Header) {})
	}
	if err != nil {
		m.t.Fatal(err)
	}
	defer s.Close()
	served := make([]bool, len(m.batches))
	for i, b := range m.batches {
		got, _, err := read(s, b.first, 1, noLimit, true)
		var corrupt *CorruptError
		served[i] = err == nil && bytes.Equal(got, b.bytes)
		if !served[i] && !errors.As(err, &corrupt) && (err != nil || i != rotten) {
			m.t.Fatalf("read %d: %d bytes that were not written, %v", b.first, len(got), err)
		}
	}
	return served
}

// Control: what the tests above look for is seen if a header is wrong and nothing says
// so.
func TestRepair_Control(t *testing.T) {
	m := sealedModel(t, 11, 50, false)
	last := len(m.batches) - 1
	rot(t, m.mem, m.logName(), m.batches[last].pos+epochPos+2, 0)
	if err := m.mem.Remove(testDir + "/" + FileName(m.base, CheckSuffix)); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSealed(testDir, m.base, m.opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, _, err := read(s, m.batches[last].first, 50_000, noLimit, true)
	if err != nil || m.isPrefix(got, m.batches[last].first) {
		t.Errorf("the wrong header was not seen: %v", err)
	}
}

// The patches of a file are seen by reads of any part.
func TestPatched(t *testing.T) {
	text := strings.Repeat("x", 100)
	a, b := patch{pos: 10}, patch{pos: 40}
	copy(a.bytes[:], strings.Repeat("a", unsealed))
	copy(b.bytes[:], strings.Repeat("b", unsealed))
	p := patched{ReaderAt: strings.NewReader(text)}.with(b, a)
	want := []byte(text)
	copy(want[10:], a.bytes[:])
	copy(want[40:], b.bytes[:])
	for from := range 100 {
		for n := range 100 - from {
			got := make([]byte, n)
			if _, err := p.ReadAt(got, int64(from)); err != nil || !bytes.Equal(got, want[from:from+n]) {
				t.Fatalf("%d bytes at %d: %q, %v", n, from, got, err)
			}
		}
	}
}

// FuzzExamine gives any bytes for a .log file and its .check file: they are examined and
// repaired, and after that nothing is left to repair.
func FuzzExamine(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 1))
	var log []byte
	next := int64(1000)
	for range 5 {
		log = append(log, newBatch(f, rng, next, 2, 30, 5)...)
		next += 2
	}
	t := &checkTable{size: int64(len(log))}
	f.Add(log, t.format(1000), true)
	f.Add(log[:len(log)-7], []byte{}, true)
	for _, at := range []int{3, 9, 14, 16, 30, 200} {
		bad := bytes.Clone(log)
		bad[at] ^= 4
		f.Add(bad, []byte{}, false)
	}
	f.Fuzz(func(t *testing.T, log, check []byte, last bool) {
		mem := vfs.NewMem()
		if err := mem.MkdirAll(testDir); err != nil {
			t.Fatal(err)
		}
		writeFile(t, mem, testDir+"/"+FileName(1000, LogSuffix), log)
		writeFile(t, mem, testDir+"/"+FileName(1000, CheckSuffix), check)
		o := RepairOptions{Options: Options{FS: mem, Handles: NewHandles(mem, 4), IndexInterval: 100}, Following: 1010}
		if last {
			o.Following = -1
		}
		r, err := Examine(testDir, 1000, o, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Apply(); err != nil {
			t.Fatal(err)
		}
		if again, err := Examine(testDir, 1000, o, true); err != nil || again.Wrong() {
			t.Fatalf("still wrong: %+v, %v; before %+v", again, err, r)
		}
		if r, err = Examine(testDir, 1000, o, false); err != nil {
			t.Fatal(err)
		}
		if err := r.Reindex(); err != nil {
			t.Fatal(err)
		}
	})
}

// A key index and a bloom filter are made again where there are any, as they were.
func TestReindex_Keys(t *testing.T) {
	m := sealedModel(t, 12, 100, false)
	names := []string{testDir + "/" + FileName(m.base, KeyIndexSuffix), testDir + "/" + FileName(m.base, BloomSuffix)}
	if err := m.examined(false, false).Reindex(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.mem.Stat(names[0]); err == nil {
		t.Fatal("a key index was made where there was none")
	}
	s, err := OpenSealed(testDir, m.base, m.opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.IndexKeys(1 << 40); err != nil {
		t.Fatal(err)
	}
	if _, err := s.WriteKeys(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	var want [][]byte
	for _, name := range names {
		b := readAllOf(t, m.mem, name)
		want = append(want, b)
		rot(t, m.mem, name, int64(len(b)/2), 1)
	}
	if err := m.examined(false, false).Reindex(); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		if !bytes.Equal(readAllOf(t, m.mem, name), want[i]) {
			t.Errorf("%s is not as it was", name)
		}
	}
}
