package vfs

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRotational goes through a list of devices as the system has it: a disk, a
// partition of it, whose entry is a link into the disk's, and one without a queue.
func TestRotational(t *testing.T) {
	root := t.TempDir()
	file := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(filepath.Join(root, to), filepath.Join(root, "block", name)); err != nil {
			t.Fatal(err)
		}
	}
	file("block/none", "")
	file("devices/sda/queue/rotational", "1\n")
	file("devices/sda/sda1/partition", "1\n")
	file("devices/nvme0n1/queue/rotational", "0\n")
	file("devices/odd/queue/rotational", "what\n")
	link("devices/sda", "8:0")
	link("devices/sda/sda1", "8:1")
	link("devices/nvme0n1", "259:0")
	link("devices/odd", "9:0")
	for _, c := range []struct {
		major, minor uint32
		yes, known   bool
	}{{8, 0, true, true}, {8, 1, true, true}, {259, 0, false, true}, {9, 0, false, false}, {0, 33, false, false}} {
		if yes, known := rotationalDevice(filepath.Join(root, "block"), c.major, c.minor); yes != c.yes || known != c.known {
			t.Errorf("%d:%d: %v, known %v", c.major, c.minor, yes, known)
		}
	}
	if _, known := Rotational(filepath.Join(root, "none")); known {
		t.Error("a file that is not there lies on a known disk")
	}
	yes, known := Rotational(root)
	t.Logf("%s: rotational %v, known %v", root, yes, known)
}
