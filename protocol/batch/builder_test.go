package batch

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

func TestBuilder_KeepsGapsAndEnd(t *testing.T) {
	b := Builder{BaseOffset: 10, Producer: &Producer{ID: 1, Epoch: 2, Sequence: math.MaxInt32 - 1}, Codec: CodecZstd}
	b.AddAt(12, testTime, []byte("a"), nil)
	b.AddAt(15, testTime-1, []byte("b"), nil)
	b.Cover(14) // already covered
	b.Cover(19)
	if b.Next() != 20 || b.Len() != 2 {
		t.Errorf("Next %d, Len %d", b.Next(), b.Len())
	}
	encoded := mustBytes(t, &b)
	h, err := ParseHeader(encoded)
	if err != nil || h.LastOffset() != 19 || h.Count != 2 || h.LastSequence() != 7 || h.MaxTimestamp != testTime {
		t.Fatalf("%+v, %v", h, err)
	}
	records, err := collect(encoded, Limits{})
	if err != nil || len(records) != 2 || records[0].Offset != 12 || records[1].Offset != 15 || records[1].Timestamp != testTime-1 {
		t.Fatalf("%+v, %v", records, err)
	}
}

func TestBuilder_Attributes(t *testing.T) {
	b := Builder{Control: true, Transactional: true, AppendTime: testTime + 7, DeleteHorizon: testTime - 100, Producer: &Producer{}}
	b.Add(testTime, nil, nil)
	encoded := mustBytes(t, &b)
	h, err := ParseHeader(encoded)
	if err != nil || CheckCRC(encoded, h) != nil {
		t.Fatal(err)
	}
	horizon, ok := h.DeleteHorizon()
	if !h.IsControl() || !h.IsTransactional() || !h.IsLogAppendTime() || !ok || horizon != testTime-100 || h.MaxTimestamp != testTime+7 || !h.HasProducer() {
		t.Errorf("%+v", h)
	}
	b.AppendTime = 0
	if records, err := collect(mustBytes(t, &b), Limits{}); err != nil || records[0].Timestamp != testTime {
		t.Errorf("timestamps must count from the horizon: %+v, %v", records, err)
	}
}

func TestBuilder_Empty(t *testing.T) {
	b := Builder{Codec: CodecGzip, Producer: &Producer{ID: 5, Epoch: 1, Sequence: 3}}
	if _, err := b.Bytes(); !errors.Is(err, ErrInvalidRecord) {
		t.Errorf("nothing added: %v", err)
	}
	b.Reset()
	b.Cover(2)
	encoded := mustBytes(t, &b)
	h, err := ParseHeader(encoded)
	if err != nil || len(encoded) != HeaderSize || h.Count != 0 || h.LastSequence() != 5 || h.Codec() != CodecNone {
		t.Errorf("%+v, %v", h, err)
	}
	if records, err := collect(encoded, Limits{}); err != nil || len(records) != 0 {
		t.Errorf("%d records, %v", len(records), err)
	}
}

