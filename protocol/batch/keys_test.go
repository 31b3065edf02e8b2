package batch

import (
	"bytes"
	"fmt"
	"testing"
)

// readKeys are the keys that a KeyReader finds.
func readKeys(b []byte, h *Header) [][]byte {
	keys := [][]byte{}
	r := NewKeyReader(b, h)
	for {
		key, ok := r.Next()
		if !ok {
			return keys
		}
		keys = append(keys, key)
	}
}

// checkKeys demands that a KeyReader finds the keys of all records that can be read.
func checkKeys(t *testing.T, b []byte, h *Header) {
	t.Helper()
	got := readKeys(b, h)
	for r, err := range Records(b, Limits{}) {
		if err != nil {
			return
		}
		if r.Key == nil {
			continue
		}
		if len(got) == 0 || !bytes.Equal(got[0], r.Key) {
			t.Fatalf("record at %d has key %q, the reader is at %q", r.Offset, r.Key, got[:min(1, len(got))])
		}
		got = got[1:]
	}
	if len(got) > 0 {
		t.Fatalf("%d keys too many: %q", len(got), got)
	}
}

func TestKeyReader(t *testing.T) {
	for _, n := range []int{1, 2, 63, 64, 65, 9000} {
		var b Builder
		for i := range n {
			key := fmt.Appendf(nil, "%0*d", i%200, i)
			switch i % 5 {
			case 3:
				key = nil
			case 4:
				key = []byte{}
			}
			b.Add(testTime+int64(i*i), key, bytes.Repeat([]byte{'v'}, i%300))
		}
		encoded := mustBytes(t, &b)
		h, err := ParseHeader(encoded)
		if err != nil {
			t.Fatal(err)
		}
		checkKeys(t, encoded, &h)
		if n < 9000 {
			continue
		}
		if got := testing.AllocsPerRun(10, func() {
			r := NewKeyReader(encoded, &h)
			for _, ok := r.Next(); ok; _, ok = r.Next() {
			}
		}); got > 0 {
			t.Errorf("%v allocations", got)
		}
	}
}

func FuzzKeyReader(f *testing.F) {
	var b Builder
	for i := range 70 {
		b.Add(testTime+int64(i)*70, fmt.Appendf(nil, "key %d", i), bytes.Repeat([]byte{'v'}, i))
	}
	f.Add(mustBytes(f, &b)[HeaderSize:], int32(70))
	f.Add(encodedRecord(1, 0, kvTail...), int32(1))
	f.Add(encodedRecord(1<<40, 1<<20, 1, 1, 0), int32(3))
	f.Add([]byte{0xff, 0xff, 0xff}, int32(-1))
	f.Fuzz(func(t *testing.T, records []byte, count int32) {
		whole := append(make([]byte, HeaderSize), records...)
		h := Header{Magic: Magic, Count: count, LastOffsetDelta: 1 << 30, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}
		if err := finish(whole, h); err != nil {
			return
		}
		got := readKeys(whole, &h)
		for r, err := range Records(whole, Limits{}) {
			if err != nil {
				return // the reader may find more behind it
			}
			if r.Key == nil {
				continue
			}
			if len(got) == 0 || !bytes.Equal(got[0], r.Key) {
				t.Fatalf("record at %d has key %q, the reader is at %q", r.Offset, r.Key, got[:min(1, len(got))])
			}
			got = got[1:]
		}
	})
}

func BenchmarkKeyReader(b *testing.B) {
	var bb Builder
	for i := range 16 {
		bb.Add(testTime, fmt.Appendf(nil, "order-%016d", i), make([]byte, 1000))
	}
	encoded, err := bb.Bytes()
	if err != nil {
		b.Fatal(err)
	}
	h, _ := ParseHeader(encoded)
	for b.Loop() {
		r := NewKeyReader(encoded, &h)
		for _, ok := r.Next(); ok; _, ok = r.Next() {
		}
	}
}
