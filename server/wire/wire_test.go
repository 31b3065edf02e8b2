package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
	"sordini/server/metrics"
)

// patience is how long a test waits for something that must happen.
const patience = 20 * time.Second

// lockedBuffer collects the log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type rig struct {
	server *Server
	addr   string
	log    *lockedBuffer
	m      *metrics.Metrics
}

// serveRoutes starts a server with these routes.
func serveRoutes(t testing.TB, change func(*Options), routes ...Route) *rig {
	t.Helper()
	r := &rig{log: &lockedBuffer{}, m: metrics.New("test", func(int16) string { return "" })}
	opt := Options{
		Routes: NewRoutes(routes), Metrics: r.m, Logger: slog.New(slog.NewTextHandler(r.log, nil)),
		Limits: Limits{RequestBytes: 100 << 20, QueuedBytes: 256 << 20, Connections: 1000, ConnectionsPerIP: 1000, Idle: time.Minute, Elements: func() int { return 1000 }},
	}
	if change != nil {
		change(&opt)
	}
	r.server = NewServer(opt)
	l, err := r.server.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- r.server.Serve(l, "TEST") }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return r
}

func (r *rig) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c
}

// frame is a request with its header and length.
func frame(req kmsg.Request, correlation int32) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("tester")).AppendRequest(nil, req, correlation)
}

func heartbeat(group string) *kmsg.HeartbeatRequest {
	h := kmsg.NewPtrHeartbeatRequest()
	h.Group = group
	return h
}

func metadata() *kmsg.MetadataRequest {
	m := kmsg.NewPtrMetadataRequest()
	m.Version = 1
	return m
}

// text is an answer.
type text string

func (s text) AppendTo(b []byte) []byte { return append(b, s...) }

// gate is a reply that waits until it is opened.
type gate struct {
	open     chan struct{}
	body     string
	released atomic.Int32
	waited   atomic.Int32
}

func newGate(body string) *gate { return &gate{open: make(chan struct{}), body: body} }

func (g *gate) Ready() bool {
	select {
	case <-g.open:
		return true
	default:
		return false
	}
}

func (g *gate) Wait(w *Waiter) {
	g.waited.Add(1)
	select {
	case <-g.open:
	case <-w.Gone:
	case <-w.Stopping:
	}
}

func (g *gate) Encode(w *Writer) error {
	w.Append(func(b []byte) []byte { return append(b, g.body...) })
	return nil
}

func (g *gate) Release() { g.released.Add(1) }

func readAnswer(t testing.TB, c net.Conn) (correlation int32, body []byte) {
	t.Helper()
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		t.Fatalf("answer: %v", err)
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("answer: %v", err)
	}
	return int32(binary.BigEndian.Uint32(b)), b[4:]
}

