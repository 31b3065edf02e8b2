package partition

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sordini/segment"
	"sordini/segment/vfs"
)

// givenUpAt opens what is on a disk, and gives that up at one of the operations.
func givenUpAt(disk *vfs.Mem, dirs []Dir, at int64) (b *broker, operations int64, err error) {
	giveUp := make(chan struct{})
	var n atomic.Int64
	fsys := vfs.NewFaulty(disk, func(vfs.Op) vfs.Fault {
		if n.Add(1) == at {
			close(giveUp)
		}
		return vfs.Fault{}
	})
	b, err = openTelling(&Progress{GiveUp: giveUp}, fsys, 2, dirs, smallJournal)
	return b, n.Load(), err
}

// TestOpen_GivenUpAnywhere: an opening that is given up at any operation leaves what the
// next one needs, even if the power goes out then; and it does not look as if the process
// had ended in order.
func TestOpen_GivenUpAnywhere(t *testing.T) {
	disk, dirs := newDisk(t), []Dir{{Path: dataDir}, {Path: secondDir}}
	b, err := openIn(disk, 1, dirs, smallJournal)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range b.create(t, "t", 4, map[string]string{"segment.bytes": "1000"}) {
		mustWrite(t, p, 20)
	}
	b.abandon()
	b, operations, err := givenUpAt(disk.Crash(0, vfs.CrashKeepAll), dirs, -1)
	if err != nil {
		t.Fatal(err)
	}
	b.abandon()
	stopped := 0
	for at := int64(1); at <= operations; at++ {
		again := disk.Crash(0, vfs.CrashKeepAll)
		b, _, err := givenUpAt(again, dirs, at)
		if err == nil { // it was nearly done
			b.abandon()
		} else if !errors.Is(err, context.Canceled) {
			t.Fatalf("given up at %d: %v", at, err)
		} else {
			stopped++
		}
		b, err = openIn(again.Crash(uint64(at), vfs.CrashRandom), 3, dirs, smallJournal)
		if err != nil {
			t.Fatalf("after it was given up at %d: %v", at, err)
		}
		if b.report.Clean || b.report.Damaged > 0 || b.report.Offline > 0 {
			t.Errorf("after it was given up at %d: %+v", at, b.report)
		}
		for _, p := range b.Topic("t") {
			wantBatches(t, p, 20)
		}
		b.close(t)
		if t.Failed() {
			t.Fatalf("given up at %d", at)
		}
	}
	if int64(stopped) < operations/2 {
		t.Errorf("given up %d times at %d operations", stopped, operations)
	}
}

// TestOpen_GivenUpSoon: the logs whose turn has not come are not looked at, whatever it
// is that takes long.
func TestOpen_GivenUpSoon(t *testing.T) {
	workers := max(4, 2*runtime.GOMAXPROCS(0))
	for _, tt := range []struct{ name, flag, first string }{
		{"scan", bySegment, segment.LogSuffix},
		{"journal", "flush.journal.bytes=1000000", "/" + journalDir + "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			disk := newDisk(t)
			b := mustOpen(t, disk, tt.flag)
			for _, p := range b.create(t, "t", int32(6*workers), nil) {
				mustWrite(t, p, 2)
			}
			b.abandon()
			giveUp := make(chan struct{})
			var once sync.Once
			var mu sync.Mutex
			logs := make(map[string]bool)
			fsys := vfs.NewFaulty(disk, func(op vfs.Op) vfs.Fault {
				path := filepath.ToSlash(op.Path)
				if op.Kind == vfs.OpRead && strings.Contains(path, tt.first) && !strings.Contains(path, "/metadata/") {
					once.Do(func() { close(giveUp) })
				}
				if op.Kind == vfs.OpOpen && strings.HasSuffix(path, segment.LogSuffix) && !strings.Contains(path, "/metadata/") {
					mu.Lock()
					logs[path] = true
					mu.Unlock()
				}
				return vfs.Fault{}
			})
			if _, err := openTelling(&Progress{GiveUp: giveUp}, fsys, 2, []Dir{{Path: dataDir}}, tt.flag); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if len(logs) > workers+1 { // one more may be on its way to a worker
				t.Errorf("%d logs were opened by %d workers after it was given up", len(logs), workers)
			}
			b = mustOpen(t, disk, tt.flag)
			for _, p := range b.Topic("t") {
				wantBatches(t, p, 2)
			}
			b.close(t)
		})
	}
}

// TestOpen_GivenUpTooLate: what is open is not given up any more, nor what it opens later.
func TestOpen_GivenUpTooLate(t *testing.T) {
	giveUp := make(chan struct{})
	b, err := openTelling(&Progress{GiveUp: giveUp}, newDisk(t), 1, []Dir{{Path: dataDir}})
	if err != nil {
		t.Fatal(err)
	}
	close(giveUp)
	if err := b.givenUp(); err != nil {
		t.Error(err)
	}
	b.close(t)
}
