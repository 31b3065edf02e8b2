package batch

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// Header is the fixed part of a batch, decoded. It is a copy: changing it does
// not change the batch.
type Header struct {
	BaseOffset      int64
	Length          int32 // bytes after the length field
	LeaderEpoch     int32
	Magic           int8
	CRC             uint32 // CRC-32C of the bytes from Attributes to the end
	Attributes      int16
	LastOffsetDelta int32
	BaseTimestamp   int64 // ms since 1970
	MaxTimestamp    int64 // ms since 1970
	ProducerID      int64
	ProducerEpoch   int16
	BaseSequence    int32
	Count           int32 // records held
}

// Size is the size of the whole batch in bytes.
func (h Header) Size() int64 { return LengthPrefix + int64(h.Length) }

// LastOffset is the last offset that the batch covers; compaction may have
// removed the record that had it.
func (h Header) LastOffset() int64 { return h.BaseOffset + int64(h.LastOffsetDelta) }

// LastSequence is the sequence number of the last offset. Sequence numbers go
// from MaxInt32 on to 0. It is -1 if the batch has none.
func (h Header) LastSequence() int32 {
	if h.BaseSequence < 0 {
		return -1
	}
	return int32((int64(h.BaseSequence) + int64(h.LastOffsetDelta)) & math.MaxInt32)
}

// Codec is how the records are compressed. It may be a codec that does not
// exist; see [Codec.Known].
func (h Header) Codec() Codec { return Codec(h.Attributes & attrCodec) }

// IsLogAppendTime tells that the broker set the timestamp of all records to
// MaxTimestamp.
func (h Header) IsLogAppendTime() bool { return h.Attributes&attrLogAppendTime != 0 }

// IsTransactional tells that the batch belongs to a transaction.
func (h Header) IsTransactional() bool { return h.Attributes&attrTransactional != 0 }

// IsControl tells that the records are markers for the protocol, not for
// applications.
func (h Header) IsControl() bool { return h.Attributes&attrControl != 0 }

// DeleteHorizon is the time, in ms since 1970, from which compaction may drop
// the tombstones and markers of this batch (KIP-534); ok tells if it is set.
func (h Header) DeleteHorizon() (ms int64, ok bool) {
	if h.Attributes&attrDeleteHorizon == 0 {
		return 0, false
	}
	return h.BaseTimestamp, true
}

// HasProducer tells that an idempotent or transactional producer, or the
// transaction coordinator, wrote the batch.
func (h Header) HasProducer() bool { return h.ProducerID >= 0 }

// ParseHeader decodes the header at the start of b, which need not hold the
// records. It checks only what makes the numbers usable: magic 2, a length that
// has room for the header, and no negative delta or count. The error is
// ErrTruncated, ErrCorrupt, ErrUnsupportedMagic (0 and 1, which were real
// formats) or ErrInvalidRecord.
func ParseHeader(b []byte) (Header, error) {
	h, err := parseFrame(b)
	switch {
	case err != nil:
		return h, err
	case h.LastOffsetDelta < 0:
		return h, fmt.Errorf("batch header: last offset delta %d: %w", h.LastOffsetDelta, ErrInvalidRecord)
	case h.Count < 0:
		return h, fmt.Errorf("batch header: count %d: %w", h.Count, ErrInvalidRecord)
	}
	return h, nil
}

// parseFrame decodes the header and checks what the checksum does not cover.
func parseFrame(b []byte) (Header, error) {
	if len(b) > posMagic && b[posMagic] != Magic {
		kind := ErrCorrupt
		if b[posMagic] < Magic {
			kind = ErrUnsupportedMagic
		}
		return Header{}, fmt.Errorf("batch header: magic %d, want %d: %w", int8(b[posMagic]), Magic, kind)
	}
	if len(b) < HeaderSize {
		return Header{}, fmt.Errorf("batch header: %d of %d bytes: %w", len(b), HeaderSize, ErrTruncated)
	}
	h := decodeHeader((*[HeaderSize]byte)(b))
	if h.Length < minLength {
		return h, fmt.Errorf("batch header: length %d, want at least %d: %w", h.Length, minLength, ErrCorrupt)
	}
	return h, nil
}

