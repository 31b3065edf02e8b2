package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// eachFS runs a test on every file system, with an empty directory of its own.
func eachFS(t *testing.T, test func(t *testing.T, fsys FS, dir string)) {
	t.Helper()
	t.Run("OS", func(t *testing.T) { test(t, OS(), t.TempDir()) })
	t.Run("FaultyOS", func(t *testing.T) { test(t, NewFaulty(OS(), nil), t.TempDir()) })
	for name, mem := range map[string]*Mem{
		"Mem": NewMem(), "MemAfterCrash": NewMem().Crash(1, CrashRandom), "MemAfterExit": NewMem().Crash(1, CrashKeepAll),
	} {
		t.Run(name, func(t *testing.T) {
			check(t, mem.Mkdir("data"))
			test(t, mem, "data")
		})
	}
	t.Run("Overlay", func(t *testing.T) { test(t, overlayOn(t, OS()), t.TempDir()) })
	t.Run("OverlayOfMem", func(t *testing.T) {
		mem := NewMem()
		check(t, mem.Mkdir("data"))
		test(t, overlayOn(t, mem), "data")
	})
	t.Run("FaultyMem", func(t *testing.T) {
		dir := filepath.Join(string(filepath.Separator)+"very", "deep")
		mem := NewMem()
		check(t, mem.MkdirAll(dir))
		test(t, NewFaulty(mem, nil), dir)
	})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// create makes a file with contents and leaves it open.
func create(t testing.TB, fsys FS, name, contents string) File {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	check(t, err)
	write(t, f, 0, contents)
	return f
}

func write(t testing.TB, f File, pos int64, contents string) {
	t.Helper()
	if n, err := f.WriteAt([]byte(contents), pos); err != nil || n != len(contents) {
		t.Fatalf("write %s %d+%d: %d, %v", f.Name(), pos, len(contents), n, err)
	}
}

// contentsOf reads an open file from its beginning to its end.
func contentsOf(t testing.TB, f File) string {
	t.Helper()
	size, err := f.Size()
	check(t, err)
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); err != nil || n != len(b) {
		t.Fatalf("read %s of size %d: %d, %v", f.Name(), size, n, err)
	}
	return string(b)
}

// readFile reads a file by name.
func readFile(t testing.TB, fsys FS, name string) string {
	t.Helper()
	f, err := fsys.Open(name)
	check(t, err)
	defer func() { check(t, f.Close()) }()
	return contentsOf(t, f)
}

func TestFS_WriteRead(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, "f")
		f := create(t, fsys, name, "hello")
		write(t, f, 3, "ping")
		write(t, f, 9, "!")
		if got, want := contentsOf(t, f), "helping\x00\x00!"; got != want {
			t.Errorf("contents %q, want %q", got, want)
		}
		if f.Name() != name {
			t.Errorf("name %q, want %q", f.Name(), name)
		}
		b := make([]byte, 4)
		if n, err := f.ReadAt(b, 8); n != 2 || err != io.EOF {
			t.Errorf("read across the end: %d, %v; want 2, EOF", n, err)
		}
		if n, err := f.ReadAt(b, 100); n != 0 || err != io.EOF {
			t.Errorf("read beyond the end: %d, %v; want 0, EOF", n, err)
		}
		if n, err := f.ReadAt(nil, 100); n != 0 || err != nil {
			t.Errorf("read of nothing: %d, %v; want 0, nil", n, err)
		}
		check(t, f.Sync())
		check(t, f.SyncData())
		check(t, fsys.SyncDir(dir))
		check(t, f.Close())
		if got := readFile(t, fsys, name); got != "helping\x00\x00!" {
			t.Errorf("reopened: %q", got)
		}
	})
}

func TestFS_WriteVAt(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		f := create(t, fsys, filepath.Join(dir, "f"), "xy")
		var bufs [][]byte
		var want []byte
		for i := range 2500 { // more than one pwritev(2) takes
			b := bytes.Repeat([]byte{byte('a' + i%26)}, i%7)
			bufs, want = append(bufs, b), append(want, b...)
		}
		before := slices.Clone(bufs)
		n, err := f.WriteVAt(bufs, 2)
		if err != nil || n != int64(len(want)) {
			t.Fatalf("wrote %d, %v; want %d", n, err, len(want))
		}
		if got := contentsOf(t, f); got != "xy"+string(want) {
			t.Errorf("contents differ")
		}
		if !slices.EqualFunc(bufs, before, func(a, b []byte) bool { return bytes.Equal(a, b) }) {
			t.Error("the caller's buffers changed")
		}
		for _, none := range [][][]byte{nil, {}, {nil, {}}} {
			if n, err := f.WriteVAt(none, 7); n != 0 || err != nil {
				t.Errorf("nothing to write: %d, %v", n, err)
			}
		}
		check(t, f.Close())
	})
}

