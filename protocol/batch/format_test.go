package batch

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// goldenBatch is the batch of TestBuilder_Golden, byte by byte.
const goldenBatch = "" +
	"0000000000000007" + // base offset
	"00000049" + // length
	"00000003" + // leader epoch
	"02" + // magic
	"7a8cce3b" + // CRC
	"0010" + // attributes: transactional
	"00000001" + // last offset delta
	"0000018bcfe56800" + // base timestamp
	"0000018bcfe56805" + // max timestamp
	"00000000000003e9" + // producer id
	"0004" + // producer epoch
	"00000009" + // base sequence
	"00000002" + // count
	"20" + "00" + "00" + "00" + "026b" + "0476" + "31" + // length, attributes, deltas, key k, value v1
	"04" + "0268" + "0278" + "026e" + "01" + // headers h=x, n=null
	"0c" + "00" + "0a" + "02" + "01" + "00" + "00" // null key, empty value, no headers

func goldenHeader() Header {
	return Header{
		BaseOffset: 7, LeaderEpoch: 3, Magic: Magic, Attributes: attrTransactional, LastOffsetDelta: 1,
		BaseTimestamp: testTime, MaxTimestamp: testTime + 5,
		ProducerID: 1001, ProducerEpoch: 4, BaseSequence: 9, Count: 2,
	}
}

func TestBuilder_Golden(t *testing.T) {
	b := Builder{
		BaseOffset: 7, LeaderEpoch: 3, Transactional: true,
		Producer: &Producer{ID: 1001, Epoch: 4, Sequence: 9},
	}
	b.Add(testTime, []byte("k"), []byte("v1"), RecordHeader{"h", []byte("x")}, RecordHeader{"n", nil})
	b.Add(testTime+5, nil, []byte{})
	got := mustBytes(t, &b)

	records := append(
		kmsgRecord(kmsg.Record{Key: []byte("k"), Value: []byte("v1"), Headers: []kmsg.Header{{Key: "h", Value: []byte("x")}, {Key: "n"}}}),
		kmsgRecord(kmsg.Record{TimestampDelta64: 5, OffsetDelta: 1, Value: []byte{}})...)
	if want := kmsgBatch(goldenHeader(), records); !bytes.Equal(got, want) {
		t.Errorf("differs from franz-go:\n got %x\nwant %x", got, want)
	}
	if hex.EncodeToString(got) != goldenBatch {
		t.Errorf("differs from golden bytes:\n got %x\nwant %s", got, goldenBatch)
	}
}

func TestParseHeader_FieldByField(t *testing.T) {
	want := Header{
		BaseOffset: 0x0102030405060708, LeaderEpoch: 0x090a0b0c, Magic: Magic, Attributes: 0x0d0e,
		LastOffsetDelta: 0x0f101112, BaseTimestamp: 0x131415161718191a, MaxTimestamp: 0x1b1c1d1e1f202122,
		ProducerID: 0x232425262728292a, ProducerEpoch: 0x2b2c, BaseSequence: 0x2d2e2f30, Count: 0x31323334,
	}
	encoded := kmsgBatch(want, []byte("records"))
	got, err := ParseHeader(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckCRC(encoded, got); err != nil {
		t.Error(err)
	}
	if got.Size() != int64(len(encoded)) {
		t.Errorf("Size = %d, want %d", got.Size(), len(encoded))
	}
	got.CRC, got.Length = 0, 0
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestRecords_KafkaWrote reads what Apache Kafka 4.3.0 stored in topics with each
// compression.type; zstd22 has the level 22, whose window is 128 MiB.
func TestRecords_KafkaWrote(t *testing.T) {
	for _, name := range []string{"none", "gzip", "snappy", "lz4", "zstd", "zstd22"} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join("testdata", "kafka-"+name+".batch"))
			if err != nil {
				t.Fatal(err)
			}
			h, err := ParseHeader(b)
			if err != nil {
				t.Fatal(err)
			}
			if err := CheckCRC(b, h); err != nil {
				t.Fatal(err)
			}
			if h.Count != 100 || h.LastOffset() != 99 || h.ProducerID != 900 || h.MaxTimestamp != testTime+6 {
				t.Errorf("header %+v", h)
			}
			got, err := collect(b, Limits{})
			if err != nil || len(got) != 100 {
				t.Fatalf("%d records, error %v", len(got), err)
			}
			for i, r := range got {
				if want := fmt.Sprintf("key-%d", i); string(r.Key) != want || string(r.Value) != "the value" ||
					r.Offset != int64(i) || r.Timestamp != testTime+int64(i%7) {
					t.Fatalf("record %d: %+v", i, r)
				}
				headers := slices.Collect(r.Headers())
				if len(headers) != 2 || headers[0].Key != "h" || string(headers[0].Value) != "v" ||
					headers[1].Key != "null" || headers[1].Value != nil {
					t.Fatalf("record %d: headers %q", i, headers)
				}
			}
		})
	}
}

func TestBuilder_RoundTripWithKmsg(t *testing.T) {
	for _, codec := range allCodecs {
		t.Run(codec.String(), func(t *testing.T) {
			b := Builder{BaseOffset: 40, LeaderEpoch: 2, Codec: codec}
			for i := range 500 {
				b.Add(testTime-int64(i%3), fmt.Appendf(nil, "%d", i), bytes.Repeat([]byte{byte(i)}, i), RecordHeader{Key: "i", Value: []byte{byte(i)}})
			}
			encoded := mustBytes(t, &b)

			var k kmsg.RecordBatch
			if err := k.ReadFrom(encoded); err != nil {
				t.Fatal(err)
			}
			if k.FirstOffset != 40 || k.PartitionLeaderEpoch != 2 || k.NumRecords != 500 || k.LastOffsetDelta != 499 ||
				k.MaxTimestamp != testTime || k.FirstTimestamp != testTime || Codec(k.Attributes) != codec {
				t.Errorf("kmsg sees %+v", k)
			}
			plain, err := Recompress(encoded, CodecNone, LevelDefault, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			rest := plain[HeaderSize:]
			got, err := collect(encoded, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range got {
				var want kmsg.Record
				if err := want.ReadFrom(rest); err != nil {
					t.Fatalf("record %d: kmsg: %v", i, err)
				}
				rest = rest[len(want.AppendTo(nil)):]
				if !bytes.Equal(r.Key, want.Key) || !bytes.Equal(r.Value, want.Value) ||
					r.Offset != 40+int64(want.OffsetDelta) || r.Timestamp != testTime+want.TimestampDelta64 ||
					r.HeaderCount() != 1 || want.Headers[0].Value[0] != byte(i) {
					t.Fatalf("record %d: got %+v, kmsg %+v", i, r, want)
				}
			}
			if len(rest) != 0 || len(got) != 500 {
				t.Errorf("%d records, %d bytes left over", len(got), len(rest))
			}
		})
	}
}
