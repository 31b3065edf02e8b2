package partition

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sordini/segment/vfs"
)

// treeSums are the checksums of all files below a directory.
func treeSums(t *testing.T, fsys vfs.FS, dir string) map[string]uint32 {
	t.Helper()
	sums := make(map[string]uint32)
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if e.IsDir() {
			sums[name] = 0
			for sub, sum := range treeSums(t, fsys, name) {
				sums[sub] = sum
			}
			continue
		}
		f, err := fsys.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		size, _ := f.Size()
		b := make([]byte, size)
		if _, err := f.ReadAt(b, 0); err != nil && size > 0 {
			t.Fatal(err)
		}
		f.Close()
		sums[name] = crc32.Checksum(b, castagnoli)
	}
	return sums
}

// found is what an open tells.
type found struct {
	Report  Report
	Details []Detail
	Failed  string
}

func openAndTell(t *testing.T, fsys vfs.FS, flag string) found {
	t.Helper()
	b, err := open(fsys, 9, flag)
	if err != nil {
		return found{Failed: err.Error()}
	}
	f := found{Report: b.report, Details: b.opt.Progress.Details()}
	if err := errors.Join(b.Close(), b.store.Close()); err != nil {
		f.Failed = err.Error()
	}
	return f
}

// wreck is what a power cut, and perhaps rot, leaves of a broker.
func wreck(t *testing.T, seed uint64) (*vfs.Mem, *rand.Rand) {
	t.Helper()
	c := &crashed{rng: rand.New(rand.NewPCG(seed, 78)), seed: seed << 16, wrap: honest, dirs: 1}
	c.power(newDisk(t))
	if err := c.live(); err != nil {
		t.Fatal(err)
	}
	modes := []vfs.CrashMode{vfs.CrashDropAll, vfs.CrashRandom, vfs.CrashRandom, vfs.CrashKeepAll}
	disk := c.disk.Crash(c.rng.Uint64(), modes[c.rng.IntN(4)])
	if c.rng.IntN(2) == 0 {
		rotOne(t, disk, c.rng)
	}
	return disk, c.rng
}

// rotOne flips a bit somewhere in the files of the logs. It says false if there are none.
func rotOne(t *testing.T, disk *vfs.Mem, rng *rand.Rand) bool {
	t.Helper()
	var names []string
	for _, dir := range directories(t, disk, "t") {
		if strings.HasPrefix(dir, "metadata") {
			continue
		}
		entries, err := disk.ReadDir(filepath.Join(dataDir, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Size() > 0 && strings.HasSuffix(e.Name(), ".log") {
				names = append(names, filepath.Join(dataDir, dir, e.Name()))
			}
		}
	}
	if len(names) == 0 {
		return false
	}
	f, err := disk.OpenFile(names[rng.IntN(len(names))], os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, _ := f.Size()
	pos, b := rng.Int64N(size), make([]byte, 1)
	if _, err := f.ReadAt(b, pos); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << rng.IntN(8)
	if _, err := f.WriteAt(b, pos); err != nil {
		t.Fatal(err)
	}
	return f.Sync() == nil
}

// predict opens an overlay of the disk.
func predict(t *testing.T, disk *vfs.Mem, flag string) found {
	t.Helper()
	spill, err := vfs.NewMem().OpenFile("spill", os.O_RDWR|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	before := treeSums(t, disk, dataDir)
	f := openAndTell(t, vfs.NewOverlay(disk, spill), flag)
	if !reflect.DeepEqual(treeSums(t, disk, dataDir), before) {
		t.Error("the disk under the overlay has changed")
	}
	return f
}

// What opening an overlay of a disk finds is what opening the disk finds then, and
// the disk does not change by it.
func TestPredict_IsWhatOpeningFindsThen(t *testing.T) {
	from, to := seeds(t, 60)
	interesting := 0
	for seed := from; seed < to; seed++ {
		disk, rng := wreck(t, seed)
		flag := method(rng)
		predicted := predict(t, disk, flag)
		if real := openAndTell(t, disk, flag); !reflect.DeepEqual(predicted, real) {
			t.Fatalf("seed %d: predicted\n%+v, found\n%+v", seed, predicted, real)
		}
		if r := predicted.Report; r.Cut > 0 || r.Damaged > 0 || r.JournalEntries > 0 {
			interesting++
		}
	}
	if interesting == 0 {
		t.Error("no crash left anything to repair")
	}
}

// Control: a disk that rots behind the prediction is not what was predicted.
func TestPredict_Control(t *testing.T) {
	for seed := range uint64(100) {
		disk, rng := wreck(t, seed)
		flag := method(rng)
		predicted := predict(t, disk, flag)
		if rotOne(t, disk, rng) && fmt.Sprint(predicted) != fmt.Sprint(openAndTell(t, disk, flag)) {
			return
		}
	}
	t.Error("never noticed")
}
