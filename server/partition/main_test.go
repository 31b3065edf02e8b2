package partition

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/segment/vfs"
	"sordini/server/config"
	"sordini/server/meta"
	"sordini/server/metrics"
)

const (
	dataDir   = "data"
	secondDir = "data2"
)

// bySegment is for tests of what happens to a log's own files.
const bySegment = "flush.method=segment"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// seeded is a source of topic ids.
type seeded struct{ rng *rand.Rand }

func (s seeded) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(s.rng.Uint32())
	}
	return len(p), nil
}

func newDisk(t testing.TB) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	for _, dir := range []string{dataDir, secondDir} {
		if err := mem.MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := mem.SyncDir("."); err != nil {
		t.Fatal(err)
	}
	return mem
}

// broker is a Set with its metadata store.
type broker struct {
	*Set
	store  *meta.Store
	report Report
}

// open starts a broker as a process does.
func open(fsys vfs.FS, seed uint64, flags ...string) (*broker, error) {
	return openIn(fsys, seed, []Dir{{Path: dataDir}}, flags...)
}

// openIn starts a broker with some data directories. The metadata is in the first.
func openIn(fsys vfs.FS, seed uint64, dirs []Dir, flags ...string) (*broker, error) {
	return openTelling(new(Progress), fsys, seed, dirs, flags...)
}

// openTelling is openIn that tells how far it is.
func openTelling(progress *Progress, fsys vfs.FS, seed uint64, dirs []Dir, flags ...string) (*broker, error) {
	progress.KeepDetails = true
	values, err := config.Load(config.Input{Flags: flags})
	if err != nil {
		return nil, err
	}
	random := seeded{rand.New(rand.NewPCG(seed, 3))}
	store, _, err := meta.Open(fsys, filepath.Join(dataDir, "metadata"), meta.Options{Log: quiet})
	if err != nil {
		return nil, err
	}
	dirs = slices.Clone(dirs)
	dirs[0].Metadata = true
	if _, err = store.Identify(dataDir, 1, random); err == nil {
		err = start(store, dirs)
	}
	if err != nil {
		_ = store.Close()
		return nil, err
	}
	s, report, err := Open(Options{
		FS: fsys, Dirs: dirs, Store: store, Values: values, Logger: quiet, Random: random,
		Metrics: metrics.New("test", func(int16) string { return "" }),
		Now:     func() time.Time { return time.UnixMilli(1_700_000_000_000) }, Progress: progress,
	})
	if err != nil {
		_ = store.Close()
		return nil, err
	}
	return &broker{s, store, report}, nil
}

// start takes the markers of an orderly shutdown and notes the start. A broken disk is
// none that ends it, unless the metadata is there.
func start(store *meta.Store, dirs []Dir) error {
	clean := true
	for i := range dirs {
		d := &dirs[i]
		if d.Clean, d.Err = store.EndedClean(d.Path); d.Err != nil && (d.Metadata || errors.Is(d.Err, vfs.ErrPowerCut)) {
			return d.Err
		}
		clean = clean && (d.Clean || d.Err != nil)
	}
	_, err := store.Start(clean)
	return err
}

func mustOpen(t testing.TB, fsys vfs.FS, flags ...string) *broker {
	t.Helper()
	b, err := open(fsys, 1, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// close ends a broker in order.
func (b *broker) close(t testing.TB) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := b.store.Close(); err != nil {
		t.Error(err)
	}
}

// abandon ends a broker as if its process had died.
func (b *broker) abandon() {
	close(b.stop)
	b.background.Wait()
	b.purging.Wait()
	for _, p := range b.All() {
		p.leave()
		_ = p.log.Abandon()
	}
	for _, v := range b.volumes {
		v.flusher.running.Wait()
		_ = v.closeJournal(false)
		if v.marks != nil {
			_ = v.marks.Close()
		}
	}
	_ = b.store.Close()
}

func (b *broker) create(t testing.TB, name string, partitions int32, configs map[string]string) []*Partition {
	t.Helper()
	_, errs := b.CreateTopics([]Topic{{Name: name, Partitions: partitions, Configs: configs}})
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	return b.Topic(name)
}

// built makes a batch of n records to be appended.
func built(n int, value []byte) *log.Append {
	var b batch.Builder
	for range n {
		b.Add(1_600_000_000_000, nil, value)
	}
	a := log.NewAppend()
	a.Batch, _ = b.Bytes()
	a.Header, _ = batch.ParseHeader(a.Batch)
	return a
}

// acked waits until the partition has acknowledged up to an offset.
func acked(p *Partition, next int64) error {
	w := NewAckWaiter()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for {
		ok, err := p.Acked(next, w)
		if ok || err != nil {
			return err
		}
		select {
		case <-w.C:
		case <-limit.C:
			p.Forget(w)
			return fmt.Errorf("offset %d is not acknowledged", next)
		}
	}
}

// write appends a batch and waits until it is acknowledged.
func write(p *Partition, a *log.Append) error {
	if p.Append(a); a.Err != nil {
		return a.Err
	}
	return acked(p, a.Next)
}

func mustWrite(t testing.TB, p *Partition, n int) {
	t.Helper()
	for range n {
		if err := write(p, built(1, make([]byte, 100))); err != nil {
			t.Fatal(err)
		}
	}
}

// contents reads all batches below the high watermark, by their base offset.
func contents(p *Partition) (map[int64][]byte, Offsets, error) {
	o, err := p.Offsets()
	if err != nil {
		return nil, o, err
	}
	all := map[int64][]byte{}
	for offset := o.Start; offset < o.High.Offset; {
		r, _, err := p.Read(offset, 3000, true)
		if err != nil {
			return nil, o, err
		}
		b := make([]byte, r.Len())
		_, err = r.ReadAt(b, 0)
		r.Release()
		if err != nil || len(b) == 0 {
			return nil, o, fmt.Errorf("read %d: %d bytes, %w", offset, len(b), err)
		}
		for len(b) > 0 {
			var first []byte
			if first, b, err = batch.Split(b); err != nil {
				return nil, o, err
			}
			h, err := batch.ParseHeader(first)
			if err != nil || h.BaseOffset > offset {
				return nil, o, fmt.Errorf("read %d: batch at %d, %w", offset, h.BaseOffset, err)
			}
			all[h.BaseOffset] = bytes.Clone(first)
			offset = h.LastOffset() + 1
		}
	}
	return all, o, nil
}

// directories lists the directories in the data directory that contain text.
func directories(t testing.TB, fsys vfs.FS, text string) []string {
	t.Helper()
	entries, err := fsys.ReadDir(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && strings.Contains(e.Name(), text) {
			names = append(names, e.Name())
		}
	}
	return names
}
