package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sordini/protocol/guard"
	"sordini/zerocopy"
)

// apiVersionsKey is the API whose answers have header version 0 always, and that
// is answered at unknown versions.
const apiVersionsKey = 18

// Conn is one connection.
type Conn struct {
	server        *Server
	tcp           *net.TCPConn
	listener      string
	local, remote netip.AddrPort
	software      atomic.Pointer[software]

	frames frames
	gone   chan struct{} // closed when the client has gone, or nobody waits for it any more
	leave  sync.Once     // closes gone

	// The writer is started with the first reply that has to wait: connections
	// that only ask questions do without. Both are nil before.
	pending chan pending
	written chan struct{} // closed when the writer has ended

	clientID string  // of the last request
	client   *Client // who asked last; see Request.Client
	request  Request

	// writing is held while answers are encoded and sent. owed counts the replies
	// that are the writer's; while there are none the reader encodes replies that
	// are ready itself, which spares waking the writer.
	writing  sync.Mutex
	writer   *Writer
	owed     int
	behind   int       // elements of the requests whose replies are owed
	broken   bool      // the writer has given up
	caughtUp sync.Cond // of writing: owed has become 0, or broken is set
}

// pending is an answer that is owed.
type pending struct {
	reply         Reply
	correlationID int32
	flexible      bool
	key           int16
	elements      int // of the request
	received      time.Time
}

func newConn(s *Server, tcp *net.TCPConn, listener string) (*Conn, error) {
	source, err := newSource(tcp)
	if err != nil {
		return nil, err
	}
	out, err := zerocopy.NewConn(tcp)
	if err != nil {
		return nil, err
	}
	// Until the first answer the death of the process resets the connection instead of
	// ending it: clients take an end without an answer for a server that wants TLS, and
	// do not try again.
	if err := tcp.SetLinger(0); err != nil {
		return nil, err
	}
	c := &Conn{server: s, tcp: tcp, listener: listener, gone: make(chan struct{})}
	c.caughtUp.L = &c.writing
	c.local, c.remote = addrPort(tcp.LocalAddr()), addrPort(tcp.RemoteAddr())
	c.frames = frames{conn: tcp, source: source, budget: s.budget, gone: s.stopping, limit: s.opt.Limits.RequestBytes, idle: s.opt.Limits.Idle, stall: s.opt.Limits.stall(), first: true, flush: c.flush}
	c.writer = &Writer{conn: c, out: out}
	return c, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		p := t.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

// serve runs the connection to its end.
func (c *Conn) serve() {
	err := c.read()
	if !quiet(err) {
		c.server.opt.Metrics.RefusedRequests.Add(1)
		c.report(err)
	}
	if !errors.Is(err, errDrain) {
		c.abandon()
	}
	if c.pending != nil {
		close(c.pending)
		<-c.written
	}
	c.flush()
	c.close()
}

// close ends the connection, which is not reset even if nothing was answered.
func (c *Conn) close() {
	_ = c.tcp.SetLinger(-1) // fails if it is closed
	c.tcp.Close()
}

// abandon ends the waits of the replies.
func (c *Conn) abandon() { c.leave.Do(func() { close(c.gone) }) }

// report tells why the connection is closed.
func (c *Conn) report(err error) {
	args := []any{"client", c.remote, "id", cut(c.clientID), "software", c.software.Load().String(), "err", err}
	if errors.Is(err, errPanic) {
		c.server.opt.Logger.Error("connection closed for a fault of ours", args...)
		return
	}
	c.server.warn("connection closed", args...)
}

// errDrain ends the reader at shutdown, while the writer finishes.
var errDrain = errors.New("server is shutting down")

// errPanic: a handler or a reply has panicked.
var errPanic = errors.New("panic")

// quiet says whether a connection's end needs no line in the log.
func quiet(err error) bool {
	return err == io.EOF || errors.Is(err, net.ErrClosed) || errors.Is(err, errDrain) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// read takes requests until the client goes.
func (c *Conn) read() error {
	defer c.frames.drop()
	for {
		frame, err := c.frames.next()
		if err != nil {
			if c.server.isStopping() {
				return errDrain
			}
			return err
		}
		p, err := c.start(frame)
		if err == nil && p.reply != nil {
			err = c.deliver(p)
		}
		if err != nil {
			return err
		}
	}
}

// deliver answers at once if the reply is ready and none before it is owed, and
// leaves it to the writer otherwise. Answers leave when the reader has no further
// request at hand: see frames.fill.
func (c *Conn) deliver(p pending) error {
	c.writing.Lock()
	if c.owed == 0 && !c.broken {
		ready, err := c.ready(&p)
		if ready || err != nil {
			defer c.writing.Unlock()
			if err != nil {
				p.reply.Release()
				return err
			}
			return c.answer(&p)
		}
	}
	c.owed++
	c.behind += p.elements
	c.writing.Unlock()
	if c.pending == nil {
		c.pending, c.written = make(chan pending, pipelined), make(chan struct{})
		go c.write()
	}
	c.pending <- p
	return nil
}

// ready is Ready; a panic becomes an error.
func (c *Conn) ready(p *pending) (ok bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w in API key %d: %v\n%s", errPanic, p.key, v, debug.Stack())
		}
	}()
	return p.reply.Ready(), nil
}

