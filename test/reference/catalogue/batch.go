package catalogue

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// longAgo is the time of records, in ms: no retention applies in these worlds, and
// answers do not depend on the day.
const longAgo = 1_750_000_000_000

// batch describes a record batch. Its zero value with records is one of no producer.
type batch struct {
	records    []kmsg.Record
	producer   int64
	epoch      int16
	sequence   int32
	idempotent bool // producer, epoch and sequence count
	attributes int16
	first      int64 // time of the first record, longAgo if 0
	step       int64 // from one record's time to the next
	squeeze    func(records []byte) (compressed []byte, codec int16)
}

// values is a batch of n records without keys, a millisecond apart.
func values(n int) batch {
	b := batch{step: 1}
	for i := range n {
		b.records = append(b.records, kmsg.Record{Value: fmt.Appendf(nil, "value-%d", i)})
	}
	return b
}

// keyed is values with keys.
func keyed(n int) batch {
	b := values(n)
	for i := range b.records {
		b.records[i].Key = fmt.Appendf(nil, "key-%d", i)
	}
	return b
}

// from makes it a batch of an idempotent producer.
func (b batch) from(producer int64, epoch int16, sequence int32) batch {
	b.producer, b.epoch, b.sequence, b.idempotent = producer, epoch, sequence, true
	return b
}

// head is the batch as kmsg knows it, complete but for length and checksum.
func (b batch) head() kmsg.RecordBatch {
	first := b.first
	if first == 0 {
		first = longAgo
	}
	if !b.idempotent {
		b.producer, b.epoch, b.sequence = -1, -1, -1
	}
	var records []byte
	for i, r := range b.records {
		r.TimestampDelta64, r.OffsetDelta = int64(i)*b.step, int32(i)
		r.Length = int32(len(r.AppendTo(nil)) - 1) // a length of 0 takes one byte
		records = r.AppendTo(records)
	}
	if b.squeeze != nil {
		var codec int16
		records, codec = b.squeeze(records)
		b.attributes |= codec
	}
	last := int64(len(b.records) - 1)
	return kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: b.attributes, LastOffsetDelta: int32(last),
		FirstTimestamp: first, MaxTimestamp: first + max(last, 0)*b.step, ProducerID: b.producer, ProducerEpoch: b.epoch,
		FirstSequence: b.sequence, NumRecords: int32(len(b.records)), Records: records,
	}
}

// encode is the batch as it is sent.
func (b batch) encode() []byte { return seal(b.head()) }

// seal encodes a batch with its length and checksum.
func seal(k kmsg.RecordBatch) []byte {
	b := k.AppendTo(nil)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}
