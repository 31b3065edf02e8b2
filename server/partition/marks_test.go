package partition

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"sordini/segment"
	"sordini/segment/vfs"
)

// ofLog says whether a path or a line of a trace names a .log file of partition t-0.
func ofLog(text string) bool {
	return strings.Contains(text, "t-0") && strings.Contains(text, segment.LogSuffix)
}

// syncsOfLogs is a rule that fails all syncs of such files while on is set.
func syncsOfLogs(on *atomic.Bool) vfs.Rule {
	return func(op vfs.Op) vfs.Fault {
		if on.Load() && (op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncData) && ofLog(op.Path) {
			return vfs.Fault{Err: syscall.EIO}
		}
		return vfs.Fault{}
	}
}

var never = map[string]string{"flush.policy": "async", "flush.ms": "3600000"}

// TestMarks_FailedSync: a sync has failed and the process has died. The next process
// shows the records, as the kernel does, and calls them durable; so they must be on the
// disk then, although the kernel takes them for written.
func TestMarks_FailedSync(t *testing.T) {
	for name, die := range map[string]func(t *testing.T, fs vfs.FS, failing *atomic.Bool){
		"in a flush": func(t *testing.T, fs vfs.FS, failing *atomic.Bool) {
			b := mustOpen(t, fs, bySegment)
			defer b.abandon()
			p := b.create(t, "t", 1, nil)[0]
			mustWrite(t, p, 1)
			failing.Store(true)
			if write(p, built(1, nil)) == nil {
				t.Fatal("acknowledged")
			}
		},
		"in an orderly end": func(t *testing.T, fs vfs.FS, failing *atomic.Bool) {
			b := mustOpen(t, fs, bySegment)
			mustWrite(t, b.create(t, "t", 1, never)[0], 2)
			failing.Store(true)
			if b.Close() == nil {
				t.Fatal("closed")
			}
			b.store.Close()
		},
		"in recovery": func(t *testing.T, fs vfs.FS, failing *atomic.Bool) {
			b := mustOpen(t, fs, bySegment)
			mustWrite(t, b.create(t, "t", 1, never)[0], 2)
			b.abandon()
			failing.Store(true)
			b = mustOpen(t, fs, bySegment)
			defer b.abandon()
			if b.report.Offline != 1 {
				t.Fatalf("%+v", b.report)
			}
		},
		"in recovery, which ends early": func(t *testing.T, fs vfs.FS, failing *atomic.Bool) {
			b := mustOpen(t, fs, bySegment)
			mustWrite(t, b.create(t, "t", 1, never)[0], 2)
			b.abandon()
			failing.Store(true)
			stops := vfs.NewFaulty(fs, func(op vfs.Op) vfs.Fault {
				if op.Kind == vfs.OpRename && strings.Contains(op.Path, "checkpoint") {
					return vfs.Fault{Err: syscall.EIO}
				}
				return vfs.Fault{}
			})
			if b, err := open(stops, 1); err == nil {
				b.abandon()
				t.Fatal("opened")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			disk := newDisk(t)
			var failing atomic.Bool
			die(t, vfs.NewFaulty(disk, syncsOfLogs(&failing)), &failing)
			b := mustOpen(t, disk)
			shown, o, err := contents(b.Topic("t")[0])
			b.abandon()
			if err != nil || len(shown) != 2 || o.High.Offset != 2 {
				t.Fatalf("before the power cut: %d batches, %+v, %v", len(shown), o, err)
			}
			b = mustOpen(t, disk.Crash(1, vfs.CrashDropAll))
			defer b.abandon()
			if left, o, err := contents(b.Topic("t")[0]); err != nil || len(left) != 2 {
				t.Errorf("after the power cut: %d batches, %+v, %v", len(left), o, err)
			}
		})
	}
}

// TestMarks_NothingFailed: what a process leaves that died without a failed sync is
// synced and not written again, and survives a power cut then.
func TestMarks_NothingFailed(t *testing.T) {
	if !vfs.ReportsLate() {
		t.Skip("this system does not report all failures")
	}
	disk := newDisk(t)
	b := mustOpen(t, disk)
	mustWrite(t, b.create(t, "t", 1, never)[0], 2)
	b.abandon()
	fs := vfs.NewFaulty(disk, nil)
	fs.StartTrace()
	b = mustOpen(t, fs, bySegment)
	b.abandon()
	synced := false
	for _, op := range fs.Trace() {
		if ofLog(op) {
			synced = synced || strings.HasPrefix(op, "sync")
			if strings.HasPrefix(op, "write") {
				t.Error(op)
			}
		}
	}
	if !synced {
		t.Error("not synced")
	}
	b = mustOpen(t, disk.Crash(1, vfs.CrashDropAll))
	defer b.abandon()
	if left, o, err := contents(b.Topic("t")[0]); err != nil || len(left) != 2 {
		t.Errorf("after the power cut: %d batches, %+v, %v", len(left), o, err)
	}
}
