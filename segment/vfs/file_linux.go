package vfs

import (
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/sys/unix"
)

// maxIovecs is the limit of the kernel on the buffers of one pwritev(2), UIO_MAXIOV.
const maxIovecs = 1024

func (f *osFile) WriteVAt(bufs [][]byte, pos int64) (int64, error) {
	if pos < 0 {
		return 0, pathError("pwritev", f.Name(), fmt.Errorf("position %d: %w", pos, fs.ErrInvalid))
	}
	return writeVector(f, bufs, pos)
}

// vectorWriter is what writeVector needs of an osFile.
type vectorWriter interface {
	io.WriterAt
	Name() string

	// pwritev writes some of at most maxIovecs buffers, at least one byte.
	pwritev(bufs [][]byte, pos int64) (int, error)
}

func writeVector(f vectorWriter, bufs [][]byte, pos int64) (int64, error) {
	var total int64
	for len(bufs) > 0 {
		if len(bufs[0]) == 0 {
			bufs = bufs[1:]
			continue
		}
		n, err := f.pwritev(bufs[:min(len(bufs), maxIovecs)], pos+total)
		total += int64(n)
		if err != nil {
			return total, pathError("pwritev", f.Name(), err)
		}
		// The kernel may stop anywhere, also inside a buffer. The rest of that
		// buffer goes out alone, so that the caller's slices stay as they are.
		for n > 0 && n >= len(bufs[0]) {
			n -= len(bufs[0])
			bufs = bufs[1:]
		}
		if n > 0 {
			rest, err := f.WriteAt(bufs[0][n:], pos+total)
			total += int64(rest)
			if err != nil {
				return total, err
			}
			bufs = bufs[1:]
		}
	}
	return total, nil
}

func (f *osFile) pwritev(bufs [][]byte, pos int64) (int, error) {
	var n int
	err := f.control(func(fd int) (err error) {
		n, err = unix.Pwritev(fd, bufs, pos)
		return err
	})
	if err != nil {
		return 0, err
	}
	if n <= 0 {
		return 0, io.ErrShortWrite
	}
	return n, nil
}

func (f *osFile) SyncData() error {
	if err := f.control(unix.Fdatasync); err != nil {
		return pathError("fdatasync", f.Name(), err)
	}
	return nil
}

func (f *osFile) preallocate(pos, n int64) error {
	err := f.control(func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, pos, n)
	})
	switch err {
	case nil, unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL:
		return nil // the file system has no such thing
	}
	return pathError("fallocate", f.Name(), err)
}

// control calls do with the descriptor, again when a signal interrupted it.
func (f *osFile) control(do func(fd int) error) error {
	var err error
	outer := f.raw.Control(func(fd uintptr) {
		for {
			if err = do(int(fd)); err != unix.EINTR {
				return
			}
		}
	})
	if outer != nil {
		return fs.ErrClosed // there is no other reason to refuse the descriptor
	}
	return err
}
