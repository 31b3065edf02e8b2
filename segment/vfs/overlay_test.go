package vfs

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// overlayOn returns an overlay with a spill in memory.
func overlayOn(t testing.TB, base FS) *Overlay {
	t.Helper()
	spill, err := NewMem().OpenFile("spill", os.O_RDWR|os.O_CREATE)
	check(t, err)
	return NewOverlay(base, spill)
}

// treeOf lists everything below a directory, with checksums of contents.
func treeOf(t testing.TB, fsys FS, dir string) []string {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	check(t, err)
	var all []string
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if e.IsDir() {
			all = append(append(all, name), treeOf(t, fsys, name)...)
			continue
		}
		contents := readFile(t, fsys, name)
		all = append(all, fmt.Sprintf("%s %d %08x", name, len(contents), crc32.ChecksumIEEE([]byte(contents))))
	}
	return all
}

// storyOn does random things to a tree and returns what each said.
func storyOn(t *testing.T, fsys FS, seed uint64) []string {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	var said []string
	say := func(what string, args ...any) { said = append(said, fmt.Sprintf(what, args...)) }
	name := func() string {
		dirs := []string{"data", "data/a", "data/b", "data/c"}
		return filepath.Join(dirs[rng.IntN(4)], fmt.Sprint("f", rng.IntN(3)))
	}
	for range 60 {
		switch rng.IntN(8) {
		case 0, 1, 2:
			n, flag := name(), []int{os.O_RDWR, os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_CREATE | os.O_TRUNC}[rng.IntN(3)]
			f, err := fsys.OpenFile(n, flag)
			say("open %s %v", n, err == nil)
			pos, b := rng.Int64N(300_000), bytes.Repeat([]byte{byte(rng.IntN(3))}, rng.IntN(200_000))
			cut := rng.Int64N(300_000)
			if err != nil {
				continue
			}
			wrote, err := f.WriteAt(b, pos)
			say("wrote %d %v", wrote, err)
			if rng.IntN(3) == 0 {
				say("cut %v", f.Truncate(cut))
			}
			check(t, f.Close())
		case 3:
			n := name()
			say("remove %s %v", n, fsys.Remove(n) == nil)
		case 4:
			from, to := name(), name()
			say("rename %s %s %v", from, to, fsys.Rename(from, to) == nil)
		case 5:
			n := fmt.Sprint("data/", string(rune('a'+rng.IntN(3))))
			say("mkdir %s %v", n, fsys.Mkdir(n) == nil)
		case 6:
			n := fmt.Sprint("data/", string(rune('a'+rng.IntN(3))))
			to := fmt.Sprint("data/", string(rune('a'+rng.IntN(3))))
			say("rename %s %s %v", n, to, n != to && fsys.Rename(n, to) == nil)
		case 7:
			n := name()
			info, err := fsys.Stat(n)
			say("stat %s %v", n, err == nil)
			if err == nil {
				say("%d %v", info.Size(), info.IsDir())
			}
		}
	}
	return said
}

// What is done to an overlay looks as if it had been done to what lies below, which
// does not change.
func TestOverlay_LooksLikeTheRealThing(t *testing.T) {
	for seed := range uint64(60) {
		real, base := NewMem(), NewMem()
		for _, m := range []*Mem{real, base} {
			check(t, m.Mkdir("data"))
			storyOn(t, m, seed+1000)
		}
		before := treeOf(t, base, "data")
		over := overlayOn(t, base)
		want, got := storyOn(t, real, seed), storyOn(t, over, seed)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d:\n%q, want\n%q", seed, got, want)
		}
		if got, want := treeOf(t, over, "data"), treeOf(t, real, "data"); !slices.Equal(got, want) {
			t.Fatalf("seed %d: the trees differ", seed)
		}
		if !slices.Equal(treeOf(t, base, "data"), before) {
			t.Fatalf("seed %d: what lies below has changed", seed)
		}
	}
}

// What is there already, and zeros where a file grows, are not kept.
func TestOverlay_KeepsOnlyWhatDiffers(t *testing.T) {
	base := NewMem()
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = byte(i >> 8)
	}
	check(t, create(t, base, "f", string(b)).Close())
	o := overlayOn(t, base)
	f, err := o.OpenFile("f", os.O_RDWR)
	check(t, err)
	write(t, f, 0, string(b))
	write(t, f, int64(len(b)), string(make([]byte, 1<<20)))
	if o.Spilled() != 0 {
		t.Errorf("%d bytes kept", o.Spilled())
	}
	if size, _ := f.Size(); size != 2<<20 {
		t.Errorf("size %d", size)
	}
	write(t, f, 5000, "x")
	if got := o.Spilled(); got != 1 {
		t.Errorf("%d bytes kept of one that differs", got)
	}
	check(t, f.Close())
}
