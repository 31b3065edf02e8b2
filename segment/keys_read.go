package segment

import (
	"encoding/binary"
	"slices"
	"sync"

	"sordini/index"
	"sordini/protocol/batch"
)

// keyReadSize is how much is read at a time.
const keyReadSize = 256 << 10

// crcPos is where the checksum stands in a batch header.
const crcPos = 17

// crcOf is the checksum in the header of a batch.
func crcOf(b []byte) uint32 { return binary.BigEndian.Uint32(b[crcPos:]) }

// keyReader reads batches that are missing from a key index in memory.
type keyReader struct {
	s    *Segment
	h    *idleHandle
	over bool // may take more memory than there is

	buf    []byte
	hashes []uint64
}

var keyReaders = sync.Pool{New: func() any { return new(keyReader) }}

// release gives the reader back, without what an uncommonly large batch has made large.
func (r *keyReader) release() {
	r.s, r.h = nil, nil
	if cap(r.buf) > keyReadSize {
		r.buf = nil
	}
	if cap(r.hashes) > keyReadSize/8 {
		r.hashes = nil
	}
	keyReaders.Put(r)
}

// readBatch is a batch that was read.
type readBatch struct {
	pos    int64
	header batch.Header
	hashes []uint64
}

// step reads from where something is missing, as many whole batches as the buffer holds
// and at least one. It returns how many bytes these are.
func (r *keyReader) step() (took int64, err error) {
	hole := r.s.keys.growing.missing(r.s.size.Load())
	r.buf = slices.Grow(r.buf[:0], keyReadSize)
	b := r.buf[:min(keyReadSize, hole.to-hole.from)]
	if err := r.read(b, hole); err != nil {
		return 0, err
	}
	for len(b) > 0 {
		h, err := r.header(b, hole)
		if err != nil {
			return took, err
		}
		if took > 0 && (h.Length == 0 || h.Size() > int64(len(b))) {
			return took, nil // with the next step
		}
		if h.Size() > int64(len(b)) {
			r.buf = slices.Grow(r.buf[:0], int(h.Size()))
			b = r.buf[:h.Size()]
			if err := r.read(b, hole); err != nil {
				return took, err
			}
		}
		if err := r.take(b[:h.Size()], h, hole); err != nil {
			return took, err
		}
		b = b[h.Size():]
		hole.from, hole.next = hole.from+h.Size(), h.LastOffset()+1
		took += h.Size()
	}
	return took, nil
}

// read reads bytes whose headers are as they were written, and not known to be damaged,
// from the start of a hole.
func (r *keyReader) read(b []byte, hole keyHole) error {
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	if err := r.s.verify(r.h, sc, hole.from, hole.from+int64(len(b))); err != nil {
		return err
	}
	if d := r.s.Damages(); len(d) > 0 {
		return d[0].err(r.s)
	}
	if n, err := r.h.file.ReadAt(b, hole.from); n < len(b) {
		return r.s.readError(hole.from, hole.next, err)
	}
	return nil
}

// header is the header at the start of b, which is the start of the hole; zero if b is
// too short for one though the hole goes on.
func (r *keyReader) header(b []byte, hole keyHole) (batch.Header, error) {
	if len(b) < batch.HeaderSize {
		if hole.from+int64(len(b)) < hole.to {
			return batch.Header{}, nil
		}
		return batch.Header{}, r.s.readError(hole.from, hole.next, nil)
	}
	h, err := batch.ParseHeader(b)
	reason := ""
	if err != nil {
		reason = err.Error()
	} else {
		reason = r.s.plausible(&h, hole.from, hole.next, hole.to)
	}
	if reason != "" {
		return h, &CorruptError{File: r.s.Path(), Pos: hole.from, Offset: hole.next, Reason: reason}
	}
	return h, nil
}

// take takes in the batch b at the start of a hole.
func (r *keyReader) take(b []byte, h batch.Header, hole keyHole) error {
	if err := batch.CheckCRC(b, h); err != nil {
		return &CorruptError{File: r.s.Path(), Pos: hole.from, Offset: hole.next, Reason: err.Error()}
	}
	r.hashes = r.hashes[:0]
	if h.Codec() == batch.CodecNone {
		r.hashes = AppendKeyHashes(r.hashes, b, &h, r.s.opt.KeyHash)
	} else if !h.IsControl() {
		r.hashes = r.compressedKeys(r.hashes, b)
	}
	return r.s.keys.growing.fill(r.s.opt.Handles.keyMemory, &readBatch{hole.from, h, r.hashes}, r.over)
}

// compressedKeys appends the hashes of the keys of a batch. Of one that cannot be
// decoded they are those of the keys before: nobody will read the others.
func (r *keyReader) compressedKeys(dst []uint64, b []byte) []uint64 {
	for rec, err := range batch.Records(b, batch.Limits{}) {
		if err != nil {
			break
		}
		if rec.Key != nil {
			dst = append(dst, r.s.keyHash(rec.Key))
		}
	}
	return dst
}

// AppendKeyHashes appends to dst the hashes of the keys of the uncompressed batch b, as
// an [Entry] has them; hash is index.KeyHash if nil.
func AppendKeyHashes(dst []uint64, b []byte, h *batch.Header, hash func([]byte) uint64) []uint64 {
	if h.IsControl() {
		return dst
	}
	r := batch.NewKeyReader(b, h)
	for {
		key, ok := r.Next()
		if !ok {
			return dst
		}
		if hash == nil {
			dst = append(dst, index.KeyHash(key))
		} else {
			dst = append(dst, hash(key))
		}
	}
}
