package answer

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Of is the answer that a response is. The body are the bytes that it was decoded
// from.
func Of(m *Masks, resp kmsg.Response, body []byte) Answer {
	f := flattener{masks: m, api: kmsg.NameForKey(resp.Key())}
	f.element(reflect.ValueOf(resp).Elem(), "")
	a := Answer{API: f.api, Version: resp.GetVersion(), Fields: f.fields}
	if !bytes.Equal(resp.AppendTo(nil), body) {
		a.Fields = append([]Field{{Path: Unending, Value: "true"}}, a.Fields...)
	}
	return a
}

// flattener walks over a response.
type flattener struct {
	masks  *Masks
	api    string
	fields []Field
}

// element adds the fields of a struct: first its own, then those of what it holds,
// so that an element's own fields stand on one line.
func (f *flattener) element(v reflect.Value, prefix string) {
	usual := defaults(v.Type())
	var held []func()
	for i := range v.NumField() {
		field, name := v.Field(i), v.Type().Field(i).Name
		path := prefix + name
		switch {
		case name == "Version", f.masks.dropped(f.api, name):
		case name == "UnknownTags":
			f.tags(v.Field(i).Interface().(kmsg.Tags), path)
		case holds(field.Type()):
			held = append(held, func() { f.nested(field, usual.Field(i), path) })
		case !reflect.DeepEqual(field.Interface(), usual.Field(i).Interface()):
			f.add(path, f.value(name, field))
		}
	}
	for _, h := range held {
		h()
	}
}

func (f *flattener) add(path, value string) {
	f.fields = append(f.fields, Field{Path: path, Value: value})
}

// holds tells whether a field's type has fields of its own.
func holds(t reflect.Type) bool {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct
}

// defaults is a struct of type t as kmsg makes it.
func defaults(t reflect.Type) reflect.Value {
	v := reflect.New(t)
	if d, ok := v.Interface().(interface{ Default() }); ok {
		d.Default()
	}
	return v.Elem()
}

func (f *flattener) tags(tags kmsg.Tags, path string) {
	tags.Each(func(key uint32, value []byte) {
		f.add(path, fmt.Sprintf("%d:%x", key, value))
	})
}

// nested adds what a field with fields of its own holds.
func (f *flattener) nested(v, usual reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer:
		switch {
		case v.IsNil() && !usual.IsNil():
			f.add(path, "null")
		case !v.IsNil():
			f.add(path, "")
			f.element(v.Elem(), path+".")
		}
	case reflect.Struct:
		if !reflect.DeepEqual(v.Interface(), usual.Interface()) {
			f.add(path, "")
			f.element(v, path+".")
		}
	case reflect.Slice:
		switch {
		case v.IsNil() && !usual.IsNil():
			f.add(path, "null")
		case !v.IsNil() && v.Len() == 0:
			f.add(path, "[]")
		}
		f.elements(v, path)
	}
}

// elements adds those of an array. Where their order means nothing, they are
// sorted and known by their name, if they have one.
func (f *flattener) elements(v reflect.Value, path string) {
	all := make([]reflect.Value, v.Len())
	for i := range all {
		all[i] = v.Index(i)
	}
	name := lastName(path)
	free := unordered[f.api+"."+name]
	if free {
		f.sort(all)
	}
	for i, e := range all {
		at := path + "[" + strconv.Itoa(i) + "]"
		if free && named[f.api+"."+name] {
			at = fmt.Sprintf("%s[%v]", path, e.Field(0).Interface())
		}
		f.add(at, "")
		f.element(e, at+".")
	}
}

func lastName(path string) string {
	_, name := split(path)
	return name
}

// sort orders elements by their text with all ids alike, so that the numbers of
// ids follow the order and not the other way round.
func (f *flattener) sort(all []reflect.Value) {
	texts := make(map[reflect.Value]string, len(all))
	for _, e := range all {
		b := flattener{masks: f.masks.blind(), api: f.api}
		b.element(e, "")
		texts[e] = body(b.fields)
	}
	slices.SortStableFunc(all, func(a, b reflect.Value) int { return strings.Compare(texts[a], texts[b]) })
}

// value is the text of a field without fields of its own.
func (f *flattener) value(name string, v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "null"
		}
		return f.value(name, v.Elem())
	case reflect.String:
		return f.masks.text(f.api, name, v.String())
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if name == "ErrorCode" {
			return codeName(int16(v.Int()))
		}
		return f.masks.number(f.api, name, v.Int())
	case reflect.Array:
		return f.masks.id(v.Interface().([16]byte))
	case reflect.Slice:
		return f.slice(name, v)
	}
	return fmt.Sprint(v.Interface())
}

// slice is the text of an array of values, or of bytes.
func (f *flattener) slice(name string, v reflect.Value) string {
	if v.IsNil() {
		return "null"
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if name == "RecordBatches" {
			return f.masks.batches(v.Bytes())
		}
		return blob(v.Bytes())
	}
	texts := make([]string, v.Len())
	for i := range texts {
		texts[i] = f.value(name, v.Index(i))
	}
	if unordered[f.api+"."+name] {
		slices.Sort(texts)
	}
	return "[" + strings.Join(texts, ",") + "]"
}

// blob is the text of bytes: all of them, or so many and a hash.
func blob(b []byte) string {
	if len(b) <= 64 {
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("%q+%d:%08x", b[:16], len(b)-16, sum(b))
}

// codeName is a code as Kafka's protocol names it.
func codeName(code int16) string {
	if code == 0 {
		return "NONE"
	}
	if err, ok := kerr.ErrorForCode(code).(*kerr.Error); ok && err.Code == code {
		return err.Message
	}
	return strconv.Itoa(int(code))
}
