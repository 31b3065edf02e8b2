package index

import "slices"

// ActiveKeys is the key index of a segment while it grows: an open hash table, and the
// entries of each bucket chained, the newest first. It takes some 25 bytes an entry.
// One goroutine at a time uses it.
type ActiveKeys struct {
	entries []activeKey
	table   []uint32 // number of the newest entry of a bucket, plus one
}

type activeKey struct {
	hash  uint64
	pos   uint32
	older uint32 // number of the next entry of the bucket, plus one
}

// Add notes that the batch at pos has a key of this hash. Positions do not fall.
func (a *ActiveKeys) Add(hash uint64, pos uint32) {
	if len(a.entries) >= len(a.table) {
		a.grow()
	}
	bucket := &a.table[hash&uint64(len(a.table)-1)]
	for at := *bucket; at > 0 && a.entries[at-1].pos == pos; at = a.entries[at-1].older {
		if a.entries[at-1].hash == hash {
			return
		}
	}
	a.entries = append(a.entries, activeKey{hash, pos, *bucket})
	*bucket = uint32(len(a.entries))
}

func (a *ActiveKeys) grow() {
	a.table = make([]uint32, max(64, 2*len(a.table)))
	for i := range a.entries {
		e := &a.entries[i]
		bucket := &a.table[e.hash&uint64(len(a.table)-1)]
		e.older, *bucket = *bucket, uint32(i+1)
	}
}

// Len is the number of entries.
func (a *ActiveKeys) Len() int { return len(a.entries) }

// Find appends the positions of the batches that have a key of this hash, the newest
// first.
func (a *ActiveKeys) Find(dst []uint32, hash uint64) []uint32 {
	if len(a.table) == 0 {
		return dst
	}
	for at := a.table[hash&uint64(len(a.table)-1)]; at > 0; at = a.entries[at-1].older {
		if e := &a.entries[at-1]; e.hash == hash {
			dst = append(dst, e.pos)
		}
	}
	return dst
}

// Sorted returns the entries in the order of the file.
func (a *ActiveKeys) Sorted() []KeyEntry {
	out := make([]KeyEntry, len(a.entries))
	for i, e := range a.entries {
		out[i] = KeyEntry{e.hash, e.pos}
	}
	slices.SortFunc(out, KeyEntry.Compare)
	return out
}
