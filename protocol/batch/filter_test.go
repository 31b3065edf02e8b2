package batch

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// filterCase builds a random batch; every third value is null, every seventh key.
func filterCase(t testing.TB, rng *rand.Rand) []byte {
	b := Builder{BaseOffset: rng.Int64N(1000), LeaderEpoch: 4, Codec: Codec(rng.IntN(int(codecCount)))}
	if rng.IntN(2) == 0 {
		b.Producer = &Producer{ID: 7, Epoch: 2, Sequence: 100}
	}
	if rng.IntN(4) == 0 {
		b.AppendTime = 5_000_000
	}
	if rng.IntN(4) == 0 {
		b.DeleteHorizon = 9_000_000
	}
	for i := range 1 + rng.IntN(40) {
		var key, value []byte
		if rng.IntN(7) > 0 {
			key = bytes.Repeat([]byte{byte(i)}, rng.IntN(300))
		}
		if rng.IntN(3) > 0 {
			value = bytes.Repeat([]byte{byte(i)}, rng.IntN(300))
		}
		var headers []RecordHeader
		for range rng.IntN(3) {
			headers = append(headers, RecordHeader{Key: "h", Value: []byte{byte(i)}})
		}
		b.AddAt(b.Next()+rng.Int64N(3), 4_000_000+rng.Int64N(1000)-500, key, value, headers...)
	}
	b.Cover(b.Next() + rng.Int64N(3))
	out, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// shown is a record with all that belongs to it.
func shown(r Record) string {
	s := fmt.Sprintf("%d %d %q %v %q %v", r.Offset, r.Timestamp, r.Key, r.Key == nil, r.Value, r.Value == nil)
	for h := range r.Headers() {
		s += fmt.Sprintf(" %s=%q", h.Key, h.Value)
	}
	return s
}

func shownRecords(t testing.TB, b []byte) (all []string, offsets []int64) {
	t.Helper()
	for r, err := range Records(b, Limits{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, shown(r))
		offsets = append(offsets, r.Offset)
	}
	return all, offsets
}

func TestFilter_KeepsWhatItIsToldTo(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var f Filter
	for range 500 {
		b := filterCase(t, rng)
		before, _ := ParseHeader(b)
		records, offsets := shownRecords(t, b)
		keep := map[int64]bool{}
		var want []string
		for i, o := range offsets {
			if rng.IntN(3) > 0 {
				keep[o] = true
				want = append(want, records[i])
			}
		}
		tombstone, seen := false, 0
		original := bytes.Clone(b)
		out, left, err := f.Apply(b, 77_000, func(r KeyedRecord) bool {
			seen++
			tombstone = tombstone || keep[r.Offset] && r.Tombstone
			return keep[r.Offset]
		})
		if err != nil || int(left) != len(want) || seen != len(records) || !bytes.Equal(b, original) {
			t.Fatalf("%d of %d left, %d seen, want %d: %v", left, len(records), seen, len(want), err)
		}
		if left == 0 {
			continue
		}
		checkFiltered(t, before, b, out, tombstone)
		got, _ := shownRecords(t, out)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("records\n%v\nwant\n%v", got, want)
		}
	}
}

// checkFiltered looks at the header.
func checkFiltered(t *testing.T, before Header, b, out []byte, tombstone bool) {
	t.Helper()
	h, err := ParseHeader(out)
	if err == nil {
		err = CheckCRC(out, h)
	}
	if err != nil {
		t.Fatal(err)
	}
	had, has := before.DeleteHorizon()
	horizon, ok := h.DeleteHorizon()
	switch {
	case has && (horizon != had || !ok), !has && ok != tombstone, !has && ok && horizon != 77_000:
		t.Fatalf("horizon %d %v of a batch with %d %v, a tombstone is left: %v", horizon, ok, had, has, tombstone)
	case h.Count == before.Count && (has || !tombstone) && &out[0] != &b[0]:
		t.Fatal("a batch that stays whole was copied")
	}
	if h.Count > 0 && !h.IsLogAppendTime() {
		if _, largest, err := ScanMaxTimestamp(out, Limits{}); err != nil || largest != h.MaxTimestamp {
			t.Fatalf("max timestamp %d, the records have %d, %v", h.MaxTimestamp, largest, err)
		}
		before.MaxTimestamp = h.MaxTimestamp
	}
	before.Length, before.CRC, before.Count, before.BaseTimestamp = h.Length, h.CRC, h.Count, h.BaseTimestamp
	before.Attributes = before.Attributes&^attrDeleteHorizon | h.Attributes&attrDeleteHorizon
	if h != before {
		t.Fatalf("header %+v, want %+v", h, before)
	}
}

func TestAppendEmpty(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		before, _ := ParseHeader(filterCase(t, rng))
		b := AppendEmpty(nil, before)
		h, err := ParseHeader(b)
		if err == nil {
			err = CheckCRC(b, h)
		}
		if err != nil || len(b) != HeaderSize || h.Count != 0 || h.LastOffset() != before.LastOffset() || h.LastSequence() != before.LastSequence() ||
			h.ProducerID != before.ProducerID || h.ProducerEpoch != before.ProducerEpoch || h.MaxTimestamp != before.MaxTimestamp {
			t.Fatalf("%+v of %+v: %v", h, before, err)
		}
		var f Filter
		if err := f.Each(b, func(KeyedRecord) bool { t.Error("a record"); return true }); err != nil {
			t.Error(err)
		}
	}
}

func TestFilter_AllocatesNothingPerRecord(t *testing.T) {
	b := Builder{}
	for i := range 1000 {
		b.Add(int64(i), []byte("key"), []byte("value"))
	}
	raw, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var f Filter
	odd := func(r KeyedRecord) bool { return r.Offset%2 == 1 }
	if n := testing.AllocsPerRun(20, func() { _, _, _ = f.Apply(raw, 1, odd) }); n > 5 {
		t.Errorf("%v allocations for a thousand records", n)
	}
}

// FuzzFilter: whatever the records are, Filter and Records agree on them.
func FuzzFilter(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		f.Add(filterCase(f, rng)[HeaderSize:], uint8(rng.IntN(5)), int32(rng.IntN(50)), int32(60))
	}
	f.Fuzz(func(t *testing.T, records []byte, codec uint8, count, reach int32) {
		h := Header{Magic: Magic, Attributes: int16(codec % uint8(codecCount)), Count: max(0, count), LastOffsetDelta: max(0, reach)}
		b := append(make([]byte, HeaderSize), records...)
		if finish(b, h) != nil {
			return
		}
		lim := Limits{MaxBytes: 1 << 20}
		var want []int64
		var wantErr error
		for r, err := range Records(b, lim) {
			if wantErr = err; err == nil {
				want = append(want, r.Offset)
			}
		}
		var got []int64
		filter := Filter{Limits: lim}
		err := filter.Each(b, func(r KeyedRecord) bool { got = append(got, r.Offset); return true })
		if wantErr == nil && (err != nil || fmt.Sprint(got) != fmt.Sprint(want)) {
			t.Fatalf("records %v, want %v: %v", got, want, err)
		}
		if err != nil && !errors.Is(err, ErrInvalidRecord) && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("error %v", err)
		}
		_, _, _ = filter.Apply(b, 5, func(r KeyedRecord) bool { return r.Offset%2 == 0 })
	})
}
