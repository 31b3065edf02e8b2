package meta

import (
	"errors"
	"fmt"

	"sordini/segment/vfs"
)

// windowSize is how much of a log is read at once, in bytes.
const windowSize = 256 << 10

// window reads a file through one buffer, which holds buf = file[pos:].
type window struct {
	file vfs.File
	size int64
	pos  int64
	buf  []byte
}

// bytes returns n bytes at pos, which must lie within the file. They are valid
// until the next call.
func (w *window) bytes(pos int64, n int) ([]byte, error) {
	if start := pos - w.pos; start >= 0 && start+int64(n) <= int64(len(w.buf)) {
		return w.buf[start:][:n], nil
	}
	want := int(min(max(int64(n), windowSize), w.size-pos))
	if cap(w.buf) < want {
		w.buf = make([]byte, want)
	}
	w.pos, w.buf = pos, w.buf[:want]
	if err := vfs.ReadFull(w.file, w.buf, pos); err != nil {
		w.buf = w.buf[:0]
		return nil, err
	}
	return w.buf[:n], nil
}

// errBadFrame wraps what is wrong with bytes that should be a frame, as opposed
// to errors of reading them.
var errBadFrame = errors.New("bad frame")

// frame returns the valid frame at pos. The payload lives until the next call.
func (w *window) frame(pos int64) (frameHeader, []byte, error) {
	if w.size-pos < frameHeaderSize {
		return frameHeader{}, nil, fmt.Errorf("%w: %d bytes left", errBadFrame, w.size-pos)
	}
	b, err := w.bytes(pos, frameHeaderSize)
	if err != nil {
		return frameHeader{}, nil, err
	}
	h, err := decodeFrameHeader(b)
	if err != nil {
		return h, nil, fmt.Errorf("%w: %w", errBadFrame, err)
	}
	size := frameHeaderSize + int(h.length)
	if w.size-pos < int64(size) {
		return h, nil, fmt.Errorf("%w: %d bytes of %d", errBadFrame, w.size-pos, size)
	}
	if b, err = w.bytes(pos, size); err != nil {
		return h, nil, err
	}
	if err := checkFrame(b); err != nil {
		return h, nil, fmt.Errorf("%w: %w", errBadFrame, err)
	}
	return h, b[frameHeaderSize:], nil
}

// scanned says what a scan of a log found.
type scanned struct {
	next int64 // index after the last record of the last whole group
	end  int64 // position after that group
	size int64 // of the file; if above end, the rest is torn
	bad  error // what is wrong with the rest; nil if there is none
}

// scanLog reads a log that starts with record first and calls apply for each
// record of each whole group, in order. A torn end is reported, not an error. Rot
// is a [CorruptError]: a damaged group before the end.
func scanLog(f vfs.File, first int64, apply func(index int64, r Record) error) (scanned, error) {
	size, err := f.Size()
	if err != nil {
		return scanned{}, fmt.Errorf("size of %s: %w", f.Name(), err)
	}
	if size < logHeaderSize {
		return scanned{}, corruptf(f.Name(), size, "the header is cut short")
	}
	w := &window{file: f, size: size}
	header, err := w.bytes(0, logHeaderSize)
	if err != nil {
		return scanned{}, err
	}
	if err := checkLogHeader(header, first); err != nil {
		return scanned{}, corruptf(f.Name(), 0, "%w", err)
	}
	s := scanned{next: first, end: logHeaderSize, size: size}
	for s.end < size && s.bad == nil && err == nil {
		err = s.group(w, apply)
	}
	return s, err
}

// group reads one group and moves next and end behind it, or sets bad.
func (s *scanned) group(w *window, apply func(int64, Record) error) error {
	name := w.file.Name()
	var records []Record
	var left uint32 // frames of the group still to come
	pos := s.end
	for len(records) == 0 || left > 0 {
		index := s.next + int64(len(records))
		h, payload, err := w.frame(pos)
		if errors.Is(err, errBadFrame) {
			s.bad = fmt.Errorf("record %d: %w", index, err)
			return s.tornNotRotten(w, pos)
		}
		if err != nil {
			return err
		}
		if h.index != index || int64(h.before) != int64(len(records)) || len(records) > 0 && h.after != left-1 {
			return corruptf(name, pos, "frame holds record %d with %d before and %d after it in its group; record %d was expected",
				h.index, h.before, h.after, index)
		}
		r, err := decodeRecord(h.kind, h.version, payload)
		if err != nil {
			return corruptf(name, pos, "record %d: %w", index, err)
		}
		records, left = append(records, r), h.after
		pos += frameHeaderSize + int64(h.length)
	}
	for n, r := range records {
		if err := apply(s.next+int64(n), r); err != nil {
			return corruptf(name, s.end, "record %d: %w", s.next+int64(n), err)
		}
	}
	s.next, s.end = s.next+int64(len(records)), pos
	return nil
}

// tornNotRotten looks behind a bad frame for a frame of a later group. There can
// be none if the bad frame's group is torn, because nothing is written before a
// group is synced. Payloads cannot look like frames: JSON has no zero bytes.
func (s *scanned) tornNotRotten(w *window, bad int64) error {
	most := s.next + (w.size-s.end)/frameHeaderSize // no later frame can have a larger index
	for pos := bad + 1; w.size-pos >= frameHeaderSize; pos++ {
		b, err := w.bytes(pos, frameHeaderSize)
		if err != nil {
			return err
		}
		h, err := decodeFrameHeader(b)
		if err != nil || h.index <= s.next || h.index > most {
			continue
		}
		if _, _, err := w.frame(pos); errors.Is(err, errBadFrame) {
			continue
		} else if err != nil {
			return err
		}
		if h.index-int64(h.before) > s.next {
			return corruptf(w.file.Name(), bad, "%w, but record %d of a later write is sound at byte %d", s.bad, h.index, pos)
		}
	}
	return nil
}
