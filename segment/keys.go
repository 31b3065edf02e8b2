package segment

import (
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"sordini/index"
)

// The key index of a segment grows in memory. Append takes in the hashes of keys that
// come with the batches. What comes without, or was there before, is left out, and
// IndexKeys reads it: each stretch of the file is in the index, or in holes, or behind
// source.Size. Once the segment is sealed, WriteKeys moves the index to the .keyindex
// and .bloom files. What is on disk is used if its checksums are right and it was made
// from this very .log file; otherwise it counts as missing and is made again, by reading.
// A segment in which IndexKeys meets a damaged batch has no key index: who looks for a
// key has to meet the damage.
//
// All segments together have keyMemory for what is not on disk yet. Where that does not
// suffice Append leaves out what it has no memory for, and IndexKeys reads it when the
// segment is sealed and its index goes to disk at once.

// keys is the key index of a segment.
type keys struct {
	// mu is held while anything here is used or changed, and by who cuts the segment;
	// for as long as it takes to read a file, so that Append does not ask for it.
	mu     sync.Mutex
	tried  bool        // to find the index on disk
	disk   *index.Keys // nil if it is not on disk
	failed error       // why there cannot be one
	table  index.KeyTable

	growing growingKeys

	files   atomic.Bool // one of the files was seen or written
	settled atomic.Bool // disk or failed is set
}

// growingKeys is the key index in memory.
type growingKeys struct {
	// mu is held for moments only. Who frees entries holds keys.mu too.
	mu      sync.Mutex
	entries index.ActiveKeys
	source  index.KeySource // up to Size all is in entries, but for the holes
	next    int64           // offset behind that
	holes   []keyHole       // by rising position
}

// keyHole is a stretch of batches that are not in the index.
type keyHole struct {
	from, to int64 // positions
	next     int64 // no batch in it has a smaller offset
}

const (
	// keyMemory is how many bytes the key indexes of growing segments may take, of all
	// together: those of some twenty million records.
	keyMemory = 256 << 20

	// maxKeys bounds the entries of one segment: they are in memory while the index is
	// written.
	maxKeys = 1 << 25

	// maxKeyHoles bounds the holes of one segment. When there are more, the last takes in
	// what lies between.
	maxKeyHoles = 64
)

// errTooManyKeys: a segment has more than maxKeys entries.
var errTooManyKeys = errors.New("too many keys for a key index")

func (s *Segment) lockKeys() { s.keys.mu.Lock() }

// unlockKeys gives keys.mu back. If Close has come meanwhile the memory goes: Close does
// not wait for who reads a file.
func (s *Segment) unlockKeys() {
	s.keys.mu.Unlock()
	if s.removed.Load() {
		s.freeKeys()
	}
}

// freeKeys frees the memory of the key index of a closed segment, or leaves that to who
// holds keys.mu.
func (s *Segment) freeKeys() {
	if s.keys.mu.TryLock() {
		s.emptyKeys()
		s.keys.mu.Unlock()
	}
}

// emptyKeys frees the key index in memory, so that all of the file is to be read. The
// caller holds keys.mu.
func (s *Segment) emptyKeys() {
	m := s.opt.Handles.keyMemory
	s.keys.table.Free(m)
	g := &s.keys.growing
	g.mu.Lock()
	defer g.mu.Unlock()
	g.entries.Free(m)
	g.source, g.next, g.holes = index.KeySource{Base: s.base}, s.base, nil
}

// dropKeys forgets the key index. The caller holds keys.mu.
func (s *Segment) dropKeys() {
	s.emptyKeys()
	k := &s.keys
	k.disk, k.failed = nil, nil
	k.settled.Store(false)
	s.opt.Handles.blooms.drop(s)
}

// failKeys notes that the segment cannot have a key index. The caller holds keys.mu.
func (s *Segment) failKeys(err error) {
	s.emptyKeys()
	s.keys.failed = err
	s.keys.settled.Store(true)
}

// ForgetKeys drops the key index, which has led to where no batch is.
func (s *Segment) ForgetKeys() {
	s.lockKeys()
	defer s.unlockKeys()
	s.dropKeys()
	s.keys.tried = true
}

// FreeKeys frees the memory that the key index takes. What was in it would have to be
// read again.
func (s *Segment) FreeKeys() {
	s.lockKeys()
	defer s.unlockKeys()
	s.emptyKeys()
}

func (s *Segment) keyHash(key []byte) uint64 {
	if s.opt.KeyHash != nil {
		return s.opt.KeyHash(key)
	}
	return index.KeyHash(key)
}

// Sealed says whether the segment is complete and durable.
func (s *Segment) Sealed() bool { return s.active.Load() == nil }

