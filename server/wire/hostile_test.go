package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// produceOf is a Produce request with records of a size.
func produceOf(size int) []byte {
	p := kmsg.NewPtrProduceRequest()
	p.Version = 7
	p.Topics = []kmsg.ProduceRequestTopic{{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: make([]byte, size)}}}}
	return frame(p, 1)
}

// produceRoute answers every Produce request at once.
var produceRoute = Route{Key: 0, Min: 3, Max: 13, Handle: func(*Request) Reply { return Now(text("stored")) }}

func TestConn_StallInsideAFrame(t *testing.T) {
	r := serveRoutes(t, func(o *Options) { o.Limits.Stall = 50 * time.Millisecond }, produceRoute)
	silent := r.dial(t) // between frames a client may be silent for longer
	b := produceOf(1000)
	for _, n := range []int{1, 3, 4, 7, 13, len(b) - 1} {
		c := r.dial(t)
		began := time.Now()
		c.Write(b[:n])
		wantClosed(t, c)
		if took := time.Since(began); took < 50*time.Millisecond {
			t.Errorf("closed %v after %d bytes", took, n)
		}
	}
	silent.Write(b)
	if _, body := readAnswer(t, silent); string(body) != "stored" {
		t.Errorf("answer %q after a silence", body)
	}
}

// A client that sends byte after byte never stalls, and still does not keep a
// connection for as long as it likes.
func TestConn_TrickleInsideAFrame(t *testing.T) {
	r := serveRoutes(t, func(o *Options) { o.Limits.Stall = 100 * time.Millisecond }, produceRoute)
	c := r.dial(t)
	b := produceOf(20 << 10)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		c.Read(make([]byte, 1))
	}()
	c.Write(b[:8])
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 8; ; i++ {
		select {
		case <-closed:
			return
		case <-tick.C:
		}
		if i == 1000 { // 10 s
			t.Fatal("a connection lives on one byte every 10 ms")
		}
		c.Write(b[i : i+1])
	}
}

// What may not be pipelined is not even started while a reply is owed: nothing
// piles up behind a reply that waits.
func TestConn_OthersWaitForTheirTurn(t *testing.T) {
	first := newGate("first")
	var light, heavy atomic.Int32
	r := serveRoutes(t, func(o *Options) { o.Limits.Elements = func() int { return 100_000 } },
		Route{Key: 12, Max: 4, Handle: func(*Request) Reply { return first }},
		Route{Key: 10, Max: 4, Pipelined: true, Handle: func(*Request) Reply { light.Add(1); return Now(text("light")) }},
		Route{Key: 42, Max: 2, Pipelined: true, Handle: func(*Request) Reply { light.Add(1); return Now(text("many")) }},
		Route{Key: 3, Max: 13, Handle: func(*Request) Reply { heavy.Add(1); return Now(text("heavy")) }})
	find := kmsg.NewPtrFindCoordinatorRequest()
	many := kmsg.NewPtrDeleteGroupsRequest()
	many.Groups = make([]string, pipelinedElements-1)
	var all []byte
	for _, req := range []kmsg.Request{heartbeat("g"), find, many, many, metadata()} {
		all = append(all, frame(req, 1)...)
	}
	c := r.dial(t)
	c.Write(all)
	eventually(t, "light requests start", func() bool { return light.Load() == 2 })
	time.Sleep(20 * time.Millisecond)
	if light.Load() != 2 || heavy.Load() != 0 {
		t.Fatalf("%d light and %d heavy requests were started behind a reply that waits, want 2 and 0", light.Load(), heavy.Load())
	}
	close(first.open)
	for _, want := range []string{"first", "light", "many", "many", "heavy"} {
		if _, body := readAnswer(t, c); string(body) != want {
			t.Fatalf("answer %q, want %q", body, want)
		}
	}
}

// A connection whose reader waits for its turn ends all the same when the writer
// gives up.
func TestConn_WriterGivesUpWhileTheReaderWaits(t *testing.T) {
	bad := newGate("")
	r := serveRoutes(t, nil, Route{Key: 12, Max: 4, Handle: func(*Request) Reply { return &failing{bad} }},
		Route{Key: 3, Max: 13, Handle: func(*Request) Reply { return Now(text("never")) }})
	c := r.dial(t)
	c.Write(append(frame(heartbeat("g"), 1), frame(metadata(), 2)...))
	eventually(t, "waiting", func() bool { return bad.waited.Load() == 1 })
	close(bad.open)
	wantClosed(t, c)
	eventually(t, "connection gone", func() bool { return r.m.Connections.Load() == 0 })
}

