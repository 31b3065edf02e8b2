package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"sordini/segment"
	"sordini/zerocopy"
)

// CopyBelow is the size in bytes up to which a range is copied into the answer:
// sendfile costs two system calls more than that saves.
const CopyBelow = 16 << 10

// flushAt is how many bytes of answers are collected before they leave.
const flushAt = 128 << 10

// Writer collects answers and sends them: bytes from memory, and ranges of files
// in between, which go by sendfile.
type Writer struct {
	conn *Conn
	out  *zerocopy.Conn

	buf   []byte
	marks []mark
	held  *buffer // the pooled buffer that buf began in; a large answer outgrows it
	begun bool    // something was sent
	files int64   // bytes of the ranges in marks
}

// mark is a range that is sent when the bytes before at have left.
type mark struct {
	at    int
	files segment.Range
}

// Append appends to the answer by f, which returns its argument with more bytes.
func (w *Writer) Append(f func([]byte) []byte) { w.buf = f(w.buf) }

// Grow makes room for n more bytes at once.
func (w *Writer) Grow(n int) { w.buf = slices.Grow(w.buf, n) }

// Range appends a range of a file and takes it over: it is released once it was
// sent. Short ranges are copied at once.
func (w *Writer) Range(r segment.Range) error {
	n := r.Len()
	if n == 0 {
		return nil
	}
	if n > CopyBelow && r.OS() != nil {
		w.marks = append(w.marks, mark{len(w.buf), r})
		w.files += n
		return nil
	}
	defer r.Release()
	return w.copyRange(&r)
}

func (w *Writer) copyRange(r *segment.Range) error {
	n := int(r.Len())
	from := len(w.buf)
	w.buf = append(w.buf, make([]byte, n)...)
	if got, err := r.ReadAt(w.buf[from:], 0); got < n {
		return fmt.Errorf("read %d bytes of batches: got %d: %w", n, got, err)
	}
	m := w.conn.server.opt.Metrics
	m.Copies.Add(1)
	m.CopiedBytes.Add(int64(n))
	return nil
}

// answer encodes one framed answer behind those that wait to be sent.
func (w *Writer) answer(p *pending) error {
	if w.held == nil {
		w.held = getBuffer(baseSize)
		w.buf = w.held.b[:0]
	}
	from, marks, files := len(w.buf), len(w.marks), w.files
	whole := false
	defer func() {
		if !whole { // by an error or a panic
			w.truncate(from, marks)
		}
	}()
	w.buf = append(w.buf, 0, 0, 0, 0)
	w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(p.correlationID))
	if p.flexible {
		w.buf = append(w.buf, 0)
	}
	if err := p.reply.Encode(w); err != nil {
		return err
	}
	size := int64(len(w.buf)-from-4) + w.files - files
	if size > 1<<31-1 {
		return fmt.Errorf("answer of %d bytes", size)
	}
	binary.BigEndian.PutUint32(w.buf[from:], uint32(size))
	whole = true
	return nil
}

// truncate takes back what was appended behind from, and the ranges but the first.
func (w *Writer) truncate(from, marks int) {
	w.buf = w.buf[:from]
	for i := range w.marks[marks:] {
		m := &w.marks[marks+i]
		w.files -= m.files.Len()
		m.files.Release()
	}
	w.marks = w.marks[:marks]
}

// flush sends everything.
func (w *Writer) flush() error {
	if len(w.buf) == 0 && len(w.marks) == 0 {
		return nil
	}
	w.conn.server.opt.Metrics.AnswerWrites.Add(1)
	err := w.conn.tcp.SetWriteDeadline(time.Now().Add(w.conn.server.opt.Limits.Idle))
	if err == nil {
		err = w.send()
	}
	if !w.begun && err == nil {
		w.begun = true
		err = w.conn.tcp.SetLinger(-1) // see newConn
	}
	w.reset()
	return err
}

func (w *Writer) send() error {
	from := 0
	for i := range w.marks {
		m := &w.marks[i]
		if _, err := w.out.WriteMore(w.buf[from:m.at]); err != nil {
			return err
		}
		from = m.at
		if err := w.sendFile(&m.files); err != nil {
			return err
		}
		m.files.Release()
	}
	if from == len(w.buf) {
		return nil
	}
	_, err := w.out.Write(w.buf[from:])
	return err
}

func (w *Writer) sendFile(r *segment.Range) error {
	sent, path, err := w.out.Send(r.OS(), r.Pos(), r.Len())
	m := w.conn.server.opt.Metrics
	if path == zerocopy.Sendfile {
		m.Sendfiles.Add(1)
		m.SendfileBytes.Add(sent)
	} else {
		m.Copies.Add(1)
		m.CopiedBytes.Add(sent)
	}
	if err == nil && sent < r.Len() {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// reset releases what was not sent and keeps the buffer for the next answer.
func (w *Writer) reset() {
	for i := range w.marks {
		w.marks[i].files.Release()
	}
	w.marks, w.files = w.marks[:0], 0
	w.buf = w.buf[:0]
}

// idle gives the buffer back, before the writer waits for another request.
func (w *Writer) idle() {
	if w.held == nil {
		return
	}
	putBuffer(w.held)
	w.held, w.buf = nil, nil
}
