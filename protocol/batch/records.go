package batch

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
)

// Record is one record of a batch.
type Record struct {
	Offset    int64
	Timestamp int64  // ms since 1970; -1 if none
	Key       []byte // nil if null
	Value     []byte // nil if null

	headers     []byte // as encoded, already checked
	headerCount int32
}

// RecordHeader is a header of a record, for applications.
type RecordHeader struct {
	Key   string
	Value []byte // nil if null
}

// HeaderCount is the number of headers.
func (r Record) HeaderCount() int { return int(r.headerCount) }

// Headers are decoded as they are asked for. Values live as long as those of the
// record.
func (r Record) Headers() iter.Seq[RecordHeader] {
	return func(yield func(RecordHeader) bool) {
		d := decoder{win: window{buf: r.headers, w: len(r.headers)}, left: len(r.headers), keep: true}
		for range r.headerCount {
			key := d.bytes(d.varint32())
			value := d.nullable(d.varint32())
			if d.err != nil || !yield(RecordHeader{Key: string(key), Value: value}) {
				return
			}
		}
	}
}

// Records decodes the records of the whole batch b in order. It ends with the
// last record or with the first error, which comes with a zero Record. The bytes
// of a record alias b or a buffer: they are valid until the next step.
//
// A sequence without error had exactly as many records as the header counts, with
// rising offsets that the header covers. The error is ErrInvalidRecord if the
// records contradict that, each other or their codec, ErrTooLarge beyond lim,
// ErrUnsupportedCodec, or one of ParseHeader and Split.
func Records(b []byte, lim Limits) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		d, err := newDecoder(b, lim)
		if err != nil {
			yield(Record{}, err)
			return
		}
		defer d.close()
		d.keep = true
		for {
			rec, err := d.next()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// decoder walks over the records of a batch. It is sticky: after an error all
// reads return zeros, and err keeps the first.
type decoder struct {
	hdr    Header
	win    window
	stream stream
	lim    Limits
	keep   bool // records are held in the window, not skipped

	index     int32 // records decoded
	lastDelta int32 // offset delta of the last one; -1 before the first
	left      int   // bytes that the current record has left
	err       error
}

// newDecoder starts at the first record of the whole batch b.
func newDecoder(b []byte, lim Limits) (*decoder, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return nil, err
	}
	if _, _, err := Split(b); err != nil {
		return nil, err
	}
	if h.Size() != int64(len(b)) {
		return nil, fmt.Errorf("batch: %d bytes, header says %d: %w", len(b), h.Size(), ErrCorrupt)
	}
	lim = lim.withDefaults()
	d := &decoder{hdr: h, lim: lim, lastDelta: -1}
	records := b[HeaderSize:]
	if h.Codec() == CodecNone || h.Count == 0 && len(records) == 0 {
		d.win = window{buf: records, w: len(records)}
		return d, nil
	}
	if d.stream, err = h.Codec().open(records, lim); err != nil {
		return nil, err
	}
	d.win = window{src: d.stream, codec: h.Codec(), left: lim.MaxBytes, max: lim.MaxBuffer}
	return d, nil
}

// close gives the decompressor back and accounts for what it yielded.
func (d *decoder) close() {
	if d.stream.release == nil {
		return
	}
	d.stream.release()
	if d.lim.Spent != nil {
		*d.lim.Spent += d.lim.MaxBytes - d.win.left
	}
}

// next is the next record, or io.EOF after the last. Without keep, a record has
// no value and no headers, and of its key only whether it is null.
func (d *decoder) next() (Record, error) {
	if d.index == d.hdr.Count {
		return Record{}, d.end()
	}
	d.left = math.MaxInt
	length := d.varint32()
	if d.err == nil && length < minRecordLen {
		d.fail(fmt.Errorf("%w: length %d, want at least %d", ErrInvalidRecord, length, minRecordLen))
	}
	d.left = int(length)
	if d.keep && d.err == nil {
		d.fail(d.win.fill(d.left))
	}
	rec := d.body()
	if d.err == nil && d.left != 0 {
		d.fail(fmt.Errorf("%w: %d bytes after its headers", ErrInvalidRecord, d.left))
	}
	if d.err != nil {
		return Record{}, d.wrap()
	}
	d.index++
	return rec, nil
}