func wantClosed(t testing.TB, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || os.IsTimeout(err) {
		t.Fatalf("connection is open: read %d, %v", n, err)
	}
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func TestConn_AnswersInOrderAndTogether(t *testing.T) {
	first := newGate("first")
	var started atomic.Int32
	r := serveRoutes(t, nil,
		Route{Key: 12, Max: 4, Handle: func(*Request) Reply { return first }},
		Route{Key: 3, Max: 13, Pipelined: true, Handle: func(q *Request) Reply { started.Add(1); return Now(text("later")) }})
	c := r.dial(t)
	var all []byte
	all = append(all, frame(heartbeat("g"), 1)...)
	for i := int32(2); i <= 20; i++ {
		all = append(all, frame(metadata(), i)...)
	}
	c.Write(all)
	eventually(t, "later requests start while the first waits", func() bool { return started.Load() == 19 })
	before := r.m.AnswerWrites.Load()
	close(first.open)
	for i := int32(1); i <= 20; i++ {
		correlation, body := readAnswer(t, c)
		want := "later"
		if i == 1 {
			want = "first"
		}
		if correlation != i || string(body) != want {
			t.Fatalf("answer %d is %d %q", i, correlation, body)
		}
	}
	if n := r.m.AnswerWrites.Load() - before; n != 1 {
		t.Errorf("20 answers that were ready together took %d writes", n)
	}
	eventually(t, "reply released once", func() bool { return first.released.Load() == 1 })
}

func TestConn_RefusesFrames(t *testing.T) {
	r := serveRoutes(t, nil, Route{Key: 3, Max: 13, Handle: func(*Request) Reply { return Now(text("ok")) }})
	u32 := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	old := metadata()
	unknown := frame(old, 7)
	binary.BigEndian.PutUint16(unknown[4:], 999)
	tooNew := frame(old, 7)
	binary.BigEndian.PutUint16(tooNew[6:], 99)
	bomb := append(u32(8+2+6+8), frame(old, 7)[4:]...)
	crowd := metadata()
	crowd.Version = 4
	for i := range 1001 {
		crowd.Topics = append(crowd.Topics, kmsg.MetadataRequestTopic{Topic: kmsg.StringPtr(fmt.Sprint("topic-", i))})
	}
	many := frame(crowd, 7)
	for name, b := range map[string][]byte{
		"negative length":                     u32(0xffffffff),
		"zero length":                         u32(0),
		"length of half a header":             u32(7),
		"length above the limit":              u32(100<<20 + 1),
		"large first frame":                   append(u32(65537), 0, 3, 0, 1),
		"unknown key":                         unknown,
		"unknown version":                     tooNew,
		"more elements than allowed":          many,
		"array count beyond the frame's size": append(bomb[:4+8+2+6], 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			c := r.dial(t)
			c.Write(b)
			wantClosed(t, c)
		})
	}
	if log := r.log.String(); !strings.Contains(log, "API key 3 version 99 is not served") || !strings.Contains(log, "id=tester") {
		t.Errorf("the log does not name client, key and version:\n%s", log)
	}
}

func TestConn_FirstFrameMayBeALargeProduce(t *testing.T) {
	r := serveRoutes(t, nil, Route{Key: 0, Min: 3, Max: 13, Handle: func(q *Request) Reply { return Now(text(fmt.Sprint(len(q.Body)))) }})
	c := r.dial(t)
	p := kmsg.NewPtrProduceRequest()
	p.Version = 7
	p.Topics = []kmsg.ProduceRequestTopic{{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: make([]byte, 3<<20)}}}}
	b := frame(p, 1)
	for _, part := range [][]byte{b[:5], b[5:70000], b[70000:]} {
		c.Write(part)
	}
	if _, body := readAnswer(t, c); string(body) != fmt.Sprint(len(p.AppendTo(nil))) {
		t.Fatalf("the handler saw %s bytes of %d", body, len(p.AppendTo(nil)))
	}
	eventually(t, "the buffer was given back", func() bool { return r.m.InflightBytes.Load() == 0 })
}

// What a length claims is not allocated before it came.
func TestConn_ClaimsCostNothing(t *testing.T) {
	r := serveRoutes(t, nil, Route{Key: 0, Min: 3, Max: 13, Handle: func(*Request) Reply { return nil }})
	for range 50 {
		c := r.dial(t)
		c.Write(append(binary.BigEndian.AppendUint32(nil, 90<<20), 0, 0, 0, 7, 1, 2, 3))
	}
	eventually(t, "all connected", func() bool { return r.m.Connections.Load() == 50 })
	if n := r.m.InflightBytes.Load(); n != 0 {
		t.Errorf("%d bytes held for 50 claims of 90 MiB", n)
	}
}

func TestConn_ApiVersionsOfUnknownVersion(t *testing.T) {
	r := serveRoutes(t, nil, Route{Key: apiVersionsKey, Max: 4, Handle: func(q *Request) Reply {
		return Now(text(fmt.Sprint(q.Unsupported, q.Version)))
	}})
	c := r.dial(t)
	v := kmsg.NewPtrApiVersionsRequest()
	v.Version = 4
	v.ClientSoftwareName, v.ClientSoftwareVersion = "test", "1"
	b := frame(v, 5)
	binary.BigEndian.PutUint16(b[6:], 99)
	c.Write(b)
	if id, body := readAnswer(t, c); id != 5 || string(body) != "true 0" {
		t.Fatalf("answer %d %q", id, body)
	}
}

