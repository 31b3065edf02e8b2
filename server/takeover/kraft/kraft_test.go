package kraft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// enc writes the fields of records in Kafka's flexible encoding.
type enc struct{ b []byte }

func newRecord(kind, version uint64) *enc {
	e := &enc{}
	return e.varint(frameVersion).varint(kind).varint(version)
}

func (e *enc) varint(n uint64) *enc { e.b = binary.AppendUvarint(e.b, n); return e }
func (e *enc) int8(n int8) *enc     { e.b = append(e.b, byte(n)); return e }
func (e *enc) int32(n int32) *enc   { e.b = binary.BigEndian.AppendUint32(e.b, uint32(n)); return e }
func (e *enc) int64(n int64) *enc   { e.b = binary.BigEndian.AppendUint64(e.b, uint64(n)); return e }
func (e *enc) id(n byte) *enc       { e.b = append(e.b, make([]byte, 15)...); return e.int8(int8(n)) }
func (e *enc) text(s string) *enc   { e.varint(uint64(len(s)) + 1); e.b = append(e.b, s...); return e }
func (e *enc) null() *enc           { return e.varint(0) }
func (e *enc) noTags() []byte       { return e.varint(0).b }
func (e *enc) ints(n ...int32) *enc {
	e.varint(uint64(len(n)) + 1)
	for _, i := range n {
		e.int32(i)
	}
	return e
}

func topicRecord(name string, id byte) []byte {
	return newRecord(typeTopic, 0).text(name).id(id).noTags()
}

func partitionRecord(id byte, n, leader, epoch int32) []byte {
	e := newRecord(typePartition, 2).int32(n).id(id).ints(1, 2).ints(1).ints().ints().int32(leader).int32(epoch).int32(9)
	return e.varint(3).id(7).id(8).varint(1).varint(1).varint(1).null().b // directories; tag 1
}

func changeRecord(id byte, n, leader int32) []byte {
	return newRecord(typePartitionChange, 1).int32(n).id(id).varint(2).varint(1).varint(4).int32(leader).varint(9).varint(1).int8(0).b
}

func configRecord(resource int8, name, key string, value *string) []byte {
	e := newRecord(typeConfig, 0).int8(resource).text(name).text(key)
	if value == nil {
		return e.null().noTags()
	}
	return e.text(*value).noTags()
}

func removeRecord(id byte) []byte { return newRecord(typeTopicRemoved, 0).id(id).noTags() }
func idsRecord(next int64) []byte {
	return newRecord(typeProducerIDs, 0).int32(1).int64(1).int64(next).noTags()
}
func mark(kind uint64) []byte { return newRecord(kind, 0).noTags() }

// disk is a file system with the metadata log's directory.
func disk(t testing.TB) vfs.FS {
	t.Helper()
	fsys := vfs.NewMem()
	if err := fsys.MkdirAll(Dir); err != nil {
		t.Fatal(err)
	}
	return fsys
}

// write makes a file of one batch per record, from the offset on.
func write(t testing.TB, fsys vfs.FS, name string, from int64, records ...[]byte) {
	t.Helper()
	var all []byte
	for i, r := range records {
		var b batch.Builder
		b.Add(1, nil, r)
		encoded, err := b.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		batch.StampOffset(encoded, from+int64(i), 1)
		all = append(all, encoded...)
	}
	if err := vfs.WriteSynced(fsys, filepath.Join(Dir, name), all); err != nil {
		t.Fatal(err)
	}
}

func logName(base int64) string { return segment.FileName(base, segment.LogSuffix) }

func load(t testing.TB, fsys vfs.FS) (*Image, map[string]*Topic) {
	t.Helper()
	i, err := Load(fsys, Dir)
	if err != nil {
		t.Fatal(err)
	}
	topics, err := i.Topics()
	if err != nil {
		t.Fatal(err)
	}
	return i, topics
}

func ptr(s string) *string { return &s }

