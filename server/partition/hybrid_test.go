package partition

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"sordini/segment/vfs"
)

// gatedFS holds all syncs of files while its gate is locked.
type gatedFS struct {
	vfs.FS
	gate sync.RWMutex
}

type gatedFile struct {
	vfs.File
	fs *gatedFS
}

func (g *gatedFS) OpenFile(name string, flag int) (vfs.File, error) {
	f, err := g.FS.OpenFile(name, flag)
	if err != nil {
		return nil, err
	}
	return &gatedFile{f, g}, nil
}

func (f *gatedFile) SyncData() error {
	f.fs.gate.RLock()
	defer f.fs.gate.RUnlock()
	return f.File.SyncData()
}

func hybrid(flushMs string) map[string]string {
	return map[string]string{"flush.policy": "hybrid", "flush.ms": flushMs}
}

func high(t *testing.T, p *Partition) int64 {
	t.Helper()
	o, err := p.Offsets()
	if err != nil {
		t.Fatal(err)
	}
	return o.High.Offset
}

func mustAppend(t *testing.T, p *Partition, minor bool) (next int64) {
	t.Helper()
	a := built(1, make([]byte, 100))
	if minor {
		p.AppendMinor(a)
	} else {
		p.Append(a)
	}
	if a.Err != nil {
		t.Fatal(a.Err)
	}
	return a.Next
}

// TestHybrid_HighWatermark: what is not important is shown at once, unless it comes
// behind an important batch that is not on disk yet.
func TestHybrid_HighWatermark(t *testing.T) {
	for _, method := range []string{bySegment, "flush.method=journal"} {
		t.Run(method, func(t *testing.T) {
			disk := newDisk(t)
			fs := &gatedFS{FS: disk}
			b := mustOpen(t, fs, method)
			p := b.create(t, "t", 1, hybrid("3600000"))[0]
			mustWrite(t, p, 1)
			fs.gate.Lock()
			mustAppend(t, p, true)
			if h := high(t, p); h != 2 {
				t.Errorf("high watermark %d, want 2", h)
			}
			important := mustAppend(t, p, false)
			last := mustAppend(t, p, true)
			if h := high(t, p); h != 2 {
				t.Errorf("high watermark %d before the important batch at 2 is on disk", h)
			}
			fs.gate.Unlock()
			if err := acked(p, last); err != nil {
				t.Fatal(err)
			}
			b = restarted(t, disk, b)
			if h := high(t, b.Topic("t")[0]); h < important {
				t.Errorf("high watermark %d after a power cut, %d was important", h, important)
			}
			b.close(t)
		})
	}
}

// TestHybrid_MinorIsFlushedLater: a power cut can take what came in the last flush.ms.
func TestHybrid_MinorIsFlushedLater(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	p := b.create(t, "t", 1, hybrid("20"))[0]
	next := mustAppend(t, p, true)
	eventually(t, "flush", func() bool { return p.log.State().Flushed.Offset == next })
	if n := b.opt.Metrics.JournalRounds.Load(); n != 0 {
		t.Errorf("%d rounds of the journal for what nobody waits for", n)
	}
	b = restarted(t, disk, b)
	wantBatches(t, b.Topic("t")[0], 1)
	b.close(t)
}

// TestHybrid_ChangeOfPolicy: an important batch that is not flushed when the policy
// changes is not passed either.
func TestHybrid_ChangeOfPolicy(t *testing.T) {
	fs := &gatedFS{FS: newDisk(t)}
	b := mustOpen(t, fs)
	p := b.create(t, "t", 1, nil)[0]
	mustWrite(t, p, 1)
	fs.gate.Lock()
	mustAppend(t, p, false)
	settings := b.Broker().Topic(hybrid("3600000"))
	p.configure(&settings)
	last := mustAppend(t, p, true)
	if h := high(t, p); h != 1 {
		t.Errorf("high watermark %d, and the batch at 1 is not on disk", h)
	}
	fs.gate.Unlock()
	if err := acked(p, last); err != nil {
		t.Fatal(err)
	}
	b.close(t)
}

// TestHybrid_NeverPassesAnImportantBatch: appends of both kinds meet, and whatever is
// shown before it is on disk is not important.
func TestHybrid_NeverPassesAnImportantBatch(t *testing.T) {
	slow := &slowFS{FS: newDisk(t), delay: time.Millisecond}
	b := mustOpen(t, slow, bySegment)
	p := b.create(t, "t", 1, hybrid("3600000"))[0]
	const important, minor = 'i', 'm'
	done := make(chan struct{})
	var watcher, writers sync.WaitGroup
	watched := 0
	watcher.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			o, err := p.Offsets()
			flushed := p.log.State().Flushed.Offset
			if err != nil {
				t.Error(err)
				return
			}
			if o.High.Offset <= flushed {
				continue
			}
			r, err := p.log.Read(flushed, 1<<20, o.High, true)
			if err != nil {
				t.Error(err)
				return
			}
			raw := make([]byte, r.Len())
			_, err = r.ReadAt(raw, 0)
			r.Release()
			if err != nil || bytes.Contains(raw, bytes.Repeat([]byte{important}, 50)) {
				t.Errorf("an important batch between %d, flushed, and %d, shown: %v", flushed, o.High.Offset, err)
				return
			}
			watched++
		}
	})
	for i := range 4 {
		writers.Go(func() {
			for n := range 200 {
				kind := []byte{important, minor}[(i+n/20)%2]
				a := built(1, bytes.Repeat([]byte{kind}, 50))
				if kind == minor {
					p.AppendMinor(a)
				} else {
					p.Append(a)
				}
				err := a.Err
				if err == nil && n%4 == 0 {
					err = acked(p, a.Next)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	watcher.Wait()
	t.Logf("%d looks at what is shown before it is flushed", watched)
	b.close(t)
}
