package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
)

// encodedRecord is a record with the given deltas. tail is all that follows them.
func encodedRecord(timeDelta, offsetDelta int64, tail ...byte) []byte {
	body := binary.AppendVarint([]byte{0}, timeDelta)
	body = binary.AppendVarint(body, offsetDelta)
	body = append(body, tail...)
	return append(binary.AppendVarint(nil, int64(len(body))), body...)
}

// kvTail is the tail of a record k=v.
var kvTail = []byte{2, 'k', 2, 'v', 0}

func TestRecords_Lies(t *testing.T) {
	r0, r1, r2 := encodedRecord(0, 0, kvTail...), encodedRecord(1, 1, kvTail...), encodedRecord(2, 2, kvTail...)
	for _, tc := range []struct {
		name    string
		count   int32
		last    int32
		records []byte
		good    bool
	}{
		{"good", 3, 2, slices.Concat(r0, r1, r2), true},
		{"compacted", 2, 9, slices.Concat(r0, r2), true},
		{"compacted to nothing", 0, 9, nil, true},
		{"null by any negative length", 1, 0, encodedRecord(0, 0, 9, 2, 'v', 0), true},
		{"attributes", 1, 0, func() []byte { r := bytes.Clone(r0); r[1] = 7; return r }(), true},
		{"more counted than there", 3, 2, slices.Concat(r0, r1), false},
		{"more there than counted", 2, 1, slices.Concat(r0, r1, r2), false},
		{"none counted", 0, 0, r0, false},
		{"count huge", math.MaxInt32, math.MaxInt32, r0, false},
		{"offset repeats", 2, 1, slices.Concat(r0, r0), false},
		{"offset falls", 2, 2, slices.Concat(r2, r1), false},
		{"offset beyond header", 2, 1, slices.Concat(r0, r2), false},
		{"offset negative", 1, 0, encodedRecord(0, -1, kvTail...), false},
		{"header count negative", 1, 0, encodedRecord(0, 0, 2, 'k', 2, 'v', 1), false},
		{"header count huge", 1, 0, encodedRecord(0, 0, 2, 'k', 2, 'v', 0xfe, 0xff, 0xff, 0xff, 0xf), false},
		{"header key null", 1, 0, encodedRecord(0, 0, 2, 'k', 2, 'v', 2, 1, 1), false},
		{"header ends early", 1, 0, encodedRecord(0, 0, 2, 'k', 2, 'v', 2, 20, 'h'), false},
		{"key longer than record", 1, 0, encodedRecord(0, 0, 20, 'k', 2, 'v', 0), false},
		{"value huge", 1, 0, encodedRecord(0, 0, 2, 'k', 0xfe, 0xff, 0xff, 0xff, 0xf, 0), false},
		{"bytes after headers", 1, 0, encodedRecord(0, 0, 2, 'k', 2, 'v', 0, 9), false},
		{"varint too long", 1, 0, encodedRecord(0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 2, 'v', 0), false},
		{"varint beyond 32 bits", 1, 0, encodedRecord(0, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 2, 'v', 0), false},
		{"record length negative", 1, 0, []byte{1, 0, 0, 0, 0, 0, 0}, false},
		{"record length 0", 1, 0, []byte{0}, false},
		{"record length short", 1, 0, []byte{8, 0, 0, 0, 1}, false},
		{"record length beyond batch", 1, 0, append(binary.AppendVarint(nil, 1000), r0[1:]...), false},
		{"record length huge", 1, 0, append(binary.AppendVarint(nil, math.MaxInt32), r0[1:]...), false},
		{"no bytes", 1, 0, nil, false},
	} {
		for _, codec := range allCodecs {
			t.Run(tc.name+"/"+codec.String(), func(t *testing.T) {
				b := withRecords(t, codec, tc.count, tc.last, tc.records)
				records, err := collect(b, Limits{})
				walkErr := ValidateRecords(b, ValidateOptions{})
				if tc.good {
					if err != nil || walkErr != nil || len(records) != int(tc.count) {
						t.Fatalf("%d records, %v; walk: %v", len(records), err, walkErr)
					}
					return
				}
				if !errors.Is(err, ErrInvalidRecord) || !errors.Is(walkErr, ErrInvalidRecord) {
					t.Fatalf("got %v; walk: %v", err, walkErr)
				}
			})
		}
	}
}

