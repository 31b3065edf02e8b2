package compact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"sordini/protocol/batch"
	"sordini/segment"
)

// ErrMapTooSmall: the keys of one batch do not fit the map, so that nothing can be
// compacted (log.cleaner.dedupe.buffer.size).
var ErrMapTooSmall = errors.New("the key map is too small for one batch")

// Pass is one compaction of one log. The fields are set before it begins.
type Pass struct {
	Map      *Map
	Throttle *Throttle // nil for none
	Now      int64     // ms since 1970
	// Horizon is the delete horizon for tombstones that have none yet, in ms since
	// 1970.
	Horizon int64
	// Last is the last offset of the batch that each producer which is remembered
	// needs, negative if it is not known and it may need any.
	Last map[int64]int64

	// Stats is what the pass has done so far.
	Stats Stats

	end            int64 // what lies behind was not put into the map
	filter         batch.Filter
	keepRecord     func(batch.KeyedRecord) bool // keep, made once
	keepTombstones bool                         // of the current batch
}

// Stats counts what a pass does.
type Stats struct {
	MapBytes   int64 // read to fill the map
	MapRecords int64

	ReadBytes, WrittenBytes     int64 // copied from, and to
	ReadRecords, WrittenRecords int64
	Keyless                     int64 // records dropped because they have no key
}

// Index puts the keys of the dirty part [from, to) of a log into the map; segments
// are those that hold it, and to is the end of the last one. It returns the offset
// up to which the map reaches, which is less than to if it became full.
func (p *Pass) Index(ctx context.Context, segments []*segment.Segment, from, to int64) (end int64, err error) {
	p.Map.Reset()
	p.end = from
	for _, s := range segments {
		full, err := p.index(ctx, s, from)
		if err != nil {
			return 0, err
		}
		if full && p.end <= from {
			return 0, fmt.Errorf("%w: batch at offset %d, %d bytes of memory", ErrMapTooSmall, p.end, p.Map.Bytes())
		}
		if full {
			return p.end, nil
		}
	}
	p.end = to
	return to, nil
}

func (p *Pass) index(ctx context.Context, s *segment.Segment, from int64) (full bool, err error) {
	q, err := s.Sequence()
	if err != nil {
		return false, err
	}
	defer q.Close()
	if err := q.Skip(from); err != nil {
		return false, err
	}
	put := func(r batch.KeyedRecord) bool {
		if r.Key != nil && r.Offset >= from {
			full = !p.Map.Put(r.Key, r.Offset)
		}
		return !full
	}
	for {
		h, b, err := q.Next()
		if err == io.EOF {
			return false, nil
		}
		if err == nil {
			err = p.Throttle.Take(ctx, len(b))
		}
		if err == nil && knowable(&h) {
			err = p.filter.Each(b, put)
		}
		if err != nil {
			return false, damaged(s, h, err)
		}
		if full {
			p.end = h.BaseOffset
			return true, nil
		}
		p.end = h.LastOffset() + 1
		p.Stats.MapBytes += int64(len(b))
		p.Stats.MapRecords += int64(h.Count)
		p.filter.Trim()
	}
}

// knowable says whether the records of a batch can be judged by their keys.
func knowable(h *batch.Header) bool { return !h.IsControl() && !h.IsTransactional() }

// damaged says where records are that cannot be decoded.
func damaged(s *segment.Segment, h batch.Header, err error) error {
	if errors.Is(err, batch.ErrInvalidRecord) || errors.Is(err, batch.ErrUnsupportedCodec) {
		return fmt.Errorf("%s: batch at offset %d: %w", s.Path(), h.BaseOffset, err)
	}
	return err
}

// keep decides about a record.
func (p *Pass) keep(r batch.KeyedRecord) bool {
	if r.Key == nil {
		p.Stats.Keyless++
		return false
	}
	if last, ok := p.Map.Get(r.Key); ok && r.Offset < last {
		return false
	}
	return !r.Tombstone || p.keepTombstones
}

// outputBuffer is how much is written at a time.
const outputBuffer = 1 << 20

// Copy is what a Pass writes into one new segment.
type Copy struct {
	p   *Pass
	dst *segment.Segment

	out     []byte
	entries []segment.Entry

	rest    int64        // bytes of the current source that are not copied yet
	dropped batch.Header // the last batch, if it was dropped
	changed bool
}

// CopyTo begins to write into dst, an empty segment.
func (p *Pass) CopyTo(dst *segment.Segment) *Copy {
	if p.keepRecord == nil {
		p.keepRecord = p.keep
	}
	return &Copy{p: p, dst: dst, out: make([]byte, 0, outputBuffer)}
}