// body decodes what follows the length of a record.
func (d *decoder) body() Record {
	d.uint8() // attributes, of which none are defined
	timestamp := d.hdr.BaseTimestamp + d.varint64()
	if d.hdr.IsLogAppendTime() {
		timestamp = d.hdr.MaxTimestamp
	}
	rec := Record{Timestamp: timestamp, Offset: d.hdr.BaseOffset + int64(d.offsetDelta())}
	rec.Key = d.nullable(d.varint32())
	rec.Value = d.nullable(d.varint32())
	rec.headerCount = d.varint32()
	if d.err == nil && (rec.headerCount < 0 || int(rec.headerCount) > d.left/2) {
		d.fail(fmt.Errorf("%w: %d headers in %d bytes", ErrInvalidRecord, rec.headerCount, d.left))
	}
	if d.err != nil {
		return Record{}
	}
	if d.keep {
		rec.headers = d.win.buf[d.win.r : d.win.r+d.left : d.win.r+d.left]
	}
	for i := int32(0); i < rec.headerCount && d.err == nil; i++ {
		d.bytes(d.varint32())
		d.nullable(d.varint32())
	}
	return rec
}

// offsetDelta decodes an offset delta, which rises within what the header covers.
func (d *decoder) offsetDelta() int32 {
	delta := d.varint32()
	if d.err == nil && (delta <= d.lastDelta || delta > d.hdr.LastOffsetDelta) {
		d.fail(fmt.Errorf("%w: offset delta %d, want more than %d and at most %d",
			ErrInvalidRecord, delta, d.lastDelta, d.hdr.LastOffsetDelta))
	}
	d.lastDelta = delta
	return delta
}

// end is io.EOF if nothing follows the last record that the header counts.
func (d *decoder) end() error {
	switch over, err := d.win.atEnd(); {
	case err != nil:
		return err
	case !over:
		return fmt.Errorf("batch at %d: bytes after the last of %d records: %w", d.hdr.BaseOffset, d.hdr.Count, ErrInvalidRecord)
	}
	return io.EOF
}

// fail keeps the first error.
func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// wrap says where the error was. Bytes that end too early are an invalid record:
// the batch itself is whole.
func (d *decoder) wrap() error {
	err := d.err
	if errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrInvalidRecord) {
		err = fmt.Errorf("%w: records end early", ErrInvalidRecord)
	}
	return fmt.Errorf("batch at %d: record %d of %d: %w", d.hdr.BaseOffset, d.index, d.hdr.Count, err)
}

// take accounts for n bytes of the current record.
func (d *decoder) take(n int) bool {
	if d.err == nil && n > d.left {
		d.fail(fmt.Errorf("%w: needs %d bytes, has %d left", ErrInvalidRecord, n, d.left))
	}
	if d.err != nil {
		return false
	}
	d.left -= n
	return true
}

func (d *decoder) uint8() byte {
	if !d.take(1) {
		return 0
	}
	if d.win.r == d.win.w {
		if err := d.win.fill(1); err != nil {
			d.fail(err)
			return 0
		}
	}
	c := d.win.buf[d.win.r]
	d.win.r++
	return c
}

// uvarint decodes at most bits bits. Most varints take one byte.
func (d *decoder) uvarint(bits uint) uint64 {
	if w := &d.win; d.err == nil && d.left > 0 && w.r < w.w && w.buf[w.r] < 0x80 {
		d.left--
		w.r++
		return uint64(w.buf[w.r-1])
	}
	var v uint64
	for shift := uint(0); shift < bits; shift += 7 {
		c := d.uint8()
		low := uint64(c & 0x7f)
		if shift+7 > bits && low>>(bits-shift) != 0 {
			break
		}
		v |= low << shift
		if c < 0x80 {
			return v
		}
	}
	d.fail(fmt.Errorf("%w: varint of more than %d bits", ErrInvalidRecord, bits))
	return 0
}

func (d *decoder) varint32() int32 {
	v := uint32(d.uvarint(32))
	return int32(v>>1) ^ -int32(v&1)
}

func (d *decoder) varint64() int64 {
	v := d.uvarint(64)
	return int64(v>>1) ^ -int64(v&1)
}

// skipped stands for bytes that are not null but were not kept.
var skipped = []byte{}

// nullable decodes n bytes, or null if n is negative.
func (d *decoder) nullable(n int32) []byte {
	if n < 0 {
		return nil
	}
	return d.bytes(n)
}

// bytes decodes n bytes. They alias the window if keep is set.
func (d *decoder) bytes(n int32) []byte {
	if n < 0 {
		d.fail(fmt.Errorf("%w: negative length %d", ErrInvalidRecord, n))
	}
	if !d.take(int(n)) {
		return nil
	}
	if d.keep {
		d.win.r += int(n)
		return d.win.buf[d.win.r-int(n) : d.win.r : d.win.r]
	}
	if err := d.win.skip(int(n)); err != nil {
		d.fail(err)
	}
	return skipped
}
