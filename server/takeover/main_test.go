package takeover

import (
	"archive/tar"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"sordini/log"
	"sordini/log/checkpoint"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
	"sordini/server/config"
	"sordini/server/meta"
	"sordini/server/takeover/kraft"
)

const testData = "data"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// golden unpacks a log directory that Apache Kafka 4.3.0 wrote.
func golden(t testing.TB, name string) string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	must(t, err)
	defer f.Close()
	z, err := zstd.NewReader(f)
	must(t, err)
	defer z.Close()
	dir := t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		must(t, err)
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.FileInfo().IsDir() {
			must(t, os.MkdirAll(path, 0o755))
			continue
		}
		b, err := io.ReadAll(r)
		must(t, err)
		must(t, os.WriteFile(path, b, 0o644))
	}
}

// maker makes a log directory of Kafka's.
type maker struct {
	t   testing.TB
	fs  *vfs.Mem
	dir string
}

func newMaker(t testing.TB, dir string) *maker {
	t.Helper()
	m := &maker{t, vfs.NewMem(), dir}
	must(t, m.fs.MkdirAll(dir))
	m.file(meta.PropertiesFile, "cluster.id=MkU3OEVBNTcwNTJENDM2Qg\nnode.id=7\nversion=1\ndirectory.id=OWDc8rg1Sj6SN8wNQxmoIw\n")
	m.file(meta.CleanShutdownFile, `{"version":0,"brokerEpoch":12}`)
	return m
}

func (m *maker) file(name string, text string) {
	m.t.Helper()
	must(m.t, vfs.WriteSynced(m.fs, filepath.Join(m.dir, name), []byte(text)))
}

// id is a topic id with number n.
func id(n byte) meta.TopicID { return meta.TopicID{6: 0x40, 8: 0x80, 15: n} }

// partition makes the directory of a partition.
func (m *maker) partition(topic string, index int32, id meta.TopicID) {
	m.t.Helper()
	name := dirName(topic, index)
	must(m.t, m.fs.MkdirAll(filepath.Join(m.dir, name)))
	m.file(filepath.Join(name, identityFile), "version: 0\ntopic_id: "+id.String())
}

// segment writes batches, each with its base offset, to a segment.
func (m *maker) segment(topic string, index int32, base int64, batches ...[]byte) {
	m.t.Helper()
	var all []byte
	for _, b := range batches {
		all = append(all, b...)
	}
	m.file(filepath.Join(dirName(topic, index), segment.FileName(base, segment.LogSuffix)), string(all))
}

// change changes a byte of a segment.
func (m *maker) change(topic string, index int32, base, pos int64) {
	m.t.Helper()
	name := filepath.Join(m.dir, dirName(topic, index), segment.FileName(base, segment.LogSuffix))
	b, err := vfs.ReadFile(m.fs, name, 1<<20)
	must(m.t, err)
	b[pos] ^= 0x20
	must(m.t, vfs.WriteSynced(m.fs, name, b))
}

// metadata writes a metadata log with topics of one partition count each.
func (m *maker) metadata(topics ...plan) {
	m.t.Helper()
	var records [][]byte
	text := func(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))+1), s...) }
	for _, p := range topics {
		records = append(records, append(append(text([]byte{1, 2, 0}, p.name), p.id[:]...), 0))
		for i := range p.places {
			b := append(binary.BigEndian.AppendUint32([]byte{1, 3, 0}, uint32(i)), p.id[:]...)
			b = append(b, 2, 0, 0, 0, 7, 2, 0, 0, 0, 7, 1, 1) // one replica, in sync
			b = binary.BigEndian.AppendUint32(b, 7)
			b = binary.BigEndian.AppendUint32(b, uint32(p.epoch))
			records = append(records, append(b, 0, 0, 0, 0, 0))
		}
		for k, v := range p.configs {
			records = append(records, append(text(text(text([]byte{1, 4, 0, 2}, p.name), k), v), 0))
		}
	}
	must(m.t, m.fs.MkdirAll(filepath.Join(m.dir, kraft.Dir)))
	var all []byte
	for i, r := range records {
		all = append(all, data(int64(i), 0, string(r))...)
	}
	m.file(filepath.Join(kraft.Dir, segment.FileName(0, segment.LogSuffix)), string(all))
}

// data is a batch of records with these values.
func data(base int64, epoch int32, values ...string) []byte {
	var b batch.Builder
	for i, v := range values {
		b.Add(1000+base+int64(i), nil, []byte(v))
	}
	return stamped(&b, base, epoch)
}

func stamped(b *batch.Builder, base int64, epoch int32) []byte {
	encoded, err := b.Bytes()
	if err != nil {
		panic(err)
	}
	batch.StampOffset(encoded, base, epoch)
	return encoded
}

