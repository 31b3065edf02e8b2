package vfs

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// manySeeds is enough for every outcome that the tests name to turn up.
const manySeeds = 200

// tree describes all files and directories: path to contents, and "/" for a
// directory.
func tree(t testing.TB, fsys FS, dir string) map[string]string {
	t.Helper()
	result := map[string]string{}
	entries, err := fsys.ReadDir(dir)
	check(t, err)
	for _, e := range entries {
		path := filepath.ToSlash(filepath.Join(dir, e.Name()))
		if e.IsDir() {
			result[path] = "/"
			maps.Copy(result, tree(t, fsys, path))
		} else {
			result[path] = readFile(t, fsys, path)
		}
	}
	return result
}

// outcomes counts what a path is after a random crash, over many seeds: its
// contents, or "none".
func outcomes(t testing.TB, m *Mem, path string) map[string]int {
	t.Helper()
	result := map[string]int{}
	for seed := range uint64(manySeeds) {
		contents, ok := tree(t, m.Crash(seed, CrashRandom), ".")[path]
		if !ok {
			contents = "none"
		}
		result[contents]++
	}
	return result
}

func wantOutcomes(t testing.TB, got map[string]int, want ...string) {
	t.Helper()
	slices.Sort(want)
	if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, want) {
		t.Errorf("outcomes %.200q, want %.200q", keys, want)
	}
}

func TestCrash_SyncedSurvives(t *testing.T) {
	m := NewMem()
	check(t, m.MkdirAll("a/b"))
	f := create(t, m, "a/b/f", "durable")
	check(t, f.SyncData())
	for _, dir := range []string{".", "a", "a/b"} {
		check(t, m.SyncDir(dir))
	}
	want := map[string]string{"a": "/", "a/b": "/", "a/b/f": "durable"}
	for _, mode := range []CrashMode{CrashDropAll, CrashKeepAll, CrashRandom} {
		for seed := range uint64(manySeeds) {
			if got := tree(t, m.Crash(seed, mode), "."); !maps.Equal(got, want) {
				t.Fatalf("%v, seed %d: %q", mode, seed, got)
			}
		}
	}
}

// Each control leaves out one sync that TestCrash_SyncedSurvives has.
func TestCrash_UnsyncedMayBeLost(t *testing.T) {
	for _, without := range []string{"f", ".", "a", "a/b"} {
		t.Run(without, func(t *testing.T) {
			m := NewMem()
			check(t, m.MkdirAll("a/b"))
			f := create(t, m, "a/b/f", "durable")
			if without != "f" {
				check(t, f.Sync())
			}
			for _, dir := range []string{".", "a", "a/b"} {
				if dir != without {
					check(t, m.SyncDir(dir))
				}
			}
			lost := []string{"none"}
			if without == "f" {
				lost = []string{"", "\x00\x00\x00\x00\x00\x00\x00"} // no size, or no data
			}
			wantOutcomes(t, outcomes(t, m, "a/b/f"), append(lost, "durable")...)
			if got := tree(t, m.Crash(0, CrashDropAll), "."); got["a/b/f"] == "durable" {
				t.Error("DropAll kept it")
			}
			if got := tree(t, m.Crash(0, CrashKeepAll), "."); got["a/b/f"] != "durable" {
				t.Error("KeepAll lost it")
			}
		})
	}
}

func TestCrash_KeepAllKeepsWhatIsNotDurable(t *testing.T) {
	m := NewMem()
	f := create(t, m, "f", "old")
	check(t, f.Sync())
	check(t, m.SyncDir("."))
	write(t, f, 0, "new")
	check(t, create(t, m, "g", "new").Close())

	restarted := m.Crash(0, CrashKeepAll)
	if got, want := tree(t, restarted, "."), (map[string]string{"f": "new", "g": "new"}); !maps.Equal(got, want) {
		t.Fatalf("after exit: %q", got)
	}
	if got, want := tree(t, restarted.Crash(0, CrashDropAll), "."), (map[string]string{"f": "old"}); !maps.Equal(got, want) {
		t.Errorf("after exit and power cut: %q", got)
	}
	g, err := restarted.OpenFile("g", os.O_RDWR)
	check(t, err)
	check(t, g.Sync())
	check(t, restarted.SyncDir("."))
	if got := tree(t, restarted.Crash(0, CrashDropAll), "."); got["g"] != "new" {
		t.Errorf("synced after exit: %q", got)
	}
	if got := tree(t, m.Crash(0, CrashDropAll), "."); len(got) != 1 {
		t.Errorf("the sync reached the original: %q", got)
	}
}

