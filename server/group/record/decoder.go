package record

import (
	"bytes"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
)

// decoder reads fields one after the other. Its first fault sticks: from then on
// fields are zero and counts 0, so it is asked for once, at the end.
type decoder struct {
	kbin.Reader
	part     string // what is read, for messages
	version  int16
	flexible bool // compact lengths, and tagged fields
	err      error
}

func newDecoder(part string, b []byte) *decoder {
	return &decoder{Reader: kbin.Reader{Src: b}, part: part}
}

// upTo checks the version, and turns to compact lengths from version flexible on.
func (d *decoder) upTo(last, flexible int16) {
	if d.version < 0 || d.version > last {
		d.fail("version", fmt.Errorf("%w %d, the last is %d", ErrVersion, d.version, last))
	}
	d.flexible = d.version >= flexible
}

func (d *decoder) fail(field string, err error) {
	if d.err == nil {
		d.err = fmt.Errorf("%s: %s: %w", d.part, field, err)
	}
	d.Src = nil
}

// check notes a fault of the field that was just read.
func (d *decoder) check(field string) {
	if d.err == nil && !d.Ok() {
		d.fail(field, fmt.Errorf("%w: it ends too early", ErrMalformed))
	}
}

func (d *decoder) int8(field string) int8 {
	v := d.Int8()
	d.check(field)
	return v
}

func (d *decoder) int16(field string) int16 {
	v := d.Int16()
	d.check(field)
	return v
}

func (d *decoder) int32(field string) int32 {
	v := d.Int32()
	d.check(field)
	return v
}

func (d *decoder) int64(field string) int64 {
	v := d.Int64()
	d.check(field)
	return v
}

func (d *decoder) id(field string) TopicID {
	v := d.Uuid()
	d.check(field)
	return v
}

// text reads a string that must not be null.
func (d *decoder) text(field string) string {
	s := d.nullableText(field)
	if s == nil {
		d.null(field)
		return ""
	}
	return *s
}

func (d *decoder) nullableText(field string) *string {
	var s *string
	if d.flexible {
		s = d.CompactNullableString()
	} else {
		s = d.NullableString()
	}
	d.check(field)
	return s
}

// bytes reads bytes that must not be null.
func (d *decoder) bytes(field string) []byte {
	var b []byte
	if d.flexible {
		b = d.CompactNullableBytes()
	} else {
		b = d.NullableBytes()
	}
	d.check(field)
	if b == nil {
		d.null(field)
	}
	return clone(b)
}

func (d *decoder) null(field string) {
	if d.err == nil {
		d.fail(field, fmt.Errorf("%w: it is null", ErrMalformed))
	}
}

// nullableCount reads how many elements an array has, each of at least size bytes; -1 is
// null.
func (d *decoder) nullableCount(field string, size int) int {
	var n int
	if d.flexible {
		n = int(d.CompactArrayLen())
	} else {
		n = int(d.ArrayLen())
	}
	d.check(field)
	if n < -1 || n > len(d.Src)/size {
		d.fail(field, fmt.Errorf("%w: %d elements in %d bytes", ErrMalformed, n, len(d.Src)))
		return 0
	}
	return n
}

// count reads how many elements there are of an array that must not be null.
func (d *decoder) count(field string, size int) int {
	n := d.nullableCount(field, size)
	if n < 0 {
		d.null(field)
		return 0
	}
	return n
}

func (d *decoder) texts(field string) []string {
	n := d.count(field, 1)
	list := make([]string, 0, n)
	for range n {
		list = append(list, d.text(field))
	}
	return list
}

// int32s reads an array of numbers that n says the length of.
func (d *decoder) int32s(field string, n int) []int32 {
	if n < 0 {
		return nil
	}
	list := make([]int32, n)
	for i := range list {
		list[i] = d.int32(field)
	}
	return list
}

// tags reads tagged fields: known reads the content of the one with its number and
// says whether it knew it. Others are skipped.
func (d *decoder) tags(known func(tag uint32, content *decoder) bool) {
	if !d.flexible {
		return
	}
	n := d.Uvarint()
	d.check("tags")
	for ; n > 0 && d.err == nil; n-- {
		tag, size := d.Uvarint(), d.Uvarint()
		content := newDecoder(d.part, d.Span(int(size)))
		d.check("tags")
		content.version, content.flexible = d.version, true
		if d.err == nil && known(tag, content) && content.err != nil {
			d.err = content.err
		}
	}
}

// noTags skips tagged fields where none is known.
func noTags(uint32, *decoder) bool { return false }

func clone(b []byte) []byte { return bytes.Clone(b) }
