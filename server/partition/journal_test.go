package partition

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"sordini/log"
	"sordini/log/compact"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// smallJournal has files of 8 KiB.
const smallJournal = "flush.journal.bytes=16384"

// restarted opens what a power cut leaves of a broker, which is abandoned.
func restarted(t *testing.T, disk *vfs.Mem, b *broker) *broker {
	t.Helper()
	b.abandon()
	return mustOpen(t, disk.Crash(5, vfs.CrashDropAll))
}

// wantBatches demands that a partition serves n batches.
func wantBatches(t *testing.T, p *Partition, n int) {
	t.Helper()
	if all, o, err := contents(p); err != nil || len(all) != n {
		t.Errorf("%s-%d: %d batches, want %d: %+v %v", p.Topic, p.Index, len(all), n, o, err)
	}
}

// TestJournal_OneSyncForAllPartitions: acknowledged, and durable, without a sync of
// any segment.
func TestJournal_OneSyncForAllPartitions(t *testing.T) {
	disk := newDisk(t)
	fs := vfs.NewFaulty(disk, nil)
	b := mustOpen(t, fs)
	partitions := b.create(t, "t", 8, nil)
	for _, p := range partitions {
		mustWrite(t, p, 1) // the names of the files are durable from here on
	}
	fs.StartTrace()
	var writers sync.WaitGroup
	for _, p := range partitions {
		writers.Go(func() { mustWrite(t, p, 20) })
	}
	writers.Wait()
	for _, op := range fs.Trace() {
		if strings.HasPrefix(op, "sync") && strings.Contains(op, segment.LogSuffix) {
			t.Error(op)
		}
	}
	for _, p := range partitions {
		if o, err := p.Offsets(); err != nil || o.High.Offset != 21 || p.log.State().Flushed.Offset != 1 {
			t.Errorf("%+v, flushed %+v, %v", o, p.log.State().Flushed, err)
		}
	}
	b = restarted(t, disk, b)
	for _, p := range b.Topic("t") {
		wantBatches(t, p, 21)
	}
	b.close(t)
}

// TestJournal_LongTailsAreSyncedWhereTheyAre: they would be written twice.
func TestJournal_LongTailsAreSyncedWhereTheyAre(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	p := b.create(t, "t", 1, nil)[0]
	mustWrite(t, p, 1)
	if err := write(p, built(1, make([]byte, 2*longestTail))); err != nil {
		t.Fatal(err)
	}
	if n := b.opt.Metrics.JournalRounds.Load(); n != 0 {
		t.Errorf("%d rounds of the journal", n)
	}
	b = restarted(t, disk, b)
	wantBatches(t, b.Topic("t")[0], 2)
	b.close(t)
}

// ofJournal is a rule that fails operations of one kind on the journal's files.
func ofJournal(kind vfs.OpKind, on *atomic.Bool) vfs.Rule {
	return func(op vfs.Op) vfs.Fault {
		if on.Load() && op.Kind == kind && filepath.Base(filepath.Dir(op.Path)) == journalDir {
			return vfs.Fault{Err: syscall.EIO}
		}
		return vfs.Fault{}
	}
}

// TestJournal_Fails: without it each log is synced by itself, and nobody notices.
func TestJournal_Fails(t *testing.T) {
	for _, kind := range []vfs.OpKind{vfs.OpWrite, vfs.OpSyncData, vfs.OpCreate, vfs.OpSyncDir} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			disk := newDisk(t)
			var failing atomic.Bool
			b := mustOpen(t, vfs.NewFaulty(disk, ofJournal(kind, &failing)))
			p := b.create(t, "t", 1, nil)[0]
			if kind != vfs.OpCreate {
				mustWrite(t, p, 5)
			}
			failing.Store(true)
			before := 10
			mustWrite(t, p, 5)
			if kind == vfs.OpCreate {
				before = 5
			}
			failing.Store(false)
			mustWrite(t, p, 5)
			b = restarted(t, disk, b)
			wantBatches(t, b.Topic("t")[0], before+5)
			b.close(t)
		})
	}
}