func TestCrash_LeavesTheOriginalAlone(t *testing.T) {
	m := NewMem()
	f := create(t, m, "f", strings.Repeat("x", 2000))
	check(t, f.Truncate(1000))
	want := tree(t, m, ".")
	for _, mode := range []CrashMode{CrashDropAll, CrashKeepAll, CrashRandom} {
		for seed := range uint64(20) {
			crashed := m.Crash(seed, mode)
			check(t, create(t, crashed, "f", "other").Close())
			check(t, create(t, crashed, "g", "other").Close())
			check(t, crashed.SyncDir("."))
		}
	}
	if got := tree(t, m, "."); !maps.Equal(got, want) {
		t.Errorf("the original has %.100q", got)
	}
	write(t, f, 1000, "goes on")
	wantError(t, "durable name", m.Crash(0, CrashDropAll).Remove("f"), fs.ErrNotExist)
}

// sectors cuts contents in sectors and tells each by its first byte, or "?" if
// its bytes differ.
func sectors(contents string) string {
	var result strings.Builder
	for chunk := range slices.Chunk([]byte(contents), sectorSize) {
		if bytes.Count(chunk, chunk[:1]) == len(chunk) {
			result.WriteByte(chunk[0])
		} else {
			result.WriteByte('?')
		}
	}
	return strings.ReplaceAll(result.String(), "\x00", "0")
}

func TestCrash_TornOverwrite(t *testing.T) {
	m := NewMem()
	f := create(t, m, "f", strings.Repeat("o", 4*sectorSize))
	check(t, f.Sync())
	check(t, m.SyncDir("."))
	write(t, f, 0, strings.Repeat("n", 3*sectorSize))
	write(t, f, sectorSize, strings.Repeat("m", sectorSize))
	seen := map[string]int{}
	for contents, count := range outcomes(t, m, "f") {
		seen[sectors(contents)] += count
	}
	for got := range seen {
		if len(got) != 4 || strings.Trim(got, "onm") != "" || got[3] != 'o' || strings.ContainsAny(got[:1]+got[2:], "m") {
			t.Errorf("impossible: %s", got)
		}
	}
	for _, want := range []string{"oooo", "nmno", "omoo", "onoo", "nooo", "oono"} {
		if seen[want] == 0 {
			t.Errorf("%s never came out of %v", want, seen)
		}
	}
}

func TestCrash_TornAppend(t *testing.T) {
	m := NewMem()
	f := create(t, m, "f", strings.Repeat("o", sectorSize))
	check(t, f.Sync())
	check(t, m.SyncDir("."))
	write(t, f, sectorSize, strings.Repeat("n", 2*sectorSize))
	seen := map[string]int{}
	for contents, count := range outcomes(t, m, "f") {
		seen[sectors(contents)] += count
	}
	// A grown file has zeros where the data did not arrive.
	wantOutcomes(t, seen, "o", "o0", "on", "o00", "on0", "o0n", "onn")
}

