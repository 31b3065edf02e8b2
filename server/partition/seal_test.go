package partition

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sordini/segment"
	"sordini/segment/vfs"
)

// until waits for something to become true.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// indexesHeld is a rule under which no index is written before release is called.
func indexesHeld() (rule vfs.Rule, release func()) {
	held := make(chan struct{})
	return func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpCreate && strings.Contains(op.Path, segment.IndexSuffix) {
			<-held
		}
		return vfs.Fault{}
	}, sync.OnceFunc(func() { close(held) })
}

func countIndexes(t *testing.T, fsys vfs.FS, dir string) (n int) {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == segment.IndexSuffix {
			n++
		}
	}
	return n
}

// TestSeal_NobodyWaitsForIt: records behind a full segment are acknowledged, and durable,
// before the files of the segment are written.
func TestSeal_NobodyWaitsForIt(t *testing.T) {
	for _, method := range []string{"flush.method=journal", bySegment} {
		t.Run(method, func(t *testing.T) {
			disk := newDisk(t)
			rule, release := indexesHeld()
			defer release()
			b := mustOpen(t, vfs.NewFaulty(disk, rule), method)
			p := b.create(t, "t", 1, map[string]string{"index.interval.bytes": "500"})[0]
			c := rotConfig
			c.SegmentBytes = 4000
			p.log.Configure(c)
			written := make(chan struct{})
			go func() {
				defer close(written)
				mustWrite(t, p, 100)
			}()
			select {
			case <-written:
			case <-time.After(30 * time.Second):
				release()
				<-written
				t.Fatal("an acknowledgement waits for the index of a full segment")
			}
			segments := p.log.Segments()
			if segments < 3 || !p.log.Rolled() {
				t.Errorf("%d segments, to be sealed: %v", segments, p.log.Rolled())
			}
			survived := disk.Crash(5, vfs.CrashDropAll)
			release()
			until(t, "sealed", func() bool { return !p.log.Rolled() })
			if n := countIndexes(t, disk, p.log.Dir()); n != segments-1 {
				t.Errorf("%d indexes of %d segments", n, segments)
			}
			b.close(t)

			b = mustOpen(t, survived, method)
			wantBatches(t, b.Topic("t")[0], 100)
			b.close(t)
		})
	}
}
