package takeover

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

const (
	walkBuffer = 1 << 20
	// maxControl bounds the batches of transactions' ends, in bytes. Kafka's have about 80.
	maxControl = 64 << 10
)

// Positions in a batch.
const (
	lengthPos = 8
	magicPos  = 16
	crcStart  = 21 // first byte under the checksum
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// walker goes over a file of batches once. It holds one buffer.
type walker struct {
	ctx  context.Context
	src  vfs.File
	size int64 // of src
	read func(n int64)

	buf         []byte
	start, fill int   // buf[start:fill] is read and not taken
	pos         int64 // of buf[start] in the file
}

// errBatch says why there is no good batch at a position. It isn't a failure of the
// disk.
type errBatch struct{ reason string }

func (e *errBatch) Error() string { return e.reason }

func badf(format string, args ...any) error { return &errBatch{fmt.Sprintf(format, args...)} }

// want makes n bytes available at start, fewer where the file ends. n is at most
// walkBuffer.
func (w *walker) want(n int) ([]byte, error) {
	if w.buf == nil {
		w.buf = make([]byte, min(walkBuffer, max(w.size, batch.HeaderSize)))
	}
	n = int(min(int64(n), w.size-w.pos))
	if w.fill-w.start < n {
		w.fill = copy(w.buf, w.buf[w.start:w.fill])
		w.start = 0
		if err := w.more(); err != nil {
			return nil, err
		}
	}
	return w.buf[w.start:w.fill][:n], nil
}

// more fills the buffer up.
func (w *walker) more() error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	at := w.pos + int64(w.fill-w.start)
	b := w.buf[w.fill:][:min(int64(len(w.buf)-w.fill), w.size-at)]
	if err := vfs.ReadFull(w.src, b, at); err != nil {
		return &refusal{reason: err.Error(), damage: true}
	}
	w.fill += len(b)
	w.read(int64(len(b)))
	return nil
}

func (w *walker) take(n int) {
	w.start += n
	w.pos += int64(n)
}

// batch checks the batch at pos and moves behind it. Of a batch that ends a transaction
// the whole is returned too, valid until the next call. io.EOF is the end of the file;
// after an errBatch the walker is of no use.
func (w *walker) batch() (h batch.Header, control []byte, err error) {
	if w.pos == w.size {
		return h, nil, io.EOF
	}
	at := w.pos
	b, err := w.want(batch.HeaderSize)
	if err != nil {
		return h, nil, err
	}
	h, err = batch.ParseHeader(b)
	switch {
	case errors.Is(err, batch.ErrTruncated):
		return h, nil, badf("the file ends inside a batch header")
	case err != nil:
		return h, nil, badf("%v", err)
	case h.Size() > w.size-at:
		return h, nil, badf("a batch of %d bytes, the file ends after %d", h.Size(), w.size-at)
	}
	if h.IsControl() && h.Size() <= maxControl {
		if b, err = w.want(int(h.Size())); err != nil {
			return h, nil, err
		}
		control = append(control, b...)
	}
	sum, err := w.checksum(h.Size())
	if err != nil {
		return h, nil, err
	}
	if sum != h.CRC {
		return h, nil, badf("checksum %08x, the header says %08x", sum, h.CRC)
	}
	return h, control, nil
}

// checksum takes a batch of n bytes and returns its checksum.
func (w *walker) checksum(n int64) (sum uint32, err error) {
	w.take(crcStart)
	for n -= crcStart; n > 0; {
		b, err := w.want(1)
		if err != nil {
			return 0, err
		}
		b = w.buf[w.start:w.fill]
		b = b[:min(int64(len(b)), n)]
		sum = crc32.Update(sum, castagnoli, b)
		w.take(len(b))
		n -= int64(len(b))
	}
	return sum, nil
}

// legacy says whether a message in one of the formats before Kafka 0.11 begins at pos:
//
//	offset int64 | size int32 | CRC-32 of what follows uint32 | magic 0 or 1 | ...
func legacy(f vfs.File, pos, size int64) (bool, error) {
	const crcPos, covered, least = 12, 16, 14
	var head [magicPos + 1]byte
	if size-pos < int64(len(head)) {
		return false, nil
	}
	if err := vfs.ReadFull(f, head[:], pos); err != nil {
		return false, err
	}
	n := int64(int32(binary.BigEndian.Uint32(head[lengthPos:]))) + crcPos
	if head[magicPos] > 1 || n < crcPos+least || n > size-pos {
		return false, nil
	}
	sum := crc32.NewIEEE()
	if _, err := io.Copy(sum, io.NewSectionReader(f, pos+covered, n-covered)); err != nil {
		return false, err
	}
	return sum.Sum32() == binary.BigEndian.Uint32(head[crcPos:]), nil
}

// zeros says whether a file holds nothing else from pos on.
func zeros(f vfs.File, pos, size int64) (bool, error) {
	b := make([]byte, min(walkBuffer, size-pos))
	for ; pos < size; pos += int64(len(b)) {
		b = b[:min(int64(len(b)), size-pos)]
		if err := vfs.ReadFull(f, b, pos); err != nil {
			return false, err
		}
		for _, c := range b {
			if c != 0 {
				return false, nil
			}
		}
	}
	return true, nil
}
