package partition

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"sordini/log"
	"sordini/segment/vfs"
	"sordini/server/config"
	"sordini/server/meta"
)

// The crash simulation runs a broker on a disk in memory, cuts the power at a
// random operation of the file system, starts what is left, and compares it with
// what was acknowledged: topics, their ids, and records.

// seeds returns which seeds to run: SORDINI_CRASH_SEEDS many, or the one in
// SORDINI_CRASH_SEED.
func seeds(t *testing.T, usual uint64) (from, to uint64) {
	t.Helper()
	for name, one := range map[string]bool{"SORDINI_CRASH_SEED": true, "SORDINI_CRASH_SEEDS": false} {
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if one {
			return n, n + 1
		}
		return 0, n
	}
	return 0, usual
}

// promised is what a client was told of a topic.
type promised struct {
	name       string
	id         meta.TopicID
	created    bool // acknowledged; else it may be there or not
	deleting   bool // asked for; it may be gone
	partitions int32
	maxParts   int32 // asked for
	logs       map[int32]*promisedLog
}

// promisedLog is what a client was told of a partition.
type promisedLog struct {
	written  map[int64][]byte // batches that may be there, by offset
	acked    int64            // below, nothing may be lost
	minStart int64            // a log start that was made durable
	maxStart int64            // the largest that was asked for
	epoch    int32            // leader epoch of the last start
}

// crashed is one run of the simulation.
type crashed struct {
	rng   *rand.Rand
	seed  uint64
	wrap  func(vfs.FS) vfs.FS
	disk  *vfs.Mem
	fs    *vfs.Faulty
	b     *broker
	clean bool // the broker was closed in order
	dirs  int  // 1 or 2
	// failing says that the second directory's disk may break, and leaks that the first
	// one's logs may break with it, which is not expected.
	failing, leaks bool
	broken         atomic.Bool
	breakIn        atomic.Int64 // operations on the second directory
	// topics are all that may exist; those that are gone for good are taken out.
	topics []*promised
	trace  []string
}

func (c *crashed) note(format string, args ...any) {
	c.trace = append(c.trace, fmt.Sprintf(format, args...))
}

// wrongError is a broken promise, as opposed to the power cut.
type wrongError struct{ text string }

func (e wrongError) Error() string { return e.text }

func wrong(format string, args ...any) error { return wrongError{fmt.Sprintf(format, args...)} }

// orCut passes the power cut on; every other error is wrong. A log reports the
// cut as the cause of being offline.
func orCut(what string, err error) error {
	if err == nil || errors.Is(err, vfs.ErrPowerCut) {
		return err
	}
	return wrong("%s: %v", what, err)
}

// orBroken is orCut, but errors of a broken disk are right, and gone. live is the
// partition that has the error, nil if the disk's other partitions may be the reason.
func (c *crashed) orBroken(what string, live *Partition, err error) (broken bool, _ error) {
	if errors.Is(err, syscall.EIO) && c.broken.Load() && (live == nil || live.DataDir() == secondDir) {
		return true, nil
	}
	return false, orCut(what, err)
}

func (c *crashed) power(disk *vfs.Mem) {
	c.disk = disk
	c.fs = vfs.NewFaulty(c.wrap(disk), c.fault)
	c.fs.CutAfter(c.rng.Int64N(1 << (4 + c.rng.IntN(8))))
	c.repair()
}

// repair makes the second directory's disk whole. It may break again later.
func (c *crashed) repair() {
	c.broken.Store(false)
	c.breakIn.Store(math.MaxInt64)
	if c.failing && c.rng.IntN(3) > 0 {
		c.breakIn.Store(c.rng.Int64N(1 << (3 + c.rng.IntN(8))))
	}
}

// fault breaks the disk of the second directory: from some moment on every operation
// fails.
func (c *crashed) fault(op vfs.Op) vfs.Fault {
	second := strings.HasPrefix(op.Path, secondDir+"/") || op.Path == secondDir
	if second && c.breakIn.Add(-1) < 0 {
		c.broken.Store(true)
	}
	log := strings.HasSuffix(op.Path, ".log") && !strings.Contains(op.Path, "/metadata/") && (op.Kind == vfs.OpWrite || op.Kind == vfs.OpCreate)
	if c.broken.Load() && (second || c.leaks && log) {
		return vfs.Fault{Err: syscall.EIO}
	}
	return vfs.Fault{}
}

