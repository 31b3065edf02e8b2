package test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// attack is what a hostile client sends on a connection at once.
type attack struct {
	kind string
	data []byte // a frame with its length, or less, or more
	// cut says that the length announces more bytes than there are: the server
	// has to wait, until the client closes its side.
	cut bool
	// valid is the request, if the frame is an encoding of one: then the answer has
	// to be one of it, to the last byte.
	valid kmsg.Request
}

// key is the API key of the frame, -1 if it has none.
func (a *attack) key() int16 {
	if len(a.data) < 6 {
		return -1
	}
	return int16(binary.BigEndian.Uint16(a.data[4:]))
}

// correlation is the correlation id of the frame.
func (a *attack) correlation() int32 {
	if len(a.data) < 12 {
		return 0
	}
	return int32(binary.BigEndian.Uint32(a.data[8:]))
}

// forger makes attacks, the same from the same seed.
type forger struct {
	*rand.Rand
	ranges []kmsg.ApiVersionsResponseApiKey
	bombs  [][]byte // record batches that swell
	budget int      // elements that the request at hand may still get
	long   int      // longest string of the request at hand
	topics []string // that it may name
}

func newForger(seed uint64, ranges []kmsg.ApiVersionsResponseApiKey, bombs [][]byte) *forger {
	return &forger{Rand: rand.New(rand.NewPCG(seed, 0)), ranges: ranges, bombs: bombs}
}

// victims are topics that hostile clients write to, of these settings. They are
// never deleted or changed, so that what is written meets them as they are.
var victims = map[string][]string{
	"victim":            nil,
	"victim-compacted":  {"cleanup.policy", "compact"},
	"victim-window":     {"message.timestamp.before.max.ms", "3600000"},
	"victim-zstd":       {"compression.type", "zstd"},
	"victim-gzip":       {"compression.type", "gzip"},
	"victim-plain":      {"compression.type", "uncompressed"},
	"victim-appendtime": {"message.timestamp.type", "LogAppendTime"},
}

// victimNames are the keys of victims in a fixed order.
var victimNames = []string{"victim", "victim-compacted", "victim-window", "victim-zstd", "victim-gzip", "victim-plain", "victim-appendtime"}

// prey are topics that hostile clients create, change and delete.
var prey = []string{"prey", "prey-0", "prey_1", "prey.1", "prey-2", "__consumer_offsets", "__cluster_metadata"}

// pick is one of the arguments.
func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// next is one attack. The kinds that cost the server much are rare.
func (f *forger) next() attack {
	switch n := f.IntN(1000); {
	case n < 50:
		return f.length()
	case n < 100:
		return f.truncated()
	case n < 400:
		return f.mutated()
	case n < 450:
		return f.tagBomb()
	case n < 500:
		return f.arrayBomb()
	case n < 540:
		return f.unknownAPI()
	case n < 580:
		return f.garbage()
	case n < 820:
		return f.content()
	case n < 850:
		return f.duplicates()
	case n < 995:
		return f.batch()
	default:
		return f.bomb()
	}
}

// framed puts the length before a request.
func framed(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(b)), uint32(len(b))), b...)
}

// header is the start of a frame without its length. Flexible headers end with an
// empty section of tags.
func (f *forger) header(key, version int16, flexible bool) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, f.Uint32())
	b = append(b, 0, 2, 'x', 'x')
	if flexible {
		b = append(b, 0)
	}
	return b
}

// length is a length that no frame can have.
func (f *forger) length() attack {
	n := pick[int32](f.Rand, -1, 0, 1, 7, math.MinInt32, math.MaxInt32, 100<<20+1, -f.Int32())
	b := binary.BigEndian.AppendUint32(nil, uint32(n))
	return attack{kind: "length", data: append(b, f.noise(f.IntN(64))...)}
}

// api is an advertised API at an advertised version that is served.
func (f *forger) api() (key, version int16) {
	k := pick(f.Rand, f.ranges...)
	low := k.MinVersion
	if k.ApiKey == 0 {
		low = 3 // Produce advertises versions that it does not serve
	}
	return k.ApiKey, low + int16(f.IntN(int(k.MaxVersion-low)+1))
}

// request is a request with contents as the filler makes them.
func (f *forger) request() kmsg.Request {
	key, version := f.api()
	f.budget, f.long = 200, 300
	return f.filled(key, version, 1+f.IntN(6))
}

