package vfs

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// overFile is an open file of an Overlay.
type overFile struct {
	o        *Overlay
	node     *overNode
	under    File // nil if the file is new
	name     string
	writable bool

	closeMu sync.RWMutex
	closed  bool
}

// overChunk is how many bytes of a write are compared, and kept or not, together.
const overChunk = 64 << 10

func (f *overFile) Name() string { return f.name }

func (f *overFile) OS() *os.File { return nil }

func (f *overFile) Close() error {
	f.closeMu.Lock()
	defer f.closeMu.Unlock()
	if f.closed {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	if f.under == nil {
		return nil
	}
	return f.under.Close()
}

// begin checks an operation and keeps the file open until end.
func (f *overFile) begin(op string, pos int64, writes bool) error {
	f.closeMu.RLock()
	var err error
	switch {
	case f.closed:
		err = fs.ErrClosed
	case pos < 0:
		err = fmt.Errorf("position %d: %w", pos, fs.ErrInvalid)
	case writes && !f.writable:
		err = syscall.EBADF
	}
	if err != nil {
		f.closeMu.RUnlock()
		return pathError(op, f.name, err)
	}
	return nil
}

func (f *overFile) end() { f.closeMu.RUnlock() }

func (f *overFile) ReadAt(p []byte, pos int64) (int, error) {
	if err := f.begin("read", pos, false); err != nil {
		return 0, err
	}
	defer f.end()
	f.o.mu.RLock()
	size := f.node.size
	f.o.mu.RUnlock()
	if len(p) == 0 {
		return 0, nil
	}
	n := int(min(int64(len(p)), max(size-pos, 0)))
	if err := f.fill(p[:n], pos); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// fill reads the bytes at pos, zeros where there are none.
func (f *overFile) fill(p []byte, pos int64) error {
	f.o.mu.RLock()
	below := f.node.below
	over := slices.Clone(f.node.within(pos, pos+int64(len(p))))
	f.o.mu.RUnlock()
	n := int(min(int64(len(p)), max(below-pos, 0)))
	clear(p[n:])
	if n > 0 {
		got, err := f.under.ReadAt(p[:n], pos)
		if err != nil && (err != io.EOF || got < n) {
			return fmt.Errorf("below an overlay: read %s at %d: %w", f.under.Name(), pos, err)
		}
	}
	for _, e := range over {
		from, to := max(e.pos, pos), min(e.pos+e.n, pos+int64(len(p)))
		if got, err := f.o.spill.ReadAt(p[from-pos:to-pos], e.at+from-e.pos); int64(got) < to-from {
			return fmt.Errorf("spill of an overlay: %w", err)
		}
	}
	return nil
}

func (f *overFile) WriteAt(p []byte, pos int64) (int, error) {
	if err := f.begin("write", pos, true); err != nil {
		return 0, err
	}
	defer f.end()
	have := make([]byte, min(len(p), overChunk))
	for done := 0; done < len(p); {
		b := p[done:min(done+overChunk, len(p))]
		at := pos + int64(done)
		if at > (1<<63-1)-int64(len(b)) {
			return done, pathError("write", f.name, syscall.EFBIG)
		}
		if err := f.fill(have[:len(b)], at); err != nil {
			return done, err
		}
		if err := f.put(b, at, bytes.Equal(b, have[:len(b)])); err != nil {
			return done, err
		}
		done += len(b)
	}
	return len(p), nil
}

// put keeps bytes at pos, unless they are those that are there.
func (f *overFile) put(b []byte, pos int64, same bool) error {
	f.o.mu.Lock()
	defer f.o.mu.Unlock()
	n := f.node
	if !same {
		at := f.o.spillEnd
		if got, err := f.o.spill.WriteAt(b, at); err != nil || got < len(b) {
			return fmt.Errorf("spill of an overlay: %d of %d bytes written: %w", got, len(b), err)
		}
		f.o.spillEnd += int64(len(b))
		n.insert(extent{pos: pos, n: int64(len(b)), at: at})
	}
	n.size = max(n.size, pos+int64(len(b)))
	n.modified = time.Now()
	return nil
}

func (f *overFile) WriteVAt(bufs [][]byte, pos int64) (int64, error) { return writeEach(f, bufs, pos) }

func (f *overFile) Size() (int64, error) {
	if err := f.begin("stat", 0, false); err != nil {
		return 0, err
	}
	defer f.end()
	f.o.mu.RLock()
	defer f.o.mu.RUnlock()
	return f.node.size, nil
}

func (f *overFile) Truncate(size int64) error {
	if err := f.begin("truncate", size, true); err != nil {
		return err
	}
	defer f.end()
	f.o.mu.Lock()
	defer f.o.mu.Unlock()
	f.node.truncate(size)
	return nil
}

func (f *overFile) Preallocate(pos, n int64) error {
	if err := f.begin("preallocate", min(pos, n), true); err != nil {
		return err
	}
	f.end()
	return nil
}

func (f *overFile) Sync() error {
	if err := f.begin("sync", 0, false); err != nil {
		return err
	}
	f.end()
	return nil
}

func (f *overFile) SyncData() error { return f.Sync() }

// within are the extents that have bytes of [from, to).
func (n *overNode) within(from, to int64) []extent {
	first := n.search(from)
	last := first
	for last < len(n.extents) && n.extents[last].pos < to {
		last++
	}
	return n.extents[first:last]
}

// search is the index of the first extent that ends behind pos.
func (n *overNode) search(pos int64) int {
	i, _ := slices.BinarySearchFunc(n.extents, pos, func(e extent, pos int64) int {
		if e.pos+e.n <= pos {
			return -1
		}
		return 1
	})
	return i
}

// insert puts an extent over those that are there.
func (n *overNode) insert(e extent) {
	hit := n.within(e.pos, e.pos+e.n)
	first := n.search(e.pos)
	put := make([]extent, 0, 3)
	if len(hit) > 0 && hit[0].pos < e.pos {
		put = append(put, extent{hit[0].pos, e.pos - hit[0].pos, hit[0].at})
	}
	put = append(put, e)
	if len(hit) > 0 {
		if last := hit[len(hit)-1]; last.pos+last.n > e.pos+e.n {
			skip := e.pos + e.n - last.pos
			put = append(put, extent{e.pos + e.n, last.n - skip, last.at + skip})
		}
	}
	n.extents = slices.Replace(n.extents, first, first+len(hit), put...)
}

// truncate sets the size; a grown part reads as zeros.
func (n *overNode) truncate(size int64) {
	n.below = min(n.below, size)
	n.size = size
	n.modified = time.Now()
	i := n.search(size)
	if i < len(n.extents) && n.extents[i].pos < size {
		n.extents[i].n = size - n.extents[i].pos
		i++
	}
	n.extents = n.extents[:i]
}
