package log

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sordini/log/checkpoint"
	"sordini/segment"
	"sordini/segment/vfs"
)

// The simulation of compaction cuts the power anywhere in a history of appends,
// compactions, retention, truncation and restarts, and holds what is left against
// everything that was appended: nothing that was flushed and is the last of its key
// may be missing, nothing may be there twice or otherwise than it was appended.

// cleanCrash is one run.
type cleanCrash struct {
	rng   *rand.Rand
	wrap  func(vfs.FS) vfs.FS
	disk  *vfs.Mem
	fs    *vfs.Faulty
	log   *Log
	epoch int32

	model    *cleanModel
	durable  int64 // offset below which nothing may be lost
	cleaned  int64 // up to where compaction came, as the process knew that died
	start    int64 // largest log start that was asked for
	compacts int   // compactions that replaced something
	trace    []string
}

func (c *cleanCrash) note(format string, args ...any) {
	c.trace = append(c.trace, fmt.Sprintf(format, args...))
}

func (c *cleanCrash) power(disk *vfs.Mem) {
	c.disk = disk
	c.fs = vfs.NewFaulty(c.wrap(disk), nil)
	c.fs.CutAfter(c.rng.Int64N(1 << (4 + c.rng.IntN(8))))
}

var crashKey = checkpoint.Partition{Topic: "t"}

// checkpoint writes what a server does from time to time.
func (c *cleanCrash) checkpoint(clean bool) error {
	k := known(c.log, clean)
	err := checkpoint.WriteCleaner(c.fs, rootDir, map[checkpoint.Partition]int64{crashKey: c.log.Cleaned()})
	if err == nil {
		err = checkpoint.Write(c.fs, rootDir, &checkpoint.Checkpoint{Clean: clean, Partitions: map[checkpoint.Partition]checkpoint.Entry{
			crashKey: {Start: k.Start, Recovery: k.Recovery, End: k.End, Segment: k.Segment, Size: k.Size},
		}})
	}
	return err
}

func (c *cleanCrash) open() error {
	ck, err := checkpoint.Read(c.fs, rootDir)
	if err != nil {
		return err
	}
	cleaned, err := checkpoint.ReadKafka(c.fs, filepath.Join(rootDir, checkpoint.KafkaCleaner))
	if err != nil {
		return err
	}
	e, clean := ck.Partitions[crashKey], ck.Clean
	ck.Clean = false
	if err := checkpoint.Write(c.fs, rootDir, ck); err != nil {
		return err
	}
	c.epoch++
	opt := compactOptions(c.fs)
	opt.LeaderEpoch = c.epoch
	opt.Config.DeleteRetention = time.Duration(c.rng.IntN(2)-1) * time.Hour // at the next compaction, or after two
	opt.Config.SegmentBytes = 500 + c.rng.Int64N(3000)
	opt.Config.Delete, opt.Config.RetainBytes = c.rng.IntN(2) == 0, 12_000
	k := Known{Start: e.Start, Recovery: e.Recovery, Clean: clean, End: e.End, Segment: e.Segment, Size: e.Size, Cleaned: cleaned[crashKey]}
	if c.rng.IntN(8) == 0 {
		k = Known{Start: e.Start, Cleaned: k.Cleaned} // checkpoint lost: all is scanned
	}
	l, report, err := Open(opt, k)
	c.note("open %+v: %+v %v", k, report, err)
	if err != nil {
		return err
	}
	c.log = l
	return c.opened(k, report)
}

// opened compares the log with what was promised.
func (c *cleanCrash) opened(k Known, report Report) error {
	st := c.log.State()
	switch {
	case len(report.Damaged) > 0:
		return wrong("damage %v without any rot", report.Damaged)
	case st.End.Offset < c.durable:
		return wrong("the log ends at %d, %d was flushed", st.End.Offset, c.durable)
	case st.Start > c.start:
		return wrong("the log starts at %d, %d was asked for", st.Start, c.start)
	}
	c.model.cut(st.End.Offset)
	if c.model.truncated {
		c.model.forget(c.log)
	}
	if err := c.leftovers(); err != nil {
		return err
	}
	if err := c.model.check(c.log, c.log.Cleaned()); err != nil {
		return c.orCut(err)
	}
	c.durable, c.start = st.End.Offset, st.Start
	return nil
}

// leftovers looks for files that Open should have removed.
func (c *cleanCrash) leftovers() error {
	entries, err := c.fs.ReadDir(logDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), segment.CleanedSuffix) || strings.HasSuffix(e.Name(), segment.SwapSuffix) {
			return wrong("%s is left after the start", e.Name())
		}
	}
	return nil
}