// filled is a request of a key and version with hostile values.
func (f *forger) filled(key, version int16, elements int) kmsg.Request {
	r := kmsg.RequestForKey(key)
	f.topics = slices.Concat(victimNames, prey)
	switch r.(type) {
	case *kmsg.DeleteTopicsRequest, *kmsg.AlterConfigsRequest, *kmsg.IncrementalAlterConfigsRequest:
		f.topics = prey
	}
	f.fill(reflect.ValueOf(r).Elem(), elements, "")
	r.SetVersion(version)
	tame(r)
	return r
}

// encode is a whole frame.
func (f *forger) encode(r kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("hostile")).AppendRequest(nil, r, f.Int32())
}

func (f *forger) truncated() attack {
	b := f.encode(f.request())
	n := f.IntN(len(b))
	if f.IntN(2) == 0 && n >= 4 {
		return attack{kind: "truncated", data: framed(b[4:n])}
	}
	return attack{kind: "cut", data: b[:n], cut: true}
}

// mutated is a request with some bytes changed behind its key and version.
func (f *forger) mutated() attack {
	b := f.encode(f.request())[4:]
	for range 1 + f.IntN(4) {
		at := 4 + f.IntN(len(b)-3)
		switch f.IntN(6) {
		case 0:
			if at < len(b) {
				b[at] ^= 1 << f.IntN(8)
			}
		case 1:
			if at < len(b) {
				b[at] = byte(f.Uint32())
			}
		case 2:
			b = append(b[:at:at], b[min(len(b), at+1+f.IntN(16)):]...)
		case 3:
			b = append(b[:at:at], append(f.noise(1+f.IntN(16)), b[at:]...)...)
		case 4: // a count or a length of four or two bytes
			n := binary.BigEndian.AppendUint32(nil, uint32(f.edge32()))
			copy(b[at:], n[f.IntN(2)*2:])
		case 5: // a varint
			n := binary.AppendUvarint(nil, f.Uint64()>>f.IntN(64))
			copy(b[at:], n)
		}
	}
	return attack{kind: "mutated", data: framed(b)}
}