// queue waits until a request may be started: at once if no reply is owed, or if
// its reply may be held while others are.
func (c *Conn) queue(r *Route, elements int) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	for c.owed > 0 && !c.broken && (!r.Pipelined || c.behind+elements > pipelinedElements) {
		c.caughtUp.Wait()
	}
	if c.broken {
		return net.ErrClosed
	}
	return nil
}

// flush sends the answers that have been collected and gives the buffer back.
func (c *Conn) flush() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	err := c.writer.flush()
	c.writer.idle()
	return err
}

// start checks a frame and calls the handler. A panic becomes an error that closes
// the connection.
func (c *Conn) start(frame []byte) (p pending, err error) {
	h, body, err := guard.CheckHeader(frame)
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w in API key %d version %d: %v\n%s", errPanic, h.Key, h.Version, v, debug.Stack())
		}
	}()
	if err != nil && !errors.Is(err, guard.ErrUnknownKey) && !errors.Is(err, guard.ErrUnknownVersion) {
		return pending{}, err
	}
	if h.ClientID != nil && string(h.ClientID) != c.clientID {
		c.clientID = string(h.ClientID)
	}
	route := c.server.opt.Routes.find(h.Key)
	served := route != nil && h.Version >= route.Min && h.Version <= route.Max
	if !served && h.Key != apiVersionsKey {
		return pending{}, fmt.Errorf("API key %d version %d is not served", h.Key, h.Version)
	}
	r := &c.request
	*r = Request{Conn: c, Key: h.Key, Version: h.Version, ClientID: c.clientID, Body: body, Received: time.Now()}
	elements := 0
	if !served {
		r.Version, r.Unsupported, r.Body = 0, true, nil
	} else if elements, err = guard.CheckElements(h.Key, h.Version, body, c.server.opt.Limits.Elements()); err != nil {
		return pending{}, err
	}
	if err := c.queue(route, elements); err != nil {
		return pending{}, err
	}
	return pending{
		reply: route.Handle(r), correlationID: h.CorrelationID, key: h.Key, elements: elements, received: r.Received,
		flexible: served && h.Key != apiVersionsKey && guard.Flexible(h.Key, h.Version),
	}, nil
}

// write sends the replies that could not be answered at once, in order. Those
// that are ready together leave together.
func (c *Conn) write() {
	defer close(c.written)
	wait := &Waiter{Gone: c.gone, Stopping: c.server.stopping, longest: c.server.opt.Limits.Idle}
	for p := range c.pending {
		if err := c.reply(wait, &p); err != nil {
			c.discard(err)
			return
		}
	}
}

func (c *Conn) reply(wait *Waiter, p *pending) error {
	ready, err := c.ready(p)
	if err == nil && !ready {
		if err = c.flush(); err == nil {
			err = c.await(wait, p)
		}
	}
	if err != nil {
		p.reply.Release()
		return err
	}
	c.writing.Lock()
	err = c.answer(p)
	c.broken = err != nil // before the reader can answer what comes after
	c.owed--
	c.behind -= p.elements
	last := c.owed == 0
	if last {
		c.caughtUp.Signal()
	}
	c.writing.Unlock()
	if err == nil && last {
		err = c.flush()
	}
	return err
}

// await is Wait; a panic becomes an error.
func (c *Conn) await(wait *Waiter, p *pending) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w in the wait of API key %d: %v\n%s", errPanic, p.key, v, debug.Stack())
		}
	}()
	p.reply.Wait(wait)
	return nil
}

// answer encodes one reply and releases it; c.writing is held. Long answers leave
// at once.
func (c *Conn) answer(p *pending) (err error) {
	defer p.reply.Release()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w in the answer of API key %d: %v\n%s", errPanic, p.key, v, debug.Stack())
		}
	}()
	w := c.writer
	if err := w.answer(p); err != nil {
		w.flush() // what was answered before
		return err
	}
	c.server.opt.Metrics.Request(p.key, time.Since(p.received))
	if len(w.marks) > 0 || len(w.buf) >= flushAt {
		return w.flush()
	}
	return nil
}

// discard ends the connection from the writer's side: the reader is interrupted,
// and the replies that it still leaves are released.
func (c *Conn) discard(err error) {
	if !quiet(err) {
		c.report(err)
	}
	c.close()
	c.writing.Lock()
	c.broken = true
	c.caughtUp.Signal()
	c.writing.Unlock()
	for p := range c.pending {
		p.reply.Release()
	}
}
