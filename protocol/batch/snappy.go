package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
)

// Kafka's snappy comes in two shapes. Java clients and Kafka itself write the
// framing of the library snappy-java ("xerial"), big-endian:
//
//	8  magic  82 S N A P P Y 00
//	4  version             = 1
//	4  compatible version  = 1
//	   then, to the end:
//	4  size of the block
//	.  block               one raw snappy block, of 32 KiB decompressed
//
// librdkafka and franz-go write one raw block. Every reader accepts both.
const (
	xerialMagic      = "\x82SNAPPY\x00"
	xerialHeaderSize = len(xerialMagic) + 4 + 4
	xerialVersion    = 1
	xerialBlockSize  = 32 << 10
)

// snappyMaxRatio bounds how far a block can swell: a copy of 64 bytes takes 3.
const snappyMaxRatio = 22

var errSnappy = errors.New("malformed snappy data")

// snappyReader yields the blocks of src, one at a time.
type snappyReader struct {
	src   []byte // not yet decoded
	out   []byte // decoded, not yet read
	buf   []byte // behind out
	raw   bool   // src is one block without framing
	limit int    // largest decoded block
}

func openSnappy(src []byte, lim Limits) stream {
	r := &snappyReader{src: src, raw: true, limit: lim.MaxBuffer}
	if len(src) >= xerialHeaderSize && bytes.HasPrefix(src, []byte(xerialMagic)) {
		r.raw = false
		r.src = src[xerialHeaderSize:]
	}
	return stream{r, func() {}}
}

// Read fills p from the current block, and decodes the next when that is empty.
func (r *snappyReader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		block, err := r.nextBlock()
		if err != nil {
			return 0, err
		}
		if err := r.decode(block); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// nextBlock cuts a compressed block off src. At the end it returns io.EOF.
func (r *snappyReader) nextBlock() ([]byte, error) {
	if len(r.src) == 0 {
		return nil, io.EOF
	}
	if r.raw {
		block := r.src
		r.src = nil
		return block, nil
	}
	if len(r.src) < 4 {
		return nil, fmt.Errorf("%w: %d bytes after the last block", errSnappy, len(r.src))
	}
	size := int64(binary.BigEndian.Uint32(r.src))
	if size > int64(len(r.src)-4) {
		return nil, fmt.Errorf("%w: block of %d bytes, %d are left", errSnappy, size, len(r.src)-4)
	}
	block := r.src[4 : 4+size]
	r.src = r.src[4+size:]
	return block, nil
}

// decode replaces out by what block holds, whose claim of a length is checked
// against what its own length permits before anything is allocated.
func (r *snappyReader) decode(block []byte) error {
	size, err := snappy.DecodedLen(block)
	switch {
	case err != nil:
		return err
	case size/snappyMaxRatio > len(block):
		return fmt.Errorf("%w: block of %d bytes claims %d", errSnappy, len(block), size)
	case size > r.limit:
		return fmt.Errorf("snappy block of %d bytes, limit %d: %w", size, r.limit, ErrTooLarge)
	}
	if size > len(r.buf) {
		r.buf = make([]byte, size)
	}
	// The strict decoder refuses extensions that other clients cannot read.
	r.out, err = snappy.DecodeStrict(r.buf, block)
	return err
}

// xerialWriter writes blocks of xerialBlockSize, behind a header.
type xerialWriter struct {
	w       io.Writer
	block   []byte // not yet compressed, below xerialBlockSize
	scratch []byte // size and compressed block
	begun   bool   // the header is written
}

func newXerialWriter() *xerialWriter {
	return &xerialWriter{
		block:   make([]byte, 0, xerialBlockSize),
		scratch: make([]byte, 4+snappy.MaxEncodedLen(xerialBlockSize)),
	}
}

// Reset makes x begin anew, on w.
func (x *xerialWriter) Reset(w io.Writer) {
	x.w, x.block, x.begun = w, x.block[:0], false
}

func (x *xerialWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := min(xerialBlockSize-len(x.block), len(p))
		x.block = append(x.block, p[:n]...)
		p = p[n:]
		if len(x.block) == xerialBlockSize {
			if err := x.flush(); err != nil {
				return total - len(p), err
			}
		}
	}
	return total, nil
}

func (x *xerialWriter) flush() error {
	if !x.begun {
		x.begun = true
		head := binary.BigEndian.AppendUint32([]byte(xerialMagic), xerialVersion)
		head = binary.BigEndian.AppendUint32(head, xerialVersion)
		if _, err := x.w.Write(head); err != nil {
			return err
		}
	}
	if len(x.block) == 0 {
		return nil
	}
	block := snappy.Encode(x.scratch[4:], x.block)
	x.block = x.block[:0]
	binary.BigEndian.PutUint32(x.scratch, uint32(len(block)))
	_, err := x.w.Write(x.scratch[:4+len(block)])
	return err
}

// Close writes what is left. It does not close the writer below.
func (x *xerialWriter) Close() error { return x.flush() }