func TestFS_Truncate(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, "f")
		f := create(t, fsys, name, "0123456789")
		check(t, f.Truncate(4))
		check(t, f.Truncate(6))
		write(t, f, 8, "z")
		if got, want := contentsOf(t, f), "0123\x00\x00\x00\x00z"; got != want {
			t.Errorf("contents %q, want %q", got, want)
		}
		check(t, f.Preallocate(0, 1<<20))
		check(t, f.Preallocate(4, 0))
		if size, err := f.Size(); err != nil || size != 9 {
			t.Errorf("size after Preallocate %d, %v; want 9", size, err)
		}
		check(t, f.Close())
		check(t, create(t, fsys, name, "").Close())
		if got := readFile(t, fsys, name); got != "" {
			t.Errorf("O_TRUNC left %q", got)
		}
	})
}

func TestFS_BadArguments(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, "f")
		f := create(t, fsys, name, "abc")
		for _, flag := range []int{
			os.O_WRONLY, os.O_RDWR | os.O_APPEND, os.O_RDWR | os.O_EXCL, os.O_TRUNC, os.O_RDWR | os.O_SYNC,
		} {
			_, err := fsys.OpenFile(name, flag)
			wantError(t, fmt.Sprintf("flag %#x", flag), err, fs.ErrInvalid)
		}
		_, readErr := f.ReadAt(make([]byte, 1), -1)
		_, writeErr := f.WriteAt([]byte("x"), -1)
		_, writevErr := f.WriteVAt([][]byte{[]byte("x")}, -1)
		for what, err := range map[string]error{
			"read": readErr, "write": writeErr, "writev": writevErr, "truncate": f.Truncate(-1),
			"preallocate": f.Preallocate(-1, 2), "preallocate length": f.Preallocate(1, -2),
		} {
			if err == nil {
				t.Errorf("%s before the beginning: no error", what)
			}
		}
		if got := contentsOf(t, f); got != "abc" {
			t.Errorf("contents %q, want %q", got, "abc")
		}
		check(t, f.Close())
	})
}

func TestFS_OpenFlags(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, "f")
		_, err := fsys.Open(name)
		wantError(t, "open a missing file", err, fs.ErrNotExist)
		_, err = fsys.OpenFile(name, os.O_RDWR)
		wantError(t, "open a missing file", err, fs.ErrNotExist)
		_, err = fsys.OpenFile(filepath.Join(dir, "no", "f"), os.O_RDWR|os.O_CREATE)
		wantError(t, "create in a missing directory", err, fs.ErrNotExist)
		_, err = fsys.Open("")
		wantError(t, "open no name", err, fs.ErrNotExist)
		_, err = fsys.Open(dir)
		wantError(t, "open a directory", err, syscall.EISDIR)
		_, err = fsys.OpenFile(dir, os.O_RDWR)
		wantError(t, "open a directory", err, syscall.EISDIR)

		check(t, create(t, fsys, name, "abc").Close())
		_, err = fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
		wantError(t, "create a file that is there", err, fs.ErrExist)
		var path *fs.PathError
		if !errors.As(err, &path) || path.Path != name {
			t.Errorf("error %v does not carry the path %q", err, name)
		}

		f, err := fsys.Open(name)
		check(t, err)
		if _, err := f.WriteAt([]byte("x"), 0); err == nil {
			t.Error("wrote a file that was opened for reading")
		}
		if _, err := f.WriteVAt([][]byte{[]byte("x")}, 0); err == nil {
			t.Error("wrote a file that was opened for reading")
		}
		if err := f.Truncate(0); err == nil {
			t.Error("truncated a file that was opened for reading")
		}
		if got := contentsOf(t, f); got != "abc" {
			t.Errorf("contents %q", got)
		}
		check(t, f.Close())
	})
}

func TestFS_Closed(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		f := create(t, fsys, filepath.Join(dir, "f"), "abc")
		check(t, f.Close())
		_, readErr := f.ReadAt(make([]byte, 1), 0)
		_, writeErr := f.WriteAt([]byte("x"), 0)
		_, writevErr := f.WriteVAt([][]byte{[]byte("x")}, 0)
		_, sizeErr := f.Size()
		for what, err := range map[string]error{
			"read": readErr, "write": writeErr, "writev": writevErr, "size": sizeErr, "truncate": f.Truncate(0),
			"sync": f.Sync(), "syncdata": f.SyncData(), "close": f.Close(),
		} {
			wantError(t, what, err, fs.ErrClosed)
		}
	})
}

