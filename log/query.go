package log

import (
	"bytes"
	"errors"
	"math"
	"slices"

	"sordini/protocol/batch"
	"sordini/segment"
)

// Query says which records are looked for. The zero value with a Limit is the oldest.
type Query struct {
	Key    []byte // nil for all records
	Offset int64  // the first that may be found
	// From and To bound the timestamps, in ms since 1970: From <= t < To. 0 for To
	// means no bound.
	From, To int64
	Limit    int
	Newest   bool // the newest, and those first

	// MaxBytes bounds the keys and values returned, but for the first record, and
	// MaxRead the bytes of batches that are read, but for the rest of a segment when the
	// newest are looked for without a key index.
	MaxBytes, MaxRead int64
}

// KeyCounts tells what looking for a key in a log met.
type KeyCounts struct {
	Segments       int // that were looked at
	Scanned        int // of which all batches were read, for want of a key index
	Skipped        int // by their bloom filter
	Passed         int // that their bloom filter let pass
	FalsePositives int // of Passed, without the key
}

// Answer is what a Query has found.
type Answer struct {
	Records []batch.Record // in memory of their own
	// More says that the search ended at a bound of the query; one for older records
	// goes on at offset Next, one for the newest cannot be continued.
	More bool
	Next int64
	Read int64 // bytes of batches
	KeyCounts
}

// Query finds records below bound. It never answers less than there is but for the
// bounds of the query: a damaged batch that may hold a record is an error.
func (l *Log) Query(q Query, bound Position) (Answer, error) {
	for {
		v, err := l.readView()
		if err != nil {
			return Answer{}, err
		}
		s := &search{Query: q, view: v, bound: bound, indexed: q.Key != nil && l.config.Load().IndexKeys}
		s.Offset = max(q.Offset, v.start)
		if s.To == 0 {
			s.To = math.MaxInt64
		}
		if err := l.lostIn(v, s.Offset, bound.Offset); err != nil {
			return Answer{}, err
		}
		if err := s.run(); !gone(err) {
			return s.answer, err
		}
	}
}

// lostIn is the error for a stretch of offsets of which some are lost.
func (l *Log) lostIn(v view, from, to int64) error {
	for _, m := range v.missing {
		if m.From < to && m.To > from {
			return l.lost(v, m.From)
		}
	}
	return nil
}

// search is one Query.
type search struct {
	Query
	view
	bound   Position
	indexed bool
	answer  Answer
	bytes   int64 // of keys and values found
	buf     []byte
}

// errFull ends a search at a bound of the query.
var errFull = errors.New("enough was found or read")