// TestJournal_KeepsWhatCannotBeSynced: a full file is needed again once its batches
// are synced where they belong. Where that fails it has the only durable copy.
func TestJournal_KeepsWhatCannotBeSynced(t *testing.T) {
	disk := newDisk(t)
	var failing atomic.Bool
	b := mustOpen(t, vfs.NewFaulty(disk, syncsOfLogs(&failing)), smallJournal)
	bad, good := b.create(t, "t", 1, nil)[0], b.create(t, "good", 1, nil)[0]
	mustWrite(t, bad, 3)
	mustWrite(t, good, 3)
	failing.Store(true)
	acked := 3
	for ; acked < 1000 && write(bad, built(1, make([]byte, 100))) == nil; acked++ {
	}
	var offline *log.OfflineError
	if err := bad.log.State().Failure; !errors.As(err, &offline) {
		t.Fatalf("%d batches, and never a file retired: %v", acked, err)
	}
	mustWrite(t, good, 100) // goes through all files
	if err := b.Close(); err == nil {
		t.Error("closed in order")
	}
	_ = b.store.Close()
	b = mustOpen(t, disk.Crash(5, vfs.CrashDropAll), smallJournal)
	if all, o, err := contents(b.Topic("t")[0]); err != nil || len(all) < acked {
		t.Errorf("%d batches of %d: %+v %v", len(all), acked, o, err)
	}
	wantBatches(t, b.Topic("good")[0], 103)
	mustWrite(t, b.Topic("t")[0], 1)
	b.close(t)
}

// TestJournal_KeptForAPartitionThatCannotBeOpened: the files of the journal stay until
// a start can write everything back.
func TestJournal_KeptForAPartitionThatCannotBeOpened(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	for _, p := range b.create(t, "t", 2, nil) {
		mustWrite(t, p, 10)
	}
	b.abandon()
	disk = disk.Crash(5, vfs.CrashDropAll)
	b = mustOpen(t, vfs.NewFaulty(disk, func(op vfs.Op) vfs.Fault {
		if strings.Contains(op.Path, "t-0/") && op.Kind == vfs.OpWrite {
			return vfs.Fault{Err: syscall.EIO}
		}
		return vfs.Fault{}
	}))
	if _, err := b.Topic("t")[0].Offsets(); err == nil {
		t.Error("served without what the journal has of it")
	}
	wantBatches(t, b.Topic("t")[1], 10)
	mustWrite(t, b.Topic("t")[1], 10)
	b = restarted(t, disk, b)
	wantBatches(t, b.Topic("t")[0], 10)
	wantBatches(t, b.Topic("t")[1], 20)
	b.close(t)
}

// TestJournal_DoesNotUndoCompaction: what compaction has replaced is not written back
// over what it made.
func TestJournal_DoesNotUndoCompaction(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	p := b.create(t, "t", 1, map[string]string{"cleanup.policy": "compact"})[0]
	fill(t, p, 100)
	if b.opt.Metrics.JournalRounds.Load() < 50 {
		t.Fatal("not by the journal")
	}
	if _, err := p.log.Clean(t.Context(), log.CleanOptions{Stable: p.log.State().End.Offset, Map: compact.NewMap(1<<20, 0.9)}); err != nil {
		t.Fatal(err)
	}
	want := checkLast(t, p, 100)
	if want > 50 {
		t.Fatalf("%d records after compaction", want)
	}
	b = restarted(t, disk, b)
	if got := checkLast(t, b.Topic("t")[0], 100); got != want {
		t.Errorf("%d records, want %d", got, want)
	}
	b.close(t)
}

// TestJournal_DoesNotUndoPartOfACompaction: one that ends inside a segment, because there
// is no memory for more keys, has written the rest of the segment anew as well.
func TestJournal_DoesNotUndoPartOfACompaction(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	p := b.create(t, "t", 1, map[string]string{"cleanup.policy": "compact"})[0]
	p.log.Configure(smallSegments)
	const batches = 200
	for i := range batches {
		if err := write(p, keyedBatch(fmt.Sprint(max(i, 1)), i)); err != nil { // the first one goes
			t.Fatal(err)
		}
	}
	sealed(t, p)
	inside := false
	for load := 0.01; load < 0.9 && !inside; load += 0.01 {
		r, err := p.log.Clean(t.Context(), log.CleanOptions{Stable: p.log.State().End.Offset, Map: compact.NewMap(0, load)})
		if errors.Is(err, compact.ErrMapTooSmall) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = disk.Stat(filepath.Join(p.log.Dir(), segment.FileName(r.To, segment.LogSuffix)))
		inside = err != nil
	}
	if !inside {
		t.Fatal("every compaction ended with a segment")
	}
	want := onDisk(t, p)
	b = restarted(t, disk, b)
	if got := onDisk(t, b.Topic("t")[0]); !slices.Equal(got, want) {
		t.Errorf("batches at %v, want %v", got, want)
	}
	b.close(t)
}

