package batch

// A record batch, magic 2. Integers are big-endian.
//
//	pos size
//	  0    8  base offset              stamped by the broker  \
//	  8    4  length of what follows                           | not covered
//	 12    4  partition leader epoch   stamped by the broker   | by the CRC
//	 16    1  magic = 2                                       /
//	 17    4  CRC-32C of all bytes from 21
//	 21    2  attributes
//	 23    4  last offset delta        last offset - base offset
//	 27    8  base timestamp           ms; see attribute bit 6
//	 35    8  max timestamp            ms
//	 43    8  producer id              -1 if not idempotent
//	 51    2  producer epoch           -1 if not idempotent
//	 53    4  base sequence            -1 if not idempotent
//	 57    4  count                    records held; less than last offset
//	                                   delta + 1 once compacted
//	 61    .  records                  one compressed run, unless codec is none
//
// Attributes:
//
//	bit 15 .. 7      6         5          4             3           2 .. 0
//	+---------+-----------+---------+-------------+---------------+--------+
//	| unused  |  delete   | control |  transac-   | log append    | codec  |
//	|         |  horizon  |         |  tional     | time          | 0 .. 4 |
//	+---------+-----------+---------+-------------+---------------+--------+
//
// With bit 3, all records carry the max timestamp. With bit 6, the base timestamp
// is the time from which tombstones may be dropped (KIP-534); deltas still count
// from it.
//
// A record. Varints are zigzag, at most 32 bits; (64) marks the one of 64 bits.
//
//	length           varint   of what follows
//	attributes       1 byte   unused
//	timestamp delta  varint (64)
//	offset delta     varint
//	key length       varint   negative: null
//	key
//	value length     varint   negative: null
//	value
//	header count     varint
//	  key length     varint   never negative
//	  key
//	  value length   varint   negative: null
//	  value
//
// Positions in the header. Each is the one before plus its width.
const (
	posBaseOffset      = 0
	posLength          = posBaseOffset + 8
	posLeaderEpoch     = posLength + 4
	posMagic           = posLeaderEpoch + 4
	posCRC             = posMagic + 1
	posAttributes      = posCRC + 4
	posLastOffsetDelta = posAttributes + 2
	posBaseTimestamp   = posLastOffsetDelta + 4
	posMaxTimestamp    = posBaseTimestamp + 8
	posProducerID      = posMaxTimestamp + 8
	posProducerEpoch   = posProducerID + 8
	posBaseSequence    = posProducerEpoch + 2
	posCount           = posBaseSequence + 4
	posRecords         = posCount + 4
)

const (
	// HeaderSize is the size in bytes of the fixed part of a batch, in front of
	// its records.
	HeaderSize = posRecords

	// LengthPrefix is the size in bytes of the base offset and the length field,
	// which the length does not count.
	LengthPrefix = posLeaderEpoch

	// Magic is the one batch version that this package speaks.
	Magic = 2

	minLength    = HeaderSize - LengthPrefix // length field of a batch without records
	crcStart     = posAttributes             // first byte under the CRC
	minRecordLen = 6                         // attributes and five varints of one byte
)

// The drawing above and the constants agree, or this does not compile.
var (
	_ [61]struct{} = [HeaderSize]struct{}{}
	_ [12]struct{} = [LengthPrefix]struct{}{}
	_ [21]struct{} = [crcStart]struct{}{}
)

// Bits of the attributes.
const (
	attrCodec         = 0x07
	attrLogAppendTime = 1 << 3
	attrTransactional = 1 << 4
	attrControl       = 1 << 5
	attrDeleteHorizon = 1 << 6
)
