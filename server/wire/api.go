package wire

import (
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"sordini/server/metrics"
)

// Request is one request. It is valid until its handler returns.
type Request struct {
	Conn *Conn
	Key  int16
	// Version is one that the route serves; see Unsupported.
	Version int16
	// Unsupported says that an ApiVersions request had a version that is not
	// served; Version is 0 then, and the answer is of version 0 too (KIP-511).
	Unsupported bool
	ClientID    string
	Body        []byte
	Received    time.Time
}

// Client is who sends requests over a connection. It does not change.
type Client struct {
	ID       string // what the client calls itself
	Address  netip.AddrPort
	Listener string // name of the listener that accepted the connection
}

// Client is who sends the request: the same for all requests of a connection until
// the client calls itself otherwise.
func (r *Request) Client() *Client {
	c := r.Conn
	if c.client == nil || c.client.ID != r.ClientID {
		c.client = &Client{ID: r.ClientID, Address: c.remote, Listener: c.listener}
	}
	return c.client
}

// Handler starts a request and returns its reply. It runs on the connection's
// reader: requests of one connection are started in order.
type Handler func(*Request) Reply

// Route says which versions of an API are served, and by whom.
type Route struct {
	Key      int16
	Min, Max int16 // versions that are served
	// AdvertisedMin is the lowest version that ApiVersions tells, if lower than
	// Min.
	AdvertisedMin int16
	// Pipelined says that a request may be started while replies to earlier ones of
	// the connection still wait. Then its own reply is held until its turn, so it
	// must be small. Other requests wait, as all do in Apache Kafka.
	Pipelined bool
	Handle    Handler
}

// Routes finds routes by key.
type Routes struct {
	byKey [128]*Route
	all   []Route
}

// NewRoutes makes the table; keys are from 0 to 127.
func NewRoutes(all []Route) *Routes {
	r := &Routes{all: all}
	for i := range all {
		r.byKey[all[i].Key] = &all[i]
	}
	return r
}

// All returns the routes in the order in which they were given.
func (r *Routes) All() []Route { return r.all }

func (r *Routes) find(key int16) *Route {
	if key < 0 || int(key) >= len(r.byKey) {
		return nil
	}
	return r.byKey[key]
}

// Reply is what a handler leaves for the connection's writer.
//
// The writer calls Wait unless Ready, then Encode, then Release; Release alone if
// the connection has gone meanwhile.
type Reply interface {
	// Ready says without blocking whether Encode may be called.
	Ready() bool
	// Wait blocks until it may. It returns early, without an error, if w tells
	// that the connection or the server goes.
	Wait(w *Waiter)
	// Encode appends the body of the answer. An error closes the connection.
	Encode(w *Writer) error
	// Release frees what the reply holds. The reply is not used afterwards.
	Release()
}

// Waiter is what a waiting reply listens to besides its own events.
type Waiter struct {
	Gone     <-chan struct{} // the client has disconnected, or is cut off
	Stopping <-chan struct{} // the server shuts down
	longest  time.Duration   // 0: no bound
	timer    *time.Timer
}

// After returns a channel that delivers after d, or earlier if d is longer than a
// connection may be idle. Only the last call counts.
func (w *Waiter) After(d time.Duration) <-chan time.Time {
	if w.longest > 0 {
		d = min(d, w.longest)
	}
	if w.timer == nil {
		w.timer = time.NewTimer(d)
	} else {
		w.timer.Reset(d)
	}
	return w.timer.C
}

// Appender is the encoding of an answer of package kmsg.
type Appender interface{ AppendTo([]byte) []byte }

// Now is a reply that is complete.
func Now(a Appender) Reply { return &now{a} }

type now struct{ Appender }

func (*now) Ready() bool              { return true }
func (*now) Wait(*Waiter)             {}
func (*now) Release()                 {}
func (n *now) Encode(w *Writer) error { w.buf = n.AppendTo(w.buf); return nil }

// NoReply answers nothing.
func NoReply() Reply { return nil }

// Hangup closes the connection after the replies before it were written.
func Hangup(cause error) Reply { return &hangup{cause} }

type hangup struct{ cause error }

func (*hangup) Ready() bool            { return true }
func (*hangup) Wait(*Waiter)           {}
func (*hangup) Release()               {}
func (h *hangup) Encode(*Writer) error { return h.cause }

// Options of a Server.
type Options struct {
	Routes  *Routes
	Metrics *metrics.Metrics
	Logger  *slog.Logger
	Limits  Limits
	// Congestion is the TCP congestion control of connections; "" is the
	// system's.
	Congestion string
}

// Limits bound what clients may take. All but Stall are required.
type Limits struct {
	RequestBytes        int64          // socket.request.max.bytes
	QueuedBytes         int64          // queued.max.request.bytes; negative: no bound
	Connections         int            // max.connections
	ConnectionsPerIP    int            // max.connections.per.ip
	ConnectionsOverride map[string]int // by address
	Idle                time.Duration  // connections.max.idle.ms
	Elements            func() int     // array elements and tags in one request
	// Stall is how long a client may take between two bytes of a frame; 0 means 30
	// seconds. A whole frame may take that long and a second for each 64 KiB.
	Stall time.Duration
}

func (l *Limits) stall() time.Duration {
	if l.Stall > 0 {
		return l.Stall
	}
	return stallTimeout
}

const (
	// firstFrameBytes bounds the first request of a connection, unless it is a
	// Produce request: clients that skip ApiVersions may begin with one.
	firstFrameBytes = 64 << 10
	// stallTimeout is Limits.Stall where that is 0.
	stallTimeout = 30 * time.Second
	// slowestRate is how many bytes of a frame must come in a second, on average.
	slowestRate = 64 << 10
	// pipelined is how many replies of a connection may be waiting.
	pipelined = 128
	// pipelinedElements is how many elements the requests may have together whose
	// replies are waiting; a single one may have more.
	pipelinedElements = 10_000
)

// Local returns the address that the client has connected to.
func (c *Conn) Local() netip.AddrPort { return c.local }

// Remote returns the client's address.
func (c *Conn) Remote() netip.AddrPort { return c.remote }

// Listener is the name of the listener that accepted the connection.
func (c *Conn) Listener() string { return c.listener }

// SetSoftware notes what the client calls itself (KIP-511), for the log.
func (c *Conn) SetSoftware(name, version string) {
	c.software.Store(&software{strings.Clone(cut(name)), strings.Clone(cut(version))})
}

type software struct{ name, version string }

func (s *software) String() string {
	if s == nil {
		return "unknown"
	}
	return s.name + " " + s.version
}

// cut shortens a client's string for the log.
func cut(s string) string {
	const longest = 256
	if len(s) > longest {
		return s[:longest] + "..."
	}
	return s
}
