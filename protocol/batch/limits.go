package batch

// Limits bound what decompression may cost. The zero value means the defaults.
type Limits struct {
	// MaxBytes is how many bytes the records of one batch may decompress to.
	// It bounds time. Default 256 MiB.
	MaxBytes int64

	// MaxBuffer is how many decompressed bytes may have to be held at once: a
	// whole record in [Records], a block of snappy, a window of zstd. It bounds
	// memory: a decoder holds about this much, and as much again for a moment
	// while its buffer grows. Default 8 MiB, which is also the largest window
	// that RFC 8878 advises every zstd decoder to support.
	MaxBuffer int

	// MaxResult is how many bytes the batch that [Recompress] returns may have.
	// Default MaxBytes.
	MaxResult int64

	// Spent, if not nil, is raised by the bytes that were decompressed, also of a
	// batch that turns out to be bad.
	Spent *int64
}

const (
	defaultMaxBytes  = 256 << 20
	defaultMaxBuffer = 8 << 20
)

// withDefaults returns l with zero fields set.
func (l Limits) withDefaults() Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = defaultMaxBytes
	}
	if l.MaxBuffer <= 0 {
		l.MaxBuffer = defaultMaxBuffer
	}
	if l.MaxResult <= 0 {
		l.MaxResult = l.MaxBytes
	}
	return l
}
