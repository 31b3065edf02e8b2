package takeover

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
	"sordini/server/meta"
)

// simple makes a directory with topic a of two partitions, and its metadata.
func simple(t testing.TB) *maker {
	t.Helper()
	m := newMaker(t, "kafka")
	m.metadata(plan{name: "a", id: id(1), places: make([]place, 2), epoch: 5, configs: map[string]string{"retention.ms": "-1", "no.such": "1"}})
	m.partition("a", 0, id(1))
	m.segment("a", 0, 0, data(0, 0, "0", "1"), data(2, 2, "2"))
	m.segment("a", 0, 3, data(3, 2, "3", "4", "5"))
	m.segment("a", 0, 6)
	m.partition("a", 1, id(1))
	m.segment("a", 1, 0, data(0, 1, "x"))
	m.file("recovery-point-offset-checkpoint", "0\n2\na 0 6\na 1 1\n")
	m.file("log-start-offset-checkpoint", "0\n1\na 0 1\n")
	m.file("cleaner-offset-checkpoint", "")
	return m
}

var (
	simpleLogs  = map[string][]string{"a-0": {"1 1", "2 2", "3 3", "4 4", "5 5"}, "a-1": {"0 x"}}
	allImported = map[string]Result{"a": Imported}
	allRefused  = map[string]Result{"a": Refused}
)

func sameLogs(t testing.TB, got, want map[string][]string) {
	t.Helper()
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("logs %v, want %v", got, want)
	}
}

func TestRun_Topic(t *testing.T) {
	m, disk := simple(t), vfs.NewMem()
	before := m.fs.Crash(0, vfs.CrashKeepAll)
	r := run1(t, m.options(disk), allImported)
	a := topicOf(t, r, "a")
	if a.Records != 7 || len(a.LeftOut) != 1 || a.LeftOut[0].Name != "no.such" || !r.Sources[0].Clean {
		t.Errorf("report %+v of %+v", a, r.Sources)
	}
	o := open(t, disk)
	if !o.clean {
		t.Error("the first start counts as one after a crash")
	}
	sameLogs(t, o.logs, simpleLogs)
	topic := o.image.Topic("a")
	if topic == nil || topic.ID != id(1) || !maps.Equal(topic.Configs, map[string]string{"retention.ms": "-1"}) || topic.Internal {
		t.Errorf("topic %+v", topic)
	}
	if e := o.image.LeaderEpoch(topic); e != 6 {
		t.Errorf("leader epoch %d, want 6", e)
	}
	if o.image.ClusterID() != "MkU3OEVBNTcwNTJENDM2Qg" || o.image.NodeID() != meta.DefaultNodeID {
		t.Errorf("cluster %s, node %d", o.image.ClusterID(), o.image.NodeID())
	}
	if !sameTree(t, before, m.fs, "kafka") {
		t.Error("Kafka's files have changed")
	}
	run1(t, m.options(disk), map[string]Result{"a": Exists}) // again
}

// sameTree says whether two file systems hold the same below a directory.
func sameTree(t testing.TB, a, b vfs.FS, dir string) bool {
	t.Helper()
	x, err := a.ReadDir(dir)
	must(t, err)
	y, err := b.ReadDir(dir)
	must(t, err)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		name := filepath.Join(dir, x[i].Name())
		if x[i].Name() != y[i].Name() || x[i].IsDir() != y[i].IsDir() {
			return false
		}
		if x[i].IsDir() {
			if !sameTree(t, a, b, name) {
				return false
			}
			continue
		}
		p, err := vfs.ReadFile(a, name, 1<<20)
		must(t, err)
		q, err := vfs.ReadFile(b, name, 1<<20)
		must(t, err)
		if !bytes.Equal(p, q) {
			return false
		}
	}
	return true
}

func TestRun_DryRun(t *testing.T) {
	m, disk := simple(t), vfs.NewMem()
	opt := m.options(disk)
	opt.DryRun = true
	if r := run1(t, opt, map[string]Result{"a": WouldImport}); topicOf(t, r, "a").Records != 7 {
		t.Errorf("report %+v", topicOf(t, r, "a"))
	}
	if ok, _ := exists(disk, testData); ok {
		t.Error("a dry run has made the data directory")
	}
}

