package log

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sordini/log/compact"
	"sordini/log/producer"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// keyed is a record as the model of compaction knows it.
type keyed struct {
	offset    int64
	timestamp int64
	key       string
	value     string
	tombstone bool
}

// cleanModel is everything that was ever appended.
type cleanModel struct {
	records   []keyed
	headers   []batch.Header
	sequences map[int64]int32
	truncated bool // the batches alone may not tell of every producer any more
}

func newCleanModel() *cleanModel { return &cleanModel{sequences: map[int64]int32{}} }

// batch builds a batch of some keys, in any codec, of a producer or not.
func (m *cleanModel) batch(rng *rand.Rand, keys int) (*Append, []keyed) {
	b := batch.Builder{Codec: batch.Codec(rng.IntN(5))}
	if raceEnabled && b.Codec != batch.CodecNone {
		b.Codec = batch.CodecSnappy // under the race detector the others take most of the time
	}
	n := 1 + rng.IntN(5)
	if rng.IntN(3) == 0 {
		id := int64(rng.IntN(6))
		b.Producer = &batch.Producer{ID: id, Sequence: m.sequences[id]}
	}
	if rng.IntN(8) == 0 {
		b.AppendTime = 1_600_000_000_000 + rng.Int64N(10_000)
	}
	var records []keyed
	for range n {
		r := keyed{key: fmt.Sprintf("key-%d", rng.IntN(keys)), timestamp: 1_600_000_000_000 + rng.Int64N(10_000)}
		var value []byte
		if r.tombstone = rng.IntN(6) == 0; !r.tombstone {
			value = []byte(strings.Repeat(string(rune('a'+rng.IntN(26))), rng.IntN(120)))
			r.value = string(value)
		}
		b.Add(r.timestamp, []byte(r.key), value, batch.RecordHeader{Key: "h", Value: []byte(r.key)})
		if b.AppendTime != 0 {
			r.timestamp = b.AppendTime
		}
		records = append(records, r)
	}
	a := NewAppend()
	var err error
	if a.Batch, err = b.Bytes(); err == nil {
		a.Header, err = batch.ParseHeader(a.Batch)
	}
	if err != nil {
		panic(err)
	}
	return a, records
}

// appended notes what was appended.
func (m *cleanModel) appended(a *Append, records []keyed) {
	for i := range records {
		records[i].offset = a.Base + int64(i)
	}
	m.records = append(m.records, records...)
	m.headers = append(m.headers, a.Header)
	if h := a.Header; h.HasProducer() {
		m.sequences[h.ProducerID] = h.LastSequence() + 1
	}
}

func (m *cleanModel) append(t testing.TB, l *Log, rng *rand.Rand, batches, keys int) {
	t.Helper()
	for range batches {
		a, records := m.batch(rng, keys)
		if l.Append(a); a.Err != nil {
			t.Fatal(a.Err)
		}
		m.appended(a, records)
	}
}

// cut forgets what lies behind the end of the log.
func (m *cleanModel) cut(end int64) {
	m.records = slices.DeleteFunc(m.records, func(r keyed) bool { return r.offset >= end })
	m.headers = slices.DeleteFunc(m.headers, func(h batch.Header) bool { return h.LastOffset() >= end })
	m.sequences = map[int64]int32{}
	for _, h := range m.headers {
		if h.HasProducer() {
			m.sequences[h.ProducerID] = h.LastSequence() + 1
		}
	}
}

