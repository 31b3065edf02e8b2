package batch

import (
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// LevelDefault is the level that Kafka gives a codec without one configured.
// gzip's own name for it, -1, means the same.
const LevelDefault = 0

// Levels as in Kafka (KIP-390).
const (
	gzipLevelMin, gzipLevelMax = 1, 9
	lz4LevelMin, lz4LevelMax   = 1, 17
	zstdLevelMin, zstdLevelMax = -131072, 22

	lz4LevelFast     = 9 // Kafka's default: the fast method, not one of the thorough ones
	zstdLevelDefault = 3
)

// CheckLevel tells with an ErrLevel whether codec c has the level: gzip -1 and 1
// to 9, lz4 1 to 17, zstd -131072 to 22, and LevelDefault for all. None and snappy
// have no levels and ignore them. The encoders have fewer steps than that and take
// the nearest.
func (c Codec) CheckLevel(level int) error {
	var low, high int
	switch {
	case !c.Known():
		return fmt.Errorf("batch: %v: %w", c, ErrUnsupportedCodec)
	case level == LevelDefault, c == CodecNone, c == CodecSnappy, c == CodecGzip && level == gzip.DefaultCompression:
		return nil
	case c == CodecGzip:
		low, high = gzipLevelMin, gzipLevelMax
	case c == CodecLZ4:
		low, high = lz4LevelMin, lz4LevelMax
	case c == CodecZstd:
		low, high = zstdLevelMin, zstdLevelMax
	}
	if level < low || level > high {
		return fmt.Errorf("batch: %v level %d, want %d to %d: %w", c, level, low, high, ErrLevel)
	}
	return nil
}

// Compress is src as codec c writes it: what follows the header of a batch. The
// error is ErrUnsupportedCodec or ErrLevel. The result does not alias src.
func Compress(c Codec, level int, src []byte) ([]byte, error) {
	return appendCompressed(nil, c, level, src)
}

func appendCompressed(dst []byte, c Codec, level int, src []byte) ([]byte, error) {
	w := sliceWriter(dst)
	z, err := c.newWriter(&w, level)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(src); err != nil {
		return nil, fmt.Errorf("batch: compress with %v: %w", c, err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("batch: compress with %v: %w", c, err)
	}
	return w, nil
}

// A resetWriter is an encoder that can be used again.
type resetWriter interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// levelSteps is how many different encoders a codec has at most.
const levelSteps = 10

// writers are encoders in reserve, by codec and step. Encoders are expensive to
// make (zstd: several 100 KiB) and hold no data of a batch once closed. The pools
// are a cache and nothing else.
var writers [codecCount][levelSteps]sync.Pool

// newWriter compresses to w. Close completes the stream and leaves w open; the
// writer must not be used after it.
func (c Codec) newWriter(w io.Writer, level int) (io.WriteCloser, error) {
	if err := c.CheckLevel(level); err != nil {
		return nil, err
	}
	if c == CodecNone {
		return nopCloser{w}, nil
	}
	step := c.levelStep(level)
	p := pooledWriter{pool: &writers[c][step]}
	var ok bool
	if p.resetWriter, ok = p.pool.Get().(resetWriter); !ok {
		var err error
		if p.resetWriter, err = c.makeWriter(step); err != nil {
			return nil, fmt.Errorf("batch: make %v encoder: %w", c, err)
		}
	}
	p.Reset(w)
	return p, nil
}

// levelStep is the number of the encoder that serves a valid level.
func (c Codec) levelStep(level int) int {
	switch {
	case c == CodecGzip:
		return max(level, LevelDefault)
	case c == CodecLZ4 && level != lz4LevelFast:
		return min(level, levelSteps-1)
	case c == CodecZstd && level == LevelDefault:
		return int(zstd.EncoderLevelFromZstd(zstdLevelDefault))
	case c == CodecZstd:
		return int(zstd.EncoderLevelFromZstd(level))
	}
	return LevelDefault
}

// makeWriter makes an encoder, which needs a Reset before use.
func (c Codec) makeWriter(step int) (resetWriter, error) {
	switch c {
	case CodecGzip:
		if step == LevelDefault {
			step = gzip.DefaultCompression
		}
		return gzip.NewWriterLevel(nil, step)
	case CodecLZ4:
		// Frames like Kafka's: independent blocks of 64 KiB, without checksums,
		// since the batch has one.
		z := lz4.NewWriter(nil)
		err := z.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false), lz4.CompressionLevelOption(lz4Steps[step]))
		return z, err
	case CodecZstd:
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevel(step)),
			zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true), zstd.WithLowerEncoderMem(true))
	}
	return newXerialWriter(), nil
}

var lz4Steps = [levelSteps]lz4.CompressionLevel{
	lz4.Fast, lz4.Level1, lz4.Level2, lz4.Level3, lz4.Level4, lz4.Level5, lz4.Level6, lz4.Level7, lz4.Level8, lz4.Level9,
}

// pooledWriter goes back to its pool when closed.
type pooledWriter struct {
	resetWriter
	pool *sync.Pool
}

func (p pooledWriter) Close() error {
	err := p.resetWriter.Close()
	p.Reset(nil)
	p.pool.Put(p.resetWriter)
	return err
}

// sliceWriter appends.
type sliceWriter []byte

func (s *sliceWriter) Write(p []byte) (int, error) {
	*s = append(*s, p...)
	return len(p), nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