// tagBomb is a request whose sections of tags claim a lot.
func (f *forger) tagBomb() attack {
	huge := pick(f.Rand, "\xff\xff\xff\xff\x0f", "\xff\xff\xff\xff\x07", "\x80\x80\x80\x80\x10", "\xff\xff\x03", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
	switch f.IntN(4) {
	case 0: // ApiVersions, before anything else is known of the client
		b := append(f.header(18, 3, true), "\x02a\x02b"...)
		return attack{kind: "tag bomb", data: framed(append(append(b, huge...), 0))}
	case 1: // in the header
		key, version := f.api()
		b := f.header(key, version, false)
		return attack{kind: "tag bomb", data: framed(append(append(b, huge...), f.noise(f.IntN(64))...))}
	case 2: // one tag that is said to be long
		b := append(f.header(18, 3, true), "\x02a\x02b\x01\x05"...)
		return attack{kind: "tag bomb", data: framed(append(b, huge...))}
	default: // as many as fit
		b := append(f.header(18, 3, true), "\x02a\x02b\xff\xff\x03"...)
		return attack{kind: "tag bomb", data: framed(append(b, make([]byte, 32<<10+f.IntN(96<<10))...))}
	}
}

// arrayBomb is a request that consists of a count and zeros.
func (f *forger) arrayBomb() attack {
	key, version := f.api()
	kind := kmsg.RequestForKey(key)
	kind.SetVersion(version)
	b := f.header(key, version, kind.IsFlexible())
	b = append(b, f.noise(f.IntN(4)*4)...)
	if kind.IsFlexible() {
		b = binary.AppendUvarint(b, uint64(pick[uint32](f.Rand, 1<<10, 1<<16, 1<<20, 1<<30, math.MaxUint32)))
	} else {
		b = binary.BigEndian.AppendUint32(b, pick[uint32](f.Rand, 1<<10, 1<<16, 1<<20, 1<<30, math.MaxInt32))
	}
	size := f.IntN(4 << 10)
	if f.IntN(8) == 0 {
		size = f.IntN(1 << 20)
	}
	zeros := make([]byte, size)
	if f.IntN(3) == 0 {
		for i := range zeros {
			zeros[i] = 1
		}
	}
	return attack{kind: "array bomb", data: framed(append(b, zeros...))}
}

// unknownAPI is a request of a key or a version that is not served.
func (f *forger) unknownAPI() attack {
	key, version := f.api()
	if f.IntN(2) == 0 {
		key = pick[int16](f.Rand, -1, 4, 8, 9, 10, 36, 100, 127, 128, 999, math.MinInt16, math.MaxInt16)
	} else {
		version = pick[int16](f.Rand, -1, 30, 99, math.MinInt16, math.MaxInt16)
	}
	return attack{kind: "unknown API", data: framed(append(f.header(key, version, f.IntN(2) == 0), f.noise(f.IntN(64))...))}
}

func (f *forger) garbage() attack {
	b := f.noise(8 + f.IntN(2000))
	switch f.IntN(4) {
	case 0: // other protocols
		return attack{kind: "garbage", cut: true, data: []byte(pick(f.Rand,
			"GET / HTTP/1.1\r\nHost: broker\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "SSH-2.0-OpenSSH_9.6\r\n", "\x00\x00"))}
	case 1:
		key, version := f.api()
		copy(b, f.header(key, version, false))
	}
	return attack{kind: "garbage", data: framed(b)}
}

func (f *forger) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.Uint32())
	}
	return b
}

// content is a well-formed request with hostile values.
func (f *forger) content() attack {
	key, version := f.api()
	kind := kmsg.RequestForKey(key)
	kind.SetVersion(version)
	f.budget, f.long = 2000, 0x7fff
	if f.IntN(50) == 0 {
		f.budget = 30_000
	}
	a := attack{kind: "content"}
	if kind.IsFlexible() && f.IntN(20) == 0 {
		f.long = 1 << 20 // more than Kafka lets a string have
	}
	r := f.filled(key, version, 1+f.IntN(8))
	a.data = f.encode(r)
	if f.long <= 0x7fff {
		a.valid = r
	}
	return a
}

// duplicates is a request that names one thing thousands of times.
func (f *forger) duplicates() attack {
	key, version := f.api()
	f.budget, f.long = 20, 20
	r := f.filled(key, version, 1)
	repeat(reflect.ValueOf(r).Elem(), 100+f.IntN(5000), f.IntN(2) == 0)
	return attack{kind: "duplicates", data: f.encode(r), valid: r}
}

// repeat makes n elements of the first array in v that has one; with deep set,
// of an array in its first element rather.
func repeat(v reflect.Value, n int, deep bool) bool {
	for i := range v.NumField() {
		s := v.Field(i)
		if s.Kind() != reflect.Slice || s.Len() == 0 || s.Type().Elem().Kind() == reflect.Uint8 {
			continue
		}
		if deep && s.Index(0).Kind() == reflect.Struct && repeat(s.Index(0), n, false) {
			return true
		}
		all := reflect.MakeSlice(s.Type(), n, n)
		for j := range n {
			all.Index(j).Set(s.Index(0))
		}
		s.Set(all)
		return true
	}
	return false
}

// tame keeps a request from doing what is legal and yet would spoil the test:
// changing what holds for the whole broker.
func tame(r kmsg.Request) {
	switch r := r.(type) {
	case *kmsg.AlterConfigsRequest:
		for _, c := range r.Resources {
			r.ValidateOnly = r.ValidateOnly || c.ResourceType == kmsg.ConfigResourceTypeBroker
		}
	case *kmsg.IncrementalAlterConfigsRequest:
		for _, c := range r.Resources {
			r.ValidateOnly = r.ValidateOnly || c.ResourceType == kmsg.ConfigResourceTypeBroker
		}
	}
}

// edge32 is a number at some edge, but none that makes so many partitions that it
// takes long, as it may.
func (f *forger) edge32() int32 {
	return pick[int32](f.Rand, math.MinInt32, math.MinInt32+1, -2, -1, 0, 0, 0, 1, 2, 3, 20_001, math.MaxInt16+1, math.MaxInt32-1, math.MaxInt32)
}

func (f *forger) edge64() int64 {
	if f.IntN(2) == 0 {
		return -int64(f.IntN(11))
	}
	return pick(f.Rand, math.MinInt64, math.MinInt64+1, math.MinInt32, 0, 1, 5, 1<<31, 1<<32, 1<<62, math.MaxInt64-1, math.MaxInt64, f.Int64())
}

// fill gives v hostile values. name is that of the field.
func (f *forger) fill(v reflect.Value, elements int, name string) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int8:
		v.SetInt(int64(pick[int8](f.Rand, 0, 1, 2, 3, 4, 8, 16, 32, -1, math.MinInt8, math.MaxInt8)))
	case reflect.Int16:
		v.SetInt(int64(pick[int16](f.Rand, -1, -1, 0, 1, 1, 2, -2, math.MinInt16, math.MaxInt16)))
	case reflect.Int32:
		v.SetInt(int64(f.edge32()))
	case reflect.Int64:
		v.SetInt(f.edge64())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(f.Uint64() >> (64 - v.Type().Bits()))
	case reflect.Float64:
		v.SetFloat(pick(f.Rand, 0, -1, math.Inf(1), math.NaN(), math.MaxFloat64))
	case reflect.String:
		v.SetString(f.text(name))
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i), elements, name)
		}
	case reflect.Pointer:
		if f.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), elements, name)
		}
	case reflect.Slice:
		f.fillSlice(v, elements, name)
	case reflect.Struct:
		if _, tags := v.Addr().Interface().(*kmsg.Tags); tags {
			return
		}
		for i := range v.NumField() {
			f.fill(v.Field(i), elements, v.Type().Field(i).Name)
		}
	}
}

