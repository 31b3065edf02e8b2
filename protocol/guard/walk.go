package guard

import (
	"encoding/binary"
	"fmt"
	"math"
)

const (
	absent = -1 // what the length functions return for null

	stringHeader = 16 // bytes of a Go string without its contents

	// Unknown tags go into a map. One with up to 8 entries takes mapBase bytes;
	// a larger one has been grown by doubling and takes, with the tables it
	// outgrew, at most mapPerTag bytes more for each entry.
	mapBase   = 384
	mapPerTag = 192
)

// A walker follows a request's layout through its bytes. Its methods return
// false after they have recorded a failure; each level of the walk then adds
// its name to the path on the way out, so that a good request pays nothing for
// the names.
type walker struct {
	body     []byte // ends where the innermost tagged field ends
	pos      int
	version  int16
	flexible bool
	memory   int // bytes that decoding may still allocate
	nodes    int // elements and tags that may still follow

	path   string
	offset int
	reason string
	kind   error
}

// refusal returns the recorded failure.
func (w *walker) refusal(key int16) *Error {
	return &Error{Key: key, Version: w.version, Path: w.path, Offset: w.offset, Reason: w.reason, kind: w.kind}
}

// malformed and limit record a failure of the value at offset.
func (w *walker) malformed(offset int, format string, args ...any) bool {
	w.offset, w.reason, w.kind = offset, fmt.Sprintf(format, args...), ErrMalformed
	return false
}

func (w *walker) limit(offset int, format string, args ...any) bool {
	w.offset, w.reason, w.kind = offset, fmt.Sprintf(format, args...), ErrLimit
	return false
}

// within puts a name before the path of the recorded failure.
func (w *walker) within(name string) bool {
	if w.path == "" || w.path[0] == '[' {
		w.path = name + w.path
	} else {
		w.path = name + "." + w.path
	}
	return false
}

// structure walks the fields of f and the tag section after them.
func (w *walker) structure(f *field) bool {
	for i := range f.fields {
		m := &f.fields[i]
		if w.version < m.min || w.version > m.max {
			continue
		}
		if m.kind == kindFixed {
			if len(w.body)-w.pos < int(m.width) {
				w.short(w.pos, int(m.width))
				return w.within(m.name)
			}
			w.pos += int(m.width)
			continue
		}
		if !w.value(m) {
			return w.within(m.name)
		}
	}
	return !w.flexible || w.tags(f.tagged)
}

// value walks one value of f.
func (w *walker) value(f *field) bool {
	switch f.kind {
	case kindFixed:
		if len(w.body)-w.pos < int(f.width) {
			return w.short(w.pos, int(f.width))
		}
		w.pos += int(f.width)
		return true
	case kindString:
		return w.text(f)
	case kindBytes:
		n, ok := w.length(f, 4)
		if n > 0 {
			w.pos += n
		}
		return ok
	case kindArray:
		return w.array(f)
	case kindStructOrNull:
		return w.structOrNull(f)
	default:
		return w.structure(f)
	}
}

// text walks a string, of which kmsg makes a copy.
func (w *walker) text(f *field) bool {
	start := w.pos
	n, ok := w.length(f, 2)
	if !ok || n == absent {
		return ok
	}
	if n > MaxString {
		return w.malformed(start, "a string of %d bytes, at most %d are allowed", n, MaxString)
	}
	w.pos += n
	cost := 0
	if n > 1 { // Go keeps strings of one byte in a table
		cost = allocation(n)
	}
	if f.boxed {
		cost += stringHeader
	}
	return w.spend(start, cost)
}

// structOrNull walks a structure preceded by a byte that says if it is there.
func (w *walker) structOrNull(f *field) bool {
	start := w.pos
	if len(w.body)-w.pos < 1 {
		return w.short(w.pos, 1)
	}
	w.pos++
	if int8(w.body[start]) == absent {
		return true
	}
	return w.spend(start, allocation(int(f.size))) && w.structure(f)
}

// array walks an array.
func (w *walker) array(f *field) bool {
	start := w.pos
	n, ok := w.count(f)
	if !ok || n <= 0 {
		return ok
	}
	e := f.elem
	least := 0
	if n > 1 { // the walk of a single element finds out as soon, and says more
		least = e.minWire(w.version, w.flexible)
	}
	switch remain := len(w.body) - w.pos; {
	case n > MaxElements:
		return w.limit(start, "%d elements, at most %d are allowed", n, MaxElements)
	case n*least > remain:
		return w.malformed(start, "%d elements need %d bytes, %d remain", n, n*least, remain)
	case n > w.nodes:
		return w.limit(start, "more elements and tags in one request than allowed")
	}
	w.nodes -= n
	if !w.spend(start, allocation(n*int(f.size))) {
		return false
	}
	if e.kind == kindFixed && n > 1 {
		w.pos += n * int(e.width)
		return true
	}
	for i := range n {
		if !w.element(e) {
			return w.within(fmt.Sprintf("[%d]", i))
		}
	}
	return true
}

// element walks one element of an array.
func (w *walker) element(e *field) bool {
	if e.kind == kindStruct {
		return w.structure(e)
	}
	return w.value(e)
}

// tags walks a tag section (KIP-482).
func (w *walker) tags(known []field) bool {
	if w.pos < len(w.body) && w.body[w.pos] == 0 {
		w.pos++
		return true
	}
	return w.someTags(known)
}

