package vfs_test

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"sordini/segment/vfs"
)

func TestReplaceFile(t *testing.T) {
	m := vfs.NewMem()
	if err := vfs.WriteSynced(m, "f", []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := m.SyncDir("."); err != nil {
		t.Fatal(err)
	}
	f := vfs.NewFaulty(m, nil)
	if err := vfs.ReplaceFile(f, "f", []byte("new "), []byte("text")); err != nil {
		t.Fatal(err)
	}
	ops := f.Ops()
	if b, err := vfs.ReadFile(m, "f", 8); err != nil || string(b) != "new text" {
		t.Fatalf("%q, %v", b, err)
	}
	// Cut the power after each operation: the file is the old one or the new one.
	for n := range ops + 1 {
		m := vfs.NewMem()
		vfs.WriteSynced(m, "f", []byte("old"))
		m.SyncDir(".")
		f := vfs.NewFaulty(m, nil)
		f.CutAfter(n)
		err := vfs.ReplaceFile(f, "f", []byte("new text"))
		if n < ops && !errors.Is(err, vfs.ErrPowerCut) {
			t.Fatalf("cut after %d operations: %v", n, err)
		}
		for seed := range uint64(20) {
			b, err := vfs.ReadFile(m.Crash(seed, vfs.CrashRandom), "f", 100)
			if err != nil || !bytes.Equal(b, []byte("old")) && !bytes.Equal(b, []byte("new text")) {
				t.Fatalf("cut after %d operations, seed %d: %q, %v", n, seed, b, err)
			}
		}
	}
}

func TestReadFile_Refuses(t *testing.T) {
	m := vfs.NewMem()
	if _, err := vfs.ReadFile(m, "none", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	vfs.WriteSynced(m, "f", make([]byte, 11))
	if _, err := vfs.ReadFile(m, "f", 10); !errors.Is(err, vfs.ErrTooLarge) {
		t.Errorf("large file: %v", err)
	}
}
