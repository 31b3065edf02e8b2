package vfs

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// replace replaces the contents of a file so that a power cut leaves the old or
// the new ones. Without syncFirst it does so wrongly.
func replace(fsys FS, name, contents string, syncFirst bool) error {
	f, err := fsys.OpenFile(name+".tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(contents), 0)
	if err == nil && syncFirst {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = fsys.Rename(name+".tmp", name)
	}
	if err == nil {
		err = fsys.SyncDir(filepath.Dir(name))
	}
	return err
}

func TestFaulty_Trace(t *testing.T) {
	f := NewFaulty(NewMem(), nil)
	check(t, f.Mkdir("before"))
	f.StartTrace()
	check(t, f.MkdirAll(filepath.Join("a", "b")))
	name := filepath.Join("a", "b", "c")
	check(t, replace(f, name, "contents", true))
	file, err := f.OpenFile(name, os.O_RDWR)
	check(t, err)
	_, err = file.WriteVAt([][]byte{[]byte("xy"), []byte("z")}, 8)
	check(t, err)
	check(t, file.Preallocate(8, 100))
	check(t, file.Truncate(4))
	contentsOf(t, file)
	check(t, file.SyncData())
	check(t, file.Close())
	if err := f.Remove(filepath.Join("a", "b")); err == nil {
		t.Error("removed a directory that is not empty")
	}
	check(t, f.Remove(name))
	lock, err := f.Lock("LOCK")
	check(t, err)
	check(t, lock.Close())
	check(t, create(t, f, "LOCK", "x").Close())

	want := []string{
		"mkdir a", "mkdir a/b",
		"create a/b/c.tmp", "write a/b/c.tmp 0+8", "sync a/b/c.tmp", "rename a/b/c.tmp a/b/c", "syncdir a/b",
		"write a/b/c 8+3", "preallocate a/b/c 8+100", "truncate a/b/c 4", "syncdata a/b/c",
		"remove a/b: directory not empty", "remove a/b/c",
		"lock LOCK", "truncate LOCK 0", "write LOCK 0+1",
	}
	if got := f.Trace(); !slices.Equal(got, want) {
		t.Errorf("trace:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := f.Ops(); got != int64(len(want))+1 {
		t.Errorf("%d operations, want %d", got, len(want)+1)
	}
}

func TestFaulty_Rules(t *testing.T) {
	eio := syscall.EIO
	for _, test := range []struct {
		name     string
		fault    Fault
		contents string
		n        int64
	}{
		{"proceeds", Fault{}, "new", 3},
		{"fails", Fault{Err: eio}, "old", 0},
		{"fails after it is done", Fault{Err: eio, Done: true}, "new", 3},
		{"is short", Fault{Err: eio, Short: 2}, "ned", 2},
		{"is short by nothing", Fault{Err: eio, Short: 9}, "new", 3},
		{"is shorter than nothing", Fault{Err: eio, Short: -1}, "old", 0},
	} {
		for _, vector := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %s, vector %v", test.name, vector), func(t *testing.T) {
				f := NewFaulty(NewMem(), nil)
				file := create(t, f, "f", "old")
				f.SetRule(func(op Op) Fault {
					if op.Kind == OpWrite && op.N == 3 && op.Path == "f" && op.Size == 3 {
						return test.fault
					}
					return Fault{}
				})
				var n int64
				var err error
				if vector {
					n, err = file.WriteVAt([][]byte{[]byte("n"), []byte("ew")}, 0)
				} else {
					var short int
					short, err = file.WriteAt([]byte("new"), 0)
					n = int64(short)
				}
				if n != test.n || !errors.Is(err, test.fault.Err) {
					t.Errorf("wrote %d, %v; want %d, %v", n, err, test.n, test.fault.Err)
				}
				if got := contentsOf(t, file); got != test.contents {
					t.Errorf("contents %q, want %q", got, test.contents)
				}
			})
		}
	}
}

// TestFaulty_EveryKind fails each kind of operation in turn, and nothing else.
func TestFaulty_EveryKind(t *testing.T) {
	for kind := range maps.Keys(opNames) {
		t.Run(kind.String(), func(t *testing.T) {
			mem := NewMem()
			check(t, create(t, mem, "there", "x").Close())
			f := NewFaulty(mem, func(op Op) Fault {
				if op.Kind.Changes() != (op.N > 0) {
					t.Errorf("%v has number %d", op, op.N)
				}
				if op.Kind == kind {
					return Fault{Err: syscall.EIO}
				}
				return Fault{}
			})
			for called, err := range callAll(f) {
				if called == kind {
					wantError(t, called.String(), err, syscall.EIO)
					if !strings.HasPrefix(err.Error(), kind.String()+" ") {
						t.Errorf("error %q does not name the operation", err)
					}
				} else {
					check(t, err)
				}
			}
		})
	}
}

