package index

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"sort"
	"testing"
)

// added is a batch as it was told to an Active.
type added struct {
	rel            uint32
	pos, size, max int64
}

// build adds n random batches, with timestamps that go up and down.
func build(rng *rand.Rand, n int, interval int64) (*Active, []added) {
	a := NewActive(interval)
	var all []added
	rel, pos := int64(-1), int64(0)
	for range n {
		rel += 1 + rng.Int64N(9)
		b := added{rel: uint32(rel), pos: pos, size: 61 + rng.Int64N(2000), max: 1000 + pos/100 + rng.Int64N(500) - 250}
		if rng.IntN(20) == 0 {
			b.max = NoTimestamp
		}
		a.Add(b.rel, b.pos, b.size, b.max)
		all = append(all, b)
		pos += b.size
	}
	return a, all
}

func TestFind_ActiveAndSealedAgreeWithAWalk(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		a, all := build(rng, rng.IntN(4000), []int64{0, 100, 4096}[seed%3])
		offsets, _ := a.Files()
		entries, err := DecodeOffsets(offsets, math.MaxUint32)
		if err != nil {
			t.Fatal(err)
		}
		checkEntries(t, entries, all)
		sealed, r := NewSealed(int64(len(offsets))), bytes.NewReader(offsets)
		var block Block
		for range 300 {
			rel := uint32(rng.Int64N(int64(len(all))*6 + 10))
			i := sort.Search(len(entries), func(i int) bool { return entries[i].Rel >= rel })
			f, c, hf, hc := a.Find(rel)
			checkAround(t, entries, i, f, c, hf, hc)
			f, c, hf, hc, err := sealed.Find(r, &block, rel)
			if err != nil {
				t.Fatal(err)
			}
			checkAround(t, entries, i, f, c, hf, hc)
			checkFloor(t, a, sealed, r, &block, entries, rng)
		}
	}
}

// checkEntries makes sure that every entry is a batch that was added.
func checkEntries(t *testing.T, entries []OffsetEntry, all []added) {
	t.Helper()
	byPos := map[uint32]uint32{}
	for _, b := range all {
		byPos[uint32(b.pos)] = b.rel
	}
	for _, e := range entries {
		if rel, ok := byPos[e.Pos]; !ok || rel != e.Rel {
			t.Fatalf("entry %+v is no batch", e)
		}
	}
}

func checkAround(t *testing.T, entries []OffsetEntry, i int, floor, ceil OffsetEntry, hasFloor, hasCeil bool) {
	t.Helper()
	if hasFloor != (i > 0) || hasFloor && floor != entries[i-1] {
		t.Fatalf("floor %+v %v, want slot %d", floor, hasFloor, i-1)
	}
	if hasCeil != (i < len(entries)) || hasCeil && ceil != entries[i] {
		t.Fatalf("ceil %+v %v, want slot %d", ceil, hasCeil, i)
	}
}

// checkFloor compares FloorPos of both with the entries, and remembers the place
// as a reader does.
func checkFloor(t *testing.T, a *Active, s *Sealed, r *bytes.Reader, block *Block, entries []OffsetEntry, rng *rand.Rand) {
	t.Helper()
	pos := rng.Int64N(9_000_000)
	if rng.IntN(50) == 0 {
		pos += math.MaxUint32
	}
	i := sort.Search(len(entries), func(i int) bool { return int64(entries[i].Pos) > pos })
	if rng.IntN(2) == 0 {
		block.Reset()
	}
	e, slot, ok, err := s.FloorPos(r, block, pos)
	if err != nil || ok != (i > 0) || ok && (e != entries[i-1] || slot != i-1) {
		t.Fatalf("sealed floor of %d: %+v slot %d %v %v, want slot %d", pos, e, slot, ok, err, i-1)
	}
	if e, ok := a.FloorPos(pos); ok != (i > 0) || ok && e != entries[i-1] {
		t.Fatalf("active floor of %d: %+v %v, want slot %d", pos, e, ok, i-1)
	}
	if ok {
		s.Remember(entries[i-1].Rel+uint32(rng.IntN(3)), max(0, slot-rng.IntN(2)))
	}
}

func TestFloorTime_PromisesThatAllBeforeIsEarlier(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 2))
		a, all := build(rng, 1+rng.IntN(2000), 4096)
		largest, carrier := NoTimestamp, uint32(0)
		for _, b := range all {
			if b.max > largest {
				largest, carrier = b.max, b.rel
			}
		}
		if ts, rel := a.Max(); ts != largest || rel != carrier {
			t.Fatalf("seed %d: max %d at %d, want %d at %d", seed, ts, rel, largest, carrier)
		}
		_, times := a.Files()
		r := bytes.NewReader(times)
		if e, ok, err := LastTime(r, int64(len(times))); err != nil || !ok || e.Timestamp != largest || largest >= 0 && e.Rel != carrier {
			t.Fatalf("seed %d: last entry %+v %v %v", seed, e, ok, err)
		}
		for range 200 {
			target := rng.Int64N(60_000)
			e, ok := a.FloorTime(target)
			disk, diskOK, err := FloorTime(r, int64(len(times)), target)
			if err != nil || ok != diskOK || e != disk {
				t.Fatalf("seed %d: active %+v %v, file %+v %v %v", seed, e, ok, disk, diskOK, err)
			}
			for _, b := range all {
				if ok && b.rel <= e.Rel && b.max >= target {
					t.Fatalf("seed %d: %+v lies before the floor %+v of %d", seed, b, e, target)
				}
			}
		}
	}
}

