package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"sordini/index"
	"sordini/protocol/batch"
)

// The key index of a segment is made by reading it, not by who appends: IndexKeys
// takes in what has come since it was last called, into memory, and once the segment
// is sealed WriteKeys moves it to the .keyindex and .bloom files. What is on disk is
// used if its checksums are right and it was made from this very .log file; otherwise
// it counts as missing and is made again. A segment in which a batch is damaged has no
// key index: who looks for a key has to meet the damage.

// keys is the key index of a segment.
type keys struct {
	// mu is held while anything here is used or changed, and by who cuts the segment.
	mu     sync.Mutex
	tried  bool        // to find the index on disk
	disk   *index.Keys // nil if it is not on disk
	memory *index.ActiveKeys
	source index.KeySource // of what is in memory; Size is how far it has come
	next   int64           // offset behind that
	failed error           // why there cannot be one

	files atomic.Bool // one of the files was seen or written
}

// maxKeys bounds the entries of one segment: they are in memory while the index is
// made.
const maxKeys = 1 << 25

// errTooManyKeys: a segment has more than maxKeys entries.
var errTooManyKeys = errors.New("too many keys for a key index")

// dropKeys forgets the key index. The caller holds keys.mu.
func (s *Segment) dropKeys() {
	k := &s.keys
	k.disk, k.memory, k.failed, k.next, k.source = nil, nil, nil, s.base, index.KeySource{}
	s.opt.Handles.blooms.drop(s)
}

func (s *Segment) keyHash(key []byte) uint64 {
	if s.opt.KeyHash != nil {
		return s.opt.KeyHash(key)
	}
	return index.KeyHash(key)
}

// Sealed says whether the segment is complete and durable.
func (s *Segment) Sealed() bool { return s.active.Load() == nil }

// KeysOnDisk says whether the segment has its key index on disk.
func (s *Segment) KeysOnDisk() bool {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	return s.loadKeys() != nil
}

// IndexKeys takes up to about most bytes into the key index in memory, and returns how
// many; 0 if nothing is left. A *CorruptError stays: the segment can have no key index.
func (s *Segment) IndexKeys(most int64) (int64, error) {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	return s.indexKeys(most)
}

func (s *Segment) indexKeys(most int64) (int64, error) {
	k := &s.keys
	size := s.size.Load()
	if k.failed != nil || s.loadKeys() != nil || k.source.Size >= size {
		return 0, k.failed
	}
	if k.memory == nil {
		k.memory, k.source, k.next = new(index.ActiveKeys), index.KeySource{Base: s.base}, s.base
	}
	h, err := s.opt.Handles.take(s)
	if err != nil {
		return 0, err
	}
	defer s.opt.Handles.give(h)
	r := keyReader{s: s, h: h, buf: make([]byte, min(keyReadSize, size-k.source.Size))}
	from := k.source.Size
	for err == nil && k.source.Size < size && k.source.Size-from < most {
		if err = r.step(size); err == nil && k.memory.Len() > maxKeys {
			err = errTooManyKeys
		}
	}
	var corrupt *CorruptError
	if errors.As(err, &corrupt) || errors.Is(err, errTooManyKeys) {
		k.failed, k.memory = err, nil
	}
	return k.source.Size - from, err
}

// keyReadSize is how much is read at a time.
const keyReadSize = 256 << 10

// keyReader reads batches into the key index in memory.
type keyReader struct {
	s      *Segment
	h      *idleHandle
	buf    []byte
	filter batch.Filter
}

// step reads from where the index ends, as many whole batches as the buffer holds and
// at least one.
func (r *keyReader) step(size int64) error {
	pos := r.s.keys.source.Size
	b := r.buf[:min(int64(len(r.buf)), size-pos)]
	if err := r.read(b, pos); err != nil {
		return err
	}
	for took := false; len(b) > 0; took = true {
		h, err := r.header(b, pos, size)
		if err != nil {
			return err
		}
		if took && (h.Length == 0 || h.Size() > int64(len(b))) {
			return nil // with the next step
		}
		if h.Size() > int64(len(b)) {
			r.buf = make([]byte, h.Size())
			b = r.buf
			if err := r.read(b, pos); err != nil {
				return err
			}
		}
		if err := r.take(b[:h.Size()], h, pos); err != nil {
			return err
		}
		b = b[h.Size():]
		pos += h.Size()
	}
	return nil
}

