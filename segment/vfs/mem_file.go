package vfs

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// memFile is an open file of a Mem.
type memFile struct {
	fs       *Mem
	node     *memNode
	name     string
	writable bool
	closed   bool // guarded by fs.mu
}

func (f *memFile) Name() string { return f.name }

func (f *memFile) OS() *os.File { return nil }

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	return nil
}

func (f *memFile) ReadAt(p []byte, pos int64) (int, error) {
	f.fs.mu.RLock()
	defer f.fs.mu.RUnlock()
	if err := f.checkLocked("read", pos); err != nil {
		return 0, err
	}
	var n int
	if pos < int64(len(f.node.data)) {
		n = copy(p, f.node.data[pos:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, pos int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.checkWriteLocked("write", pos, int64(len(p))); err != nil {
		return 0, err
	}
	if len(p) > 0 {
		f.fs.changeDataLocked(f.node, dataChange{pos: pos, data: bytes.Clone(p)})
	}
	return len(p), nil
}

func (f *memFile) WriteVAt(bufs [][]byte, pos int64) (int64, error) {
	joined := bytes.Join(bufs, nil)
	n, err := f.WriteAt(joined, pos)
	return int64(n), err
}

func (f *memFile) Size() (int64, error) {
	f.fs.mu.RLock()
	defer f.fs.mu.RUnlock()
	if err := f.checkLocked("stat", 0); err != nil {
		return 0, err
	}
	return int64(len(f.node.data)), nil
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.checkWriteLocked("truncate", size, 0); err != nil {
		return err
	}
	f.fs.changeDataLocked(f.node, dataChange{truncate: true, pos: size})
	return nil
}

func (f *memFile) Preallocate(pos, n int64) error {
	f.fs.mu.RLock()
	defer f.fs.mu.RUnlock()
	if n < 0 {
		return pathError("preallocate", f.name, fmt.Errorf("length %d: %w", n, fs.ErrInvalid))
	}
	return f.checkWriteLocked("preallocate", pos, n)
}

func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.checkLocked("sync", 0); err != nil {
		return err
	}
	for _, c := range f.node.unsynced {
		f.node.synced = c.apply(f.node.synced)
	}
	f.node.unsynced = nil
	return nil
}

func (f *memFile) SyncData() error { return f.Sync() }

// forget is what the kernel does when writing back fails: readers go on seeing
// the data, nothing will ever write it, and the next sync succeeds.
func (f *memFile) forget() {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.node.unsynced = nil
}

func (f *memFile) checkLocked(op string, pos int64) error {
	switch {
	case f.closed:
		return pathError(op, f.name, fs.ErrClosed)
	case pos < 0:
		return pathError(op, f.name, fmt.Errorf("position %d: %w", pos, fs.ErrInvalid))
	}
	return nil
}

func (f *memFile) checkWriteLocked(op string, pos, n int64) error {
	if err := f.checkLocked(op, pos); err != nil {
		return err
	}
	switch {
	case !f.writable:
		return pathError(op, f.name, syscall.EBADF)
	case pos > memMaxFile-n:
		return pathError(op, f.name, syscall.EFBIG)
	}
	return nil
}

// changeDataLocked makes a change visible and remembers that it is not durable.
func (m *Mem) changeDataLocked(node *memNode, c dataChange) {
	m.touchLocked(node)
	node.data = c.apply(node.data)
	node.unsynced = append(node.unsynced, c)
}

// apply returns the contents after the change; it may change b in place.
func (c dataChange) apply(b []byte) []byte {
	b = resize(b, c.sizeAfter(int64(len(b))))
	copy(b[c.pos:], c.data)
	return b
}

// sizeAfter is the size of a file of the given size after the change.
func (c dataChange) sizeAfter(size int64) int64 {
	if c.truncate {
		return c.pos
	}
	return max(size, c.pos+int64(len(c.data)))
}

// resize cuts b, or grows it by zeros.
func resize(b []byte, size int64) []byte {
	if old := int64(len(b)); size > old {
		return append(b, make([]byte, size-old)...)
	}
	return b[:size]
}
