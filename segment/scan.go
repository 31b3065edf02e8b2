package segment

import (
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"sordini/protocol/batch"
)

// scanBuffer is how much a scan reads at a time.
const scanBuffer = 1 << 20

// Positions in a batch header, as drawn in package batch.
const (
	lengthPos    = 8
	magicPos     = 16
	crcStart     = 21 // first byte under the CRC
	lastDeltaPos = 23
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// scanner goes over a file of batches once, checking each. It holds one buffer;
// a batch larger than that is checked piece by piece.
type scanner struct {
	s     *Segment
	r     io.ReaderAt
	limit int64 // bytes in the file
	ahead int64 // how many bytes are read at least

	buf      []byte
	bufStart int64 // position of buf[0]

	pos   int64 // where the next batch should start
	next  int64 // smallest base offset that it may have
	epoch int32 // leader epoch of the batch before

	head [batch.HeaderSize]byte // header of the batch that batch saw last
}

func newScanner(s *Segment, r io.ReaderAt, limit int64) *scanner {
	return &scanner{s: s, r: r, limit: limit, ahead: scanBuffer, next: s.base, epoch: -1}
}

// scanBuffers are those that are not in use, each of scanBuffer bytes. Thousands of logs
// are scanned one after the other at a start.
var scanBuffers sync.Pool

// takeBuffer returns n bytes, at most scanBuffer, of any contents.
func takeBuffer(n int64) []byte {
	if n < scanBuffer/4 {
		return make([]byte, n)
	}
	if b, ok := scanBuffers.Get().(*[scanBuffer]byte); ok {
		return b[:n]
	}
	return make([]byte, scanBuffer)[:n]
}

// giveBuffer takes one back that is not used any more.
func giveBuffer(b []byte) {
	if cap(b) == scanBuffer {
		scanBuffers.Put((*[scanBuffer]byte)(b[:scanBuffer]))
	}
}

// release ends the use of the scanner.
func (sc *scanner) release() {
	giveBuffer(sc.buf)
	sc.buf = nil
}

// at returns n bytes at pos, from the buffer if it has them. n is at most
// scanBuffer.
func (sc *scanner) at(pos int64, n int) ([]byte, error) {
	if pos >= sc.bufStart && pos+int64(n) <= sc.bufStart+int64(len(sc.buf)) {
		return sc.buf[pos-sc.bufStart:][:n], nil
	}
	if sc.buf == nil {
		sc.buf = takeBuffer(min(scanBuffer, sc.limit))[:0]
	}
	sc.buf = sc.buf[:min(max(int64(n), sc.ahead), int64(cap(sc.buf)), sc.limit-pos)]
	sc.bufStart = pos
	got, err := sc.r.ReadAt(sc.buf, pos)
	sc.buf = sc.buf[:got]
	if got < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return sc.buf[:n], nil
}

// errBad says why there is no valid batch at a position. It isn't a failure of
// the disk.
type errBad struct{ reason string }

func (e errBad) Error() string { return e.reason }

// batch checks the batch at pos and returns its header. An errBad means that the
// bytes are no valid batch, any other error that they could not be read.
func (sc *scanner) batch(pos, next int64, epoch int32) (batch.Header, error) {
	if sc.limit-pos < batch.HeaderSize {
		return batch.Header{}, errBad{"the file ends inside a batch header"}
	}
	b, err := sc.at(pos, batch.HeaderSize)
	if err != nil {
		return batch.Header{}, fmt.Errorf("read %s at %d: %w", sc.s.Path(), pos, err)
	}
	copy(sc.head[:], b)
	h, err := batch.ParseHeader(b)
	if err != nil {
		return h, errBad{err.Error()}
	}
	if reason := sc.s.plausible(&h, pos, next, sc.limit); reason != "" {
		return h, errBad{reason}
	}
	if h.LeaderEpoch < epoch {
		return h, errBad{fmt.Sprintf("leader epoch %d after %d", h.LeaderEpoch, epoch)}
	}
	if want := sc.s.epochAt(h.BaseOffset); want >= 0 && h.LeaderEpoch != want {
		return h, errBad{fmt.Sprintf("leader epoch %d, that of offset %d is %d", h.LeaderEpoch, h.BaseOffset, want)}
	}
	sum, err := sc.checksum(pos+crcStart, h.Size()-crcStart)
	if err != nil {
		return h, fmt.Errorf("read %s at %d: %w", sc.s.Path(), pos, err)
	}
	if sum != h.CRC {
		return h, errBad{fmt.Sprintf("checksum %08x, the header says %08x", sum, h.CRC)}
	}
	return h, nil
}

func (sc *scanner) checksum(pos, n int64) (uint32, error) {
	var sum uint32
	for n > 0 {
		step := int(min(n, scanBuffer/2))
		if have := sc.bufStart + int64(len(sc.buf)) - pos; have > 0 && pos >= sc.bufStart {
			step = int(min(n, have))
		}
		b, err := sc.at(pos, step)
		if err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, castagnoli, b)
		pos += int64(step)
		n -= int64(step)
	}
	return sum, nil
}

