package batch

import "fmt"

// Codec is a compression of the records of a batch, as numbered in its
// attributes.
type Codec int8

// The codecs. Zstd needs clients of Produce 7 and Fetch 10 or later (KIP-110).
const (
	CodecNone Codec = iota
	CodecGzip
	CodecSnappy
	CodecLZ4
	CodecZstd

	codecCount // not a codec
)

var codecNames = [codecCount]string{"none", "gzip", "snappy", "lz4", "zstd"}

// Known tells whether c is one of the codecs above.
func (c Codec) Known() bool { return c >= 0 && c < codecCount }

// String is the name as in Kafka's configuration.
func (c Codec) String() string {
	if !c.Known() {
		return fmt.Sprintf("codec(%d)", int8(c))
	}
	return codecNames[c]
}

// ParseCodec is the codec of a name in Kafka's configuration: none, gzip, snappy,
// lz4, zstd, or uncompressed, which is none. The name producer (keep what the
// producer chose) is not a codec. The error is ErrUnsupportedCodec.
func ParseCodec(name string) (Codec, error) {
	if name == "uncompressed" {
		return CodecNone, nil
	}
	for c, n := range codecNames {
		if n == name {
			return Codec(c), nil
		}
	}
	return 0, fmt.Errorf("codec %q: %w", name, ErrUnsupportedCodec)
}
