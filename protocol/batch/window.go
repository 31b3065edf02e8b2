package batch

import (
	"errors"
	"fmt"
	"io"
)

// window is a stretch of the decompressed records, moved forward by reading.
type window struct {
	buf  []byte // [r:w] is read from src and not yet taken
	r, w int

	src   io.Reader // nil: buf is all there is
	codec Codec
	left  int64 // bytes that src may still yield within Limits.MaxBytes
	max   int   // Limits.MaxBuffer
}

// windowMin is the size of the buffer to begin with.
const windowMin = 4 << 10

// fill makes at least n bytes available in buf[r:w]. It moves what is there, so
// slices of buf taken before are not valid any more. The buffer grows as bytes
// arrive and not because n is large.
func (w *window) fill(n int) error {
	for w.w-w.r < n {
		if w.src == nil {
			return io.ErrUnexpectedEOF
		}
		if n > w.max {
			return fmt.Errorf("batch: record of more than %d bytes, limit %d: %w", n, w.max, ErrTooLarge)
		}
		if w.r > 0 && w.r+n > len(w.buf) || w.r == w.w {
			w.w = copy(w.buf, w.buf[w.r:w.w])
			w.r = 0
		}
		if w.w == len(w.buf) {
			grown := make([]byte, min(max(2*len(w.buf), windowMin), max(w.max, windowMin)))
			copy(grown, w.buf[:w.w])
			w.buf = grown
		}
		if err := w.read(); err != nil {
			return err
		}
	}
	return nil
}

// read takes what src has ready into the free end of buf.
func (w *window) read() error {
	n, err := w.src.Read(w.buf[w.w:])
	w.w += n
	w.left -= int64(n)
	switch {
	case w.left < 0:
		return fmt.Errorf("batch: %v: records swell beyond the limit: %w", w.codec, ErrTooLarge)
	case n > 0, err == nil:
		return nil // an error comes again with the next read
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return decompressError(w.codec, err)
}

// skip passes over n bytes, which need not fit the buffer.
func (w *window) skip(n int) error {
	for {
		step := min(n, w.w-w.r)
		w.r += step
		n -= step
		if n == 0 {
			return nil
		}
		if err := w.fill(1); err != nil {
			return err
		}
	}
}

// atEnd tells whether nothing follows.
func (w *window) atEnd() (bool, error) {
	err := w.fill(1)
	if err == io.ErrUnexpectedEOF {
		return true, nil
	}
	return false, err
}
