package inspect

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"

	"sordini/protocol/batch"
)

// Item is a stretch of a .log file: a batch, or bytes that are none.
type Item struct {
	Pos  int64 // first byte
	Size int64 // bytes
	// Header is that of the batch. Where Fault is set it is what the bytes claim, or zero if they have no form of
	// a header.
	Header batch.Header
	// Offset is the first offset of the batch, or where Fault is set the offset that was expected here.
	Offset int64
	Fault  error // why the bytes are not the batch that was written; nil for a good one
	// Torn says that the file ends inside the batch, as after a write that was interrupted.
	Torn bool
}

// Log is a .log file to be scanned.
type Log struct {
	Base   int64 // offset in its name
	Reader io.ReaderAt
	// Size returns the bytes in the file now. It is asked again before a batch is called torn.
	Size func() (int64, error)
	// Pause waits a moment for a write in progress, before each of these looks; nil if nobody writes.
	Pause func()
}

const (
	bufferSize = 1 << 20
	crcStart   = 21 // first byte of a batch that its checksum covers
	magicPos   = 16 // where a batch says its version
)

// badBatch says why bytes are not a valid batch. Any other error of the scan is one of reading.
type badBatch string

func (b badBatch) Error() string { return string(b) }

func badf(format string, args ...any) error { return badBatch(fmt.Sprintf(format, args...)) }

func isBad(err error) bool {
	var bad badBatch
	return errors.As(err, &bad)
}

// scanner goes over a file once. It holds one buffer.
type scanner struct {
	log   Log
	size  int64
	table *crc32.Table

	buf      []byte
	bufStart int64

	pos   int64 // of the next batch
	next  int64 // smallest base offset that it may have
	epoch int32 // leader epoch of the batch before
}

// Scan calls visit for each stretch of the log in order, until the end or the first error. load reads the whole
// batch into memory; it may be called inside visit only, for items without a Fault.
func Scan(l Log, visit func(item Item, load func() ([]byte, error)) error) error {
	size, err := l.Size()
	if err != nil {
		return err
	}
	s := &scanner{log: l, size: size, table: crc32.MakeTable(crc32.Castagnoli), next: l.Base, epoch: -1}
	for s.pos < s.size {
		item, err := s.item()
		if err != nil {
			return err
		}
		load := func() ([]byte, error) {
			b := make([]byte, item.Size)
			return b, s.read(b, item.Pos)
		}
		if err := visit(item, load); err != nil {
			return err
		}
		s.pos = item.Pos + item.Size
		if item.Fault == nil {
			s.next, s.epoch = item.Header.LastOffset()+1, item.Header.LeaderEpoch
		}
	}
	return nil
}

// item looks at the bytes from pos.
func (s *scanner) item() (Item, error) {
	item := Item{Pos: s.pos, Offset: s.next}
	for {
		h, torn, err := s.batch(s.pos)
		if err == nil {
			return Item{Pos: s.pos, Size: h.Size(), Header: h, Offset: h.BaseOffset}, nil
		}
		if !isBad(err) {
			return item, err
		}
		item.Header, item.Fault, item.Torn = h, err, torn
		if !torn {
			break
		}
		grown, err := s.grow()
		if err != nil {
			return item, err
		}
		if !grown {
			break
		}
	}
	end, err := s.resync(s.pos + 1)
	if err != nil {
		return item, err
	}
	item.Size = end - s.pos
	item.Torn = item.Torn && end == s.size
	return item, nil
}

// How long a write in progress may take to grow the file: the kernel shows a large one page by page.
const (
	growTries = 5
	growPause = 20 * time.Millisecond
)

// pause is the Pause of files.
func pause() { time.Sleep(growPause) }

// grow asks for the size again, for a short while, and says whether it has become larger.
func (s *scanner) grow() (bool, error) {
	for range growTries {
		if s.log.Pause == nil {
			break
		}
		s.log.Pause()
		size, err := s.log.Size()
		if err != nil {
			return false, err
		}
		if size > s.size {
			s.size = size
			return true, nil
		}
	}
	return false, nil
}

// batch checks the batch at pos. torn says that the bytes end before it does.
func (s *scanner) batch(pos int64) (h batch.Header, torn bool, err error) {
	if s.size-pos < batch.HeaderSize {
		return h, true, badf("the file ends inside a header")
	}
	b, err := s.at(pos, batch.HeaderSize)
	if err != nil {
		return h, false, err
	}
	h, err = batch.ParseHeader(b)
	if err != nil {
		return batch.Header{}, false, badf("%s", err)
	}
	if reason := s.implausible(h); reason != "" {
		return h, false, badf("%s", reason)
	}
	if h.Size() > s.size-pos {
		return h, true, badf("the file ends inside the batch, %d of %d bytes are there", s.size-pos, h.Size())
	}
	sum, err := s.checksum(pos+crcStart, h.Size()-crcStart)
	if err != nil {
		return h, false, err
	}
	if sum != h.CRC {
		return h, false, badf("checksum %08x, the header says %08x", sum, h.CRC)
	}
	return h, false, nil
}

// implausible says why a header cannot follow what came before it, "" if it can.
func (s *scanner) implausible(h batch.Header) string {
	switch {
	case h.BaseOffset < s.next:
		return fmt.Sprintf("base offset %d, at least %d was expected", h.BaseOffset, s.next)
	case h.BaseOffset-s.log.Base > math.MaxInt32 || h.LastOffset()-s.log.Base > math.MaxInt32:
		return fmt.Sprintf("offsets %d to %d are too far from the segment's first", h.BaseOffset, h.LastOffset())
	case h.LeaderEpoch < s.epoch:
		return fmt.Sprintf("leader epoch %d after %d", h.LeaderEpoch, s.epoch)
	default:
		return ""
	}
}

// resync returns the position of the next valid batch from pos on, or the size of the file if there is none.
func (s *scanner) resync(pos int64) (int64, error) {
	for ; pos+batch.HeaderSize <= s.size; pos++ {
		b, err := s.at(pos, batch.HeaderSize)
		if err != nil {
			return 0, err
		}
		if b[magicPos] != batch.Magic {
			continue
		}
		_, _, err = s.batch(pos)
		if err == nil {
			return pos, nil
		}
		if !isBad(err) {
			return 0, err
		}
	}
	return s.size, nil
}

// at returns n bytes at pos, which lie inside the file; n is at most bufferSize.
func (s *scanner) at(pos int64, n int) ([]byte, error) {
	if pos < s.bufStart || pos+int64(n) > s.bufStart+int64(len(s.buf)) {
		if s.buf == nil {
			s.buf = make([]byte, 0, bufferSize)
		}
		s.buf = s.buf[:min(int64(cap(s.buf)), s.size-pos)]
		s.bufStart = pos
		if err := s.read(s.buf, pos); err != nil {
			s.buf = s.buf[:0]
			return nil, err
		}
	}
	return s.buf[pos-s.bufStart:][:n], nil
}

// read fills b from pos.
func (s *scanner) read(b []byte, pos int64) error {
	n, err := s.log.Reader.ReadAt(b, pos)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(b), pos, err)
}

func (s *scanner) checksum(pos, n int64) (uint32, error) {
	var sum uint32
	for n > 0 {
		step := min(n, bufferSize)
		if have := s.bufStart + int64(len(s.buf)) - pos; pos >= s.bufStart && have > 0 {
			step = min(n, have)
		}
		b, err := s.at(pos, int(step))
		if err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, s.table, b)
		pos, n = pos+step, n-step
	}
	return sum, nil
}
