package guard

import "math"

//go:generate go run ./gen

// kind says how a value lies on the wire.
type kind uint8

const (
	kindFixed        kind = iota // width bytes
	kindString                   // length, then that many bytes; copied by kmsg
	kindBytes                    // length, then that many bytes; aliased by kmsg
	kindArray                    // count, then that many elements
	kindStruct                   // the fields, then the tag section if flexible
	kindStructOrNull             // one byte, -1 for null, then as kindStruct
)

const (
	latest int16 = math.MaxInt16 // upper bound of a field that no version has removed
	never  int16 = math.MaxInt16 // version bound of what no version has
)

// A field is one node of a request's layout. kmsg decodes a tagged field at
// every flexible version, whatever version introduced it, so that tagged
// fields have no version bounds.
type field struct {
	name     string
	kind     kind
	boxed    bool    // kindString: kept as a *string, which costs a string header more
	width    uint8   // kindFixed: size on the wire in bytes
	min, max int16   // the versions that have the field
	nullable int16   // first version that admits null
	tag      uint32  // in tagged: the tag's number
	size     uintptr // kindArray, kindStructOrNull: bytes of Go memory per element
	elem     *field  // kindArray
	fields   []field // kindStruct, kindStructOrNull: in wire order
	tagged   []field // kindStruct, kindStructOrNull: known tagged fields
}

// A request is the layout of one request.
type request struct {
	name     string
	max      int16 // highest version; every version from 0 up to it is known
	flexible int16 // first flexible version
	body     field // of kindStruct
}

// lookup returns the layout of the request with this key, or nil.
func lookup(key int16) *request {
	if key < 0 || int(key) >= len(requests) || requests[key].name == "" {
		return nil
	}
	return &requests[key]
}

// Known reports whether kmsg can decode requests with this key at this
// version, whether or not the server answers them.
func Known(key, version int16) bool {
	r := lookup(key)
	return r != nil && version >= 0 && version <= r.max
}

// Flexible reports whether requests with this key are flexible at this version
// (KIP-482): lengths are compact and each structure ends in a tag section. A
// version above the highest known one counts as flexible if the highest is. It
// is false for an unknown key.
func Flexible(key, version int16) bool {
	r := lookup(key)
	return r != nil && version >= r.flexible && r.flexible != never
}

// minWire returns the least number of bytes that a value of f takes.
func (f *field) minWire(version int16, flexible bool) int {
	switch f.kind {
	case kindFixed:
		return int(f.width)
	case kindString:
		if flexible {
			return 1
		}
		return 2
	case kindBytes, kindArray:
		if flexible {
			return 1
		}
		return 4
	case kindStructOrNull:
		return 1
	}
	total := 0
	for i := range f.fields {
		if m := &f.fields[i]; version >= m.min && version <= m.max {
			total += m.minWire(version, flexible)
		}
	}
	if flexible {
		total++
	}
	return total
}
