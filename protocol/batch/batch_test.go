package batch

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Timestamps of the records that the tests make, in ms since 1970.
const testTime = 1_700_000_000_000

var allCodecs = []Codec{CodecNone, CodecGzip, CodecSnappy, CodecLZ4, CodecZstd}

// mustBytes is the batch that b makes.
func mustBytes(t testing.TB, b *Builder) []byte {
	t.Helper()
	out, err := b.Bytes()
	if err != nil {
		t.Fatalf("Bytes: %v", err)
	}
	return out
}

// sample is a batch of n records like a client's.
func sample(t testing.TB, codec Codec, n int) []byte {
	t.Helper()
	b := Builder{Codec: codec, LeaderEpoch: -1}
	for i := range n {
		b.Add(testTime+int64(i), fmt.Appendf(nil, "key-%d", i), []byte("the value"))
	}
	return mustBytes(t, &b)
}

// edited is a copy of b with a change and a right CRC.
func edited(b []byte, change func(b []byte)) []byte {
	out := bytes.Clone(b)
	change(out)
	seal(out)
	return out
}

// withRecords is a batch with the given fields and encoded records.
func withRecords(t testing.TB, codec Codec, count, lastOffsetDelta int32, records []byte) []byte {
	t.Helper()
	out, err := appendCompressed(make([]byte, HeaderSize), codec, LevelDefault, records)
	if err != nil {
		t.Fatal(err)
	}
	h := Header{
		Magic: Magic, Attributes: int16(codec), LastOffsetDelta: lastOffsetDelta, Count: count,
		BaseTimestamp: testTime, MaxTimestamp: testTime, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1,
	}
	if err := finish(out, h); err != nil {
		t.Fatal(err)
	}
	return out
}

// collect copies the records out of a batch.
func collect(b []byte, lim Limits) ([]Record, error) {
	var out []Record
	for r, err := range Records(b, lim) {
		if err != nil {
			return out, err
		}
		r.Key, r.Value, r.headers = bytes.Clone(r.Key), bytes.Clone(r.Value), bytes.Clone(r.headers)
		out = append(out, r)
	}
	return out, nil
}

// kmsgRecord is a record in the encoding of franz-go.
func kmsgRecord(r kmsg.Record) []byte {
	r.Length = int32(len(r.AppendTo(nil)) - 1) // a length of 0 takes one byte
	return r.AppendTo(nil)
}

// kmsgBatch is a batch in the encoding of franz-go, an implementation independent
// of this one.
func kmsgBatch(h Header, records []byte) []byte {
	b := kmsg.RecordBatch{
		FirstOffset: h.BaseOffset, PartitionLeaderEpoch: h.LeaderEpoch, Magic: h.Magic, Attributes: h.Attributes,
		LastOffsetDelta: h.LastOffsetDelta, FirstTimestamp: h.BaseTimestamp, MaxTimestamp: h.MaxTimestamp,
		ProducerID: h.ProducerID, ProducerEpoch: h.ProducerEpoch, FirstSequence: h.BaseSequence,
		NumRecords: h.Count, Records: records,
	}
	b.Length = int32(len(b.AppendTo(nil)) - LengthPrefix)
	b.CRC = int32(crc32.Checksum(b.AppendTo(nil)[crcStart:], crc32.MakeTable(crc32.Castagnoli)))
	return b.AppendTo(nil)
}
