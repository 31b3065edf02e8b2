package partition

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// The rot tests make a data directory, change one thing in one of its files, start
// a broker on it and read all records as a consumer does, with the checksum of each
// batch. Every record must be the one that was acknowledged there, or reading it
// must be an error.
//
// SORDINI_ROT_FULL=1 tries every bit of every file; otherwise it is a sample.

// stride is how far apart the tried positions are.
func stride(usual int) int {
	if os.Getenv("SORDINI_ROT_FULL") != "" {
		return 1
	}
	return usual
}

// rotRecord is what a consumer learns of a record.
type rotRecord struct {
	epoch     int32
	timestamp int64
	producer  int64
	sequence  int32
	key       string
	value     string
}

// ending is how the broker that made a library came to its end.
type ending int

const (
	closed ending = iota // in order
	killed               // with records behind the last checkpoint
	cut                  // the power: what came last is in the journal only
	early                // the same, before the full segments were completed
)

// library is a data directory and the records that were acknowledged in it.
type library struct {
	end   ending
	disk  *vfs.Mem
	acked map[int32][]rotRecord // by partition and offset
	last  *log.Append           // of producer 7, in partition 0
}

// rotConfig makes three segments in partition 0.
var rotConfig = log.Config{SegmentBytes: 8 << 10, IndexBytes: 1 << 20, Retention: -1, RetainBytes: -1, Delete: true, IndexKeys: true}

// rotJournal is small: a file of it is written over, and is soon looked at whole.
const rotJournal = "flush.journal.bytes=32768"

// newLibrary fills a data directory: several segments with key indexes, producers and
// epochs.
func newLibrary(t *testing.T, end ending) *library {
	t.Helper()
	lib := &library{end: end, acked: map[int32][]rotRecord{}}
	disk := newDisk(t)
	b := mustOpen(t, disk, rotJournal)
	b.create(t, "t", 2, map[string]string{"index.interval.bytes": "500", "index.key": "true"})
	lib.write(t, b, 70)
	b.abandon()
	var rule vfs.Rule
	release := func() {}
	if end == early {
		rule, release = indexesHeld()
		defer release()
	}
	b = mustOpen(t, vfs.NewFaulty(disk, rule), rotJournal)
	lib.write(t, b, 90)
	if err := b.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	lib.write(t, b, 90)
	if end == early {
		lib.disk = disk.Crash(0, vfs.CrashDropAll)
		release()
		b.abandon()
		return lib
	}
	for _, p := range b.Topic("t") {
		until(t, "sealed", func() bool { return !p.log.Rolled() })
		if _, err := p.log.IndexKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mode := vfs.CrashKeepAll
	switch end {
	case closed:
		b.close(t)
	case cut:
		mode = vfs.CrashDropAll
		fallthrough
	case killed:
		b.abandon()
	}
	lib.disk = disk.Crash(0, mode)
	return lib
}

// rotKey is the key of the record at an offset.
func rotKey(offset int) string { return fmt.Sprintf("key %d", offset%20) }

func (lib *library) write(t *testing.T, b *broker, n int) {
	t.Helper()
	for _, p := range b.Topic("t") {
		p.log.Configure(rotConfig)
	}
	for i := range n {
		p := b.Topic("t")[0]
		if i%10 == 9 {
			p = b.Topic("t")[1]
		}
		offset := len(lib.acked[p.Index])
		build := batch.Builder{}
		if i%3 == 0 && p.Index == 0 {
			build.Producer = &batch.Producer{ID: 7, Sequence: lib.nextSequence()}
		}
		for j := range 1 + i%2 {
			build.Add(1_600_000_000_000+int64(offset+j), []byte(rotKey(offset+j)), fmt.Appendf(nil, "record %d", offset+j))
		}
		a := log.NewAppend()
		var err error
		if a.Batch, err = build.Bytes(); err == nil {
			a.Header, err = batch.ParseHeader(a.Batch)
		}
		if err == nil {
			err = write(p, a)
		}
		if err != nil {
			t.Fatal(err)
		}
		if build.Producer != nil {
			lib.last = a
		}
		records, err := decode(a.Batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, offset := range slices.Sorted(maps.Keys(records)) {
			if offset != int64(len(lib.acked[p.Index])) {
				t.Fatalf("record at %d, want %d", offset, len(lib.acked[p.Index]))
			}
			lib.acked[p.Index] = append(lib.acked[p.Index], records[offset])
		}
	}
}

func (lib *library) nextSequence() int32 {
	if lib.last == nil {
		return 0
	}
	return lib.last.Header.LastSequence() + 1
}

// decode checks a batch and returns its records by offset.
func decode(b []byte) (map[int64]rotRecord, error) {
	h, err := batch.ParseHeader(b)
	if err == nil {
		err = batch.CheckCRC(b, h)
	}
	if err != nil {
		return nil, err
	}
	records := map[int64]rotRecord{}
	for r, err := range batch.Records(b, batch.Limits{}) {
		if err != nil {
			return nil, err
		}
		sequence := h.BaseSequence
		if sequence >= 0 {
			sequence += int32(r.Offset - h.BaseOffset)
		}
		records[r.Offset] = rotRecord{h.LeaderEpoch, r.Timestamp, h.ProducerID, sequence, string(r.Key), string(r.Value)}
	}
	return records, nil
}

// files lists all files of the directory, by path.
func (lib *library) files(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := lib.disk.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if e.IsDir() {
				walk(path)
				continue
			}
			files[path] = readDiskFile(t, lib.disk, path)
		}
	}
	walk(dataDir)
	return files
}

