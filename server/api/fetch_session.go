package api

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/meta"
)

// sessions are the fetch sessions (KIP-227): a consumer names its partitions once
// and then only what changes, and is answered only what changed.
type sessions struct {
	max int // max.incremental.fetch.session.cache.slots

	mu         sync.Mutex
	byID       map[int32]*session
	partitions int // in all sessions together
}

const (
	// evictAfter is how long a session must have been idle to make room for a new
	// one (Kafka's min.incremental.fetch.session.eviction.ms).
	evictAfter = 2 * time.Minute
	// maxCached bounds the partitions that all sessions remember.
	maxCached = 1_000_000
)

func newSessions(max int) *sessions { return &sessions{max: max, byID: make(map[int32]*session)} }

// session is what a consumer has named.
type session struct {
	id   int32
	byID bool // topics are named by id

	// Guarded by sessions.mu.
	epoch int32
	used  time.Time
	size  int

	mu    sync.Mutex
	items []*cachedPartition // in the order in which they are served
	index map[cachedKey]*cachedPartition
}

type cachedKey struct {
	topic string
	id    meta.TopicID
	index int32
}

// cachedPartition is a partition of a session and what was last told of it.
type cachedPartition struct {
	item        fetchItem
	told        bool
	high, start int64
	owner       *session
}

// create opens a session, nil if there is no room: the client then goes on
// without one.
func (s *sessions) create(items []fetchItem, byID bool, now time.Time) *session {
	n := &session{byID: byID, epoch: 1, used: now, index: make(map[cachedKey]*cachedPartition, len(items))}
	s.mu.Lock()
	if !s.makeRoomLocked(len(items), now) {
		s.mu.Unlock()
		return nil
	}
	for n.id = rand.Int32(); n.id == 0 || s.byID[n.id] != nil; n.id = rand.Int32() {
	}
	s.byID[n.id] = n
	n.size = len(items)
	s.partitions += n.size
	s.mu.Unlock()
	for i := range items {
		items[i].cached = n.add(items[i])
	}
	return n
}

func (s *sessions) makeRoomLocked(partitions int, now time.Time) bool {
	for len(s.byID) >= s.max || s.partitions+partitions > maxCached {
		var oldest *session
		for _, c := range s.byID {
			if oldest == nil || c.used.Before(oldest.used) {
				oldest = c
			}
		}
		if oldest == nil || now.Sub(oldest.used) < evictAfter {
			return false
		}
		s.dropLocked(oldest)
	}
	return true
}

func (s *sessions) dropLocked(c *session) {
	delete(s.byID, c.id)
	s.partitions -= c.size
}

// drop ends a session.
func (s *sessions) drop(id int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.byID[id]; c != nil {
		s.dropLocked(c)
	}
}

// use finds the session of an incremental request and moves its epoch on.
func (s *sessions) use(id, epoch int32, byID bool, now time.Time) (*session, *kerr.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.byID[id]
	switch {
	case c == nil:
		return nil, kerr.FetchSessionIDNotFound
	case c.epoch != epoch:
		return nil, kerr.InvalidFetchSessionEpoch
	case c.byID != byID:
		return nil, kerr.FetchSessionTopicIDError
	}
	if c.epoch++; c.epoch <= 0 {
		c.epoch = 1
	}
	c.used = now
	return c, nil
}

// admit says whether a session may remember more partitions.
func (s *sessions) admit(more int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return more == 0 || s.partitions+more <= maxCached
}

func (c *session) key(topic string, id meta.TopicID, index int32) cachedKey {
	if c.byID {
		return cachedKey{id: id, index: index}
	}
	return cachedKey{topic: topic, index: index}
}

func (c *session) add(it fetchItem) *cachedPartition {
	k := c.key(it.topic, it.id, it.index)
	p := c.index[k]
	if p == nil {
		p = &cachedPartition{owner: c}
		c.index[k] = p
		c.items = append(c.items, p)
	}
	p.item = it
	return p
}

// update takes in what a request adds, changes and forgets, and returns all that
// the session asks for, in the same slice.
func (c *session) update(changed []fetchItem, forgotten []kmsg.FetchRequestForgottenTopic) []fetchItem {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, it := range changed {
		c.add(it)
	}
	gone := false
	for _, t := range forgotten {
		for _, index := range t.Partitions {
			k := c.key(t.Topic, t.TopicID, index)
			if c.index[k] != nil {
				delete(c.index, k)
				gone = true
			}
		}
	}
	if gone {
		c.compactLocked()
	}
	items := changed[:0]
	for _, p := range c.items {
		items = append(items, p.item)
		items[len(items)-1].cached = p
	}
	return items
}

func (c *session) compactLocked() {
	kept := c.items[:0]
	for _, p := range c.items {
		if c.index[c.key(p.item.topic, p.item.id, p.item.index)] == p {
			kept = append(kept, p)
		}
	}
	clear(c.items[len(kept):])
	c.items = kept
}

// resize accounts for what update has changed.
func (s *sessions) resize(c *session) {
	c.mu.Lock()
	size := len(c.items)
	c.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[c.id] == c {
		s.partitions += size - c.size
		c.size = size
	}
}

// serve notes what the client is told of the partitions and says which of them
// an incremental answer has to name: those with data, an error, or other offsets
// than before. Those with data go to the end of the queue, so that none starves.
func (c *session) serve(results []fetchResult) {
	c.mu.Lock()
	defer c.mu.Unlock()
	moved := false
	for i := range results {
		r := &results[i]
		p := r.item.cached
		if p == nil {
			continue
		}
		r.unchanged = p.told && r.code == 0 && r.size == 0 && p.high == r.high && p.start == r.start && !r.diverging
		p.told = r.code == 0
		p.high, p.start = r.high, r.start
		if r.size > 0 {
			moved = true
		}
	}
	if moved {
		c.rotateLocked(results)
	}
}

func (c *session) rotateLocked(results []fetchResult) {
	served := make(map[*cachedPartition]bool)
	for i := range results {
		if results[i].size > 0 {
			served[results[i].item.cached] = true
		}
	}
	order := make([]*cachedPartition, 0, len(c.items))
	for _, p := range c.items {
		if !served[p] {
			order = append(order, p)
		}
	}
	for _, p := range c.items {
		if served[p] {
			order = append(order, p)
		}
	}
	c.items = order
}
