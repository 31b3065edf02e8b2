package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"sordini/index"
	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

// WriteKeys moves the key index of a sealed segment from memory, where it is complete,
// to disk and returns the bytes written. The caller sees to it that the files do not
// change their names meanwhile.
func (s *Segment) WriteKeys() (int64, error) {
	s.lockKeys()
	defer s.unlockKeys()
	k := &s.keys
	size := s.size.Load()
	if !s.Sealed() || size == 0 || k.failed != nil || s.loadKeys() != nil || s.keysMissing(size) {
		return 0, nil
	}
	wrote, err := s.writeKeys()
	if err != nil {
		if s.opt.Handles.keyMemory.Full() {
			s.emptyKeys() // room for others
		}
		return wrote, err
	}
	s.emptyKeys()
	k.tried = false
	if s.loadKeys() == nil {
		s.failKeys(fmt.Errorf("%s: %w: it was just written", s.path(KeyIndexSuffix), index.ErrKeys))
	}
	return wrote, k.failed
}

var keySorters = sync.Pool{New: func() any { return new(index.KeySorter) }}

// maxIdleSorter is how many bytes a sorter may keep: those for a million entries.
const maxIdleSorter = 32 << 20

func (s *Segment) writeKeys() (int64, error) {
	g := &s.keys.growing
	g.mu.Lock()
	view, source := g.entries.View(), g.source
	g.mu.Unlock()
	sorter := keySorters.Get().(*index.KeySorter)
	defer func() {
		if sorter.Bytes() <= maxIdleSorter {
			keySorters.Put(sorter)
		}
	}()
	entries := sorter.Sort(view)
	bloom := index.NewBloom(source, entries)
	bloomBytes, err := s.writeStream(BloomSuffix, bloom.Write)
	if err != nil {
		return 0, err
	}
	keyBytes, err := s.writeStream(KeyIndexSuffix, func(w io.Writer) error { return index.WriteKeys(w, source, entries) })
	return bloomBytes + keyBytes, err
}

// writeStream is WriteFile for contents that are made as they are written.
func (s *Segment) writeStream(suffix string, write func(io.Writer) error) (int64, error) {
	s.keys.files.Store(true)
	name := s.path(suffix)
	f, err := s.opt.FS.OpenFile(name+TempSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", name, err)
	}
	w := pieceWriters.Get().(*pieces)
	defer pieceWriters.Put(w)
	w.write, w.pos, w.buf = f.WriteAt, 0, w.buf[:0]
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

// pieceSize is from how many bytes on a piece is written.
const pieceSize = 512 << 10

// pieces writes a stream in large pieces.
type pieces struct {
	write func(b []byte, pos int64) (int, error)
	buf   []byte
	pos   int64
}

var pieceWriters = sync.Pool{New: func() any { return &pieces{buf: make([]byte, 0, pieceSize+pieceSize/4)} }}

func (w *pieces) Write(b []byte) (int, error) {
	w.buf = append(w.buf, b...)
	if len(w.buf) < pieceSize {
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
	s.emptyKeys()
	k.disk = disk
	k.settled.Store(true)
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
	b, err := vfs.ReadFile(s.opt.FS, s.path(BloomSuffix), maxBloomSize)
	if !errors.Is(err, fs.ErrNotExist) {
		s.keys.files.Store(true)
	}
	if err != nil {
		return nil, err
	}
	return index.ParseBloom(b)
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
