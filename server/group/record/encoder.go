package record

import (
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kbin"
)

// encoder writes fields one after the other. Its first fault sticks.
type encoder struct {
	b        []byte
	flexible bool // compact lengths, and tagged fields
	err      error
}

// begin begins a value with its version.
func (e *encoder) begin(version, flexible int16) {
	e.flexible = version >= flexible
	e.int16(version)
}

func (e *encoder) int8(v int8)   { e.b = kbin.AppendInt8(e.b, v) }
func (e *encoder) int16(v int16) { e.b = kbin.AppendInt16(e.b, v) }
func (e *encoder) int32(v int32) { e.b = kbin.AppendInt32(e.b, v) }
func (e *encoder) int64(v int64) { e.b = kbin.AppendInt64(e.b, v) }
func (e *encoder) id(v TopicID)  { e.b = kbin.AppendUuid(e.b, v) }

func (e *encoder) text(s string) {
	if len(s) > math.MaxInt16 && e.err == nil {
		e.err = fmt.Errorf("a string of %d bytes, at most %d: %q", len(s), math.MaxInt16, clip(s))
	}
	if e.flexible {
		e.b = kbin.AppendCompactString(e.b, s)
	} else {
		e.b = kbin.AppendString(e.b, s)
	}
}

func (e *encoder) nullableText(s *string) {
	switch {
	case s != nil:
		e.text(*s)
	case e.flexible:
		e.b = append(e.b, 0)
	default:
		e.int16(-1)
	}
}

func (e *encoder) bytes(v []byte) {
	if e.flexible {
		e.b = kbin.AppendCompactBytes(e.b, v)
	} else {
		e.b = kbin.AppendBytes(e.b, v)
	}
}

func (e *encoder) count(n int) {
	if e.flexible {
		e.b = kbin.AppendCompactArrayLen(e.b, n)
	} else {
		e.b = kbin.AppendArrayLen(e.b, n)
	}
}

func (e *encoder) texts(list []string) {
	e.count(len(list))
	for _, s := range list {
		e.text(s)
	}
}

func (e *encoder) int32s(list []int32) {
	e.count(len(list))
	for _, v := range list {
		e.int32(v)
	}
}

// noTags ends a structure that has no tagged fields.
func (e *encoder) noTags() {
	if e.flexible {
		e.b = append(e.b, 0)
	}
}

// tag ends a structure with its only tagged field: what content writes.
func (e *encoder) tag(number uint32, content func(*encoder)) {
	c := encoder{flexible: true}
	content(&c)
	if e.err == nil {
		e.err = c.err
	}
	e.b = kbin.AppendUvarint(append(e.b, 1), number)
	e.b = kbin.AppendUvarint(e.b, uint32(len(c.b)))
	e.b = append(e.b, c.b...)
}

// tagInt64 ends a structure whose only tagged field, number 0, is left out if 0.
func (e *encoder) tagInt64(v int64) {
	if v == 0 {
		e.noTags()
		return
	}
	e.tag(0, func(c *encoder) { c.int64(v) })
}