func TestRun_WithoutMetadata(t *testing.T) {
	m, disk := simple(t), vfs.NewMem()
	must(t, m.fs.Remove(filepath.Join("kafka", "__cluster_metadata-0", segment.FileName(0, segment.LogSuffix))))
	if r := run1(t, m.options(disk), allImported); len(r.Notes) == 0 || !strings.Contains(r.Notes[0], "metadata log") {
		t.Errorf("notes %v", r.Notes)
	}
	o := open(t, disk)
	sameLogs(t, o.logs, simpleLogs)
	if topic := o.image.Topic("a"); topic.ID != id(1) || o.image.LeaderEpoch(topic) != 3 {
		t.Errorf("topic %+v, leader epoch %d", topic, o.image.LeaderEpoch(topic))
	}
}

// TestRun_Torn: after a crash of Kafka's the copy ends at the torn write.
func TestRun_Torn(t *testing.T) {
	m, disk := simple(t), vfs.NewMem()
	must(t, m.fs.Remove(filepath.Join("kafka", meta.CleanShutdownFile)))
	m.file("recovery-point-offset-checkpoint", "0\n2\na 0 3\na 1 0\n")
	m.segment("a", 0, 3, data(3, 2, "3"), data(4, 2, "4", "5")[:70])
	m.segment("a", 0, 6, data(6, 2, "6")) // behind a torn write nothing counts
	r := run1(t, m.options(disk), allImported)
	if one := topicOf(t, r, "a").Partitions[0]; one.Cut != 70+int64(len(data(6, 2, "6"))) || one.End != 4 || one.Segments != 2 {
		t.Errorf("partition %+v", one)
	}
	o := open(t, disk)
	sameLogs(t, o.logs, map[string][]string{"a-0": {"1 1", "2 2", "3 3"}, "a-1": {"0 x"}})
}

// TestRun_Damage: below what was synced, bad bytes are damage.
func TestRun_Damage(t *testing.T) {
	first := int64(len(data(0, 0, "0", "1")))
	third := int64(len(data(3, 2, "3", "4", "5")))
	for name, c := range map[string]struct {
		base, pos int64
		unclean   bool
		lost      log.Span
		left      []string
	}{
		"closed segment": {0, first + 65, false, log.Span{From: 2, To: 3}, []string{"1 1", "3 3", "4 4", "5 5"}},
		"after a crash":  {0, first + 65, true, log.Span{From: 2, To: 3}, []string{"1 1", "3 3", "4 4", "5 5"}},
		"last batch":     {3, third - 1, false, log.Span{From: 3, To: 6}, []string{"1 1", "2 2"}},
		"base offset":    {0, first + 7, false, log.Span{From: 2, To: 3}, []string{"1 1", "3 3", "4 4", "5 5"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, disk := simple(t), vfs.NewMem()
			m.change("a", 0, c.base, c.pos)
			if c.unclean {
				must(t, m.fs.Remove(filepath.Join("kafka", meta.CleanShutdownFile)))
			}
			r := run1(t, m.options(disk), allRefused)
			if a := topicOf(t, r, "a"); !a.Damage || !strings.Contains(a.Reason, "offset") {
				t.Errorf("report %+v", a)
			}
			if o := open(t, disk); o.image.Topic("a") != nil {
				t.Error("the topic was taken")
			}
			opt := m.options(disk)
			opt.Damaged = true
			r = run1(t, opt, allImported)
			if a := topicOf(t, r, "a"); !a.Damage || !slices.Contains(a.Partitions[0].Damaged, c.lost) {
				t.Errorf("damaged %v, want %v", a.Partitions[0].Damaged, c.lost)
			}
			o := open(t, disk)
			sameLogs(t, o.logs, map[string][]string{"a-0": c.left, "a-1": {"0 x"}})
			if !o.lost["a-0"] || o.spans["a-0"] != (log.Span{From: 1, To: 6}) {
				t.Errorf("offsets %+v, lost %t", o.spans["a-0"], o.lost["a-0"])
			}
		})
	}
}

