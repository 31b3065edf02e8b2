package index

import "sync"

// chunkEntries is how many entries a chunk holds: it takes 4 KiB.
const (
	chunkEntries = 341
	chunkBytes   = 4096
)

// keyChunk is a piece of the key index of a growing segment. Entries that are there
// never change.
type keyChunk struct {
	hashes [chunkEntries]uint64
	pos    [chunkEntries]uint32
}

// KeyMemory is what all ActiveKeys together may take. It may be used by any number of
// goroutines.
type KeyMemory struct {
	mu    sync.Mutex
	limit int64
	used  int64 // bytes
	idle  []*keyChunk
}

// maxIdleChunks is how many chunks wait for their next use: those of a segment of
// 1 GiB that has a million records.
const maxIdleChunks = 3 << 10

// NewKeyMemory returns a memory of limit bytes.
func NewKeyMemory(limit int64) *KeyMemory { return &KeyMemory{limit: limit} }

// Full says whether nothing can be taken any more.
func (m *KeyMemory) Full() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used+chunkBytes > m.limit
}

// Used is the bytes taken.
func (m *KeyMemory) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// reserve takes bytes, beyond the limit too if over is set.
func (m *KeyMemory) reserve(bytes int64, over bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !over && m.used+bytes > m.limit {
		return false
	}
	m.used += bytes
	return true
}

func (m *KeyMemory) release(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= bytes
}

// take returns a chunk of any contents, nil if there is no memory for it.
func (m *KeyMemory) take(over bool) *keyChunk {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !over && m.used+chunkBytes > m.limit {
		return nil
	}
	m.used += chunkBytes
	if n := len(m.idle); n > 0 {
		c := m.idle[n-1]
		m.idle[n-1] = nil
		m.idle = m.idle[:n-1]
		return c
	}
	return new(keyChunk)
}

func (m *KeyMemory) give(chunks []*keyChunk) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= int64(len(chunks)) * chunkBytes
	m.idle = append(m.idle, chunks[:min(len(chunks), maxIdleChunks-len(m.idle))]...)
}

// ActiveKeys is the key index of a segment while it grows: its entries in no order, 12
// bytes each. One goroutine at a time calls Add and View; what View returned may be
// used meanwhile, until Free.
type ActiveKeys struct {
	chunks []*keyChunk
	n      int
}

// Add notes that the batch at pos has keys of these hashes. It says false if there is
// no memory for all of them, unless over is set; some may be there then.
func (a *ActiveKeys) Add(m *KeyMemory, hashes []uint64, pos uint32, over bool) bool {
	for len(hashes) > 0 {
		at := a.n % chunkEntries
		if at == 0 {
			c := m.take(over)
			if c == nil {
				return false
			}
			a.chunks = append(a.chunks, c)
		}
		c := a.chunks[len(a.chunks)-1]
		n := copy(c.hashes[at:], hashes)
		positions := c.pos[at : at+n]
		for i := range positions {
			positions[i] = pos
		}
		hashes = hashes[n:]
		a.n += n
	}
	return true
}

// Len is the number of entries. Some may be there twice.
func (a *ActiveKeys) Len() int { return a.n }

// View is the entries that there are now.
func (a *ActiveKeys) View() KeyView { return KeyView{chunks: a.chunks, n: a.n} }

// Free gives the memory back. No view may be in use.
func (a *ActiveKeys) Free(m *KeyMemory) {
	m.give(a.chunks)
	*a = ActiveKeys{}
}

// KeyView is the entries of an ActiveKeys at some time.
type KeyView struct {
	chunks []*keyChunk
	n      int
}

// chunk is the entries of chunk i, fewer than there are before the view's end.
func (v KeyView) chunk(i int) (hashes []uint64, pos []uint32) {
	c := v.chunks[i]
	n := min(chunkEntries, v.n-i*chunkEntries)
	return c.hashes[:n], c.pos[:n]
}

// count is the number of chunks that have entries.
func (v KeyView) count() int { return (v.n + chunkEntries - 1) / chunkEntries }

// Len is the number of entries. Some may be there twice.
func (v KeyView) Len() int { return v.n }

// Find appends the positions of the batches that have a key of this hash, in no order,
// and some perhaps twice.
func (v KeyView) Find(dst []uint32, hash uint64) []uint32 { return v.find(dst, hash, 0) }

// find is Find from the entry from on.
func (v KeyView) find(dst []uint32, hash uint64, from int) []uint32 {
	for i := from / chunkEntries; i < v.count(); i++ {
		hashes, pos := v.chunk(i)
		at := max(0, from-i*chunkEntries)
		for j, h := range hashes[at:] {
			if h == hash {
				dst = append(dst, pos[at+j])
			}
		}
	}
	return dst
}

// KeyTable finds keys in a large view without going over all of it: a hash table whose
// buckets are chains of entries. It takes some ten bytes an entry. The zero value is
// empty; one goroutine at a time uses it.
type KeyTable struct {
	buckets []uint32 // number of the newest entry of a bucket, plus one
	older   []uint32 // for each entry that of the next of its bucket, plus one
	taken   int64    // bytes
}

// tableFrom is from how many entries on a table pays: going over as many takes some
// microseconds.
const tableFrom = 16 << 10

// Find is Find of the view, which is one later than those that the table was asked for
// before, of the same ActiveKeys. A table for which there is no memory is not made.
func (t *KeyTable) Find(m *KeyMemory, v KeyView, dst []uint32, hash uint64) []uint32 {
	if v.n-len(t.older) >= tableFrom {
		t.extend(m, v)
	}
	if n := len(t.buckets); n > 0 {
		for at := t.buckets[hash>>32&uint64(n-1)]; at > 0; at = t.older[at-1] {
			c := v.chunks[(at-1)/chunkEntries]
			if i := (at - 1) % chunkEntries; c.hashes[i] == hash {
				dst = append(dst, c.pos[i])
			}
		}
	}
	return v.find(dst, hash, len(t.older))
}

// extend takes in the entries of the view that are not in the table yet.
func (t *KeyTable) extend(m *KeyMemory, v KeyView) {
	buckets := max(tableFrom, len(t.buckets))
	for buckets < v.n {
		buckets *= 2
	}
	if buckets > len(t.buckets) || v.n > cap(t.older) {
		room := 2 * buckets // for each bucket one number, for each entry another
		if !m.reserve(int64(room)*4-t.taken, false) {
			return
		}
		t.taken = int64(room) * 4
		t.buckets, t.older = make([]uint32, buckets), make([]uint32, 0, buckets)
	}
	from := len(t.older)
	t.older = t.older[:v.n]
	for i := from / chunkEntries; i < v.count(); i++ {
		hashes, _ := v.chunk(i)
		for j := max(0, from-i*chunkEntries); j < len(hashes); j++ {
			bucket := &t.buckets[hashes[j]>>32&uint64(len(t.buckets)-1)]
			at := i*chunkEntries + j
			t.older[at], *bucket = *bucket, uint32(at+1)
		}
	}
}

// Free gives the memory back.
func (t *KeyTable) Free(m *KeyMemory) {
	m.release(t.taken)
	*t = KeyTable{}
}