func TestFS_Directories(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		deep := filepath.Join(dir, "a", "b", "c")
		check(t, fsys.MkdirAll(deep))
		check(t, fsys.MkdirAll(deep))
		check(t, fsys.Mkdir(filepath.Join(dir, "d")))
		file := filepath.Join(dir, "file")
		check(t, create(t, fsys, file, "abc").Close())

		wantError(t, "mkdir again", fsys.Mkdir(deep), fs.ErrExist)
		wantError(t, "mkdir in nothing", fsys.Mkdir(filepath.Join(dir, "x", "y")), fs.ErrNotExist)
		if err := fsys.MkdirAll(filepath.Join(file, "x")); err == nil {
			t.Error("made a directory below a file")
		}
		if err := fsys.MkdirAll(file); err == nil {
			t.Error("made a directory in place of a file")
		}
		if err := fsys.Remove(filepath.Join(dir, "a")); err == nil {
			t.Error("removed a directory that is not empty")
		}
		wantError(t, "remove nothing", fsys.Remove(filepath.Join(dir, "x")), fs.ErrNotExist)

		entries, err := fsys.ReadDir(dir)
		check(t, err)
		var list []string
		for _, e := range entries {
			info, err := e.Info()
			check(t, err)
			list = append(list, fmt.Sprintf("%s %v %d", e.Name(), e.IsDir(), info.Size()*int64(b2i(!e.IsDir()))))
		}
		if got, want := strings.Join(list, ", "), "a true 0, d true 0, file false 3"; got != want {
			t.Errorf("list %q, want %q", got, want)
		}
		check(t, fsys.Remove(deep))
		check(t, fsys.Remove(filepath.Join(dir, "a", "b")))
		if entries, err := fsys.ReadDir(filepath.Join(dir, "a")); err != nil || len(entries) != 0 {
			t.Errorf("emptied directory: %v, %v", entries, err)
		}
		_, err = fsys.ReadDir(deep)
		wantError(t, "list nothing", err, fs.ErrNotExist)
		if _, err = fsys.ReadDir(file); err == nil {
			t.Error("listed a file")
		}
		wantError(t, "sync a missing directory", fsys.SyncDir(deep), fs.ErrNotExist)
		if err := fsys.SyncDir(file); err == nil {
			t.Error("synced a file as a directory")
		}
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestFS_Stat(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, "f")
		check(t, create(t, fsys, name, "abc").Close())
		info, err := fsys.Stat(name)
		check(t, err)
		if info.Name() != "f" || info.Size() != 3 || info.IsDir() || info.ModTime().IsZero() {
			t.Errorf("file: %v", info)
		}
		info, err = fsys.Stat(dir)
		check(t, err)
		if info.Name() != filepath.Base(dir) || !info.IsDir() {
			t.Errorf("directory: %v", info)
		}
		_, err = fsys.Stat(filepath.Join(dir, "x"))
		wantError(t, "stat of nothing", err, fs.ErrNotExist)
		if _, err = fsys.Stat(filepath.Join(name, "x")); err == nil {
			t.Error("stat below a file: no error")
		}
	})
}

func TestFS_Rename(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		at := func(elements ...string) string { return filepath.Join(append([]string{dir}, elements...)...) }
		f := create(t, fsys, at("old"), "old")
		check(t, create(t, fsys, at("new"), "new").Close())
		check(t, fsys.Rename(at("old"), at("old")))
		check(t, fsys.Rename(at("old"), at("new")))
		if got := readFile(t, fsys, at("new")); got != "old" {
			t.Errorf("new name has %q", got)
		}
		_, err := fsys.Stat(at("old"))
		wantError(t, "old name", err, fs.ErrNotExist)
		write(t, f, 0, "OLD")
		if got := readFile(t, fsys, at("new")); got != "OLD" {
			t.Errorf("the open file has lost its name: %q", got)
		}
		check(t, f.Close())

		check(t, fsys.MkdirAll(at("p", "q")))
		check(t, fsys.Rename(at("new"), at("p", "q", "f")))
		check(t, fsys.Rename(at("p"), at("p.deleted")))
		if got := readFile(t, fsys, at("p.deleted", "q", "f")); got != "OLD" {
			t.Errorf("file in a moved directory has %q", got)
		}
		check(t, fsys.Mkdir(at("d")))
		check(t, create(t, fsys, at("f"), "f").Close())
		wantError(t, "rename nothing", fsys.Rename(at("x"), at("y")), fs.ErrNotExist)
		for what, err := range map[string]error{
			"file onto directory":      fsys.Rename(at("f"), at("d")),
			"directory onto directory": fsys.Rename(at("p.deleted"), at("d")),
			"directory onto file":      fsys.Rename(at("d"), at("f")),
			"directory into itself":    fsys.Rename(at("p.deleted"), at("p.deleted", "q", "r")),
			"into nothing":             fsys.Rename(at("f"), at("x", "f")),
		} {
			if err == nil {
				t.Errorf("rename %s: no error", what)
			}
		}
	})
}