func TestCrash_Truncate(t *testing.T) {
	const s = sectorSize
	o, n := strings.Repeat("o", 3*s), strings.Repeat("n", s)
	m := NewMem()
	f := create(t, m, "f", o)
	check(t, f.Sync())
	check(t, m.SyncDir("."))
	check(t, f.Truncate(s/2))
	wantOutcomes(t, outcomes(t, m, "f"), o, o[:s/2])

	write(t, f, 2*s, n)
	zeros := string(make([]byte, 3*s))
	wantOutcomes(t, outcomes(t, m, "f"),
		o, o[:2*s]+n, // the truncation did not happen
		o[:s/2], // it did
		o[:s/2]+zeros[:s/2], o[:s/2]+zeros[:s/2+s], o[:s/2]+zeros[:s/2+2*s], o[:s/2]+zeros[:s/2+s]+n)

	check(t, f.Sync())
	wantOutcomes(t, outcomes(t, m, "f"), o[:s/2]+zeros[:s/2+s]+n)
}

// A cut that survived stays, and what was written after it is torn on its own.
func TestCrash_TruncateThenAppend(t *testing.T) {
	m := NewMem()
	f := create(t, m, "f", strings.Repeat("o", 2*sectorSize))
	check(t, f.Sync())
	check(t, m.SyncDir("."))
	check(t, f.Truncate(sectorSize))
	write(t, f, sectorSize, strings.Repeat("n", 2*sectorSize))
	seen := map[string]int{}
	for contents, count := range outcomes(t, m, "f") {
		seen[sectors(contents)] += count
	}
	wantOutcomes(t, seen, "oo", "o", "o0", "on", "o00", "on0", "o0n", "onn")
}

// The durable bytes are those of the call, also when its buffer is used again.
func TestCrash_BufferIsReused(t *testing.T) {
	m := NewMem()
	f := create(t, m, "f", "")
	check(t, m.SyncDir("."))
	b := []byte("first")
	_, err := f.WriteAt(b, 0)
	check(t, err)
	copy(b, "other")
	check(t, f.Sync())
	if got := readFile(t, m.Crash(0, CrashDropAll), "f"); got != "first" {
		t.Errorf("durable %q", got)
	}
}

func TestCrash_RenameIsAtomic(t *testing.T) {
	m := NewMem()
	for _, name := range []string{"new", "old"} {
		f := create(t, m, name, name)
		check(t, f.Sync())
	}
	check(t, m.SyncDir("."))
	check(t, m.Rename("new", "old"))
	seen := map[string]int{}
	for seed := range uint64(manySeeds) {
		seen[fmt.Sprint(tree(t, m.Crash(seed, CrashRandom), "."))]++
	}
	wantOutcomes(t, seen, "map[new:new old:old]", "map[old:new]")
	check(t, m.SyncDir("."))
	wantOutcomes(t, outcomes(t, m, "old"), "new")
}

// Without a sync of the file before, the rename shows one that has no data.
func TestCrash_RenameBeforeSync(t *testing.T) {
	m := NewMem()
	f := create(t, m, "old", "old")
	check(t, f.Sync())
	check(t, m.SyncDir("."))
	check(t, create(t, m, "new", "new").Close())
	check(t, m.Rename("new", "old"))
	wantOutcomes(t, outcomes(t, m, "old"), "old", "new", "", "\x00\x00\x00")
}

func TestCrash_RenameBetweenDirectories(t *testing.T) {
	for _, synced := range []string{"a", "b"} {
		m := NewMem()
		check(t, m.MkdirAll("a/sub"))
		check(t, m.Mkdir("b"))
		f := create(t, m, "a/sub/f", "x")
		check(t, f.Sync())
		for _, dir := range []string{".", "a", "a/sub"} {
			check(t, m.SyncDir(dir))
		}
		check(t, m.Rename("a/sub", "b/sub"))
		seen := map[string]int{}
		for seed := range uint64(manySeeds) {
			seen[fmt.Sprint(tree(t, m.Crash(seed, CrashRandom), "."))]++
		}
		moved := "map[a:/ b:/ b/sub:/ b/sub/f:x]"
		wantOutcomes(t, seen, moved, "map[a:/ a/sub:/ a/sub/f:x b:/]")
		check(t, m.SyncDir(synced))
		if got := fmt.Sprint(tree(t, m.Crash(0, CrashDropAll), ".")); got != moved {
			t.Errorf("after SyncDir of %s: %s", synced, got)
		}
	}
}