func (f *forger) fillSlice(v reflect.Value, elements int, name string) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if name == "Records" && f.IntN(2) == 0 {
			v.SetBytes(f.lie())
		} else {
			v.SetBytes(f.noise(f.IntN(200)))
		}
		return
	}
	n := min(f.IntN(elements+1), f.budget)
	if f.budget > 1000 && f.IntN(4) == 0 {
		n = f.IntN(f.budget)
	}
	if f.budget -= n; n == 0 && f.IntN(2) == 0 {
		return // null
	}
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		f.fill(v.Index(i), max(1, elements/2), name)
	}
}

// text is a hostile string. Legal names of topics are few, so that few are created.
func (f *forger) text(field string) string {
	switch n := f.IntN(20); {
	case n < 9:
		return pick(f.Rand, f.topics...)
	case n < 13 && strings.Contains(field, "Name"):
		return pick(f.Rand, "retention.ms", "segment.bytes", "compression.type", "cleanup.policy", "max.message.bytes",
			"leader.replication.throttled.replicas", "message.timestamp.type", "sordini.flush", "password")
	case n < 16 && field == "Value":
		return pick(f.Rand, "-1", "0", "1", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e9", "NaN",
			"compact,delete", "gzip", "${file:/etc/passwd}", strings.Repeat("a,", 2000))
	case n < 18:
		return pick(f.Rand, "", ".", "..", "/", "../../etc/passwd", "a/b", "a\x00b", "\x00", "ä", "\xff\xfe", "‮", "a b", "a\nb",
			"%s%n", "0", "1", "-1", "2147483648", strings.Repeat("n", 249), strings.Repeat("n", 250), strings.Repeat("ü", 249))
	case n == 18 && f.IntN(40) == 0:
		return strings.Repeat("x", f.long)
	default:
		return string(f.noise(f.IntN(20)))
	}
}

// batch is a Produce request whose batches lie.
func (f *forger) batch() attack {
	n := 1
	if f.IntN(10) == 0 {
		n = 1 + f.IntN(20)
	}
	var all [][]byte
	for range n {
		all = append(all, f.lie())
	}
	return f.produce("batch", all)
}

// bomb is a Produce request with a batch that swells.
func (f *forger) bomb() attack {
	return f.produce("bomb", [][]byte{bytes.Clone(pick(f.Rand, f.bombs...))})
}

func (f *forger) produce(kind string, batches [][]byte) attack {
	req := produceRequest(pick(f.Rand, victimNames...), 0, pick[int16](f.Rand, -1, -1, 1, 0, 7), batches[0])
	req.TimeoutMillis = pick[int32](f.Rand, 1000, 0, -1, math.MinInt32, math.MaxInt32)
	for _, b := range batches[1:] {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = pick[int32](f.Rand, 0, 0, 0, 1, -1), b
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, p)
	}
	req.SetVersion(int16(3 + f.IntN(produceVersion-2)))
	return attack{kind: kind, data: f.encode(req), valid: req}
}