// Size is the bytes written so far.
func (c *Copy) Size() int64 { return c.dst.Size() + int64(len(c.out)) }

// Changed says whether anything was left out or written otherwise than before.
func (c *Copy) Changed() bool { return c.changed }

// Segment copies a segment, which begins behind all that were copied before. Both
// together must fit dst.
func (c *Copy) Segment(ctx context.Context, src *segment.Segment) error {
	q, err := src.Sequence()
	if err != nil {
		return err
	}
	defer q.Close()
	c.rest = src.Size()
	for {
		h, b, err := q.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = c.p.Throttle.Take(ctx, len(b))
		}
		if err != nil {
			return err
		}
		c.rest -= int64(len(b))
		c.p.Stats.ReadBytes += int64(len(b))
		c.p.Stats.ReadRecords += int64(h.Count)
		if err := c.batch(ctx, h, b); err != nil {
			return damaged(src, h, err)
		}
		c.p.filter.Trim()
	}
}

// batch copies what is to be kept of a batch.
func (c *Copy) batch(ctx context.Context, h batch.Header, b []byte) error {
	p := c.p
	if h.BaseOffset >= p.end || !knowable(&h) {
		return c.write(ctx, &h, b)
	}
	horizon, has := h.DeleteHorizon()
	p.keepTombstones = !has || p.Now < horizon
	out, left, err := p.filter.Apply(b, p.Horizon, p.keepRecord)
	if err != nil {
		return err
	}
	if left == 0 {
		if last, ok := p.Last[h.ProducerID]; !ok || !h.HasProducer() || last >= 0 && last != h.LastOffset() {
			c.drop(h)
			return nil
		}
		out = b
		if h.Count > 0 {
			out = c.empty(&h)
		}
	}
	if &out[0] == &b[0] || c.Size()+int64(len(out))+c.rest > math.MaxInt32 {
		return c.write(ctx, &h, b) // the latter if records compress worse than before
	}
	c.changed = true
	if h, err = batch.ParseHeader(out); err != nil {
		return err
	}
	return c.write(ctx, &h, out)
}

// drop leaves a batch out, unless it turns out to be the last one.
func (c *Copy) drop(h batch.Header) {
	c.changed = c.changed || h.Count > 0 || c.dropped.Length != 0
	c.dropped = h
}

// empty is a batch without its records.
func (c *Copy) empty(h *batch.Header) []byte {
	return batch.AppendEmpty(make([]byte, 0, batch.HeaderSize), *h)
}

// write takes a batch into the output.
func (c *Copy) write(ctx context.Context, h *batch.Header, b []byte) error {
	c.changed = c.changed || c.dropped.Length != 0
	c.dropped = batch.Header{}
	if len(c.out)+len(b) > outputBuffer {
		if err := c.flush(ctx); err != nil {
			return err
		}
	}
	c.out = append(c.out, b...)
	c.entries = append(c.entries, segment.Entry{Size: int64(len(b)), LastOffset: h.LastOffset(), MaxTimestamp: segment.IndexTime(h)})
	c.p.Stats.WrittenBytes += int64(len(b))
	c.p.Stats.WrittenRecords += int64(h.Count)
	return nil
}

func (c *Copy) flush(ctx context.Context) error {
	if len(c.entries) == 0 {
		return nil
	}
	if last := c.entries[len(c.entries)-1].LastOffset; !c.dst.Fits(int64(len(c.out)), last) {
		return fmt.Errorf("compaction: %d bytes up to offset %d do not fit %s", len(c.out), last, c.dst.Path())
	}
	if err := c.p.Throttle.Take(ctx, len(c.out)); err != nil {
		return err
	}
	if err := c.dst.Append([][]byte{c.out}, c.entries); err != nil {
		return err
	}
	c.out, c.entries = c.out[:0], c.entries[:0]
	if cap(c.out) > 2*outputBuffer {
		c.out = make([]byte, 0, outputBuffer)
	}
	return nil
}

// Finish writes what is left, and seals the new segment. Its last batch is that of
// the last source, emptied if need be, so that it reaches as far.
func (c *Copy) Finish(ctx context.Context) error {
	if h := c.dropped; h.Length != 0 {
		c.dropped = batch.Header{}
		b := c.empty(&h)
		h.Count = 0
		if err := c.write(ctx, &h, b); err != nil {
			return err
		}
	}
	if err := c.flush(ctx); err != nil {
		return err
	}
	return c.dst.Seal()
}