// callAll calls each operation once and tells the error of each.
func callAll(f *Faulty) map[OpKind]error {
	there, _ := NewMem().OpenFile("stub", os.O_RDWR|os.O_CREATE)
	file, openErr := f.OpenFile("there", os.O_RDWR)
	if openErr != nil {
		file = there
	}
	errs := map[OpKind]error{OpOpen: openErr}
	created, err := f.OpenFile("new", os.O_RDWR|os.O_CREATE)
	if errs[OpCreate] = err; err == nil {
		_ = created.Close()
	}
	_, errs[OpRead] = file.ReadAt(make([]byte, 1), 0)
	if openErr != nil {
		errs[OpRead] = nil // the stub is empty
	}
	_, errs[OpWrite] = file.WriteAt([]byte("x"), 0)
	_, errs[OpSize] = file.Size()
	errs[OpTruncate] = file.Truncate(1)
	errs[OpPreallocate] = file.Preallocate(0, 1)
	errs[OpSync] = file.Sync()
	errs[OpSyncData] = file.SyncData()
	errs[OpClose] = file.Close()
	_, errs[OpReadDir] = f.ReadDir(".")
	_, errs[OpStat] = f.Stat("there")
	_, errs[OpUsage] = f.Usage(".")
	errs[OpSyncDir] = f.SyncDir(".")
	errs[OpMkdir] = f.Mkdir("dir")
	errs[OpRename] = f.Rename("there", "gone")
	if errs[OpRename] == nil {
		_ = f.Rename("gone", "there")
	}
	errs[OpRemove] = f.Remove("there")
	lock, err := f.Lock("LOCK")
	if errs[OpLock] = err; err == nil {
		_ = lock.Close()
	}
	return errs
}

func TestFaulty_FailedSyncForgets(t *testing.T) {
	for _, kind := range []OpKind{OpSync, OpSyncData} {
		mem := NewMem()
		f := NewFaulty(mem, nil)
		file := create(t, f, "f", "old")
		check(t, file.Sync())
		check(t, f.SyncDir("."))
		write(t, file, 0, "new")
		sync := file.Sync
		if kind == OpSyncData {
			sync = file.SyncData
		}
		fail := Fault{Err: syscall.EIO}
		f.SetRule(func(op Op) Fault {
			if op.Kind == kind {
				return fail
			}
			return Fault{}
		})
		wantError(t, kind.String(), sync(), syscall.EIO)
		f.SetRule(nil)
		check(t, sync())
		if got := contentsOf(t, file); got != "new" {
			t.Errorf("readers see %q", got)
		}
		wantOutcomes(t, outcomes(t, mem, "f"), "old")

		// Control: a sync that was carried out before it failed.
		write(t, file, 0, "NEW")
		fail.Done = true
		f.SetRule(func(Op) Fault { return fail })
		wantError(t, kind.String(), sync(), syscall.EIO)
		wantOutcomes(t, outcomes(t, mem, "f"), "NEW")
	}
}

func TestFaulty_PowerCut(t *testing.T) {
	mem := NewMem()
	f := NewFaulty(mem, nil)
	check(t, create(t, mem, "there", "").Close())
	check(t, mem.SyncDir("."))
	file, err := f.OpenFile("there", os.O_RDWR)
	check(t, err)
	f.CutAfter(2)
	write(t, file, 0, "1")
	write(t, file, 1, "2")
	before := mem.Crash(0, CrashKeepAll)

	_, readErr := file.ReadAt(make([]byte, 1), 0)
	_, sizeErr := file.Size()
	wantError(t, "read", readErr, ErrPowerCut)
	wantError(t, "size", sizeErr, ErrPowerCut)
	wantError(t, "sync", file.Sync(), ErrPowerCut)
	wantError(t, "close", file.Close(), ErrPowerCut)
	if outcomes(t, mem, "there")["12"] == 0 {
		t.Error("the sync that did not happen has lost data")
	}
	if _, err := file.(*faultyFile).File.Size(); err == nil {
		t.Error("the file of the base is still open")
	}
	wantError(t, "mkdirall", f.MkdirAll(filepath.Join("p", "q")), ErrPowerCut)
	for kind, err := range callAll(f) {
		switch kind { // these go to a stub, since the file cannot be opened
		case OpRead, OpWrite, OpSize, OpTruncate, OpPreallocate, OpSync, OpSyncData, OpClose:
		default:
			wantError(t, kind.String(), err, ErrPowerCut)
		}
	}
	if got, want := tree(t, mem, "."), tree(t, before, "."); !maps.Equal(got, want) || f.Ops() != 2 {
		t.Errorf("after the cut: %q, want %q; %d operations", got, want, f.Ops())
	}
	f = NewFaulty(NewMem(), nil)
	f.CutAfter(0)
	wantError(t, "first operation", f.Mkdir("d"), ErrPowerCut)
}

// cutEverywhere cuts the power after each operation of a replacement and counts
// the crashes after which the file has neither contents, or the old ones
// although the new were acknowledged.
func cutEverywhere(t *testing.T, syncFirst bool) (broken int) {
	t.Helper()
	oldContents, newContents := strings.Repeat("o", 3000), strings.Repeat("n", 2000)
	for cut, done := int64(0), false; !done; cut++ {
		mem := NewMem()
		check(t, replace(mem, "f", oldContents, true))
		f := NewFaulty(mem, nil)
		f.CutAfter(cut)
		err := replace(f, "f", newContents, syncFirst)
		if done = err == nil; !done {
			wantError(t, "replace", err, ErrPowerCut)
		}
		for seed := range uint64(50) {
			got := tree(t, mem.Crash(seed, CrashRandom), ".")["f"]
			if got != newContents && (got != oldContents || done) {
				broken++
			}
		}
		if cut > 10 {
			t.Fatal("the operations never end")
		}
	}
	return broken
}

func TestFaulty_PowerCutAfterEachOperation(t *testing.T) {
	if broken := cutEverywhere(t, true); broken != 0 {
		t.Errorf("%d crashes broke the file", broken)
	}
	if cutEverywhere(t, false) == 0 {
		t.Error("control: no crash broke a file that was renamed without a sync")
	}
}