func TestBuilder_WrongUse(t *testing.T) {
	for name, use := range map[string]func(b *Builder){
		"offset falls":   func(b *Builder) { b.AddAt(5, 0, nil, nil); b.AddAt(5, 0, nil, nil) },
		"below base":     func(b *Builder) { b.AddAt(-1, 0, nil, nil) },
		"delta too wide": func(b *Builder) { b.AddAt(math.MaxInt32, 0, nil, nil) },
		"codec":          func(b *Builder) { b.Codec = 5; b.Add(0, nil, nil) },
		"level":          func(b *Builder) { b.Codec, b.Level = CodecGzip, 10; b.Add(0, nil, nil) },
	} {
		var b Builder
		use(&b)
		prefix := []byte("kept")
		if out, err := b.AppendTo(prefix); err == nil || string(out) != "kept" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}

func TestBuilder_ResetAndAppend(t *testing.T) {
	b := Builder{Codec: CodecLZ4}
	b.Add(testTime, nil, []byte("first"))
	first := mustBytes(t, &b)
	b.Reset()
	b.Add(testTime, nil, []byte("first"))
	both, err := b.AppendTo(bytes.Clone(first))
	if err != nil || !bytes.Equal(both, append(bytes.Clone(first), first...)) {
		t.Errorf("%x, %v", both, err)
	}
}

func TestRecompress(t *testing.T) {
	for _, from := range allCodecs {
		for _, to := range allCodecs {
			b := Builder{BaseOffset: 9, LeaderEpoch: 4, Codec: from, Producer: &Producer{7, 1, 5}, Transactional: true}
			for i := range 300 {
				b.AddAt(9+int64(2*i), testTime+int64(i%5), []byte("key"), bytes.Repeat([]byte("v"), i), RecordHeader{"h", nil})
			}
			encoded := mustBytes(t, &b)
			before := bytes.Clone(encoded)
			got, err := Recompress(encoded, to, LevelDefault, Limits{})
			if err != nil {
				t.Fatalf("%v to %v: %v", from, to, err)
			}
			b.Codec = to
			if want := mustBytes(t, &b); !bytes.Equal(got, want) {
				// An encoder may cut its blocks otherwise when written to in other pieces.
				plain, err := Recompress(got, CodecNone, LevelDefault, Limits{})
				b.Codec = CodecNone
				if err != nil || !bytes.Equal(plain, mustBytes(t, &b)) {
					t.Errorf("%v to %v: differs from a batch built so (%v)", from, to, err)
				}
			}
			if h, err := ParseHeader(got); err != nil || CheckCRC(got, h) != nil || h.Codec() != to {
				t.Errorf("%v to %v: %+v, %v", from, to, h, err)
			}
			if !bytes.Equal(encoded, before) {
				t.Errorf("%v to %v: changed its argument", from, to)
			}
		}
	}
	if _, err := Recompress(sample(t, CodecGzip, 1), 5, 0, Limits{}); !errors.Is(err, ErrUnsupportedCodec) {
		t.Errorf("codec 5: %v", err)
	}
}

func TestCompress_Levels(t *testing.T) {
	src := bytes.Repeat([]byte("some text that repeats "), 5000)
	for _, tc := range []struct {
		codec    Codec
		good     []int
		bad      []int
		smallest int // bytes that no level of this codec reaches
	}{
		{CodecNone, []int{0, 99}, nil, len(src)},
		{CodecGzip, []int{-1, 0, 1, 9}, []int{-2, 10}, 100},
		{CodecSnappy, []int{0, 99}, nil, 1000},
		{CodecLZ4, []int{0, 1, 8, 9, 10, 17}, []int{-1, 18}, 100},
		{CodecZstd, []int{-131072, -1, 0, 1, 22}, []int{-131073, 23}, 10},
	} {
		for _, level := range tc.good {
			for range 2 { // the second time with a pooled encoder
				out, err := Compress(tc.codec, level, src)
				if err != nil || len(out) < tc.smallest {
					t.Fatalf("%v level %d: %d bytes, %v", tc.codec, level, len(out), err)
				}
				b := append(make([]byte, HeaderSize), out...)
				if err := finish(b, Header{Magic: Magic, Attributes: int16(tc.codec)}); err != nil {
					t.Fatal(err)
				}
				back, err := Recompress(b, CodecNone, 0, Limits{})
				if err != nil || !bytes.Equal(back[HeaderSize:], src) {
					t.Errorf("%v level %d: comes back as %d bytes, %v", tc.codec, level, len(back), err)
				}
			}
		}
		for _, level := range tc.bad {
			if _, err := Compress(tc.codec, level, src); !errors.Is(err, ErrLevel) {
				t.Errorf("%v level %d: %v, want ErrLevel", tc.codec, level, err)
			}
		}
	}
}

func TestParseCodec(t *testing.T) {
	for _, c := range allCodecs {
		if got, err := ParseCodec(c.String()); err != nil || got != c {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	if c, err := ParseCodec("uncompressed"); err != nil || c != CodecNone {
		t.Errorf("uncompressed: %v, %v", c, err)
	}
	if _, err := ParseCodec("producer"); !errors.Is(err, ErrUnsupportedCodec) {
		t.Errorf("producer: %v", err)
	}
	if Codec(7).String() != "codec(7)" || Codec(-1).Known() {
		t.Error("unknown codecs")
	}
}
