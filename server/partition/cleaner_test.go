package partition

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"sordini/log"
	"sordini/log/checkpoint"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

var compactConfigs = map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.3"}

// smallSegments is what the tests configure below the server's lowest limit.
var smallSegments = log.Config{SegmentBytes: 1500, IndexBytes: 1 << 20, Retention: -1, RetainBytes: -1, Compact: true}

// keyedBatch is a batch of one record.
func keyedBatch(key string, n int) *log.Append {
	var b batch.Builder
	b.Add(1_600_000_000_000, []byte(key), fmt.Appendf(nil, "%s=%d", key, n))
	a := log.NewAppend()
	a.Batch, _ = b.Bytes()
	a.Header, _ = batch.ParseHeader(a.Batch)
	return a
}

// fill writes n records of ten keys, and waits until they can be compacted.
func fill(t testing.TB, p *Partition, n int) {
	t.Helper()
	p.log.Configure(smallSegments)
	for i := range n {
		if err := write(p, keyedBatch(fmt.Sprint(i%10), i)); err != nil {
			t.Fatal(err)
		}
	}
	sealed(t, p)
}

// sealed waits until the full segments of a partition are completed.
func sealed(t testing.TB, p *Partition) {
	t.Helper()
	waitFor(t, "completion of full segments", func() bool { return !p.log.Rolled() })
}

// lastValues reads a partition.
func lastValues(t testing.TB, p *Partition) (records int, last map[string]string) {
	t.Helper()
	last = map[string]string{}
	o, err := p.Offsets()
	if err != nil {
		t.Fatal(err)
	}
	for offset := o.Start; offset < o.High.Offset; {
		r, _, err := p.Read(offset, 1, true)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, r.Len())
		_, err = r.ReadAt(b, 0)
		r.Release()
		if err != nil {
			t.Fatal(err)
		}
		for r, err := range batch.Records(b, batch.Limits{}) {
			if err != nil {
				t.Fatal(err)
			}
			records++
			last[string(r.Key)] = string(r.Value)
		}
		h, err := batch.ParseHeader(b)
		if err != nil {
			t.Fatal(err)
		}
		offset = h.LastOffset() + 1
	}
	return records, last
}

func checkLast(t testing.TB, p *Partition, written int) (records int) {
	t.Helper()
	records, last := lastValues(t, p)
	for i := max(0, written-10); i < written; i++ {
		key := fmt.Sprint(i % 10)
		if want := fmt.Sprintf("%s=%d", key, i); last[key] != want {
			t.Errorf("%s-%d: key %s has value %q, want %q", p.Topic, p.Index, key, last[key], want)
		}
	}
	return records
}

func waitFor(t testing.TB, what string, f func() bool) {
	t.Helper()
	for began := time.Now(); !f(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("%s: not after 20 s", what)
		}
	}
}

// idle waits until no worker is left.
func (c *cleaner) idle(t testing.TB) {
	t.Helper()
	waitFor(t, "end of compaction", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.workers == 0
	})
}

// uncleanable is what the metrics say.
func uncleanable(t testing.TB, b *broker) float64 {
	t.Helper()
	families, err := b.opt.Metrics.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "sordini_cleaner_uncleanable_partitions" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("no such metric")
	return 0
}

// TestCleaner_CompactsWhatIsDirty: the cleaner finds by itself what there is to do,
// leaves other topics alone, and knows after a restart how far it came.
func TestCleaner_CompactsWhatIsDirty(t *testing.T) {
	disk := newDisk(t)
	flags := []string{"log.cleaner.threads=2"}
	b := mustOpen(t, disk, flags...)
	compacted, plain := b.create(t, "compacted", 3, compactConfigs), b.create(t, "plain", 1, nil)[0]
	for _, p := range append(compacted, plain) {
		fill(t, p, 200)
	}
	b.cleaner.kick()
	b.cleaner.idle(t)
	for _, p := range compacted {
		if n := checkLast(t, p, 200); n > 40 || p.log.Cleaned() == 0 {
			t.Errorf("partition %d: %d records, compacted up to %d", p.Index, n, p.log.Cleaned())
		}
	}
	if n := checkLast(t, plain, 200); n != 200 {
		t.Errorf("%d records of a topic that is not compacted", n)
	}
	if read := b.opt.Metrics.CleanerReadBytes.Load(); read == 0 || b.opt.Metrics.CleanerDroppedRecords.Load() < 300 {
		t.Errorf("%d bytes read", read)
	}
	cleaned := compacted[0].log.Cleaned()
	b.close(t)
	b = mustOpen(t, disk, flags...)
	p := b.Get("compacted", 0)
	if got := p.log.Cleaned(); got != cleaned {
		t.Errorf("after the restart it was compacted up to %d, before up to %d", got, cleaned)
	}
	checkLast(t, p, 200)
	b.close(t)
}