// read reads bytes whose headers are as they were written, and not known to be damaged.
func (r *keyReader) read(b []byte, pos int64) error {
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	if err := r.s.verify(r.h, sc, pos, pos+int64(len(b))); err != nil {
		return err
	}
	if d := r.s.Damages(); len(d) > 0 {
		return d[0].err(r.s)
	}
	if n, err := r.h.file.ReadAt(b, pos); n < len(b) {
		return r.s.readError(pos, r.s.keys.next, err)
	}
	return nil
}

// header is the header at the start of b, which is at pos in the file; zero if b is too
// short for one though the file goes on.
func (r *keyReader) header(b []byte, pos, size int64) (batch.Header, error) {
	next := r.s.keys.next
	if len(b) < batch.HeaderSize {
		if pos+int64(len(b)) < size {
			return batch.Header{}, nil
		}
		return batch.Header{}, r.s.readError(pos, next, nil)
	}
	h, err := batch.ParseHeader(b)
	reason := ""
	if err != nil {
		reason = err.Error()
	} else {
		reason = r.s.plausible(&h, pos, next, size)
	}
	if reason != "" {
		return h, &CorruptError{File: r.s.Path(), Pos: pos, Offset: next, Reason: reason}
	}
	return h, nil
}

// take takes one batch in.
func (r *keyReader) take(b []byte, h batch.Header, pos int64) error {
	k := &r.s.keys
	if err := batch.CheckCRC(b, h); err != nil {
		return &CorruptError{File: r.s.Path(), Pos: pos, Offset: k.next, Reason: err.Error()}
	}
	if !h.IsControl() {
		r.addKeys(b, h, uint32(pos))
	}
	k.source.LastPos, k.source.LastCRC = uint32(pos), h.CRC
	k.source.Size, k.next = pos+h.Size(), h.LastOffset()+1
	return nil
}

// addKeys adds the keys of a batch. Of one that cannot be decoded it adds those that
// can be: nobody will read the others.
func (r *keyReader) addKeys(b []byte, h batch.Header, pos uint32) {
	memory := r.s.keys.memory
	if h.Codec() == batch.CodecNone {
		_ = r.filter.Each(b, func(rec batch.KeyedRecord) bool {
			if rec.Key != nil {
				memory.Add(r.s.keyHash(rec.Key), pos)
			}
			return true
		})
		return
	}
	for rec, err := range batch.Records(b, batch.Limits{}) {
		if err != nil {
			return
		}
		if rec.Key != nil {
			memory.Add(r.s.keyHash(rec.Key), pos)
		}
	}
}

// WriteKeys moves the key index of a sealed segment from memory, where it is complete,
// to disk and returns the bytes written. The caller sees to it that the files do not
// change their names meanwhile.
func (s *Segment) WriteKeys() (int64, error) {
	k := &s.keys
	k.mu.Lock()
	defer k.mu.Unlock()
	if !s.Sealed() || k.memory == nil || k.source.Size != s.size.Load() {
		return 0, nil
	}
	entries := k.memory.Sorted()
	bloom := index.NewBloom(k.source, entries)
	bloomBytes, err := s.writeStream(BloomSuffix, bloom.Write)
	if err != nil {
		return 0, err
	}
	keyBytes, err := s.writeStream(KeyIndexSuffix, func(w io.Writer) error { return index.WriteKeys(w, k.source, entries) })
	if err != nil {
		return bloomBytes, err
	}
	k.memory, k.tried = nil, false
	if s.loadKeys() == nil {
		k.failed = fmt.Errorf("%s: %w: it was just written", s.path(KeyIndexSuffix), index.ErrKeys)
	}
	return bloomBytes + keyBytes, k.failed
}

// writeStream is WriteFile for contents that are made as they are written.
func (s *Segment) writeStream(suffix string, write func(io.Writer) error) (int64, error) {
	s.keys.files.Store(true)
	name := s.path(suffix)
	f, err := s.opt.FS.OpenFile(name+TempSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", name, err)
	}
	w := &pieces{write: f.WriteAt}
	err = write(w)
	if err == nil {
		err = w.flush()
	}
	if err == nil {
		err = f.SyncData()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = s.opt.FS.Rename(name+TempSuffix, name)
	}
	if err != nil {
		_ = s.opt.FS.Remove(name + TempSuffix)
		return 0, fmt.Errorf("write %s: %w", name, err)
	}
	return w.pos, nil
}

// pieces writes a stream in large pieces.
type pieces struct {
	write func(b []byte, pos int64) (int, error)
	buf   []byte
	pos   int64
}

