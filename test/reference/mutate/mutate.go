package mutate

import (
	"bytes"
	"math"
	"reflect"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Mutation is one change of one field.
type Mutation struct {
	Field string // its path, as Topics.Partitions.FetchOffset
	Kind  string
	steps []step
	apply func(req kmsg.Request, v reflect.Value) []byte
}

// step leads from a value to a field of it, or with -1 to its first element or
// what it points to.
type step int

const inside step = -1

// Apply changes a request. If kmsg cannot make the changed one, it returns the body
// to be sent instead.
func (m Mutation) Apply(req kmsg.Request) (body []byte) { return m.apply(req, find(req, m.steps)) }

func find(req kmsg.Request, steps []step) reflect.Value {
	v := reflect.ValueOf(req).Elem()
	for _, s := range steps {
		switch {
		case s != inside:
			v = v.Field(int(s))
		case v.Kind() == reflect.Slice:
			v = v.Index(0)
		default:
			v = v.Elem()
		}
	}
	return v
}

// Of lists the mutations of a request at its version. Names of nothing begin with
// the one that is given.
func Of(req kmsg.Request, unknown string) []Mutation {
	w := walker{req: req, usual: req.AppendTo(nil), unknown: unknown}
	w.fields(reflect.ValueOf(req).Elem(), nil, nil)
	return w.all
}

type walker struct {
	req     kmsg.Request
	usual   []byte
	unknown string
	all     []Mutation
}

func (w *walker) fields(v reflect.Value, steps []step, names []string) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "Version" || name == "UnknownTags" {
			continue
		}
		w.field(v.Field(i), append(steps[:len(steps):len(steps)], step(i)), append(names[:len(names):len(names)], name))
	}
}

func (w *walker) field(v reflect.Value, steps []step, names []string) {
	path := strings.Join(names, ".")
	for _, c := range changes(v, w.unknown) {
		m := Mutation{Field: path, Kind: c.kind, steps: steps, apply: c.apply}
		if w.matters(v, m) {
			w.all = append(w.all, m)
		}
	}
	switch {
	case v.Kind() == reflect.Struct:
		w.fields(v, steps, names)
	case v.Kind() == reflect.Slice && v.Len() > 0 && v.Type().Elem().Kind() == reflect.Struct:
		w.fields(v.Index(0), append(steps, inside), names)
	case v.Kind() == reflect.Pointer && !v.IsNil() && v.Type().Elem().Kind() == reflect.Struct:
		w.fields(v.Elem(), append(steps, inside), names)
	}
}

// matters tells whether a mutation changes what is sent: a field may not be there
// at the version, or have the value already.
func (w *walker) matters(v reflect.Value, m Mutation) bool {
	kept := reflect.New(v.Type()).Elem()
	kept.Set(v)
	body := m.apply(w.req, v)
	if body == nil {
		body = w.req.AppendTo(nil)
	}
	v.Set(kept)
	return !bytes.Equal(body, w.usual)
}

// change is what can be done to a value.
type change struct {
	kind  string
	apply func(req kmsg.Request, v reflect.Value) []byte
}

// set is a change to a value that kmsg can encode.
func set(kind string, value any) change {
	return change{kind, func(_ kmsg.Request, v reflect.Value) []byte {
		v.Set(reflect.ValueOf(value).Convert(v.Type()))
		return nil
	}}
}

// unknownID is no topic's.
var unknownID = [16]byte{0x5a, 1, 2, 3, 4, 5, 0x40, 7, 0x80, 9, 10, 11, 12, 13, 14, 15}

func changes(v reflect.Value, unknown string) []change {
	switch v.Kind() {
	case reflect.Bool:
		return []change{set("flipped", !v.Bool())}
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return numbers(v.Type().Bits())
	case reflect.String:
		return []change{set("empty", ""), set("unknown", unknown), set("odd", unknown+"/\u00e9 "), set("long", padded(unknown)), nulled("Z")}
	case reflect.Pointer:
		if v.Type().Elem().Kind() != reflect.String {
			return nil
		}
		empty, long := "", padded(unknown)
		return []change{set("empty", &empty), set("unknown", &unknown), set("long", &long), nulled(&unknown)}
	case reflect.Array:
		return []change{set("zero", [16]byte{}), set("unknown", unknownID)}
	case reflect.Slice:
		return slices(v)
	}
	return nil
}

// padded is a name that is longer than names may be.
func padded(name string) string { return name + strings.Repeat("x", 300) }

func numbers(bits int) []change {
	high := int64(math.MaxInt64) >> (64 - bits)
	return []change{set("zero", 0), set("one", 1), set("minus-one", -1), set("minus-two", -2), set("highest", high), set("lowest", -high-1)}
}

func slices(v reflect.Value) []change {
	t := v.Type()
	empty := set("empty", reflect.MakeSlice(t, 0, 0).Interface())
	if t.Elem().Kind() == reflect.Uint8 {
		return []change{empty, set("garbage", []byte("garbage")), nulled([]byte("Z"))}
	}
	one := reflect.MakeSlice(t, 1, 1)
	all := []change{empty, nulled(one.Interface())}
	if v.Len() > 0 {
		all = append(all, change{"doubled", func(_ kmsg.Request, v reflect.Value) []byte {
			v.Set(reflect.Append(v.Slice3(0, v.Len(), v.Len()), v.Index(0)))
			return nil
		}})
	}
	return all
}

// nulled is a change to null. Where kmsg has no null, it is put into the bytes: the
// length is where an empty value and another one, which has length one, part.
func nulled(other any) change {
	return change{"null", func(req kmsg.Request, v reflect.Value) []byte {
		set := func(value reflect.Value) []byte {
			v.Set(value)
			return req.AppendTo(nil)
		}
		one := set(reflect.ValueOf(other))
		null := set(reflect.Zero(v.Type()))
		if v.Kind() == reflect.Pointer {
			return nil
		}
		empty := null
		if v.Kind() == reflect.Slice {
			empty = set(reflect.MakeSlice(v.Type(), 0, 0))
			v.Set(reflect.Zero(v.Type()))
		}
		if !bytes.Equal(null, empty) {
			return nil // kmsg's null is the wire's
		}
		return withNull(empty, one, req.IsFlexible(), v.Kind() == reflect.String)
	}}
}

// withNull returns the empty body with a null in it, or as it is if there is no
// place for one.
func withNull(empty, one []byte, flexible, short bool) []byte {
	at := 0
	for at < len(empty) && at < len(one) && empty[at] == one[at] {
		at++
	}
	size := 4
	switch {
	case flexible:
		size = 1
	case short:
		size = 2
	}
	if at == len(empty) || at+1 < size {
		return empty
	}
	for i := at + 1 - size; i <= at; i++ {
		if flexible {
			empty[i] = 0
		} else {
			empty[i] = 0xff
		}
	}
	return empty
}