func (s *Segment) epochAt(offset int64) int32 {
	if s.opt.EpochAt == nil {
		return -1
	}
	return s.opt.EpochAt(offset)
}

func (s *Segment) sparseBelow() int64 {
	if s.opt.SparseBelow == nil {
		return 0
	}
	return s.opt.SparseBelow()
}

// step checks the batch at the scanner's position, also against the one behind.
func (sc *scanner) step() (batch.Header, error) {
	h, err := sc.batch(sc.pos, sc.next, sc.epoch)
	if err != nil {
		return h, err
	}
	head := sc.head
	err = sc.contradicted(h)
	sc.head = head
	return h, err
}

// advance moves behind a valid batch.
func (sc *scanner) advance(h batch.Header) {
	sc.pos += h.Size()
	sc.next = h.LastOffset() + 1
	sc.epoch = h.LeaderEpoch
}

// contradicted is an errBad if h, a valid batch at the scanner's position, cannot
// be what was written there. Base offset and leader epoch lie outside of the
// checksum; a jump of either is believed unless the batch behind it, which is
// valid, goes back to before the jump. What did not jump is right, whatever the
// batch behind says. With no valid batch behind, offsets do not
// jump but where compaction has been.
func (sc *scanner) contradicted(h batch.Header) error {
	if h.BaseOffset == sc.next && h.LeaderEpoch == sc.epoch {
		return nil
	}
	behind, err := sc.batch(sc.pos+h.Size(), sc.next, sc.epoch)
	if _, bad := err.(errBad); bad {
		if h.BaseOffset != sc.next && h.BaseOffset > sc.s.sparseBelow() {
			return errBad{fmt.Sprintf("base offset %d, expected %d", h.BaseOffset, sc.next)}
		}
		return nil
	}
	switch {
	case err != nil:
		return err
	case h.BaseOffset != sc.next && behind.BaseOffset <= h.LastOffset():
		return errBad{fmt.Sprintf("base offset %d, the batch behind has %d", h.BaseOffset, behind.BaseOffset)}
	case h.LeaderEpoch != sc.epoch && behind.LeaderEpoch < h.LeaderEpoch:
		return errBad{fmt.Sprintf("leader epoch %d, the batch behind has %d", h.LeaderEpoch, behind.LeaderEpoch)}
	}
	return nil
}

// resync looks behind the bad batch at pos for the next valid one and returns its
// position, which is 0 if there is none. Where the bad batch says that it ends is
// tried first, then every byte. A batch that begins at or behind the offset end
// must be followed by another or by the end of the file: a record's value may hold
// batches of its own.
func (sc *scanner) resync(pos, end int64) (int64, batch.Header, error) {
	if b, err := sc.at(pos, batch.HeaderSize); err == nil {
		if bad, err := batch.ParseHeader(b); err == nil && bad.Size() < sc.limit-pos {
			h, ok, err := sc.candidate(pos+bad.Size(), end)
			if err != nil || ok {
				return pos + bad.Size(), h, err
			}
		}
	}
	for at := pos + 1; at+batch.HeaderSize <= sc.limit; at++ {
		b, err := sc.at(at, batch.HeaderSize)
		if err != nil {
			return 0, batch.Header{}, fmt.Errorf("read %s at %d: %w", sc.s.Path(), at, err)
		}
		if b[magicPos] != batch.Magic {
			continue
		}
		h, ok, err := sc.candidate(at, end)
		if err != nil || ok {
			return at, h, err
		}
	}
	return 0, batch.Header{}, nil
}

// candidate says whether scanning can go on with a batch at a position.
func (sc *scanner) candidate(at, end int64) (batch.Header, bool, error) {
	h, err := sc.batch(at, sc.next, sc.epoch)
	if _, bad := err.(errBad); bad {
		return h, false, nil
	}
	if err != nil || h.BaseOffset < end || at+h.Size() == sc.limit {
		return h, err == nil, err
	}
	_, err = sc.batch(at+h.Size(), h.LastOffset()+1, h.LeaderEpoch)
	if _, bad := err.(errBad); bad {
		return h, false, nil
	}
	return h, err == nil, err
}
