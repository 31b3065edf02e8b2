package log

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sordini/index"
	"sordini/log/compact"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// The tests of queries run a log through everything that changes its segments, damage
// its key indexes, cut the power, and compare what a query answers with what reading
// the whole log finds.

type querier struct {
	t     *testing.T
	rng   *rand.Rand
	disk  *vfs.Mem
	fault *vfs.Faulty // above disk
	opt   Options
	harm  map[string]bool // files that damage was done to
	log   *Log
	epoch int32
	hash  func([]byte) uint64

	indexed, scanned int // queries that needed no scan, and that did
	falsePositives   int
}

func newQuerier(t *testing.T, seed uint64) *querier {
	q := &querier{t: t, rng: rand.New(rand.NewPCG(seed, 6)), disk: newDisk(t), harm: map[string]bool{}}
	if seed%2 == 0 {
		q.hash = weakHash
	}
	q.open(Known{})
	return q
}

// weakHash makes most keys collide.
func weakHash(key []byte) uint64 { return index.KeyHash(key) % 3 << 62 }

func (q *querier) open(k Known) {
	q.t.Helper()
	q.epoch++
	q.fault = vfs.NewFaulty(q.disk, nil)
	q.opt = compactOptions(q.fault)
	q.opt.LeaderEpoch = q.epoch
	q.opt.Config.SegmentBytes = 1000 + q.rng.Int64N(3000)
	q.opt.Config.IndexKeys, q.opt.Config.RetainBytes, q.opt.Config.Delete = true, 12_000, true
	q.opt.KeyHash = q.hash
	q.log = mustOpen(q.t, q.opt, k)
}

func (q *querier) must(err error) {
	q.t.Helper()
	if err != nil {
		q.t.Fatal(err)
	}
}

func (q *querier) key() []byte {
	switch n := q.rng.IntN(24); n {
	case 0:
		return nil
	case 1:
		return []byte{}
	default:
		return fmt.Appendf(nil, "key %d", n)
	}
}

func (q *querier) append() {
	a := q.batch()
	q.log.Append(a)
	q.must(a.Err)
}

// batch makes a batch of any codec.
func (q *querier) batch() *Append {
	b := batch.Builder{Codec: batch.Codec(q.rng.IntN(5))}
	for range 1 + q.rng.IntN(5) {
		value := bytes.Repeat([]byte{byte(q.rng.Uint32())}, q.rng.IntN(150))
		if q.rng.IntN(6) == 0 {
			value = nil
		}
		b.Add(1_600_000_000_000+q.rng.Int64N(10_000), q.key(), value)
	}
	a := NewAppend()
	var err error
	a.Batch, err = b.Bytes()
	q.must(err)
	a.Header, err = batch.ParseHeader(a.Batch)
	q.must(err)
	return a
}

// failAppend fails an append, of which a part may be in the file, and opens the log again.
func (q *querier) failAppend() {
	short := q.rng.Int64N(400)
	q.fault.SetRule(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpWrite && strings.HasSuffix(op.Path, segment.LogSuffix) {
			return vfs.Fault{Err: syscall.EIO, Short: short}
		}
		return vfs.Fault{}
	})
	a := q.batch()
	if q.log.Append(a); a.Err == nil {
		q.t.Fatal("the append does not fail")
	}
	q.fault.SetRule(nil)
	k := known(q.log, false)
	q.must(q.log.Abandon())
	q.open(k)
}

func (q *querier) step() {
	l := q.log
	st := l.State()
	switch n := q.rng.IntN(100); {
	case n < 60:
		q.append()
	case n < 70:
		_, err := flushed(l)
		q.must(err)
	case n < 80:
		_, err := l.IndexKeys(q.t.Context())
		q.must(err)
	case n < 84:
		_, err := l.Clean(q.t.Context(), CleanOptions{Stable: st.Flushed.Offset, Map: compact.NewMap(1<<16, 0.9)})
		q.must(err)
	case n < 87:
		_, _, err := l.Retain(st.Flushed.Offset)
		q.must(err)
		q.must(l.Purge())
	case n < 88:
		_, err := l.DeleteBefore(st.Start+q.rng.Int64N(st.Flushed.Offset-min(st.Start, st.Flushed.Offset)+1), st.End.Offset)
		q.must(err)
		q.must(l.Purge())
	case n < 90:
		q.must(l.TruncateTo(max(st.Start, st.End.Offset-q.rng.Int64N(12))))
	case n < 94:
		q.damage()
	case n < 95:
		q.failAppend()
	case n < 97:
		q.must(l.Close())
		q.open(known(l, true))
	default:
		k := known(l, false)
		q.must(l.Abandon())
		mode := []vfs.CrashMode{vfs.CrashDropAll, vfs.CrashRandom, vfs.CrashKeepAll}[q.rng.IntN(3)]
		q.disk = q.disk.Crash(q.rng.Uint64(), mode)
		q.open(k)
	}
}