// logRecords reads all records of a log, and checks the batches on the way.
func logRecords(l *Log) (records []keyed, entries []entry, err error) {
	entries, err = readAllBatches(l, 2000)
	if err != nil {
		return nil, nil, err
	}
	start := l.State().Start
	for _, e := range entries {
		largest, n := int64(-1), int32(0)
		for r, err := range batch.Records(e.bytes, batch.Limits{}) {
			if err != nil {
				return nil, nil, err
			}
			largest = max(largest, r.Timestamp)
			n++
			if r.Offset < start {
				continue
			}
			for h := range r.Headers() {
				if string(h.Value) != string(r.Key) {
					return nil, nil, fmt.Errorf("record %d of key %s has header %s", r.Offset, r.Key, h.Value)
				}
			}
			records = append(records, keyed{r.Offset, r.Timestamp, string(r.Key), string(r.Value), r.Value == nil})
		}
		if n > 0 && largest != e.header.MaxTimestamp {
			return nil, nil, fmt.Errorf("batch at %d: max timestamp %d, its records have %d", e.header.BaseOffset, e.header.MaxTimestamp, largest)
		}
	}
	return records, entries, nil
}

// check compares the log with all that was appended: what is there was appended so,
// and the last record of each key is there. From cleaned on all records are,
// before it none but the last, if compaction came so far.
func (m *cleanModel) check(l *Log, cleaned int64) error {
	got, entries, err := logRecords(l)
	if err != nil {
		return err
	}
	start := l.State().Start
	all := make(map[int64]keyed, len(m.records))
	last := make(map[string]keyed)
	for _, r := range m.records {
		all[r.offset] = r
		last[r.key] = r
	}
	there := make(map[int64]bool, len(got))
	lastBelow := make(map[string]int64)
	for _, r := range got {
		if all[r.offset] != r {
			return fmt.Errorf("record %+v, appended was %+v", r, all[r.offset])
		}
		there[r.offset] = true
		if before, twice := lastBelow[r.key]; twice && r.offset < cleaned {
			return fmt.Errorf("key %s is at %d and at %d, both below %d", r.key, before, r.offset, cleaned)
		}
		lastBelow[r.key] = r.offset
	}
	for _, r := range m.records {
		switch {
		case r.offset < start || there[r.offset]:
		case r.offset >= max(cleaned, l.sparseBelow()):
			return fmt.Errorf("record %d is missing, compaction came to %d", r.offset, l.sparseBelow())
		case last[r.key].offset == r.offset && !r.tombstone:
			return fmt.Errorf("the last record of key %s, at %d, is missing", r.key, r.offset)
		}
	}
	if err := checkSeeks(l, entries); err != nil {
		return err
	}
	if err := checkByTime(l, got); err != nil {
		return err
	}
	return m.checkProducers(l, entries)
}

// checkByTime looks records up by their times.
func checkByTime(l *Log, records []keyed) error {
	end := l.State().End
	for target := int64(1_600_000_000_000); target < 1_600_000_010_500; target += 1500 {
		want := slices.IndexFunc(records, func(r keyed) bool { return r.timestamp >= target })
		f, found, err := l.FindTimestamp(target, end)
		if err != nil || found != (want >= 0) || found && (f.Offset != records[want].offset || f.Timestamp != records[want].timestamp) {
			return fmt.Errorf("first record from time %d: %+v %v %w, want record %d of the log", target, f, found, err, want)
		}
	}
	largest := keyed{timestamp: -1}
	for _, r := range records {
		if r.timestamp > largest.timestamp {
			largest = r
		}
	}
	f, found, err := l.FindMaxTimestamp(end)
	if err != nil || found != (len(records) > 0) || found && (f.Offset != largest.offset || f.Timestamp != largest.timestamp) {
		return fmt.Errorf("largest time: %+v %v %w, want %+v", f, found, err, largest)
	}
	return nil
}

// checkSeeks reads from the ends of every batch and of the gap before it.
func checkSeeks(l *Log, entries []entry) error {
	st := l.State()
	next := st.Start
	for _, e := range entries {
		for _, offset := range []int64{next, max(next, e.header.BaseOffset), e.header.LastOffset()} {
			r, err := l.Read(offset, 1, st.End, true)
			if err != nil {
				return fmt.Errorf("read %d: %w", offset, err)
			}
			first := r.First
			r.Release()
			if first != e.header.BaseOffset {
				return fmt.Errorf("read %d begins with the batch at %d, want %d", offset, first, e.header.BaseOffset)
			}
		}
		next = e.header.LastOffset() + 1
	}
	if next != st.End.Offset {
		return fmt.Errorf("batches end at %d, the log at %d", next, st.End.Offset)
	}
	return nil
}

