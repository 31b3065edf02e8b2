package log

import (
	"sordini/index"
	"sordini/protocol/batch"
	"sordini/segment"
)

// Found is a record found by time.
type Found struct {
	Offset    int64
	Timestamp int64 // ms since the epoch
	Epoch     int32 // leader epoch of its batch
}

// decodeLimit bounds what a lookup by time decompresses of one batch.
var decodeLimit = batch.Limits{}

// FindTimestamp returns the first record below bound whose timestamp is at least
// the given one (ms since the epoch).
func (l *Log) FindTimestamp(timestamp int64, bound Position) (f Found, found bool, err error) {
	for {
		v, err := l.readView()
		if err != nil {
			return Found{}, false, err
		}
		if f, found, err = v.findTimestamp(timestamp, bound); !gone(err) {
			return f, found, err
		}
	}
}

func (v view) findTimestamp(timestamp int64, bound Position) (Found, bool, error) {
	for _, s := range v.segments[v.from(v.start):] {
		if s.Base() > bound.Segment {
			break
		}
		largest, _, err := s.LargestTimestamp()
		if err != nil {
			return Found{}, false, err
		}
		if largest < timestamp {
			continue
		}
		from, err := s.SeekTime(timestamp)
		if err != nil {
			return Found{}, false, err
		}
		f, ok, err := findIn(s, max(from, v.start), timestamp, limit(s, bound))
		if err != nil || ok {
			return f, ok, err
		}
	}
	return Found{}, false, nil
}

func findIn(s *segment.Segment, from, timestamp, limit int64) (f Found, found bool, err error) {
	err = s.EachBatch(from, limit, func(h batch.Header, load func() ([]byte, error)) (bool, error) {
		if h.MaxTimestamp < timestamp || h.IsControl() {
			return true, nil
		}
		b, err := load()
		if err != nil {
			return false, err
		}
		offset, ts, ok, err := batch.ScanTimestamp(b, timestamp, decodeLimit)
		if err != nil {
			return false, err
		}
		if ok && offset < from {
			offset, ts, ok, err = scanFrom(b, from, timestamp)
		}
		if err != nil || !ok {
			return true, err
		}
		f, found = Found{Offset: offset, Timestamp: ts, Epoch: h.LeaderEpoch}, true
		return false, nil
	})
	return f, found, err
}

// scanFrom is batch.ScanTimestamp for a batch whose first records were deleted.
func scanFrom(b []byte, from, timestamp int64) (offset, ts int64, found bool, err error) {
	for r, err := range batch.Records(b, decodeLimit) {
		if err != nil {
			return 0, 0, false, err
		}
		if r.Offset >= from && r.Timestamp >= timestamp {
			return r.Offset, r.Timestamp, true, nil
		}
	}
	return 0, 0, false, nil
}

// FindMaxTimestamp returns the record below bound with the largest timestamp, the
// first of them if there are several.
func (l *Log) FindMaxTimestamp(bound Position) (f Found, found bool, err error) {
	for {
		v, err := l.readView()
		if err != nil {
			return Found{}, false, err
		}
		if f, found, err = v.findMax(bound); !gone(err) {
			return f, found, err
		}
	}
}

func (v view) findMax(bound Position) (best Found, found bool, err error) {
	best.Timestamp = index.NoTimestamp
	for _, s := range v.segments[v.from(v.start):] {
		if s.Base() > bound.Segment {
			break
		}
		largest, _, err := s.LargestTimestamp()
		if err != nil {
			return Found{}, false, err
		}
		if largest <= best.Timestamp {
			continue
		}
		f, ok, err := maxIn(s, v.start, limit(s, bound))
		if err != nil {
			return Found{}, false, err
		}
		if ok && f.Timestamp > best.Timestamp {
			best, found = f, true
		}
	}
	if !found {
		return Found{}, false, nil
	}
	return best, true, nil
}

// maxIn is FindMaxTimestamp in one segment, from the offset start to the position
// limit. The index answers if the batch that it names lies between them;
// otherwise the headers are walked.
func maxIn(s *segment.Segment, start, limit int64) (best Found, found bool, err error) {
	best.Timestamp = index.NoTimestamp
	want, last, err := s.LargestTimestamp()
	if err != nil {
		return best, false, err
	}
	carrier := int64(-1) // last offset of the best batch
	err = s.EachBatch(max(last, start), limit, func(h batch.Header, _ func() ([]byte, error)) (bool, error) {
		if h.LastOffset() == last && segment.IndexTime(&h) == want && h.BaseOffset >= start {
			carrier = last
		}
		return false, nil
	})
	if err == nil && carrier < 0 {
		best, found, carrier, err = walkMax(s, start, limit)
	}
	if err != nil || carrier < 0 {
		return best, found, err
	}
	err = s.EachBatch(carrier, limit, func(h batch.Header, load func() ([]byte, error)) (bool, error) {
		f, ok, err := maxOf(h, load, start)
		if ok {
			best, found = f, true
		}
		return false, err
	})
	return best, found, err
}

// walkMax finds the batch with the largest timestamp by its header, and the
// largest record of a batch that start cuts. carrier is the last offset of that
// batch, -1 if no whole batch beats the record.
func walkMax(s *segment.Segment, start, limit int64) (best Found, found bool, carrier int64, err error) {
	best.Timestamp, carrier = index.NoTimestamp, -1
	largest := index.NoTimestamp
	err = s.EachBatch(start, limit, func(h batch.Header, load func() ([]byte, error)) (bool, error) {
		if h.BaseOffset < start {
			var err error
			best, found, err = maxOf(h, load, start)
			largest = best.Timestamp
			return true, err
		}
		if ts := segment.IndexTime(&h); ts > largest && !h.IsControl() {
			largest, carrier = ts, h.LastOffset()
		}
		return true, nil
	})
	return best, found, carrier, err
}

// maxOf is the record of a batch with the largest timestamp, of those from start.
func maxOf(h batch.Header, load func() ([]byte, error), start int64) (f Found, found bool, err error) {
	f.Timestamp = index.NoTimestamp
	if h.Count == 0 {
		return f, false, nil
	}
	b, err := load()
	if err != nil {
		return f, false, err
	}
	if h.BaseOffset >= start {
		offset, ts, err := batch.ScanMaxTimestamp(b, decodeLimit)
		return Found{Offset: offset, Timestamp: ts, Epoch: h.LeaderEpoch}, err == nil, err
	}
	for r, err := range batch.Records(b, decodeLimit) {
		if err != nil {
			return f, false, err
		}
		if r.Offset >= start && r.Timestamp > f.Timestamp {
			f, found = Found{Offset: r.Offset, Timestamp: r.Timestamp, Epoch: h.LeaderEpoch}, true
		}
	}
	return f, found, nil
}
