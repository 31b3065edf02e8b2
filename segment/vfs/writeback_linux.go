package vfs

import "golang.org/x/sys/unix"

// Writeback has the kernel begin to write bytes [pos, pos+n) of a file to the disk, and
// does not wait for it (sync_file_range(2)). It makes nothing durable: a sync that comes
// later has less to do, and tells what failed. It is a hint, and does nothing where there
// is no such thing.
func Writeback(f File, pos, n int64) {
	file := f.OS()
	if file == nil {
		return
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SyncFileRange(int(fd), pos, n, unix.SYNC_FILE_RANGE_WRITE)
	})
}
