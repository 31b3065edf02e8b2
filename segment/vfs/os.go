package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

const (
	fileMode fs.FileMode = 0o600
	dirMode  fs.FileMode = 0o700
)

// OS returns the file system of the operating system.
//
// On Linux WriteVAt is pwritev(2), SyncData is fdatasync(2) and Preallocate is
// fallocate(2) with FALLOC_FL_KEEP_SIZE. Elsewhere WriteVAt writes buffer by
// buffer, SyncData is Sync, and Preallocate does nothing. On macOS both syncs
// are F_FULLFSYNC, which empties the cache of the drive too.
func OS() FS { return osFS{} }

type osFS struct{}

// osFile is a file of the operating system. raw borrows its descriptor: unlike
// Fd, it cannot meet a descriptor that Close has already given to another file.
type osFile struct {
	file *os.File
	raw  syscall.RawConn
}

func (osFS) Open(name string) (File, error) { return openOS(name, os.O_RDONLY) }

func (osFS) OpenFile(name string, flag int) (File, error) {
	if err := checkFlag(flag); err != nil {
		return nil, pathError("open", name, err)
	}
	return openOS(name, flag)
}

// checkFlag refuses what platforms treat differently or leave undefined.
func checkFlag(flag int) error {
	const known = os.O_RDWR | os.O_CREATE | os.O_EXCL | os.O_TRUNC
	switch {
	case flag&^known != 0,
		flag&os.O_EXCL != 0 && flag&os.O_CREATE == 0,
		flag&os.O_TRUNC != 0 && flag&os.O_RDWR == 0:
		return fmt.Errorf("flag %#x: %w", flag, fs.ErrInvalid)
	}
	return nil
}

func openOS(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, fileMode)
	if err != nil {
		return nil, err
	}
	// A directory opens for reading without complaint; only writing is refused
	// by the system itself.
	if flag&os.O_RDWR == 0 {
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = pathError("open", name, syscall.EISDIR)
		}
		if err != nil {
			_ = f.Close()
			return nil, err
		}
	}
	raw, err := f.SyscallConn()
	if err != nil {
		_ = f.Close()
		return nil, pathError("open", name, err)
	}
	return &osFile{file: f, raw: raw}, nil
}

func (osFS) Mkdir(name string) error    { return os.Mkdir(name, dirMode) }
func (osFS) MkdirAll(name string) error { return os.MkdirAll(name, dirMode) }
func (osFS) Remove(name string) error   { return os.Remove(name) }

func (osFS) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }

func (osFS) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	return entries, nil
}

func (osFS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

func (osFS) SyncDir(name string) error { return syncDir(name) }

func (osFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		_ = f.Close()
		return nil, pathError("lock", name, err)
	}
	return f, nil
}

func (osFS) Usage(name string) (Usage, error) {
	u, err := usage(name)
	if err != nil {
		return Usage{}, pathError("usage", name, err)
	}
	return u, nil
}

func (f *osFile) Name() string                             { return f.file.Name() }
func (f *osFile) Close() error                             { return f.file.Close() }
func (f *osFile) ReadAt(p []byte, pos int64) (int, error)  { return f.file.ReadAt(p, pos) }
func (f *osFile) WriteAt(p []byte, pos int64) (int, error) { return f.file.WriteAt(p, pos) }
func (f *osFile) Truncate(size int64) error                { return f.file.Truncate(size) }
func (f *osFile) Sync() error                              { return f.file.Sync() }
func (f *osFile) OS() *os.File                             { return f.file }

func (f *osFile) Size() (int64, error) {
	info, err := f.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *osFile) Preallocate(pos, n int64) error {
	if pos < 0 || n < 0 || pos+n < 0 {
		return pathError("preallocate", f.Name(), fmt.Errorf("range %d+%d: %w", pos, n, fs.ErrInvalid))
	}
	if n == 0 {
		return nil
	}
	return f.preallocate(pos, n)
}

// writeEach writes the buffers with one call each.
func writeEach(w io.WriterAt, bufs [][]byte, pos int64) (int64, error) {
	var total int64
	for _, b := range bufs {
		n, err := w.WriteAt(b, pos+total)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func linkError(oldName, newName string, err error) error {
	return &os.LinkError{Op: "rename", Old: oldName, New: newName, Err: err}
}
