//go:build unix && !aix

package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile takes flock(2), which belongs to the open file and not to the
// process: a second Lock of the same process is refused as well.
func lockFile(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = raw.Control(func(fd uintptr) {
		for {
			if lockErr = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB); lockErr != unix.EINTR {
				return
			}
		}
	})
	switch {
	case err != nil:
		return err
	case lockErr == unix.EWOULDBLOCK:
		return ErrLocked
	}
	return lockErr
}
