package meta

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"sordini/segment/vfs"
)

// smallLog makes snapshots frequent.
var smallLog = Options{SnapshotRecords: 7}

// history is what a workload was told, and what a disk may therefore hold.
type history struct {
	acked  int64            // version of the last image that Apply or Open returned
	images map[int64]string // dump after each Apply, by version
}

// workload runs three lives of a store and notes in h what it was told. It ends
// at the first error, which is the power cut.
func workload(t testing.TB, fsys vfs.FS, h *history) error {
	rng := rand.New(rand.NewPCG(4, 2))
	note := func(i *Image) {
		h.acked = i.Version()
		h.images[i.Version()] = dump(t, i)
	}
	for range 3 {
		s, _, err := Open(fsys, testDir, smallLog)
		if err != nil {
			return err
		}
		note(s.Image())
		i, err := s.Identify(testData, 1, seeded(1))
		if err != nil {
			return err
		}
		note(i)
		clean, err := s.EndedClean(testData)
		if err == nil {
			i, err = s.Start(clean)
		}
		if err != nil {
			return err
		}
		note(i)
		for range 8 {
			if i, err = s.Apply(randomRecords(t, rng, i)...); err != nil {
				return err
			}
			note(i)
		}
		if err := s.Close(); err != nil {
			return err
		}
		if err := WriteClean(fsys, testData, i.BrokerEpoch()); err != nil {
			return err
		}
	}
	return nil
}

// checkDisk opens what a power cut left and compares it with the history. Images
// of all is those of a run without a power cut, for records in flight.
func checkDisk(t testing.TB, disk *vfs.Mem, acked int64, all map[int64]string) error {
	s, _, err := Open(disk, testDir, smallLog)
	if err != nil {
		return err
	}
	defer s.Close()
	got := s.Image()
	want, whole := all[got.Version()]
	switch {
	case got.Version() < acked:
		return fmt.Errorf("version %d, acknowledged was %d", got.Version(), acked)
	case !whole && got.Version() != 0:
		return fmt.Errorf("version %d is inside of a group", got.Version())
	case whole && dump(t, got) != want:
		return fmt.Errorf("image is %s, want %s", dump(t, got), want)
	}
	if acked > 0 {
		// The identity must be whole as well, and the store must work.
		if _, err := s.Identify(testData, 1, seeded(2)); err != nil {
			return err
		}
	}
	if got, err = s.Apply(ProducerIDsReserved{Next: got.NextProducerID() + 1}); err != nil {
		return err
	}
	last, _, err := Open(disk.Crash(0, vfs.CrashDropAll), testDir, smallLog)
	if err == nil && dump(t, last.Image()) != dump(t, got) {
		err = fmt.Errorf("after the last power cut %s, want %s", dump(t, last.Image()), dump(t, got))
	}
	return err
}

// crashEverywhere cuts the power after every operation of the workload, in every
// way, and returns the first violation. under makes the file system that the
// store sees from the disk.
func crashEverywhere(t testing.TB, under func(vfs.FS) vfs.FS) error {
	all := history{images: map[int64]string{}}
	dry := vfs.NewFaulty(under(newDisk(t)), nil)
	must(t, workload(t, dry, &all))

	for n := int64(0); n <= dry.Ops(); n++ {
		disk := newDisk(t)
		faulty := vfs.NewFaulty(under(disk), nil)
		faulty.CutAfter(n)
		h := history{images: map[int64]string{}}
		if err := workload(t, faulty, &h); err == nil && n < dry.Ops() {
			t.Fatalf("power cut after operation %d had no effect", n)
		}
		for _, mode := range []vfs.CrashMode{vfs.CrashDropAll, vfs.CrashKeepAll, vfs.CrashRandom} {
			seeds := uint64(1)
			if mode == vfs.CrashRandom {
				seeds = 12
			}
			for seed := range seeds {
				if err := crashTwice(t, disk.Crash(seed, mode), n, seed, h.acked, all.images); err != nil {
					return fmt.Errorf("power cut after operation %d, %v seed %d: %w", n, mode, seed, err)
				}
			}
		}
	}
	return nil
}

// crashTwice checks the disk as it is, and after another power cut during Open.
func crashTwice(t testing.TB, disk *vfs.Mem, n int64, seed uint64, acked int64, all map[int64]string) error {
	again := vfs.NewFaulty(disk, nil)
	again.CutAfter((n + int64(seed)) % 17)
	if s, _, err := Open(again, testDir, smallLog); err == nil {
		acked = max(acked, s.Image().Version())
	}
	if err := checkDisk(t, disk.Crash(seed, vfs.CrashRandom), acked, all); err != nil {
		return fmt.Errorf("and again during open: %w", err)
	}
	return checkDisk(t, disk.Crash(seed, vfs.CrashKeepAll), acked, all)
}

func TestCrash_NothingAcknowledgedIsLost(t *testing.T) {
	if err := crashEverywhere(t, func(disk vfs.FS) vfs.FS { return disk }); err != nil {
		t.Fatal(err)
	}
}

// lazyFS leaves out one kind of sync.
type lazyFS struct {
	vfs.FS
	skip vfs.OpKind
}

type lazyFile struct {
	vfs.File
	skip vfs.OpKind
}

func (l lazyFS) OpenFile(name string, flag int) (vfs.File, error) {
	f, err := l.FS.OpenFile(name, flag)
	if err != nil {
		return nil, err
	}
	return lazyFile{f, l.skip}, nil
}

