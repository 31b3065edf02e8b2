package segment

import (
	"fmt"
	"io"

	"sordini/protocol/batch"
)

// Sequence reads all batches of a sealed segment in order, each with its bytes,
// and checks them: headers against the .check file, checksums, and that nothing is
// missing in between but for damage that was known, which is an error too. It
// holds one buffer. One goroutine uses it; Close gives its file handle back.
type Sequence struct {
	s      *Segment
	handle *idleHandle

	buf         []byte
	start, fill int   // buf[start:fill] is read and not taken
	pos         int64 // of buf[start] in the file
	next        int64 // smallest base offset that may come
}

// Sequence begins to read the segment.
func (s *Segment) Sequence() (*Sequence, error) {
	// After this no reader of this segment looks at its .check and .timeindex files
	// again, so that those of a successor may take their names.
	if err := s.verifyAll(); err != nil {
		return nil, err
	}
	if err := s.proveTimes(); err != nil {
		return nil, err
	}
	if d := s.Damages(); len(d) > 0 {
		return nil, d[0].err(s)
	}
	h, err := s.opt.Handles.take(s)
	if err != nil {
		return nil, err
	}
	return &Sequence{s: s, handle: h, buf: make([]byte, min(scanBuffer, max(s.Size(), batch.HeaderSize))), next: s.base}, nil
}

// Close ends reading.
func (q *Sequence) Close() { q.s.opt.Handles.give(q.handle) }

// Skip goes on with the first batch that ends at offset or behind it. It must come
// before the first Next.
func (q *Sequence) Skip(offset int64) error {
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	pos, h, err := q.s.locate(q.handle, sc, offset, q.s.Size())
	if err != nil {
		return err
	}
	if h.Length == 0 {
		pos = q.s.Size()
	}
	q.pos = pos
	return nil
}

// Next returns the next batch, whose bytes are valid until the Next after it;
// io.EOF behind the last. The error for a bad batch is a CorruptError.
func (q *Sequence) Next() (batch.Header, []byte, error) {
	if q.pos >= q.s.Size() {
		return batch.Header{}, nil, io.EOF
	}
	if err := q.want(batch.HeaderSize); err != nil {
		return batch.Header{}, nil, err
	}
	h, err := batch.ParseHeader(q.buf[q.start:q.fill])
	if err != nil {
		return h, nil, q.corrupt(err.Error())
	}
	if reason := q.s.plausible(&h, q.pos, q.next, q.s.Size()); reason != "" {
		return h, nil, q.corrupt(reason)
	}
	if err := q.want(int(h.Size())); err != nil {
		return h, nil, err
	}
	b := q.buf[q.start:][:h.Size()]
	if err := batch.CheckCRC(b, h); err != nil {
		return h, nil, q.corrupt(err.Error())
	}
	q.start += len(b)
	q.pos += h.Size()
	q.next = h.LastOffset() + 1
	return h, b, nil
}

func (q *Sequence) corrupt(reason string) error {
	return &CorruptError{File: q.s.Path(), Pos: q.pos, Offset: q.next, Reason: reason}
}

// want makes n bytes available at start.
func (q *Sequence) want(n int) error {
	if q.fill-q.start >= n {
		return nil
	}
	if n > len(q.buf) {
		grown := make([]byte, n)
		copy(grown, q.buf[q.start:q.fill])
		q.start, q.fill, q.buf = 0, q.fill-q.start, grown
	} else {
		q.fill = copy(q.buf, q.buf[q.start:q.fill])
		q.start = 0
	}
	at := q.pos + int64(q.fill)
	got, err := q.handle.file.ReadAt(q.buf[q.fill:][:min(int64(len(q.buf)-q.fill), q.s.Size()-at)], at)
	q.fill += got
	if q.fill >= n {
		return nil
	}
	if err != nil && err != io.EOF {
		return fmt.Errorf("read %s at %d: %w", q.s.Path(), at, err)
	}
	return q.corrupt("the file ends inside a batch")
}
