// Package guard checks the bytes of a request before kmsg decodes them.
//
// kmsg's decoders trust their input: a count is followed before it is compared
// with what could be there, so that a dozen bytes burn a minute of CPU and a
// small frame allocates fifty times its size. [Check] walks the same bytes by
// the same layout without decoding anything, and accepts only what kmsg then
// decodes completely, in time linear in the elements sent and in memory linear
// in the bytes sent. [CheckHeader] does the same for the request header.
//
// The layouts are generated from kmsg's decoders (schema_gen.go, by the command
// in gen) and cover every request and version that kmsg knows. The package does
// not know which of them the server answers, what values mean, or how frames
// arrive; it must be given whole frames, whose length the caller bounds.
//
// It accepts what Apache Kafka accepts, within the limits below; so bytes after
// the end of the body, tags out of order and overlong varints of up to five
// bytes pass, and null where the request does not admit it does not. Two things
// are refused here that Kafka lets pass and no client sends: a length below -1,
// which Kafka reads as null where null is admitted, and a known tagged field
// that does not fill the size it announces.
//
// All functions may be called concurrently, keep no state, never panic, do not
// allocate when they accept, and retain none of their arguments. Every error is
// an [*Error].
package guard

// Limits of what Check accepts. The memory is an upper estimate of what the
// method ReadFrom of a new kmsg request allocates.
const (
	// MaxElements is the highest count of one array; Apache Kafka 4.4 has the
	// same limit.
	MaxElements = 1_000_000

	// MaxNodes is the highest number of array elements and tags in a whole
	// request. It bounds the time of Check and of the decoder.
	MaxNodes = 2_000_000

	// MaxString is the length in bytes of the longest string. Compact lengths could
	// tell longer ones; Apache Kafka refuses them, since no length of 16 bits could
	// repeat them in an answer.
	MaxString = 1<<15 - 1

	// MaxTags is the highest number of tagged fields in one tag section.
	MaxTags = 64

	// MemoryPerByte and MemoryBase bound the memory that decoding a body
	// takes: MemoryPerByte bytes for each byte of the body, and MemoryBase.
	MemoryPerByte = 8
	MemoryBase    = 64 << 10
)

// Check reports whether kmsg can safely decode body, the bytes that follow the
// request header, as the request with this key at this version. It returns nil,
// or an error that wraps [ErrMalformed], [ErrLimit], [ErrUnknownKey] or
// [ErrUnknownVersion]. The contents of strings and bytes are not read.
func Check(key, version int16, body []byte) error {
	_, err := CheckElements(key, version, body, MaxNodes)
	return err
}

// CheckElements is Check with a bound of the caller's, at most MaxNodes, on the
// array elements and tags in the whole request: answering an element costs more
// than decoding it. It returns how many there are.
func CheckElements(key, version int16, body []byte, bound int) (elements int, err error) {
	bound = min(bound, MaxNodes)
	c, refusal := check(key, version, body, bound)
	if refusal != nil {
		return 0, refusal
	}
	return c.nodes, nil
}

// A cost is what a request takes.
type cost struct {
	wire   int // bytes of the body
	memory int // bytes that decoding allocates, at most
	nodes  int // elements and tags
}

// check is Check and says what the request takes.
func check(key, version int16, body []byte, elements int) (cost, *Error) {
	r := lookup(key)
	if r == nil || version < 0 || version > r.max {
		return cost{}, unknown(r, key, version)
	}
	memory := MemoryPerByte*len(body) + MemoryBase
	w := walker{
		body:     body,
		version:  version,
		flexible: version >= r.flexible,
		memory:   memory,
		nodes:    elements,
	}
	if !w.structure(&r.body) {
		return cost{}, w.refusal(key)
	}
	return cost{wire: w.pos, memory: memory - w.memory, nodes: elements - w.nodes}, nil
}
