package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"testing"

	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

// rot flips a bit of a file.
func rot(t testing.TB, fsys vfs.FS, name string, pos int64, bit int) {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, pos); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << bit
	if _, err := f.WriteAt(b, pos); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// sealedModel is a segment of some blocks that was sealed, or closed in order.
func sealedModel(t *testing.T, seed uint64, batches int, active bool) *model {
	t.Helper()
	m := newModel(t, 1000)
	m.fill(rand.New(rand.NewPCG(seed, 1)), batches)
	finish := m.seg.Seal
	if active {
		finish = m.seg.WriteIndexes
	}
	if err := finish(); err != nil {
		t.Fatal(err)
	}
	if err := m.seg.Close(); err != nil {
		t.Fatal(err)
	}
	return m
}

// reopen opens a copy of the model's segment, for change to be done to it before.
func (m *model) reopen(active bool, change func(fsys vfs.FS)) *Segment {
	m.t.Helper()
	s, err := m.tryReopen(active, change)
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

func (m *model) tryReopen(active bool, change func(fsys vfs.FS)) (*Segment, error) {
	m.t.Helper()
	m.use(m.mem.Crash(0, vfs.CrashKeepAll))
	change(m.mem)
	return m.open(active)
}

// servedBy reads each batch by its first offset, and says which are served. It
// fails if one is not what was written.
func (m *model) servedBy(s *Segment, maxBytes int64) []bool {
	m.t.Helper()
	served := make([]bool, len(m.batches))
	for i, b := range m.batches {
		got, _, err := read(s, b.first, maxBytes, noLimit, true)
		var corrupt *CorruptError
		switch {
		case errors.As(err, &corrupt):
		case err != nil || len(got) == 0 || !m.isPrefix(got, b.first):
			m.t.Fatalf("read %d: %d bytes that were not written, %v", b.first, len(got), err)
		default:
			served[i] = true
		}
	}
	return served
}

const noLimit = 1 << 40

// block is the block that a batch starts in.
func (b stored) block() int64 { return b.pos >> blockBits }

// TestVerify_HeaderRot flips bits of batch headers. No rotten header is served, and
// no other block suffers.
func TestVerify_HeaderRot(t *testing.T) {
	for _, active := range []bool{false, true} {
		t.Run(fmt.Sprintf("active %v", active), func(t *testing.T) {
			m := sealedModel(t, 5, 400, active)
			whole := m.mem
			rng := rand.New(rand.NewPCG(6, 1))
			refused, tries := 0, 60
			if raceEnabled {
				tries = 10 // one goroutine: nothing for the race detector
			}
			for try := range tries {
				i, pos, bit := rng.IntN(len(m.batches)), rng.IntN(batch.HeaderSize), rng.IntN(8)
				bad := m.batches[i]
				m.mem = whole
				s, err := m.tryReopen(active, func(fsys vfs.FS) {
					rot(t, fsys, testDir+"/"+FileName(m.base, LogSuffix), bad.pos+int64(pos), bit)
				})
				if active && err != nil {
					refused++ // among the batches that opening checks; Recover decides
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				maxBytes := int64(1 + rng.IntN(100_000))
				for j, ok := range m.servedBy(s, maxBytes) {
					if b := m.batches[j]; ok == (b.block() == bad.block()) {
						t.Fatalf("try %d: bit %d of byte %d of batch %d in block %d flipped: batch %d in block %d served: %v",
							try, bit, pos, i, bad.block(), j, b.block(), ok)
					}
				}
				if got := s.Damages(); len(got) != 1 {
					t.Fatalf("damages %+v", got)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if refused > 5+tries/4 {
				t.Errorf("%d of %d not opened", refused, tries)
			}
		})
	}
}

// TestVerify_Once: what was verified is not read again, and the table goes when
// nothing is left to verify.
func TestVerify_Once(t *testing.T) {
	m := sealedModel(t, 7, 400, false)
	s := m.reopen(false, func(vfs.FS) {})
	defer s.Close()
	m.servedBy(s, 50_000)
	if cold, v := s.cold.Load(), s.verifying.Load(); cold != 0 || v != nil {
		t.Errorf("%d bytes left to verify, table %v", cold, v)
	}
	// Rot behind the check is for the consumer to find; it shows that nothing is
	// read twice.
	rot(t, m.mem, s.Path(), m.batches[0].pos+15, 0) // leader epoch
	if _, _, err := read(s, m.batches[0].first, 100, noLimit, true); err != nil {
		t.Error(err)
	}
}

// TestVerify_ActiveGoesOn: a segment that was closed in order is appended to,
// closed again, and sealed; its checksums cover all of it each time.
func TestVerify_ActiveGoesOn(t *testing.T) {
	m := sealedModel(t, 8, 100, true)
	rng := rand.New(rand.NewPCG(9, 1))
	for range 3 {
		m.seg = m.reopen(true, func(vfs.FS) {})
		m.fill(rng, 50)
		if err := m.seg.WriteIndexes(); err != nil {
			t.Fatal(err)
		}
		if err := m.seg.Close(); err != nil {
			t.Fatal(err)
		}
	}
	m.seg = m.reopen(true, func(vfs.FS) {})
	m.fill(rng, 50)
	if err := m.seg.Seal(); err != nil {
		t.Fatal(err)
	}
	if err := m.seg.Close(); err != nil {
		t.Fatal(err)
	}
	m.seg = m.reopen(false, func(vfs.FS) {})
	for i, ok := range m.servedBy(m.seg, 100_000) {
		if !ok {
			t.Fatalf("batch %d is not served: %+v", i, m.seg.Damages())
		}
	}
}

// TestVerify_SidecarIsRemade: without its file, or with a damaged one, a sealed
// segment is scanned at the first read and the file written again.
func TestVerify_SidecarIsRemade(t *testing.T) {
	m := sealedModel(t, 10, 200, false)
	name := testDir + "/" + FileName(m.base, CheckSuffix)
	want, err := readFile(m.mem, name)
	if err != nil {
		t.Fatal(err)
	}
	whole := m.mem
	for what, change := range map[string]func(vfs.FS){
		"missing": func(fsys vfs.FS) {
			if err := fsys.Remove(name); err != nil {
				t.Fatal(err)
			}
		},
		"rotten": func(fsys vfs.FS) { rot(t, fsys, name, 40, 3) },
		"empty":  func(fsys vfs.FS) { writeFile(t, fsys, name, nil) },
	} {
		m.mem = whole
		s := m.reopen(false, change)
		for i, ok := range m.servedBy(s, 100_000) {
			if !ok {
				t.Fatalf("%s: batch %d is not served", what, i)
			}
		}
		if got, err := readFile(m.mem, name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: made again as %d bytes, %v, want %d", what, len(got), err, len(want))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Rot that the batches' own checksums and order show is found all the same.
	m.mem = whole
	bad := m.batches[100]
	s := m.reopen(false, func(fsys vfs.FS) {
		if err := fsys.Remove(name); err != nil {
			t.Fatal(err)
		}
		rot(t, fsys, testDir+"/"+FileName(m.base, LogSuffix), bad.pos+7, 0) // base offset
	})
	for i, ok := range m.servedBy(s, 100_000) {
		if ok == (i == 100) {
			t.Errorf("batch %d served: %v", i, ok)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The damage is in the file that was made.
	again := m.reopen(false, func(vfs.FS) {})
	for i, ok := range m.servedBy(again, 100_000) {
		if ok == (i == 100) {
			t.Errorf("opened again: batch %d served: %v", i, ok)
		}
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestVerify_FailingDisk: a read error is no damage.
func TestVerify_FailingDisk(t *testing.T) {
	m := sealedModel(t, 11, 100, false)
	failing := vfs.NewFaulty(m.mem, nil)
	m.opt.FS, m.opt.Handles = failing, NewHandles(failing, 4)
	s, err := OpenSealed(testDir, m.base, m.opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	broken := errors.New("broken")
	failing.SetRule(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpRead {
			return vfs.Fault{Err: broken}
		}
		return vfs.Fault{}
	})
	if _, _, err := read(s, m.base, 1000, noLimit, true); !errors.Is(err, broken) {
		t.Errorf("%v, want the error of the disk", err)
	}
	if d := s.Damages(); len(d) > 0 {
		t.Errorf("damage %+v", d)
	}
	failing.SetRule(nil)
	if got, _, err := read(s, m.base, 1000, noLimit, true); err != nil || !m.isPrefix(got, m.base) {
		t.Errorf("after the disk has recovered: %v", err)
	}
}

func FuzzParseCheck(f *testing.F) {
	full := checkTable{size: 200_000, sums: sums{blocks: []blockSum{{0, 0, 1}, {70_000, 5, 2}}, next: 9},
		damage: []Damage{{Pos: 10, EndPos: 20, Offset: 1001, NextOffset: 1002}}}
	f.Add(full.format(1000)[checkHeader:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		// The checksum would stop nearly every input; it is set right.
		b := append(full.format(1000)[:checkHeader:checkHeader], body...)
		if len(body) >= checkSumSize {
			b = resum(b)
		}
		got, err := parseCheck(b, 1000, 200_000)
		if err == nil && !bytes.Equal(got.format(1000), b) {
			t.Errorf("%x is %x when written again", b, got.format(1000))
		}
	})
}

// BenchmarkVerify is the cost of the first read of each block: bytes of log a
// second, over batches of several sizes in the page cache.
func BenchmarkVerify(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			opt := Options{FS: vfs.OS(), IndexInterval: 4096}
			opt.Handles = NewHandles(opt.FS, 4)
			dir := b.TempDir()
			s, err := Create(dir, 0, opt)
			if err != nil {
				b.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 1))
			var offset int64
			for s.Size() < 64<<20 {
				one := newBatch(b, rng, offset, 1, size-batch.HeaderSize-10, 1)
				entry := Entry{Size: int64(len(one)), LastOffset: offset, MaxTimestamp: 1}
				if err := s.Append([][]byte{one}, []Entry{entry}); err != nil {
					b.Fatal(err)
				}
				offset++
			}
			if err := s.Seal(); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(s.Size())
			for b.Loop() {
				again, err := OpenSealed(dir, 0, opt)
				if err != nil {
					b.Fatal(err)
				}
				if err := again.verifyAll(); err != nil || again.cold.Load() != 0 || len(again.Damages()) > 0 {
					b.Fatalf("%v, %d bytes left, damage %v", err, again.cold.Load(), again.Damages())
				}
				again.Close()
			}
			s.Close()
		})
	}
}

// resum sets the checksum at the end of a .check file right.
func resum(b []byte) []byte {
	body := b[:len(b)-checkSumSize]
	return binary.BigEndian.AppendUint32(body, crc32.Checksum(body, castagnoli))
}

// TestRecover_BlamesTheRightBatch: the base offset of a batch goes back to that of
// the one before, which is where it must be and is served.
func TestRecover_BlamesTheRightBatch(t *testing.T) {
	m := newModel(t, 0)
	rng := rand.New(rand.NewPCG(12, 1))
	for m.next < 8 {
		m.append(newBatch(t, rng, m.next, 2, 20, 1000+m.next))
	}
	if err := m.seg.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := m.seg.Close(); err != nil {
		t.Fatal(err)
	}
	m.use(m.mem.Crash(0, vfs.CrashKeepAll))
	rot(t, m.mem, testDir+"/"+FileName(0, LogSuffix), m.batches[1].pos+7, 1) // 2 becomes 0
	s, _, err := Recover(testDir, 0, m.next, m.opt, func(batch.Header) {})
	if err != nil {
		t.Fatal(err)
	}
	m.seg = s
	for i, ok := range m.servedBy(s, 100_000) {
		if ok == (i == 1) {
			t.Errorf("batch %d served: %v, damage %+v", i, ok, s.Damages())
		}
	}
}

// BenchmarkSum is what an append pays for a batch.
func BenchmarkSum(b *testing.B) {
	header := newBatch(b, rand.New(rand.NewPCG(1, 1)), 0, 1, 10, 1)
	var s Segment
	bufs, entries := [][]byte{header}, []Entry{{Size: int64(len(header))}}
	b.ReportAllocs()
	for b.Loop() {
		if err := checkEntries(bufs, entries); err != nil {
			b.Fatal(err)
		}
		s.sumAppended(bufs, entries, 0)
	}
}

// BenchmarkVerified is what a read pays once its blocks were verified, while others
// of the segment were not.
func BenchmarkVerified(b *testing.B) {
	t := &checkTable{size: 64 << 20, sums: sums{blocks: make([]blockSum, 1024)}}
	var s Segment
	s.cold.Store(t.size)
	v := newVerifying(t)
	for i := range v.done {
		v.done[i].Store(1<<64 - 1)
	}
	s.verifying.Store(v)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.verify(nil, nil, 1<<20, 2<<20); err != nil {
			b.Fatal(err)
		}
	}
}
