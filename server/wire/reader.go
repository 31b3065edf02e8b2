package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
)

// errFrame: what the client sent is no frame that can be answered.
var errFrame = errors.New("invalid frame")

// frames reads the frames of one connection.
type frames struct {
	conn   *net.TCPConn
	source source
	budget *budget
	gone   <-chan struct{}
	limit  int64         // bytes of one frame
	idle   time.Duration // between two frames
	stall  time.Duration // between two bytes of a frame
	flush  func() error  // sends the answers to the frames before

	buf        *buffer // nil while nothing is buffered
	start, end int     // unread bytes in buf
	charged    int64   // bytes of buf that count against the budget
	earned     int     // size of the largest frame that came whole
	first      bool    // no frame has come whole yet
	deadline   time.Time
	ticket     int64 // of the frame at hand, from budget
}

// next returns the next frame without its length. It is valid until the call
// after. The error is io.EOF if the client has closed between frames.
func (f *frames) next() ([]byte, error) {
	if f.start == f.end {
		f.drop()
	}
	if err := f.fill(1, f.idle, time.Time{}); err != nil {
		return nil, err
	}
	if err := f.fill(4, f.stall, time.Time{}); err != nil {
		return nil, fmt.Errorf("inside the length of a frame: %w", err)
	}
	claimed := int64(int32(binary.BigEndian.Uint32(f.buf.b[f.start:])))
	if err := f.check(claimed); err != nil {
		return nil, err
	}
	size := int(claimed)
	if err := f.fill(4+size, f.stall, f.lastMoment(size)); err != nil {
		return nil, fmt.Errorf("inside a frame of %d bytes: %w", size, err)
	}
	frame := f.buf.b[f.start+4 : f.start+4+size]
	f.start += 4 + size
	f.earned = max(f.earned, size)
	f.first = false
	return frame, nil
}

// check judges the length that a frame claims.
func (f *frames) check(size int64) error {
	if size < 8 || size > f.limit {
		return fmt.Errorf("%w: length %d, allowed are 8 to %d", errFrame, size, f.limit)
	}
	if !f.first || size <= firstFrameBytes {
		return nil
	}
	if err := f.fill(6, f.stall, time.Time{}); err != nil {
		return fmt.Errorf("inside the first frame: %w", err)
	}
	if key := binary.BigEndian.Uint16(f.buf.b[f.start+4:]); key != 0 {
		return fmt.Errorf("%w: the first request claims %d bytes, allowed are %d", errFrame, size, firstFrameBytes)
	}
	return nil
}

// lastMoment is when a frame of size bytes that begins now has to be whole; zero
// if it is whole already.
func (f *frames) lastMoment(size int) time.Time {
	if f.end-f.start >= 4+size {
		return time.Time{}
	}
	return time.Now().Add(f.stall + time.Duration(size)*time.Second/slowestRate)
}

// fill reads until n bytes are buffered; before it may have to wait for them the
// answers to earlier requests leave. The client may be silent for patience, and
// not longer than until if that is set.
func (f *frames) fill(n int, patience time.Duration, until time.Time) error {
	for f.end-f.start < n {
		if err := f.flush(); err != nil {
			return err
		}
		if err := f.room(n); err != nil {
			return err
		}
		if err := f.allow(patience, until); err != nil {
			return err
		}
		got, err := f.source.read(f)
		f.end += got
		if err != nil {
			return err
		}
	}
	return nil
}

// allow sets the read deadline, not more often than it matters.
func (f *frames) allow(patience time.Duration, until time.Time) error {
	want := time.Now().Add(patience)
	if !until.IsZero() && until.Before(want) {
		want = until
	}
	if late := want.Sub(f.deadline); late >= 0 && late < patience/16 {
		return nil
	}
	f.deadline = want
	return f.conn.SetReadDeadline(want)
}

// room makes space for more bytes of a frame of n bytes, by moving what is
// unread to the front, or to a larger buffer. The buffer grows with what has
// arrived, at once only up to what the client has sent before.
func (f *frames) room(n int) error {
	if f.buf == nil {
		return nil // source.read takes one when there is something to read
	}
	if f.end < len(f.buf.b) && f.start+n <= len(f.buf.b) {
		return nil
	}
	if have := f.end - f.start; n <= len(f.buf.b) || have < len(f.buf.b)/2 && f.end < len(f.buf.b) {
		copy(f.buf.b, f.buf.b[f.start:f.end])
		f.start, f.end = 0, have
		if f.end < len(f.buf.b) {
			return nil
		}
	}
	size := min(n, max(2*len(f.buf.b), f.earned+4))
	return f.grow(size)
}

// grow moves what is unread to a buffer of at least size bytes. Until it is moved
// both count.
func (f *frames) grow(size int) error {
	charge, held := int64(1)<<class(max(size, baseSize)), f.charged
	ticket, ok := f.budget.take(charge, held, f.ticket, f.gone)
	if !ok {
		return net.ErrClosed
	}
	f.ticket = ticket
	larger := getBuffer(size)
	f.end = copy(larger.b, f.buf.b[f.start:f.end])
	f.start = 0
	putBuffer(f.buf)
	f.buf, f.charged = larger, charge
	if held > 0 {
		f.budget.give(held, charge)
	}
	return nil
}

// release gives the buffer back.
func (f *frames) release() {
	if f.buf == nil {
		return
	}
	putBuffer(f.buf)
	if f.charged > 0 {
		f.budget.give(f.charged, 0)
	}
	f.buf, f.charged, f.ticket = nil, 0, 0
}

// drop gives a buffer without unread bytes back.
func (f *frames) drop() {
	f.release()
	f.start, f.end = 0, 0
}

// space is where the next bytes go; it takes a buffer if there is none.
func (f *frames) space() []byte {
	if f.buf == nil {
		f.buf = getBuffer(baseSize)
		f.start, f.end = 0, 0
	}
	return f.buf.b[f.end:]
}