func readDiskFile(t testing.TB, fsys vfs.FS, path string) []byte {
	t.Helper()
	f, err := fsys.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		t.Fatal(err)
	}
	return b
}

// kind is a file's name without numbers.
func kind(path string) string {
	name := filepath.Base(path)
	if ext := filepath.Ext(name); len(name) == 20+len(ext) {
		name = "*" + ext
	}
	if filepath.Base(filepath.Dir(path)) == "metadata" {
		return "metadata/" + name
	}
	return name
}

// outcome is what became of one change.
type outcome struct {
	refused bool // the broker did not start, with an error
	unread  int  // records that were answered with an error
	foreign int  // damaged records in other segments than that of the changed file
	wrong   string
}

// after starts a broker on a changed copy and compares all that it serves.
func (lib *library) after(t *testing.T, path string, change func(fsys *vfs.Mem) error) outcome {
	disk := lib.disk.Crash(0, vfs.CrashKeepAll)
	if err := change(disk); err != nil {
		t.Fatal(err)
	}
	b, err := open(disk, 99, rotJournal)
	if err != nil {
		return outcome{refused: true}
	}
	defer b.abandon()
	var o outcome
	for index, want := range lib.acked {
		p := b.Get("t", index)
		if p == nil {
			o.wrong = fmt.Sprintf("partition %d is gone", index)
			return o
		}
		lib.compare(p, want, path, &o)
	}
	if o.wrong == "" && o.unread == 0 {
		o.wrong = cmp.Or(lib.byTime(b), lib.byKey(b), lib.again(b.Get("t", 0)))
	}
	return o
}

// byTime looks some records up by their timestamps, which rise with the offsets.
func (lib *library) byTime(b *broker) string {
	for index, records := range lib.acked {
		p := b.Get("t", index)
		for offset := 0; offset < len(records); offset += 40 {
			f, ok, err := p.log.FindTimestamp(records[offset].timestamp, p.log.State().End)
			if err != nil || !ok || f.Offset != int64(offset) {
				return fmt.Sprintf("partition %d: time of offset %d is found at %d, %v, %v", index, offset, f.Offset, ok, err)
			}
		}
	}
	return ""
}

