package index

import (
	"io"
	"sync"
)

// blockEntries is how many entries one read of a sealed index brings in: 4 KiB
// cover 2 MiB of log at Kafka's default interval, the stretch that a fetch of
// 1 MiB walks.
const blockEntries = 512

// Sealed reads the offset index of a closed segment from its file. It keeps
// nothing in memory but a few hints, so that a consumer which reads on from
// where it stopped finds its place with one read.
type Sealed struct {
	n int // entries

	mu    sync.Mutex
	hints [16]hint
}

type hint struct {
	rel  uint32
	slot int32
}

// NewSealed describes an index file of size bytes. A remainder that is not a
// whole entry is left out.
func NewSealed(size int64) *Sealed {
	return &Sealed{n: int(size / OffsetEntrySize)}
}

// Len is the number of entries.
func (s *Sealed) Len() int { return s.n }

// Block is a run of consecutive entries read in one piece.
type Block struct {
	first int // slot of entries[0]
	buf   [blockEntries * OffsetEntrySize]byte
	n     int
}

// Reset forgets the entries, so that the block can serve another file.
func (b *Block) Reset() { b.n = 0 }

func (b *Block) at(i int) OffsetEntry { return offsetEntry(b.buf[i*OffsetEntrySize:]) }

// Remember notes that the entry of slot leads to the batch which starts at
// base + rel, so that the next Find of rel starts there.
func (s *Sealed) Remember(rel uint32, slot int) {
	s.mu.Lock()
	s.hints[rel%uint32(len(s.hints))] = hint{rel: rel, slot: int32(slot)}
	s.mu.Unlock()
}

func (s *Sealed) recall(rel uint32) (slot int, ok bool) {
	s.mu.Lock()
	h := s.hints[rel%uint32(len(s.hints))]
	s.mu.Unlock()
	return int(h.slot), h.rel == rel && rel != 0
}

func (s *Sealed) load(r io.ReaderAt, b *Block, slot int) error {
	slot = max(0, min(slot, s.n-blockEntries))
	n := min(blockEntries, s.n-slot)
	b.first, b.n = slot, n
	return readFull(r, b.buf[:n*OffsetEntrySize], int64(slot)*OffsetEntrySize)
}

// Find is Active.Find on the file r. It leaves the neighbourhood in b for
// FloorPos.
func (s *Sealed) Find(r io.ReaderAt, b *Block, rel uint32) (floor, ceil OffsetEntry, hasFloor, hasCeil bool, err error) {
	if s.n == 0 {
		return floor, ceil, false, false, nil
	}
	slot, ok := s.recall(rel)
	if ok {
		ok, err = s.around(r, b, slot, rel)
	}
	if err == nil && !ok {
		slot, err = s.search(r, b, func(e OffsetEntry) bool { return e.Rel >= rel })
		if err == nil {
			err = s.load(r, b, slot-1)
		}
	}
	if err != nil {
		return floor, ceil, false, false, err
	}
	i := b.search(func(e OffsetEntry) bool { return e.Rel >= rel })
	if i > 0 {
		floor, hasFloor = b.at(i-1), true
	}
	if i < b.n {
		ceil, hasCeil = b.at(i), true
	}
	return floor, ceil, hasFloor, hasCeil, nil
}

// around loads the block at a remembered slot and says whether it brackets rel.
func (s *Sealed) around(r io.ReaderAt, b *Block, slot int, rel uint32) (bool, error) {
	if err := s.load(r, b, slot-1); err != nil {
		return false, err
	}
	low := b.first == 0 || b.at(0).Rel < rel
	high := b.first+b.n == s.n || b.at(b.n-1).Rel >= rel
	return low && high, nil
}

// FloorPos returns the last entry at or before a position, and its slot. It
// looks in b first, which Find has filled.
func (s *Sealed) FloorPos(r io.ReaderAt, b *Block, pos int64) (e OffsetEntry, slot int, ok bool, err error) {
	if s.n == 0 {
		return e, 0, false, nil
	}
	above := func(e OffsetEntry) bool { return int64(e.Pos) > pos }
	if b.n == 0 || above(b.at(0)) || (!above(b.at(b.n-1)) && b.first+b.n < s.n) {
		slot, err = s.search(r, b, above)
		if err == nil {
			err = s.load(r, b, slot-1)
		}
		if err != nil {
			return e, 0, false, err
		}
	}
	i := b.search(above)
	if i == 0 {
		return e, 0, false, nil
	}
	return b.at(i - 1), b.first + i - 1, true, nil
}

// search returns the first slot for which f holds, by reading single entries
// into b, which then holds no block.
func (s *Sealed) search(r io.ReaderAt, b *Block, f func(OffsetEntry) bool) (int, error) {
	b.n = 0
	buf := b.buf[:OffsetEntrySize]
	low, high := 0, s.n
	for low < high {
		mid := int(uint(low+high) >> 1)
		if err := readFull(r, buf, int64(mid)*OffsetEntrySize); err != nil {
			return 0, err
		}
		if f(offsetEntry(buf)) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low, nil
}

func (b *Block) search(f func(OffsetEntry) bool) int {
	low, high := 0, b.n
	for low < high {
		mid := int(uint(low+high) >> 1)
		if f(b.at(mid)) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// FloorTime returns the last entry of a time index file of size bytes whose
// timestamp is below the given one.
func FloorTime(r io.ReaderAt, size, timestamp int64) (TimeEntry, bool, error) {
	var buf [TimeEntrySize]byte
	low, high := int64(0), size/TimeEntrySize
	var e TimeEntry
	for low < high {
		mid := (low + high) / 2
		if err := readFull(r, buf[:], mid*TimeEntrySize); err != nil {
			return TimeEntry{}, false, err
		}
		if m := timeEntry(buf[:]); m.Timestamp < timestamp {
			e, low = m, mid+1
		} else {
			high = mid
		}
	}
	return e, low > 0, nil
}

// LastTime returns the last entry of a time index file of size bytes.
func LastTime(r io.ReaderAt, size int64) (TimeEntry, bool, error) {
	n := size / TimeEntrySize
	if n == 0 {
		return TimeEntry{}, false, nil
	}
	var buf [TimeEntrySize]byte
	if err := readFull(r, buf[:], (n-1)*TimeEntrySize); err != nil {
		return TimeEntry{}, false, err
	}
	return timeEntry(buf[:]), true, nil
}
