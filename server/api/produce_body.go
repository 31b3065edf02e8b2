package api

import "encoding/binary"

// produceBody walks over the body of a Produce request without copying it. It is
// a sticky reader: after the first fault everything is zero and bad is set. The
// guard has checked the body before; the checks here only keep a fault in either
// from becoming more.
type produceBody struct {
	b        []byte
	flexible bool
	byID     bool
	bad      bool
}

func (p *produceBody) take(n int) []byte {
	if n < 0 || n > len(p.b) {
		p.bad, p.b = true, nil
		return nil
	}
	taken := p.b[:n:n]
	p.b = p.b[n:]
	return taken
}

func (p *produceBody) int16() int16 {
	if b := p.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (p *produceBody) int32() int32 {
	if b := p.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (p *produceBody) uvarint() int {
	v, n := binary.Uvarint(p.b)
	if n <= 0 || v > 1<<31 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return int(v)
}

// length reads a length; -1 is null. short lengths have 16 bits where the version
// is not flexible.
func (p *produceBody) length(short bool) int {
	switch {
	case p.flexible:
		return p.uvarint() - 1
	case short:
		return int(p.int16())
	}
	return int(p.int32())
}

// array reads the number of elements; every element takes at least four bytes.
func (p *produceBody) array() int {
	n := p.length(false)
	if n > len(p.b)/4 {
		p.bad, p.b = true, nil
		return 0
	}
	return max(n, 0)
}

// nullableString passes over a string and says whether it is null.
func (p *produceBody) nullableString() bool {
	n := p.length(true)
	if n < 0 {
		return true
	}
	p.take(n)
	return false
}

func (p *produceBody) bytes() []byte {
	n := p.length(false)
	if n < 0 {
		return nil
	}
	return p.take(n)
}

// topic reads what names the topic in this version.
func (p *produceBody) topic() (name []byte, id [16]byte) {
	if p.byID {
		copy(id[:], p.take(16))
		return nil, id
	}
	return p.take(max(0, p.length(true))), id
}

// tags passes over a section of tagged fields.
func (p *produceBody) tags() {
	if !p.flexible {
		return
	}
	for n := p.uvarint(); n > 0 && !p.bad; n-- {
		p.uvarint()
		p.take(p.uvarint())
	}
}
