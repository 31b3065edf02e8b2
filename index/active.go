package index

import (
	"math"
	"sort"
	"sync"
)

// Active is the pair of indexes of a segment that is being appended to, in
// memory. One goroutine appends; any number reads meanwhile.
type Active struct {
	interval int64

	mu      sync.RWMutex
	offsets []OffsetEntry
	times   []TimeEntry

	// Guarded by the single appender; maxTimestamp and maxRel also by mu for
	// readers.
	sinceEntry   int64 // bytes appended since the last entry
	maxTimestamp int64
	maxRel       uint32
}

// NoTimestamp is the largest timestamp of an empty segment.
const NoTimestamp int64 = -1

// NewActive returns an empty index that takes an entry whenever more than
// interval bytes were appended since the one before (index.interval.bytes).
func NewActive(interval int64) *Active {
	return &Active{interval: interval, maxTimestamp: NoTimestamp}
}

// Add tells of a batch of size bytes at pos that ends at offset base + rel and
// whose largest timestamp is maxTimestamp.
func (a *Active) Add(rel uint32, pos, size, maxTimestamp int64) {
	if a.sinceEntry <= a.interval && maxTimestamp <= a.maxTimestamp {
		a.sinceEntry += size
		return
	}
	a.mu.Lock()
	if maxTimestamp > a.maxTimestamp {
		a.maxTimestamp, a.maxRel = maxTimestamp, rel
	}
	if a.sinceEntry > a.interval {
		a.offsets = append(a.offsets, OffsetEntry{Rel: rel, Pos: uint32(pos)})
		a.addTimeLocked()
		a.sinceEntry = 0
	}
	a.mu.Unlock()
	a.sinceEntry += size
}

func (a *Active) addTimeLocked() {
	if a.maxTimestamp == NoTimestamp {
		return
	}
	e := TimeEntry{Timestamp: a.maxTimestamp, Rel: a.maxRel}
	if n := len(a.times); n > 0 && (e.Timestamp <= a.times[n-1].Timestamp || e.Rel <= a.times[n-1].Rel) {
		return
	}
	a.times = append(a.times, e)
}

// Bytes is the size that the larger of the two files would have; a segment rolls
// when it reaches segment.index.bytes.
func (a *Active) Bytes() int64 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return max(int64(len(a.offsets))*OffsetEntrySize, int64(len(a.times))*TimeEntrySize)
}

// Max returns the largest timestamp added and the relative last offset of the
// batch that carries it; NoTimestamp and 0 if there is none.
func (a *Active) Max() (timestamp int64, rel uint32) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.maxTimestamp, a.maxRel
}

// Find returns the entries around an offset: floor is the last one whose Rel is
// below rel, ceil the first whose Rel is at least rel.
func (a *Active) Find(rel uint32) (floor, ceil OffsetEntry, hasFloor, hasCeil bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	i := sort.Search(len(a.offsets), func(i int) bool { return a.offsets[i].Rel >= rel })
	if i > 0 {
		floor, hasFloor = a.offsets[i-1], true
	}
	if i < len(a.offsets) {
		ceil, hasCeil = a.offsets[i], true
	}
	return floor, ceil, hasFloor, hasCeil
}

// FloorPos returns the last entry at or before a position.
func (a *Active) FloorPos(pos int64) (OffsetEntry, bool) {
	if pos > math.MaxUint32 {
		pos = math.MaxUint32
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	i := sort.Search(len(a.offsets), func(i int) bool { return int64(a.offsets[i].Pos) > pos })
	if i == 0 {
		return OffsetEntry{}, false
	}
	return a.offsets[i-1], true
}

// FloorTime returns the last time entry below a timestamp: every record up to
// its offset is earlier.
func (a *Active) FloorTime(timestamp int64) (TimeEntry, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	i := sort.Search(len(a.times), func(i int) bool { return a.times[i].Timestamp >= timestamp })
	if i == 0 {
		return TimeEntry{}, false
	}
	return a.times[i-1], true
}

// Files returns the contents of the two index files. The time index ends with
// the segment's largest timestamp, which is NoTimestamp if no batch has one: only
// the time index of an empty segment is empty.
func (a *Active) Files() (offsets, times []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.addTimeLocked()
	if len(a.times) == 0 && a.sinceEntry > 0 {
		a.times = append(a.times, TimeEntry{Timestamp: NoTimestamp})
	}
	offsets = AppendOffsets(make([]byte, 0, len(a.offsets)*OffsetEntrySize), a.offsets)
	times = AppendTimes(make([]byte, 0, len(a.times)*TimeEntrySize), a.times)
	return offsets, times
}

// Load fills an empty Active from decoded files, so that appending can go on
// behind them. tail is the count of bytes in the log after the last entry's
// position.
func (a *Active) Load(offsets []OffsetEntry, times []TimeEntry, tail int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.offsets, a.times = offsets, times
	a.sinceEntry = tail
	if n := len(times); n > 0 {
		a.maxTimestamp, a.maxRel = times[n-1].Timestamp, times[n-1].Rel
	}
}
