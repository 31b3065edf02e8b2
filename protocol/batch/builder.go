package batch

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Producer is the identity that an idempotent producer writes with.
type Producer struct {
	ID       int64
	Epoch    int16
	Sequence int32 // of the first offset of the batch
}

// Builder makes a batch. Set the exported fields before the first Add; the zero
// value makes plain batches from offset 0. Use Reset to make another.
type Builder struct {
	BaseOffset  int64
	LeaderEpoch int32

	Codec Codec
	Level int // compression level; see [Codec.CheckLevel]

	Producer      *Producer // nil if not idempotent
	Transactional bool
	Control       bool // the records are markers

	// AppendTime, in ms since 1970, replaces the timestamps of all records; 0
	// keeps them.
	AppendTime int64

	// DeleteHorizon, in ms since 1970, is when compaction may drop the
	// tombstones of the batch; 0 is none.
	DeleteHorizon int64

	records []byte // encoded, not compressed
	count   int32
	last    int64 // offset delta that the batch reaches to; valid if covered
	covered bool  // a record was added, or Cover called
	base    int64 // base timestamp, ms
	max     int64 // max timestamp, ms
	err     error // the first wrong use
}

// Len is the number of records added.
func (b *Builder) Len() int { return int(b.count) }

// Size is the size in bytes that the batch would have without compression.
func (b *Builder) Size() int { return HeaderSize + len(b.records) }

// Next is the offset that Add gives.
func (b *Builder) Next() int64 {
	if !b.covered {
		return b.BaseOffset
	}
	return b.BaseOffset + b.last + 1
}

// Reset drops the records, and keeps the exported fields and the memory.
func (b *Builder) Reset() {
	b.records, b.count, b.covered, b.last = b.records[:0], 0, false, 0
	b.base, b.max, b.err = 0, 0, nil
}

// Add appends a record at the next offset, with a timestamp in ms since 1970. A
// nil key, value or header value is null. Nothing is kept of the arguments.
func (b *Builder) Add(timestamp int64, key, value []byte, headers ...RecordHeader) {
	b.AddAt(b.Next(), timestamp, key, value, headers...)
}

// AddAt is Add at an offset of the caller's choice, at or above [Builder.Next]:
// compaction leaves gaps.
func (b *Builder) AddAt(offset, timestamp int64, key, value []byte, headers ...RecordHeader) {
	if !b.cover(offset) {
		return
	}
	if b.count == 0 {
		b.base, b.max = timestamp, timestamp
		if b.DeleteHorizon != 0 {
			b.base = b.DeleteHorizon
		}
	}
	b.max = max(b.max, timestamp)
	delta, timeDelta := offset-b.BaseOffset, timestamp-b.base
	length := recordLen(timeDelta, delta, key, value, headers)
	if HeaderSize+int64(len(b.records))+length+binary.MaxVarintLen32 > math.MaxInt32 {
		b.fail(fmt.Errorf("batch builder: record of %d bytes after %d: %w", length, b.Size(), ErrTooLarge))
		return
	}
	b.records = binary.AppendVarint(b.records, length)
	b.records = append(b.records, 0) // attributes
	b.records = binary.AppendVarint(b.records, timeDelta)
	b.records = binary.AppendVarint(b.records, delta)
	b.records = appendNullable(b.records, key)
	b.records = appendNullable(b.records, value)
	b.records = binary.AppendVarint(b.records, int64(len(headers)))
	for _, h := range headers {
		b.records = binary.AppendVarint(b.records, int64(len(h.Key)))
		b.records = append(b.records, h.Key...)
		b.records = appendNullable(b.records, h.Value)
	}
	b.count++
}

// Cover makes the batch reach to offset last without a record there, as
// compaction must to keep a producer's last sequence number. A batch may hold no
// record at all.
func (b *Builder) Cover(last int64) {
	if last >= b.Next() {
		b.cover(last)
	}
}

