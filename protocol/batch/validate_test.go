package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var be = binary.BigEndian

// magic1Set is a message set of one message of magic 1.
func magic1Set() []byte {
	b := make([]byte, 12, 34)
	be.PutUint32(b[posLength:], 22)
	return append(b, 0xbb, 0x1d, 0x2c, 0x0e, 1, 0, 0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)
}

func TestValidate(t *testing.T) {
	good := sample(t, CodecNone, 2)
	flipped := bytes.Clone(good)
	flipped[HeaderSize] ^= 1
	edit := func(change func(b []byte)) []byte { return edited(good, change) }
	attributes := func(v uint16) []byte { return edit(func(b []byte) { be.PutUint16(b[posAttributes:], v) }) }
	length := func(v int) []byte { return edit(func(b []byte) { be.PutUint32(b[posLength:], uint32(v)) }) }
	producer := func(id int64, epoch int16, sequence int32) []byte {
		b := Builder{Producer: &Producer{id, epoch, sequence}}
		b.Add(testTime, nil, nil)
		return mustBytes(t, &b)
	}

	for _, tc := range []struct {
		name string
		b    []byte
		want error // nil: valid
	}{
		{"good", good, nil},
		{"any leader epoch", edit(func(b []byte) { StampOffset(b, 0, -9) }), nil},
		{"base offset", edit(func(b []byte) { StampOffset(b, 1, -1) }), ErrInvalidRecord},
		{"null", nil, ErrInvalidRecord},
		{"empty", []byte{}, ErrInvalidRecord},
		{"ends before magic", good[:16], ErrInvalidRecord},
		{"ends in header", good[:HeaderSize-1], ErrInvalidRecord},
		{"ends in records", good[:len(good)-1], ErrInvalidRecord},
		{"wrong CRC", flipped, ErrCorrupt},
		{"magic 0", edit(func(b []byte) { b[posMagic] = 0 }), ErrUnsupportedMagic},
		{"magic 1", edit(func(b []byte) { b[posMagic] = 1 }), ErrUnsupportedMagic},
		{"message set", magic1Set(), ErrUnsupportedMagic},
		{"magic 3", edit(func(b []byte) { b[posMagic] = 3 }), ErrCorrupt},
		{"magic -1", edit(func(b []byte) { b[posMagic] = 0xff }), ErrCorrupt},
		{"two batches", slices.Concat(good, good), ErrTooManyBatches},
		{"two batches, second damaged", slices.Concat(good, flipped), ErrTooManyBatches},
		{"byte behind", append(bytes.Clone(good), 0), ErrCorrupt},
		{"zeros behind", append(bytes.Clone(good), make([]byte, HeaderSize)...), ErrCorrupt},
		{"length negative", length(-1), ErrCorrupt},
		{"length 0", length(0), ErrCorrupt},
		{"length without header", length(minLength - 1), ErrCorrupt},
		{"length too short", length(len(good) - LengthPrefix - 1), ErrCorrupt},
		{"length too long", length(len(good) - LengthPrefix + 1), ErrInvalidRecord},
		{"length huge", length(1<<31 - 1), ErrInvalidRecord},
		{"count 0", edit(func(b []byte) { be.PutUint32(b[posCount:], 0) }), ErrInvalidRecord},
		{"count negative", edit(func(b []byte) { b[posCount] = 0xff }), ErrInvalidRecord},
		{"count low", edit(func(b []byte) { be.PutUint32(b[posCount:], 1) }), ErrInvalidRecord},
		{"delta high", edit(func(b []byte) { be.PutUint32(b[posLastOffsetDelta:], 2) }), ErrInvalidRecord},
		{"delta negative", edit(func(b []byte) { b[posLastOffsetDelta] = 0xff }), ErrInvalidRecord},
		{"no records", withRecords(t, CodecNone, 0, 0, nil), ErrInvalidRecord},
		{"control", attributes(attrControl), ErrInvalidRecord},
		{"codec 4", attributes(4), nil},
		{"codec 5", attributes(5), ErrUnsupportedCodec},
		{"codec 7", attributes(7), ErrUnsupportedCodec},
		{"log append time", attributes(attrLogAppendTime), ErrInvalidTimestamp},
		{"unused attributes", attributes(0xffc0), nil},
		{"transactional without producer", attributes(attrTransactional), ErrInvalidRecord},
		{"producer", producer(0, 0, 0), nil},
		{"producer without sequence", producer(5, 0, -1), ErrInvalidRecord},
		{"producer without epoch", producer(5, -1, 0), ErrInvalidRecord},
		{"no producer but epoch and sequence", producer(-1, 3, 5), nil},
		{"producer -2", producer(-2, -1, -1), nil},
		{"max timestamp wrong", edit(func(b []byte) { StampMaxTimestamp(b, -7) }), nil},
	} {
		t.Run(tc.name, func(t *testing.T) { wantValidate(t, tc.b, tc.want) })
	}
}