// method is how a start flushes. The journal is small enough to be full soon.
func method(rng *rand.Rand) string {
	return []string{bySegment, "flush.journal.bytes=16384", "flush.journal.bytes=1000000"}[rng.IntN(3)]
}

func (c *crashed) open() error {
	c.seed++
	b, err := openIn(c.fs, c.seed, []Dir{{Path: dataDir}, {Path: secondDir}}[:c.dirs], method(c.rng))
	if err != nil {
		return orCut("open", err)
	}
	c.b = b
	c.note("opened %+v", b.report)
	if b.report.Clean && b.report.Scanned > 0 || c.clean && !b.report.Clean {
		return wrong("closed in order %v, %+v", c.clean, b.report)
	}
	c.clean = false
	// The directory of a topic can't be lost, so all partitions open.
	if b.report.Damaged > 0 {
		return wrong("damage without rot: %+v", b.report)
	}
	if stray := c.straysWithoutReason(); stray != "" {
		return wrong("%s is a stray", stray)
	}
	return c.compare()
}

func (c *crashed) straysWithoutReason() string {
	for _, dir := range []string{dataDir, secondDir} {
		entries, err := c.disk.ReadDir(dir)
		if err != nil {
			return err.Error()
		}
		for _, e := range entries {
			if e.IsDir() && strings.HasSuffix(e.Name(), straySuffix) {
				return filepath.Join(dir, e.Name())
			}
		}
	}
	return ""
}

// compare looks for every promise in what was opened.
func (c *crashed) compare() error {
	var still []*promised
	known := map[meta.TopicID]bool{}
	for _, p := range c.topics {
		t := c.b.Image().TopicByID(p.id)
		if t == nil {
			if p.created && !p.deleting {
				return wrong("topic %s %v is lost", p.name, p.id)
			}
			continue
		}
		if t.Partitions < p.partitions || t.Partitions > p.maxParts {
			return wrong("topic %s has %d partitions, want %d to %d", p.name, t.Partitions, p.partitions, p.maxParts)
		}
		p.created, p.deleting, p.partitions, p.maxParts = true, false, t.Partitions, t.Partitions
		known[p.id] = true
		still = append(still, p)
		for i := range t.Partitions {
			if err := c.compareLog(p, i); err != nil {
				return err
			}
		}
	}
	c.topics = still
	for t := range c.b.Image().Topics() {
		if !known[t.ID] {
			return wrong("topic %s %v was never asked for, or was deleted", t.Name, t.ID)
		}
	}
	return nil
}

func (c *crashed) compareLog(p *promised, index int32) error {
	where := fmt.Sprintf("%s-%d", p.name, index)
	live := c.b.GetByID(p.id, index)
	if live == nil {
		return wrong("%s is not there", where)
	}
	l := p.logs[index]
	if l == nil {
		l = &promisedLog{written: map[int64][]byte{}, epoch: -1}
		p.logs[index] = l
	}
	got, o, err := contents(live)
	if err != nil {
		_, err := c.orBroken(where, live, err)
		return err
	}
	if o.High.Offset < l.acked || o.End != o.High.Offset || o.Start < l.minStart || o.Start > l.maxStart {
		return wrong("%s: %+v, acknowledged %d, start %d to %d", where, o, l.acked, l.minStart, l.maxStart)
	}
	for offset, b := range got {
		if want := l.written[offset]; !bytes.Equal(want, b) {
			return wrong("%s: another batch at %d than was written: %d bytes, want %d", where, offset, len(b), len(want))
		}
	}
	for offset := range l.written {
		if offset >= o.High.Offset {
			delete(l.written, offset)
		}
	}
	epoch := live.Log().LeaderEpoch()
	if epoch < l.epoch || epoch == l.epoch && !c.b.report.Clean {
		return wrong("%s: leader epoch %d after %d, clean %v", where, epoch, l.epoch, c.b.report.Clean)
	}
	l.acked, l.minStart, l.maxStart, l.epoch = o.High.Offset, o.Start, o.Start, epoch
	live.log.Configure(log.Config{SegmentBytes: 1500, IndexBytes: 1 << 20, Retention: -1, RetainBytes: 3000, Delete: true})
	return nil
}

