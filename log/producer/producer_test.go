package producer

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"sordini/protocol/batch"
)

func header(id int64, epoch int16, sequence, records int32, offset int64) *batch.Header {
	return &batch.Header{
		ProducerID: id, ProducerEpoch: epoch, BaseSequence: sequence, LastOffsetDelta: records - 1,
		BaseOffset: offset, Count: records, MaxTimestamp: 1000 + offset,
	}
}

func TestCheck(t *testing.T) {
	s := NewState()
	for i := range int32(7) {
		s.Update(header(1, 3, i*2, 2, int64(i)*10))
	}
	for name, c := range map[string]struct {
		h    *batch.Header
		dup  int64 // first offset of the original, -1 if none
		want error
	}{
		"next":                   {header(1, 3, 14, 1, 0), -1, nil},
		"duplicate of the last":  {header(1, 3, 12, 2, 0), 60, nil},
		"duplicate of the fifth": {header(1, 3, 4, 2, 0), 20, nil},
		"older than five":        {header(1, 3, 2, 2, 0), -1, ErrOutOfOrder},
		"same start, other end":  {header(1, 3, 12, 3, 0), -1, ErrOutOfOrder},
		"gap":                    {header(1, 3, 15, 1, 0), -1, ErrOutOfOrder},
		"old epoch":              {header(1, 2, 14, 1, 0), -1, ErrEpoch},
		"new epoch":              {header(1, 4, 0, 1, 0), -1, nil},
		"new epoch, not from 0":  {header(1, 4, 1, 1, 0), -1, ErrOutOfOrder},
		"unknown producer":       {header(2, 0, 17, 1, 0), -1, nil},
	} {
		dup, is, err := s.Check(c.h)
		if !errors.Is(err, c.want) || is != (c.dup >= 0) || is && dup.FirstOffset() != c.dup {
			t.Errorf("%s: %+v %v %v", name, dup, is, err)
		}
	}
}

func TestCheck_SequencesWrap(t *testing.T) {
	s := NewState()
	s.Update(header(1, 0, math.MaxInt32-1, 4, 0)) // MaxInt32-1, MaxInt32, 0, 1
	if _, _, err := s.Check(header(1, 0, 2, 1, 0)); err != nil {
		t.Error(err)
	}
	if _, is, _ := s.Check(header(1, 0, math.MaxInt32-1, 4, 0)); !is {
		t.Error("the duplicate over the wrap is not seen")
	}
	k, err := ParseKafkaSnapshot(s.KafkaSnapshot())
	if err != nil || !bytes.Equal(k.Snapshot(), s.Snapshot()) {
		t.Errorf("Kafka's form over the wrap: %v", err)
	}
	s.Update(header(2, 0, math.MaxInt32, 1, 9))
	if _, _, err := s.Check(header(2, 0, 0, 1, 0)); err != nil {
		t.Error(err)
	}
}

func TestExpire(t *testing.T) {
	s := NewState()
	s.Update(header(1, 0, 0, 1, 100))
	s.Update(header(2, 0, 0, 1, 200))
	if n := s.Expire(1200); n != 1 || s.Get(1) != nil || s.Get(2) == nil || s.Len() != 1 {
		t.Errorf("%d expired", n)
	}
}

func randomState(rng *rand.Rand) *State {
	s := NewState()
	for range rng.IntN(40) {
		s.Update(header(rng.Int64N(6), int16(rng.IntN(3)), rng.Int32(), 1+rng.Int32N(9), rng.Int64N(1<<40)))
	}
	return s
}

func TestSnapshot_RoundTripAndEveryBitChecked(t *testing.T) {
	for seed := range uint64(50) {
		s := randomState(rand.New(rand.NewPCG(seed, 1)))
		b := s.Snapshot()
		got, err := ParseSnapshot(b)
		if err != nil || !bytes.Equal(got.Snapshot(), b) || !bytes.Equal(got.KafkaSnapshot(), s.KafkaSnapshot()) {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i := range b {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << (seed % 8)
			if _, err := ParseSnapshot(bad); !errors.Is(err, ErrSnapshot) {
				t.Fatalf("seed %d byte %d: %v", seed, i, err)
			}
		}
		k := s.KafkaSnapshot()
		for i := range k {
			bad := bytes.Clone(k)
			bad[i] ^= 1 << (seed % 8)
			if _, err := ParseKafkaSnapshot(bad); !errors.Is(err, ErrSnapshot) {
				t.Fatalf("seed %d Kafka's byte %d: %v", seed, i, err)
			}
		}
	}
}

func TestKafkaSnapshot_Bytes(t *testing.T) {
	s := NewState()
	s.Update(header(0x11, 2, 5, 3, 0x20))
	want := "0001" + "d3079d36" + "00000001" +
		"0000000000000011" + "0002" + "00000007" + "0000000000000022" + "00000002" + "0000000000000408" + "ffffffff" + "ffffffffffffffff"
	if got := hex.EncodeToString(s.KafkaSnapshot()); got[:4] != want[:4] || got[12:] != want[12:] {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzParseSnapshot(f *testing.F) {
	for seed := range uint64(4) {
		s := randomState(rand.New(rand.NewPCG(seed, 2)))
		f.Add(s.Snapshot())
		f.Add(s.KafkaSnapshot())
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseSnapshot(b); err == nil {
			if again, err := ParseSnapshot(s.Snapshot()); err != nil || again.Len() != s.Len() {
				t.Errorf("%x: %v", b, err)
			}
		}
		if s, err := ParseKafkaSnapshot(b); err == nil {
			if again, err := ParseKafkaSnapshot(s.KafkaSnapshot()); err != nil || again.Len() != s.Len() {
				t.Errorf("%x: %v", b, err)
			}
		}
	})
}
