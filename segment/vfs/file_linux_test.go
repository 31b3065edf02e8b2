package vfs

import (
	"bytes"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel stops a pwritev(2) in the middle of a buffer at the file size limit
// of the process; the next call fails.
func TestOS_WriteVAtStopsInsideABuffer(t *testing.T) {
	f := create(t, OS(), filepath.Join(t.TempDir(), "f"), "")
	const limit = 1000
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var before unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &before))
	check(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: before.Max}))
	one := bytes.Repeat([]byte("x"), 600)
	n, err := f.WriteVAt([][]byte{one, one, one}, 0)
	check(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &before))

	wantError(t, "write beyond the limit", err, unix.EFBIG)
	if size, _ := f.Size(); n != limit || size != limit {
		t.Errorf("wrote %d, size %d; want %d", n, size, limit)
	}
	n, err = f.WriteVAt([][]byte{one, one, one}, 0)
	if n != 1800 || err != nil {
		t.Errorf("without the limit: %d, %v", n, err)
	}
	check(t, f.Close())
}

// lazyWriter writes at most so many bytes at once, to an osFile.
type lazyWriter struct {
	*osFile
	most int
}

func (w lazyWriter) pwritev(bufs [][]byte, pos int64) (int, error) {
	n, err := w.osFile.pwritev(firstBytes(bufs, int64(w.most)), pos)
	return n, err
}

func TestOS_WriteVAtGoesOnAfterAPart(t *testing.T) {
	want := "one, two, three, four"
	for most := 1; most <= len(want); most++ {
		f := create(t, OS(), filepath.Join(t.TempDir(), "f"), "")
		bufs := [][]byte{[]byte(want[:3]), nil, []byte(want[3:4]), []byte(want[4:16]), {}, []byte(want[16:])}
		n, err := writeVector(lazyWriter{f.(*osFile), most}, bufs, 0)
		if n != int64(len(want)) || err != nil {
			t.Errorf("%d bytes at once: %d, %v", most, n, err)
		}
		if got := contentsOf(t, f); got != want {
			t.Errorf("%d bytes at once: %q", most, got)
		}
		check(t, f.Close())
	}
}

func TestOS_Preallocate(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	f := create(t, OS(), name, "abc")
	const n = 1 << 20
	blocks := func() int64 {
		var st unix.Stat_t
		check(t, unix.Stat(name, &st))
		return st.Blocks * 512
	}
	if got := blocks(); got >= n {
		t.Fatalf("%d bytes are taken before", got)
	}
	check(t, f.Preallocate(0, n))
	usage, err := OS().Usage(dir)
	check(t, err)
	able := slices.Contains([]string{"ext4", "xfs", "btrfs", "tmpfs"}, usage.Type)
	if got := blocks(); able && got < n {
		t.Errorf("%s took %d bytes, want %d", usage.Type, got, n)
	}
	check(t, f.Close())

	f, err = OS().Open(name)
	check(t, err)
	wantError(t, "preallocate a file opened for reading", f.Preallocate(0, n), unix.EBADF)
	check(t, f.Close())
}

func TestFileSystemType(t *testing.T) {
	for magic, want := range map[uint32]string{
		unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.NFS_SUPER_MAGIC: "nfs",
		0x2fc12fc1: "zfs", 0xff534d42: "smb", 0: "",
	} {
		if got := fileSystemType(magic); got != want {
			t.Errorf("magic %#x is %q, want %q", magic, got, want)
		}
	}
	if u, err := OS().Usage("/proc/self/fd"); err != nil || u.Type != "" || u.Total != 0 {
		t.Errorf("proc: %+v, %v", u, err)
	}
}

func TestErrseqComplete(t *testing.T) {
	for release, want := range map[string]bool{
		"4.16.9": false, "4.17.0-rc1": true, "4.17": true, "5.4.0-42-generic": true, "6.18.3+": true, "3.10.0-1160.el7": false, "": false, "weird": false,
	} {
		if got := errseqComplete(release); got != want {
			t.Errorf("%q: %v", release, got)
		}
	}
}