// checkProducers compares the producers that the log remembers with those that
// were appended, and with what the batches alone would tell.
func (m *cleanModel) checkProducers(l *Log, entries []entry) error {
	replayed := producer.NewState()
	for _, e := range entries {
		replayed.Update(&e.header)
	}
	if l.State().Start > 0 || m.truncated {
		replayed = l.producers // deleted batches tell nothing
	}
	for id, next := range m.sequences {
		for name, state := range map[string]*producer.State{"the log": l.producers, "a scan of it": replayed} {
			e := state.Get(id)
			if e == nil {
				return fmt.Errorf("%s knows no producer %d", name, id)
			}
			b := e.Batches()
			if got := b[len(b)-1].LastSequence + 1; got != next {
				return fmt.Errorf("%s has producer %d at sequence %d, want %d", name, id, got, next)
			}
		}
	}
	return nil
}

func compactOptions(fsys vfs.FS) Options {
	opt := options(fsys)
	opt.Config.Delete, opt.Config.Compact = false, true
	return opt
}

func cleanOptions(l *Log) CleanOptions {
	return CleanOptions{Stable: l.State().Flushed.Offset, Map: compact.NewMap(1<<20, 0.9)}
}

func mustClean(t testing.TB, l *Log) CleanReport {
	t.Helper()
	if _, err := flushed(l); err != nil {
		t.Fatal(err)
	}
	r, err := l.Clean(t.Context(), cleanOptions(l))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestClean_Model(t *testing.T) {
	for seed := range uint64(25) {
		rng := rand.New(rand.NewPCG(seed, 11))
		disk := newDisk(t)
		opt := compactOptions(disk)
		opt.Config.DeleteRetention = time.Hour
		l := mustOpen(t, opt, Known{})
		m := newCleanModel()
		for round := range 6 {
			m.append(t, l, rng, 20+rng.IntN(60), 5+rng.IntN(60))
			if rng.IntN(4) > 0 {
				mustClean(t, l)
			}
			k := known(l, true)
			k.Cleaned = l.Cleaned()
			if err := m.check(l, k.Cleaned); err != nil {
				t.Fatalf("seed %d round %d: %v", seed, round, err)
			}
			switch rng.IntN(4) {
			case 0:
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				k = known(l, true)
			case 1:
				if _, err := flushed(l); err != nil {
					t.Fatal(err)
				}
				k = known(l, false)
				if err := l.Abandon(); err != nil {
					t.Fatal(err)
				}
				if rng.IntN(2) == 0 {
					k = Known{} // all is scanned
				}
			default:
				continue
			}
			k.Cleaned = l.Cleaned()
			var report Report
			var err error
			epochs := l.Epochs()
			opt.LeaderEpoch++
			if l, report, err = Open(opt, k); err != nil || len(report.Damaged) > 0 || report.Cut > 0 {
				t.Fatalf("seed %d round %d: open %+v: %+v %v", seed, round, k, report, err)
			}
			if got := l.Epochs(); fmt.Sprint(got) != fmt.Sprint(epochs) {
				t.Fatalf("seed %d: epochs %v, want %v", seed, got, epochs)
			}
			if err := m.check(l, min(k.Cleaned, l.Cleaned())); err != nil {
				t.Fatalf("seed %d round %d: opened: %v", seed, round, err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
}

// put appends one record, a tombstone if value is empty, and flushes.
func put(t testing.TB, l *Log, timestamp time.Time, key, value string) int64 {
	t.Helper()
	var b batch.Builder
	var v []byte
	if value != "" {
		v = []byte(value)
	}
	b.Add(timestamp.UnixMilli(), []byte(key), v)
	a := NewAppend()
	var err error
	if a.Batch, err = b.Bytes(); err == nil {
		a.Header, err = batch.ParseHeader(a.Batch)
	}
	if err != nil {
		t.Fatal(err)
	}
	if l.Append(a); a.Err != nil {
		t.Fatal(a.Err)
	}
	if _, err := flushed(l); err != nil {
		t.Fatal(err)
	}
	return a.Base
}

// roll begins a new segment.
func roll(t testing.TB, l *Log) {
	t.Helper()
	l.appendMu.Lock()
	err := l.roll()
	l.appendMu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flushed(l); err != nil {
		t.Fatal(err)
	}
}

// offsets lists the offsets of the records that a log holds.
func offsets(t testing.TB, l *Log) []int64 {
	t.Helper()
	records, _, err := logRecords(l)
	if err != nil {
		t.Fatal(err)
	}
	var all []int64
	for _, r := range records {
		all = append(all, r.offset)
	}
	return all
}

// TestClean_Tombstones: a tombstone stays for delete.retention.ms after the first
// compaction that keeps it, and then goes with the next.
func TestClean_Tombstones(t *testing.T) {
	c := &clock{now: time.UnixMilli(1_700_000_000_000)}
	opt := compactOptions(newDisk(t))
	opt.Now = c.time
	opt.Config.DeleteRetention = time.Hour
	l := mustOpen(t, opt, Known{})
	put(t, l, c.now, "a", "1")
	gone := put(t, l, c.now, "a", "")
	stays := put(t, l, c.now, "b", "2")
	clean := func(want ...int64) {
		t.Helper()
		want = append(want, put(t, l, c.now, "other", "x")) // something to compact
		roll(t, l)
		mustClean(t, l)
		if got := offsets(t, l); !slices.Equal(got, want) {
			t.Fatalf("offsets %v, want %v", got, want)
		}
	}
	clean(gone, stays)
	_, entries, _ := logRecords(l)
	horizon, ok := entries[0].header.DeleteHorizon()
	if want := c.now.Add(time.Hour).UnixMilli(); !ok || horizon != want {
		t.Errorf("delete horizon %d %v, want %d", horizon, ok, want)
	}
	c.pass(time.Hour - time.Second)
	clean(gone, stays)
	c.pass(2 * time.Second)
	clean(stays)
	found, ok, err := l.FindTimestamp(0, l.State().End)
	if err != nil || !ok || found.Offset != stays {
		t.Errorf("first record by time: %+v %v %v, want %d", found, ok, err, stays)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestClean_Lag: what is younger than min.compaction.lag.ms stays, and what is
// older than max.compaction.lag.ms is due, also in the active segment.
func TestClean_Lag(t *testing.T) {
	c := &clock{now: time.UnixMilli(1_700_000_000_000)}
	opt := compactOptions(newDisk(t))
	opt.Now = c.time
	opt.Config.MinLag, opt.Config.MaxLag = time.Hour, 3*time.Hour
	l := mustOpen(t, opt, Known{})
	for range 2 {
		put(t, l, c.time(), "a", "1")
		put(t, l, c.time(), "a", "2")
		roll(t, l)
		c.pass(40 * time.Minute)
	}
	mustClean(t, l)
	if got := offsets(t, l); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("offsets %v: only the first segment is old enough", got)
	}
	if s, err := l.Cleanable(noLimit); err != nil || s.Overdue != 0 || s.DirtyBytes != 0 {
		t.Errorf("%+v %v: nothing can be done yet", s, err)
	}
	put(t, l, c.time(), "a", "3")
	c.pass(2*time.Hour + 30*time.Minute)
	s, err := l.Cleanable(noLimit)
	if want := 10 * time.Minute; err != nil || s.Overdue != want || s.DirtyBytes == 0 {
		t.Errorf("%+v %v, want %v overdue", s, err, want)
	}
	if rolled, err := l.RollOverdue(); err != nil || rolled || l.Segments() != 3 {
		t.Errorf("%d segments, %v: the active one is not overdue yet", l.Segments(), err)
	}
	c.pass(40 * time.Minute)
	if rolled, err := l.RollOverdue(); err != nil || !rolled || l.Segments() != 4 {
		t.Errorf("%d segments, %v: the active one is overdue", l.Segments(), err)
	}
	mustClean(t, l)
	if got := offsets(t, l); !slices.Equal(got, []int64{4}) {
		t.Errorf("offsets %v, want 4", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestClean_SmallMap: with a map for few keys it takes several compactions.
func TestClean_SmallMap(t *testing.T) {
	l := mustOpen(t, compactOptions(newDisk(t)), Known{})
	m := newCleanModel()
	m.append(t, l, rand.New(rand.NewPCG(1, 1)), 1500, 3000)
	if _, err := flushed(l); err != nil {
		t.Fatal(err)
	}
	before := int64(-1)
	runs := 0
	for ; l.Cleaned() > before; runs++ {
		before = l.Cleaned()
		r, err := l.Clean(t.Context(), CleanOptions{Stable: noLimit, Map: compact.NewMap(1<<15, 0.5)})
		if err != nil || r.MapMemory > 1<<16 {
			t.Fatalf("%+v %v", r, err)
		}
		if err := m.check(l, 0); err != nil { // keys of later parts are still there twice
			t.Fatal(err)
		}
	}
	if s, err := l.Cleanable(noLimit); runs < 3 || err != nil || s.DirtyBytes != 0 {
		t.Errorf("%d runs, then %+v %v", runs, s, err)
	}
	if err := m.check(l, l.Cleaned()); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestClean_PolicyChanges: a log that was compacted keeps its gaps under delete,
// and one that was not has records without keys, which compaction drops.
func TestClean_PolicyChanges(t *testing.T) {
	opt := options(newDisk(t))
	l := mustOpen(t, opt, Known{})
	var b batch.Builder
	if l.Append(built(&b, 3, []byte("v"), 1000)); l.State().End.Offset != 3 {
		t.Fatal("not appended")
	}
	rng := rand.New(rand.NewPCG(3, 3))
	m := newCleanModel()
	m.append(t, l, rng, 100, 10)
	config := opt.Config
	config.Delete, config.Compact = false, true
	l.Configure(config)
	if r := mustClean(t, l); r.Keyless != 3 {
		t.Errorf("%d records without keys were dropped, want 3", r.Keyless)
	}
	l.Configure(opt.Config)
	if err := m.check(l, l.Cleaned()); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, report, err := Open(opt, Known{}) // all is scanned, under delete
	if err != nil || len(report.Damaged) > 0 || report.Cut > 0 {
		t.Fatalf("%+v %v", report, err)
	}
	if err := m.check(l, 0); err != nil {
		t.Error(err)
	}
	if err := l.TruncateTo(m.records[20].offset); err != nil {
		t.Fatal(err)
	}
	m.cut(l.State().End.Offset)
	m.append(t, l, rng, 100, 10)
	if err := m.check(l, 0); err != nil {
		t.Error(err)
	}
	mustClean(t, l)
	if err := m.check(l, l.Cleaned()); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestClean_UnderLoad compacts while appends, reads, lookups by time, flushes and
// retention run.
func TestClean_UnderLoad(t *testing.T) {
	opt := compactOptions(newDisk(t))
	opt.Config.Delete, opt.Config.RetainBytes = true, 60_000
	opt.Config.SegmentBytes = 5000
	l := mustOpen(t, opt, Known{})
	done := make(chan struct{})
	var load sync.WaitGroup
	along := func(f func() error) {
		load.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range uint64(3) {
		rng := rand.New(rand.NewPCG(i, 9))
		along(func() error {
			st := l.State()
			offset := st.Start + rng.Int64N(st.End.Offset-st.Start+1)
			r, err := l.Read(offset, 3000, st.End, true)
			if errors.Is(err, ErrOffsetOutOfRange) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("read %d: %w", offset, err)
			}
			defer r.Release()
			return checkRange(&r, offset)
		})
	}
	along(func() error {
		_, _, err := l.FindTimestamp(1_600_000_005_000, l.State().End)
		if err == nil {
			_, _, err = l.FindMaxTimestamp(l.State().End)
		}
		return err
	})
	along(func() error {
		if _, _, err := l.Retain(l.State().Flushed.Offset); err != nil {
			return err
		}
		return l.Purge()
	})
	var cleans atomic.Int64
	along(func() error {
		if _, err := flushed(l); err != nil {
			return err
		}
		_, err := l.Clean(t.Context(), cleanOptions(l))
		if errors.Is(err, ErrReplaced) {
			return nil
		}
		cleans.Add(1)
		return err
	})
	m := newCleanModel()
	rng := rand.New(rand.NewPCG(7, 7))
	m.append(t, l, rng, 2500, 300)
	for cleans.Load() < 2 && !t.Failed() {
		m.append(t, l, rng, 10, 300)
	}
	close(done)
	load.Wait()
	mustClean(t, l)
	if err := m.check(l, l.Cleaned()); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// checkRange looks for wrong bytes in what a consumer would be sent.
func checkRange(r *segment.Range, offset int64) error {
	b := make([]byte, r.Len())
	if len(b) == 0 {
		return nil
	}
	if _, err := r.ReadAt(b, 0); err != nil {
		return err
	}
	for first := true; len(b) > 0; first = false {
		one, rest, err := batch.Split(b)
		if err != nil {
			return fmt.Errorf("read %d: %w", offset, err)
		}
		h, err := batch.ParseHeader(one)
		if err == nil {
			err = batch.CheckCRC(one, h)
		}
		if err == nil && first && h.LastOffset() < offset {
			err = fmt.Errorf("the first batch ends at %d", h.LastOffset())
		}
		if err != nil {
			return fmt.Errorf("read %d: %w", offset, err)
		}
		b = rest
	}
	return nil
}

// TestClean_ReaderOfReplacedSegment: a range taken before goes on in the old file.
func TestClean_ReaderOfReplacedSegment(t *testing.T) {
	l := mustOpen(t, compactOptions(newDisk(t)), Known{})
	m := newCleanModel()
	m.append(t, l, rand.New(rand.NewPCG(5, 5)), 50, 3)
	st := l.State()
	r, err := l.Read(0, 2000, st.End, true)
	if err != nil {
		t.Fatal(err)
	}
	before := make([]byte, r.Len())
	if _, err := r.ReadAt(before, 0); err != nil {
		t.Fatal(err)
	}
	mustClean(t, l)
	after := make([]byte, r.Len())
	if _, err := r.ReadAt(after, 0); err != nil || !slices.Equal(before, after) {
		t.Errorf("other bytes after the compaction, %v", err)
	}
	r.Release()
	// A bound noted before, inside a file that is another now.
	for _, s := range []int64{0, st.End.Segment} {
		bound := Position{Offset: st.End.Offset, Segment: s, Pos: 100}
		if r, err = l.Read(0, 1<<20, bound, true); err != nil {
			t.Fatal(err)
		}
		if err := checkRange(&r, 0); err != nil {
			t.Error(err)
		}
		r.Release()
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestClean_StopsAtOnce: Close does not wait for a compaction to end.
func TestClean_StopsAtOnce(t *testing.T) {
	l := mustOpen(t, compactOptions(newDisk(t)), Known{})
	m := newCleanModel()
	m.append(t, l, rand.New(rand.NewPCG(5, 5)), 200, 30)
	if _, err := flushed(l); err != nil {
		t.Fatal(err)
	}
	var throttle compact.Throttle
	throttle.Set(1) // a byte per second
	result := make(chan error)
	go func() {
		o := cleanOptions(l)
		o.Throttle = &throttle
		_, err := l.Clean(context.Background(), o)
		result <- err
	}()
	for running := false; !running; {
		l.mu.Lock()
		running = l.halt != nil
		l.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("the compaction ended with %v", err)
	}
}