func TestConn_PanicClosesOneConnection(t *testing.T) {
	r := serveRoutes(t, nil, Route{Key: 3, Max: 13, Handle: func(*Request) Reply { panic("planted") }},
		Route{Key: 12, Max: 4, Handle: func(*Request) Reply { return Now(text("alive")) }})
	bad, good := r.dial(t), r.dial(t)
	bad.Write(frame(metadata(), 1))
	wantClosed(t, bad)
	good.Write(frame(heartbeat("g"), 1))
	if _, body := readAnswer(t, good); string(body) != "alive" {
		t.Fatalf("answer %q", body)
	}
	if !strings.Contains(r.log.String(), "planted") {
		t.Error("the panic is not in the log")
	}
}

func TestConn_HangupAfterEarlierAnswers(t *testing.T) {
	r := serveRoutes(t, nil, Route{Key: 3, Max: 13, Handle: func(*Request) Reply { return Now(text("one")) }},
		Route{Key: 12, Max: 4, Handle: func(*Request) Reply { return Hangup(fmt.Errorf("enough")) }})
	c := r.dial(t)
	c.Write(append(frame(metadata(), 1), frame(heartbeat("g"), 2)...))
	if _, body := readAnswer(t, c); string(body) != "one" {
		t.Fatalf("answer %q", body)
	}
	wantClosed(t, c)
}

func TestConn_ClientGoneEndsTheWait(t *testing.T) {
	g := newGate("")
	r := serveRoutes(t, nil, Route{Key: 12, Max: 4, Handle: func(*Request) Reply { return g }})
	c := r.dial(t)
	c.Write(frame(heartbeat("g"), 1))
	eventually(t, "waiting", func() bool { return g.waited.Load() == 1 })
	c.Close()
	eventually(t, "released", func() bool { return g.released.Load() == 1 })
	eventually(t, "connection gone", func() bool { return r.m.Connections.Load() == 0 })
}

