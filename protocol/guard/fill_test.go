package guard

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A filler gives the fields of a request random values.
type filler struct {
	*rand.Rand
	elements int // most elements of an array at the top; deeper ones have fewer
	text     int // longest string
	tags     int // one tag section in so many has unknown tags; 0 for none
	budget   int // elements of all arrays that may still be made; 0 for any number
}

// fillers are the ways to fill a request, from empty to crowded.
func fillers(seed uint64) []*filler {
	src := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	return []*filler{
		{Rand: src(1)},
		{Rand: src(2), elements: 3, text: 20, tags: 4},
		{Rand: src(3), elements: 5, text: 3, tags: 20},
		{Rand: src(4), elements: 40, text: 10},
		{Rand: src(5), elements: 1, text: 200, tags: 1},
	}
}

// request returns a request with this key and version with random contents.
func (f *filler) request(key, version int16) kmsg.Request {
	r := kmsg.RequestForKey(key)
	f.value(reflect.ValueOf(r).Elem(), f.elements)
	r.SetVersion(version)
	return r
}

func (f *filler) upTo(n int) int { return f.IntN(n + 1) }

func (f *filler) value(v reflect.Value, elements int) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.Uint64()) >> (64 - v.Type().Bits()))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(f.Uint64() >> (64 - v.Type().Bits()))
	case reflect.Float64:
		v.SetFloat(f.Float64())
	case reflect.String:
		b := make([]byte, f.upTo(f.text))
		for i := range b {
			b[i] = byte(f.Uint32())
		}
		v.SetString(string(b))
	case reflect.Array:
		for i := range v.Len() {
			f.value(v.Index(i), elements)
		}
	case reflect.Pointer:
		if f.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.value(v.Elem(), elements)
		}
	case reflect.Slice:
		f.slice(v, elements)
	case reflect.Struct:
		f.structure(v, elements)
	}
}

func (f *filler) slice(v reflect.Value, elements int) {
	n := f.upTo(elements)
	if v.Type().Elem().Kind() == reflect.Uint8 {
		n = f.upTo(f.text)
	} else if f.elements > 5 && n < elements {
		n = elements
	}
	if f.budget > 0 {
		n = min(n, f.budget-1)
		f.budget -= n
	}
	if n == 0 && f.IntN(2) == 0 {
		return // nil
	}
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		f.value(v.Index(i), elements/4)
	}
}

func (f *filler) structure(v reflect.Value, elements int) {
	if tags, ok := v.Addr().Interface().(*kmsg.Tags); ok {
		if f.tags == 0 || f.IntN(f.tags) > 0 {
			return
		}
		for range f.upTo(12) {
			tags.Set(100+f.Uint32N(1<<20), make([]byte, f.upTo(f.text)))
		}
		return
	}
	for i := range v.NumField() {
		f.value(v.Field(i), elements)
	}
}

// everyRequest calls fn for each key and version that kmsg decodes.
func everyRequest(fn func(key, version int16)) {
	for key := int16(0); key <= kmsg.MaxKey; key++ {
		r := kmsg.RequestForKey(key)
		if r == nil {
			continue
		}
		for version := int16(0); version <= r.MaxVersion(); version++ {
			fn(key, version)
		}
	}
}

// A decoding is what kmsg made of a body.
type decoding struct {
	err    error
	memory int // bytes allocated, at least
	time   time.Duration
}

// decode has kmsg decode body and measures it; the least of a few runs stands,
// since others may allocate and run meanwhile.
func decode(key, version int16, body []byte, enough func(decoding) bool) (least decoding) {
	for try := range 5 {
		r := kmsg.RequestForKey(key)
		r.SetVersion(version)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		d := decoding{err: r.ReadFrom(body), time: time.Since(start)}
		runtime.ReadMemStats(&after)
		d.memory = int(after.TotalAlloc - before.TotalAlloc)
		if try == 0 {
			least = d
		}
		least.memory, least.time = min(least.memory, d.memory), min(least.time, d.time)
		if enough(least) {
			break
		}
	}
	return least
}

// requireSafe fails the test unless Check refuses body or kmsg decodes it within
// the documented bounds. It reports whether Check accepts.
func requireSafe(t *testing.T, key, version int16, body []byte) bool {
	t.Helper()
	c, refusal := check(key, version, body, MaxNodes)
	if refusal != nil {
		if refusal.Error() == "" || refusal.Unwrap() == nil {
			t.Fatalf("key %d v%d: an error without text or kind: %#v", key, version, refusal)
		}
		return false
	}
	limit := growth * (MemoryPerByte*len(body) + MemoryBase)
	const slowest = slowness * 50 * time.Millisecond
	d := decode(key, version, body, func(d decoding) bool {
		return d.memory <= min(limit, growth*(c.memory+4<<10)) && d.time <= slowest
	})
	switch {
	case d.err != nil:
		t.Fatalf("key %d v%d: accepted, but kmsg fails: %v\n%x", key, version, d.err, cut(body))
	case d.memory > limit:
		t.Fatalf("key %d v%d: %d bytes allocated for %d, at most %d allowed\n%x",
			key, version, d.memory, len(body), limit, cut(body))
	case d.memory > growth*(c.memory+4<<10):
		t.Fatalf("key %d v%d: %d bytes allocated, estimated %d\n%x", key, version, d.memory, c.memory, cut(body))
	case d.time > slowest:
		t.Fatalf("key %d v%d: decoding %d bytes took %v", key, version, len(body), d.time)
	}
	return true
}

// cut returns the start of b, for messages.
func cut(b []byte) []byte { return b[:min(len(b), 512)] }
