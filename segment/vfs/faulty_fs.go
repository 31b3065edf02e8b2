package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Open opens an existing file for reading.
func (f *Faulty) Open(name string) (File, error) { return f.OpenFile(name, os.O_RDONLY) }

// OpenFile opens a file; see [FS]. It is an OpCreate if the file is missing and
// may be created, an OpTruncate if it is cut, and otherwise an OpOpen.
func (f *Faulty) OpenFile(name string, flag int) (File, error) {
	op := Op{Kind: OpOpen, Path: name}
	if flag&os.O_TRUNC != 0 {
		op.Kind = OpTruncate
	}
	if flag&os.O_CREATE != 0 {
		if _, err := f.base.Stat(name); errors.Is(err, fs.ErrNotExist) {
			op.Kind = OpCreate
		}
	}
	var file File
	err := f.do(op, func() (err error) {
		file, err = f.base.OpenFile(name, flag)
		return err
	}, nil)
	if err != nil {
		if file != nil {
			_ = file.Close()
		}
		return nil, err
	}
	return &faultyFile{File: file, fs: f}, nil
}

// Mkdir makes one directory; see [FS].
func (f *Faulty) Mkdir(name string) error {
	return f.do(Op{Kind: OpMkdir, Path: name}, func() error { return f.base.Mkdir(name) }, nil)
}

// MkdirAll makes a directory and its missing parents, each as an OpMkdir.
func (f *Faulty) MkdirAll(name string) error {
	info, err := f.Stat(name)
	if err == nil && info.IsDir() {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return f.do(Op{Kind: OpMkdir, Path: name}, func() error { return f.base.MkdirAll(name) }, nil)
	}
	if parent := filepath.Dir(name); name != "" && parent != name {
		if err := f.MkdirAll(parent); err != nil {
			return err
		}
	}
	err = f.Mkdir(name)
	if errors.Is(err, fs.ErrExist) {
		return nil // someone else was faster
	}
	return err
}

// Remove removes a file or an empty directory.
func (f *Faulty) Remove(name string) error {
	return f.do(Op{Kind: OpRemove, Path: name}, func() error { return f.base.Remove(name) }, nil)
}

// Rename replaces newName by oldName.
func (f *Faulty) Rename(oldName, newName string) error {
	return f.do(Op{Kind: OpRename, Path: oldName, Target: newName},
		func() error { return f.base.Rename(oldName, newName) }, nil)
}

// ReadDir lists a directory, sorted by name.
func (f *Faulty) ReadDir(name string) (entries []fs.DirEntry, err error) {
	err = f.do(Op{Kind: OpReadDir, Path: name}, func() (err error) {
		entries, err = f.base.ReadDir(name)
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Stat describes a file or directory.
func (f *Faulty) Stat(name string) (info fs.FileInfo, err error) {
	err = f.do(Op{Kind: OpStat, Path: name}, func() (err error) {
		info, err = f.base.Stat(name)
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	return info, nil
}

// SyncDir makes the names in a directory durable. If a rule fails it, they stay
// as they were: a later SyncDir can make them durable.
func (f *Faulty) SyncDir(name string) error {
	return f.do(Op{Kind: OpSyncDir, Path: name}, func() error { return f.base.SyncDir(name) }, nil)
}

// Lock takes the lock of a file; see [FS].
func (f *Faulty) Lock(name string) (lock io.Closer, err error) {
	err = f.do(Op{Kind: OpLock, Path: name}, func() (err error) {
		lock, err = f.base.Lock(name)
		return err
	}, nil)
	if err != nil {
		if lock != nil {
			_ = lock.Close()
		}
		return nil, err
	}
	return &faultyLock{lock: lock, name: name, fs: f}, nil
}

// Usage tells the space of the file system.
func (f *Faulty) Usage(name string) (usage Usage, err error) {
	err = f.do(Op{Kind: OpUsage, Path: name}, func() (err error) {
		usage, err = f.base.Usage(name)
		return err
	}, nil)
	return usage, err
}

// closeWith closes what belongs to the base in any case, so that no fault and no
// power cut leaks it.
func (f *Faulty) closeWith(name string, c io.Closer) error {
	err := f.do(Op{Kind: OpClose, Path: name}, func() error { return nil }, nil)
	closed := c.Close()
	if err != nil {
		return err
	}
	return closed
}

// faultyLock is a lock of a Faulty.
type faultyLock struct {
	lock io.Closer
	name string
	fs   *Faulty
}

func (l *faultyLock) Close() error { return l.fs.closeWith(l.name, l.lock) }

// faultyFile is a file of a Faulty; Name and OS are those of the base.
type faultyFile struct {
	File
	fs *Faulty
}

func (f *faultyFile) op(kind OpKind, pos, size int64) Op {
	return Op{Kind: kind, Path: f.Name(), Pos: pos, Size: size}
}

func (f *faultyFile) Close() error { return f.fs.closeWith(f.Name(), f.File) }

func (f *faultyFile) ReadAt(p []byte, pos int64) (n int, err error) {
	err = f.fs.do(f.op(OpRead, pos, int64(len(p))), func() (err error) {
		n, err = f.File.ReadAt(p, pos)
		return err
	}, nil)
	return n, err
}

func (f *faultyFile) WriteAt(p []byte, pos int64) (n int, err error) {
	err = f.fs.do(f.op(OpWrite, pos, int64(len(p))), func() (err error) {
		n, err = f.File.WriteAt(p, pos)
		return err
	}, func(fault Fault) {
		n, _ = f.File.WriteAt(p[:max(0, min(fault.Short, int64(len(p))))], pos)
	})
	return n, err
}

func (f *faultyFile) WriteVAt(bufs [][]byte, pos int64) (n int64, err error) {
	var size int64
	for _, b := range bufs {
		size += int64(len(b))
	}
	err = f.fs.do(f.op(OpWrite, pos, size), func() (err error) {
		n, err = f.File.WriteVAt(bufs, pos)
		return err
	}, func(fault Fault) {
		n, _ = f.File.WriteVAt(firstBytes(bufs, fault.Short), pos)
	})
	return n, err
}

// firstBytes returns buffers that hold the first n bytes of bufs.
func firstBytes(bufs [][]byte, n int64) [][]byte {
	var first [][]byte
	for _, b := range bufs {
		part := max(0, min(n, int64(len(b))))
		first = append(first, b[:part])
		n -= part
	}
	return first
}

func (f *faultyFile) Size() (size int64, err error) {
	err = f.fs.do(f.op(OpSize, 0, 0), func() (err error) {
		size, err = f.File.Size()
		return err
	}, nil)
	return size, err
}

func (f *faultyFile) Truncate(size int64) error {
	return f.fs.do(f.op(OpTruncate, 0, size), func() error { return f.File.Truncate(size) }, nil)
}

func (f *faultyFile) Preallocate(pos, n int64) error {
	return f.fs.do(f.op(OpPreallocate, pos, n), func() error { return f.File.Preallocate(pos, n) }, nil)
}

func (f *faultyFile) Sync() error {
	return f.fs.do(f.op(OpSync, 0, 0), f.File.Sync, func(Fault) { f.forget() })
}

func (f *faultyFile) SyncData() error {
	return f.fs.do(f.op(OpSyncData, 0, 0), f.File.SyncData, func(Fault) { f.forget() })
}

// forget passes a failed sync on to a base that can act it out.
func (f *faultyFile) forget() {
	if base, ok := f.File.(interface{ forget() }); ok {
		base.forget()
	}
}
