package audit

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/segment/vfs"
	"sordini/server/config"
	"sordini/server/meta"
	"sordini/server/metrics"
	"sordini/server/partition"
	"sordini/server/wire"
)

const testData = "data"

// world is a broker without a network, on a disk in memory.
type world struct {
	testing.TB
	*Recorder
	disk  vfs.FS
	store *meta.Store
	m     *metrics.Metrics
}

// open starts a broker on what is on a disk.
func open(t testing.TB, disk vfs.FS, settings ...string) *world {
	t.Helper()
	w := &world{TB: t, disk: disk, m: metrics.New("test", func(int16) string { return "" })}
	w.must(disk.MkdirAll(testData))
	w.must(disk.SyncDir("."))
	store, _, err := meta.Open(disk, testData+"/meta", meta.Options{})
	w.must(err)
	w.store = store
	if store.Image().ClusterID() == "" {
		_, err = store.Apply(meta.ClusterCreated{ClusterID: "MkU3OEVBNTcwNTJENDM2Qg", DirectoryID: meta.TopicID{6: 0x40, 8: 0x80}.String(), NodeID: 1})
		w.must(err)
	}
	_, clean, err := store.Start(testData)
	w.must(err)
	values, err := config.Load(config.Input{Flags: settings})
	w.must(err)
	w.Recorder = New(Options{Metrics: w.m, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	set, report, err := partition.Open(partition.Options{
		FS: disk, Dir: testData, Store: store, Values: values, Metrics: w.m, Logger: slog.New(slog.DiscardHandler),
		Now: time.Now, Random: rand.NewChaCha8([32]byte{byte(store.Image().BrokerEpoch())}), Observer: w.Recorder,
	}, clean)
	w.must(err)
	w.Start(set, report.Clean)
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// end stops the broker in order.
func (w *world) end() {
	w.Helper()
	w.Stop()
	w.must(w.set.Close())
	w.must(w.store.Close())
}

// halt ends the worker, as the death of the process does; what was heard since the
// last round is lost.
func (w *world) halt() {
	close(w.stop)
	w.done.Wait()
}

func (w *world) create(name string, configs ...string) *partition.Partition {
	w.Helper()
	set := map[string]string{"audit.enable": "true"}
	for i := 0; i < len(configs); i += 2 {
		set[configs[i]] = configs[i+1]
	}
	_, errs := w.set.CreateTopics([]partition.Topic{{Name: name, Partitions: 1, Configs: set}})
	w.must(errs[0])
	return w.set.Get(name, 0)
}

// append appends n records in one batch, as a produce request does.
func (w *world) append(p *partition.Partition, c *wire.Client, n int) int64 {
	w.Helper()
	var b batch.Builder
	for range n {
		b.Add(1, nil, []byte("v"))
	}
	encoded, err := b.Bytes()
	w.must(err)
	a := log.NewAppend()
	a.Batch = encoded
	a.Header, err = batch.ParseHeader(encoded)
	w.must(err)
	at := time.Now()
	p.Append(a)
	w.must(a.Err)
	w.Appended(p, c, a.Base, a.Next, at)
	return a.Base
}

// checkpoint has the next round write one.
func (w *world) checkpoint() {
	w.work.Lock()
	defer w.work.Unlock()
	w.writer.due = 0
}

// durable waits until a partition is durable up to an offset.
func (w *world) durable(p *partition.Partition, to int64) {
	w.Helper()
	for deadline := time.Now().Add(time.Minute); p.DurableTo() < to; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("durable up to %d, not %d", p.DurableTo(), to)
		}
	}
}

func (w *world) trace(p *partition.Partition, offset int64, groups ...string) Trace {
	w.Helper()
	return w.traceOf(p, p.Log().EpochAt(offset), offset, groups...)
}

func (w *world) traceOf(p *partition.Partition, epoch int32, offset int64, groups ...string) Trace {
	w.Helper()
	t, err := w.Trace(context.Background(), Query{TopicID: p.ID, Partition: p.Index, Epoch: epoch, Offset: offset, Groups: groups})
	w.must(err)
	return t
}

func clientOf(id string) *wire.Client {
	return &wire.Client{ID: id, Address: netip.MustParseAddrPort("10.1.2.3:4567"), Listener: "PLAINTEXT"}
}