func (c *crashed) step() error {
	switch n := c.rng.IntN(100); {
	case n < 70:
		return c.write()
	case n < 77:
		return c.create()
	case n < 81:
		return c.addPartitions()
	case n < 86:
		return c.deleteTopic()
	case n < 90:
		_, err := c.orBroken("checkpoint", nil, c.b.Checkpoint())
		return err
	case n < 93:
		return c.deleteRecords()
	case n < 95:
		return c.retain()
	default:
		return c.restart()
	}
}

// pick returns a random partition, nil if there is none.
func (c *crashed) pick() (*Partition, *promisedLog) {
	if len(c.topics) == 0 {
		return nil, nil
	}
	p := c.topics[c.rng.IntN(len(c.topics))]
	index := c.rng.Int32N(p.partitions)
	return c.b.GetByID(p.id, index), p.logs[index]
}

func (c *crashed) write() error {
	live, l := c.pick()
	if live == nil {
		return nil
	}
	minor := live.Settings().FlushPolicy == config.FlushHybrid && c.rng.IntN(2) == 0
	value := make([]byte, c.rng.IntN(300))
	for i := range value {
		value[i] = byte(c.rng.Uint32())
	}
	a := built(1+c.rng.IntN(3), value)
	if minor {
		live.AppendMinor(a)
	} else {
		live.Append(a)
	}
	if a.Base >= 0 {
		l.written[a.Base] = a.Batch
	}
	if a.Err != nil {
		_, err := c.orBroken("append", live, a.Err)
		return err
	}
	if c.rng.IntN(4) == 0 {
		return nil // nobody waits for this one
	}
	if err := acked(live, a.Next); err != nil {
		_, err := c.orBroken("ack", live, err)
		return err
	}
	if !minor { // what comes before an important batch is as durable as it is
		l.acked = a.Next
	}
	return nil
}

func (c *crashed) create() error {
	name := fmt.Sprintf("t%d", c.rng.IntN(4))
	p := &promised{name: name, partitions: 1 + c.rng.Int32N(2), logs: map[int32]*promisedLog{}}
	p.maxParts = p.partitions
	configs := map[string]string{}
	if c.rng.IntN(3) == 0 { // not every batch is important
		configs["flush.policy"], configs["flush.ms"] = "hybrid", []string{"1", "3600000"}[c.rng.IntN(2)]
	}
	exists := c.b.Image().Topic(name) != nil
	created, errs := c.b.CreateTopics([]Topic{{Name: name, Partitions: p.partitions, Configs: configs}})
	c.note("create %s: %v", name, errs[0])
	switch {
	case exists:
		if !errors.Is(errs[0], meta.ErrTopicExists) {
			return orCut("create again", errs[0])
		}
		return nil
	case errs[0] == nil:
		p.created, p.id = true, created[0].ID
	case errors.Is(errs[0], vfs.ErrPowerCut):
		return c.unknownCreation(p, errs[0])
	default:
		_, err := c.orBroken("create", nil, errs[0])
		return err
	}
	c.topics = append(c.topics, p)
	for i := range p.partitions {
		live := c.b.GetByID(p.id, i)
		if st := live.log.State(); st.Failure != nil {
			if broken, err := c.orBroken("new partition", live, st.Failure); !broken {
				return err
			}
		}
		p.logs[i] = &promisedLog{written: map[int64][]byte{}, epoch: live.log.LeaderEpoch()}
		live.log.Configure(log.Config{SegmentBytes: 1500, IndexBytes: 1 << 20, Retention: -1, RetainBytes: 3000, Delete: true})
	}
	return nil
}