func TestFS_RemovedFileStaysReadable(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, "f")
		f := create(t, fsys, name, "first")
		check(t, fsys.Remove(name))
		second := create(t, fsys, name, "second")
		write(t, f, 5, "!")
		check(t, f.Sync())
		if got := contentsOf(t, f); got != "first!" {
			t.Errorf("removed file has %q", got)
		}
		if got := contentsOf(t, second); got != "second" {
			t.Errorf("its successor has %q", got)
		}
		check(t, f.Close())
		check(t, second.Close())
	})
}

func TestFS_Lock(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, "LOCK")
		lock, err := fsys.Lock(name)
		check(t, err)
		_, err = fsys.Lock(name)
		wantError(t, "second lock", err, ErrLocked)
		if !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("error %q does not name the file", err)
		}
		check(t, lock.Close())
		lock, err = fsys.Lock(name)
		check(t, err)
		check(t, lock.Close())
		if _, err := fsys.Stat(name); err != nil {
			t.Errorf("lock file: %v", err)
		}
		_, err = fsys.Lock(filepath.Join(dir, "no", "LOCK"))
		wantError(t, "lock in a missing directory", err, fs.ErrNotExist)
	})
}

func TestFS_Usage(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		u, err := fsys.Usage(dir)
		check(t, err)
		if u.Total == 0 || u.Free > u.Total {
			t.Errorf("usage %+v", u)
		}
		_, err = fsys.Usage(filepath.Join(dir, "x"))
		wantError(t, "usage of nothing", err, fs.ErrNotExist)
	})
}

func TestFS_ConcurrentWriters(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		const writers, block = 8, 1000
		f := create(t, fsys, filepath.Join(dir, "f"), "")
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				b := bytes.Repeat([]byte{byte('a' + i)}, block)
				if _, err := f.WriteVAt([][]byte{b[:block/2], b[block/2:]}, int64(i*block)); err != nil {
					t.Error(err)
				}
				if err := f.SyncData(); err != nil {
					t.Error(err)
				}
				if _, err := f.ReadAt(b, int64(i*block)); err != nil || b[0] != byte('a'+i) || b[block-1] != b[0] {
					t.Errorf("block %d: %q, %v", i, b[:1], err)
				}
			})
		}
		wg.Wait()
		if size, err := f.Size(); err != nil || size != writers*block {
			t.Errorf("size %d, %v", size, err)
		}
		check(t, f.Close())
	})
}

func TestFS_OSFile(t *testing.T) {
	f := create(t, OS(), filepath.Join(t.TempDir(), "f"), "abc")
	if b, err := io.ReadAll(f.OS()); err != nil || string(b) != "abc" {
		t.Errorf("read through the file of the system: %q, %v", b, err)
	}
	check(t, f.Close())
	if f := create(t, NewMem(), "f", "abc"); f.OS() != nil {
		t.Error("a file in memory has a file of the system")
	}
}

func TestMem_TooLarge(t *testing.T) {
	f := create(t, NewMem(), "f", "abc")
	_, err := f.WriteAt([]byte("x"), 1<<62)
	wantError(t, "write", err, syscall.EFBIG)
	wantError(t, "truncate", f.Truncate(1<<62), syscall.EFBIG)
	wantError(t, "preallocate", f.Preallocate(1<<62, 1<<62), syscall.EFBIG)
}

// TestWriteback: it is a hint that changes nothing, for closed files too.
func TestWriteback(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS, dir string) {
		f := create(t, fsys, filepath.Join(dir, "f"), "0123456789")
		Writeback(f, 2, 3)
		Writeback(f, 8, 1<<40)
		Writeback(f, -1, 1)
		if got := contentsOf(t, f); got != "0123456789" {
			t.Errorf("contents %q", got)
		}
		check(t, f.Close())
		Writeback(f, 0, 1)
	})
}