func TestServer_ShutdownFinishesWhatWasRead(t *testing.T) {
	g := newGate("late")
	r := serveRoutes(t, nil, Route{Key: 12, Max: 4, Handle: func(*Request) Reply { return g }})
	c := r.dial(t)
	c.Write(frame(heartbeat("g"), 1))
	eventually(t, "waiting", func() bool { return g.waited.Load() == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if _, body := readAnswer(t, c); string(body) != "late" {
		t.Fatalf("answer %q", body)
	}
	wantClosed(t, c)
}

func TestServer_Limits(t *testing.T) {
	r := serveRoutes(t, func(o *Options) { o.Limits.ConnectionsPerIP = 2 },
		Route{Key: 12, Max: 4, Handle: func(*Request) Reply { return Now(text("ok")) }})
	a, b := r.dial(t), r.dial(t)
	for _, c := range []net.Conn{a, b} {
		c.Write(frame(heartbeat("g"), 1))
		readAnswer(t, c)
	}
	wantClosed(t, r.dial(t))
	a.Close()
	eventually(t, "room again", func() bool { return r.m.Connections.Load() == 1 })
	c := r.dial(t)
	c.Write(frame(heartbeat("g"), 1))
	readAnswer(t, c)
}

// files is a reply with a range of a file between bytes from memory.
type files struct {
	t     testing.TB
	r     segment.Range
	after string
}

func (*files) Ready() bool  { return true }
func (*files) Wait(*Waiter) {}
func (*files) Release()     {}

func (f *files) Encode(w *Writer) error {
	w.Append(func(b []byte) []byte { return append(b, "head"...) })
	if err := w.Range(f.r); err != nil {
		return err
	}
	w.Append(func(b []byte) []byte { return append(b, f.after...) })
	return nil
}

// A range goes by sendfile if it is long, and is copied if it is short; the bytes
// are the same.
func TestWriter_Ranges(t *testing.T) {
	for _, size := range []int{100, CopyBelow - 200, CopyBelow + 1, 1 << 20} {
		s, want := writeSegment(t, size)
		defer s.Close()
		r := serveRoutes(t, nil, Route{Key: 12, Max: 4, Handle: func(*Request) Reply {
			rg, _, err := s.Read(s.Base(), int64(len(want)), int64(len(want)), true)
			if err != nil {
				t.Error(err)
			}
			return &files{t, rg, "tail"}
		}})
		c := r.dial(t)
		c.Write(append(frame(heartbeat("g"), 1), frame(heartbeat("g"), 2)...))
		for range 2 {
			if _, body := readAnswer(t, c); string(body) != "head"+string(want)+"tail" {
				t.Fatalf("%d bytes came, want %d", len(body), len(want)+8)
			}
		}
		sent, copied := r.m.SendfileBytes.Load(), r.m.CopiedBytes.Load()
		if len(want) > CopyBelow && runtime.GOOS == "linux" {
			sent, copied = copied, sent
		}
		if sent != 0 || copied != 2*int64(len(want)) {
			t.Errorf("range of %d bytes: %d went the wrong way, %d the right one", len(want), sent, copied)
		}
	}
}

func writeSegment(t testing.TB, size int) (*segment.Segment, []byte) {
	t.Helper()
	fs := vfs.OS()
	s, err := segment.Create(t.TempDir(), 0, segment.Options{FS: fs, Handles: segment.NewHandles(fs, 8), IndexInterval: 4096})
	if err != nil {
		t.Fatal(err)
	}
	var builder batch.Builder
	builder.Add(1, nil, bytes.Repeat([]byte("x"), size))
	b, err := builder.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append([][]byte{b}, []segment.Entry{{Size: int64(len(b)), LastOffset: 0, MaxTimestamp: 1}}); err != nil {
		t.Fatal(err)
	}
	return s, b
}

func TestBudget(t *testing.T) {
	var held atomic.Int64
	b := newBudget(100, &held)
	gone := make(chan struct{})
	take := func(n int64, gone <-chan struct{}) bool {
		_, ok := b.take(n, 0, 0, gone)
		return ok
	}
	if !take(60, gone) || !take(40, gone) {
		t.Fatal("the budget refuses what fits")
	}
	granted := make(chan int, 2)
	go func() { take(50, nil); granted <- 50 }()
	b.waiting(t, 1)
	go func() { take(10, nil); granted <- 10 }()
	b.waiting(t, 2)
	b.give(40, 0) // 60 held: 50 does not fit, and 10 must not overtake it
	select {
	case n := <-granted:
		t.Fatalf("claim of %d overtook", n)
	case <-time.After(20 * time.Millisecond):
	}
	b.give(60, 0)
	if a, c := <-granted, <-granted; a+c != 60 || held.Load() != 60 {
		t.Fatalf("granted %d and %d, held %d", a, c, held.Load())
	}
	close(gone)
	b.mu.Lock()
	b.used = 100
	b.mu.Unlock()
	if take(1, gone) {
		t.Error("a claim of a client that has gone was granted")
	}
	b.give(50, 0)
	b.give(50, 0)
	if !take(1000, nil) {
		t.Error("a claim above the whole budget is never granted")
	}
}

// waiting waits until n claims do.
func (b *budget) waiting(t testing.TB, n int) {
	t.Helper()
	eventually(t, fmt.Sprint(n, " claims wait"), func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.waiters) == n })
}

// Frames that all have a part of the budget and all want more would wait for each
// other for ever: the oldest goes on, and only that.
func TestBudget_HoldersDoNotWaitForEachOther(t *testing.T) {
	var held atomic.Int64
	b := newBudget(100, &held)
	tickets := make([]int64, 4)
	for i := range tickets {
		tickets[i], _ = b.take(25, 0, 0, nil)
	}
	granted := make(chan int)
	for n, i := range []int{2, 1, 3, 0} {
		go func() {
			b.take(50, 25, tickets[i], nil)
			granted <- i
		}()
		if i > 0 {
			b.waiting(t, n+1)
		}
	}
	for want := range 4 { // by age while nothing fits, then in the order of the claims
		if got := <-granted; got != want {
			t.Fatalf("frame %d goes on, want %d", got, want)
		}
		if held.Load() > 150 {
			t.Errorf("%d held of 100", held.Load())
		}
		b.give(25, 50)
		b.give(50, 0)
	}
	if b.used != 0 || b.holders != 0 || b.stuck != 0 || held.Load() != 0 {
		t.Errorf("at the end: %+v", b)
	}
}
