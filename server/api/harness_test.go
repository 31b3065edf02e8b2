package api

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/protocol/guard"
	"sordini/segment/vfs"
	"sordini/server/config"
	"sordini/server/meta"
	"sordini/server/metrics"
	"sordini/server/partition"
	"sordini/server/wire"
)

const (
	testData      = "data"
	testClusterID = "MkU3OEVBNTcwNTJENDM2Qg"
)

// harness is an API over a file system in memory, without a network.
type harness struct {
	testing.TB
	*API
	fs     *vfs.Faulty
	groups *fakeGroups
	routes *wire.Routes
	log    *logBuffer
}

// newHarness starts a broker with settings, as name=value.
func newHarness(t testing.TB, settings ...string) *harness {
	t.Helper()
	h := &harness{TB: t, fs: vfs.NewFaulty(vfs.NewMem(), nil), groups: &fakeGroups{shards: 2}, log: &logBuffer{}}
	h.must(h.fs.MkdirAll(testData))
	h.must(h.fs.SyncDir("."))
	store, _, err := meta.Open(h.fs, testData+"/meta", meta.Options{})
	h.must(err)
	_, err = store.Apply(meta.ClusterCreated{ClusterID: testClusterID, DirectoryID: meta.TopicID{6: 0x40, 8: 0x80}.String(), NodeID: 1})
	h.must(err)
	_, err = store.Start(false)
	h.must(err)
	values, err := config.Load(config.Input{Flags: settings})
	h.must(err)
	m := metrics.New("test", Name)
	logger := slog.New(slog.NewTextHandler(h.log, nil))
	set, _, err := partition.Open(partition.Options{
		FS: h.fs, Dirs: []partition.Dir{{Path: testData, Metadata: true}}, Store: store, Values: values, Metrics: m, Logger: logger,
		Now: time.Now, Random: rand.NewChaCha8([32]byte{}),
	})
	h.must(err)
	t.Cleanup(func() {
		_ = set.Close() // fails where a test has broken the file system
		_ = store.Close()
	})
	h.API, h.routes = New(Options{
		Set: set, Groups: h.groups, Metrics: m, Logger: logger, Advertised: []config.Listener{{Host: "broker.test", Port: 9092}},
	})
	return h
}

// logBuffer keeps what the broker logs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (h *harness) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// route finds the route of an API.
func (h *harness) route(key int16) wire.Route {
	h.Helper()
	all := h.routes.All()
	i := slices.IndexFunc(all, func(r wire.Route) bool { return r.Key == key })
	if i < 0 {
		h.Fatalf("%s has no route", Name(key))
	}
	return all[i]
}

// versions are those that the API of the request is served in.
func (h *harness) versions(req kmsg.Request) []int16 {
	r := h.route(req.Key())
	var v []int16
	for i := r.Min; i <= r.Max; i++ {
		v = append(v, i)
	}
	return v
}

// call sends a request the way that it has on a connection: encoded, through the
// guard, to the handler of its route; and decodes the answer, all of it.
func call[S kmsg.Response](h *harness, version int16, req kmsg.Request) S {
	h.Helper()
	req.SetVersion(version)
	body := req.AppendTo(nil)
	h.must(guard.Check(req.Key(), version, body))
	reply := h.route(req.Key()).Handle(&wire.Request{Conn: &wire.Conn{}, Key: req.Key(), Version: version, Body: body, Received: time.Now()})
	encoded, ok := reply.(wire.Appender)
	if !ok || !reply.Ready() {
		h.Fatalf("%s version %d: reply %T is not complete", Name(req.Key()), version, reply)
	}
	answer := encoded.AppendTo(nil)
	resp := req.ResponseKind()
	h.must(resp.ReadFrom(answer))
	if again := resp.AppendTo(nil); !bytes.Equal(again, answer) {
		h.Fatalf("%s version %d: answer has %d bytes, its decoded form %d", Name(req.Key()), version, len(answer), len(again))
	}
	return resp.(S)
}

// createTopic creates a topic with settings, as name and value in turn.
func (h *harness) createTopic(name string, partitions int32, settings ...string) *meta.Topic {
	h.Helper()
	configs := make(map[string]string)
	for i := 0; i < len(settings); i += 2 {
		configs[settings[i]] = settings[i+1]
	}
	topics, errs := h.set.CreateTopics([]partition.Topic{{Name: name, Partitions: partitions, Configs: configs, Internal: reservedTopic(name)}})
	h.must(errs[0])
	return topics[0]
}

// write appends n records, one batch each, and waits for the high watermark.
func (h *harness) write(topic string, index int32, n int) {
	h.Helper()
	p := h.set.Get(topic, index)
	w := partition.NewAckWaiter()
	for range n {
		var b batch.Builder
		b.Add(1, []byte("key"), []byte("value"))
		bytes, err := b.Bytes()
		h.must(err)
		ap := log.NewAppend()
		ap.Batch = bytes
		ap.Header, err = batch.ParseHeader(bytes)
		h.must(err)
		p.Append(ap)
		h.must(ap.Err)
		for {
			acked, err := p.Acked(ap.Next, w)
			h.must(err)
			if acked {
				break
			}
			<-w.C
		}
	}
}

// text is the string, or "<nil>".
func text(s *string) string {
	if s == nil {
		return "<nil>"
	}
	return *s
}
