package takeover

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sordini/segment/vfs"
)

// TestCopyRange copies more than one step, and not all of the file.
func TestCopyRange(t *testing.T) {
	dir, memory := t.TempDir(), vfs.NewMem()
	must(t, memory.MkdirAll(dir))
	for _, fsys := range []vfs.FS{vfs.OS(), memory} {
		size := int64(copyStep + walkBuffer + 17)
		if fsys == memory {
			size = 2*walkBuffer + 17
		}
		src, err := fsys.OpenFile(filepath.Join(dir, "src"), os.O_RDWR|os.O_CREATE)
		must(t, err)
		defer src.Close()
		dst, err := fsys.OpenFile(filepath.Join(dir, "dst"), os.O_RDWR|os.O_CREATE)
		must(t, err)
		defer dst.Close()
		must(t, src.Truncate(size+100))
		for _, at := range []int64{0, size - walkBuffer - 19, size - 5} {
			_, err := src.WriteAt([]byte("12345"), at)
			must(t, err)
		}
		must(t, copyRange(context.Background(), dst, src, size))
		if n, err := dst.Size(); err != nil || n != size {
			t.Errorf("%d bytes, want %d: %v", n, size, err)
		}
		for at := int64(0); at < size; at += walkBuffer {
			a, b := make([]byte, min(walkBuffer, size-at)), make([]byte, min(walkBuffer, size-at))
			must(t, vfs.ReadFull(src, a, at))
			must(t, vfs.ReadFull(dst, b, at))
			if !bytes.Equal(a, b) {
				t.Fatalf("bytes from %d on differ", at)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := copyRange(ctx, dst, src, size); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if err := copyRange(context.Background(), dst, src, size+200); err == nil {
			t.Error("more than there is: no error")
		}
	}
}