// damage changes a file of a key index, and has it read anew.
func (q *querier) damage() {
	entries, err := q.disk.ReadDir(logDir)
	q.must(err)
	for _, e := range entries {
		path := filepath.Join(logDir, e.Name())
		if !strings.HasSuffix(path, segment.KeyIndexSuffix) && !strings.HasSuffix(path, segment.BloomSuffix) || q.rng.IntN(2) == 0 {
			continue
		}
		q.harm[e.Name()] = true
		f, err := q.disk.OpenFile(path, 2) // read and write
		q.must(err)
		size, err := f.Size()
		q.must(err)
		switch at := q.rng.Int64N(max(1, size)); min(size, 1) * q.rng.Int64N(3) {
		case 2:
			b := []byte{0}
			_, err := f.ReadAt(b, at)
			q.must(err)
			b[0] ^= 1 << q.rng.IntN(8)
			_, err = f.WriteAt(b, at)
			q.must(err)
		case 1:
			q.must(f.Truncate(at))
		case 0: // as a file that was cut to nothing
			q.must(q.disk.Remove(path))
		}
		q.must(f.Close())
	}
}

// all is every record below an offset, by reading the log.
func (q *querier) all(below int64) []batch.Record {
	entries, err := readAllBatches(q.log, 3000)
	q.must(err)
	var all []batch.Record
	for _, e := range entries {
		for r, err := range batch.Records(e.bytes, batch.Limits{}) {
			q.must(err)
			if r.Offset >= q.log.State().Start && r.Offset < below {
				r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
				all = append(all, r)
			}
		}
	}
	return all
}

func (q *querier) check() {
	q.t.Helper()
	st := q.log.State()
	bound := st.End
	if q.rng.IntN(2) == 0 {
		bound = st.Flushed
	}
	all := q.all(bound.Offset)
	for range 12 {
		ask := Query{Key: q.key(), Limit: 1 + q.rng.IntN(10), Newest: q.rng.IntN(2) == 0, MaxBytes: noLimit, MaxRead: noLimit}
		if q.rng.IntN(3) == 0 {
			ask.Offset = q.rng.Int64N(st.End.Offset + 1)
		}
		if q.rng.IntN(3) == 0 {
			ask.From = 1_600_000_000_000 + q.rng.Int64N(10_000)
			ask.To = ask.From + 1 + q.rng.Int64N(5000)
		}
		var want []batch.Record
		for _, r := range all {
			if ask.Key != nil && (r.Key == nil || !bytes.Equal(r.Key, ask.Key)) || r.Offset < ask.Offset ||
				ask.To > 0 && (r.Timestamp < ask.From || r.Timestamp >= ask.To) {
				continue
			}
			want = append(want, r)
		}
		if ask.Newest {
			slices.Reverse(want)
		}
		want = want[:min(len(want), ask.Limit)]
		got, err := q.log.Query(ask, bound)
		q.must(err)
		if g, w := describe(got.Records), describe(want); g != w {
			q.t.Fatalf("%+v of key %q below %d: %+v\n%s\nwant\n%s", ask, ask.Key, bound.Offset, got.KeyCounts, g, w)
		}
		if ask.Key != nil && got.Segments > 0 {
			q.falsePositives += got.FalsePositives
			if got.Scanned == 0 {
				q.indexed++
			} else {
				q.scanned++
			}
		}
	}
}

// keyFiles are the contents of the key indexes and bloom filters of all closed segments.
func (q *querier) keyFiles() map[string]string {
	_, err := flushed(q.log)
	q.must(err)
	_, err = q.log.IndexKeys(q.t.Context())
	q.must(err)
	files := map[string]string{}
	segments := q.log.view()
	for _, s := range segments[:len(segments)-1] {
		for _, suffix := range []string{segment.KeyIndexSuffix, segment.BloomSuffix} {
			name := segment.FileName(s.Base(), suffix)
			if q.harm[name] {
				continue
			}
			b, err := readAll(q.disk, q.log.path(name))
			q.must(err)
			files[name] = string(b)
		}
	}
	return files
}

