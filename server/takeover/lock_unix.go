//go:build unix && !aix

package takeover

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"sordini/segment/vfs"
)

// LockKafka keeps Kafka from starting on a directory until the result is closed, given
// its lock file, which is not changed. Java takes a write lock of fcntl(2); a read lock
// is refused while Kafka has that, and keeps it from getting it. The error is
// vfs.ErrLocked or fs.ErrNotExist.
func LockKafka(name string) (io.Closer, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	var lockErr error
	err = raw.Control(func(fd uintptr) {
		lockErr = unix.FcntlFlock(fd, unix.F_SETLK, &unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart})
	})
	if err == nil {
		err = lockErr
	}
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EAGAIN) {
		err = vfs.ErrLocked
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil
}
