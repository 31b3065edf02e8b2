//go:build linux

package raw

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestBatch: the batches are what kmsg takes for batches, to the byte.
func TestBatch(t *testing.T) {
	checkBatches(t, Batch, 0)
	checkBatches(t, func(size int) []byte { return Keyed(size, 7) }, 16)
	if bytes.Equal(Keyed(1<<10, 1), Keyed(1<<10, 2)) {
		t.Error("two seeds make the same batch")
	}
}

// checkBatches decodes batches whose keys have a length, 0 for no keys.
func checkBatches(t *testing.T, build func(size int) []byte, keys int) {
	t.Helper()
	for _, size := range []int{141 + keys, 1 << 10, 2100, 16 << 10, 1 << 20} {
		b := build(size)
		if len(b) != size {
			t.Errorf("batch of %d bytes, want %d", len(b), size)
		}
		var batch kmsg.RecordBatch
		if err := batch.ReadFrom(b); err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		if int(batch.NumRecords) != Records(size) || int(batch.LastOffsetDelta) != Records(size)-1 || batch.ProducerID != -1 {
			t.Errorf("size %d: header %+v", size, batch)
		}
		if sum := crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)); uint32(batch.CRC) != sum {
			t.Errorf("size %d: checksum %x, want %x", size, batch.CRC, sum)
		}
		rest := batch.Records
		for i := range Records(size) {
			length, n := binary.Varint(rest)
			var r kmsg.Record
			if err := r.ReadFrom(rest[:n+int(length)]); err != nil || int(r.OffsetDelta) != i || (r.Key == nil) != (keys == 0) || len(r.Key) != keys || len(r.Value) < int(length)-9-keys {
				t.Fatalf("size %d: record %d: %v, %+v", size, i, err, r)
			}
			rest = rest[n+int(length):]
		}
		if len(rest) != 0 {
			t.Errorf("size %d: %d bytes after the records", size, len(rest))
		}
	}
}

// TestMarked: the header is where kmsg looks for it.
func TestMarked(t *testing.T) {
	b := Marked(1<<10, "type", "PAYMENT")
	var batch kmsg.RecordBatch
	if err := batch.ReadFrom(b); err != nil || len(b) != 1<<10 {
		t.Fatalf("%d bytes: %v", len(b), err)
	}
	var r kmsg.Record
	if err := r.ReadFrom(batch.Records); err != nil || len(r.Headers) != 1 || r.Headers[0].Key != "type" || string(r.Headers[0].Value) != "PAYMENT" {
		t.Errorf("%v: %+v", err, r.Headers)
	}
}

// TestAccepted: errors are found where kmsg puts them.
func TestAccepted(t *testing.T) {
	for _, code := range []int16{0, 3} {
		resp := kmsg.NewPtrProduceResponse()
		resp.Version = 7
		p := kmsg.NewProduceResponseTopicPartition()
		p.Partition, p.ErrorCode = 9, code
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.Partitions = "name", []kmsg.ProduceResponseTopicPartition{p}
		resp.Topics = []kmsg.ProduceResponseTopic{topic}
		answer := resp.AppendTo([]byte{0, 0, 0, 1})
		if err := Accepted(answer); (err == nil) != (code == 0) {
			t.Errorf("error %d: %v", code, err)
		}
		for n := range len(answer) - 8 {
			Accepted(answer[:n]) // must not panic
		}
	}
}
