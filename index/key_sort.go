package index

import (
	"math"
	"math/bits"
	"slices"
)

const (
	// partEntries is about how many entries a part has that Sorted works on at a time:
	// it stays in the processor's cache.
	partEntries = 4096
	maxPartBits = 14

	// Of a part, a bucket has one entry about.
	bucketBits = 12
	maxBucket  = 32
	maxPart    = math.MaxUint16
)

// KeySorter puts entries in order. It keeps its memory from one call to the next; one
// goroutine at a time uses it. The zero value is ready.
type KeySorter struct {
	out  []KeyEntry
	part []KeyEntry
	ends [1<<bucketBits + 1]uint16
}

// Bytes is the memory that the sorter keeps.
func (s *KeySorter) Bytes() int64 { return int64(cap(s.out)+cap(s.part)) * 16 }

// Sort returns the entries of a view in the order of the file, without doubles. They are
// valid until the next call. Hashes are spread evenly: their first bits lead each entry
// to a part, and in it the bits behind to a bucket of few.
func (s *KeySorter) Sort(v KeyView) []KeyEntry {
	partBits := min(maxPartBits, bits.Len(uint(v.n/partEntries)))
	s.out = slices.Grow(s.out[:0], v.n)[:v.n]
	begin := uint32(0)
	for _, end := range s.split(v, 64-partBits) {
		s.sort(s.out[begin:end], 64-partBits-bucketBits)
		begin = end
	}
	return slices.Compact(s.out)
}

// split puts the entries into parts by the bits of their hash from shift on, and returns
// where each ends.
func (s *KeySorter) split(v KeyView, shift int) []uint32 {
	ends := make([]uint32, 1<<(64-shift)+1)
	for i := range v.count() {
		hashes, _ := v.chunk(i)
		for _, h := range hashes {
			ends[h>>shift+1]++
		}
	}
	for i := range ends[1:] {
		ends[i+1] += ends[i]
	}
	out := s.out
	for i := range v.count() {
		hashes, pos := v.chunk(i)
		pos = pos[:len(hashes)]
		for j, h := range hashes {
			at := ends[h>>shift]
			ends[h>>shift] = at + 1
			out[at] = KeyEntry{h, pos[j]}
		}
	}
	return ends[:len(ends)-1]
}

// sort sorts a part whose entries have the same bits above the bucketBits from shift on.
func (s *KeySorter) sort(part []KeyEntry, shift int) {
	const mask = 1<<bucketBits - 1
	if len(part) > maxPart { // hashes are not spread evenly, or there are very many
		slices.SortFunc(part, KeyEntry.Compare)
		return
	}
	s.part = append(s.part[:0], part...)
	from := s.part
	shift &= 63
	clear(s.ends[:])
	for i := range from {
		s.ends[from[i].Hash>>shift&mask+1]++
	}
	sum, most := uint16(0), uint16(0)
	for i := range s.ends {
		most = max(most, s.ends[i])
		sum += s.ends[i]
		s.ends[i] = sum
	}
	for i := range from {
		e := from[i]
		bucket := e.Hash >> shift & mask
		at := s.ends[bucket]
		s.ends[bucket] = at + 1
		part[at] = e
	}
	if most > maxBucket {
		slices.SortFunc(part, KeyEntry.Compare)
		return
	}
	insertionSort(part)
}

// insertionSort sorts entries that are not far from their place.
func insertionSort(b []KeyEntry) {
	for i := 1; i < len(b); i++ {
		e := b[i]
		j := i
		for ; j > 0 && (e.Hash < b[j-1].Hash || e.Hash == b[j-1].Hash && e.Pos < b[j-1].Pos); j-- {
			b[j] = b[j-1]
		}
		if j < i {
			b[j] = e
		}
	}
}
