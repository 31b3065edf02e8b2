package takeover

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"golang.org/x/sys/windows"

	"sordini/segment/vfs"
)

// LockKafka keeps Kafka from starting on a directory until the result is closed, given
// its lock file, which is not changed. The error is vfs.ErrLocked or fs.ErrNotExist.
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
		lockErr = windows.LockFileEx(windows.Handle(fd), windows.LOCKFILE_FAIL_IMMEDIATELY, // shared
			0, math.MaxUint32, math.MaxUint32, new(windows.Overlapped))
	})
	if err == nil {
		err = lockErr
	}
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		err = vfs.ErrLocked
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil
}
