package index

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// mapped reads a file through a mapping.
type mapped []byte

func (m mapped) ReadAt(p []byte, at int64) (int, error) {
	if n := copy(p, m[min(at, int64(len(m))):]); n < len(p) {
		return n, io.EOF
	}
	return len(p), nil
}

// BenchmarkAccess compares reading an index with mapping it, which is why it is read.
// It looks offsets up in the index of a segment of 1 GiB; cold means that no page of it
// is in memory, as after a start.
func BenchmarkAccess(b *testing.B) {
	const entries = 1 << 18 // at the default interval of 4 KiB
	name := filepath.Join(b.TempDir(), "index")
	all := make([]OffsetEntry, entries)
	for i := range all {
		all[i] = OffsetEntry{Rel: uint32(4*i + 3), Pos: uint32(4096 * i)}
	}
	buf := AppendOffsets(nil, all)
	if err := os.WriteFile(name, buf, 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	for _, cold := range []bool{false, true} {
		for _, useMap := range []bool{false, true} {
			name := map[bool]string{false: "warm", true: "cold"}[cold] + map[bool]string{false: "/read", true: "/mmap"}[useMap]
			b.Run(name, func(b *testing.B) {
				for range b.N {
					if cold {
						b.StopTimer()
						if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
							b.Fatal(err)
						}
						b.StartTimer()
					}
					lookUp(b, f, len(buf), useMap, cold)
				}
				unmap(b) // mapped pages cannot be dropped
			})
		}
	}
}

var keptMap mapped

// lookUp finds one offset. A mapping is kept, as it would be, unless the cache is to be
// emptied.
func lookUp(b *testing.B, f *os.File, size int, useMap, cold bool) {
	var r io.ReaderAt = f
	if useMap {
		if keptMap == nil {
			m, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
			if err != nil {
				b.Fatal(err)
			}
			keptMap = m
		}
		r = keptMap
	}
	s, block := NewSealed(int64(size)), new(Block)
	if _, _, ok, _, err := s.Find(r, block, rand.Uint32N(1<<20)); err != nil || !ok && block.n == 0 {
		b.Fatal(err)
	}
	if cold {
		unmap(b)
	}
}

func unmap(b *testing.B) {
	if keptMap == nil {
		return
	}
	if err := unix.Munmap(keptMap); err != nil {
		b.Fatal(err)
	}
	keptMap = nil
}
