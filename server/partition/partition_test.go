package partition

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sordini/log"
	"sordini/log/checkpoint"
	"sordini/segment/vfs"
	"sordini/server/meta"
)

// slowFS takes its time for each sync, and notes when one is under way.
type slowFS struct {
	vfs.FS
	delay time.Duration
	syncs atomic.Int64
}

type slowFile struct {
	vfs.File
	fs *slowFS
}

func (s *slowFS) OpenFile(name string, flag int) (vfs.File, error) {
	f, err := s.FS.OpenFile(name, flag)
	if err != nil {
		return nil, err
	}
	return &slowFile{f, s}, nil
}

func (f *slowFile) SyncData() error {
	f.fs.syncs.Add(1)
	time.Sleep(f.fs.delay)
	return f.File.SyncData()
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestSync_HighWatermarkNeverPassesWhatIsFlushed(t *testing.T) {
	slow := &slowFS{FS: newDisk(t), delay: 2 * time.Millisecond}
	b := mustOpen(t, slow, bySegment)
	p := b.create(t, "t", 1, nil)[0]
	p.log.Configure(log.Config{SegmentBytes: 20_000, IndexBytes: 1 << 20, Retention: -1, RetainBytes: -1, Delete: true})
	done := make(chan struct{})
	var watcher, writers sync.WaitGroup
	watcher.Go(func() {
		for last := int64(0); ; {
			o, err := p.Offsets()
			flushed := p.log.State().Flushed.Offset
			if err != nil || o.High.Offset > flushed || o.High.Offset < last || o.High.Offset > o.End {
				t.Errorf("high watermark %+v after %d, flushed %d: %v", o, last, flushed, err)
				return
			}
			last = o.High.Offset
			select {
			case <-done:
				return
			default:
			}
		}
	})
	slow.syncs.Store(0)
	for range 8 {
		writers.Go(func() {
			for range 60 {
				if err := write(p, built(1, make([]byte, 200))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	watcher.Wait()
	if n := slow.syncs.Load(); n >= 480 {
		t.Errorf("%d syncs for 480 appends: they are not shared", n)
	}
	b.close(t)
}

// TestWaiting_NoWakeUpIsLost has appenders which wait for each of their batches,
// and readers which wait for bytes, with nothing else that would start a flush.
func TestWaiting_NoWakeUpIsLost(t *testing.T) {
	b := mustOpen(t, newDisk(t))
	partitions := b.create(t, "t", 3, nil)
	const each = 1500
	var writers, readers sync.WaitGroup
	for _, p := range partitions {
		for range 2 {
			writers.Go(func() {
				for range each {
					if err := write(p, built(1, nil)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		readers.Go(func() {
			for seen := int64(0); seen < 2*each; {
				o, err := p.Offsets()
				if err != nil {
					t.Error(err)
					return
				}
				if o.High.Offset > seen {
					seen = o.High.Offset
					continue
				}
				w := NewFetchWaiter(1)
				p.Watch(w, seen)
				select {
				case <-w.C:
				case <-time.After(20 * time.Second):
					t.Errorf("nothing heard since %d", seen)
				}
				p.Unwatch(w)
				if t.Failed() {
					return
				}
			}
		})
	}
	writers.Wait()
	readers.Wait()
	for _, p := range partitions {
		if len(p.acks) != 0 || len(p.fetches) != 0 {
			t.Errorf("%d and %d waiters remain", len(p.acks), len(p.fetches))
		}
	}
	b.close(t)
}

// TestFlush_AppendBetweenTheFlushAndItsAccount appends at the one moment when the
// flush is over and the loop has not yet decided whether to go on.
func TestFlush_AppendBetweenTheFlushAndItsAccount(t *testing.T) {
	b := mustOpen(t, newDisk(t), bySegment)
	p := b.create(t, "t", 1, nil)[0]
	p.mu.Lock()
	p.log.Append(built(1, nil))
	p.startFlushLocked()
	eventually(t, "first flush", func() bool { return p.log.State().Flushed.Offset == 1 })
	time.Sleep(10 * time.Millisecond) // lets the loop come to the lock
	p.log.Append(built(1, nil))
	p.startFlushLocked()
	p.mu.Unlock()
	if err := acked(p, 2); err != nil {
		t.Error(err)
	}
	b.close(t)
}

func TestFetchWaiter_WakesHoweverOftenItGrows(t *testing.T) {
	w := NewFetchWaiter(1000)
	w.grow(999)
	select {
	case <-w.C:
		t.Error("woken one byte early")
	default:
	}
	for i := range 10 {
		w.grow(enough)
		select {
		case <-w.C:
		default:
			t.Errorf("growth %d is not heard", i)
		}
	}
}

func TestAsync_ServesAtOnceAndFlushesLater(t *testing.T) {
	b := mustOpen(t, newDisk(t))
	byCount := b.create(t, "count", 1, map[string]string{"flush.policy": "async", "flush.messages": "10"})[0]
	for i := range int64(9) {
		a := built(1, nil)
		if byCount.Append(a); a.Err != nil {
			t.Fatal(a.Err)
		}
		if ok, err := byCount.Acked(i+1, nil); !ok || err != nil {
			t.Fatalf("offset %d is not acknowledged at once: %v", i, err)
		}
	}
	if st := byCount.log.State(); st.Flushed.Offset != 0 {
		t.Errorf("%d flushed before 10 messages", st.Flushed.Offset)
	}
	byCount.Append(built(1, nil))
	eventually(t, "flush after 10 messages", func() bool { return byCount.log.State().Flushed.Offset == 10 })

	byTime := b.create(t, "time", 1, map[string]string{"flush.policy": "async", "flush.ms": "20"})[0]
	for i := range int64(3) {
		byTime.Append(built(1, nil))
		eventually(t, "flush after 20 ms", func() bool { return byTime.log.State().Flushed.Offset == i+1 })
	}
	never := b.create(t, "never", 1, map[string]string{"flush.policy": "async", "flush.messages": "1000000"})[0]
	never.Append(built(1, nil))
	if err := b.SetTopicConfigs("never", map[string]string{"flush.policy": "async", "flush.ms": "5"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "flush after flush.ms was lowered", func() bool { return never.log.State().Flushed.Offset == 1 })
	b.close(t)
}

func TestFailure_OnePartitionOffline(t *testing.T) {
	faulty := vfs.NewFaulty(newDisk(t), nil)
	b := mustOpen(t, faulty, bySegment)
	ps := b.create(t, "t", 2, nil)
	mustWrite(t, ps[0], 3)
	mustWrite(t, ps[1], 3)
	faulty.SetRule(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpSyncData && strings.Contains(op.Path, "t-0/") {
			return vfs.Fault{Err: errors.New("disk error")}
		}
		return vfs.Fault{}
	})
	w := NewFetchWaiter(1 << 40)
	ps[0].Watch(w, 3)
	var offline *log.OfflineError
	if err := write(ps[0], built(1, nil)); !errors.As(err, &offline) {
		t.Errorf("acknowledged after a failed sync: %v", err)
	}
	<-w.C
	if _, _, err := ps[0].Read(0, 100, true); !errors.As(err, &offline) {
		t.Errorf("read: %v", err)
	}
	mustWrite(t, ps[1], 3)
	faulty.SetRule(nil)
	if err := b.Close(); err == nil {
		t.Error("a shutdown with a failed log counts as clean")
	}
	_ = b.store.Close()
	b = mustOpen(t, faulty)
	if b.report.Clean || b.report.Offline != 0 {
		t.Errorf("%+v", b.report)
	}
	if all, o, err := contents(b.Get("t", 0)); err != nil || len(all) < 3 || o.High.Offset < 3 {
		t.Errorf("after the failure: %d batches, %+v, %v", len(all), o, err)
	}
	b.close(t)
}

func TestDeleteTopic_WhileItIsRead(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	for round := range 5 {
		p := b.create(t, "t", 1, nil)[0]
		mustWrite(t, p, 30)
		var readers sync.WaitGroup
		for i := range 4 {
			readers.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(round), uint64(i)))
				for {
					r, _, err := p.Read(rng.Int64N(30), 3000, true)
					if errors.Is(err, ErrGone) || errors.Is(err, log.ErrClosed) {
						return
					}
					if err != nil {
						t.Errorf("read: %v", err)
						return
					}
					got := make([]byte, r.Len())
					if _, err := r.ReadAt(got, 0); err != nil {
						t.Errorf("range of a deleted topic: %v", err)
					}
					r.Release()
				}
			})
		}
		w := NewAckWaiter()
		if ok, err := p.Acked(1000, w); ok || err != nil {
			t.Error(ok, err)
		}
		if err := b.DeleteTopic(p.ID); err != nil {
			t.Fatal(err)
		}
		<-w.C
		if _, err := p.Acked(1000, w); !errors.Is(err, ErrGone) {
			t.Errorf("waiting for a deleted partition: %v", err)
		}
		readers.Wait()
	}
	b.purging.Wait()
	if dirs := directories(t, disk, "t-0"); len(dirs) != 0 {
		t.Errorf("directories remain: %v", dirs)
	}
	b.close(t)
}

func TestOpen_CheckpointOfAnotherTopicOfThatNameIsNotBelieved(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	p := b.create(t, "t", 1, nil)[0]
	mustWrite(t, p, 50)
	if _, err := p.DeleteRecords(40); err != nil {
		t.Fatal(err)
	}
	if err := b.Purge([]*Partition{p}); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteTopic(p.ID); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, b.create(t, "t", 1, nil)[0], 5)
	b.abandon()
	b = mustOpen(t, disk.Crash(1, vfs.CrashDropAll))
	if all, o, err := contents(b.Get("t", 0)); err != nil || len(all) != 5 || o.Start != 0 || o.End != 5 || b.report.Damaged != 0 {
		t.Errorf("%d batches, %+v, %v, %+v", len(all), o, err, b.report)
	}
	b.close(t)
}

func TestOpen_CleanAndUnclean(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	for _, p := range b.create(t, "t", 3, nil) {
		p.log.Configure(log.Config{SegmentBytes: 1000, IndexBytes: 1 << 20, Retention: -1, RetainBytes: -1})
		mustWrite(t, p, 30)
	}
	epoch := b.Get("t", 0).log.LeaderEpoch()
	b.close(t)
	b = mustOpen(t, disk)
	if r := b.report; !r.Clean || r.Scanned != 0 || r.Partitions != 3 || b.Get("t", 0).log.LeaderEpoch() != epoch {
		t.Errorf("after an orderly end: %+v, epoch %d", r, b.Get("t", 0).log.LeaderEpoch())
	}
	b.abandon()
	b = mustOpen(t, disk)
	if r := b.report; r.Clean || r.Scanned < 3 || b.Get("t", 0).log.LeaderEpoch() != epoch+1 {
		t.Errorf("after a kill: %+v, epoch %d", r, b.Get("t", 0).log.LeaderEpoch())
	}
	if all, _, err := contents(b.Get("t", 2)); err != nil || len(all) != 30 {
		t.Errorf("%d batches: %v", len(all), err)
	}
	b.close(t)
}

func TestOpen_MissingDirectoryIsOfflineAndOthersServe(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	for _, p := range b.create(t, "t", 2, nil) {
		mustWrite(t, p, 3)
	}
	b.close(t)
	if err := log.RemoveDir(log.Options{FS: disk, Logger: quiet}, b.volumes[0].dirOf("t", 0)); err != nil {
		t.Fatal(err)
	}
	b = mustOpen(t, disk)
	if _, err := b.Get("t", 0).Offsets(); err == nil || b.report.Offline != 1 {
		t.Errorf("the partition without a directory serves: %v, %+v", err, b.report)
	}
	if _, err := disk.Stat(b.volumes[0].dirOf("t", 0)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory was made again: %v", err)
	}
	mustWrite(t, b.Get("t", 1), 3)
	ck, err := checkpoint.Read(disk, dataDir)
	if e := ck.Partitions[checkpoint.Partition{Topic: "t"}]; err != nil || e.Recovery != 3 {
		t.Errorf("what was known of the lost partition is forgotten: %+v %v", e, err)
	}
	b.abandon()
}

func TestOpen_StrayAndForeignDirectories(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	mustWrite(t, b.create(t, "t", 1, nil)[0], 3)
	b.close(t)
	files := map[string]string{
		"gone-0/00000000000000000000.log":     "records",
		"empty-0/00000000000000000000.log":    "",
		"empty-0/partition.metadata":          "version: 0",
		"photos-2024/cat.jpg":                 "a cat",
		"notes/readme":                        "not a partition's name",
		"old-7.abc-delete/partition.metadata": "x",
	}
	for name, text := range files {
		if err := disk.MkdirAll(dataDir + "/" + name[:strings.IndexByte(name, '/')]); err != nil {
			t.Fatal(err)
		}
		f, err := disk.OpenFile(dataDir+"/"+name, os.O_RDWR|os.O_CREATE)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte(text), 0); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	b = mustOpen(t, disk)
	for text, want := range map[string]int{"gone-0.": 1, "photos-2024.": 1, "-stray": 2, "empty": 0, "notes": 1, "delete": 0, "t-0": 1} {
		if got := directories(t, disk, text); len(got) != want {
			t.Errorf("%q: %v, want %d", text, got, want)
		}
	}
	b.close(t)
}

func TestAsideName_FitsAFileSystem(t *testing.T) {
	long := strings.Repeat("x", 249) + "-12"
	a := asideName(long, ".0123456789abcdef0123456789abcdef.12-delete")
	if len(a) > 255 || !strings.HasSuffix(a, ".12-delete") {
		t.Errorf("%d bytes: %s", len(a), a)
	}
	if got := asideName("t-0", ".1-stray"); got != "t-0.1-stray" {
		t.Error(got)
	}
}

func TestCreateTopics_OneNameTwice(t *testing.T) {
	b := mustOpen(t, newDisk(t))
	created, errs := b.CreateTopics([]Topic{{Name: "a", Partitions: 1}, {Name: "a", Partitions: 2}, {Name: "b", Partitions: 1}})
	if errs[0] != nil || !errors.Is(errs[1], meta.ErrTopicExists) || errs[2] != nil || created[0].ID != b.Get("a", 0).ID {
		t.Errorf("%v", errs)
	}
	mustWrite(t, b.Get("a", 0), 1)
	mustWrite(t, b.Get("b", 0), 1)
	b.close(t)
}

func TestRetain_PurgesWhatAnEarlierFailureLeft(t *testing.T) {
	faulty := vfs.NewFaulty(newDisk(t), nil)
	b := mustOpen(t, faulty)
	p := b.create(t, "t", 1, nil)[0]
	p.log.Configure(log.Config{SegmentBytes: 1000, IndexBytes: 1 << 20, Retention: -1, RetainBytes: 2000, Delete: true})
	mustWrite(t, p, 40)
	broken := errors.New("disk is full")
	faulty.SetRule(func(op vfs.Op) vfs.Fault {
		if strings.Contains(op.Path, checkpoint.File) {
			return vfs.Fault{Err: broken}
		}
		return vfs.Fault{}
	})
	if err := b.Retain(); !errors.Is(err, broken) || !p.log.Doomed() {
		t.Errorf("retention without a checkpoint: %v", err)
	}
	faulty.SetRule(nil)
	if err := b.Retain(); err != nil || p.log.Doomed() {
		t.Errorf("the files of the deleted segments remain: %v", err)
	}
	b.close(t)
}

func TestOpen_DeletedTopicWithoutItsIDFileIsNoStray(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	p := b.create(t, "t", 1, nil)[0]
	mustWrite(t, p, 3)
	if _, err := b.store.Apply(meta.TopicDeleted{ID: p.ID}); err != nil {
		t.Fatal(err)
	}
	b.abandon() // it dies before the directory gets its new name
	if err := disk.Remove(p.log.Dir() + "/" + metadataFile); err != nil {
		t.Fatal(err)
	}
	b = mustOpen(t, disk)
	if dirs := directories(t, disk, "t-0"); len(dirs) != 0 {
		t.Errorf("%v", dirs)
	}
	for gone := range b.Image().Deleting() {
		t.Errorf("topic %s is still to be deleted", gone.Name)
	}
	b.close(t)
}
