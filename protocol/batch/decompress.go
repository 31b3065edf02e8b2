package batch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// A stream is the decompressed records of a batch. Its memory is bounded by
// Limits.MaxBuffer, however much it yields. Errors are as in [Records].
type stream struct {
	io.Reader
	release func() // gives the decoder back; call once
}

// Decoders are expensive to make (zstd: some 10 KiB and many allocations) and
// hold no data of a batch once released. These pools are caches and nothing else.
var (
	gzipReaders sync.Pool // *gzip.Reader
	lz4Readers  sync.Pool // *lz4.Reader
	zstdReaders sync.Pool // *zstd.Decoder, windows up to defaultMaxBuffer
)

// open starts to decompress src. lim has its defaults set.
func (c Codec) open(src []byte, lim Limits) (stream, error) {
	var s stream
	var err error
	switch c {
	case CodecNone:
		s = stream{bytes.NewReader(src), func() {}}
	case CodecGzip:
		s, err = openGzip(src)
	case CodecSnappy:
		s = openSnappy(src, lim)
	case CodecLZ4:
		s = openLZ4(src)
	case CodecZstd:
		s, err = openZstd(src, lim)
	default:
		return stream{}, fmt.Errorf("batch: %v: %w", c, ErrUnsupportedCodec)
	}
	if err != nil {
		return stream{}, decompressError(c, err)
	}
	return s, nil
}

// decompressError makes an error of a decoder one of this package.
func decompressError(c Codec, err error) error {
	switch {
	case errors.Is(err, ErrInvalidRecord):
		return err
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("batch: %v: %w: %w", c, ErrTooLarge, err)
	}
	return fmt.Errorf("batch: %v: %w: %w", c, ErrInvalidRecord, err)
}

func openGzip(src []byte) (stream, error) {
	in := bytes.NewReader(src)
	r, ok := gzipReaders.Get().(*gzip.Reader)
	if !ok {
		r = new(gzip.Reader)
	}
	if err := r.Reset(in); err != nil {
		return stream{}, err
	}
	return stream{r, func() {
		in.Reset(nil)
		gzipReaders.Put(r)
	}}, nil
}

func openLZ4(src []byte) stream {
	in := bytes.NewReader(src)
	r, ok := lz4Readers.Get().(*lz4.Reader)
	if ok {
		r.Reset(in)
	} else {
		r = lz4.NewReader(in)
	}
	return stream{r, func() {
		in.Reset(nil)
		lz4Readers.Put(r)
	}}
}

// openZstd streams what needs a window of up to 8 MiB. A larger window, which
// zstd's levels above 19 declare even for short data, is not allocated: such
// data is decoded in one piece of at most lim.MaxBuffer instead.
func openZstd(src []byte, lim Limits) (stream, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return stream{}, err
	}
	window := h.WindowSize
	if h.SingleSegment {
		window = h.FrameContentSize
	}
	if window > uint64(lim.MaxBuffer) || window > defaultMaxBuffer {
		return openWideZstd(src, lim)
	}
	r, ok := zstdReaders.Get().(*zstd.Decoder)
	if !ok {
		var err error
		if r, err = newZstdDecoder(zstd.WithDecoderMaxWindow(defaultMaxBuffer)); err != nil {
			return stream{}, err
		}
	}
	// A bytes.Reader, unlike a bytes.Buffer, is never decoded in one piece.
	if err := r.Reset(bytes.NewReader(src)); err != nil {
		return stream{}, err
	}
	return stream{r, func() {
		if r.Reset(nil) == nil {
			zstdReaders.Put(r)
		}
	}}, nil
}

// wideZstdGuess is the factor by which data with a wide window is first assumed
// to swell.
const wideZstdGuess = 8

// openWideZstd decodes src in one piece. The decoder has several errors for output
// that does not fit, of which some also mean damage, so all of them lead to a try
// with more room until lim.MaxBuffer is reached.
func openWideZstd(src []byte, lim Limits) (stream, error) {
	r, err := newZstdDecoder(zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return stream{}, err
	}
	defer r.Close()

	for size := min(len(src)*wideZstdGuess, lim.MaxBuffer); ; size = min(size*4, lim.MaxBuffer) {
		out, err := r.DecodeAll(src, make([]byte, 0, size))
		if err == nil {
			return stream{bytes.NewReader(out), func() {}}, nil
		}
		if size == lim.MaxBuffer {
			return stream{}, fmt.Errorf("batch: zstd frame with a wide window, in %d bytes: %w: %w", size, ErrTooLarge, err)
		}
	}
}

// newZstdDecoder makes a decoder without goroutines of its own.
func newZstdDecoder(o zstd.DOption) (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), o)
}