func decodeHeader(b *[HeaderSize]byte) Header {
	be := binary.BigEndian
	return Header{
		BaseOffset:      int64(be.Uint64(b[posBaseOffset:])),
		Length:          int32(be.Uint32(b[posLength:])),
		LeaderEpoch:     int32(be.Uint32(b[posLeaderEpoch:])),
		Magic:           int8(b[posMagic]),
		CRC:             be.Uint32(b[posCRC:]),
		Attributes:      int16(be.Uint16(b[posAttributes:])),
		LastOffsetDelta: int32(be.Uint32(b[posLastOffsetDelta:])),
		BaseTimestamp:   int64(be.Uint64(b[posBaseTimestamp:])),
		MaxTimestamp:    int64(be.Uint64(b[posMaxTimestamp:])),
		ProducerID:      int64(be.Uint64(b[posProducerID:])),
		ProducerEpoch:   int16(be.Uint16(b[posProducerEpoch:])),
		BaseSequence:    int32(be.Uint32(b[posBaseSequence:])),
		Count:           int32(be.Uint32(b[posCount:])),
	}
}

// encode writes all fields of h but the CRC, which seal computes.
func (h *Header) encode(b *[HeaderSize]byte) {
	be := binary.BigEndian
	be.PutUint64(b[posBaseOffset:], uint64(h.BaseOffset))
	be.PutUint32(b[posLength:], uint32(h.Length))
	be.PutUint32(b[posLeaderEpoch:], uint32(h.LeaderEpoch))
	b[posMagic] = byte(h.Magic)
	be.PutUint16(b[posAttributes:], uint16(h.Attributes))
	be.PutUint32(b[posLastOffsetDelta:], uint32(h.LastOffsetDelta))
	be.PutUint64(b[posBaseTimestamp:], uint64(h.BaseTimestamp))
	be.PutUint64(b[posMaxTimestamp:], uint64(h.MaxTimestamp))
	be.PutUint64(b[posProducerID:], uint64(h.ProducerID))
	be.PutUint16(b[posProducerEpoch:], uint16(h.ProducerEpoch))
	be.PutUint32(b[posBaseSequence:], uint32(h.BaseSequence))
	be.PutUint32(b[posCount:], uint32(h.Count))
}

// Split cuts the first batch off b, by its length field alone. The error is
// ErrTruncated if b ends before the batch does, and ErrCorrupt if the length has
// no room for a header. Both results alias b; rest is empty after the last batch:
//
//	for len(b) > 0 {
//		if first, b, err = batch.Split(b); err != nil { ... }
//	}
func Split(b []byte) (first, rest []byte, err error) {
	if len(b) < HeaderSize {
		return nil, b, fmt.Errorf("batch header: %d of %d bytes: %w", len(b), HeaderSize, ErrTruncated)
	}
	length := int32(binary.BigEndian.Uint32(b[posLength:]))
	if length < minLength {
		return nil, b, fmt.Errorf("batch header: length %d, want at least %d: %w", length, minLength, ErrCorrupt)
	}
	size := LengthPrefix + int64(length)
	if size > int64(len(b)) {
		return nil, b, fmt.Errorf("batch: %d of %d bytes: %w", len(b), size, ErrTruncated)
	}
	return b[:size:size], b[size:], nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CheckCRC compares the checksum of the whole batch b with the one in its header
// h. The error is ErrCorrupt, or ErrTruncated if b is not the whole batch.
func CheckCRC(b []byte, h Header) error {
	if int64(len(b)) != h.Size() || len(b) < HeaderSize {
		return fmt.Errorf("batch: %d of %d bytes: %w", len(b), h.Size(), ErrTruncated)
	}
	if got := crc32.Checksum(b[crcStart:], castagnoli); got != h.CRC {
		return fmt.Errorf("batch: CRC %#08x, computed %#08x: %w", h.CRC, got, ErrCorrupt)
	}
	return nil
}

// seal computes the CRC of the whole batch b into its header.
func seal(b []byte) {
	binary.BigEndian.PutUint32(b[posCRC:], crc32.Checksum(b[crcStart:], castagnoli))
}

// StampOffset sets the base offset and the leader epoch of b, in place. Both
// stand outside of the CRC. b holds at least a header.
func StampOffset(b []byte, base int64, leaderEpoch int32) {
	_ = b[HeaderSize-1]
	binary.BigEndian.PutUint64(b[posBaseOffset:], uint64(base))
	binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(leaderEpoch))
}

// StampAppendTime makes ms, since 1970, the timestamp of all records of the whole
// batch b (message.timestamp.type=LogAppendTime), in place, and computes its CRC
// anew.
func StampAppendTime(b []byte, ms int64) {
	attributes := binary.BigEndian.Uint16(b[posAttributes:])
	binary.BigEndian.PutUint16(b[posAttributes:], attributes|attrLogAppendTime)
	StampMaxTimestamp(b, ms)
}

// StampMaxTimestamp sets the max timestamp of the whole batch b, in ms since
// 1970, in place, and computes its CRC anew.
func StampMaxTimestamp(b []byte, ms int64) {
	_ = b[HeaderSize-1]
	binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(ms))
	seal(b)
}