// byKey finds all records of some keys.
func (lib *library) byKey(b *broker) string {
	for index, records := range lib.acked {
		for k := range 3 {
			key := rotKey(7 * k)
			a, _, err := b.Get("t", index).Query(log.Query{Key: []byte(key), Limit: len(records), MaxBytes: 1 << 20, MaxRead: 1 << 20})
			if err != nil {
				return fmt.Sprintf("partition %d: %s: %v", index, key, err)
			}
			var found []int
			for _, r := range a.Records {
				found = append(found, int(r.Offset))
			}
			var want []int
			for offset, r := range records {
				if r.key == key {
					want = append(want, offset)
				}
			}
			if slices.Sort(found); !slices.Equal(found, want) {
				return fmt.Sprintf("partition %d: %s is found at %v, want %v", index, key, found, want)
			}
		}
	}
	return ""
}

// again sends the last batch of the producer once more: it must be a duplicate.
func (lib *library) again(p *Partition) string {
	a := log.NewAppend()
	a.Batch, a.Header = bytes.Clone(lib.last.Batch), lib.last.Header
	p.Append(a)
	if a.Err == nil && (!a.Duplicate || a.Base != lib.last.Base) {
		return fmt.Sprintf("a batch sent twice is stored twice, at %d and %d", lib.last.Base, a.Base)
	}
	return ""
}

// compare reads a partition as a consumer does that skips what it can't read.
func (lib *library) compare(p *Partition, want []rotRecord, path string, o *outcome) {
	bad := func(offset int64) {
		o.unread++
		if !lib.sameSegment(p, offset, path) {
			o.foreign++
		}
	}
	bounds, err := p.Offsets()
	if err != nil {
		o.unread += len(want) // offline: each read is an error
		return
	}
	if missing := len(want) - int(bounds.High.Offset); missing > 0 && (inJournal(path) || lib.torn(path)) {
		o.unread += missing // the only copy is damaged, which is told when it is replayed or cut
		want = want[:bounds.High.Offset]
	} else if missing > 0 {
		o.wrong = fmt.Sprintf("partition %d ends at %d, acknowledged %d", p.Index, bounds.High.Offset, len(want))
		return
	}
	for offset := int64(0); offset < int64(len(want)); {
		got, err := fetch(p, offset)
		if err != nil || len(got) == 0 {
			if err == nil {
				o.wrong = fmt.Sprintf("partition %d: nothing at %d", p.Index, offset)
				return
			}
			bad(offset)
			offset++
			continue
		}
		for _, at := range slices.Sorted(maps.Keys(got)) {
			if at < offset {
				continue // of the batch that holds the offset
			}
			if at != offset || at < int64(len(want)) && got[at] != want[at] {
				o.wrong = fmt.Sprintf("partition %d: at %d, %d: %+v", p.Index, offset, at, got[at])
				return
			}
			offset++
		}
	}
}

// inJournal says whether a file is the journal's.
func inJournal(path string) bool { return filepath.Base(filepath.Dir(path)) == journalDir }

// sameSegment says whether the changed file belongs to the segment of an offset.
func (lib *library) sameSegment(p *Partition, offset int64, path string) bool {
	if filepath.Base(filepath.Dir(path)) != log.DirName(p.Topic, p.Index) {
		return false
	}
	base, ok := segment.ParseFileName(filepath.Base(path), filepath.Ext(path))
	next := int64(1 << 62)
	entries, _ := lib.disk.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		if b, ok := segment.ParseFileName(e.Name(), segment.LogSuffix); ok && b > base {
			next = min(next, b)
		}
	}
	return ok && base <= offset && offset < next
}

