package vfs

import (
	"os"
	"path/filepath"
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
	if usage, err := OS().Usage(dir); err != nil || usage.Type == "tmpfs" {
		t.Skipf("%s, %v: there is no disk to read from", usage.Type, err)
	}
	const size = 1 << 20
	name := filepath.Join(dir, "f")
	f := create(t, OS(), name, string(make([]byte, size)))
	check(t, f.Sync())
	hint(f, func(fd int) error { return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED) })
	check(t, f.Close())
	if n := resident(t, name, size); n != 0 {
		t.Skipf("%d pages stay in the cache", n)
	}
	f, err := OS().Open(name)
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