// compareFiles compares the files of the key index with those that reading all of the log
// makes.
func (q *querier) compareFiles() {
	q.t.Helper()
	for range 20 {
		q.append()
	}
	files := q.keyFiles()
	q.must(q.log.Close())
	for name := range files {
		q.must(q.disk.Remove(q.log.path(name)))
	}
	q.open(known(q.log, true))
	for name, again := range q.keyFiles() {
		if want, ok := files[name]; ok && again != want {
			q.t.Errorf("%s of %d bytes is made by reading with %d bytes, or other ones", name, len(want), len(again))
		}
		delete(files, name)
	}
	if len(files) > 0 {
		q.t.Errorf("%d files are not made again", len(files))
	}
}

func describe(records []batch.Record) string {
	var b strings.Builder
	for _, r := range records {
		fmt.Fprintf(&b, "%d %d %q %t %q %t\n", r.Offset, r.Timestamp, r.Key, r.Key == nil, r.Value, r.Value == nil)
	}
	return b.String()
}

func TestQuery_AnswersWhatTheLogHolds(t *testing.T) {
	usual := uint64(40)
	if raceEnabled {
		usual = 6
	}
	from, to := seeds(t, usual)
	indexed, scanned, falsePositives := 0, 0, 0
	for seed := from; seed < to; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			q := newQuerier(t, seed)
			for i := range 200 {
				q.step()
				if i%10 == 0 {
					q.check()
				}
			}
			q.compareFiles()
			q.must(q.log.Close())
			indexed, scanned, falsePositives = indexed+q.indexed, scanned+q.scanned, falsePositives+q.falsePositives
		})
	}
	t.Logf("%d lookups by index, %d with scans, %d false positives", indexed, scanned, falsePositives)
	if to-from > 1 && (indexed == 0 || scanned == 0 || falsePositives == 0) {
		t.Error("one of the ways was never taken")
	}
}

// TestQuery_Damaged: a key that may be in a damaged batch is an error, and one that the
// index knows to be elsewhere is found.
func TestQuery_Damaged(t *testing.T) {
	q := newQuerier(t, 1)
	for q.log.Segments() < 4 {
		q.append()
	}
	_, err := flushed(q.log)
	q.must(err)
	name := q.log.view()[0].Path()
	rot := func() {
		f, err := q.disk.OpenFile(name, 2)
		q.must(err)
		b := []byte{0}
		_, err = f.ReadAt(b, 70)
		q.must(err)
		b[0] ^= 1
		_, err = f.WriteAt(b, 70)
		q.must(err)
		q.must(f.Close())
	}
	ask := Query{Key: []byte("nobody has it"), Limit: 1, MaxBytes: noLimit, MaxRead: noLimit}
	reopen := func() {
		k := known(q.log, false)
		q.must(q.log.Abandon())
		q.open(k)
	}
	reopen() // what was known of keys is not any more
	rot()
	_, err = q.log.IndexKeys(t.Context())
	q.must(err)
	var corrupt *segment.CorruptError
	if _, err := q.log.Query(ask, q.log.State().End); !errors.As(err, &corrupt) {
		t.Errorf("with damage and without an index: %v", err)
	}
	rot() // is right again
	reopen()
	_, err = q.log.IndexKeys(t.Context())
	q.must(err)
	rot()
	a, err := q.log.Query(ask, q.log.State().End)
	if err != nil || a.Scanned > 0 || len(a.Records) > 0 {
		t.Errorf("with damage that the index knows not to matter: %+v, %v", a, err)
	}
}

func TestQuery_Bounds(t *testing.T) {
	q := newQuerier(t, 3)
	for q.log.Segments() < 5 {
		q.append()
	}
	end := q.log.State().End
	for _, ask := range []Query{
		{Limit: 3, MaxBytes: noLimit, MaxRead: noLimit},
		{Limit: noLimit, MaxBytes: 200, MaxRead: noLimit},
		{Limit: noLimit, MaxBytes: noLimit, MaxRead: 300},
		{Key: []byte("key 7"), Limit: 1, MaxBytes: noLimit, MaxRead: noLimit},
		{Key: []byte("key 7"), Limit: noLimit, MaxBytes: noLimit, MaxRead: 1},
	} {
		whole := ask
		whole.Limit, whole.MaxBytes, whole.MaxRead = noLimit, noLimit, noLimit
		want, err := q.log.Query(whole, end)
		q.must(err)
		var got []batch.Record
		for n := 0; ; n++ {
			a, err := q.log.Query(ask, end)
			q.must(err)
			got = append(got, a.Records...)
			if !a.More {
				break
			}
			if a.Next <= ask.Offset || n > 10_000 {
				t.Fatalf("%+v goes on at %d", ask, a.Next)
			}
			ask.Offset = a.Next
		}
		if describe(got) != describe(want.Records) {
			t.Errorf("%+v: %d records piece by piece, want %d", ask, len(got), len(want.Records))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.log.IndexKeys(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