// TestRun_Gaps: what compaction leaves is taken; a missing segment is damage.
func TestRun_Gaps(t *testing.T) {
	for name, c := range map[string]struct {
		segments [][][]byte
		cleaned  bool
		want     Result
		left     []string
	}{
		"inside":          {[][][]byte{{data(0, 0, "0"), data(4, 0, "4")}, {data(5, 0, "5")}}, false, Imported, []string{"0 0", "4 4", "5 5"}},
		"between":         {[][][]byte{{data(0, 0, "0")}, {data(5, 0, "5")}}, true, Imported, []string{"0 0", "5 5"}},
		"missing segment": {[][][]byte{{data(0, 0, "0")}, {data(5, 0, "5")}}, false, Refused, nil},
		"overlap":         {[][][]byte{{data(0, 0, "0", "1", "2", "3", "4", "5", "6")}, {data(5, 0, "5")}}, true, Refused, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m, disk := newMaker(t, "kafka"), vfs.NewMem()
			m.partition("a", 0, id(1))
			for i, batches := range c.segments {
				m.segment("a", 0, int64(i*5), batches...)
			}
			if c.cleaned {
				m.file("cleaner-offset-checkpoint", "0\n1\na 0 5\n")
			}
			run1(t, m.options(disk), map[string]Result{"a": c.want})
			if c.want == Imported {
				o := open(t, disk)
				sameLogs(t, o.logs, map[string][]string{"a-0": c.left})
			}
		})
	}
}

func TestRun_OldFormat(t *testing.T) {
	m, disk := newMaker(t, "kafka"), vfs.NewMem()
	m.partition("a", 0, id(1))
	// offset 0 | size | CRC-32 | magic 1 | attributes | timestamp | key null | value
	body := append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 3, 232, 255, 255, 255, 255, 0, 0, 0, 1}, 'v')
	message := binary.BigEndian.AppendUint32(make([]byte, 8), uint32(4+len(body)))
	message = append(binary.BigEndian.AppendUint32(message, crc32.ChecksumIEEE(body)), body...)
	m.segment("a", 0, 0, message)
	opt := m.options(disk)
	opt.Damaged = true // is not meant by it
	if r := run1(t, opt, allRefused); !strings.Contains(r.Topics[0].Reason, "before 0.11") || r.Topics[0].Damage {
		t.Errorf("report %+v", r.Topics[0])
	}
}

// transactional makes a batch part of a transaction; an end is a marker of this type.
func transactional(base int64, producer int64, end int) []byte {
	var b batch.Builder
	if end >= 0 {
		b.Add(1, []byte{0, 0, 0, byte(end)}, []byte{0, 0, 0, 0, 0, 0})
	} else {
		b.Add(1, nil, []byte("tx"))
	}
	encoded := stamped(&b, base, 0)
	attributes := uint16(0x10)
	if end >= 0 {
		attributes |= 0x20
	}
	binary.BigEndian.PutUint16(encoded[21:], attributes)
	binary.BigEndian.PutUint64(encoded[43:], uint64(producer))
	binary.BigEndian.PutUint32(encoded[17:], crc32.Checksum(encoded[21:], castagnoli))
	return encoded
}

func TestRun_Transactions(t *testing.T) {
	const none, abort, commit = -1, 0, 1
	for name, c := range map[string]struct {
		batches             [][]byte
		aborted, unfinished int
	}{
		"committed":  {[][]byte{transactional(0, 4, none), transactional(1, 4, commit)}, 0, 0},
		"aborted":    {[][]byte{transactional(0, 4, none), transactional(1, 4, abort)}, 1, 0},
		"unfinished": {[][]byte{transactional(0, 4, none), transactional(1, 5, abort)}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			m, disk := newMaker(t, "kafka"), vfs.NewMem()
			m.partition("a", 0, id(1))
			m.segment("a", 0, 0, c.batches...)
			want := Imported
			if c.aborted+c.unfinished > 0 {
				want = Refused
			}
			r := run1(t, m.options(disk), map[string]Result{"a": want})
			if one := r.Topics[0].Partitions[0]; one.Aborted != c.aborted || one.Unfinished != c.unfinished || one.Transactional != 2 {
				t.Errorf("partition %+v", one)
			}
			if want == Refused {
				opt := m.options(disk)
				opt.Uncommitted = true
				run1(t, opt, allImported)
			}
			o := open(t, disk)
			sameLogs(t, o.logs, map[string][]string{"a-0": {"0 tx"}})
			if n := o.image.NextProducerID(); n < 5 {
				t.Errorf("next producer id %d is one in the log", n)
			}
		})
	}
}