// onDisk is the base offsets of the batches in the first segment's file, all of it.
func onDisk(t *testing.T, p *Partition) (offsets []int64) {
	t.Helper()
	f, err := p.volume.set.opt.FS.Open(filepath.Join(p.log.Dir(), segment.FileName(0, segment.LogSuffix)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	b := make([]byte, size)
	if err == nil {
		_, err = f.ReadAt(b, 0)
	}
	for err == nil && len(b) > 0 {
		var first []byte
		var h batch.Header
		if first, b, err = batch.Split(b); err == nil {
			h, err = batch.ParseHeader(first)
		}
		if err == nil {
			err = batch.CheckCRC(first, h)
		}
		offsets = append(offsets, h.BaseOffset)
	}
	if err != nil {
		t.Fatalf("behind %v: %v", offsets, err)
	}
	return offsets
}

// TestJournal_OfADeletedTopic: the one of the same name is another one.
func TestJournal_OfADeletedTopic(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	mustWrite(t, b.create(t, "t", 1, nil)[0], 10)
	if err := b.DeleteTopic(b.Topic("t")[0].ID); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, b.create(t, "t", 1, nil)[0], 2)
	b = restarted(t, disk, b)
	wantBatches(t, b.Topic("t")[0], 2)
	b.close(t)
}

// TestJournal_RotIsNotTakenForATornWrite: rounds of the journal have rotted, and with
// the power went what they alone held. The records behind are served, and reading the lost
// ones is an error.
func TestJournal_RotIsNotTakenForATornWrite(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	p := b.create(t, "t", 1, nil)[0]
	mustWrite(t, p, 10)
	b.abandon()
	disk = disk.Crash(5, vfs.CrashDropAll)
	name := filepath.Join(dataDir, journalDir, fmt.Sprintf("%020d.journal", 1))
	f, err := disk.OpenFile(name, 2)
	if err == nil {
		_, err = f.WriteAt(make([]byte, 100), 3*512)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	b = mustOpen(t, disk)
	p = b.Topic("t")[0]
	if o, err := p.Offsets(); err != nil || o.High.Offset != 10 || b.report.Damaged == 0 {
		t.Fatalf("%+v, %+v, %v", o, b.report, err)
	}
	var corrupt *segment.CorruptError
	if _, _, err := contents(p); !errors.As(err, &corrupt) {
		t.Errorf("read of what is lost: %v", err)
	}
	b.close(t)
}

// TestJournal_OffAgain: what an earlier process has put into it is there without it.
func TestJournal_OffAgain(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	mustWrite(t, b.create(t, "t", 1, nil)[0], 10)
	b.abandon()
	disk = disk.Crash(5, vfs.CrashDropAll)
	b = mustOpen(t, disk, bySegment)
	if left, err := disk.ReadDir(filepath.Join(dataDir, journalDir)); err != nil || len(left) > 0 {
		t.Errorf("left of the journal: %v %v", left, err)
	}
	wantBatches(t, b.Topic("t")[0], 10)
	mustWrite(t, b.Topic("t")[0], 3)
	b = restarted(t, disk, b)
	wantBatches(t, b.Topic("t")[0], 13)
	b.close(t)
}

// TestWriteback_IsBounded: while many hints wait for the disk no more are given, and what
// they were for is not forgotten.
func TestWriteback_IsBounded(t *testing.T) {
	b := mustOpen(t, newDisk(t))
	p := b.create(t, "t", 1, nil)[0]
	write2 := func() int64 { // two steps
		for range 32 {
			if err := write(p, built(1, make([]byte, 64<<10))); err != nil {
				t.Fatal(err)
			}
		}
		p.flusher.running.Wait() // what was journaled is told by then
		return p.pushed.Pos
	}
	began := p.pushed.Pos
	for range parallelHints {
		p.flusher.hints <- struct{}{}
	}
	if at := write2(); at != began {
		t.Errorf("a hint up to %d beside %d others", at, parallelHints)
	}
	for range parallelHints {
		<-p.flusher.hints
	}
	if at, end := write2(), p.log.State().End.Pos; at < end-2*writebackStep || len(p.flusher.hints) > 0 {
		t.Errorf("hints up to %d of %d, %d under way", at, end, len(p.flusher.hints))
	}
	b.close(t)
}
