package meta

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sordini/segment/vfs"
)

func TestStore_RandomAgainstModel(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			opts := Options{SnapshotRecords: 1 + rng.Int64N(60)}
			disk, m := newDisk(t), newModel()
			s, _ := openStore(t, disk, opts)
			for range 150 {
				if rng.IntN(15) == 0 {
					before := dump(t, s.Image())
					must(t, s.Close())
					s, _ = openStore(t, disk, opts)
					if got := dump(t, s.Image()); got != before {
						t.Fatalf("reopened %s, want %s", got, before)
					}
				}
				records := randomRecords(t, rng, s.Image())
				i := apply(t, s, records...)
				if i != s.Image() {
					t.Fatal("Apply returned an image that is not the current one")
				}
				m.apply(records)
				m.check(t, i)
			}
		})
	}
}

func TestApply_AllOrNothing(t *testing.T) {
	s, _ := openStore(t, newDisk(t), Options{})
	before := apply(t, s, topicCreated(1))
	_, err := s.Apply(topicCreated(2), topicCreated(1), topicCreated(3))
	if !errors.Is(err, ErrTopicExists) || s.Image() != before {
		t.Fatalf("err %v, version %d", err, s.Image().Version())
	}
	if i := apply(t, s); i != before {
		t.Fatal("no records made another image")
	}
	if i := apply(t, s, topicCreated(2), topicCreated(3)); i.Version() != 3 || before.TopicCount() != 1 {
		t.Fatalf("version %d; the old image has %d topics", i.Version(), before.TopicCount())
	}
}

func TestApply_SharesNothingWithCaller(t *testing.T) {
	s, _ := openStore(t, newDisk(t), Options{})
	r := topicCreated(1)
	r.Configs = map[string]string{"a": "1"}
	i := apply(t, s, r)
	r.Configs["a"] = "2"
	if got := i.Topic(r.Name).Configs["a"]; got != "1" {
		t.Fatalf("image changed to %q", got)
	}
}

func TestApply_TooLarge(t *testing.T) {
	s, _ := openStore(t, newDisk(t), Options{})
	big := func(n, size int) TopicCreated {
		r := topicCreated(n)
		r.Configs = map[string]string{"k": strings.Repeat("x", size)}
		return r
	}
	if _, err := s.Apply(big(1, maxPayload)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("record over the limit: %v", err)
	}
	if _, err := s.Apply(big(1, 15<<20), big(2, 15<<20), big(3, 15<<20), big(4, 15<<20), big(5, 15<<20)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("records over the limit: %v", err)
	}
	must(t, s.Close())
	if _, err := s.Apply(big(1, 10)); !errors.Is(err, ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
	must(t, s.Close())
}

// Concurrent calls share syncs, and each sees its own records. Syncs are held back
// until all calls are there, so that there must be fewer syncs than calls.
func TestApply_GroupCommit(t *testing.T) {
	const callers = 50
	disk := vfs.NewFaulty(newDisk(t), nil)
	s, _ := openStore(t, disk, Options{})
	queued := func() int {
		s.queueMu.Lock()
		defer s.queueMu.Unlock()
		return len(s.queue)
	}
	disk.StartTrace()
	s.writer.Lock()
	var wg sync.WaitGroup
	for n := range callers {
		wg.Go(func() {
			i, err := s.Apply(topicCreated(n), ProducerIDsReserved{Next: int64(n)})
			accepted := err == nil && i.Topic(topicCreated(n).Name) != nil
			if !accepted && !errors.Is(err, ErrInvalid) {
				t.Errorf("call %d: %v", n, err)
			}
		})
	}
	for queued() < callers {
		runtime.Gosched() // the calls are on their way
	}
	s.writer.Unlock()
	wg.Wait()
	syncs := 0
	for _, line := range disk.Trace() {
		if strings.HasPrefix(line, "syncdata") {
			syncs++
		}
	}
	if syncs != 1 {
		t.Errorf("%d syncs for %d calls that waited together", syncs, callers)
	}
	want := dump(t, s.Image())
	must(t, s.Close())
	s, r := openStore(t, disk, Options{})
	if got := dump(t, s.Image()); got != want {
		t.Errorf("reopened %s, want %s", got, want)
	}
	if r.Records != s.Image().Version() {
		t.Errorf("report %+v, version %d", r, s.Image().Version())
	}
}

// A call that is refused because of another one in the same write must not blame
// records that were lost with that write.
func TestApply_RefusedByLostRecord(t *testing.T) {
	disk := vfs.NewFaulty(newDisk(t), nil)
	s, _ := openStore(t, disk, Options{})
	first, err := newCall([]Record{topicCreated(1)})
	must(t, err)
	second, err := newCall([]Record{topicCreated(1)})
	must(t, err)
	disk.SetRule(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpSyncData {
			return vfs.Fault{Err: syscall.EIO}
		}
		return vfs.Fault{}
	})
	s.writer.Lock()
	s.commit([]*call{first, second})
	s.writer.Unlock()
	if !errors.Is(first.err, ErrFailed) || !errors.Is(second.err, ErrFailed) || s.Image().Version() != 0 {
		t.Fatalf("first %v, second %v, version %d", first.err, second.err, s.Image().Version())
	}
	disk.SetRule(nil)
	if _, err := s.Apply(topicCreated(2)); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Fatalf("after a failed sync: %v", err)
	}
}