func (c *cleanCrash) orCut(err error) error {
	if err == nil || errors.Is(err, vfs.ErrPowerCut) {
		return err
	}
	return wrongError{err.Error()}
}

func (c *cleanCrash) step() error {
	switch n := c.rng.IntN(100); {
	case n < 60:
		return c.append()
	case n < 80:
		return c.clean()
	case n < 84:
		return c.orCut(c.checkpoint(false))
	case n < 88:
		return c.retain()
	case n < 90:
		return c.truncate()
	case n < 94:
		return c.reopen(c.rng.IntN(2) == 0)
	case n < 97:
		return c.flush()
	default:
		return c.orCut(c.model.check(c.log, c.log.Cleaned()))
	}
}

func (c *cleanCrash) append() error {
	a, records := c.model.batch(c.rng, 25)
	c.log.Append(a)
	if a.Base >= 0 {
		c.model.appended(a, records)
	}
	return c.orCut(a.Err)
}

func (c *cleanCrash) flush() error {
	pos, err := c.log.Flush()
	if err == nil {
		c.durable = pos.Offset
	}
	if err == nil && c.rng.IntN(4) > 0 {
		err = c.log.Seal()
	}
	return c.orCut(err)
}

func (c *cleanCrash) clean() error {
	if c.rng.IntN(3) > 0 { // else some of what producers are known by may be lost yet
		if err := c.flush(); err != nil {
			return err
		}
	}
	if s, err := c.log.Cleanable(c.durable); err == nil && s.DirtyBytes > 0 && c.rng.IntN(3) == 0 {
		c.fs.CutAfter(c.fs.Ops() + c.rng.Int64N(70))
	}
	r, err := c.log.Clean(context.Background(), cleanOptions(c.log))
	c.note("clean %+v %v", r, err)
	if r.WrittenBytes > 0 {
		c.compacts++
	}
	if err != nil {
		return c.orCut(err)
	}
	return c.orCut(c.checkpoint(false))
}

func (c *cleanCrash) retain() error {
	start, changed, err := c.log.Retain(c.durable)
	c.note("retain %v %v %v", start, changed, err)
	if err != nil {
		return c.orCut(err)
	}
	if changed {
		c.start = start
	}
	if err := c.checkpoint(false); err != nil {
		return err
	}
	return c.orCut(c.log.Purge())
}

func (c *cleanCrash) truncate() error {
	st := c.log.State()
	to := max(st.Start+1, st.End.Offset-c.rng.Int64N(40))
	if to >= st.End.Offset {
		return nil
	}
	// The recovery point must not lead: it is lowered first.
	c.note("truncate to %d of %d", to, st.End.Offset)
	c.durable, c.model.truncated = 0, true
	err := checkpoint.Write(c.fs, rootDir, &checkpoint.Checkpoint{Partitions: map[checkpoint.Partition]checkpoint.Entry{
		crashKey: {Start: st.Start},
	}})
	if err != nil {
		return c.orCut(err)
	}
	if err := c.log.TruncateTo(to); err != nil {
		return c.orCut(err)
	}
	end := c.log.State().End.Offset
	if end > to {
		return wrong("truncated to %d, want %d", end, to)
	}
	c.durable = end
	c.model.cut(end)
	// What was removed for the sake of records that are gone now is gone too.
	c.model.forget(c.log)
	return c.orCut(c.checkpoint(false))
}

// forget drops from the model what the log does not hold any more.
func (m *cleanModel) forget(l *Log) {
	got, entries, err := logRecords(l)
	if err != nil {
		return
	}
	there := make(map[int64]bool)
	for _, r := range got {
		there[r.offset] = true
	}
	var kept []keyed
	for _, r := range m.records {
		if there[r.offset] {
			kept = append(kept, r)
		}
	}
	m.records, m.headers = kept, nil
	for _, e := range entries {
		m.headers = append(m.headers, e.header)
	}
	m.cut(l.State().End.Offset)
	for id := range int64(6) {
		if e := l.producers.Get(id); e != nil { // a snapshot may know more than the batches
			b := e.Batches()
			m.sequences[id] = b[len(b)-1].LastSequence + 1
		}
	}
}

func (c *cleanCrash) reopen(clean bool) error {
	c.note("reopen, clean %v", clean)
	if !clean {
		c.start = max(c.start, c.log.State().Start)
		if err := c.log.Abandon(); err != nil {
			return err
		}
		return c.open()
	}
	if err := c.log.Close(); err != nil {
		return c.orCut(err)
	}
	c.durable = c.log.State().End.Offset
	if err := c.checkpoint(true); err != nil {
		return c.orCut(err)
	}
	return c.open()
}