// noteKeys takes in the keys that come with an append. A batch without them, or without
// memory for them, becomes a hole when one behind it has them.
func (s *Segment) noteKeys(bufs [][]byte, entries []Entry, pos int64) {
	has := func(e Entry) bool { return e.HasKeys }
	if !slices.ContainsFunc(entries, has) || s.keys.settled.Load() {
		return
	}
	g := &s.keys.growing
	g.mu.Lock()
	if !s.removed.Load() { // else it is freed, or about to be
		g.note(s.opt.Handles.keyMemory, bufs, entries, pos)
	}
	g.mu.Unlock()
}

// note is noteKeys for who holds mu.
func (g *growingKeys) note(m *index.KeyMemory, bufs [][]byte, entries []Entry, pos int64) {
	var rest []byte
	for i := range entries {
		e := &entries[i]
		if len(rest) == 0 {
			rest, bufs = bufs[0], bufs[1:]
		}
		if e.HasKeys && pos >= g.source.Size && g.entries.Len() <= maxKeys &&
			g.entries.Add(m, e.Keys, uint32(pos), false) {
			g.skipTo(pos)
			g.advance(pos, e.Size, e.LastOffset, crcOf(rest))
		}
		rest = rest[e.Size:]
		pos += e.Size
	}
}

// skipTo makes a hole of what lies between the end of the index and a position.
func (g *growingKeys) skipTo(pos int64) {
	n := len(g.holes)
	switch {
	case pos == g.source.Size:
		return
	case n > 0 && (n >= maxKeyHoles || g.holes[n-1].to == g.source.Size):
		g.holes[n-1].to = pos // entries that are there already will be there twice
	default:
		g.holes = append(g.holes, keyHole{g.source.Size, pos, g.next})
	}
}

// advance notes that the index goes to the end of a batch at pos.
func (g *growingKeys) advance(pos, size, lastOffset int64, crc uint32) {
	g.source.Size, g.next = pos+size, lastOffset+1
	g.source.LastPos, g.source.LastCRC = uint32(pos), crc
}

// missing is the first stretch of a segment of size bytes that is not in the index;
// empty if there is none.
func (g *growingKeys) missing(size int64) keyHole {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.holes) > 0 {
		return g.holes[0]
	}
	return keyHole{g.source.Size, max(size, g.source.Size), g.next}
}

// fill takes in a batch at the start of what is missing.
func (g *growingKeys) fill(m *index.KeyMemory, b *readBatch, over bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.entries.Add(m, b.hashes, uint32(b.pos), over) {
		return errNoKeyMemory
	}
	if g.entries.Len() > maxKeys {
		return errTooManyKeys
	}
	end := b.pos + b.header.Size()
	if len(g.holes) == 0 {
		g.advance(b.pos, b.header.Size(), b.header.LastOffset(), b.header.CRC)
		return nil
	}
	first := &g.holes[0]
	first.from, first.next = end, b.header.LastOffset()+1
	if first.from >= first.to {
		g.holes = g.holes[1:]
	}
	return nil
}

// errNoKeyMemory: keyMemory is used up.
var errNoKeyMemory = errors.New("no memory for more keys")

// view is the entries that there are.
func (g *growingKeys) view() index.KeyView {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.entries.View()
}

// keysMissing says whether batches below a limit are missing from the index in memory.
func (s *Segment) keysMissing(limit int64) bool {
	h := s.keys.growing.missing(s.size.Load())
	return h.from < min(h.to, limit)
}

// KeysSettled says whether there is nothing to do for the segment's key index: it is on
// disk, or cannot be made.
func (s *Segment) KeysSettled() bool {
	if s.keys.settled.Load() {
		return true
	}
	s.lockKeys()
	defer s.unlockKeys()
	return s.loadKeys() != nil
}

// IndexKeys reads up to about most bytes that are missing from the key index in memory,
// and returns how many; 0 if nothing is left, or if there is no memory as long as the
// segment is not sealed. A *CorruptError stays: the segment can have no key index.
func (s *Segment) IndexKeys(most int64) (int64, error) {
	s.lockKeys()
	defer s.unlockKeys()
	return s.indexKeys(most, math.MaxInt64, s.Sealed())
}

// indexKeys is IndexKeys for what lies below a limit. With over it may take more memory
// than there is.
func (s *Segment) indexKeys(most, limit int64, over bool) (int64, error) {
	k := &s.keys
	if k.failed != nil || s.loadKeys() != nil {
		return 0, k.failed
	}
	if !s.keysMissing(limit) || !over && s.opt.Handles.keyMemory.Full() {
		return 0, nil
	}
	h, err := s.opt.Handles.take(s)
	if err != nil {
		return 0, err
	}
	defer s.opt.Handles.give(h)
	r := keyReaders.Get().(*keyReader)
	defer r.release()
	r.s, r.h, r.over = s, h, over
	n := int64(0)
	for err == nil && n < most && s.keysMissing(limit) {
		var read int64
		read, err = r.step()
		n += read
	}
	var corrupt *CorruptError
	switch {
	case errors.Is(err, errNoKeyMemory):
		return 0, nil
	case errors.As(err, &corrupt), errors.Is(err, errTooManyKeys):
		s.failKeys(err)
	}
	return n, err
}
