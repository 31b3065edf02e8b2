package kraft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var errShort = errors.New("it ends too early")

// decoder takes fields off b. After the first error all fields are zero.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err, d.b = err, nil
	}
}

func (d *decoder) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.b) {
		d.fail(errShort)
		return nil
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

// varint is unsigned, of at most 5 bytes and 32 bits.
func (d *decoder) varint() uint32 {
	v, n := binary.Uvarint(d.b[:min(len(d.b), binary.MaxVarintLen32)])
	if n <= 0 || v > math.MaxUint32 {
		d.fail(errShort)
		return 0
	}
	d.take(n)
	return uint32(v)
}

func (d *decoder) int8() int8 {
	if b := d.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (d *decoder) int32() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (d *decoder) int64() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (d *decoder) id() (id ID) {
	copy(id[:], d.take(len(id)))
	return id
}

// length is that of a string or an array; ok is false if it is null.
func (d *decoder) length() (n int, ok bool) {
	v := d.varint()
	if int64(v)-1 > int64(len(d.b)) { // an element takes a byte at least
		d.fail(errShort)
		return 0, false
	}
	return int(v) - 1, v > 0 && d.err == nil
}

// text is a string; null is "" and not ok.
func (d *decoder) text() (s string, ok bool) {
	n, ok := d.length()
	if !ok {
		return "", false
	}
	return string(d.take(n)), d.err == nil
}

func (d *decoder) int32s() []int32 {
	n, ok := d.length()
	if !ok || n*4 > len(d.b) {
		if ok {
			d.fail(errShort)
		}
		return nil
	}
	all := make([]int32, n)
	for i := range all {
		all[i] = d.int32()
	}
	return all
}

// tags calls known with each tagged field.
func (d *decoder) tags(known func(tag uint32, content *decoder)) {
	for n := d.varint(); n > 0 && d.err == nil; n-- {
		tag, size := d.varint(), d.varint()
		if int64(size) > int64(len(d.b)) {
			d.fail(errShort)
			return
		}
		content := &decoder{b: d.take(int(size))}
		known(tag, content)
		if content.err != nil {
			d.fail(fmt.Errorf("tagged field %d: %w", tag, content.err))
		}
	}
}