func TestRun_Refusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*maker)
		want   string
	}{
		"missing partition": {func(m *maker) {
			m.metadata(plan{name: "a", id: id(1), places: make([]place, 3)})
		}, "2 (on nodes [7])"},
		"tiered storage": {func(m *maker) {
			m.metadata(plan{name: "a", id: id(1), places: make([]place, 2), configs: map[string]string{"remote.storage.enable": "true"}})
		}, "tiered"},
		"interrupted compaction": {func(m *maker) {
			m.file("a-0/00000000000000000000.log.swap", "")
		}, "start Kafka once"},
	} {
		t.Run(name, func(t *testing.T) {
			m, disk := simple(t), vfs.NewMem()
			c.change(m)
			if r := run1(t, m.options(disk), allRefused); !strings.Contains(r.Topics[0].Reason, c.want) {
				t.Errorf("reason %q", r.Topics[0].Reason)
			}
		})
	}
}

func TestRun_OtherDirectories(t *testing.T) {
	m, disk := simple(t), vfs.NewMem()
	for _, dir := range []string{"b-0.0123-delete", "b-0.0123-stray", "a-0.0123-future", "plain", "b-0"} {
		must(t, m.fs.MkdirAll(filepath.Join("kafka", dir)))
	}
	m.partition("a", 2, id(1)) // more than the metadata has
	if r := run1(t, m.options(disk), allImported); len(r.Skipped) != 6 {
		t.Errorf("skipped %+v", r.Skipped)
	}
	m, disk = simple(t), vfs.NewMem()
	m.partition("a", 1, id(9)) // of an earlier topic
	run1(t, m.options(disk), allRefused)
}

// TestRun_Directories: a topic may be spread over the directories of a broker, but no
// partition may be in two of them.
func TestRun_Directories(t *testing.T) {
	m, disk := simple(t), vfs.NewMem()
	other := &maker{t, m.fs, "kafka2"}
	must(t, m.fs.MkdirAll("kafka2"))
	properties, err := vfs.ReadFile(m.fs, "kafka/meta.properties", 1000)
	must(t, err)
	other.file(meta.PropertiesFile, string(properties))
	must(t, m.fs.Rename("kafka/a-1", "kafka2/a-1"))
	opt := m.options(disk)
	opt.Dirs = append(opt.Dirs, "kafka2")
	run1(t, opt, allImported)
	o := open(t, disk)
	sameLogs(t, o.logs, simpleLogs)
	m.partition("a", 1, id(1))
	opt.FS = vfs.NewMem()
	run1(t, opt, allRefused)
	other.file(meta.PropertiesFile, strings.Replace(string(properties), "MkU3", "AAAA", 1))
	if _, err := Run(context.Background(), opt); !errors.Is(err, ErrSource) {
		t.Errorf("two clusters: %v", err)
	}
}

func TestRun_Choice(t *testing.T) {
	m, disk := newMaker(t, "kafka"), vfs.NewMem()
	for i, topic := range []string{"orders", "order-lines", "users", GroupsTopic, "__transaction_state"} {
		m.partition(topic, 0, id(byte(i+1)))
		m.segment(topic, 0, 0)
	}
	opt := m.options(disk)
	opt.Topics = []string{"order*"}
	run1(t, opt, map[string]Result{"orders": Imported, "order-lines": Imported, GroupsTopic: Imported})
	if topic := open(t, disk).image.Topic(GroupsTopic); !topic.Internal {
		t.Errorf("topic %+v", topic)
	}
	opt.Topics, opt.Groups = nil, false
	run1(t, opt, map[string]Result{"orders": Exists, "order-lines": Exists, "users": Imported})
	opt.Topics = []string{"nothing-like-it"}
	if _, err := Run(context.Background(), opt); !errors.Is(err, ErrSource) {
		t.Errorf("pattern without a topic: %v", err)
	}
	opt.Topics = []string{"["}
	if _, err := Run(context.Background(), opt); err == nil {
		t.Error("bad pattern: no error")
	}
}