// SyncDir of the new directory takes along what happened to the old name.
func TestCrash_CreateAndRenameBetweenDirectories(t *testing.T) {
	m := NewMem()
	check(t, m.Mkdir("a"))
	check(t, m.Mkdir("b"))
	check(t, m.SyncDir("."))
	check(t, create(t, m, "a/f", "").Close())
	check(t, m.Rename("a/f", "b/f"))
	check(t, m.SyncDir("b"))
	for seed := range uint64(manySeeds) {
		if got := fmt.Sprint(tree(t, m.Crash(seed, CrashRandom), ".")); got != "map[a:/ b:/ b/f:]" {
			t.Fatalf("seed %d: %s", seed, got)
		}
	}
}

// Directories that moved into one another in turn never vanish in a circle.
func TestCrash_DirectoryMovesSurviveInOrder(t *testing.T) {
	m := NewMem()
	check(t, m.Mkdir("a"))
	check(t, m.Mkdir("b"))
	check(t, m.SyncDir("."))
	check(t, m.Rename("a", "b/a"))
	check(t, m.Rename("b/a", "a"))
	check(t, m.Rename("b", "a/b"))
	seen := map[string]int{}
	for seed := range uint64(manySeeds) {
		seen[fmt.Sprint(tree(t, m.Crash(seed, CrashRandom), "."))]++
	}
	wantOutcomes(t, seen, "map[a:/ b:/]", "map[b:/ b/a:/]", "map[a:/ a/b:/]")
}

// TestCrash_NamesSurviveInOrder checks on random histories that each name has
// after a crash what it once had before, and no file has two names.
func TestCrash_NamesSurviveInOrder(t *testing.T) {
	names := []string{"a", "b", "c"}
	for seed := range uint64(manySeeds) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := NewMem()
		had := map[string]map[string]bool{} // name -> contents it had since its last sync
		for _, name := range names {
			had[name] = map[string]bool{"": true}
		}
		for step := range 12 {
			name := names[rng.IntN(len(names))]
			switch rng.IntN(6) {
			case 0:
				_ = m.Remove(name)
			case 1, 2:
				_ = m.Rename(name, names[rng.IntN(len(names))])
			case 3:
				check(t, m.SyncDir("."))
				had = map[string]map[string]bool{"a": {}, "b": {}, "c": {}}
			default:
				_ = m.Remove(name)
				f := create(t, m, name, fmt.Sprintf("file %d", step))
				check(t, f.Sync())
				check(t, f.Close())
				had[name][""] = true
			}
			now := tree(t, m, ".")
			for _, name := range names {
				had[name][now[name]] = true
			}
		}
		for crash := range uint64(20) {
			files := map[string]string{}
			after := tree(t, m.Crash(crash, CrashRandom), ".")
			for _, name := range names {
				if !had[name][after[name]] {
					t.Errorf("history %d, crash %d: %s has %q, which is not among %v", seed, crash, name, after[name], had[name])
				}
				if other, twice := files[after[name]]; twice && after[name] != "" {
					t.Errorf("history %d, crash %d: %q is both %s and %s", seed, crash, after[name], other, name)
				}
				files[after[name]] = name
			}
		}
	}
}

// TestCrash_ContentsComeFromHistory checks on random histories of one file that
// a crash leaves only what was there since the last sync. Without truncations
// that holds for whole sectors, with them for bytes, or zeros where it was cut.
func TestCrash_ContentsComeFromHistory(t *testing.T) {
	const size = 6 * sectorSize
	for seed := range uint64(manySeeds) {
		rng := rand.New(rand.NewPCG(seed, 2))
		m := NewMem()
		f := create(t, m, "f", "")
		check(t, m.SyncDir("."))
		states, cut := []string{""}, false
		for step := range 12 {
			switch rng.IntN(6) {
			case 0:
				cut = true
				check(t, f.Truncate(rng.Int64N(size)))
			case 1:
				check(t, f.Sync())
				states, cut = nil, false
			default:
				pos := rng.Int64N(size)
				write(t, f, pos, strings.Repeat(string(rune('a'+step)), 1+rng.IntN(size-int(pos))))
			}
			states = append(states, contentsOf(t, f))
			checkCrashes(t, m, fmt.Sprintf("history %d, step %d", seed, step), states, cut)
		}
	}
}

