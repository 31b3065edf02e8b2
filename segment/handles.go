package segment

import (
	"slices"
	"sync"

	"sordini/index"
	"sordini/segment/vfs"
)

// Handles keeps open read handles between reads, for all segments together.
//
// A handle is checked out by one reader at a time, because sendfile moves the
// file's offset and holds the file while the peer drains. There are never more
// handles than reads in flight plus the idle maximum.
type Handles struct {
	fs  vfs.FS
	max int

	mu    sync.Mutex
	idle  map[*Segment][]*idleHandle
	count int
	// lru is the ring of idle handles; next is the least recently used.
	lru idleHandle

	blooms    blooms
	keyMemory *index.KeyMemory
}

type idleHandle struct {
	segment *Segment
	file    vfs.File
	index   vfs.File // the .index file; nil until it is asked for

	prev, next *idleHandle // in Handles.lru while idle
}

// openIndex returns the segment's offset index on disk.
func (ih *idleHandle) openIndex() (vfs.File, error) {
	if ih.index == nil {
		f, err := ih.segment.open(ih.segment.opt.FS, IndexSuffix)
		if err != nil {
			return nil, err
		}
		ih.index = f
	}
	return ih.index, nil
}

func (ih *idleHandle) close() {
	ih.file.Close()
	if ih.index != nil {
		ih.index.Close()
	}
}

// NewHandles returns a cache that keeps at most max idle handles open.
func NewHandles(fs vfs.FS, max int) *Handles {
	h := &Handles{fs: fs, max: max, idle: make(map[*Segment][]*idleHandle), keyMemory: index.NewKeyMemory(keyMemory)}
	h.lru.prev, h.lru.next = &h.lru, &h.lru
	return h
}

// take returns a handle of s for the caller alone.
func (h *Handles) take(s *Segment) (*idleHandle, error) {
	h.mu.Lock()
	if free := h.idle[s]; len(free) > 0 {
		ih := free[len(free)-1]
		h.removeLocked(ih)
		h.mu.Unlock()
		return ih, nil
	}
	h.mu.Unlock()
	f, err := s.open(h.fs, LogSuffix)
	if err != nil {
		return nil, err
	}
	return &idleHandle{segment: s, file: f}, nil
}

// give takes a handle back.
func (h *Handles) give(ih *idleHandle) {
	h.mu.Lock()
	if ih.segment.removed.Load() {
		h.mu.Unlock()
		ih.close()
		return
	}
	h.idle[ih.segment] = append(h.idle[ih.segment], ih)
	ih.prev, ih.next = h.lru.prev, &h.lru
	ih.prev.next, ih.next.prev = ih, ih
	h.count++
	var oldest *idleHandle
	if h.count > h.max {
		oldest = h.lru.next
		h.removeLocked(oldest)
		if len(h.idle[oldest.segment]) == 0 {
			delete(h.idle, oldest.segment)
		}
	}
	h.mu.Unlock()
	if oldest != nil {
		oldest.close()
	}
}

// removeLocked takes an idle handle out. The list of its segment stays, also
// empty, so that it need not be made anew when the handle comes back.
func (h *Handles) removeLocked(ih *idleHandle) {
	ih.prev.next, ih.next.prev = ih.next, ih.prev
	ih.prev, ih.next = nil, nil
	h.count--
	free := h.idle[ih.segment]
	at := slices.Index(free, ih)
	h.idle[ih.segment] = slices.Delete(free, at, at+1)
}

// drop closes the idle handles of s, which is going away.
func (h *Handles) drop(s *Segment) {
	h.blooms.drop(s)
	h.mu.Lock()
	closing := slices.Clone(h.idle[s])
	for _, ih := range closing {
		h.removeLocked(ih)
	}
	delete(h.idle, s)
	h.mu.Unlock()
	for _, ih := range closing {
		ih.close()
	}
}
