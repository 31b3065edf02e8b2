package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// KeyedRecord is what compaction goes by.
type KeyedRecord struct {
	Offset    int64
	Key       []byte // nil if null; valid during the visit
	Tombstone bool   // the value is null
}

// Filter takes records out of batches, as compaction does. It keeps its buffers
// from one batch to the next. The zero value is ready; one goroutine uses it.
//
// Batches are whole, with a checksum that was checked. Errors are those of
// [Records]; the headers of a record are passed over and not checked.
type Filter struct {
	Limits Limits

	plain   []byte // decompressed records
	kept    []byte
	rebased []byte
	out     []byte
}

// maxIdleBuffer is how large a buffer may be to be kept for the next batch.
const maxIdleBuffer = 8 << 20

// Trim gives back buffers that an uncommonly large batch has made large.
func (f *Filter) Trim() {
	for _, b := range []*[]byte{&f.plain, &f.kept, &f.rebased, &f.out} {
		if cap(*b) > maxIdleBuffer {
			*b = nil
		}
	}
}

// Each visits the records of b in order until visit returns false.
func (f *Filter) Each(b []byte, visit func(KeyedRecord) bool) error {
	h, records, err := f.open(b)
	if err != nil {
		return err
	}
	w := walker{hdr: &h, all: records, last: -1}
	for w.next() {
		if !visit(w.record()) {
			return nil
		}
	}
	return w.err
}

// Apply returns b without the records for which keep is false, and how many are
// left; none leave no bytes. Offsets, producer, sequence, epoch, codec and the
// reach of the batch stay as they are; the max timestamp becomes that of the
// records that are left. If a tombstone is left and b has no delete horizon yet it
// gets this one, in ms since 1970 (KIP-534). A batch in which nothing changes is
// returned as it is. The result aliases b or the Filter's memory.
func (f *Filter) Apply(b []byte, horizon int64, keep func(KeyedRecord) bool) (out []byte, left int32, err error) {
	h, records, err := f.open(b)
	if err != nil {
		return nil, 0, err
	}
	s := f.choose(&h, records, keep)
	if s.err != nil {
		return nil, 0, s.err
	}
	_, has := h.DeleteHorizon()
	rebase := s.tombstones && !has
	switch {
	case s.left == 0:
		return nil, 0, nil
	case s.left == h.Count && !rebase:
		return b, s.left, nil
	}
	h.Count = s.left
	if !h.IsLogAppendTime() {
		h.MaxTimestamp = s.largest
	}
	if rebase {
		if s.records, err = f.rebase(&h, s.records, horizon); err != nil {
			return nil, 0, err
		}
	}
	f.out = append(f.out[:0], make([]byte, HeaderSize)...)
	if f.out, err = appendCompressed(f.out, h.Codec(), LevelDefault, s.records); err != nil {
		return nil, 0, err
	}
	return f.out, s.left, finish(f.out, h)
}

// AppendEmpty appends to dst the batch of header h without its records: what
// remains to keep the last sequence of a producer, or offsets.
func AppendEmpty(dst []byte, h Header) []byte {
	h.Attributes &^= attrCodec | attrDeleteHorizon
	h.Count, h.BaseTimestamp = 0, -1
	start := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	_ = finish(dst[start:], h) // which fails for large batches only
	return dst
}

// open returns the decompressed records of b.
func (f *Filter) open(b []byte) (Header, []byte, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return h, nil, err
	}
	if h.Size() != int64(len(b)) {
		return h, nil, fmt.Errorf("batch: %d bytes, header says %d: %w", len(b), h.Size(), ErrCorrupt)
	}
	records := b[HeaderSize:]
	if h.Codec() == CodecNone || h.Count == 0 && len(records) == 0 {
		return h, records, nil
	}
	lim := f.Limits.withDefaults()
	s, err := h.Codec().open(records, lim)
	if err != nil {
		return h, nil, err
	}
	defer s.release()
	f.plain, err = readUpTo(f.plain[:0], s, lim.MaxBytes)
	if err != nil && !errors.Is(err, ErrTooLarge) {
		err = decompressError(h.Codec(), err)
	}
	return h, f.plain, err
}

// readUpTo appends what r has to dst.
func readUpTo(dst []byte, r io.Reader, most int64) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, max(windowMin, len(dst)))
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case int64(len(dst)) > most:
			return dst, fmt.Errorf("batch: records of more than %d bytes: %w", most, ErrTooLarge)
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}