// fetch returns the records of the good batches at the start of a fetch. The error
// is the broker's, or that of the first batch.
func fetch(p *Partition, offset int64) (map[int64]rotRecord, error) {
	r, _, err := p.Read(offset, 1<<20, true)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	b := make([]byte, r.Len())
	if n, err := r.ReadAt(b, 0); n < len(b) {
		return nil, cmp.Or(err, errors.New("short read"))
	}
	all := map[int64]rotRecord{}
	for len(b) > 0 {
		first, rest, err := batch.Split(b)
		var records map[int64]rotRecord
		if err == nil {
			records, err = decode(first)
		}
		if err != nil {
			if len(all) > 0 {
				err = nil // met again by the next fetch
			}
			return all, err
		}
		maps.Copy(all, records)
		b = rest
	}
	return all, nil
}

// tally sums up the outcomes for a kind of file.
type tally struct{ tried, harmless, detected, refused, wrong int }

// rotRun tries changes, two at a time, and sums up by kind of file.
type rotRun struct {
	t    *testing.T
	lib  *library
	mu   sync.Mutex
	sums map[string]*tally
	work sync.WaitGroup
	slot chan struct{}
}

func newRotRun(t *testing.T, lib *library) *rotRun {
	return &rotRun{t: t, lib: lib, sums: map[string]*tally{}, slot: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

func (r *rotRun) try(path, what string, oneFlip bool, change func(*vfs.Mem) error) {
	r.slot <- struct{}{}
	r.work.Go(func() {
		defer func() { <-r.slot }()
		r.add(path, what, oneFlip, r.lib.after(r.t, path, change))
	})
}

func (r *rotRun) add(path, what string, oneFlip bool, o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sums[kind(path)]
	if s == nil {
		s = &tally{}
		r.sums[kind(path)] = s
	}
	s.tried++
	isLog := strings.HasSuffix(path, segment.LogSuffix)
	isMeta := strings.Contains(path, "metadata/") || strings.HasSuffix(path, "meta.properties")
	switch {
	case o.wrong != "":
	case o.refused && !isMeta:
		o.wrong = "the broker does not start"
	case oneFlip && o.unread > 0 && !isLog && !inJournal(path):
		o.wrong = fmt.Sprintf("%d records cannot be read, which are in another file", o.unread)
	case oneFlip && o.foreign > 0 && !inJournal(path):
		o.wrong = fmt.Sprintf("%d records of other segments cannot be read", o.foreign)
	}
	switch {
	case o.wrong != "":
		s.wrong++
		if s.wrong <= 5 {
			r.t.Errorf("%s: %s: %s", path, what, o.wrong)
		}
	case o.refused:
		s.refused++
	case o.unread > 0:
		s.detected++
	default:
		s.harmless++
	}
}

func (r *rotRun) finish(what string) {
	r.work.Wait()
	total := 0
	for _, k := range slices.Sorted(maps.Keys(r.sums)) {
		s := r.sums[k]
		total += s.tried
		r.t.Logf("%-10s %-36s %7d tried: %7d harmless, %6d detected, %5d refused to start, %d wrong",
			what, k, s.tried, s.harmless, s.detected, s.refused, s.wrong)
	}
	r.t.Logf("%-10s %d in all", what, total)
}

// ends runs f for a directory after each of the ends.
func ends(t *testing.T, f func(t *testing.T, lib *library)) {
	for name, end := range map[string]ending{"closed": closed, "killed": killed, "cut": cut, "early": early} {
		t.Run(name, func(t *testing.T) { f(t, newLibrary(t, end)) })
	}
}

// torn says whether damage in a file looks like what a power cut makes of it: how far
// the log was synced stood in a file that was never synced itself. It is cut there, and
// kept aside.
func (lib *library) torn(path string) bool {
	return lib.end >= cut && strings.HasSuffix(path, segment.LogSuffix)
}

// used is a file without most of the zeros that were laid out ahead.
func used(content []byte) []byte {
	return content[:min(len(content), len(bytes.TrimRight(content, "\x00"))+512)]
}

func overwrite(path string, pos int64, b []byte) func(*vfs.Mem) error {
	return func(fsys *vfs.Mem) error {
		f, err := fsys.OpenFile(path, os.O_RDWR)
		if err != nil {
			return err
		}
		_, err = f.WriteAt(b, pos)
		return cmp.Or(err, f.Close())
	}
}

func TestRot_NothingChanged(t *testing.T) {
	ends(t, func(t *testing.T, lib *library) {
		if o := lib.after(t, "", func(*vfs.Mem) error { return nil }); o != (outcome{}) {
			t.Errorf("%+v", o)
		}
	})
}

// TestRot_Control proves that the tests can fail: a record is changed together with
// the checksum of its batch, where no other file tells, and is gone from the journal.
func TestRot_Control(t *testing.T) {
	lib := newLibrary(t, killed)
	var path string
	for name := range lib.files(t) {
		if strings.Contains(name, "t-0") && strings.HasSuffix(name, segment.LogSuffix) {
			path = max(path, name)
		}
	}
	content := readDiskFile(t, lib.disk, path)
	first, _, err := batch.Split(content)
	if err != nil {
		t.Fatal(err)
	}
	forged := bytes.Clone(first)
	forged[len(forged)-2] ^= 1 // the last byte of the last value
	const crcAt = 17
	binary.BigEndian.PutUint32(forged[crcAt:], crc32.Checksum(forged[crcAt+4:], castagnoli))
	o := lib.after(t, path, func(fsys *vfs.Mem) error {
		for name := range lib.files(t) {
			if inJournal(name) {
				if err := fsys.Remove(name); err != nil {
					return err
				}
			}
		}
		return overwrite(path, 0, forged)(fsys)
	})
	if o.wrong == "" {
		t.Errorf("a forged record is not noticed: %+v", o)
	}
}

// TestRot_EveryBit flips single bits of all files.
func TestRot_EveryBit(t *testing.T) {
	ends(t, func(t *testing.T, lib *library) {
		r := newRotRun(t, lib)
		for path, content := range lib.files(t) {
			content = used(content)
			tries := 8
			if strings.HasSuffix(path, segment.LogSuffix) {
				tries = 40
			}
			for bit := 0; bit < 8*len(content); bit += stride(max(1, 8*len(content)/tries) | 1) {
				flipped := content[bit/8] ^ 1<<(bit%8)
				r.try(path, fmt.Sprintf("bit %d of byte %d flipped", bit%8, bit/8), true, overwrite(path, int64(bit/8), []byte{flipped}))
			}
		}
		r.finish("flips")
	})
}

// TestRot_Cut cuts all files at single bytes.
func TestRot_Cut(t *testing.T) {
	ends(t, func(t *testing.T, lib *library) {
		r := newRotRun(t, lib)
		for path, content := range lib.files(t) {
			if content = used(content); lib.torn(path) {
				continue
			}
			for size := 0; size < len(content); size += stride(max(1, len(content)/4)) {
				r.try(path, fmt.Sprintf("cut to %d of %d bytes", size, len(content)), false, func(fsys *vfs.Mem) error {
					f, err := fsys.OpenFile(path, os.O_RDWR)
					if err != nil {
						return err
					}
					return cmp.Or(f.Truncate(int64(size)), f.Close())
				})
			}
		}
		r.finish("cuts")
	})
}

// TestRot_ZeroedOrDeleted zeroes each block of 512 bytes, and deletes each file.
func TestRot_ZeroedOrDeleted(t *testing.T) {
	ends(t, func(t *testing.T, lib *library) {
		zeroed, deleted := newRotRun(t, lib), newRotRun(t, lib)
		for path, content := range lib.files(t) {
			for pos := 0; pos < len(content) && !lib.torn(path); pos += 512 * stride(8) {
				b := make([]byte, min(512, len(content)-pos))
				zeroed.try(path, fmt.Sprintf("zeros from %d to %d", pos, pos+len(b)), false, overwrite(path, int64(pos), b))
			}
			deleted.try(path, "deleted", false, func(fsys *vfs.Mem) error { return fsys.Remove(path) })
		}
		zeroed.finish("zeroed")
		deleted.finish("deleted")
	})
}