func TestActive_LoadGoesOnAsIfNeverClosed(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		a, all := build(rng, rng.IntN(300), 4096)
		ob, tb := a.Files()
		offsets, err := DecodeOffsets(ob, math.MaxUint32)
		if err != nil {
			t.Fatal(err)
		}
		times, err := DecodeTimes(tb)
		if err != nil {
			t.Fatal(err)
		}
		loaded, tail := NewActive(4096), 0
		var size int64
		for i, b := range all {
			if n := len(offsets); n > 0 && offsets[n-1].Rel == b.rel {
				tail, size = i+1, b.size
			}
		}
		loaded.Load(offsets, times, size)
		for _, b := range all[tail:] {
			loaded.Add(b.rel, b.pos, b.size, b.max)
		}
		more := added{rel: 1 << 20, pos: 1 << 24, size: 5000, max: 1 << 40}
		for _, x := range []*Active{a, loaded} {
			x.Add(more.rel, more.pos, more.size, more.max)
			x.Add(more.rel+1, more.pos+more.size, 1, more.max)
		}
		o1, t1 := a.Files()
		o2, t2 := loaded.Files()
		if !bytes.Equal(o1, o2) || !bytes.Equal(t1, t2) {
			t.Fatalf("seed %d: files differ:\n%x\n%x\n%x\n%x", seed, o1, o2, t1, t2)
		}
	}
}

func TestFiles_AreKafkas(t *testing.T) {
	a := NewActive(0)
	a.Add(4, 0, 100, 1_600_000_000_000)
	a.Add(9, 100, 100, 1_600_000_000_001)
	a.Add(10, 200, 100, 7)
	a.Add(0x01020304, 300, 100, 1_600_000_000_002)
	offsets, times := a.Files()
	// The first batch has no entry: more than the interval must come before one.
	if got, want := hex.EncodeToString(offsets), "0000000900000064"+"0000000a000000c8"+"010203040000012c"; got != want {
		t.Errorf("offset index %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(times), "000001748"+"76e8001"+"00000009"+"00000174876e800201020304"; got != want {
		t.Errorf("time index %s, want %s", got, want)
	}
}

func TestFiles_OnlyAnEmptySegmentHasNoTimeEntry(t *testing.T) {
	a := NewActive(4096)
	if _, times := a.Files(); len(times) != 0 {
		t.Errorf("an empty segment has %x", times)
	}
	a.Add(0, 0, 100, NoTimestamp)
	_, times := a.Files()
	if e, err := DecodeTimes(times); err != nil || len(e) != 1 || e[0].Timestamp != NoTimestamp {
		t.Errorf("entries %v, %v", e, err)
	}
}

func TestDecode_RefusesWhatDoesNotRise(t *testing.T) {
	good := []OffsetEntry{{1, 10}, {5, 20}, {9, 30}}
	for name, bad := range map[string][]OffsetEntry{
		"offset":   {{1, 10}, {1, 20}},
		"position": {{1, 10}, {2, 10}},
		"behind":   {{1, 10}, {2, 31}},
	} {
		if _, err := DecodeOffsets(AppendOffsets(nil, bad), 31); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if e, err := DecodeOffsets(AppendOffsets(nil, good), 31); err != nil || len(e) != 3 {
		t.Errorf("%v, %v", e, err)
	}
	if _, err := DecodeTimes(AppendTimes(nil, []TimeEntry{{5, 1}, {5, 2}})); err == nil {
		t.Error("equal timestamps accepted")
	}
	if _, err := DecodeTimes(make([]byte, 13)); err == nil {
		t.Error("half an entry accepted")
	}
}

func FuzzParseIndex(f *testing.F) {
	f.Add(AppendOffsets(nil, []OffsetEntry{{1, 10}, {5, 20}}), uint32(3))
	f.Add(AppendTimes(nil, []TimeEntry{{1, 10}, {5, 20}}), uint32(0))
	f.Add([]byte{1, 2, 3}, uint32(math.MaxUint32))
	f.Fuzz(func(t *testing.T, b []byte, rel uint32) {
		if e, err := DecodeOffsets(b, math.MaxInt32); err == nil && !bytes.Equal(AppendOffsets(nil, e), b) {
			t.Errorf("%x is read as %v", b, e)
		}
		if e, err := DecodeTimes(b); err == nil && !bytes.Equal(AppendTimes(nil, e), b) {
			t.Errorf("%x is read as %v", b, e)
		}
		// A sealed index is followed without a check of the whole.
		s, r := NewSealed(int64(len(b))), bytes.NewReader(b)
		var block Block
		s.Remember(rel, int(rel))
		floor, ceil, hasFloor, hasCeil, err := s.Find(r, &block, rel)
		if err != nil || hasFloor && floor.Rel >= rel || hasCeil && ceil.Rel < rel {
			t.Errorf("floor %v %v, ceil %v %v of %d: %v", floor, hasFloor, ceil, hasCeil, rel, err)
		}
		if e, _, ok, err := s.FloorPos(r, &block, int64(rel)); err != nil || ok && int64(e.Pos) > int64(rel) {
			t.Errorf("floor position %v %v: %v", e, ok, err)
		}
		if e, ok, err := FloorTime(r, int64(len(b)), int64(rel)); err != nil || ok && e.Timestamp >= int64(rel) {
			t.Errorf("floor time %v %v: %v", e, ok, err)
		}
	})
}
