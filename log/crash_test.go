package log

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"sordini/log/checkpoint"
	"sordini/segment/vfs"
)

// The crash simulation runs a log on a disk in memory, cuts the power after a
// random operation of the file system, opens what is left, compares it with what
// was promised, and goes on from there, for several generations. One seed gives
// one history.

// seeds returns which seeds to run: SORDINI_CRASH_SEEDS many, or the one in
// SORDINI_CRASH_SEED.
func seeds(t *testing.T, usual uint64) (from, to uint64) {
	t.Helper()
	if one := os.Getenv("SORDINI_CRASH_SEED"); one != "" {
		n, err := strconv.ParseUint(one, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n, n + 1
	}
	if many := os.Getenv("SORDINI_CRASH_SEEDS"); many != "" {
		n, err := strconv.ParseUint(many, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return 0, n
	}
	return 0, usual
}

// crashed is one run of the simulation.
type crashed struct {
	rng   *rand.Rand
	wrap  func(vfs.FS) vfs.FS
	disk  *vfs.Mem
	fs    *vfs.Faulty
	log   *Log
	opt   Options
	epoch int32

	history   []entry // all batches from offset 0 that the log may hold
	durable   int64   // offset below which nothing may be lost
	minStart  int64   // log start that was made durable
	maxStart  int64   // largest log start that was asked for
	sequences map[int64]int32
	trace     []string
}

func (c *crashed) note(format string, args ...any) {
	c.trace = append(c.trace, fmt.Sprintf(format, args...))
}

// power turns to a disk and decides when its power goes out.
func (c *crashed) power(disk *vfs.Mem) {
	c.disk = disk
	c.fs = vfs.NewFaulty(c.wrap(disk), nil)
	c.fs.CutAfter(c.rng.Int64N(1 << (2 + c.rng.IntN(9))))
}

// open opens the log as a process does: the mark of a clean shutdown is taken
// away before anything is written.
func (c *crashed) open() error {
	ck, err := checkpoint.Read(c.fs, rootDir)
	if err != nil {
		return err
	}
	e, clean := ck.Partitions[checkpoint.Partition{Topic: "t"}], ck.Clean
	ck.Clean = false
	if err := checkpoint.Write(c.fs, rootDir, ck); err != nil {
		return err
	}
	c.epoch++
	c.opt = options(c.fs)
	c.opt.LeaderEpoch = c.epoch
	c.opt.Config.SegmentBytes = 500 + c.rng.Int64N(4000)
	c.opt.Config.RetainBytes = 4000
	l, report, err := Open(c.opt, Known{Start: e.Start, Recovery: e.Recovery, Clean: clean, End: e.End, Segment: e.Segment, Size: e.Size})
	c.note("open clean %v start %d recovery %d: %+v %v", clean, e.Start, e.Recovery, report, err)
	if err != nil {
		return err
	}
	c.log = l
	if len(report.Damaged) > 0 {
		return wrong("damage %v without any rot", report.Damaged)
	}
	if clean && report.Scanned > 0 {
		return wrong("a clean start scanned %d segments", report.Scanned)
	}
	return c.opened()
}

// wrongError is a broken promise, as opposed to the power cut.
type wrongError struct{ text string }

func (e wrongError) Error() string { return e.text }

func wrong(format string, args ...any) error { return wrongError{fmt.Sprintf(format, args...)} }

// opened compares the log with the promises. What it holds now is durable.
func (c *crashed) opened() error {
	st := c.log.State()
	switch {
	case st.End.Offset < c.durable:
		return wrong("the log ends at %d, %d was flushed", st.End.Offset, c.durable)
	case st.Flushed != st.End:
		return wrong("opened with %v flushed of %v", st.Flushed, st.End)
	case st.Start < c.minStart || st.Start > c.maxStart:
		return wrong("the log starts at %d, want %d to %d", st.Start, c.minStart, c.maxStart)
	}
	for len(c.history) > 0 && endOf(c.history) > st.End.Offset {
		c.history = c.history[:len(c.history)-1]
	}
	if endOf(c.history) != st.End.Offset {
		return wrong("the log ends at %d inside of a batch, after %d", st.End.Offset, endOf(c.history))
	}
	if err := check(c.log, c.history); err != nil {
		return c.orCut(err)
	}
	c.durable, c.minStart, c.maxStart = st.End.Offset, st.Start, st.Start
	c.sequences = map[int64]int32{}
	for _, e := range c.history {
		if e.header.HasProducer() {
			c.sequences[e.header.ProducerID] = e.header.LastSequence() + 1
		}
	}
	return nil
}

// orCut makes a mismatch of an error unless the power is out.
func (c *crashed) orCut(err error) error {
	if err == nil || errors.Is(err, vfs.ErrPowerCut) {
		return err
	}
	return wrongError{err.Error()}
}

// step does one operation.
func (c *crashed) step() error {
	switch n := c.rng.IntN(100); {
	case n < 60:
		return c.append()
	case n < 80:
		return c.flush()
	case n < 84:
		return c.checkpoint(false)
	case n < 88:
		return c.retain()
	case n < 91:
		return c.deleteRecords()
	case n < 93:
		return c.truncate()
	case n < 95:
		return c.reopen(true)
	case n < 97:
		return c.reopen(false)
	default:
		return c.orCut(check(c.log, c.history))
	}
}

func (c *crashed) append() error {
	a := randomBatch(c.rng, c.sequences)
	c.log.Append(a)
	// Part of a failed write may be in the file, the whole batch too.
	if a.Err == nil && a.Base != endOf(c.history) {
		return wrong("appended at %d, the log ended at %d", a.Base, endOf(c.history))
	}
	if a.Base >= 0 {
		c.history = append(c.history, entry{a.Header, a.Batch})
	}
	return c.offlineIsCut(a.Err)
}

// offlineIsCut is the error of an operation, which only the power cut may cause.
func (c *crashed) offlineIsCut(err error) error {
	if err != nil && !errors.Is(err, vfs.ErrPowerCut) {
		return wrong("%v", err)
	}
	return err
}

func (c *crashed) flush() error {
	pos, err := c.log.Flush()
	c.note("flush %v %v", pos, err)
	if err != nil {
		return c.offlineIsCut(err)
	}
	if pos.Offset != endOf(c.history) {
		return wrong("flushed %d of %d", pos.Offset, endOf(c.history))
	}
	c.durable = pos.Offset
	if c.rng.IntN(3) == 0 {
		return nil // the segments behind it stay as they are for now
	}
	return c.offlineIsCut(c.log.Seal())
}

func (c *crashed) checkpoint(clean bool) error {
	k := known(c.log, clean)
	c.note("checkpoint %+v", k)
	err := checkpoint.Write(c.fs, rootDir, &checkpoint.Checkpoint{Clean: clean, Partitions: map[checkpoint.Partition]checkpoint.Entry{
		{Topic: "t"}: {Start: k.Start, Recovery: k.Recovery, End: k.End, Segment: k.Segment, Size: k.Size},
	}})
	if err == nil {
		c.minStart = k.Start
	}
	return err
}

func (c *crashed) retain() error {
	start, changed, err := c.log.Retain(c.durable)
	c.note("retain %v %v %v", start, changed, err)
	if err != nil {
		return c.offlineIsCut(err)
	}
	if changed {
		c.maxStart = start
	}
	return c.purge()
}

// purge is what must follow when the log start has moved.
func (c *crashed) purge() error {
	if err := c.checkpoint(false); err != nil {
		return err
	}
	return c.offlineIsCut(c.log.Purge())
}

func (c *crashed) deleteRecords() error {
	st := c.log.State()
	if st.Start >= c.durable {
		return nil
	}
	to := st.Start + c.rng.Int64N(c.durable-st.Start+1)
	start, err := c.log.DeleteBefore(to, c.durable)
	c.note("delete before %d: %d %v", to, start, err)
	if errors.Is(err, vfs.ErrPowerCut) {
		return err
	}
	if err != nil || start != to {
		return wrong("delete before %d: %d, %v", to, start, err)
	}
	c.maxStart = start
	return c.purge()
}

func (c *crashed) truncate() error {
	st := c.log.State()
	to := max(st.Start, st.End.Offset-c.rng.Int64N(12))
	keep := len(c.history)
	for keep > 0 && c.history[keep-1].header.LastOffset() >= to {
		keep--
	}
	end := endOf(c.history[:keep])
	if end < st.Start || to >= st.End.Offset {
		return nil
	}
	// The recovery point must not lead: it is lowered first.
	c.note("truncate to %d, end %d", to, end)
	c.durable = min(c.durable, end)
	k := known(c.log, false)
	err := checkpoint.Write(c.fs, rootDir, &checkpoint.Checkpoint{Partitions: map[checkpoint.Partition]checkpoint.Entry{
		{Topic: "t"}: {Start: k.Start, Recovery: c.durable},
	}})
	if err != nil {
		return err
	}
	c.minStart = k.Start
	if err := c.log.TruncateTo(to); err != nil {
		return c.offlineIsCut(err)
	}
	c.history, c.durable = c.history[:keep], end
	if got := c.log.State(); got.End.Offset != end || got.Flushed != got.End {
		return wrong("truncated to %+v, want %d", got, end)
	}
	c.sequences = map[int64]int32{}
	for _, e := range c.history {
		if e.header.HasProducer() {
			c.sequences[e.header.ProducerID] = e.header.LastSequence() + 1
		}
	}
	return c.orCut(check(c.log, c.history))
}

// reopen closes the log, in order or not, and opens it again.
func (c *crashed) reopen(clean bool) error {
	c.note("reopen, clean %v", clean)
	if !clean {
		if err := c.log.Abandon(); err != nil {
			return err
		}
		c.maxStart = max(c.maxStart, c.log.State().Start)
		return c.open()
	}
	if err := c.log.Close(); err != nil {
		return c.offlineIsCut(err)
	}
	c.durable = endOf(c.history)
	if err := c.checkpoint(true); err != nil {
		return err
	}
	return c.open()
}

// live runs until the power goes out.
func (c *crashed) live() error {
	err := c.open()
	for range 2000 {
		if err != nil {
			break
		}
		err = c.step()
	}
	if c.log != nil {
		_ = c.log.Abandon()
		c.log = nil
	}
	var broken wrongError
	if errors.As(err, &broken) {
		return err
	}
	if err != nil && !errors.Is(err, vfs.ErrPowerCut) {
		return wrong("%v", err)
	}
	return nil
}

// simulate runs one seed.
func simulate(t *testing.T, seed uint64, wrap func(vfs.FS) vfs.FS) (c *crashed, err error) {
	c = &crashed{rng: rand.New(rand.NewPCG(seed, 77)), wrap: wrap, sequences: map[int64]int32{}}
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

func honest(fsys vfs.FS) vfs.FS { return fsys }

func TestCrash_NothingFlushedIsEverLost(t *testing.T) {
	usual := uint64(200)
	if raceEnabled {
		usual = 30 // one goroutine: nothing for the race detector
	}
	from, to := seeds(t, usual)
	for seed := from; seed < to; seed++ {
		if c, err := simulate(t, seed, honest); err != nil {
			for _, line := range c.trace[max(0, len(c.trace)-40):] {
				t.Log(line)
			}
			t.Fatalf("%v\nreproduce: SORDINI_CRASH_SEED=%d go test ./log -run TestCrash_NothingFlushedIsEverLost", err, seed)
		}
	}
}

// lyingFS says that it syncs.
type lyingFS struct {
	vfs.FS
	files, dirs bool
}

type lyingFile struct{ vfs.File }

func (lyingFile) Sync() error     { return nil }
func (lyingFile) SyncData() error { return nil }

func (l lyingFS) Open(name string) (vfs.File, error) { return l.OpenFile(name, os.O_RDONLY) }

func (l lyingFS) OpenFile(name string, flag int) (vfs.File, error) {
	f, err := l.FS.OpenFile(name, flag)
	if err != nil || !l.files {
		return f, err
	}
	return lyingFile{f}, nil
}

func (l lyingFS) SyncDir(name string) error {
	if l.dirs {
		return nil
	}
	return l.FS.SyncDir(name)
}

// TestCrash_Controls makes sure that the simulation sees what it is for.
func TestCrash_Controls(t *testing.T) {
	for name, wrap := range map[string]func(vfs.FS) vfs.FS{
		"files are not synced":       func(f vfs.FS) vfs.FS { return lyingFS{FS: f, files: true} },
		"directories are not synced": func(f vfs.FS) vfs.FS { return lyingFS{FS: f, dirs: true} },
	} {
		caught := -1
		for seed := uint64(0); seed < 100 && caught < 0; seed++ {
			if _, err := simulate(t, seed, wrap); err != nil {
				caught = int(seed)
			}
		}
		if caught < 0 {
			t.Errorf("%s: not caught in 100 seeds", name)
		}
		t.Logf("%s: caught by seed %d", name, caught)
	}
}
