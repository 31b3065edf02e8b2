// Package vfs is the seam between sordini and the file system.
//
// Everything that stores data goes through [FS] and [File], so that the same
// code runs on the operating system ([OS]) and on an in-memory file system that
// can lose power ([Mem]) or fail on demand ([Faulty]).
//
// # Durability
//
// A write is visible to every reader of the file at once, and survives the
// death of the process. It survives a power cut only after Sync or SyncData of
// the file that was written returned nil. A name (created, renamed, removed) is
// durable only after SyncDir of the directory that holds it returned nil.
//
// After a failed Sync or SyncData nothing is known about any unsynced byte of
// that file, and a later success proves nothing: the kernel marks the pages
// clean and forgets them. Callers stop using the file and never retry.
//
// # Concurrency
//
// All methods may be called concurrently. Concurrent writes to overlapping
// ranges of a file leave either.
//
// # Errors
//
// Every error names the operation and the path ([fs.PathError], or
// [os.LinkError] for a rename) and answers [errors.Is] for fs.ErrNotExist,
// fs.ErrExist, fs.ErrInvalid, fs.ErrClosed and the error numbers of the system.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// ErrLocked is what [FS.Lock] returns while someone else holds the lock.
var ErrLocked = errors.New("locked by another owner")

// File is an open file. Positions and sizes are in bytes.
type File interface {
	io.Closer

	// Name is the path that the file was opened with.
	Name() string

	// ReadAt reads len(p) bytes from pos. It returns io.EOF with fewer bytes
	// when the file ends before.
	ReadAt(p []byte, pos int64) (int, error)

	// WriteAt writes p at pos, growing the file if needed. A short write
	// returns the count and an error.
	WriteAt(p []byte, pos int64) (int, error)

	// WriteVAt writes the buffers one behind the other from pos, in one system
	// call where the platform has one. It returns the total count; a short write
	// returns an error. The slice bufs and its elements are not changed.
	WriteVAt(bufs [][]byte, pos int64) (int64, error)

	// Size is the current size.
	Size() (int64, error)

	// Truncate sets the size. Bytes beyond are gone; a grown part reads as zeros.
	Truncate(size int64) error

	// Preallocate reserves space for [pos, pos+n) without changing the size. It
	// is a hint: where the platform or file system cannot, it returns nil. A
	// full disk is reported (ENOSPC).
	Preallocate(pos, n int64) error

	// Sync makes contents and metadata durable (fsync).
	Sync() error

	// SyncData makes contents durable, with as much metadata as reading them
	// back needs, size included (fdatasync).
	SyncData() error

	// OS is the file of the operating system behind this one, for sendfile; nil
	// if there is none. The caller must not close it or move its offset while
	// others use the same File.
	OS() *os.File
}

// FS is a file system. Paths use the separator of the operating system.
type FS interface {
	// Open opens an existing file for reading. A directory is EISDIR.
	Open(name string) (File, error)

	// OpenFile opens a file with the flags of package os. Flags that may be
	// used: O_RDONLY, O_RDWR, O_CREATE, O_EXCL (with O_CREATE), O_TRUNC (with
	// O_RDWR); any other combination is fs.ErrInvalid. Files are created with
	// mode 0600. A directory is EISDIR.
	OpenFile(name string, flag int) (File, error)

	// Mkdir makes one directory with mode 0700; fs.ErrExist if it is there.
	Mkdir(name string) error

	// MkdirAll makes a directory and its missing parents, 0700.
	MkdirAll(name string) error

	// Remove removes a file or an empty directory.
	Remove(name string) error

	// Rename replaces newName by oldName atomically. It moves directories too,
	// but never onto an existing directory.
	Rename(oldName, newName string) error

	// ReadDir lists a directory, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)

	// Stat describes a file or directory.
	Stat(name string) (fs.FileInfo, error)

	// SyncDir makes the names in a directory durable. It returns nil where the
	// platform has no such call (Windows).
	SyncDir(name string) error

	// Lock takes an exclusive lock on the file name, creating it, and fails at
	// once with [ErrLocked] if another process (or another Lock of this process)
	// holds it. Closing releases the lock and leaves the file.
	Lock(name string) (io.Closer, error)

	// Usage tells the size and free space of the file system that holds name,
	// and its type ("ext4", "xfs", "tmpfs", "" if unknown).
	Usage(name string) (Usage, error)
}

// Usage describes the space of a file system, in bytes. Free is what an
// unprivileged process may still take. Used and Free need not add up to Total: file
// systems keep some of it back.
type Usage struct {
	Total, Used, Free uint64
	Type              string
}

// Ratio is the share that is used of what there is to be used, as df tells it; 0 if
// nothing is known.
func (u Usage) Ratio() float64 {
	if u.Used+u.Free == 0 {
		return 0
	}
	return float64(u.Used) / float64(u.Used+u.Free)
}