// unknownCreation finds out which id a creation had that was cut off. If the
// topic comes to exist it is under this id.
func (c *crashed) unknownCreation(p *promised, cut error) error {
	b := make([]byte, 4096)
	for _, dir := range []string{dataDir, secondDir} {
		f, err := c.disk.Open(fmt.Sprintf("%s/%s-0/%s", dir, p.name, metadataFile))
		if err != nil {
			continue // it did not come so far, or is in the other one
		}
		n, _ := f.ReadAt(b, 0)
		_ = f.Close()
		if id, err := parseTopicIDFile(b[:n]); err == nil {
			again := *p
			again.id, again.logs = id, map[int32]*promisedLog{}
			c.topics = append(c.topics, &again)
		}
	}
	return cut
}

func (c *crashed) addPartitions() error {
	if len(c.topics) == 0 {
		return nil
	}
	p := c.topics[c.rng.IntN(len(c.topics))]
	if p.partitions >= 4 {
		return nil
	}
	p.maxParts = p.partitions + 1
	err := c.b.AddPartitions(p.name, p.maxParts)
	c.note("add a partition to %s: %v", p.name, err)
	if err != nil {
		_, err := c.orBroken("add partitions", nil, err)
		return err
	}
	p.partitions = p.maxParts
	live := c.b.GetByID(p.id, p.partitions-1)
	p.logs[p.partitions-1] = &promisedLog{written: map[int64][]byte{}, epoch: live.log.LeaderEpoch()}
	_, err = c.orBroken("new partition", live, live.log.State().Failure)
	return err
}

func (c *crashed) deleteTopic() error {
	if len(c.topics) == 0 {
		return nil
	}
	i := c.rng.IntN(len(c.topics))
	p := c.topics[i]
	p.deleting = true
	err := c.b.DeleteTopic(p.id)
	c.note("delete %s: %v", p.name, err)
	if err != nil {
		return orCut("delete", err)
	}
	c.topics = append(c.topics[:i], c.topics[i+1:]...)
	return nil
}

func (c *crashed) deleteRecords() error {
	live, l := c.pick()
	if live == nil {
		return nil
	}
	o, err := live.Offsets()
	if err != nil {
		_, err := c.orBroken("offsets", live, err)
		return err
	}
	l.maxStart = max(l.maxStart, o.High.Offset)
	start, err := live.DeleteRecords(o.Start + c.rng.Int64N(o.High.Offset-o.Start+1))
	c.note("delete records of %s-%d: %d %v", live.Topic, live.Index, start, err)
	if err != nil {
		_, err := c.orBroken("delete records", live, err)
		return err
	}
	if err := c.b.Purge([]*Partition{live}); err != nil {
		_, err := c.orBroken("purge", live, err)
		return err
	}
	l.minStart, l.maxStart = start, start
	return nil
}

func (c *crashed) retain() error {
	for _, p := range c.topics {
		for i, l := range p.logs {
			if o, err := c.b.GetByID(p.id, i).Offsets(); err == nil {
				l.maxStart = max(l.maxStart, o.End) // flushes still run
			}
		}
	}
	err := c.b.Retain()
	c.note("retain: %v", err)
	_, err = c.orBroken("retain", nil, err)
	return err
}

// restart ends the broker, in order or not, without a power cut.
func (c *crashed) restart() error {
	if c.rng.IntN(2) == 0 {
		c.note("killed")
		c.b.abandon()
		c.b = nil
		c.mayRepair()
		return c.open()
	}
	missing := slices.ContainsFunc(c.b.Dirs(), func(d Dir) bool { return d.Err != nil }) // and may come back
	err := c.b.Close()
	c.note("closed: %v", err)
	_ = c.b.store.Close()
	c.b = nil
	if err != nil {
		broken, err := c.orBroken("close", nil, err)
		if !broken {
			return err
		}
	}
	c.clean = err == nil && !missing
	c.mayRepair()
	return c.open()
}

func (c *crashed) mayRepair() {
	if c.broken.Load() && c.rng.IntN(2) == 0 {
		c.note("repaired")
		c.repair()
	}
}

// live runs until the power goes out.
func (c *crashed) live() error {
	err := c.open()
	for range 400 {
		if err != nil {
			break
		}
		err = c.step()
	}
	if c.b != nil {
		c.b.abandon()
		c.b = nil
	}
	if errors.Is(err, vfs.ErrPowerCut) {
		return nil
	}
	return err
}

