package takeover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sordini/segment/vfs"
)

// holds says what is wrong with a data directory: topic a must be whole, or not be there.
// It returns whether it is there.
func holds(disk vfs.FS) (bool, error) {
	if ok, err := exists(disk, filepath.Join(testData, metadataDir)); err != nil || !ok {
		return false, err
	}
	o, err := tryOpen(disk)
	if err != nil {
		return false, err
	}
	if o.image.Topic("a") == nil {
		return false, nil
	}
	if !maps.EqualFunc(o.logs, simpleLogs, slices.Equal) || len(o.lost) > 0 {
		return true, fmt.Errorf("logs %v, want %v", o.logs, simpleLogs)
	}
	return true, nil
}

// newDisk is an empty file system, durable.
func newDisk() *vfs.Mem { return vfs.NewMem() }

// crashEverywhere cuts the power after every operation of an import, in every way. The
// topic must be there if the import said so, it must be whole or not there, and an import that
// is repeated must succeed. under makes the file system that the import sees from the
// disk.
func crashEverywhere(t *testing.T, under func(vfs.FS) vfs.FS) error {
	m := simple(t)
	dry := vfs.NewFaulty(under(newDisk()), nil)
	if _, err := Run(context.Background(), m.options(dry)); err != nil {
		return err
	}
	for n := int64(0); n <= dry.Ops(); n++ {
		disk := newDisk()
		faulty := vfs.NewFaulty(under(disk), nil)
		faulty.CutAfter(n)
		r, err := Run(context.Background(), m.options(faulty))
		done := err == nil && len(r.Topics) == 1 && r.Topics[0].Result == Imported
		if err != nil && !errors.Is(err, vfs.ErrPowerCut) {
			return fmt.Errorf("power cut after operation %d: %w", n, err)
		}
		for _, mode := range []vfs.CrashMode{vfs.CrashDropAll, vfs.CrashKeepAll, vfs.CrashRandom} {
			seed := uint64(n)
			for _, served := range []bool{false, true} {
				if err := after(m, disk.Crash(seed, mode), under, done, served); err != nil {
					return fmt.Errorf("power cut after operation %d of %d, %v, served %v: %w", n, dry.Ops(), mode, served, err)
				}
			}
		}
	}
	return nil
}

// after checks what a power cut left, and repeats the import, which leaves nothing of the
// one before. served says that a server was started in between.
func after(m *maker, disk *vfs.Mem, under func(vfs.FS) vfs.FS, done, served bool) error {
	there, err := holds(disk.Crash(0, vfs.CrashKeepAll))
	if err != nil {
		return err
	}
	if done && !there {
		return errors.New("the import said that it was done, and the topic is not there")
	}
	if served && !there {
		if err := setAside(disk); err != nil {
			return err
		}
	}
	r, err := Run(context.Background(), m.options(under(disk)))
	if err != nil {
		return fmt.Errorf("again: %w", err)
	}
	if left, err := strays(disk); len(left) > 0 || err != nil {
		return fmt.Errorf("again: %v are left: %v", left, err)
	}
	if slices.ContainsFunc(r.Notes, func(note string) bool { return strings.Contains(note, "nothing was deleted") }) {
		return fmt.Errorf("again: %v", r.Notes)
	}
	if n, _ := r.Failed(); n > 0 {
		return fmt.Errorf("again: refused: %s", r.Topics[0].Reason)
	}
	there, err = holds(disk.Crash(0, vfs.CrashDropAll))
	if err == nil && !there {
		err = errors.New("after the second import the topic is not there")
	}
	return err
}

// setAside does what a server does with directories of a topic that is not there.
func setAside(disk vfs.FS) error {
	for _, name := range []string{"a-0", "a-1"} {
		dir := filepath.Join(testData, name)
		there, err := exists(disk, dir)
		if err == nil && there {
			err = disk.Rename(dir, dir+".1700000000000000000"+straySuffix)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// strays are the directories that were set aside.
func strays(disk vfs.FS) (found []string, err error) {
	entries, err := disk.ReadDir(testData)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), straySuffix) {
			found = append(found, e.Name())
		}
	}
	return found, err
}

func TestCrash(t *testing.T) {
	if err := crashEverywhere(t, func(disk vfs.FS) vfs.FS { return disk }); err != nil {
		t.Fatal(err)
	}
}

// lazyFS leaves out the syncs of some names.
type lazyFS struct {
	vfs.FS
	skip func(name string) bool
}

type lazyFile struct{ vfs.File }

func (l lazyFS) OpenFile(name string, flag int) (vfs.File, error) {
	f, err := l.FS.OpenFile(name, flag)
	if err == nil && l.skip(name) {
		f = lazyFile{f}
	}
	return f, err
}

func (l lazyFS) SyncDir(name string) error {
	if l.skip(name) {
		return nil
	}
	return l.FS.SyncDir(name)
}

func (lazyFile) Sync() error     { return nil }
func (lazyFile) SyncData() error { return nil }

// TestCrash_FindsMissingSync is the control: without these syncs the search must find
// what is lost.
func TestCrash_FindsMissingSync(t *testing.T) {
	for name, skip := range map[string]func(string) bool{
		"copies":           func(name string) bool { return strings.Contains(name, asideSuffix) && strings.HasSuffix(name, ".log") },
		"their names":      func(name string) bool { return strings.HasSuffix(name, asideSuffix) },
		"names of topics":  func(name string) bool { return name == testData },
		"checkpoint":       func(name string) bool { return strings.Contains(name, "sordini-checkpoint") },
		"metadata":         func(name string) bool { return strings.HasPrefix(name, filepath.Join(testData, metadataDir)) },
		"name of the data": func(name string) bool { return name == "." },
	} {
		err := crashEverywhere(t, func(disk vfs.FS) vfs.FS { return lazyFS{disk, skip} })
		if err == nil {
			t.Errorf("without syncs of %s nothing was lost", name)
		}
		t.Logf("without syncs of %s: %v", name, err)
	}
}