func (w *pieces) Write(b []byte) (int, error) {
	w.buf = append(w.buf, b...)
	if len(w.buf) < 1<<20 {
		return len(b), nil
	}
	return len(b), w.flush()
}

func (w *pieces) flush() error {
	n, err := w.write(w.buf, w.pos)
	w.pos += int64(n)
	w.buf = w.buf[:0]
	return err
}

// loadKeys returns the key index on disk, nil if there is none that can be used. The
// caller holds keys.mu.
func (s *Segment) loadKeys() *index.Keys {
	k := &s.keys
	if k.tried || !s.Sealed() {
		return k.disk
	}
	k.tried = true
	disk, err := s.openKeys()
	if err != nil {
		return nil
	}
	bloom, err := s.readBloom()
	if err != nil || bloom.Source != disk.Source {
		return nil
	}
	s.opt.Handles.blooms.put(s, bloom)
	k.disk, k.memory = disk, nil
	return disk
}

// openKeys opens the key index and makes sure that it was made from this .log file.
func (s *Segment) openKeys() (*index.Keys, error) {
	f, err := s.open(s.opt.FS, KeyIndexSuffix)
	if !errors.Is(err, fs.ErrNotExist) {
		s.keys.files.Store(true)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	disk, err := index.OpenKeys(f, size)
	if err != nil {
		return nil, err
	}
	src := disk.Source
	if src.Base != s.base || src.Size != s.size.Load() {
		return nil, fmt.Errorf("%w: it is of another segment", index.ErrKeys)
	}
	if src.Size == 0 {
		return disk, nil
	}
	h, err := s.opt.Handles.take(s)
	if err != nil {
		return nil, err
	}
	defer s.opt.Handles.give(h)
	b := make([]byte, batch.HeaderSize)
	if n, err := h.file.ReadAt(b, int64(src.LastPos)); n < len(b) {
		return nil, s.readError(int64(src.LastPos), -1, err)
	}
	last, err := batch.ParseHeader(b)
	if err != nil || last.CRC != src.LastCRC || int64(src.LastPos)+last.Size() != src.Size {
		return nil, fmt.Errorf("%w: it is of another segment", index.ErrKeys)
	}
	return disk, nil
}

// maxBloomSize bounds what is read: it is more than maxKeys keys take.
const maxBloomSize = maxKeys/8*index.BloomBits + 4096

func (s *Segment) readBloom() (*index.Bloom, error) {
	f, err := s.open(s.opt.FS, BloomSuffix)
	if !errors.Is(err, fs.ErrNotExist) {
		s.keys.files.Store(true)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > maxBloomSize {
		return nil, fmt.Errorf("%w: bloom filter of %d bytes", index.ErrKeys, size)
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); int64(n) < size {
		return nil, fmt.Errorf("read %s: %w", s.path(BloomSuffix), err)
	}
	return index.ParseBloom(b)
}

// Lookup is what a key index says of a key.
type Lookup struct {
	// Known is false if the segment has no key index: it has to be scanned.
	Known bool
	// Bloomed says that a bloom filter was asked, Passed that it let the key pass.
	Bloomed, Passed bool
	// Positions are where batches start that have records with the key's hash, which
	// may be other keys, in order.
	Positions []uint32
}

// FindKey asks the key index for up to most batches that start below limit, the
// newest or the oldest from the position from on.
func (s *Segment) FindKey(key []byte, from, limit int64, most int, newest bool) (Lookup, error) {
	hash := s.keyHash(key)
	if s.removed.Load() {
		return Lookup{}, ErrClosed
	}
	k := &s.keys
	k.mu.Lock()
	disk := s.loadKeys()
	if disk == nil {
		defer k.mu.Unlock()
		return s.findInMemory(hash, from, limit, most, newest)
	}
	k.mu.Unlock()
	l, err := s.findOnDisk(disk, hash, from, limit, most, newest)
	if err == nil || errors.Is(err, ErrClosed) {
		return l, err
	}
	s.ForgetKeys() // it is made again, from the .log file
	return Lookup{}, nil
}

func (s *Segment) findInMemory(hash uint64, from, limit int64, most int, newest bool) (Lookup, error) {
	k := &s.keys
	for k.source.Size < min(limit, s.size.Load()) {
		if s.Sealed() && k.memory == nil {
			return Lookup{}, nil // to be made in the background
		}
		if _, err := s.indexKeys(math.MaxInt64); err != nil {
			if errors.Is(err, ErrClosed) {
				return Lookup{}, err
			}
			return Lookup{}, nil
		}
	}
	if k.memory == nil {
		return Lookup{Known: s.size.Load() == 0}, nil
	}
	l := Lookup{Known: true, Positions: k.memory.Find(nil, hash)}
	slices.Reverse(l.Positions)
	l.Positions = slices.DeleteFunc(l.Positions, func(pos uint32) bool { return int64(pos) < from || int64(pos) >= limit })
	if n := len(l.Positions); newest {
		l.Positions = l.Positions[max(0, n-most):]
	} else {
		l.Positions = l.Positions[:min(n, most)]
	}
	return l, nil
}

func (s *Segment) findOnDisk(disk *index.Keys, hash uint64, from, limit int64, most int, newest bool) (Lookup, error) {
	bloom := s.opt.Handles.blooms.get(s)
	if bloom == nil {
		var err error
		if bloom, err = s.readBloom(); err != nil {
			return Lookup{}, err
		}
		if bloom.Source != disk.Source {
			return Lookup{}, index.ErrKeys
		}
		s.opt.Handles.blooms.put(s, bloom)
	}
	l := Lookup{Known: true, Bloomed: true, Passed: bloom.Has(hash)}
	if !l.Passed || from >= limit {
		return l, nil
	}
	f, err := s.open(s.opt.FS, KeyIndexSuffix)
	if err != nil {
		return Lookup{}, err
	}
	defer f.Close()
	l.Positions, err = positions(disk, f, hash, uint32(from), uint32(min(limit, math.MaxUint32)), most, newest)
	return l, err
}

// positions are those of a hash in [from, limit).
func positions(disk *index.Keys, f io.ReaderAt, hash uint64, from, limit uint32, most int, newest bool) ([]uint32, error) {
	page := new(index.KeyPage)
	bound, step := from, 1
	if newest {
		bound, step = limit, -1
	}
	slot, err := disk.Search(f, page, index.KeyEntry{Hash: hash, Pos: bound})
	if err != nil {
		return nil, err
	}
	if newest {
		slot--
	}
	var out []uint32
	for ; slot >= 0 && slot < disk.Len() && len(out) < most; slot += step {
		e, err := disk.At(f, page, slot)
		if err != nil {
			return nil, err
		}
		if e.Hash != hash || e.Pos < from || e.Pos >= limit {
			break
		}
		out = append(out, e.Pos)
	}
	if newest {
		slices.Reverse(out)
	}
	return out, nil
}

// BatchAt appends the batch that starts at pos to dst, checked. A *CorruptError says
// that there is none, which may be the fault of who said so.
func (s *Segment) BatchAt(dst []byte, pos, limit int64) ([]byte, batch.Header, error) {
	h, err := s.opt.Handles.take(s)
	if err != nil {
		return dst, batch.Header{}, err
	}
	defer s.opt.Handles.give(h)
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	hd, err := s.readVerified(h, sc, pos)
	if err == nil {
		err = s.damagedAt(pos)
	}
	if err != nil {
		return dst, hd, err
	}
	if reason := s.plausible(&hd, pos, s.base, min(limit, s.size.Load())); reason != "" {
		return dst, hd, &CorruptError{File: s.Path(), Pos: pos, Offset: -1, Reason: reason}
	}
	from := len(dst)
	dst = slices.Grow(dst, int(hd.Size()))[:from+int(hd.Size())]
	if n, err := h.file.ReadAt(dst[from:], pos); n < len(dst)-from {
		return dst[:from], hd, fmt.Errorf("read %s at %d: %w", s.Path(), pos, err)
	}
	if err := batch.CheckCRC(dst[from:], hd); err != nil {
		return dst[:from], hd, &CorruptError{File: s.Path(), Pos: pos, Offset: hd.BaseOffset, Reason: err.Error()}
	}
	return dst, hd, nil
}

// RemoveKeys removes the key index from disk if there is one: a compacted segment is
// about to take the place of this one.
func (s *Segment) RemoveKeys() error {
	if !s.keys.files.Load() {
		return nil
	}
	for _, suffix := range []string{KeyIndexSuffix, BloomSuffix} {
		if err := s.opt.FS.Remove(s.path(suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove key index: %w", err)
		}
	}
	return nil
}

// ForgetKeys drops the key index, which has led to where no batch is.
func (s *Segment) ForgetKeys() {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	s.dropKeys()
	s.keys.tried = true
}