// wantValidate checks that Validate says want, and an error that the protocol has
// one code for.
func wantValidate(t *testing.T, b []byte, want error) {
	t.Helper()
	_, err := Validate(b)
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	if n := codesOf(err); err != nil && n != 1 {
		t.Errorf("%v stands for %d codes of the protocol", err, n)
	}
}

// codesOf is how many of the errors with a code err is.
func codesOf(err error) int {
	n := 0
	for _, e := range []error{ErrCorrupt, ErrInvalidTimestamp, ErrUnsupportedCodec, ErrInvalidRecord} {
		if errors.Is(err, e) {
			n++
		}
	}
	return n
}

// The checksum comes before what it vouches for: a damaged field is damage, not a
// mistake of the client, who would not retry it.
func TestValidate_DamageComesFirst(t *testing.T) {
	for _, pos := range []int{posAttributes, posAttributes + 1, posLastOffsetDelta, posCount, posProducerID} {
		b := sample(t, CodecNone, 2)
		b[pos] ^= 0xff
		if _, err := Validate(b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("damage at %d: %v, want ErrCorrupt", pos, err)
		}
	}
}

func TestValidate_EveryBitFlip(t *testing.T) {
	var want []int // bits that may change without anyone noticing: the leader epoch
	for bit := posLeaderEpoch * 8; bit < (posLeaderEpoch+4)*8; bit++ {
		want = append(want, bit)
	}
	var passCRC []int // bits that CheckCRC cannot see: base offset, leader epoch
	for bit := range posLength * 8 {
		passCRC = append(passCRC, bit)
	}
	passCRC = append(passCRC, want...)

	for _, codec := range allCodecs {
		b := sample(t, codec, 20)
		var gotValidate, gotCRC []int
		for bit := range len(b) * 8 {
			b[bit/8] ^= 0x80 >> (bit % 8)
			if _, err := Validate(b); err == nil {
				gotValidate = append(gotValidate, bit)
			}
			if h, err := ParseHeader(b); err == nil && CheckCRC(b, h) == nil {
				gotCRC = append(gotCRC, bit)
			}
			b[bit/8] ^= 0x80 >> (bit % 8)
		}
		if !slices.Equal(gotValidate, want) {
			t.Errorf("%v: Validate passes flips of bits %v, want %v", codec, gotValidate, want)
		}
		if !slices.Equal(gotCRC, passCRC) {
			t.Errorf("%v: CheckCRC passes flips of bits %v, want %v", codec, gotCRC, passCRC)
		}
	}
}

