package compact

import (
	"hash/maphash"
	"math/bits"
)

// Map is the last offset of each key. It keeps no keys but 128 bits of hash of each,
// under seeds of its own: that two of a billion keys meet has a chance below 10^-20.
type Map struct {
	seeds  [2]maphash.Seed
	shards [shardCount]shard
	limit  int     // slots of a shard
	load   float64 // how full a shard may become
	keys   int
}

const (
	// shardCount is in how many steps the map grows: only one of the shards is held
	// twice for a moment.
	shardCount = 1 << shardBits
	shardBits  = 6

	slotSize = 24 // bytes

	firstSlots = 32   // of a shard
	growAt     = 0.65 // how full a shard becomes while it can still grow

	maxLoad = 0.97 // a full table would be searched for ever
)

type shard struct {
	slots []slot
	keys  int
	most  int // keys from which on it has to grow
}

type slot struct {
	high, low uint64
	next      int64 // offset + 1; 0 in an empty slot
}

// NewMap returns an empty map that takes at most about memory bytes, and becomes
// load (0 to 1) full before it takes no more keys.
func NewMap(memory int64, load float64) *Map {
	m := &Map{load: min(max(load, 0.01), maxLoad), limit: int(max(memory/slotSize/shardCount, firstSlots))}
	m.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	return m
}

// Len is the number of keys.
func (m *Map) Len() int { return m.keys }

// Bytes is the memory in use.
func (m *Map) Bytes() int64 {
	n := int64(0)
	for i := range m.shards {
		n += int64(len(m.shards[i].slots)) * slotSize
	}
	return n
}

// Reset forgets all keys. The memory stays unless it is that of many more keys.
func (m *Map) Reset() {
	for i := range m.shards {
		s := &m.shards[i]
		if s.keys < len(s.slots)/8 {
			*s = shard{}
			continue
		}
		clear(s.slots)
		s.keys = 0
	}
	m.keys = 0
}

func (m *Map) hash(key []byte) (high, low uint64) {
	return maphash.Bytes(m.seeds[0], key), maphash.Bytes(m.seeds[1], key)
}

// find returns the slot of a hash, or the empty one where it would go.
func (s *shard) find(high, low uint64) *slot {
	i, _ := bits.Mul64(low, uint64(len(s.slots)))
	for {
		e := &s.slots[i]
		if e.next == 0 || e.low == low && e.high == high {
			return e
		}
		if i++; i == uint64(len(s.slots)) {
			i = 0
		}
	}
}

// Get returns the offset that was put last for a key.
func (m *Map) Get(key []byte) (offset int64, ok bool) {
	high, low := m.hash(key)
	s := &m.shards[high>>(64-shardBits)]
	if s.keys == 0 {
		return 0, false
	}
	e := s.find(high, low)
	return e.next - 1, e.next != 0
}

// Put notes the offset of a key. It is false, and nothing noted, if the key is new
// and the map is full.
func (m *Map) Put(key []byte, offset int64) bool {
	high, low := m.hash(key)
	s := &m.shards[high>>(64-shardBits)]
	if s.keys >= s.most {
		if s.keys > 0 {
			if e := s.find(high, low); e.next != 0 {
				e.next = offset + 1
				return true
			}
		}
		if !m.grow(s) {
			return false
		}
	}
	e := s.find(high, low)
	if e.next == 0 {
		e.high, e.low = high, low
		s.keys++
		m.keys++
	}
	e.next = offset + 1
	return true
}

// grow makes room for another key, if it may.
func (m *Map) grow(s *shard) bool {
	n := min(max(2*len(s.slots), firstSlots), m.limit)
	load := growAt
	if n == m.limit {
		load = m.load
	}
	if most := max(1, int(float64(n)*load)); n == len(s.slots) || most <= s.keys {
		return false
	}
	old := s.slots
	s.slots = make([]slot, n)
	s.most = max(1, int(float64(n)*load))
	for i := range old {
		if old[i].next != 0 {
			*s.find(old[i].high, old[i].low) = old[i]
		}
	}
	return true
}