// failing is a reply that can't be encoded once it is ready.
type failing struct{ *gate }

func (*failing) Encode(*Writer) error { return io.ErrUnexpectedEOF }

// explosive panics where it is told to.
type explosive struct{ at string }

func (e *explosive) explode(at string) {
	if e.at == at {
		panic("planted in " + at)
	}
}

func (e *explosive) Ready() bool  { e.explode("ready"); return e.at == "encode" }
func (e *explosive) Wait(*Waiter) { e.explode("wait") }
func (e *explosive) Encode(w *Writer) error {
	w.Append(func(b []byte) []byte { return append(b, "half of an answer"...) })
	e.explode("encode")
	return nil
}
func (e *explosive) Release() {}

func TestConn_PanicInAReplyClosesOneConnection(t *testing.T) {
	for _, at := range []string{"ready", "wait", "encode"} {
		r := serveRoutes(t, nil, Route{Key: 3, Max: 13, Handle: func(*Request) Reply { return &explosive{at} }})
		for range 2 * rationBurst {
			r.server.warn("others fill the log")
		}
		c := r.dial(t)
		c.Write(frame(metadata(), 1))
		wantClosed(t, c)
		eventually(t, "connection gone", func() bool { return r.m.Connections.Load() == 0 })
		if !strings.Contains(r.log.String(), "planted in "+at) {
			t.Errorf("the panic in %s is not in the log", at)
		}
	}
}

// An answer that fails behind a range of a file leaves nothing of itself, and all
// of the answers before.
func TestWriter_FailedAnswerLeavesNothing(t *testing.T) {
	s, want := writeSegment(t, CopyBelow+1)
	defer s.Close()
	r := serveRoutes(t, nil, Route{Key: 3, Max: 13, Handle: func(*Request) Reply { return Now(text("before")) }},
		Route{Key: 12, Max: 4, Handle: func(*Request) Reply {
			rg, _, err := s.Read(s.Base(), int64(len(want)), int64(len(want)), true)
			if err != nil {
				t.Error(err)
			}
			return &halfway{files{t, rg, ""}}
		}})
	c := r.dial(t)
	c.Write(append(frame(metadata(), 1), frame(heartbeat("g"), 2)...))
	if _, body := readAnswer(t, c); string(body) != "before" {
		t.Errorf("answer %q", body)
	}
	wantClosed(t, c)
}

// halfway is an answer that fails after a range of a file.
type halfway struct{ files }