// A disk that is full for a snapshot is no reason to refuse records.
func TestCompact_FailureIsHarmless(t *testing.T) {
	disk := vfs.NewFaulty(newDisk(t), func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpCreate && strings.Contains(op.Path, snapshotSuffix) {
			return vfs.Fault{Err: syscall.ENOSPC}
		}
		return vfs.Fault{}
	})
	s, _ := openStore(t, disk, Options{SnapshotRecords: 3})
	for n := range 20 {
		apply(t, s, topicCreated(n))
	}
	must(t, s.Close())
	disk.SetRule(nil)
	s, r := openStore(t, disk, Options{})
	if s.Image().TopicCount() != 20 || r.Records != 20 {
		t.Fatalf("%d topics, report %+v", s.Image().TopicCount(), r)
	}
}

func names(t *testing.T, fsys vfs.FS) []string {
	t.Helper()
	entries, err := fsys.ReadDir(testDir)
	must(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, strings.TrimLeft(e.Name(), "0"))
	}
	return all
}

func TestCompact_KeepsTwoSnapshots(t *testing.T) {
	disk := newDisk(t)
	s, _ := openStore(t, disk, Options{SnapshotRecords: 10})
	for n := range 45 {
		apply(t, s, topicCreated(n))
	}
	want := []string{"30.snapshot", "31.log", "40.snapshot", "41.log"}
	if got := names(t, disk); !slices.Equal(got, want) {
		t.Fatalf("files %q, want %q", got, want)
	}
	must(t, s.Close())
	s, r := openStore(t, disk, Options{SnapshotRecords: 10})
	if r.Snapshot != 40 || r.Records != 5 || s.Image().TopicCount() != 45 {
		t.Fatalf("report %+v, %d topics", r, s.Image().TopicCount())
	}
	want = []string{"40.snapshot", "41.log", "45.snapshot", "46.log"}
	if got := names(t, disk); !slices.Equal(got, want) {
		t.Fatalf("files %q, want %q", got, want)
	}
}

// The order of writes and syncs is the crash argument; a change of it should be
// seen.
func TestStore_TraceOfOperations(t *testing.T) {
	disk := vfs.NewFaulty(newDisk(t), nil)
	disk.StartTrace()
	s, _ := openStore(t, disk, Options{SnapshotRecords: 2})
	apply(t, s, topicCreated(1))
	apply(t, s, topicCreated(2))
	got := strings.ReplaceAll(strings.Join(disk.Trace(), "\n"), strings.Repeat("0", 19), "")
	want := strings.TrimSpace(`
mkdir data/meta
syncdir data
syncdir data/meta
create data/meta/1.log.tmp
write data/meta/1.log.tmp 0+24
sync data/meta/1.log.tmp
rename data/meta/1.log.tmp data/meta/1.log
syncdir data/meta
write data/meta/1.log 24+96
syncdata data/meta/1.log
write data/meta/1.log 120+96
syncdata data/meta/1.log
create data/meta/2.snapshot.tmp
write data/meta/2.snapshot.tmp 0+316
sync data/meta/2.snapshot.tmp
rename data/meta/2.snapshot.tmp data/meta/2.snapshot
syncdir data/meta
create data/meta/3.log.tmp
write data/meta/3.log.tmp 0+24
sync data/meta/3.log.tmp
rename data/meta/3.log.tmp data/meta/3.log
syncdir data/meta`)
	if filepath.ToSlash(got) != want {
		t.Errorf("operations:\n%s\nwant:\n%s", got, want)
	}
}

// TestChanged: whoever asks for the channel first and the image then misses no change.
func TestChanged(t *testing.T) {
	s, _ := openStore(t, newDisk(t), Options{})
	changed := s.Changed()
	select {
	case <-changed:
		t.Fatal("changed, and nothing was applied")
	default:
	}
	apply(t, s, TopicCreated{Name: "t", ID: TopicID{1}, Partitions: 1})
	select {
	case <-changed:
	default:
		t.Error("a change, and nobody is told")
	}
	select {
	case <-s.Changed():
		t.Error("the next channel is closed already")
	default:
	}
}
