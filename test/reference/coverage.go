package reference

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/answer"
	"sordini/test/reference/catalogue"
)

// coverage counts what the cases meet of what there is.
type coverage struct {
	asked    map[string]bool // API, version and field of requests that had a value
	told     map[string]bool // likewise of Kafka's answers
	versions map[string]bool // API and version
	codes    map[string]bool // API and code
}

func newCoverage() *coverage {
	return &coverage{asked: make(map[string]bool), told: make(map[string]bool), versions: make(map[string]bool), codes: make(map[string]bool)}
}

// place is the name of a field in the counts.
func place(api string, version int16, field string) string {
	return fmt.Sprintf("%s %d %s", api, version, field)
}

// sent notes the fields of a request that have a value.
func (c *coverage) sent(req kmsg.Request) {
	api := kmsg.NameForKey(req.Key())
	c.versions[place(api, req.GetVersion(), "")] = true
	leaves(reflect.ValueOf(req).Elem(), "", func(path string, v, usual reflect.Value) {
		if !reflect.DeepEqual(v.Interface(), usual.Interface()) {
			c.asked[place(api, req.GetVersion(), path)] = true
		}
	})
}

var index = regexp.MustCompile(`\[[^\]]*\]`)

// answered notes the fields of an answer that have a value, and its error codes.
func (c *coverage) answered(a answer.Answer) {
	for _, f := range a.Fields {
		c.told[place(a.API, a.Version, index.ReplaceAllString(f.Path, ""))] = true
	}
	for _, code := range a.ErrorCodes() {
		c.codes[a.API+" "+code] = true
	}
}

// report tells the figures, and what is missing.
func (c *coverage) report() []string {
	var versions, asked, told, codes tally
	for _, r := range catalogue.Ranges() {
		for v := r.Min; v <= r.Max; v++ {
			versions.count(c.versions, place(r.API, v, ""))
			req := kmsg.RequestForKey(r.Key)
			for _, f := range fieldsOf(req, v) {
				asked.count(c.asked, place(r.API, v, f))
			}
			for _, f := range fieldsOf(req.ResponseKind(), v) {
				if f != "ThrottleMillis" {
					told.count(c.told, place(r.API, v, f))
				}
			}
		}
		for _, code := range codesOf[r.API] {
			codes.count(c.codes, r.API+" "+code)
		}
	}
	return []string{
		"versions of APIs: " + versions.String(), "fields of requests, by version: " + asked.String(),
		"fields of answers, by version: " + told.String(), "error codes, by API: " + codes.String(),
	}
}

// tally is how many of how many, and which are missing.
type tally struct {
	met, all int
	missing  []string
}

func (t *tally) count(met map[string]bool, what string) {
	t.all++
	if met[what] {
		t.met++
		return
	}
	api, rest, _ := strings.Cut(what, " ")
	if _, field, ok := strings.Cut(rest, " "); ok && field != "" {
		rest = field
	}
	if what = api + "." + rest; !slices.Contains(t.missing, what) {
		t.missing = append(t.missing, what)
	}
}

func (t *tally) String() string {
	text := fmt.Sprintf("%d of %d (%.1f%%)", t.met, t.all, 100*float64(t.met)/float64(max(1, t.all)))
	if len(t.missing) > 0 {
		text += "; at some version missing: " + strings.Join(t.missing, ", ")
	}
	return text
}

// message is a request or a response.
type message interface {
	SetVersion(int16)
	AppendTo([]byte) []byte
}

// fieldsOf are the fields of a message that a version has: those that change its
// bytes.
func fieldsOf(m message, version int16) []string {
	fill(reflect.ValueOf(m).Elem())
	m.SetVersion(version)
	usual := m.AppendTo(nil)
	var all []string
	leaves(reflect.ValueOf(m).Elem(), "", func(path string, v, _ reflect.Value) {
		kept := reflect.New(v.Type()).Elem()
		kept.Set(v)
		alter(v)
		if !bytes.Equal(m.AppendTo(nil), usual) {
			all = append(all, path)
		}
		v.Set(kept)
	})
	return all
}

// fill gives every array of structs one element, and every pointer to one a value.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case f.Type() == reflect.TypeFor[kmsg.Tags]():
		case f.Kind() == reflect.Struct:
			fill(f)
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			f.Index(0).Set(usualOf(f.Type().Elem()))
			fill(f.Index(0))
		case f.Kind() == reflect.Pointer && f.Type().Elem().Kind() == reflect.Struct:
			f.Set(reflect.New(f.Type().Elem()))
			f.Elem().Set(usualOf(f.Type().Elem()))
			fill(f.Elem())
		}
	}
}

// usualOf is a struct as kmsg makes it.
func usualOf(t reflect.Type) reflect.Value {
	v := reflect.New(t)
	if d, ok := v.Interface().(interface{ Default() }); ok {
		d.Default()
	}
	return v.Elem()
}

// leaves visits the fields that have no fields of their own, with their usual value.
func leaves(v reflect.Value, prefix string, visit func(path string, v, usual reflect.Value)) {
	usual := usualOf(v.Type())
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		path := prefix + name
		switch {
		case name == "Version" || name == "UnknownTags":
		case f.Kind() == reflect.Struct:
			leaves(f, path+".", visit)
		case f.Kind() == reflect.Pointer && f.Type().Elem().Kind() == reflect.Struct:
			if !f.IsNil() {
				leaves(f.Elem(), path+".", visit)
			}
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
			for j := range f.Len() {
				leaves(f.Index(j), path+".", visit)
			}
		default:
			visit(path, f, usual.Field(i))
		}
	}
}

// alter gives a field another value.
func alter(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		alter(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
	case reflect.Array:
		v.Index(0).SetUint(v.Index(0).Uint() + 1)
	case reflect.Float64:
		v.SetFloat(v.Float() + 1)
	}
}