// chosen is what is left of the records of a batch.
type chosen struct {
	records    []byte
	left       int32
	tombstones bool
	largest    int64 // timestamp
	err        error
}

// choose copies the records to keep, stretch by stretch, unless it is all of them.
func (f *Filter) choose(h *Header, records []byte, keep func(KeyedRecord) bool) chosen {
	s := chosen{largest: math.MinInt64}
	w := walker{hdr: h, all: records, last: -1}
	kept, from := f.kept[:0], 0
	for w.next() {
		if !keep(w.record()) {
			kept = append(kept, records[from:w.start]...)
			from = w.at
			continue
		}
		s.left++
		s.tombstones = s.tombstones || w.tombstone
		s.largest = max(s.largest, h.BaseTimestamp+w.time)
	}
	s.records, s.err = records, w.err
	if s.left < h.Count {
		kept = append(kept, records[from:]...)
		s.records = kept
	}
	f.kept = kept
	return s
}

// rebase makes horizon the base timestamp of the records.
func (f *Filter) rebase(h *Header, records []byte, horizon int64) ([]byte, error) {
	w := walker{hdr: h, all: records, last: -1}
	out := f.rebased[:0]
	for w.next() {
		delta := h.BaseTimestamp + w.time - horizon
		length := int64(w.at-w.body) - int64(w.timeSize) + varintLen(delta)
		out = binary.AppendVarint(out, length)
		out = append(out, records[w.body]) // attributes
		out = binary.AppendVarint(out, delta)
		out = append(out, records[w.body+1+w.timeSize:w.at]...)
	}
	f.rebased = out
	h.Attributes |= attrDeleteHorizon
	h.BaseTimestamp = horizon
	return out, w.err
}

// walker goes over the decompressed records of a batch.
type walker struct {
	hdr  *Header
	all  []byte
	at   int   // behind the record
	n    int32 // records seen
	last int32 // offset delta of the record
	err  error

	// The record.
	start, body int   // its first byte, and the one behind its length
	time        int64 // timestamp delta
	timeSize    int   // bytes that it takes
	key         []byte
	tombstone   bool
}

func (w *walker) record() KeyedRecord {
	return KeyedRecord{Offset: w.hdr.BaseOffset + int64(w.last), Key: w.key, Tombstone: w.tombstone}
}

// next goes to the next record. At the end it is false, and err says whether that
// is as the header has it.
func (w *walker) next() bool {
	if w.n == w.hdr.Count {
		if w.at != len(w.all) {
			w.bad("bytes after the last one")
		}
		return false
	}
	w.start = w.at
	length := w.varint(len(w.all))
	if w.err == nil && (length < minRecordLen || length > int64(len(w.all)-w.at)) {
		w.bad("its length")
	}
	if w.err != nil {
		return false
	}
	w.body = w.at
	end := w.at + int(length)
	w.at++ // attributes, of which none are defined
	w.time = w.varint(end)
	w.timeSize = w.at - w.body - 1
	delta := w.varint(end)
	if w.err == nil && (delta <= int64(w.last) || delta > int64(w.hdr.LastOffsetDelta)) {
		w.bad("its offset")
	}
	w.key = w.nullable(end)
	w.tombstone = w.nullable(end) == nil
	if w.err != nil {
		return false
	}
	w.last, w.at = int32(delta), end
	w.n++
	return true
}

// nullable is bytes with their length in front, nil for null.
func (w *walker) nullable(end int) []byte {
	n := w.varint(end)
	if n > int64(end-w.at) {
		w.bad("a length in it")
	}
	if w.err != nil || n < 0 {
		return nil
	}
	w.at += int(n)
	return w.all[w.at-int(n) : w.at : w.at]
}

// varint decodes a varint that ends before end. Most take one byte.
func (w *walker) varint(end int) int64 {
	if w.at < end && w.all[w.at] < 0x80 {
		c := w.all[w.at]
		w.at++
		return int64(c>>1) ^ -int64(c&1)
	}
	v, n := binary.Varint(w.all[w.at:max(w.at, end)])
	if n <= 0 {
		w.bad("a varint in it")
		return 0
	}
	w.at += n
	return v
}

func (w *walker) bad(what string) {
	if w.err == nil {
		w.err = fmt.Errorf("batch at %d: record %d of %d: %w: %s", w.hdr.BaseOffset, w.n, w.hdr.Count, ErrInvalidRecord, what)
	}
}