// TestRun_Existing: topics that are there stay as they are.
func TestRun_Existing(t *testing.T) {
	m, disk := simple(t), vfs.NewMem()
	m.metadata(plan{name: "a", id: id(1), places: make([]place, 2)}, plan{name: GroupsTopic, id: id(2), places: make([]place, 1)})
	m.partition(GroupsTopic, 0, id(2))
	must(t, disk.MkdirAll(testData))
	store, _, err := meta.Open(disk, filepath.Join(testData, metadataDir), meta.Options{})
	must(t, err)
	_, err = store.Identify(testData, 3, rand.NewChaCha8([32]byte{}))
	must(t, err)
	_, err = store.Apply(meta.TopicCreated{Name: "a", ID: id(8), Partitions: 1}, meta.TopicCreated{Name: GroupsTopic, ID: id(9), Partitions: 1, Internal: true})
	must(t, err)
	must(t, store.Close())
	r := run1(t, m.options(disk), allRefused)
	if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "groups of its own") }) {
		t.Errorf("notes %v", r.Notes)
	}
	lock, err := disk.Lock(filepath.Join(testData, lockFile))
	must(t, err)
	if _, err := Run(context.Background(), m.options(disk)); !errors.Is(err, ErrRunning) {
		t.Errorf("while a server runs: %v", err)
	}
	lock.Close()
}

// TestRun_Later: into a data directory that was stopped in order, whose topics stay and
// need no scan at the next start.
func TestRun_Later(t *testing.T) {
	m, disk := simple(t), vfs.NewMem()
	run1(t, m.options(disk), allImported)
	o := open(t, disk)
	must(t, meta.WriteClean(disk, testData, o.image.BrokerEpoch()))
	m.metadata(plan{name: "a", id: id(1), places: make([]place, 2)}, plan{name: "b", id: id(2), places: make([]place, 1)})
	m.partition("b", 0, id(2))
	m.segment("b", 0, 0, data(0, 0, "b"))
	run1(t, m.options(disk), map[string]Result{"a": Exists, "b": Imported})
	o = open(t, disk)
	if !o.clean {
		t.Error("the start counts as one after a crash")
	}
	sameLogs(t, o.logs, map[string][]string{"a-0": simpleLogs["a-0"], "a-1": simpleLogs["a-1"], "b-0": {"0 b"}})
}

// TestRun_NoSpace: an import that fails leaves nothing, and one that follows succeeds.
func TestRun_NoSpace(t *testing.T) {
	m := simple(t)
	dry := vfs.NewFaulty(vfs.NewMem(), nil)
	run1(t, m.options(dry), allImported)
	for n := int64(1); n <= dry.Ops(); n += 4 {
		disk := vfs.NewMem()
		faulty := vfs.NewFaulty(disk, func(op vfs.Op) vfs.Fault {
			if op.N == n && op.Kind.Changes() {
				return vfs.Fault{Err: syscall.ENOSPC}
			}
			return vfs.Fault{}
		})
		r, err := Run(context.Background(), m.options(faulty))
		failed := err != nil || len(r.Topics) == 1 && r.Topics[0].Result == Refused
		// Where the metadata failed nobody knows whether the topic is there.
		if entries, rerr := disk.ReadDir(testData); rerr == nil && failed && !errors.Is(err, meta.ErrFailed) {
			for _, e := range entries {
				if there, herr := holds(disk.Crash(0, vfs.CrashKeepAll)); strings.HasPrefix(e.Name(), "a-") && (!there || herr != nil) {
					t.Errorf("operation %d failed (%v), and %s is left: %v", n, err, e.Name(), herr)
				}
			}
		}
		r, err = Run(context.Background(), m.options(disk))
		must(t, err)
		if refused, _ := r.Failed(); refused > 0 {
			t.Errorf("operation %d failed, and the import after it too: %s", n, r.Topics[0].Reason)
		}
		if there, err := holds(disk); !there || err != nil {
			t.Errorf("operation %d failed, and the import after it: %t, %v", n, there, err)
		}
	}
}

