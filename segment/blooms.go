package segment

import (
	"container/list"
	"sync"

	"sordini/index"
)

// bloomMemory is how many bytes of bloom filters are held in memory, of all segments
// together: those of some fifty million keys. Others are read when they are asked.
const bloomMemory = 64 << 20

// blooms keeps the bloom filters that were asked last. The zero value is empty.
type blooms struct {
	mu    sync.Mutex
	of    map[*Segment]*list.Element
	order list.List // of bloomOf, the one asked last in front
	bytes int64
}

type bloomOf struct {
	segment *Segment
	bloom   *index.Bloom
}

func (b *blooms) get(s *Segment) *index.Bloom {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.of[s]
	if e == nil {
		return nil
	}
	b.order.MoveToFront(e)
	return e.Value.(bloomOf).bloom
}

func (b *blooms) put(s *Segment, f *index.Bloom) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropLocked(s)
	if s.removed.Load() { // drop has been here
		return
	}
	if b.of == nil {
		b.of = make(map[*Segment]*list.Element)
	}
	b.of[s] = b.order.PushFront(bloomOf{s, f})
	b.bytes += f.Bytes()
	for b.bytes > bloomMemory && b.order.Len() > 1 {
		b.dropLocked(b.order.Back().Value.(bloomOf).segment)
	}
}

func (b *blooms) drop(s *Segment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropLocked(s)
}

func (b *blooms) dropLocked(s *Segment) {
	if e := b.of[s]; e != nil {
		b.bytes -= b.order.Remove(e).(bloomOf).bloom.Bytes()
		delete(b.of, s)
	}
}