// TestCleaner_NewTopicOfOldName does not take over how far the old one came.
func TestCleaner_NewTopicOfOldName(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	p := b.create(t, "t", 1, compactConfigs)[0]
	fill(t, p, 200)
	if _, err := b.Clean(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	stale, err := checkpoint.ReadKafka(disk, dataDir+"/"+checkpoint.KafkaCleaner)
	if err != nil || stale[checkpoint.Partition{Topic: "t"}] == 0 {
		t.Fatalf("checkpoint %v %v", stale, err)
	}
	if err := b.DeleteTopic(p.ID); err != nil {
		t.Fatal(err)
	}
	p = b.create(t, "t", 1, compactConfigs)[0]
	fill(t, p, 200)
	b.close(t)
	b = mustOpen(t, disk)
	if got := b.Get("t", 0).log.Cleaned(); got != 0 {
		t.Errorf("the new topic counts as compacted up to %d", got)
	}
	b.close(t)
}

// TestCleaner_Damage: a damaged partition is left alone, and the others are not.
func TestCleaner_Damage(t *testing.T) {
	disk := newDisk(t)
	b := mustOpen(t, disk)
	partitions := b.create(t, "t", 2, compactConfigs)
	for _, p := range partitions {
		fill(t, p, 200)
	}
	b.close(t)
	name := dataDir + "/t-1/" + segment.FileName(0, segment.LogSuffix)
	f, err := disk.OpenFile(name, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0xff}, 300); err != nil {
		t.Fatal(err)
	}
	f.Close()
	b = mustOpen(t, disk)
	for range 2 {
		b.cleaner.kick()
		b.cleaner.idle(t)
	}
	if n := uncleanable(t, b); n != 1 {
		t.Errorf("%v partitions are uncleanable, want 1", n)
	}
	if good, bad := b.Get("t", 0).log.Cleaned(), b.Get("t", 1).log.Cleaned(); good == 0 || bad != 0 {
		t.Errorf("compacted up to %d and %d, the latter is damaged", good, bad)
	}
	b.close(t)
}

// TestCleaner_FullDisk: the partition goes on and is compacted later.
func TestCleaner_FullDisk(t *testing.T) {
	fs := vfs.NewFaulty(newDisk(t), nil)
	b := mustOpen(t, fs)
	p := b.create(t, "t", 1, compactConfigs)[0]
	fill(t, p, 200)
	fs.SetRule(func(op vfs.Op) vfs.Fault {
		if needsSpace(op.Kind) && strings.HasSuffix(op.Path, segment.CleanedSuffix) {
			return vfs.Fault{Err: syscall.ENOSPC}
		}
		return vfs.Fault{}
	})
	b.cleaner.kick()
	b.cleaner.idle(t)
	if _, err := p.Offsets(); err != nil || p.log.Cleaned() != 0 || p.clean.uncleanable || p.clean.retry.IsZero() {
		t.Errorf("%v, compacted up to %d, %+v", err, p.log.Cleaned(), p.clean)
	}
	b.cleaner.kick() // too early
	b.cleaner.idle(t)
	fs.SetRule(nil)
	fill(t, p, 200)
	b.cleaner.mu.Lock()
	p.clean.retry = time.Time{}
	b.cleaner.mu.Unlock()
	b.cleaner.kick()
	b.cleaner.idle(t)
	if checkLast(t, p, 200); p.log.Cleaned() == 0 {
		t.Error("not compacted when there was space again")
	}
	b.close(t)
}

// TestCleaner_StopsAtOnce: neither the deletion of a topic nor Close waits for a
// compaction to end.
func TestCleaner_StopsAtOnce(t *testing.T) {
	b := mustOpen(t, newDisk(t), "log.cleaner.io.max.bytes.per.second=1", "log.cleaner.threads=2")
	var topics []*Partition
	for _, name := range []string{"deleted", "stays"} {
		p := b.create(t, name, 1, compactConfigs)[0]
		fill(t, p, 200)
		topics = append(topics, p)
	}
	b.cleaner.kick()
	waitFor(t, "begin of compaction", func() bool {
		b.cleaner.mu.Lock()
		defer b.cleaner.mu.Unlock()
		return topics[0].clean.busy && topics[1].clean.busy
	})
	if err := b.DeleteTopic(topics[0].ID); err != nil {
		t.Error(err)
	}
	b.close(t)
	if left := directories(t, b.FS(), "deleted"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
