package meta

import (
	"iter"
	"slices"
	"sort"
)

// chunkMax is the largest number of elements in a chunk. A change copies one
// chunk and the list of chunks: with 100,000 elements about 20 KiB.
const chunkMax = 256

// ordered is an immutable sorted set of values with unique keys. A change returns
// a new set that shares all but one chunk with the old one. The zero value is not
// usable: keyOf and compare must be set.
type ordered[K, V any] struct {
	keyOf   func(V) K
	compare func(a, b K) int
	chunks  [][]V // ascending; none is empty or longer than chunkMax
	size    int
}

// find returns where key is, or where it would have to be inserted.
func (o ordered[K, V]) find(key K) (chunk, pos int, found bool) {
	if len(o.chunks) == 0 {
		return 0, 0, false
	}
	chunk = sort.Search(len(o.chunks)-1, func(i int) bool {
		c := o.chunks[i]
		return o.compare(o.keyOf(c[len(c)-1]), key) >= 0
	})
	pos, found = slices.BinarySearchFunc(o.chunks[chunk], key, func(v V, k K) int {
		return o.compare(o.keyOf(v), k)
	})
	return chunk, pos, found
}

// get returns the value with that key.
func (o ordered[K, V]) get(key K) (v V, ok bool) {
	chunk, pos, found := o.find(key)
	if !found {
		return v, false
	}
	return o.chunks[chunk][pos], true
}

// put adds v or replaces the value with its key.
func (o ordered[K, V]) put(v V) ordered[K, V] {
	if len(o.chunks) == 0 {
		o.chunks, o.size = [][]V{{v}}, 1
		return o
	}
	chunk, pos, found := o.find(o.keyOf(v))
	old := o.chunks[chunk]
	if found {
		changed := slices.Clone(old)
		changed[pos] = v
		o.chunks = splice(o.chunks, chunk, 1, changed)
		return o
	}
	changed := make([]V, 0, len(old)+1)
	changed = append(append(append(changed, old[:pos]...), v), old[pos:]...)
	o.size++
	if half := len(changed) / 2; len(changed) > chunkMax {
		o.chunks = splice(o.chunks, chunk, 1, slices.Clone(changed[:half]), slices.Clone(changed[half:]))
		return o
	}
	o.chunks = splice(o.chunks, chunk, 1, changed)
	return o
}

// remove takes out the value with that key, if it is there. Small neighbours are
// joined, so that removing most elements leaves few chunks.
func (o ordered[K, V]) remove(key K) ordered[K, V] {
	chunk, pos, found := o.find(key)
	if !found {
		return o
	}
	o.size--
	old := o.chunks[chunk]
	changed := slices.Concat(old[:pos], old[pos+1:])
	next := chunk + 1
	switch {
	case len(changed) == 0:
		o.chunks = splice(o.chunks, chunk, 1)
	case next < len(o.chunks) && len(changed)+len(o.chunks[next]) <= chunkMax/2:
		o.chunks = splice(o.chunks, chunk, 2, slices.Concat(changed, o.chunks[next]))
	case chunk > 0 && len(changed)+len(o.chunks[chunk-1]) <= chunkMax/2:
		o.chunks = splice(o.chunks, chunk-1, 2, slices.Concat(o.chunks[chunk-1], changed))
	default:
		o.chunks = splice(o.chunks, chunk, 1, changed)
	}
	return o
}

// all yields the values in order.
func (o ordered[K, V]) all() iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, c := range o.chunks {
			for _, v := range c {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// splice returns a copy of chunks in which n chunks from i on are replaced.
func splice[V any](chunks [][]V, i, n int, by ...[]V) [][]V {
	return slices.Concat(chunks[:i], by, chunks[i+n:])
}
