package inspect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"

	"sordini/index"
	"sordini/log/producer"
	"sordini/protocol/batch"
	"sordini/segment"
)

// State says how a file was found.
type State string

// The states.
const (
	OK      State = "ok"
	Bad     State = "BAD"
	Missing State = "missing"
)

// Fault is something that is wrong in a file.
type Fault struct {
	File   string `json:"file"`
	Pos    int64  `json:"position"` // of the damaged bytes; -1 for the file as a whole
	Offset int64  `json:"offset"`   // first offset concerned; -1 if unknown
	Torn   bool   `json:"torn"`     // the end of the last segment, which recovery would cut
	Reason string `json:"reason"`
}

// maxFaults bounds the faults that are kept of one segment; all are counted.
const maxFaults = 100

// Report is what was found in one segment.
type Report struct {
	Path    string `json:"path"` // of the .log file
	Base    int64  `json:"baseOffset"`
	Next    int64  `json:"nextOffset"` // behind the last good batch
	Batches int64  `json:"batches"`    // good ones
	Records int64  `json:"records"`    // in them
	Bytes   int64  `json:"bytes"`      // of the file

	CRC         State `json:"crc"`
	OffsetIndex State `json:"offsetIndex"`
	TimeIndex   State `json:"timeIndex"`
	Snapshot    State `json:"snapshot"` // producer state as of the base offset

	FaultCount int64   `json:"faultCount"`
	Faults     []Fault `json:"faults,omitempty"` // the first hundred
}

// Damaged tells whether anything is wrong. Missing files are not: they are made again from the log.
func (r *Report) Damaged() bool { return r.FaultCount > 0 }

func (r *Report) fault(f Fault) {
	r.FaultCount++
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, f)
	}
}

// Verify checks the segments of a partition directory in order and calls visit for each.
func Verify(dir string, visit func(*Report) error) error {
	bases, err := Bases(dir)
	if err != nil {
		return err
	}
	if len(bases) == 0 {
		return fmt.Errorf("%s: %w", dir, ErrNoSegments)
	}
	snapshots, err := snapshotBases(dir)
	if err != nil {
		return err
	}
	for i, base := range bases {
		end := int64(math.MaxInt64)
		if i+1 < len(bases) {
			end = bases[i+1]
		}
		r, err := verifySegment(dir, base, end)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(dir, segment.FileName(base, segment.LogSuffix)), err)
		}
		if err := r.verifySnapshots(dir, snapshots, end); err != nil {
			return err
		}
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}