// crashKind says what a simulation is of.
type crashKind struct {
	dirs           int
	failing, leaks bool
}

func simulate(t *testing.T, seed uint64, k crashKind, wrap func(vfs.FS) vfs.FS) (*crashed, error) {
	c := &crashed{rng: rand.New(rand.NewPCG(seed, 78)), seed: seed << 16, wrap: wrap, dirs: k.dirs, failing: k.failing, leaks: k.leaks}
	c.power(newDisk(t))
	for generation := range 4 {
		if err := c.live(); err != nil {
			return c, fmt.Errorf("generation %d: %w", generation, err)
		}
		mode := []vfs.CrashMode{vfs.CrashDropAll, vfs.CrashRandom, vfs.CrashRandom, vfs.CrashKeepAll}[c.rng.IntN(4)]
		c.note("power cut, %v", mode)
		c.clean = false
		c.power(c.disk.Crash(c.rng.Uint64(), mode))
	}
	c.fs.CutAfter(-1)
	c.failing = false
	c.repair()
	if err := c.open(); err != nil {
		return c, fmt.Errorf("at last: %w", err)
	}
	c.b.close(t)
	return c, nil
}

func honest(fsys vfs.FS) vfs.FS { return fsys }

func TestCrash_NothingAcknowledgedIsEverLost(t *testing.T) { crash(t, 100, crashKind{dirs: 1}) }

func TestCrash_TwoDirs(t *testing.T) { crash(t, 40, crashKind{dirs: 2}) }

// TestCrash_OneDirFails: the disk of one directory breaks at any moment. What the other
// one has goes on, and with the disk whole again everything is there.
func TestCrash_OneDirFails(t *testing.T) { crash(t, 60, crashKind{dirs: 2, failing: true}) }

func crash(t *testing.T, usual uint64, k crashKind) {
	from, to := seeds(t, usual)
	for seed := from; seed < to; seed++ {
		if c, err := simulate(t, seed, k, honest); err != nil {
			for _, line := range c.trace[max(0, len(c.trace)-40):] {
				t.Log(line)
			}
			t.Fatalf("%v\nreproduce: SORDINI_CRASH_SEED=%d go test ./server/partition -run %s\n"+
				"(flushes run in goroutines: where the cut falls may differ from run to run)", err, seed, t.Name())
		}
	}
}

// lyingFS says that it syncs.
type lyingFS struct {
	vfs.FS
	files, dirs bool
	under       string // only in this directory; "" in all
}

type lyingFile struct{ vfs.File }

func (lyingFile) Sync() error     { return nil }
func (lyingFile) SyncData() error { return nil }

func (l lyingFS) Open(name string) (vfs.File, error) { return l.OpenFile(name, os.O_RDONLY) }

func (l lyingFS) OpenFile(name string, flag int) (vfs.File, error) {
	f, err := l.FS.OpenFile(name, flag)
	if err != nil || !l.files || !strings.HasPrefix(name, l.under) {
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
	type lie = lyingFS
	for name, c := range map[string]struct {
		crashKind
		lie
	}{
		"files are not synced":                         {crashKind{dirs: 1}, lie{files: true}},
		"directories are not synced":                   {crashKind{dirs: 1}, lie{dirs: true}},
		"files of the second directory are not synced": {crashKind{dirs: 2}, lie{files: true, under: secondDir + "/"}},
		"and its disk breaks":                          {crashKind{dirs: 2, failing: true}, lie{files: true, under: secondDir + "/"}},
		"a broken disk breaks the other one's logs":    {crashKind{dirs: 2, failing: true, leaks: true}, lie{}},
	} {
		caught := false
		for seed := uint64(0); seed < 100 && !caught; seed++ {
			_, err := simulate(t, seed, c.crashKind, func(f vfs.FS) vfs.FS {
				l := c.lie
				l.FS = f
				return l
			})
			caught = err != nil
		}
		if !caught {
			t.Errorf("%s: not caught in 100 seeds", name)
		}
	}
}
