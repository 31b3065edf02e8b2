package vfs

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile takes LockFileEx on the whole file. It belongs to the handle: a
// second Lock of the same process is refused as well, and closing releases it.
func lockFile(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = raw.Control(func(fd uintptr) {
		lockErr = windows.LockFileEx(windows.Handle(fd),
			windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
			0, math.MaxUint32, math.MaxUint32, new(windows.Overlapped))
	})
	switch {
	case err != nil:
		return err
	case errors.Is(lockErr, windows.ERROR_LOCK_VIOLATION):
		return ErrLocked
	}
	return lockErr
}