// someTags is tags for the rare section that is not just a zero byte.
func (w *walker) someTags(known []field) bool {
	start := w.pos
	n, ok := w.uvarint()
	switch remain := len(w.body) - w.pos; {
	case !ok:
		return w.within("tags")
	case uint64(n)*2 > uint64(remain):
		w.malformed(start, "%d tags need %d bytes, %d remain", n, uint64(n)*2, remain)
		return w.within("tags")
	case n > MaxTags:
		w.limit(start, "%d tags, at most %d are allowed", n, MaxTags)
		return w.within("tags")
	case int(n) > w.nodes:
		w.limit(start, "more elements and tags in one request than allowed")
		return w.within("tags")
	}
	w.nodes -= int(n)
	strangers := 0
	for i := range int(n) {
		known, ok := w.tag(known)
		if !ok {
			w.within(fmt.Sprintf("[%d]", i))
			return w.within("tags")
		}
		if !known {
			strangers++
		}
	}
	if strangers == 0 {
		return true
	}
	cost := mapBase
	if strangers > 8 {
		cost += strangers * mapPerTag
	}
	return w.spend(start, cost) || w.within("tags")
}

// tag walks one tagged field and reports whether its tag is known.
func (w *walker) tag(known []field) (isKnown, ok bool) {
	number, ok := w.uvarint()
	if !ok {
		return false, false
	}
	start := w.pos
	size, ok := w.uvarint()
	if !ok {
		return false, false
	}
	if remain := len(w.body) - w.pos; uint64(size) > uint64(remain) {
		return false, w.malformed(start, "tag %d needs %d bytes, %d remain", number, size, remain)
	}
	end := w.pos + int(size)
	for i := range known {
		if known[i].tag == number {
			return true, w.tagged(&known[i], end)
		}
	}
	w.pos = end
	return false, true
}

// tagged walks the value of a known tagged field, which must end at end.
func (w *walker) tagged(f *field, end int) bool {
	start, outer := w.pos, w.body
	w.body = outer[:end]
	ok := w.value(f)
	w.body = outer
	if ok && w.pos != end {
		ok = w.malformed(start, "takes %d bytes, its tag says %d", w.pos-start, end-start)
	}
	return ok || w.within(f.name)
}

// length reads the length of a string or of bytes, absent for null, and makes
// sure that as many bytes follow. Its width is that of a length that is not
// compact.
func (w *walker) length(f *field, width int) (n int, ok bool) {
	start := w.pos
	switch {
	case w.flexible:
		n, ok = w.compact()
	case len(w.body)-w.pos < width:
		return 0, w.short(start, width)
	case width == 2:
		n, ok = int(int16(binary.BigEndian.Uint16(w.body[w.pos:]))), true
		w.pos += 2
	default:
		n, ok = int(int32(binary.BigEndian.Uint32(w.body[w.pos:]))), true
		w.pos += 4
	}
	switch {
	case !ok:
		return 0, false
	case n < 0:
		return n, w.null(f, start, n)
	case n > len(w.body)-w.pos:
		w.short(start, n)
		return 0, false
	}
	return n, true
}

// count reads the number of elements of an array, absent for null.
func (w *walker) count(f *field) (n int, ok bool) {
	start := w.pos
	if w.flexible {
		n, ok = w.compact()
	} else if len(w.body)-w.pos < 4 {
		return 0, w.short(start, 4)
	} else {
		n, ok = int(int32(binary.BigEndian.Uint32(w.body[w.pos:]))), true
		w.pos += 4
	}
	if n < 0 {
		return n, w.null(f, start, n)
	}
	return n, ok
}

// null reports whether n, a negative length, is a null that f admits.
func (w *walker) null(f *field, start, n int) bool {
	if n != absent {
		return w.malformed(start, "length %d", n)
	}
	if w.version < f.nullable {
		return w.malformed(start, "null is not allowed")
	}
	return true
}

// compact reads a compact length, which is sent as one more than itself.
func (w *walker) compact() (int, bool) {
	if w.pos < len(w.body) && w.body[w.pos] < 0x80 {
		w.pos++
		return int(w.body[w.pos-1]) - 1, true
	}
	start := w.pos
	u, ok := w.uvarint()
	if ok && u > math.MaxInt32 {
		return 0, w.malformed(start, "length %d", u)
	}
	return int(u) - 1, ok
}

// uvarint reads an unsigned varint of 32 bits: five bytes at most.
func (w *walker) uvarint() (uint32, bool) {
	var u uint32
	for i, b := range w.body[w.pos:] {
		if i == 4 && b > 0x0f {
			return 0, w.malformed(w.pos, "a varint of more than 32 bits")
		}
		u |= uint32(b&0x7f) << (7 * i)
		if b < 0x80 {
			w.pos += i + 1
			return u, true
		}
	}
	return 0, w.short(w.pos, len(w.body)-w.pos+1)
}

// short records that need bytes do not follow.
func (w *walker) short(start, need int) bool {
	return w.malformed(start, "needs %d bytes, %d remain", need, len(w.body)-w.pos)
}

// spend takes bytes from the memory that is left.
func (w *walker) spend(start, bytes int) bool {
	if bytes > w.memory {
		return w.limit(start, "decoding takes more than %d times the length of the request and %d bytes", MemoryPerByte, MemoryBase)
	}
	w.memory -= bytes
	return true
}

// allocation returns an upper bound of what Go's allocator takes for n bytes:
// its size classes are at most 16 bytes apart up to 256 bytes, less than a
// quarter up to 32 KiB, and whole pages of 8 KiB beyond.
func allocation(n int) int {
	switch {
	case n <= 256:
		return (n + 15) &^ 15
	case n <= 32<<10:
		return n + n/4 + 16
	default:
		return n + 8<<10
	}
}