// verifySegment checks a .log file and its indexes; end is the base offset of the segment behind it. The indexes
// are read first: what is appended to the log meanwhile is then only more than they know.
func verifySegment(dir string, base, end int64) (*Report, error) {
	path := filepath.Join(dir, segment.FileName(base, segment.LogSuffix))
	r := &Report{Path: path, Base: base, Next: base, CRC: OK}
	offsets, err := r.readIndex(dir, segment.IndexSuffix, index.OffsetEntrySize, &r.OffsetIndex)
	if err != nil {
		return nil, err
	}
	times, err := r.readIndex(dir, segment.TimeIndexSuffix, index.TimeEntrySize, &r.TimeIndex)
	if err != nil {
		return nil, err
	}
	f, l, err := OpenLog(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := l.Size()
	if err != nil {
		return nil, err
	}
	check := newIndexCheck(r, dir, offsets, times, size)
	err = Scan(l, func(item Item, _ func() ([]byte, error)) error {
		r.Bytes = item.Pos + item.Size
		r.take(item, end)
		check.take(item)
		return nil
	})
	if err != nil {
		return nil, err
	}
	check.finish()
	return r, nil
}

// readIndex reads an index file and notes whether it is there.
func (r *Report) readIndex(dir, suffix string, entry int, state *State) ([]byte, error) {
	b, err := ReadSide(filepath.Join(dir, segment.FileName(r.Base, suffix)))
	if errors.Is(err, fs.ErrNotExist) {
		*state = Missing
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	*state = OK
	return TrimIndex(b, entry), nil
}

// take counts a stretch of the log.
func (r *Report) take(item Item, end int64) {
	if item.Fault == nil && item.Header.LastOffset() >= end {
		item.Fault = badf("offset %d belongs to the next segment, which begins at %d", item.Header.LastOffset(), end)
	}
	if item.Fault != nil {
		r.CRC = Bad
		r.fault(Fault{r.Path, item.Pos, item.Offset, item.Torn && end == math.MaxInt64, item.Fault.Error()})
		return
	}
	r.Batches++
	r.Records += int64(item.Header.Count)
	r.Next = item.Header.LastOffset() + 1
}

// verifySnapshots checks the producer state taken at the segment's base offset or up to its end: between the
// two there is one only where an orderly shutdown left it, at the end of the log.
func (r *Report) verifySnapshots(dir string, snapshots []int64, end int64) error {
	r.Snapshot = Missing
	for _, at := range snapshots {
		if at < r.Base || at >= end {
			continue
		}
		for _, suffix := range []string{SnapshotSuffix, ProducersSuffix} {
			path := filepath.Join(dir, segment.FileName(at, suffix))
			b, err := ReadSide(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if r.Snapshot == Missing {
				r.Snapshot = OK
			}
			if _, err := ParseSnapshot(suffix, b); err != nil {
				r.Snapshot = Bad
				r.fault(Fault{path, -1, at, false, err.Error()})
			}
		}
	}
	return nil
}

func snapshotBases(dir string) ([]int64, error) {
	kafka, err := basesOf(dir, SnapshotSuffix)
	if err != nil {
		return nil, err
	}
	own, err := basesOf(dir, ProducersSuffix)
	if err != nil {
		return nil, err
	}
	seen := make(map[int64]bool)
	var all []int64
	for _, base := range append(kafka, own...) {
		if !seen[base] {
			seen[base] = true
			all = append(all, base)
		}
	}
	return all, nil
}

// ParseSnapshot decodes producer state in the format that goes with the suffix.
func ParseSnapshot(suffix string, b []byte) (*producer.State, error) {
	if suffix == ProducersSuffix {
		return producer.ParseSnapshot(b)
	}
	return producer.ParseKafkaSnapshot(b)
}

// Kafka's snapshot format, as drawn in package producer: a header, then entries of equal size that begin with the
// producer id.
const (
	snapshotHeader = 2 + 4 + 4
	snapshotEntry  = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8
)

// ProducerIDs returns the producers that a state knows, rising. It reads them from Kafka's encoding of the state.
func ProducerIDs(s *producer.State) []int64 {
	ids := make([]int64, 0, s.Len())
	for b := s.KafkaSnapshot()[snapshotHeader:]; len(b) >= snapshotEntry; b = b[snapshotEntry:] {
		ids = append(ids, int64(binary.BigEndian.Uint64(b)))
	}
	return ids
}

// indexCheck holds the entries of both indexes against the batches as they go by.
type indexCheck struct {
	report    *Report
	dir       string
	offsets   []index.OffsetEntry // those not seen yet
	times     []index.TimeEntry   // those not seen yet
	largest   int64               // timestamp so far
	damaged   bool                // bytes of the log were unreadable so far
	damagedAt int64               // end of the last such bytes
}

func newIndexCheck(r *Report, dir string, offsets, times []byte, logSize int64) *indexCheck {
	c := &indexCheck{report: r, dir: dir, largest: math.MinInt64}
	var err error
	if c.offsets, err = index.DecodeOffsets(offsets, logSize); err != nil {
		c.badOffsets(-1, err.Error())
	}
	if c.times, err = index.DecodeTimes(times); err != nil {
		c.badTimes(-1, err.Error())
	}
	return c
}

func (c *indexCheck) badOffsets(offset int64, reason string) {
	c.report.OffsetIndex = Bad
	c.report.fault(Fault{filepath.Join(c.dir, segment.FileName(c.report.Base, segment.IndexSuffix)), -1, offset, false, reason})
	c.offsets = nil
}

func (c *indexCheck) badTimes(offset int64, reason string) {
	c.report.TimeIndex = Bad
	c.report.fault(Fault{filepath.Join(c.dir, segment.FileName(c.report.Base, segment.TimeIndexSuffix)), -1, offset, false, reason})
	c.times = nil
}

// take goes on by one stretch of the log. Entries that lead into damaged bytes cannot be judged and are passed
// over, as are times from there on, whose largest timestamp may be among what was lost.
func (c *indexCheck) take(item Item) {
	if item.Fault != nil {
		c.damaged, c.damagedAt = true, item.Pos+item.Size
		for len(c.offsets) > 0 && int64(c.offsets[0].Pos) < c.damagedAt {
			c.offsets = c.offsets[1:]
		}
		c.times = nil
		return
	}
	c.takeOffsets(item.Pos, item.Header)
	c.takeTimes(item.Header)
}

func (c *indexCheck) takeOffsets(pos int64, h batch.Header) {
	if len(c.offsets) == 0 || int64(c.offsets[0].Pos) > pos {
		return
	}
	e := c.offsets[0]
	offset := c.report.Base + int64(e.Rel)
	switch {
	case int64(e.Pos) != pos:
		c.badOffsets(offset, fmt.Sprintf("the entry of offset %d leads to position %d, where no batch begins", offset, e.Pos))
	case offset != h.LastOffset():
		c.badOffsets(offset, fmt.Sprintf("the entry of offset %d leads to the batch of offsets %d to %d", offset, h.BaseOffset, h.LastOffset()))
	default:
		c.offsets = c.offsets[1:]
	}
}

func (c *indexCheck) takeTimes(h batch.Header) {
	if h.Count == 0 {
		return // emptied by compaction; its records were indexed once, with their times
	}
	c.largest = max(c.largest, h.MaxTimestamp)
	if len(c.times) == 0 {
		return
	}
	e := c.times[0]
	offset := c.report.Base + int64(e.Rel)
	switch {
	case offset > h.LastOffset():
	case offset < h.BaseOffset:
		c.badTimes(offset, fmt.Sprintf("the entry of offset %d names no batch", offset))
	case e.Timestamp != h.MaxTimestamp || e.Timestamp != c.largest:
		c.badTimes(offset, fmt.Sprintf("the entry of offset %d says timestamp %d; the batch has %d, the largest so far is %d",
			offset, e.Timestamp, h.MaxTimestamp, c.largest))
	default:
		c.times = c.times[1:]
	}
}

// finish looks at the entries that no batch answered to.
func (c *indexCheck) finish() {
	if c.damaged && c.damagedAt == c.report.Bytes {
		return // the log's end, where they may lead, is damaged
	}
	if len(c.offsets) > 0 {
		c.badOffsets(c.report.Next, "entries lead behind the last batch")
	}
	if len(c.times) > 0 {
		c.badTimes(c.report.Next, "entries name offsets behind the last batch")
	}
}