func (h *halfway) Encode(w *Writer) error {
	if err := h.files.Encode(w); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// A reply waits as long as it likes, but no longer than a connection may be idle.
func TestConn_WaitIsBounded(t *testing.T) {
	r := serveRoutes(t, func(o *Options) { o.Limits.Idle = 100 * time.Millisecond },
		Route{Key: 12, Max: 4, Handle: func(*Request) Reply { return &patient{} }})
	c := r.dial(t)
	c.Write(frame(heartbeat("g"), 1))
	if _, body := readAnswer(t, c); string(body) != "at last" {
		t.Errorf("answer %q", body)
	}
}

// A reply that waits for neither client nor shutdown does not hold up the shutdown
// for longer than its time limit.
func TestServer_ShutdownKeepsItsTimeLimit(t *testing.T) {
	stubborn := newGate("")
	r := serveRoutes(t, nil, Route{Key: 12, Max: 4, Handle: func(*Request) Reply { return &deafToStop{stubborn} }})
	c := r.dial(t)
	c.Write(frame(heartbeat("g"), 1))
	eventually(t, "waiting", func() bool { return stubborn.waited.Load() == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := r.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
}

// deafToStop is a reply that waits for its gate or the client only.
type deafToStop struct{ *gate }

func (d *deafToStop) Wait(w *Waiter) { d.gate.Wait(&Waiter{Gone: w.Gone}) }

// patient is a reply that waits for a day.
type patient struct{}

func (*patient) Ready() bool    { return false }
func (*patient) Wait(w *Waiter) { <-w.After(24 * time.Hour) }
func (*patient) Release()       {}
func (*patient) Encode(w *Writer) error {
	w.Append(func(b []byte) []byte { return append(b, "at last"...) })
	return nil
}

// Frames that come slowly, all at the same time, and together do not fit into the
// budget, are served all the same: each waits for memory while it holds some.
func TestConn_BudgetIsNoTrap(t *testing.T) {
	r := serveRoutes(t, func(o *Options) { o.Limits.QueuedBytes = 1 << 20 }, produceRoute)
	b := produceOf(900 << 10)
	const clients = 8
	var begun, done sync.WaitGroup
	begun.Add(clients)
	for range clients {
		c := r.dial(t)
		done.Go(func() {
			c.Write(b[:200<<10]) // takes a buffer of 256 KiB, if there is room
			begun.Done()
			begun.Wait()
			c.Write(b[200<<10:])
			if _, err := io.ReadFull(c, make([]byte, 8+len("stored"))); err != nil {
				t.Errorf("answer: %v", err)
			}
		})
	}
	done.Wait()
	eventually(t, "all memory is given back", func() bool { return r.m.InflightBytes.Load() == 0 })
}

func TestRationed(t *testing.T) {
	var r rationed
	now := time.Now()
	written := 0
	for range 10 * rationBurst {
		if _, ok := r.take(now); ok {
			written++
		}
	}
	if written != rationBurst {
		t.Errorf("%d lines at once, want %d", written, rationBurst)
	}
	skipped, ok := r.take(now.Add(time.Second / rationPerSecond * 2))
	if !ok || skipped != 9*rationBurst {
		t.Errorf("later: %v, %d skipped, want %d", ok, skipped, 9*rationBurst)
	}
	if skipped, ok = r.take(now.Add(time.Minute)); !ok || skipped != 0 {
		t.Errorf("the line after: %v, %d skipped", ok, skipped)
	}
}

// FuzzConn sends bytes to a server whose handlers do little. It answers or closes,
// never panics, and gives back all that it took.
func FuzzConn(f *testing.F) {
	b := produceOf(100)
	f.Add(b)
	f.Add(append(frame(heartbeat("g"), 1), frame(metadata(), 2)...))
	f.Add([]byte("\x00\x00\x00\x17\x00\x12\x00\x03\x00\x00\x00\x01\x00\x02xx\x00\x02a\x02b\xff\xff\xff\xff\x0f"))
	f.Add(binary.BigEndian.AppendUint32(nil, 1<<31-1))
	f.Add(append(produceOf(70 << 10)[:66<<10], b...))
	r := serveRoutes(f, func(o *Options) { o.Limits.RequestBytes, o.Limits.QueuedBytes = 1<<20, 4<<20 }, produceRoute,
		Route{Key: 3, Max: 13, Handle: func(q *Request) Reply {
			if err := metadata().ReadFrom(q.Body); err != nil && q.Version == 1 {
				return Hangup(err)
			}
			return Now(text(q.ClientID))
		}},
		Route{Key: 12, Max: 4, Pipelined: true, Handle: func(*Request) Reply { return &brief{} }},
		Route{Key: 42, Max: 2, Handle: func(*Request) Reply { return NoReply() }},
		Route{Key: apiVersionsKey, Max: 4, Handle: func(*Request) Reply { return Now(text("versions")) }})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		tcp := c.(*net.TCPConn)
		tcp.SetLinger(0) // leave no port behind
		tcp.SetDeadline(time.Now().Add(patience))
		go func() {
			tcp.Write(data)
			tcp.CloseWrite()
		}()
		if _, err := io.Copy(io.Discard, tcp); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatal("neither answered nor closed")
		}
		eventually(t, "connection gone", func() bool { return r.m.Connections.Load() == 0 })
		if n := r.m.InflightBytes.Load(); n != 0 {
			t.Fatalf("%d bytes are still held", n)
		}
		if strings.Contains(r.log.String(), "panic") {
			t.Fatalf("panic: %s", r.log.String())
		}
	})
}

// brief is a reply that waits a moment.
type brief struct{ waited bool }

func (b *brief) Ready() bool          { return b.waited }
func (b *brief) Wait(w *Waiter)       { <-w.After(100 * time.Microsecond); b.waited = true }
func (b *brief) Encode(*Writer) error { return nil }
func (b *brief) Release()             {}