func TestRecords_DamagedCompression(t *testing.T) {
	for _, codec := range allCodecs[1:] {
		good := sample(t, codec, 50)
		for name, b := range map[string][]byte{
			"garbage":   append(bytes.Clone(good[:HeaderSize]), "garbage garbage garbage garbage"...),
			"nothing":   bytes.Clone(good[:HeaderSize]),
			"cut":       bytes.Clone(good[:len(good)-9]),
			"head only": bytes.Clone(good[:HeaderSize+3]),
		} {
			h, err := ParseHeader(b)
			if err != nil {
				t.Fatal(err)
			}
			if err := finish(b, h); err != nil {
				t.Fatal(err)
			}
			if _, err := collect(b, Limits{}); !errors.Is(err, ErrInvalidRecord) {
				t.Errorf("%v, %s: %v", codec, name, err)
			}
			// The decoder that just failed goes back to its pool in order.
			if records, err := collect(good, Limits{}); err != nil || len(records) != 50 {
				t.Errorf("%v, after %s: %d records, %v", codec, name, len(records), err)
			}
		}
	}
	unknown := edited(sample(t, CodecNone, 1), func(b []byte) { b[posAttributes+1] = 5 })
	if _, err := collect(unknown, Limits{}); !errors.Is(err, ErrUnsupportedCodec) {
		t.Errorf("codec 5: %v", err)
	}
	short := sample(t, CodecNone, 2)
	if _, err := collect(short[:len(short)-1], Limits{}); !errors.Is(err, ErrTruncated) {
		t.Errorf("cut batch: %v", err)
	}
	if _, err := collect(append(short, 0), Limits{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("long batch: %v", err)
	}
}

func TestRecords_RawSnappyBlock(t *testing.T) {
	records := bytes.Join([][]byte{encodedRecord(0, 0, kvTail...), encodedRecord(0, 1, kvTail...)}, nil)
	b := withRecords(t, CodecNone, 2, 1, snappy.Encode(nil, records))
	b[posAttributes+1] = byte(CodecSnappy)
	if got, err := collect(b, Limits{}); err != nil || len(got) != 2 {
		t.Fatalf("%d records, %v", len(got), err)
	}
	if _, err := collect(b, Limits{MaxBuffer: 10}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("block above MaxBuffer: %v", err)
	}
	lie := withRecords(t, CodecNone, 2, 1, append(binary.AppendUvarint(nil, 1<<20), 0, 0))
	lie[posAttributes+1] = byte(CodecSnappy)
	if _, err := collect(lie, Limits{}); !errors.Is(err, ErrInvalidRecord) || errors.Is(err, ErrTooLarge) {
		t.Errorf("block that claims too much: %v", err)
	}
}

// Records of all sizes around those of the buffers, of content that cannot and
// that can be compressed.
func TestRecords_Sizes(t *testing.T) {
	rng := rand.NewChaCha8([32]byte{1})
	for _, codec := range allCodecs {
		b := Builder{Codec: codec}
		var want [][]byte
		for _, size := range []int{0, 1, windowMin - 1, windowMin, windowMin + 1, 100_000, 3, 1 << 20, 0, 70_000} {
			value := make([]byte, size)
			if size%2 == 1 {
				_, _ = rng.Read(value)
			}
			want = append(want, value)
			b.Add(testTime, nil, value)
		}
		encoded := mustBytes(t, &b)
		i := 0
		for r, err := range Records(encoded, Limits{}) {
			if err != nil || !bytes.Equal(r.Value, want[i]) || r.Value == nil || r.Key != nil {
				t.Fatalf("%v: record %d: %d bytes, %v", codec, i, len(r.Value), err)
			}
			i++
		}
		if i != len(want) {
			t.Errorf("%v: %d records", codec, i)
		}
		if codec == CodecNone {
			continue
		}
		if _, err := collect(encoded, Limits{MaxBytes: 1 << 20}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v: above MaxBytes: %v", codec, err)
		}
		if _, err := collect(encoded, Limits{MaxBuffer: 1 << 19}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v: above MaxBuffer: %v", codec, err)
		}
	}
}

// zeros yields n zero bytes.
type zeros int64

func (z *zeros) Read(p []byte) (int, error) {
	if *z == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), int64(*z))
	clear(p[:n])
	*z -= zeros(n)
	return int(n), nil
}