func TestValidate_AllocatesNothing(t *testing.T) {
	b := sample(t, CodecNone, 10)
	if n := testing.AllocsPerRun(100, func() { _, _ = Validate(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSplit(t *testing.T) {
	one, two := sample(t, CodecNone, 1), sample(t, CodecGzip, 9)
	first, rest, err := Split(slices.Concat(one, two))
	if err != nil || !bytes.Equal(first, one) || !bytes.Equal(rest, two) || cap(first) != len(first) {
		t.Fatalf("first of two: %d and %d bytes, %v", len(first), len(rest), err)
	}
	if first, rest, err = Split(rest); err != nil || !bytes.Equal(first, two) || len(rest) != 0 {
		t.Fatalf("second of two: %d and %d bytes, %v", len(first), len(rest), err)
	}
	for n := range len(one) {
		if _, rest, err := Split(one[:n]); !errors.Is(err, ErrTruncated) || !errors.Is(err, ErrCorrupt) || len(rest) != n {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, _, err := Split(make([]byte, 100)); !errors.Is(err, ErrCorrupt) || errors.Is(err, ErrTruncated) {
		t.Errorf("zeros: %v", err)
	}
}

func TestStamp(t *testing.T) {
	b := sample(t, CodecNone, 3)
	StampOffset(b, 1<<40, 17)
	h, err := ParseHeader(b)
	if err != nil || CheckCRC(b, h) != nil || h.BaseOffset != 1<<40 || h.LastOffset() != 1<<40+2 || h.LeaderEpoch != 17 {
		t.Fatalf("StampOffset: %+v, %v", h, err)
	}
	StampAppendTime(b, testTime+99)
	h, err = ParseHeader(b)
	if err != nil || CheckCRC(b, h) != nil || !h.IsLogAppendTime() || h.MaxTimestamp != testTime+99 {
		t.Fatalf("StampAppendTime: %+v, %v", h, err)
	}
	records, err := collect(b, Limits{})
	if err != nil || len(records) != 3 || records[0].Timestamp != testTime+99 || records[2].Offset != 1<<40+2 {
		t.Fatalf("records after stamping: %+v, %v", records, err)
	}
}

func TestHeader_LastSequenceWraps(t *testing.T) {
	for _, tc := range []struct{ base, delta, want int32 }{
		{0, 0, 0}, {5, 4, 9}, {1<<31 - 1, 0, 1<<31 - 1}, {1<<31 - 1, 1, 0}, {1<<31 - 2, 5, 3}, {-1, 7, -1},
	} {
		if got := (Header{BaseSequence: tc.base, LastOffsetDelta: tc.delta}).LastSequence(); got != tc.want {
			t.Errorf("base %d, delta %d: %d, want %d", tc.base, tc.delta, got, tc.want)
		}
	}
}

func FuzzValidate(f *testing.F) {
	for _, codec := range allCodecs {
		f.Add(sample(f, codec, 3))
	}
	f.Add(magic1Set())
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Validate(b)
		if err != nil {
			if codesOf(err) != 1 {
				t.Fatalf("%v stands for %d codes", err, codesOf(err))
			}
			return
		}
		if first, rest, err := Split(b); err != nil || len(rest) != 0 || len(first) != len(b) {
			t.Fatalf("valid, but Split says %d + %d bytes, %v", len(first), len(rest), err)
		}
		if h.Size() != int64(len(b)) || h.Count < 1 || h.LastOffset() != int64(h.Count)-1 {
			t.Fatalf("valid, but %+v", h)
		}
	})
}

func FuzzRecords(f *testing.F) {
	for _, codec := range allCodecs {
		f.Add(sample(f, codec, 3))
		b, err := os.ReadFile(filepath.Join("testdata", "kafka-"+codec.String()+".batch"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		lim := Limits{MaxBytes: 1 << 20, MaxBuffer: 1 << 16}
		records, err := collect(b, lim)
		if err != nil && codesOf(err) != 1 {
			t.Fatalf("%v stands for %d codes", err, codesOf(err))
		}
		for _, r := range records {
			n := 0
			for range r.Headers() {
				n++
			}
			if n != r.HeaderCount() {
				t.Fatalf("%d headers, %d counted", n, r.HeaderCount())
			}
		}
		if walkErr := ValidateRecords(b, ValidateOptions{Limits: lim}); err == nil && walkErr != nil {
			t.Fatalf("Records passes, ValidateRecords says %v", walkErr)
		}
		if err == nil {
			rebuilt(t, b, records)
		}
	})
}

// rebuilt checks that a Builder makes a batch with the same records.
func rebuilt(t *testing.T, b []byte, records []Record) {
	h, err := ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	if h.BaseOffset < 0 || h.LastOffset() < h.BaseOffset {
		return // offsets that no log has
	}
	again := Builder{BaseOffset: h.BaseOffset, Codec: CodecZstd}
	for _, r := range records {
		again.AddAt(r.Offset, r.Timestamp, r.Key, r.Value, slices.Collect(r.Headers())...)
	}
	again.Cover(h.LastOffset())
	encoded, err := again.Bytes()
	if errors.Is(err, ErrInvalidRecord) && h.LastOffsetDelta == 1<<31-1 {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := collect(encoded, Limits{})
	if err != nil || !slices.EqualFunc(got, records, sameRecord) {
		t.Fatalf("rebuilt as %v, %v\nwant %v", got, err, records)
	}
}

// sameRecord compares what records mean: null and varints have more than one
// encoding.
func sameRecord(a, b Record) bool {
	return a.Offset == b.Offset && a.Timestamp == b.Timestamp && sameNullable(a.Key, b.Key) && sameNullable(a.Value, b.Value) &&
		slices.EqualFunc(slices.Collect(a.Headers()), slices.Collect(b.Headers()), func(x, y RecordHeader) bool {
			return x.Key == y.Key && sameNullable(x.Value, y.Value)
		})
}

func sameNullable(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func BenchmarkValidate(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			var builder Builder
			builder.Add(testTime, nil, make([]byte, size-HeaderSize-minRecordLen-9))
			encoded := mustBytes(b, &builder)
			b.SetBytes(int64(len(encoded)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Validate(encoded); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
