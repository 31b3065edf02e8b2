package partition

import (
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"sordini/segment/vfs"
)

// sizedFS is a file system whose use a test sets, in thousandths.
type sizedFS struct {
	vfs.FS
	used  atomic.Uint64
	looks atomic.Int64
	err   atomic.Pointer[error]
}

const sizedTotal = 100 << 30

func newSized(fsys vfs.FS, used uint64) *sizedFS {
	s := &sizedFS{FS: fsys}
	s.used.Store(used)
	return s
}

func (s *sizedFS) Usage(string) (vfs.Usage, error) {
	s.looks.Add(1)
	if err := s.err.Load(); err != nil {
		return vfs.Usage{}, *err
	}
	used := sizedTotal / 1000 * s.used.Load()
	return vfs.Usage{Total: sizedTotal, Used: used, Free: sizedTotal - used}, nil
}

func TestSpace_States(t *testing.T) {
	for _, c := range []struct {
		now        DiskState
		used       float64
		warn, full float64
		want       DiskState
	}{
		{DiskOK, 0.79, 0.8, 0.9, DiskOK},
		{DiskOK, 0.8, 0.8, 0.9, DiskWarn},
		{DiskOK, 0.9, 0.8, 0.9, DiskFull},
		{DiskWarn, 0.795, 0.8, 0.9, DiskWarn}, // stays for a little
		{DiskWarn, 0.79, 0.8, 0.9, DiskOK},
		{DiskFull, 0.895, 0.8, 0.9, DiskFull},
		{DiskFull, 0.89, 0.8, 0.9, DiskWarn},
		{DiskFull, 0.5, 0.8, 0.9, DiskOK},
		{DiskFull, 0.795, 0.8, 0.9, DiskWarn},
		{DiskOK, 1, 1, 1, DiskOK}, // turned off
		{DiskFull, 1, 0.8, 1, DiskWarn},
		{DiskOK, 0.95, 1, 0.9, DiskFull},
		{DiskOK, 0, 0, 0, DiskFull},
	} {
		if got := nextState(c.now, c.used, c.warn, c.full); got != c.want {
			t.Errorf("%v at %v of %v/%v: %v, want %v", c.now, c.used, c.warn, c.full, got, c.want)
		}
	}
}

func TestSpace_NextAlarm(t *testing.T) {
	usage := func(free uint64) vfs.Usage { return vfs.Usage{Total: 1 << 40, Used: 1<<40 - free, Free: free} }
	for _, c := range []struct {
		u    vfs.Usage
		full float64
		want int64
	}{
		{usage(1 << 40), 0.5, farAlarm},
		{usage(1<<39 + 400<<20), 0.5, 100 << 20},
		{usage(1<<39 + 1), 0.5, nearAlarm},
		{usage(0), 0.5, nearAlarm},
		{usage(0), 1, farAlarm},
	} {
		if got := nextAlarm(c.u, c.full); got != c.want {
			t.Errorf("free %d, full at %v: %d, want %d", c.u.Free, c.full, got, c.want)
		}
	}
}

// A full disk stops what takes space, and nothing else; the partitions stay.
func TestSpace_FullAndBack(t *testing.T) {
	fsys := newSized(newDisk(t), 100)
	b := mustOpen(t, fsys)
	defer b.close(t)
	p := b.create(t, "a", 1, map[string]string{"segment.bytes": "1048576"})[0]
	b.create(t, "old", 1, nil)
	mustWrite(t, p, 3)
	at := func(used uint64, want DiskState) {
		t.Helper()
		fsys.used.Store(used)
		b.volumes[0].space.look()
		if state, _, _ := b.volumes[0].space.now(); state != want {
			t.Fatalf("at %d: %v, want %v", used, state, want)
		}
		if err := b.Writable(); IsFull(err) != (want == DiskFull) {
			t.Fatalf("at %d: %v", used, err)
		}
	}
	at(799, DiskOK)
	at(850, DiskWarn)
	at(920, DiskFull)

	if text := b.Writable().Error(); !strings.Contains(text, dataDir) || !strings.Contains(text, "92.0 %") || !strings.Contains(text, "delete topics") {
		t.Errorf("message: %s", text)
	}
	if _, errs := b.CreateTopics([]Topic{{Name: "b", Partitions: 1}}); !IsFull(errs[0]) {
		t.Errorf("create a topic: %v", errs[0])
	}
	if _, errs := b.CreateTopics([]Topic{{Name: "internal", Partitions: 1, Internal: true}}); errs[0] != nil {
		t.Errorf("create an internal topic: %v", errs[0])
	}
	if err := b.AddPartitions("a", 2); !IsFull(err) {
		t.Errorf("add partitions: %v", err)
	}
	if got, _, err := contents(p); err != nil || len(got) != 3 {
		t.Errorf("read: %d batches, %v", len(got), err)
	}
	if start, err := p.DeleteRecords(2); start != 2 || err != nil {
		t.Errorf("delete records: %d, %v", start, err)
	}
	if err := b.Purge([]*Partition{p}); err != nil {
		t.Errorf("purge: %v", err)
	}
	if err := b.DeleteTopic(b.Topic("old")[0].ID); err != nil {
		t.Errorf("delete a topic: %v", err)
	}
	if err := b.SetTopicConfigs("a", map[string]string{"retention.bytes": "1"}); err != nil {
		t.Errorf("change a topic: %v", err)
	}
	if err := b.Checkpoint(); err != nil {
		t.Errorf("checkpoint: %v", err)
	}
	mustWrite(t, p, 1) // the server's own writes are not asked

	at(895, DiskFull)
	at(880, DiskWarn)
	at(100, DiskOK)
	b.create(t, "b", 1, nil)
}