func TestLoad_Records(t *testing.T) {
	fsys := disk(t)
	write(t, fsys, logName(0), 0,
		newRecord(12, 0).text("metadata.version").b, // not read, and its fields need not be
		topicRecord("a", 1), partitionRecord(1, 1, 1, 4), partitionRecord(1, 0, 1, 3),
		configRecord(resourceTopic, "a", "retention.ms", ptr("5")), configRecord(resourceTopic, "a", "segment.bytes", ptr("6")),
		configRecord(resourceTopic, "a", "segment.bytes", nil), configRecord(4, "1", "log.retention.ms", ptr("7")),
		changeRecord(1, 1, 2), changeRecord(1, 1, 2),
		topicRecord("gone", 2), partitionRecord(2, 0, 1, 0), configRecord(resourceTopic, "gone", "x", ptr("y")), removeRecord(2),
		idsRecord(1000), idsRecord(2000),
		mark(typeBegin), topicRecord("done", 3), partitionRecord(3, 0, 1, 0), mark(typeEnd),
		mark(typeBegin), topicRecord("given-up", 4), mark(typeAbort),
		mark(typeBegin), topicRecord("open", 5),
	)
	i, topics := load(t, fsys)
	if got := slices.Sorted(maps.Keys(topics)); !slices.Equal(got, []string{"a", "done"}) {
		t.Fatalf("topics %v", got)
	}
	a := topics["a"]
	if a.ID != (ID{15: 1}) || len(a.Partitions) != 2 || a.Partitions[0].LeaderEpoch != 3 || a.Partitions[1].LeaderEpoch != 6 || a.Partitions[1].Leader != 2 {
		t.Errorf("topic a: %+v", a)
	}
	if !maps.Equal(a.Configs, map[string]string{"retention.ms": "5"}) {
		t.Errorf("settings of a: %v", a.Configs)
	}
	if i.NextProducerID != 2000 || len(i.Others) != 1 || i.End != 25 {
		t.Errorf("next producer id %d, others %v, end %d", i.NextProducerID, i.Others, i.End)
	}
}

func TestLoad_SnapshotAndTail(t *testing.T) {
	fsys := disk(t)
	write(t, fsys, logName(0), 0, topicRecord("old", 9)) // its end is missing, which a snapshot makes up for
	write(t, fsys, "00000000000000000008-0000000001.checkpoint", 0, topicRecord("a", 1), partitionRecord(1, 0, 1, 0))
	write(t, fsys, "00000000000000000005-0000000001.checkpoint", 0, topicRecord("older", 7))
	write(t, fsys, logName(6), 6, topicRecord("in snapshot", 6), topicRecord("in snapshot too", 6), topicRecord("b", 2), partitionRecord(2, 0, 1, 0))
	write(t, fsys, logName(10), 10, removeRecord(1))
	i, topics := load(t, fsys)
	if got := slices.Sorted(maps.Keys(topics)); !slices.Equal(got, []string{"b"}) || i.End != 11 {
		t.Errorf("topics %v, end %d", got, i.End)
	}
}

// TestLoad_DamagedSnapshot: the one before is used as long as the log reaches back to it.
func TestLoad_DamagedSnapshot(t *testing.T) {
	fsys := disk(t)
	const newest = "00000000000000000008-0000000001.checkpoint"
	write(t, fsys, newest, 0, topicRecord("a", 1))
	write(t, fsys, "00000000000000000002-0000000001.checkpoint", 0, topicRecord("b", 2), partitionRecord(2, 0, 1, 0))
	write(t, fsys, logName(2), 2, idsRecord(3))
	damage(t, fsys, filepath.Join(Dir, newest), 70)
	i, topics := load(t, fsys)
	if topics["b"] == nil || i.End != 3 {
		t.Errorf("topics %v, end %d", topics, i.End)
	}
	if err := fsys.Remove(filepath.Join(Dir, "00000000000000000002-0000000001.checkpoint")); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(fsys, Dir); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), newest) {
		t.Errorf("without a snapshot: %v", err)
	}
}