// options are those of an import of the maker's directory into the disk.
func (m *maker) options(disk vfs.FS) Options {
	return Options{
		FS: disk, Source: m.fs, Dirs: []string{m.dir}, DataDir: testData, Values: config.Defaults(), Groups: true,
		Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.UnixMilli(5000) },
		Random:     rand.NewChaCha8([32]byte{1}),
		LockSource: func(string) (io.Closer, error) { return nil, fs.ErrNotExist },
	}
}

// run imports and returns the report, in which the topics have these results.
func run1(t testing.TB, opt Options, want map[string]Result) *Report {
	t.Helper()
	r, err := Run(context.Background(), opt)
	must(t, err)
	for _, topic := range r.Topics {
		if topic.Result != want[topic.Name] {
			t.Errorf("topic %s: %s (%s), want %q", topic.Name, topic.Result, topic.Reason, want[topic.Name])
		}
	}
	if len(r.Topics) != len(want) {
		t.Errorf("%d topics, want %d", len(r.Topics), len(want))
	}
	return r
}

// topicOf is the report of one topic.
func topicOf(t testing.TB, r *Report, name string) *TopicReport {
	t.Helper()
	for _, topic := range r.Topics {
		if topic.Name == name {
			return topic
		}
	}
	t.Fatalf("no topic %s", name)
	return nil
}

// opened is what a server would find.
type opened struct {
	image *meta.Image
	clean bool
	logs  map[string][]string // values by partition, with their offsets
	spans map[string]log.Span // start and end
	lost  map[string]bool     // not all could be read
}

// open opens the data directory as a server does.
func open(t testing.TB, disk vfs.FS) opened {
	t.Helper()
	o, err := tryOpen(disk)
	must(t, err)
	return o
}

func tryOpen(disk vfs.FS) (o opened, err error) {
	o = opened{logs: map[string][]string{}, spans: map[string]log.Span{}, lost: map[string]bool{}}
	store, _, err := meta.Open(disk, filepath.Join(testData, metadataDir), meta.Options{})
	if err != nil {
		return o, err
	}
	defer store.Close()
	if _, err := store.Identify(testData, -1, rand.NewChaCha8([32]byte{2})); err != nil {
		return o, err
	}
	if o.image, o.clean, err = store.Start(testData); err != nil {
		return o, err
	}
	marks, err := checkpoint.Read(disk, testData)
	if err != nil {
		return o, err
	}
	for t := range o.image.Topics() {
		for i := range t.Partitions {
			e := marks.Partitions[checkpoint.Partition{Topic: t.Name, Index: i}]
			known := log.Known{Start: e.Start, Recovery: e.Recovery, Clean: o.clean && marks.Clean, End: e.End, Segment: e.Segment, Size: e.Size}
			if e.Topic != t.ID {
				return o, fmt.Errorf("the checkpoint of %s-%d is of another topic", t.Name, i)
			}
			if err := o.read(disk, dirName(t.Name, i), known); err != nil {
				return o, err
			}
		}
	}
	return o, nil
}

func (o *opened) read(disk vfs.FS, name string, known log.Known) error {
	l, r, err := log.Open(log.Options{
		FS: disk, Dir: filepath.Join(testData, name), Handles: segment.NewHandles(disk, 0), Now: time.Now,
		Logger: slog.New(slog.DiscardHandler), IndexInterval: 4096,
	}, known)
	if err != nil {
		return err
	}
	defer l.Close()
	if r.Clean != known.Clean && len(r.Damaged) == 0 { // a segment without a batch is scanned each time
		return fmt.Errorf("%s was scanned though its checkpoint says how it ends", name)
	}
	if r.Cut > 0 {
		return fmt.Errorf("%s: %d bytes cut", name, r.Cut)
	}
	st := l.State()
	o.spans[name], o.logs[name] = log.Span{From: st.Start, To: st.End.Offset}, nil
	for at := st.Start; at < st.End.Offset; {
		rg, err := l.Read(at, 1<<20, st.End, true)
		if err != nil {
			if o.lost[name] = true; at-st.Start > 10_000 {
				break // who wants to know them all
			}
			at++
			continue
		}
		b := make([]byte, rg.Len())
		_, err = rg.ReadAt(b, 0)
		rg.Release()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(b) == 0 {
			o.lost[name] = true
			break
		}
		if at, err = o.values(name, b, at); err != nil {
			return err
		}
	}
	return nil
}

// values takes in the records of batches, and returns the offset behind them.
func (o *opened) values(name string, b []byte, from int64) (next int64, err error) {
	for len(b) > 0 {
		var first []byte
		if first, b, err = batch.Split(b); err != nil {
			return 0, err
		}
		h, err := batch.ParseHeader(first)
		if err != nil {
			return 0, err
		}
		if err := batch.CheckCRC(first, h); err != nil {
			return 0, err
		}
		for r, err := range batch.Records(first, batch.Limits{}) {
			if err != nil {
				return 0, err
			}
			if r.Offset >= from && !h.IsControl() {
				o.logs[name] = append(o.logs[name], fmt.Sprintf("%d %s", r.Offset, r.Value))
			}
		}
		next = h.LastOffset() + 1
	}
	return next, nil
}