func (l lazyFS) SyncDir(name string) error {
	if l.skip == vfs.OpSyncDir {
		return nil
	}
	return l.FS.SyncDir(name)
}

func (l lazyFile) Sync() error {
	if l.skip == vfs.OpSync {
		return nil
	}
	return l.File.Sync()
}

func (l lazyFile) SyncData() error {
	if l.skip == vfs.OpSyncData {
		return nil
	}
	return l.File.SyncData()
}

// The control: the search must find what is wrong with a store that leaves out
// a sync.
func TestCrash_FindsMissingSync(t *testing.T) {
	for _, skip := range []vfs.OpKind{vfs.OpSync, vfs.OpSyncData, vfs.OpSyncDir} {
		t.Run(skip.String(), func(t *testing.T) {
			err := crashEverywhere(t, func(disk vfs.FS) vfs.FS { return lazyFS{disk, skip} })
			if err == nil {
				t.Fatalf("without %v nothing was lost", skip)
			}
			t.Log(err)
		})
	}
}

// A failed sync leaves a record in the page cache that will never reach the disk.
// The next process reads it, and what is acknowledged on top of it must survive.
func TestFault_FailedSyncIsNotTrusted(t *testing.T) {
	disk := newDisk(t)
	faulty := vfs.NewFaulty(disk, func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpSyncData {
			return vfs.Fault{Err: syscall.EIO}
		}
		return vfs.Fault{}
	})
	s, _ := openStore(t, faulty, Options{})
	if _, err := s.Apply(topicCreated(1)); !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	must(t, s.Close())
	faulty.SetRule(nil)
	s, r := openStore(t, faulty, Options{})
	if r.Records != 1 {
		t.Fatalf("the record is not in the cache, so this tests nothing: %+v", r)
	}
	want := dump(t, apply(t, s, topicCreated(2)))
	s, _ = openStore(t, disk.Crash(0, vfs.CrashDropAll), Options{})
	if got := dump(t, s.Image()); got != want {
		t.Fatalf("after the power cut %s, want %s", got, want)
	}
}

// What a process that died wrote but did not sync is on the disk twice after the
// next Open: one damaged snapshot loses nothing.
func TestOpen_SyncsWhatItFinds(t *testing.T) {
	disk := newDisk(t)
	s, _ := openStore(t, lazyFS{disk, vfs.OpSyncData}, Options{})
	want := dump(t, apply(t, s, topicCreated(1)))
	openStore(t, disk, Options{})
	after := disk.Crash(0, vfs.CrashDropAll)
	must(t, vfs.WriteSynced(after, snapPath(1), []byte("rot")))
	s, r := openStore(t, after, Options{})
	if got := dump(t, s.Image()); got != want || len(r.Rotten) != 1 {
		t.Fatalf("image %s, want %s; report %+v", got, want, r)
	}
}

// Each operation fails once. The process starts again on the same machine, whose
// page cache still shows what a failed sync has lost, goes on, and then the power
// goes out.
func TestFault_EveryOperation(t *testing.T) {
	dry := vfs.NewFaulty(newDisk(t), nil)
	must(t, workload(t, dry, &history{images: map[int64]string{}}))
	for n := int64(1); n <= dry.Ops(); n++ {
		for _, fault := range []vfs.Fault{{Err: syscall.EIO}, {Err: syscall.EIO, Done: true}, {Err: syscall.ENOSPC, Short: 13}} {
			faultOnce(t, n, fault)
		}
	}
}

func faultOnce(t *testing.T, n int64, fault vfs.Fault) {
	t.Helper()
	disk := newDisk(t)
	faulty := vfs.NewFaulty(disk, func(op vfs.Op) vfs.Fault {
		if op.N == n {
			return fault
		}
		return vfs.Fault{}
	})
	rng := rand.New(rand.NewPCG(uint64(n), 0))
	acked, tried := dump(t, emptyImage()), "" // tried is what a failed Apply may have left
	check := func(s *Store) {
		t.Helper()
		if got := dump(t, s.Image()); got != acked && got != tried {
			t.Fatalf("operation %d, %+v: image %s, acknowledged was %s", n, fault, got, acked)
		}
		acked, tried = dump(t, s.Image()), ""
	}
	for range 3 {
		s, _, err := Open(faulty, testDir, smallLog)
		if err != nil {
			if !errors.Is(err, fault.Err) {
				t.Fatalf("operation %d, %+v: open: %v", n, fault, err)
			}
			continue
		}
		check(s)
		for range 6 {
			records := randomRecords(t, rng, s.Image())
			wanted, err := (&call{records: records}).applyTo(s.Image())
			must(t, err)
			if _, err = s.Apply(records...); err == nil {
				acked = dump(t, s.Image())
				continue
			}
			tried = dump(t, wanted)
			_, again := s.Apply(BrokerConfigsSet{})
			if !errors.Is(err, ErrFailed) || !errors.Is(err, fault.Err) || !errors.Is(again, fault.Err) {
				t.Fatalf("operation %d, %+v: %v, and then %v", n, fault, err, again)
			}
			break
		}
		must(t, s.Close())
	}
	s, _, err := Open(disk.Crash(uint64(n), vfs.CrashDropAll), testDir, smallLog)
	if err != nil {
		t.Fatalf("operation %d, %+v: after the power cut: %v", n, fault, err)
	}
	check(s)
}