func (c *cleanCrash) live() error {
	err := c.open()
	for range 400 {
		if err != nil {
			break
		}
		err = c.step()
	}
	if c.log != nil {
		c.start = max(c.start, c.log.State().Start)
		_ = c.log.Abandon()
		c.log = nil
	}
	if err != nil && !errors.Is(err, vfs.ErrPowerCut) {
		return err
	}
	return nil
}

func simulateClean(t *testing.T, seed uint64, wrap func(vfs.FS) vfs.FS) (c *cleanCrash, err error) {
	c = &cleanCrash{rng: rand.New(rand.NewPCG(seed, 79)), wrap: wrap, model: newCleanModel()}
	c.power(newDisk(t))
	for generation := range 6 {
		if err := c.live(); err != nil {
			return c, fmt.Errorf("generation %d: %w", generation, err)
		}
		mode := []vfs.CrashMode{vfs.CrashDropAll, vfs.CrashRandom, vfs.CrashRandom, vfs.CrashKeepAll}[c.rng.IntN(4)]
		c.note("power cut, %v", mode)
		c.power(c.disk.Crash(c.rng.Uint64(), mode))
	}
	c.fs.CutAfter(-1)
	if err := c.open(); err != nil {
		return c, fmt.Errorf("at last: %w", err)
	}
	return c, c.log.Close()
}

func TestCleanCrash_NoLastRecordIsEverLost(t *testing.T) {
	usual := uint64(100)
	if raceEnabled {
		usual = 10 // one goroutine: nothing for the race detector
	}
	from, to := seeds(t, usual)
	compacts := 0
	for seed := from; seed < to; seed++ {
		c, err := simulateClean(t, seed, honest)
		if err != nil {
			for _, line := range c.trace[max(0, len(c.trace)-40):] {
				t.Log(line)
			}
			t.Fatalf("%v\nreproduce: SORDINI_CRASH_SEED=%d go test ./log -run TestCleanCrash_NoLastRecordIsEverLost", err, seed)
		}
		compacts += c.compacts
	}
	t.Logf("%d seeds, %d compactions", to-from, compacts)
}

// forgetfulFS leaves out the sync of a directory that comes after a rename to a
// certain name.
type forgetfulFS struct {
	vfs.FS
	suffix string
	skip   *bool
}

func (f forgetfulFS) Rename(from, to string) error {
	*f.skip = strings.HasSuffix(to, f.suffix)
	return f.FS.Rename(from, to)
}

func (f forgetfulFS) SyncDir(name string) error {
	if *f.skip {
		*f.skip = false
		return nil
	}
	return f.FS.SyncDir(name)
}

// hastyFS puts the new .log file into its place as soon as it is complete, before
// the files that it replaces are gone.
type hastyFS struct{ vfs.FS }

func (h hastyFS) Rename(from, to string) error {
	err := h.FS.Rename(from, to)
	if final, ok := strings.CutSuffix(to, segment.SwapSuffix); ok && err == nil && strings.HasSuffix(final, segment.LogSuffix) {
		if err := h.FS.Rename(to, final); err != nil {
			return err
		}
	}
	return err
}

func (h hastyFS) Open(name string) (vfs.File, error) {
	if f, err := h.FS.Open(name); err == nil {
		return f, nil
	}
	return h.FS.Open(strings.TrimSuffix(name, segment.SwapSuffix))
}

// TestCleanCrash_Controls makes sure that the simulation sees what it is for.
func TestCleanCrash_Controls(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine: nothing for the race detector")
	}
	forget := func(suffix string) func(vfs.FS) vfs.FS {
		return func(f vfs.FS) vfs.FS { return forgetfulFS{f, suffix, new(bool)} }
	}
	// What few seeds catch is looked for where one does.
	rare := map[string]uint64{"not synced before the copy is in place": 15_000}
	for name, wrap := range map[string]func(vfs.FS) vfs.FS{
		"files are not synced":                    func(f vfs.FS) vfs.FS { return lyingFS{FS: f, files: true} },
		"directories are not synced":              func(f vfs.FS) vfs.FS { return lyingFS{FS: f, dirs: true} },
		"not synced once the copy is complete":    forget(segment.LogSuffix + segment.SwapSuffix),
		"not synced before the copy is in place":  forget(segment.CheckSuffix),
		"in place before the sources are removed": func(f vfs.FS) vfs.FS { return hastyFS{f} },
	} {
		caught := -1
		from := rare[name]
		for seed := from; seed < from+1000 && caught < 0; seed++ {
			if _, err := simulateClean(t, seed, wrap); err != nil {
				caught = int(seed)
			}
		}
		if caught < 0 {
			t.Errorf("%s: not caught in 1000 seeds from %d", name, from)
		}
		t.Logf("%s: caught by seed %d", name, caught)
	}
}