func damage(t testing.TB, fsys vfs.FS, name string, pos int64) {
	t.Helper()
	b, err := vfs.ReadFile(fsys, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	b[pos] ^= 1
	if err := vfs.WriteSynced(fsys, name, b); err != nil {
		t.Fatal(err)
	}
}

// TestLoad_TornTail: what a crash of Kafka's left is not read.
func TestLoad_TornTail(t *testing.T) {
	fsys := disk(t)
	write(t, fsys, logName(0), 0, topicRecord("a", 1), partitionRecord(1, 0, 1, 0), topicRecord("b", 2))
	b, err := vfs.ReadFile(fsys, filepath.Join(Dir, logName(0)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.WriteSynced(fsys, filepath.Join(Dir, logName(0)), b[:len(b)-1]); err != nil {
		t.Fatal(err)
	}
	if i, topics := load(t, fsys); len(topics) != 1 || i.End != 2 {
		t.Errorf("topics %v, end %d", topics, i.End)
	}
}

func TestLoad_Senseless(t *testing.T) {
	for name, records := range map[string][][]byte{
		"no partition 0":       {topicRecord("a", 1), partitionRecord(1, 1, 1, 0)},
		"negative partition":   {topicRecord("a", 1), partitionRecord(1, -1, 1, 0)},
		"unknown topic":        {partitionRecord(1, 0, 1, 0)},
		"change of nothing":    {topicRecord("a", 1), changeRecord(1, 0, 1)},
		"one name, two topics": {topicRecord("a", 1), topicRecord("a", 2)},
		"frame version":        {{2, typeTopic, 0}},
		"cut short":            {topicRecord("a", 1)[:8]},
		"empty":                {{}},
	} {
		fsys := disk(t)
		write(t, fsys, logName(0), 0, records...)
		i, err := Load(fsys, Dir)
		if err == nil {
			_, err = i.Topics()
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Load(disk(t), Dir); !errors.Is(err, ErrIncomplete) {
		t.Errorf("empty directory: %v", err)
	}
	if _, err := Load(vfs.NewMem(), Dir); err == nil {
		t.Error("missing directory: no error")
	}
}

func TestParseSnapshotName(t *testing.T) {
	for name, want := range map[string]int64{
		"00000000000000000399-0000000002.checkpoint": 399, "00000000000000000399-0000000002.checkpoint.part": -1,
		"00000000000000000399-0000000002.checkpoint.deleted": -1, "bootstrap.checkpoint": -1, "399-2.checkpoint": -1,
		"0000000000000000039x-0000000002.checkpoint": -1, "00000000000000000399_0000000002.checkpoint": -1,
	} {
		if end, ok := parseSnapshotName(name); ok != (want >= 0) || ok && end != want {
			t.Errorf("%s: %d, %t", name, end, ok)
		}
	}
}

// FuzzDecode: whatever a record holds, it is decoded without harm and without taking
// more memory than its own size accounts for.
func FuzzDecode(f *testing.F) {
	for _, r := range [][]byte{
		topicRecord("a", 1), partitionRecord(1, 0, 1, 0), changeRecord(1, 0, 1), configRecord(2, "a", "k", ptr("v")),
		configRecord(2, "a", "k", nil), removeRecord(1), idsRecord(5), mark(typeBegin), {1, 3, 2, 0xff, 0xff, 0xff, 0xff, 0x0f},
	} {
		f.Add(r)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(b)
		if err != nil {
			return
		}
		if n := len(r.name) + len(r.key) + len(r.value) + 4*len(r.inSync) + 4*len(r.replicas); n > len(b) {
			t.Errorf("%d bytes of fields in a record of %d", n, len(b))
		}
		i := newImage()
		for _, r := range []record{{kind: typeTopic, name: "a", topic: r.topic}, r, r} {
			if err := i.apply(r); err != nil {
				return
			}
		}
		if _, err := i.Topics(); err == nil && len(i.topics) > 1 {
			t.Errorf("topics %v", i.topics)
		}
	})
}

// FuzzLoad: whatever a log holds.
func FuzzLoad(f *testing.F) {
	fsys := disk(f)
	write(f, fsys, logName(0), 0, topicRecord("a", 1), partitionRecord(1, 0, 1, 0), idsRecord(5))
	b, err := vfs.ReadFile(fsys, filepath.Join(Dir, logName(0)), 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys := disk(t)
		if err := vfs.WriteSynced(fsys, filepath.Join(Dir, logName(0)), b); err != nil {
			t.Fatal(err)
		}
		if i, err := Load(fsys, Dir); err == nil {
			_ = fmt.Sprint(i.Topics())
		}
	})
}