// TestRun_Detached: after a power cut a segment may be short without a torn batch; those
// behind it do not belong to the log.
func TestRun_Detached(t *testing.T) {
	m, disk := simple(t), vfs.NewMem()
	must(t, m.fs.Remove(filepath.Join("kafka", meta.CleanShutdownFile)))
	m.file("recovery-point-offset-checkpoint", "0\n2\na 0 3\na 1 0\n")
	m.segment("a", 0, 3, data(3, 2, "3"))
	m.segment("a", 0, 6, data(6, 2, "6"))
	r := run1(t, m.options(disk), allImported)
	if one := topicOf(t, r, "a").Partitions[0]; one.Cut != int64(len(data(6, 2, "6"))) || one.End != 4 || one.Segments != 2 {
		t.Errorf("partition %+v", one)
	}
	o := open(t, disk)
	sameLogs(t, o.logs, map[string][]string{"a-0": {"1 1", "2 2", "3 3"}, "a-1": {"0 x"}})
}

// TestRun_Ends: after an orderly stop the log ends where Kafka's checkpoint says, and an
// offset that jumps at its end is not believed.
func TestRun_Ends(t *testing.T) {
	for name, c := range map[string]struct {
		recovery string
		last     []byte
		reason   string
		end      int64
		records  int
	}{
		"too short": {"9", data(3, 2, "3"), "at 9 by Kafka's checkpoint", 9, 4},
		"jump":      {"", data(99, 2, "3"), "no batch is behind it", 4, 3},
	} {
		t.Run(name, func(t *testing.T) {
			m, disk := newMaker(t, "kafka"), vfs.NewMem()
			m.partition("a", 0, id(1))
			m.segment("a", 0, 0, data(0, 2, "0", "1", "2"), c.last)
			if c.recovery != "" {
				m.file("recovery-point-offset-checkpoint", "0\n1\na 0 "+c.recovery+"\n")
			}
			if r := run1(t, m.options(disk), allRefused); !strings.Contains(r.Topics[0].Reason, c.reason) || !r.Topics[0].Damage {
				t.Errorf("report %+v", r.Topics[0])
			}
			opt := m.options(disk)
			opt.Damaged = true
			run1(t, opt, allImported)
			o := open(t, disk)
			if o.spans["a-0"].To != c.end || len(o.logs["a-0"]) != c.records || !o.lost["a-0"] {
				t.Errorf("offsets %+v, records %v, lost %t", o.spans["a-0"], o.logs["a-0"], o.lost["a-0"])
			}
		})
	}
}

// TestRun_Stray: a directory that has the name of a partition and belongs to no topic is
// kept.
func TestRun_Stray(t *testing.T) {
	m, disk := simple(t), vfs.NewMem()
	must(t, disk.MkdirAll(filepath.Join(testData, "a-1")))
	must(t, vfs.WriteSynced(disk, filepath.Join(testData, "a-1", "precious"), []byte("x")))
	if r := run1(t, m.options(disk), allImported); len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "nothing was deleted") {
		t.Errorf("notes %v", r.Notes)
	}
	o := open(t, disk)
	sameLogs(t, o.logs, simpleLogs)
	entries, err := disk.ReadDir(testData)
	must(t, err)
	kept := slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		ok, _ := exists(disk, filepath.Join(testData, e.Name(), "precious"))
		return ok && strings.HasSuffix(e.Name(), straySuffix)
	})
	if !kept {
		t.Errorf("the directory is gone: %v", entries)
	}
}

