package batch

import (
	"fmt"
	"io"
)

// recompressGuessMax is the most that is set aside for a result, which is guessed
// to be as large as its source.
const recompressGuessMax = 1 << 20

// Recompress is the whole batch b with its records compressed by another codec
// (compression.type other than producer). All else stays: offsets, timestamps,
// headers, producer and the other attributes. The records are passed through as
// they are; [ValidateRecords] checks them. The result does not alias b. Errors are
// those of [Records] and [Compress], and ErrResultTooLarge beyond lim.MaxResult,
// which also bounds the memory: what swells in one codec need not shrink in
// another.
func Recompress(b []byte, codec Codec, level int, lim Limits) ([]byte, error) {
	d, err := newDecoder(b, lim)
	if err != nil {
		return nil, err
	}
	defer d.close()

	out := limitedWriter{b: make([]byte, HeaderSize, min(len(b), recompressGuessMax)), max: d.lim.MaxResult}
	z, err := codec.newWriter(&out, level)
	if err != nil {
		return nil, err
	}
	err = d.copyTo(z)
	if cerr := z.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("batch: compress with %v: %w", codec, cerr)
	}
	if err != nil {
		return nil, err
	}
	h := d.hdr
	h.Attributes = h.Attributes&^attrCodec | int16(codec)
	if err := finish(out.b, h); err != nil {
		return nil, err
	}
	return out.b, nil
}

// copyTo passes the decompressed records on as they are.
func (d *decoder) copyTo(z io.Writer) error {
	for {
		over, err := d.win.atEnd()
		if over || err != nil {
			return err
		}
		if _, err := z.Write(d.win.buf[d.win.r:d.win.w]); err != nil {
			return fmt.Errorf("batch: compress anew: %w", err)
		}
		d.win.r = d.win.w
	}
}

// limitedWriter appends up to a length.
type limitedWriter struct {
	b   []byte
	max int64
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if int64(len(l.b)+len(p)) > l.max {
		return 0, fmt.Errorf("more than %d bytes: %w", l.max, ErrResultTooLarge)
	}
	l.b = append(l.b, p...)
	return len(p), nil
}