func (s *search) run() error {
	first := s.from(s.Offset)
	segments := s.segments[first:]
	if s.Newest {
		segments = slices.Clone(segments)
		slices.Reverse(segments)
	}
	for i, g := range segments {
		if g.Base() > s.bound.Segment {
			continue
		}
		if i > 0 && s.Newest && s.answer.Read >= s.MaxRead {
			s.full(-1) // only between segments: all of one has to be read
			break
		}
		err := s.segment(g, limit(g, s.bound))
		if errors.Is(err, errFull) {
			break
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// full ends the search, which would go on at an offset.
func (s *search) full(next int64) error {
	s.answer.More, s.answer.Next = s.Newest || next < s.bound.Offset, next
	return errFull
}

// enough ends the search behind a batch if a bound of the query is reached.
func (s *search) enough(h *batch.Header) error {
	if len(s.answer.Records) >= s.Limit || !s.Newest && s.answer.Read >= s.MaxRead {
		return s.full(h.LastOffset() + 1)
	}
	return nil
}

func (s *search) segment(g *segment.Segment, limit int64) error {
	largest, _, err := g.LargestTimestamp()
	if err != nil {
		return err
	}
	if limit == 0 || s.From > largest && s.From > 0 {
		return nil
	}
	s.answer.Segments++
	if s.indexed {
		records, size := s.answer.Records, s.bytes
		known, err := s.lookUp(g, limit)
		if known || err != nil {
			return err
		}
		s.answer.Records, s.bytes = records, size // scanning finds them again
	}
	s.answer.Scanned++
	if s.Newest {
		return s.scanNewest(g, limit)
	}
	return s.scan(g, limit)
}

// lookups is how many positions are asked for at a time.
const lookups = 256

// lookUp finds the key by the key index of a segment. known is false if it has none
// that can be used.
func (s *search) lookUp(g *segment.Segment, limit int64) (known bool, err error) {
	from, err := s.firstPos(g, limit)
	if err != nil {
		return false, err
	}
	to, hit, passed := limit, false, false
	for first := true; ; first = false {
		f, err := g.FindKey(s.Key, from, to, lookups, s.Newest)
		if err != nil || !f.Known {
			return false, err
		}
		if first && f.Bloomed && !f.Passed {
			s.answer.Skipped++
			return true, nil
		}
		if first && f.Bloomed {
			passed = true
			s.answer.Passed++
		}
		positions := f.Positions
		if s.Newest {
			slices.Reverse(positions)
		}
		for _, pos := range positions {
			has, err := s.batchAt(g, int64(pos), limit)
			var corrupt *segment.CorruptError
			if errors.As(err, &corrupt) {
				g.ForgetKeys() // if it is not the index that is wrong, scanning will tell
				return false, nil
			}
			if hit = hit || has; err != nil {
				return true, err
			}
			if s.Newest {
				to = int64(pos)
			} else {
				from = int64(pos) + 1
			}
		}
		if len(positions) < lookups {
			break
		}
	}
	if passed && !hit && s.Offset <= g.Base() && limit == g.Size() {
		s.answer.FalsePositives++
	}
	return true, nil
}

// firstPos is where the first batch that may be found starts in a segment.
func (s *search) firstPos(g *segment.Segment, limit int64) (int64, error) {
	if s.Offset <= g.Base() {
		return 0, nil
	}
	r, found, err := g.Read(s.Offset, 1, limit, true)
	if err != nil || !found {
		return limit, err
	}
	defer r.Release()
	return r.Pos(), nil
}

// batchAt takes what is looked for from a batch that the key index names. has says
// that the batch has the key, in whatever record.
func (s *search) batchAt(g *segment.Segment, pos, limit int64) (has bool, err error) {
	b, h, err := g.BatchAt(s.buf[:0], pos, limit)
	s.buf = b[:0]
	if err != nil {
		return false, err
	}
	s.answer.Read += h.Size()
	found := s.match(b, &has)
	if err := s.take(found); err != nil {
		return has, err
	}
	return has, s.enough(&h)
}

// match returns the records of a batch that are looked for, in memory of their own,
// by rising offset, and no more than can be wanted. Records behind one that cannot be
// decoded are not read by anybody.
func (s *search) match(b []byte, has *bool) []batch.Record {
	var found []batch.Record
	var size int64
	for r, err := range batch.Records(b, batch.Limits{}) {
		if err != nil {
			break
		}
		if s.Key != nil && (r.Key == nil || !bytes.Equal(r.Key, s.Key)) {
			continue
		}
		*has = true
		if r.Offset < s.Offset || r.Timestamp < s.From && s.From > 0 || r.Timestamp >= s.To {
			continue
		}
		found = append(found, batch.Record{Offset: r.Offset, Timestamp: r.Timestamp, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)})
		size += sizeOf(r)
		if !s.Newest && (len(found) > s.Limit || size > s.MaxBytes && len(found) > 1) {
			break
		}
		for s.Newest && len(found) > 1 && (len(found) > s.Limit+1 || size-sizeOf(found[0]) > s.MaxBytes) {
			size -= sizeOf(found[0])
			found = found[1:]
		}
	}
	return found
}

func sizeOf(r batch.Record) int64 { return int64(len(r.Key) + len(r.Value)) }

// take adds records, in order or, for the newest, from the last.
func (s *search) take(found []batch.Record) error {
	if s.Newest {
		slices.Reverse(found)
	}
	for _, r := range found {
		size := sizeOf(r)
		if n := len(s.answer.Records); n >= s.Limit || n > 0 && s.bytes+size > s.MaxBytes {
			return s.full(r.Offset)
		}
		s.bytes += size
		s.answer.Records = append(s.answer.Records, r)
	}
	return nil
}

// scan takes what is looked for from all batches of a segment.
func (s *search) scan(g *segment.Segment, limit int64) error {
	from := s.Offset
	if s.From > 0 {
		at, err := g.SeekTime(s.From)
		if err != nil {
			return err
		}
		from = max(from, at)
	}
	return g.EachBatch(from, limit, func(h batch.Header, load func() ([]byte, error)) (bool, error) {
		found, err := s.load(g, &h, load)
		if err == nil {
			err = s.take(found)
		}
		if err == nil {
			err = s.enough(&h)
		}
		return err == nil, err
	})
}

// scanNewest is scan for the newest records: all of the segment is read.
func (s *search) scanNewest(g *segment.Segment, limit int64) error {
	var last []batch.Record
	var size int64
	err := g.EachBatch(s.Offset, limit, func(h batch.Header, load func() ([]byte, error)) (bool, error) {
		found, err := s.load(g, &h, load)
		for _, r := range found {
			last, size = append(last, r), size+sizeOf(r)
		}
		for len(last) > 1 && (len(last) > s.Limit+1 || size-sizeOf(last[0]) > s.MaxBytes) {
			size -= sizeOf(last[0])
			last = last[1:]
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	return s.take(last)
}

// load reads a batch of a scan, if it can have what is looked for.
func (s *search) load(g *segment.Segment, h *batch.Header, load func() ([]byte, error)) ([]batch.Record, error) {
	if h.IsControl() || h.Count == 0 || h.MaxTimestamp < s.From && s.From > 0 {
		return nil, nil
	}
	b, err := load()
	if err != nil {
		return nil, err
	}
	s.answer.Read += h.Size()
	if err := batch.CheckCRC(b, *h); err != nil {
		return nil, &segment.CorruptError{File: g.Path(), Pos: -1, Offset: h.BaseOffset, Reason: err.Error()}
	}
	var has bool
	return s.match(b, &has), nil
}
