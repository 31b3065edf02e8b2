package batch

import "encoding/binary"

// KeyReader goes over the keys of the records of an uncompressed batch, and looks at
// nothing else in them. It costs little, and allocates nothing.
type KeyReader struct {
	rest []byte // records
	left int32
}

// NewKeyReader begins with the whole batch b, whose header is h and whose codec is
// CodecNone.
func NewKeyReader(b []byte, h *Header) KeyReader {
	return KeyReader{rest: b[HeaderSize:], left: h.Count}
}

// Next returns the next key that is not null. At the end, and from the first record on
// whose key cannot be found, it says false. The key aliases the batch.
func (r *KeyReader) Next() (key []byte, ok bool) {
	for ; r.left > 0; r.left-- {
		length, n := varint(r.rest)
		if n <= 0 || length < minRecordLen || length > int64(len(r.rest)-n) {
			break
		}
		record := r.rest[n : n+int(length)]
		r.rest = r.rest[n+int(length):]
		at := skipVarint(record, skipVarint(record, 1)) // attributes, timestamp, offset
		if at >= len(record) {
			break
		}
		size, n := varint(record[at:])
		if n <= 0 || size > int64(len(record)-at-n) {
			break
		}
		if size >= 0 {
			r.left--
			at += n
			return record[at : at+int(size) : at+int(size)], true
		}
	}
	r.left = 0
	return nil, false
}

// varint is binary.Varint; most take one byte or two.
func varint(b []byte) (v int64, n int) {
	if len(b) > 1 {
		if c := uint64(b[0]); c < 0x80 {
			return int64(c>>1) ^ -int64(c&1), 1
		} else if d := uint64(b[1]); d < 0x80 {
			c = c&0x7f | d<<7
			return int64(c>>1) ^ -int64(c&1), 2
		}
	}
	return binary.Varint(b)
}

// skipVarint returns the position behind the varint at a position, or behind b.
func skipVarint(b []byte, at int) int {
	for at < len(b) && b[at] >= 0x80 {
		at++
	}
	return at + 1
}
