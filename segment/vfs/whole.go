package vfs

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// TempSuffix ends the name of a file that ReplaceFile has not finished. One that
// is found at start is a leftover.
const TempSuffix = ".tmp"

// ErrTooLarge: a file is larger than it can rightly be.
var ErrTooLarge = errors.New("file too large")

// ReadFile returns the contents of a file of at most limit bytes. A missing file
// is fs.ErrNotExist, a larger one ErrTooLarge.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("size of %s: %w", name, err)
	}
	if size > limit {
		return nil, fmt.Errorf("read %s: %w: %d bytes, at most %d are legal", name, ErrTooLarge, size, limit)
	}
	b := make([]byte, size)
	return b, ReadFull(f, b, 0)
}

// ReadFull reads len(b) bytes at pos, which must be there.
func ReadFull(f File, b []byte, pos int64) error {
	n, err := f.ReadAt(b, pos)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %s: %d of %d bytes at %d: %w", f.Name(), n, len(b), pos, err)
}

// WriteFull writes the buffers, one behind the other, at pos. A short write is an
// error.
func WriteFull(f File, bufs [][]byte, pos int64) error {
	want := int64(0)
	for _, b := range bufs {
		want += int64(len(b))
	}
	n, err := f.WriteVAt(bufs, pos)
	if err == nil && n != want {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("write %s: %d of %d bytes at %d: %w", f.Name(), n, want, pos, err)
	}
	return nil
}

// WriteSynced creates or overwrites a file with the buffers, one behind the other,
// and syncs its contents, not its name.
func WriteSynced(fsys FS, name string, bufs ...[]byte) (err error) {
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("close %s: %w", name, closeErr)
		}
	}()
	if err := WriteFull(f, bufs, 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", name, err)
	}
	return nil
}

// ReplaceFile makes the buffers the contents of a file: written to name.tmp,
// synced, and renamed. After a power cut the file has either its old contents or
// the new; the new ones are durable after a SyncDir of its directory.
func ReplaceFile(fsys FS, name string, bufs ...[]byte) error {
	if err := WriteSynced(fsys, name+TempSuffix, bufs...); err != nil {
		return err
	}
	if err := fsys.Rename(name+TempSuffix, name); err != nil {
		return fmt.Errorf("rename %s: %w", name+TempSuffix, err)
	}
	return nil
}