// cover claims the offset for the batch.
func (b *Builder) cover(offset int64) bool {
	if offset < b.Next() || offset-b.BaseOffset > math.MaxInt32-1 {
		b.fail(fmt.Errorf("batch builder: offset %d, next is %d and base %d: %w", offset, b.Next(), b.BaseOffset, ErrInvalidRecord))
	}
	if b.err != nil {
		return false
	}
	b.last, b.covered = offset-b.BaseOffset, true
	return true
}

func (b *Builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Bytes is the batch, in memory of its own. The error tells of a wrong use: no
// record, offsets that do not rise, more than 2 GiB, or a codec or level that does
// not exist.
func (b *Builder) Bytes() ([]byte, error) { return b.AppendTo(nil) }

// AppendTo is [Builder.Bytes], appended to dst. After an error dst is returned as
// it was.
func (b *Builder) AppendTo(dst []byte) ([]byte, error) {
	if !b.covered {
		b.fail(fmt.Errorf("batch builder: no records: %w", ErrInvalidRecord))
	}
	if b.err != nil {
		return dst, b.err
	}
	h := b.header()
	start := len(dst)
	out := append(dst, make([]byte, HeaderSize)...)
	if b.count == 0 {
		h.Attributes &^= attrCodec // there is nothing to decompress
	} else {
		var err error
		if out, err = appendCompressed(out, b.Codec, b.Level, b.records); err != nil {
			return dst, err
		}
	}
	if err := finish(out[start:], h); err != nil {
		return dst, err
	}
	return out, nil
}

// finish writes h, with the length and the checksum that b has, into b.
func finish(b []byte, h Header) error {
	if len(b) > math.MaxInt32 {
		return fmt.Errorf("batch of %d bytes: %w", len(b), ErrTooLarge)
	}
	h.Length = int32(len(b) - LengthPrefix)
	h.encode((*[HeaderSize]byte)(b))
	seal(b)
	return nil
}

func (b *Builder) header() Header {
	h := Header{
		BaseOffset:      b.BaseOffset,
		LeaderEpoch:     b.LeaderEpoch,
		Magic:           Magic,
		Attributes:      int16(b.Codec) & attrCodec,
		LastOffsetDelta: int32(b.last),
		BaseTimestamp:   b.base,
		MaxTimestamp:    b.max,
		ProducerID:      -1,
		ProducerEpoch:   -1,
		BaseSequence:    -1,
		Count:           b.count,
	}
	if b.count == 0 {
		h.BaseTimestamp, h.MaxTimestamp = -1, -1
	}
	if b.Producer != nil {
		h.ProducerID, h.ProducerEpoch, h.BaseSequence = b.Producer.ID, b.Producer.Epoch, b.Producer.Sequence
	}
	if b.Transactional {
		h.Attributes |= attrTransactional
	}
	if b.Control {
		h.Attributes |= attrControl
	}
	if b.AppendTime != 0 {
		h.Attributes |= attrLogAppendTime
		h.MaxTimestamp = b.AppendTime
	}
	if b.DeleteHorizon != 0 {
		h.Attributes |= attrDeleteHorizon
		h.BaseTimestamp = b.DeleteHorizon
	}
	return h
}

// recordLen is the length field of a record.
func recordLen(timeDelta, offsetDelta int64, key, value []byte, headers []RecordHeader) int64 {
	n := 1 + varintLen(timeDelta) + varintLen(offsetDelta) +
		nullableLen(key) + nullableLen(value) + varintLen(int64(len(headers)))
	for _, h := range headers {
		n += varintLen(int64(len(h.Key))) + int64(len(h.Key)) + nullableLen(h.Value)
	}
	return n
}

func varintLen(v int64) int64 {
	n := int64(1)
	for u := uint64(v<<1) ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}

func nullableLen(p []byte) int64 {
	if p == nil {
		return 1
	}
	return varintLen(int64(len(p))) + int64(len(p))
}

func appendNullable(dst, p []byte) []byte {
	if p == nil {
		return binary.AppendVarint(dst, -1)
	}
	dst = binary.AppendVarint(dst, int64(len(p)))
	return append(dst, p...)
}