// bomb is a batch of one record whose value is size zeros.
func bomb(t testing.TB, codec Codec, size int64) []byte {
	t.Helper()
	length := varintLen(size) + size + 5
	head := binary.AppendVarint(nil, length)
	head = append(head, 0, 0, 0, 1) // attributes, deltas, null key
	head = binary.AppendVarint(head, size)
	body := zeros(size)

	out := sliceWriter(make([]byte, HeaderSize))
	z, err := codec.newWriter(&out, LevelDefault)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(z, io.MultiReader(bytes.NewReader(head), &body, bytes.NewReader([]byte{0}))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	h := Header{Magic: Magic, Attributes: int16(codec), Count: 1, MaxTimestamp: testTime, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}
	if err := finish(out, h); err != nil {
		t.Fatal(err)
	}
	return out
}

// heapGrowth is the number of bytes that f allocates in all, which bounds what it
// holds at any moment.
func heapGrowth(f func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

func TestLimits_Bombs(t *testing.T) {
	const growthMax = 32 << 20
	for _, codec := range allCodecs[1:] {
		t.Run(codec.String(), func(t *testing.T) {
			b := bomb(t, codec, bombSize)
			h, err := Validate(b)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes", h.Size())
			unbounded := Limits{MaxBytes: math.MaxInt64}
			for name, run := range map[string]func() error{
				"Records":         func() error { _, err := collect(b, Limits{}); return err },
				"ValidateRecords": func() error { return ValidateRecords(b, ValidateOptions{Limits: Limits{MaxBytes: bombSize / 4}}) },
				"Recompress": func() error {
					_, err := Recompress(b, CodecZstd, LevelDefault, Limits{MaxBytes: bombSize / 4})
					return err
				},
				"Records without MaxBytes": func() error {
					_, err := collect(b, unbounded)
					return err
				},
			} {
				grown := heapGrowth(func() { err = run() })
				if !errors.Is(err, ErrTooLarge) || grown > growthMax {
					t.Errorf("%s: %v, allocated %d bytes", name, err, grown)
				}
			}
			// Nothing of the record is needed but its timestamp: what is passed over
			// is not held.
			grown := heapGrowth(func() { err = ValidateRecords(b, ValidateOptions{Limits: unbounded}) })
			if err != nil || grown > growthMax {
				t.Errorf("walk to the end: %v, allocated %d bytes", err, grown)
			}
		})
	}
}

// What swells in one codec need not shrink in another: the result is bounded
// while it is made.
func TestLimits_Result(t *testing.T) {
	noise := make([]byte, 100<<10)
	rand.NewChaCha8([32]byte{}).Read(noise)
	b := Builder{Codec: CodecZstd}
	b.Add(testTime, nil, bytes.Repeat(noise, 500))
	encoded := mustBytes(t, &b)
	if len(encoded) > 1<<20 {
		t.Fatalf("%d bytes are no bomb", len(encoded))
	}
	// zstd's window of 8 MiB, the block buffers of both codecs, and what the race
	// detector adds; the record alone has 50 MB.
	const growthMax = 32 << 20
	for _, codec := range []Codec{CodecNone, CodecGzip, CodecLZ4, CodecSnappy} {
		var err error
		grown := heapGrowth(func() { _, err = Recompress(encoded, codec, LevelDefault, Limits{MaxResult: 1 << 20}) })
		if !errors.Is(err, ErrResultTooLarge) || grown > growthMax {
			t.Errorf("to %v: %v, allocated %d bytes", codec, err, grown)
		}
	}
	small := sample(t, CodecGzip, 3)
	got, err := Recompress(small, CodecNone, LevelDefault, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	size := int64(len(got))
	if _, err := Recompress(small, CodecNone, LevelDefault, Limits{MaxResult: size}); err != nil {
		t.Errorf("exactly as large as allowed: %v", err)
	}
	if _, err := Recompress(small, CodecNone, LevelDefault, Limits{MaxResult: size - 1}); !errors.Is(err, ErrResultTooLarge) {
		t.Errorf("a byte too large: %v", err)
	}
}

// What was decompressed is accounted for, whatever came of it.
func TestLimits_Spent(t *testing.T) {
	for _, codec := range allCodecs[1:] {
		b := bomb(t, codec, bombSize)
		var spent int64
		if err := ValidateRecords(b, ValidateOptions{Limits: Limits{MaxBytes: bombSize / 4, Spent: &spent}}); !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
		if _, err := Recompress(b, CodecLZ4, LevelDefault, Limits{MaxBytes: bombSize / 4, Spent: &spent}); !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
		if codec != CodecSnappy && (spent < bombSize/2 || spent > bombSize*3/4) {
			t.Errorf("%v: %d bytes spent, want about %d", codec, spent, bombSize/2)
		}
	}
}

func TestScan(t *testing.T) {
	for _, codec := range allCodecs {
		b := Builder{BaseOffset: 100, Codec: codec}
		for _, delta := range []int64{5, 3, 9, 7, 9, 1} {
			b.Add(testTime+delta, nil, make([]byte, 5000))
		}
		encoded := mustBytes(t, &b)
		for _, tc := range []struct {
			target, offset, timestamp int64
			found                     bool
		}{{0, 100, 5, true}, {5, 100, 5, true}, {6, 102, 9, true}, {9, 102, 9, true}, {10, 0, 0, false}} {
			offset, timestamp, found, err := ScanTimestamp(encoded, testTime+tc.target, Limits{})
			if tc.found {
				tc.timestamp += testTime
			}
			if err != nil || offset != tc.offset || timestamp != tc.timestamp || found != tc.found {
				t.Errorf("%v: target %d: %d, %d, %v, %v", codec, tc.target, offset, timestamp, found, err)
			}
		}
		if offset, timestamp, err := ScanMaxTimestamp(encoded, Limits{}); err != nil || offset != 102 || timestamp != testTime+9 {
			t.Errorf("%v: max: %d, %d, %v", codec, offset, timestamp, err)
		}
		StampAppendTime(encoded, testTime+50)
		if offset, timestamp, found, err := ScanTimestamp(encoded, testTime+20, Limits{}); err != nil || offset != 100 || timestamp != testTime+50 || !found {
			t.Errorf("%v: append time: %d, %d, %v, %v", codec, offset, timestamp, found, err)
		}
	}
	empty := Builder{}
	empty.Cover(4)
	b := mustBytes(t, &empty)
	if _, _, found, err := ScanTimestamp(b, 0, Limits{}); found || err != nil {
		t.Errorf("empty batch: found %v, %v", found, err)
	}
	if _, _, err := ScanMaxTimestamp(b, Limits{}); !errors.Is(err, ErrInvalidRecord) {
		t.Errorf("empty batch: max: %v", err)
	}
}

func TestRepairMaxTimestamp(t *testing.T) {
	b := sample(t, CodecLZ4, 3)
	if changed, err := RepairMaxTimestamp(b, Limits{}); changed || err != nil {
		t.Errorf("right max: changed %v, %v", changed, err)
	}
	want := bytes.Clone(b)
	StampMaxTimestamp(b, 0)
	if changed, err := RepairMaxTimestamp(b, Limits{}); !changed || err != nil || !bytes.Equal(b, want) {
		t.Errorf("wrong max: changed %v, %v", changed, err)
	}
}

// The texts are what Apache Kafka 4.3.0 answered to the same batches.
func TestValidateRecords_Messages(t *testing.T) {
	var keys Builder
	for i := range 6 {
		if i == 3 {
			keys.Add(testTime, []byte{}, nil)
		} else {
			keys.Add(testTime, nil, []byte("v"))
		}
	}
	err := ValidateRecords(mustBytes(t, &keys), ValidateOptions{KeysFor: "compacted-0"})
	var bad *RecordsError
	if !errors.As(err, &bad) || !errors.Is(err, ErrInvalidRecord) || bad.Total != 5 {
		t.Fatalf("null keys: %v", err)
	}
	const message = "Compacted topic cannot accept message without key in topic partition compacted-0"
	var indices []int32
	for _, r := range bad.Records {
		indices = append(indices, r.BatchIndex)
		if r.Message != message {
			t.Errorf("record %d: %q", r.BatchIndex, r.Message)
		}
	}
	if !slices.Equal(indices, []int32{0, 1, 2, 4, 5}) {
		t.Errorf("bad records %v", indices)
	}
	item := func(i int) string { return fmt.Sprintf("RecordError(batchIndex=%d, message='%s')", i, message) }
	want := "One or more records have been rejected due to 5 record errors in total, and only showing the first three errors at most: [" +
		item(0) + ", " + item(1) + ", " + item(2) + "]"
	if err.Error() != want {
		t.Errorf("text %q\nwant %q", err, want)
	}

	window := &TimestampWindow{Earliest: 1795458574697, Latest: 1795458576697}
	var times Builder
	for _, ms := range []int64{-1, -5, 0, 1795458574697, 1795458576697, 1795458576698} {
		times.Add(ms, nil, nil)
	}
	err = ValidateRecords(mustBytes(t, &times), ValidateOptions{Window: window})
	if !errors.As(err, &bad) || !errors.Is(err, ErrInvalidTimestamp) || errors.Is(err, ErrInvalidRecord) || len(bad.Records) != 3 {
		t.Fatalf("timestamps: %v", err)
	}
	if r := bad.Records[0]; r.BatchIndex != 1 || r.Message !=
		"Timestamp -5 of message with offset 1 is out of range. The timestamp should be within [1795458574697, 1795458576697]" {
		t.Errorf("record error %+v", r)
	}
	if err.Error() != "One or more records have been rejected due to invalid timestamp" {
		t.Errorf("text %q", err)
	}

	// The key comes first, but one timestamp decides for the batch.
	var both Builder
	both.Add(testTime, nil, nil)
	both.Add(testTime, []byte("k"), nil)
	err = ValidateRecords(mustBytes(t, &both), ValidateOptions{KeysFor: "t-0", Window: window})
	if !errors.As(err, &bad) || !errors.Is(err, ErrInvalidTimestamp) ||
		!strings.HasPrefix(bad.Records[0].Message, "Compacted") || !strings.HasPrefix(bad.Records[1].Message, "Timestamp") {
		t.Errorf("key and timestamp: %v", err)
	}
}

func TestValidateRecords_ReportsAreBounded(t *testing.T) {
	var b Builder
	for range maxRecordErrors + 500 {
		b.Add(testTime, nil, nil)
	}
	var bad *RecordsError
	if err := ValidateRecords(mustBytes(t, &b), ValidateOptions{KeysFor: "t-0"}); !errors.As(err, &bad) ||
		len(bad.Records) != maxRecordErrors || bad.Total != maxRecordErrors+500 {
		t.Fatalf("%v", err)
	}
}

func BenchmarkRecords(b *testing.B) {
	for _, codec := range allCodecs {
		b.Run(codec.String(), func(b *testing.B) {
			encoded := sample(b, codec, 1000)
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range Records(encoded, Limits{}) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
