package record

import (
	"cmp"
	"errors"
	"fmt"
)

var (
	// ErrMalformed: the bytes are not what the layout says.
	ErrMalformed = errors.New("malformed")
	// ErrVersion: the value has a version that Kafka 4.3 does not know.
	ErrVersion = errors.New("unknown version")
)

// The kinds of records by the numbers with which their keys begin.
const (
	typeLegacyOffset = 0 // as typeOffset; of Kafka 0.8.2
	typeOffset       = 1
	typeClassic      = 2
	typeEpoch        = 3
	typeMember       = 5
	typeTargetEpoch  = 6
	typeTargetMember = 7
	typeCurrent      = 8
	typePattern      = 16
)

// Encode returns the key and the value of a record; the value of a tombstone is
// nil. It fails if a string is longer than 32,767 bytes, which no layout has room
// for.
func Encode(r Record) (key, value []byte, err error) {
	k := &encoder{b: make([]byte, 0, 64)}
	switch r := r.(type) {
	case *Offset:
		k.name(typeOffset, r.Group, r.Topic)
		k.int32(r.Partition)
	case *Classic:
		k.name(typeClassic, r.Group)
	case *Epoch:
		k.name(typeEpoch, r.Group)
	case *Member:
		k.name(typeMember, r.Group, r.Member)
	case *TargetEpoch:
		k.name(typeTargetEpoch, r.Group)
	case *TargetMember:
		k.name(typeTargetMember, r.Group, r.Member)
	case *Current:
		k.name(typeCurrent, r.Group, r.Member)
	case *Pattern:
		k.name(typePattern, r.Group, r.Regex)
	case *Other:
		return r.Key, r.Value, nil
	default:
		return nil, nil, fmt.Errorf("no layout for %T", r)
	}
	v := &encoder{}
	v.value(r)
	if err := cmp.Or(k.err, v.err); err != nil {
		return nil, nil, fmt.Errorf("%T of group %q: %w", r, clip(r.GroupID()), err)
	}
	return k.b, v.b, nil
}

// name begins a key: its type, and names.
func (e *encoder) name(kind int16, names ...string) {
	e.int16(kind)
	for _, s := range names {
		e.text(s)
	}
}

// value is the value of r, and nothing if r is a tombstone.
func (e *encoder) value(r Record) {
	switch r := r.(type) {
	case *Offset:
		r.Value.encode(e)
	case *Classic:
		r.Value.encode(e)
	case *Epoch:
		r.Value.encode(e)
	case *Member:
		r.Value.encode(e)
	case *TargetEpoch:
		r.Value.encode(e)
	case *TargetMember:
		r.Value.encode(e)
	case *Current:
		r.Value.encode(e)
	case *Pattern:
		r.Value.encode(e)
	}
}

// Decode reads a record. A nil value is a tombstone. The result keeps nothing of
// key and value.
func Decode(key, value []byte) (Record, error) {
	k := newDecoder("key", key)
	kind := k.int16("type")
	r := k.named(kind)
	if err := k.err; err != nil {
		return nil, fmt.Errorf("record of consumer offsets of type %d: %w", kind, err)
	}
	if r == nil {
		return &Other{Type: kind, Key: clone(key), Value: clone(value)}, nil
	}
	if value == nil {
		return r, nil
	}
	v := newDecoder("value", value)
	v.version = v.int16("version")
	v.fill(r)
	if err := v.err; err != nil {
		return nil, fmt.Errorf("record of consumer offsets of type %d, group %q: %w", kind, clip(r.GroupID()), err)
	}
	return r, nil
}

// named reads what follows the type in a key; nil if the type is not used here.
func (d *decoder) named(kind int16) Record {
	switch kind {
	case typeLegacyOffset, typeOffset:
		return &Offset{Group: d.text("group"), Topic: d.text("topic"), Partition: d.int32("partition")}
	case typeClassic:
		return &Classic{Group: d.text("group")}
	case typeEpoch:
		return &Epoch{Group: d.text("group")}
	case typeMember:
		return &Member{Group: d.text("group"), Member: d.text("member")}
	case typeTargetEpoch:
		return &TargetEpoch{Group: d.text("group")}
	case typeTargetMember:
		return &TargetMember{Group: d.text("group"), Member: d.text("member")}
	case typeCurrent:
		return &Current{Group: d.text("group"), Member: d.text("member")}
	case typePattern:
		return &Pattern{Group: d.text("group"), Regex: d.text("regular expression")}
	}
	return nil
}

// fill reads the value of r.
func (d *decoder) fill(r Record) {
	switch r := r.(type) {
	case *Offset:
		r.Value = d.offset()
	case *Classic:
		r.Value = d.classic()
	case *Epoch:
		r.Value = d.epoch()
	case *Member:
		r.Value = d.member()
	case *TargetEpoch:
		r.Value = d.targetEpoch()
	case *TargetMember:
		r.Value = d.target()
	case *Current:
		r.Value = d.current()
	case *Pattern:
		r.Value = d.pattern()
	}
}

// clip shortens a name for a message.
func clip(s string) string {
	const longest = 256
	if len(s) > longest {
		return s[:longest] + "..."
	}
	return s
}
