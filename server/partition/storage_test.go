package partition

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sordini/segment/vfs"
)

func TestStorage_Unflushed(t *testing.T) {
	b := mustOpen(t, newDisk(t), "flush.policy=async", "log.flush.interval.ms=3600000", "log.segment.bytes=1048576")
	defer b.close(t)
	partitions := b.create(t, "a", 2, nil)
	if s := b.Storage()[0]; s.UnflushedBytes != 0 || s.UnflushedAge != 0 || s.JournalBroken {
		t.Errorf("nothing written: %+v", s)
	}
	var want int64
	add := func(p *Partition, n int) {
		t.Helper()
		a := built(1, make([]byte, n))
		if err := write(p, a); err != nil {
			t.Fatal(err)
		}
		want += int64(len(a.Batch))
	}
	add(partitions[0], 100)
	add(partitions[1], 200)
	for range 3 {
		add(partitions[0], 700<<10) // each in a segment of its own
	}
	partitions[1].mu.Lock()
	partitions[1].dirty = time.Now().Add(-time.Hour)
	partitions[1].mu.Unlock()
	if s := b.Storage()[0]; s.UnflushedBytes != want || s.UnflushedAge < time.Hour {
		t.Errorf("%d bytes unflushed since %v, want %d since an hour", s.UnflushedBytes, s.UnflushedAge, want)
	}
	for _, p := range partitions {
		p.flushOnce()
	}
	if s := b.Storage()[0]; s.UnflushedBytes != 0 || s.UnflushedAge != 0 {
		t.Errorf("all flushed: %+v", s)
	}
	if !partitions[1].dirty.IsZero() {
		t.Error("still dirty")
	}
}

// Under flush.policy=sync what was acknowledged is not unflushed, wherever it lies.
func TestStorage_Journaled(t *testing.T) {
	b := mustOpen(t, newDisk(t))
	defer b.close(t)
	mustWrite(t, b.create(t, "a", 1, nil)[0], 3)
	if s := b.Storage()[0]; s.UnflushedBytes != 0 || s.UnflushedAge != 0 {
		t.Errorf("%+v", s)
	}
}

func TestStorage_Checkpoint(t *testing.T) {
	fsys := vfs.NewFaulty(newDisk(t), nil)
	b := mustOpen(t, fsys)
	defer b.close(t)
	const long = int64(time.Hour)
	b.volumes[0].checkpointed.Add(-long)
	fsys.SetRule(func(op vfs.Op) vfs.Fault { return vfs.Fault{Err: syscall.ENOSPC} })
	if err := b.Checkpoint(); err == nil {
		t.Fatal("checkpoint written")
	}
	if age := b.Storage()[0].CheckpointAge; age < time.Duration(long) {
		t.Errorf("a checkpoint that failed counts: %v", age)
	}
	fsys.SetRule(nil)
	if err := b.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if age := b.Storage()[0].CheckpointAge; age >= time.Duration(long) {
		t.Errorf("age %v after a checkpoint", age)
	}
}

func TestStorage_BrokenJournal(t *testing.T) {
	fsys := vfs.NewFaulty(newDisk(t), nil)
	b := mustOpen(t, fsys)
	defer b.close(t)
	p := b.create(t, "a", 1, nil)[0]
	mustWrite(t, p, 1) // its names are new: the log itself is synced
	fsys.SetRule(func(op vfs.Op) vfs.Fault {
		if filepath.Base(filepath.Dir(op.Path)) == journalDir && op.Kind == vfs.OpSyncData {
			return vfs.Fault{Err: syscall.EIO}
		}
		return vfs.Fault{}
	})
	mustWrite(t, p, 1)
	if s := b.Storage()[0]; !s.JournalBroken || s.UnflushedBytes != 0 {
		t.Errorf("%+v", s)
	}
}