// The server starts on a full disk, and says so.
func TestSpace_StartsFull(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	mustWrite(t, b.create(t, "a", 1, nil)[0], 2)
	b.close(t)
	b = mustOpen(t, newSized(disk, 990))
	defer b.close(t)
	if !IsFull(b.Writable()) {
		t.Error("not full")
	}
	if got, _, err := contents(b.Get("a", 0)); err != nil || len(got) != 2 {
		t.Errorf("%d batches, %v", len(got), err)
	}
}

// A writer looks itself when it may have filled the disk since the last look.
func TestSpace_WriterLooks(t *testing.T) {
	fsys := newSized(newDisk(t), 899)
	b := mustOpen(t, fsys)
	defer b.close(t)
	fsys.used.Store(901)
	looks := fsys.looks.Load()
	if err := b.Writable(); err != nil || fsys.looks.Load() != looks {
		t.Errorf("looked without need: %v", err)
	}
	b.opt.Metrics.AppendedBytes.Add(farAlarm)
	if err := b.Writable(); !IsFull(err) {
		t.Errorf("%v, want full", err)
	}
}

// What cannot be told changes nothing, and settings count at once.
func TestSpace_UnknownAndSettings(t *testing.T) {
	fsys := newSized(newDisk(t), 950)
	b := mustOpen(t, fsys)
	defer b.close(t)
	broken := errors.New("broken")
	fsys.err.Store(&broken)
	b.volumes[0].space.look()
	if !IsFull(b.Writable()) {
		t.Error("an error ended the state")
	}
	fsys.err.Store(nil)
	set := func(ratio string) {
		err := b.UpdateBrokerConfigs(true, func(map[string]string) (map[string]string, error) {
			return map[string]string{"log.disk.full.ratio": ratio}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set("1.0")
	if err := b.Writable(); err != nil {
		t.Errorf("turned off: %v", err)
	}
	set("0.94")
	if !IsFull(b.Writable()) {
		t.Error("a lower limit does not count")
	}
}

func TestBallast(t *testing.T) {
	fsys := newSized(newDisk(t), 950)
	b := mustOpen(t, fsys)
	defer b.close(t)
	there := func() bool {
		_, err := fsys.Stat(filepath.Join(dataDir, ballastFile))
		return err == nil
	}
	b.volumes[0].space.keepBallast()
	if there() {
		t.Error("taken in on a full disk")
	}
	fsys.used.Store(100)
	b.volumes[0].space.look()
	b.volumes[0].space.keepBallast()
	if !there() {
		t.Fatal("not taken in")
	}
	ThrowBallast(fsys, dataDir, quiet)
	b.makeRoom()
	if !there() {
		t.Error("thrown off without need")
	}
	fsys.used.Store(1000)
	b.makeRoom()
	if there() {
		t.Error("not thrown off by a deletion")
	}
	fsys.used.Store(100)
	b.volumes[0].space.look()
	b.volumes[0].space.keepBallast()
	fsys.used.Store(1000)
	ThrowBallast(fsys, dataDir, quiet)
	if there() {
		t.Error("not thrown off by a start")
	}
}
