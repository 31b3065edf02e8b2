package vfs

import "golang.org/x/sys/unix"

// Writeback has the kernel begin to write bytes [pos, pos+n) of a file to the disk, and
// does not wait for it (sync_file_range(2)). It makes nothing durable: a sync that comes
// later has less to do, and tells what failed. It is a hint, and does nothing where there
// is no such thing.
func Writeback(f File, pos, n int64) {
	hint(f, func(fd int) error { return unix.SyncFileRange(fd, pos, n, unix.SYNC_FILE_RANGE_WRITE) })
}

// ReadAhead has the kernel read bytes [pos, pos+n) of a file into its cache, and does not
// wait for it (posix_fadvise(2), POSIX_FADV_WILLNEED). It is a hint, and does nothing
// where there is no such thing.
func ReadAhead(f File, pos, n int64) {
	hint(f, func(fd int) error { return unix.Fadvise(fd, pos, n, unix.FADV_WILLNEED) })
}

func hint(f File, give func(fd int) error) {
	file := f.OS()
	if file == nil {
		return
	}
	if raw, err := file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = give(int(fd)) })
	}
}