func TestRun_WrongDirectories(t *testing.T) {
	m, disk := simple(t), vfs.NewMem()
	opt := m.options(disk)
	opt.LockSource = func(string) (io.Closer, error) { return nil, vfs.ErrLocked }
	if _, err := Run(context.Background(), opt); !errors.Is(err, ErrRunning) {
		t.Errorf("while Kafka runs: %v", err)
	}
	opt = m.options(m.fs)
	opt.DataDir = "kafka"
	if _, err := Run(context.Background(), opt); !errors.Is(err, ErrTarget) {
		t.Errorf("Kafka's directory as the data directory: %v", err)
	}
	run1(t, m.options(disk), allImported)
	opt = m.options(vfs.NewMem())
	opt.Source, opt.Dirs = disk, []string{testData}
	if _, err := Run(context.Background(), opt); !errors.Is(err, ErrSource) {
		t.Errorf("a directory of sordini's: %v", err)
	}
	opt.Source, opt.Dirs = vfs.NewMem(), []string{"nowhere"}
	if _, err := Run(context.Background(), opt); !errors.Is(err, ErrSource) {
		t.Errorf("no directory: %v", err)
	}
}

func TestRun_Cancelled(t *testing.T) {
	m, disk := simple(t), vfs.NewMem()
	ctx, cancel := context.WithCancel(context.Background())
	opt := m.options(disk)
	opt.Progress = func(Progress) { cancel() }
	if _, err := Run(ctx, opt); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	cancel()
	disk = vfs.NewMem()
	if _, err := Run(ctx, m.options(disk)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	entries, err := disk.ReadDir(testData)
	must(t, err)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), asideSuffix) {
			t.Errorf("%s was left", e.Name())
		}
	}
}

// TestRun_LargeBatches: batches that exceed the buffer are checked and copied whole.
func TestRun_LargeBatches(t *testing.T) {
	m, disk := newMaker(t, "kafka"), vfs.NewMem()
	m.partition("a", 0, id(1))
	large := strings.Repeat("x", 3*walkBuffer+17)
	m.segment("a", 0, 0, data(0, 0, "0"), data(1, 0, large), data(2, 0, strings.Repeat("y", walkBuffer-100)), data(3, 0, "3"))
	run1(t, m.options(disk), allImported)
	o := open(t, disk)
	if got := o.logs["a-0"]; len(got) != 4 || got[1] != "1 "+large || got[3] != "3 3" {
		t.Errorf("%d records", len(got))
	}
}

// TestRun_Golden takes over what Apache Kafka 4.3.0 wrote, stopped in order and killed.
func TestRun_Golden(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"stopped": {"orders-0": "0 15 15", "orders-1": "0 15 15", "codecs-3": "0 3 3", "compacted-0": "0 30 13", "deleted-0": "7 30 23", "aborted-0": "0 4 2"},
		"killed":  {"orders-0": "0 20 20", "late-0": "0 5 5", "compacted-0": "0 30 13", "deleted-0": "7 30 23"},
	} {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewMem()
			opt := (&maker{dir: golden(t, "kafka-4.3.0-"+name+".tar.zst")}).options(disk)
			opt.Source, opt.Uncommitted = vfs.OS(), true
			r, err := Run(context.Background(), opt)
			must(t, err)
			if n, _ := r.Failed(); n > 0 || r.Sources[0].Clean != (name == "stopped") {
				t.Errorf("report %+v", r)
			}
			orders := topicOf(t, r, "orders")
			if orders.Configs["segment.ms"] != "1000" || orders.Configs["retention.ms"] != "-1" {
				t.Errorf("settings of orders: %v, left out %v", orders.Configs, orders.LeftOut)
			}
			o := open(t, disk)
			for partition, span := range want {
				s, n := o.spans[partition], len(o.logs[partition])
				if got := fmt.Sprint(s.From, s.To, n); got != span {
					t.Errorf("%s: start, end and records %s, want %s", partition, got, span)
				}
			}
			if o.image.Topic("gone") != nil || name == "killed" && o.image.Topic("codecs") != nil {
				t.Error("a deleted topic was taken over")
			}
			if topic := o.image.Topic(GroupsTopic); topic == nil || topic.Partitions != 3 || o.image.NextProducerID() < 1000 {
				t.Errorf("groups %+v, next producer id %d", topic, o.image.NextProducerID())
			}
		})
	}
}