// checkCrashes crashes the file f, whose contents since its last sync were the
// states.
func checkCrashes(t *testing.T, m *Mem, at string, states []string, cut bool) {
	t.Helper()
	for crash := range uint64(10) {
		got := readFile(t, m.Crash(crash, CrashRandom), "f")
		if !cut && len(got) < len(states[0]) {
			t.Fatalf("%s, crash %d: synced bytes are gone", at, crash)
		}
		if len(states) == 1 && got != states[0] {
			t.Fatalf("%s, crash %d: a synced file changed", at, crash)
		}
		for pos := 0; pos < len(got) && !cut; pos += sectorSize {
			if !sectorAmong(got, states, pos) {
				t.Fatalf("%s, crash %d: the sector at %d was never there", at, crash, pos)
			}
		}
		for pos := range len(got) {
			if got[pos] != 0 && !slices.ContainsFunc(states, func(state string) bool {
				return pos < len(state) && state[pos] == got[pos]
			}) {
				t.Fatalf("%s, crash %d: the byte at %d was never there", at, crash, pos)
			}
		}
	}
}

// sectorAmong reports whether the sector of got at pos is that of some state,
// which reads as zeros beyond its end.
func sectorAmong(got string, states []string, pos int) bool {
	sector := got[pos:min(pos+sectorSize, len(got))]
	return slices.ContainsFunc(states, func(state string) bool {
		image := make([]byte, len(sector))
		if pos < len(state) {
			copy(image, state[pos:])
		}
		return string(image) == sector
	})
}

func TestCrash_SameSeedSameResult(t *testing.T) {
	history := func() *Mem {
		m := NewMem()
		for i := range 20 {
			dir := fmt.Sprintf("d%d", i%5)
			check(t, m.MkdirAll(dir))
			f := create(t, m, fmt.Sprintf("%s/f%d", dir, i), strings.Repeat("x", 300*i))
			if i%3 == 0 {
				check(t, f.Sync())
			}
			if i%4 == 0 {
				check(t, m.SyncDir("."))
				check(t, m.SyncDir(dir))
			}
			check(t, f.Truncate(int64(100*i)))
		}
		return m
	}
	first, second := history(), history()
	different := map[string]bool{}
	for seed := range uint64(50) {
		a, b := fmt.Sprint(tree(t, first.Crash(seed, CrashRandom), ".")), fmt.Sprint(tree(t, second.Crash(seed, CrashRandom), "."))
		if a != b {
			t.Fatalf("seed %d gave two results", seed)
		}
		different[a] = true
	}
	if len(different) < 40 {
		t.Errorf("50 seeds gave %d results", len(different))
	}
}

func TestMem_Forget(t *testing.T) {
	m := NewMem()
	f := create(t, m, "f", "durable")
	check(t, f.Sync())
	check(t, m.SyncDir("."))
	write(t, f, 7, ", forgotten")
	check(t, m.Forget("f"))
	check(t, f.Sync())
	if got := contentsOf(t, f); got != "durable, forgotten" {
		t.Errorf("readers see %q", got)
	}
	if got := readFile(t, m.Crash(0, CrashKeepAll), "f"); got != "durable, forgotten" {
		t.Errorf("after exit: %q", got)
	}
	wantOutcomes(t, outcomes(t, m, "f"), "durable")
	write(t, f, 18, ", written")
	check(t, f.Sync())
	wantOutcomes(t, outcomes(t, m, "f"), "durable"+string(make([]byte, len(", forgotten")))+", written")
	wantError(t, "forget nothing", m.Forget("x"), fs.ErrNotExist)
}
