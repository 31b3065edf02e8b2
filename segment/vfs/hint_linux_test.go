package vfs

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// resident is how many pages of a file are in the system's cache.
func resident(t *testing.T, name string, size int) (n int) {
	t.Helper()
	f, err := os.Open(name)
	check(t, err)
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	check(t, err)
	defer unix.Munmap(b)
	pages := make([]byte, (size+os.Getpagesize()-1)/os.Getpagesize())
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(size), uintptr(unsafe.Pointer(&pages[0]))); errno != 0 {
		t.Fatal(errno)
	}
	for _, p := range pages {
		n += int(p & 1)
	}
	return n
}

func TestReadAhead(t *testing.T) {
	dir := t.TempDir()
	usage, err := OS().Usage(dir)
	check(t, err)
	if !slices.Contains([]string{"ext4", "xfs", "btrfs"}, usage.Type) {
		t.Skipf("%s need not have a disk beneath it, nor give its pages back", usage.Type)
	}
	const size = 1 << 20
	name := filepath.Join(dir, "f")
	f := create(t, OS(), name, string(make([]byte, size)))
	check(t, f.Sync())
	for began := time.Now(); resident(t, name, size) > 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%d pages stay in the cache", resident(t, name, size))
		}
		hint(f, func(fd int) error { return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED) })
	}
	check(t, f.Close())
	f, err = OS().Open(name)
	check(t, err)
	defer f.Close()
	ReadAhead(f, size/2, size/2)
	want := size / 2 / os.Getpagesize()
	for began := time.Now(); resident(t, name, size) < want; time.Sleep(time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%d pages are in the cache, want %d", resident(t, name, size), want)
		}
	}
}
