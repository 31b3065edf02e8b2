package api

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"log/slog"
	"math"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/protocol/batch"
	"sordini/segment/vfs"
	"sordini/server/audit"
	"sordini/server/config"
	"sordini/server/meta"
	"sordini/server/metrics"
	"sordini/server/partition"
	"sordini/server/wire"
)

// shape is a whole server in this process, on real files and a real socket, so
// that what a request costs can be counted.
type shape struct {
	testing.TB
	m    *metrics.Metrics
	conn net.Conn
	buf  []byte
}

func newShape(t testing.TB, settings ...string) *shape {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool drop a part of what it is given; scripts/test counts without it")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, fs := t.TempDir(), vfs.OS()
	store, _, err := meta.Open(fs, dir+"/metadata", meta.Options{})
	must(err)
	_, err = store.Identify(dir, -1, rand.Reader)
	must(err)
	_, clean, err := store.Start(dir)
	must(err)
	values, err := config.Load(config.Input{Flags: settings})
	must(err)
	m := metrics.New("test", Name)
	logger := slog.New(slog.DiscardHandler)
	recorder := audit.New(audit.Options{Metrics: m, Logger: logger, Now: time.Now})
	set, _, err := partition.Open(partition.Options{
		FS: fs, Dir: dir, Store: store, Values: values, Metrics: m, Logger: logger, Now: time.Now, Random: rand.Reader, Observer: recorder,
	}, clean)
	must(err)
	recorder.Start(set, clean)
	_, routes := New(Options{Set: set, Audit: recorder, Metrics: m, Logger: logger})
	server := wire.NewServer(wire.Options{Routes: routes, Metrics: m, Logger: logger, Limits: wire.Limits{
		RequestBytes: 100 << 20, QueuedBytes: -1, Connections: 10, ConnectionsPerIP: 10, Idle: time.Minute,
		Elements: func() int { return 1000 },
	}})
	l, err := server.Listen(context.Background(), "127.0.0.1:0")
	must(err)
	go server.Serve(l, "TEST")
	conn, err := net.Dial("tcp", l.Addr().String())
	must(err)
	t.Cleanup(func() {
		conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		server.Shutdown(ctx)
		recorder.Stop()
		set.Close()
		store.Close()
	})
	return &shape{TB: t, m: m, conn: conn, buf: make([]byte, 8<<20)}
}

// ask sends the frame n times at once and reads the answers, without allocating.
func (s *shape) ask(frame []byte, n int) {
	if _, err := s.conn.Write(frame); err != nil {
		s.Fatal(err)
	}
	for range n {
		if _, err := io.ReadFull(s.conn, s.buf[:4]); err != nil {
			s.Fatal(err)
		}
		if _, err := io.ReadFull(s.conn, s.buf[:binary.BigEndian.Uint32(s.buf)]); err != nil {
			s.Fatal(err)
		}
	}
}

// allocations is how many of them the whole process makes for each request. The least of
// some counts stands: a garbage collection empties the pools.
func (s *shape) allocations(frame []byte, perFrame int) float64 {
	const rounds = 100
	for range 50 {
		s.ask(frame, perFrame)
	}
	least := uint64(math.MaxUint64)
	for range counts {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			s.ask(frame, perFrame)
		}
		runtime.ReadMemStats(&after)
		least = min(least, after.Mallocs-before.Mallocs)
	}
	return float64(least) / float64(rounds*perFrame)
}

// counts is how often allocations counts.
const counts = 3

func framed(req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("shape")).AppendRequest(nil, req, 1)
}

func produceFrame(t testing.TB, acks int16, size int) []byte {
	t.Helper()
	var b batch.Builder
	b.Add(time.Now().UnixMilli(), nil, make([]byte, size))
	records, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	p := kmsg.NewPtrProduceRequest()
	p.Version, p.Acks, p.TimeoutMillis = 9, acks, 10_000
	p.Topics = []kmsg.ProduceRequestTopic{{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: records}}}}
	return framed(p)
}

func (s *shape) create() {
	m := kmsg.NewPtrMetadataRequest()
	m.Version, m.AllowAutoTopicCreation = 4, true
	m.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("t")}}
	s.ask(framed(m), 1)
}

func repeat(frame []byte, n int) []byte {
	var all []byte
	for range n {
		all = append(all, frame...)
	}
	return all
}

// What a request costs, in counts that do not depend on the machine.
func TestShape_Produce(t *testing.T) {
	s := newShape(t, "flush.policy=async", "flush.async.interval.ms=3600000")
	s.create()
	one := produceFrame(t, 1, 16<<10)
	if n := s.allocations(one, 1); n > 0.2 {
		t.Errorf("%.2f allocations for a produce request", n)
	}
	small := repeat(produceFrame(t, 1, 1<<10), 32)
	writes := s.m.AnswerWrites.Load()
	if n := s.allocations(small, 32); n > 0.2 {
		t.Errorf("%.2f allocations for a pipelined produce request", n)
	}
	if perAnswer := float64(s.m.AnswerWrites.Load()-writes) / (350 * 32); perAnswer > 0.1 {
		t.Errorf("%.2f writes for each answer of 32 requests that were sent together", perAnswer)
	}
}

// What the audit keeps costs no allocation either, but for the rounds of its worker.
func TestShape_ProduceAudited(t *testing.T) {
	s := newShape(t, "flush.policy=async", "flush.async.interval.ms=3600000", "audit.enable=true")
	s.create()
	small := repeat(produceFrame(t, 1, 1<<10), 32)
	if n := s.allocations(small, 32); n > 0.2 {
		t.Errorf("%.2f allocations for a produce request that is audited", n)
	}
	if n := s.m.AuditEntries.Load(); n == 0 {
		t.Error("nothing was kept")
	}
}

func TestShape_ProduceSync(t *testing.T) {
	s := newShape(t)
	s.create()
	if n := s.allocations(produceFrame(t, -1, 1<<10), 1); n > 4 {
		t.Errorf("%.2f allocations for a produce request that waits for its fsync", n)
	}
}

func TestShape_Fetch(t *testing.T) {
	s := newShape(t, "flush.policy=async", "flush.async.interval.ms=3600000")
	s.create()
	s.ask(repeat(produceFrame(t, 1, 16<<10), 64), 64)
	f := kmsg.NewPtrFetchRequest()
	f.Version, f.MaxBytes, f.MinBytes, f.SessionEpoch = 11, 1<<20, 1, -1
	f.Topics = []kmsg.FetchRequestTopic{{Topic: "t", Partitions: []kmsg.FetchRequestTopicPartition{{PartitionMaxBytes: 1 << 20, CurrentLeaderEpoch: -1}}}}
	sent := s.m.SendfileBytes.Load()
	if n := s.allocations(framed(f), 1); n > 9 {
		t.Errorf("%.2f allocations for a fetch request", n)
	}
	if runtime.GOOS == "linux" && s.m.SendfileBytes.Load()-sent < 350*900<<10 {
		t.Errorf("%d bytes by sendfile", s.m.SendfileBytes.Load()-sent)
	}
	if n := s.m.CopiedBytes.Load(); n != 0 {
		t.Errorf("%d bytes were copied", n)
	}
}
