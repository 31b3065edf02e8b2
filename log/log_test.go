package log

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"sordini/log/producer"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// TestAppend_ManyProducersAtOnce appends from eight idempotent producers, which
// send duplicates, gaps and stale epochs between, while readers read and segments
// roll and are deleted.
func TestAppend_ManyProducersAtOnce(t *testing.T) {
	opt := options(newDisk(t))
	opt.Config.SegmentBytes = 20_000
	l := mustOpen(t, opt, Known{})
	var stop, producers sync.WaitGroup
	done := make(chan struct{})
	stop.Go(func() { readAlong(t, l, done) })
	stop.Go(func() { flushAlong(t, l, done) })
	for id := range int64(8) {
		producers.Go(func() { produce(t, l, id, 200) })
	}
	producers.Wait()
	close(done)
	stop.Wait()
	all, err := readAllBatches(l, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	next, sequences := int64(0), map[int64]int32{}
	for _, e := range all {
		if e.header.BaseOffset != next {
			t.Fatalf("batch at %d, want %d", e.header.BaseOffset, next)
		}
		next = e.header.LastOffset() + 1
		if e.header.HasProducer() && e.header.ProducerEpoch == 1 {
			if e.header.BaseSequence != sequences[e.header.ProducerID] {
				t.Fatalf("producer %d: sequence %d, want %d", e.header.ProducerID, e.header.BaseSequence, sequences[e.header.ProducerID])
			}
			sequences[e.header.ProducerID] = e.header.LastSequence() + 1
		}
	}
	if next != l.State().End.Offset || len(all) != 8*200+8 {
		t.Errorf("%d batches up to %d, the log ends at %d", len(all), next, l.State().End.Offset)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// produce sends n batches of a producer, and what must be refused.
func produce(t *testing.T, l *Log, id int64, n int) {
	rng := rand.New(rand.NewPCG(uint64(id), 1))
	p := batch.Producer{ID: id}
	b := batch.Builder{Producer: &p}
	send := func(sequence int32, records int) *Append {
		p.Sequence = sequence
		a := built(&b, records, []byte("value"), 1000)
		l.Append(a)
		return a
	}
	if a := send(5, 1); a.Err != nil {
		t.Errorf("an unknown producer may begin anywhere: %v", a.Err)
	}
	p.Epoch = 1
	if a := send(3, 1); !errors.Is(a.Err, producer.ErrOutOfOrder) {
		t.Errorf("a new epoch begins with sequence 3: %v", a.Err)
	}
	sequence, last := int32(0), int64(-1)
	for range n {
		records := 1 + rng.IntN(3)
		a := send(sequence, records)
		if a.Err != nil || a.Duplicate || a.Base <= last || a.Next != a.Base+int64(records) {
			t.Errorf("producer %d: %+v after %d", id, a, last)
			return
		}
		last = a.Base
		switch rng.IntN(4) {
		case 0:
			if again := send(sequence, records); again.Err != nil || !again.Duplicate || again.Base != a.Base || again.Next != a.Next {
				t.Errorf("duplicate of %d: %+v", a.Base, again)
			}
		case 1:
			if gap := send(sequence+int32(records)+1, 1); !errors.Is(gap.Err, producer.ErrOutOfOrder) || gap.Base != -1 {
				t.Errorf("gap: %+v", gap)
			}
		case 2:
			p.Epoch = 0
			if old := send(sequence+int32(records), 1); !errors.Is(old.Err, producer.ErrEpoch) {
				t.Errorf("old epoch: %+v", old)
			}
			p.Epoch = 1
		}
		sequence += int32(records)
	}
}

func readAlong(t *testing.T, l *Log, done chan struct{}) {
	for {
		select {
		case <-done:
			return
		default:
		}
		if _, err := readAllBatches(l, 5000); err != nil {
			t.Errorf("reader: %v", err)
			return
		}
	}
}

func flushAlong(t *testing.T, l *Log, done chan struct{}) {
	last := int64(0)
	for {
		select {
		case <-done:
			return
		default:
		}
		pos, err := l.Flush()
		if err != nil || pos.Offset < last {
			t.Errorf("flushed %d after %d: %v", pos.Offset, last, err)
			return
		}
		last = pos.Offset
	}
}

// TestRetention_UnderReaders deletes from the front while readers read.
func TestRetention_UnderReaders(t *testing.T) {
	opt := options(newDisk(t))
	opt.Config.RetainBytes = 6000
	l := mustOpen(t, opt, Known{})
	done := make(chan struct{})
	var readers sync.WaitGroup
	for i := range 3 {
		readers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 2))
			for {
				select {
				case <-done:
					return
				default:
				}
				st := l.State()
				offset := st.Start + rng.Int64N(st.End.Offset-st.Start+1)
				r, err := l.Read(offset, 3000, st.End, true)
				if err != nil && !errors.Is(err, ErrOffsetOutOfRange) {
					t.Errorf("read %d: %v", offset, err)
					return
				}
				r.Release()
				if _, _, err := l.FindTimestamp(rng.Int64N(1_600_000_010_000), st.End); err != nil {
					t.Errorf("find: %v", err)
					return
				}
				if _, _, err := l.FindMaxTimestamp(st.End); err != nil {
					t.Errorf("find max: %v", err)
					return
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(4, 4))
	for i := range 600 {
		a := randomBatch(rng, map[int64]int32{})
		a.Header.ProducerID = -1
		if l.Append(a); a.Err != nil {
			t.Fatal(a.Err)
		}
		if i%20 == 0 {
			if _, _, err := l.Retain(l.State().End.Offset); err != nil {
				t.Fatal(err)
			}
			if err := l.Purge(); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(done)
	readers.Wait()
	if st := l.State(); st.Start == 0 || l.Size() > 20_000 {
		t.Errorf("start %d, %d bytes: retention did nothing", st.Start, l.Size())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// record is a record as the model of time lookups knows it.
type record struct{ offset, timestamp int64 }

func TestFindTimestamp_IsExact(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 5))
		disk := newDisk(t)
		opt := options(disk)
		l := mustOpen(t, opt, Known{})
		var model []record
		var bounds []Position
		for range 20 + rng.IntN(150) {
			b := batch.Builder{Codec: batch.Codec(rng.IntN(5))}
			next := l.State().End.Offset
			for i := range 1 + rng.IntN(6) {
				ts := 1000 + next*10 + rng.Int64N(400) - 200
				b.Add(ts, nil, make([]byte, rng.IntN(100)))
				model = append(model, record{next + int64(i), ts})
			}
			a := NewAppend()
			a.Batch, _ = b.Bytes()
			a.Header, _ = batch.ParseHeader(a.Batch)
			if l.Append(a); a.Err != nil {
				t.Fatal(a.Err)
			}
			bounds = append(bounds, l.State().End)
		}
		checkTimes(t, l, rng, model, bounds)
		start := rng.Int64N(l.State().End.Offset)
		if _, err := l.DeleteBefore(start, noLimit-1); err != nil && !errors.Is(err, ErrOffsetOutOfRange) {
			t.Fatal(err)
		}
		checkTimes(t, l, rng, model, bounds)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = mustOpen(t, opt, known(l, true))
		checkTimes(t, l, rng, model, bounds)
		if err := l.Abandon(); err != nil {
			t.Fatal(err)
		}
	}
}

func checkTimes(t *testing.T, l *Log, rng *rand.Rand, model []record, bounds []Position) {
	t.Helper()
	start := l.State().Start
	for range 60 {
		bound := bounds[rng.IntN(len(bounds))]
		target := 700 + rng.Int64N(model[len(model)-1].timestamp)
		var want, largest *record
		for i := range model {
			r := &model[i]
			if r.offset < start || r.offset >= bound.Offset {
				continue
			}
			if want == nil && r.timestamp >= target {
				want = r
			}
			if largest == nil || r.timestamp > largest.timestamp {
				largest = r
			}
		}
		for name, c := range map[string]struct {
			want *record
			find func() (Found, bool, error)
		}{
			"find": {want, func() (Found, bool, error) { return l.FindTimestamp(target, bound) }},
			"max":  {largest, func() (Found, bool, error) { return l.FindMaxTimestamp(bound) }},
		} {
			got, found, err := c.find()
			if err != nil || found != (c.want != nil) || found && (got.Offset != c.want.offset || got.Timestamp != c.want.timestamp || got.Epoch != 1) {
				t.Fatalf("%s %d in [%d, %d): %+v %v %v, want %+v", name, target, start, bound.Offset, got, found, err, c.want)
			}
		}
	}
}

// TestOpen_DerivedFilesMayBeGone removes or damages the files that are not .log
// files; the state must be the same.
func TestOpen_DerivedFilesMayBeGone(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 6))
		disk := newDisk(t)
		opt := options(disk)
		var history []entry
		sequences := map[int64]int32{}
		l := mustOpen(t, opt, Known{})
		for range 3 {
			for range 40 {
				a := randomBatch(rng, sequences)
				if l.Append(a); a.Err != nil {
					t.Fatal(a.Err)
				}
				history = append(history, entry{a.Header, a.Batch})
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			opt.LeaderEpoch++
			k := known(l, rng.IntN(2) == 0)
			if rng.IntN(3) == 0 {
				k = Known{}
			}
			spoil(t, disk, rng)
			l = mustOpen(t, opt, k)
			if err := check(l, history); err != nil {
				t.Fatalf("seed %d, %+v: %v", seed, k, err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// spoil damages derived files at random.
func spoil(t *testing.T, disk *vfs.Mem, rng *rand.Rand) {
	t.Helper()
	entries, err := disk.ReadDir(logDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := logDir + "/" + e.Name()
		_, isLog := segment.ParseFileName(e.Name(), segment.LogSuffix)
		_, isTime := segment.ParseFileName(e.Name(), segment.TimeIndexSuffix)
		if isLog {
			continue
		}
		if _, ok := segment.ParseFileName(e.Name(), kafkaSnapshot); ok {
			if err := disk.Remove(name); err != nil { // it knows less, and would be taken
				t.Fatal(err)
			}
			continue
		}
		switch rng.IntN(6) {
		case 0:
			if err := disk.Remove(name); err != nil {
				t.Fatal(err)
			}
		case 1:
			if isTime || e.Name() == epochFile {
				continue // they have no checksum
			}
			if info, err := e.Info(); err != nil || info.Size() == 0 {
				continue
			} else if f, err := disk.OpenFile(name, 2); err == nil {
				at := rng.Int64N(info.Size())
				var b [1]byte
				f.ReadAt(b[:], at)
				b[0] ^= 1 << rng.IntN(8)
				f.WriteAt(b[:], at)
				f.Close()
			}
		}
	}
}

// TestFailure_TakesTheLogOffline lets the n-th write, sync or creation fail, for
// every n, and looks at what follows.
func TestFailure_TakesTheLogOffline(t *testing.T) {
	step := 1
	if raceEnabled {
		step = 9 // one goroutine: nothing for the race detector
	}
	for _, kind := range []vfs.OpKind{vfs.OpWrite, vfs.OpSyncData, vfs.OpSyncDir, vfs.OpCreate, vfs.OpRename} {
		for _, fault := range []vfs.Fault{{Err: syscall.EIO}, {Err: syscall.EIO, Done: true}, {Err: syscall.ENOSPC, Short: 37}} {
			for n := 1; ; n += step {
				if !failOnce(t, kind, fault, n) {
					break
				}
			}
		}
	}
}

// failOnce runs a workload whose n-th operation of a kind fails once, and says
// whether there was such an operation.
func failOnce(t *testing.T, kind vfs.OpKind, fault vfs.Fault, n int) bool {
	t.Helper()
	disk := newDisk(t)
	faulty := vfs.NewFaulty(disk, nil)
	opt := options(faulty)
	opt.Config.SegmentBytes = 1500
	l := mustOpen(t, opt, Known{})
	count, hit, syncsAfter := 0, "", 0
	faulty.SetRule(func(op vfs.Op) vfs.Fault {
		if hit != "" && (op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncData) && op.Path == hit {
			syncsAfter++
		}
		if op.Kind == kind {
			if count++; count == n {
				hit = op.Path
				return fault
			}
		}
		return vfs.Fault{}
	})
	rng := rand.New(rand.NewPCG(3, 9))
	sequences := map[int64]int32{}
	var history []entry
	durable, failed := int64(0), error(nil)
	for i := 0; i < 60 && failed == nil; i++ {
		a := randomBatch(rng, sequences)
		l.Append(a)
		if a.Base >= 0 {
			history = append(history, entry{a.Header, a.Batch})
		}
		if failed = a.Err; failed == nil && i%4 == 3 {
			var pos Position
			if pos, failed = l.Flush(); failed == nil {
				durable = pos.Offset
				failed = l.Seal()
			}
		}
	}
	if hit == "" {
		if err := l.Close(); err != nil && hit == "" {
			t.Fatalf("%v %d: %v", kind, n, err)
		}
		return false
	}
	what := fmt.Sprintf("%v %d of %s, %+v", kind, n, hit, fault)
	if failed == nil && hit != logDir+"/"+epochFile && hit != logDir+"/"+epochFile+segment.TempSuffix {
		t.Fatalf("%s: nothing failed", what)
	}
	if failed != nil {
		checkOffline(t, l, what, failed)
		if syncsAfter > 0 {
			t.Fatalf("%s: %d syncs of the file came after", what, syncsAfter)
		}
	}
	if err := l.Abandon(); err != nil {
		t.Fatal(err)
	}
	faulty.SetRule(nil)
	reopenAfterFailure(t, disk, opt, what, durable, history)
	return true
}

func checkOffline(t *testing.T, l *Log, what string, failed error) {
	t.Helper()
	if !isOffline(failed) {
		t.Fatalf("%s: %v is no OfflineError", what, failed)
	}
	a := built(&batch.Builder{}, 1, nil, 5)
	l.Append(a)
	_, flushErr := l.Flush()
	_, readErr := l.Read(0, 1, l.State().End, true)
	_, _, findErr := l.FindTimestamp(0, l.State().End)
	_, _, retainErr := l.Retain(0)
	_, deleteErr := l.DeleteBefore(0, 0)
	for name, err := range map[string]error{
		"append": a.Err, "flush": flushErr, "read": readErr, "find": findErr, "retain": retainErr, "delete": deleteErr,
		"truncate": l.TruncateTo(0), "state": l.State().Failure, "close": l.Close(),
	} {
		if !isOffline(err) {
			t.Fatalf("%s: then %s: %v", what, name, err)
		}
	}
}

// reopenAfterFailure opens the log in the same boot, when the page cache still
// shows what never came to the disk, then cuts the power: what was served must
// still be there.
func reopenAfterFailure(t *testing.T, disk *vfs.Mem, opt Options, what string, flushed int64, history []entry) {
	t.Helper()
	opt.LeaderEpoch++
	l, report, err := Open(opt, Known{Recovery: flushed})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	end := l.State().End.Offset
	for len(history) > 0 && endOf(history) > end {
		history = history[:len(history)-1]
	}
	if err := check(l, history); err != nil || end < flushed || end != endOf(history) || len(report.Damaged) > 0 {
		t.Fatalf("%s: reopened up to %d of %d: %+v %v", what, end, flushed, report, err)
	}
	if err := l.Abandon(); err != nil {
		t.Fatal(err)
	}
	after := disk.Crash(1, vfs.CrashDropAll)
	opt.FS, opt.Handles = after, segment.NewHandles(after, 2)
	l, report, err = Open(opt, Known{Recovery: end})
	if err != nil || len(report.Damaged) > 0 {
		t.Fatalf("%s: after a power cut: %+v %v", what, report, err)
	}
	if err := check(l, history); err != nil {
		t.Fatalf("%s: after a power cut: %v", what, err)
	}
	if err := l.Abandon(); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_LostSegmentTailIsAnErrorAndNoSilence(t *testing.T) {
	disk := newDisk(t)
	opt := options(disk)
	l := mustOpen(t, opt, Known{})
	rng := rand.New(rand.NewPCG(3, 9))
	for range 60 {
		if a := randomBatch(rng, map[int64]int32{}); a.Header.ProducerID < 0 {
			l.Append(a)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	k := known(l, false)
	first := l.view()[0]
	f, err := disk.OpenFile(first.Path(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(first.Size() / 2); err != nil {
		t.Fatal(err)
	}
	f.Close()
	l = mustOpen(t, opt, k)
	last := l.view()[1].Base() - 1
	var corrupt *segment.CorruptError
	if _, err := l.Read(last, 1000, l.State().End, true); !errors.As(err, &corrupt) {
		t.Errorf("read %d in the lost tail: %v", last, err)
	}
	if r, err := l.Read(last+1, 1000, l.State().End, true); err != nil || r.First != last+1 {
		t.Errorf("read behind it: %v", err)
	} else {
		r.Release()
	}
	if err := l.Abandon(); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_StaleIndexDoesNotShortenTime(t *testing.T) {
	for _, clean := range []bool{true, false} {
		checkStaleIndex(t, clean)
	}
}

func checkStaleIndex(t *testing.T, clean bool) {
	t.Helper()
	disk := newDisk(t)
	opt := options(disk)
	l := mustOpen(t, opt, Known{})
	add := func(ts int64) {
		t.Helper()
		if a := built(&batch.Builder{}, 1, make([]byte, 400), ts); true {
			if l.Append(a); a.Err != nil {
				t.Fatal(a.Err)
			}
		}
	}
	add(1000)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, opt, known(l, clean))
	add(9000)
	if _, err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	for l.Segments() == 1 {
		add(9001) // until it rolls; the index of what was before is not written
	}
	k := known(l, false)
	k.Recovery = l.view()[len(l.view())-1].Base()
	if err := l.Abandon(); err != nil {
		t.Fatal(err)
	}
	after := disk.Crash(1, vfs.CrashKeepAll)
	opt.FS, opt.Handles = after, segment.NewHandles(after, 2)
	l = mustOpen(t, opt, k)
	if f, ok, err := l.FindTimestamp(5000, l.State().End); err != nil || !ok || f.Offset != 1 {
		t.Errorf("clean %v: first at or after 5000: %+v %v %v, want offset 1", clean, f, ok, err)
	}
	if err := l.Abandon(); err != nil {
		t.Fatal(err)
	}
}

func TestRoll_ByAgeWithAbsurdTimestamps(t *testing.T) {
	opt := options(newDisk(t))
	opt.Config.SegmentAge = time.Hour
	l := mustOpen(t, opt, Known{})
	for i, ts := range []int64{0, 1000, noLimit - 5, 5, 3_600_001} {
		if a := built(&batch.Builder{}, 1, nil, ts); true {
			if l.Append(a); a.Err != nil {
				t.Fatal(a.Err)
			}
		}
		if want := []int{1, 1, 2, 2, 2}[i]; l.Segments() != want {
			t.Errorf("after timestamp %d: %d segments, want %d", ts, l.Segments(), want)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAppend_DoesNotAllocate(t *testing.T) {
	dir := t.TempDir()
	opt := options(vfs.OS())
	opt.Dir, opt.Config.SegmentBytes, opt.IndexInterval = dir, 1<<30, 1<<30
	l := mustOpen(t, opt, Known{})
	b := batch.Builder{Producer: &batch.Producer{ID: 7}}
	a := built(&b, 1, bytes.Repeat([]byte("x"), 1000), 1000)
	sequence := int32(0)
	if got := testing.AllocsPerRun(300, func() {
		a.Header.BaseSequence = sequence
		sequence++
		if l.Append(a); a.Err != nil || a.Duplicate {
			t.Fatal(a)
		}
	}); got != 0 {
		t.Errorf("%v allocations an append", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOfflineLog_AnswersEverythingWithItsCause(t *testing.T) {
	cause := errors.New("disk is not mounted")
	l := Offline(options(newDisk(t)), cause)
	checkOffline(t, l, "offline from the start", l.State().Failure)
	if !errors.Is(l.State().Failure, cause) {
		t.Errorf("%v", l.State().Failure)
	}
	if l.Size() != 0 || l.Segments() != 0 || l.Purge() != nil || l.ExpireProducers(1) != 0 || l.EpochAt(0) != -1 {
		t.Error("an empty log has something")
	}
}

func TestOpen_KafkasSnapshotKnowsTheLastBatch(t *testing.T) {
	disk := newDisk(t)
	opt := options(disk)
	l := mustOpen(t, opt, Known{})
	p := batch.Producer{ID: 9}
	b := batch.Builder{Producer: &p}
	var last *Append
	for p.Sequence = range int32(8) {
		last = built(&b, 1, nil, 5)
		if l.Append(last); last.Err != nil {
			t.Fatal(last.Err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := disk.Remove(l.path(segment.FileName(8, producersSuffix))); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, opt, known(l, true))
	again := built(&b, 1, nil, 5)
	if l.Append(again); again.Err != nil || !again.Duplicate || again.Base != last.Base {
		t.Errorf("a retry of the last batch: %+v", again)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDelete_KeepsTheProducersOfDeletedBatches raises the log start past a segment
// that no flush has completed.
func TestDelete_KeepsTheProducersOfDeletedBatches(t *testing.T) {
	for _, purged := range []bool{true, false} {
		disk := newDisk(t)
		opt := options(disk)
		l := mustOpen(t, opt, Known{})
		p := batch.Producer{ID: 4}
		b := batch.Builder{Producer: &p}
		var history []entry
		add := func() {
			t.Helper()
			a := built(&b, 1, nil, 5)
			if l.Append(a); a.Err != nil {
				t.Fatal(a.Err)
			}
			history = append(history, entry{a.Header, a.Batch})
			p.Sequence++
		}
		for range 5 {
			add()
		}
		if !purged {
			if _, err := l.DeleteBefore(5, 5); err != nil {
				t.Fatal(err)
			}
		}
		roll := opt.Config
		roll.SegmentBytes = 1
		l.Configure(roll)
		p.ID, p.Sequence = 5, 0
		add()
		if purged {
			if _, err := l.DeleteBefore(5, 6); err != nil {
				t.Fatal(err)
			}
			if err := l.Purge(); err != nil {
				t.Fatal(err)
			}
		}
		k := known(l, false)
		if err := l.Abandon(); err != nil {
			t.Fatal(err)
		}
		opt.LeaderEpoch++
		l = mustOpen(t, opt, k)
		if err := check(l, history); err != nil || l.Segments() != 1 {
			t.Errorf("purged %v: %d segments, %v", purged, l.Segments(), err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
