package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Server accepts connections on any number of listeners.
type Server struct {
	opt      Options
	budget   *budget
	stopping chan struct{}
	warnings rationed
	// lastDescriptor is the highest number that the descriptor of a connection may
	// have, 0 for any: what lies above is for files.
	lastDescriptor uintptr

	mu        sync.Mutex
	listeners []net.Listener
	conns     map[*Conn]struct{}
	perIP     map[netip.Addr]int
	stopped   bool
	serving   sync.WaitGroup
}

// NewServer returns a server that listens nowhere yet.
func NewServer(opt Options) *Server {
	return &Server{
		opt: opt, budget: newBudget(opt.Limits.QueuedBytes, &opt.Metrics.InflightBytes), stopping: make(chan struct{}),
		conns: make(map[*Conn]struct{}), perIP: make(map[netip.Addr]int), lastDescriptor: lastDescriptor(),
	}
}

// warn logs what clients do wrong. Those who do it all the time do not fill the
// disk: see rationed.
func (s *Server) warn(msg string, args ...any) {
	if skipped, ok := s.warnings.take(time.Now()); ok {
		if skipped > 0 {
			args = append(args, "skipped", skipped)
		}
		s.opt.Logger.Warn(msg, args...)
	}
}

// Listen opens a listener and returns the address that it has. Connections are
// accepted once Serve is called.
func (s *Server) Listen(ctx context.Context, address string) (net.Listener, error) {
	lc := net.ListenConfig{Control: congestionControl(s.opt.Congestion)}
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.add(l)
	return l, nil
}

// Adopt takes over a listener that is open already, as Listen opens one.
func (s *Server) Adopt(l *net.TCPListener) error {
	s.add(l)
	set := congestionControl(s.opt.Congestion)
	if set == nil {
		return nil
	}
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	return set("tcp", l.Addr().String(), raw)
}

func (s *Server) add(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, l)
}

// Serve accepts connections of a listener until Shutdown or Close.
func (s *Server) Serve(l net.Listener, name string) error {
	pause := time.Duration(0)
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.accept(conn.(*net.TCPConn), name)
		case s.isStopping() || errors.Is(err, net.ErrClosed):
			return nil
		default: // out of file descriptors, or of memory: wait for better times
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.opt.Logger.Error("accept failed", "listener", name, "err", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-s.stopping:
			}
		}
	}
}

func (s *Server) accept(tcp *net.TCPConn, name string) {
	c, err := newConn(s, tcp, name)
	if err != nil {
		tcp.Close()
		return
	}
	if err := s.admit(c); err != nil {
		s.warn("connection refused", "client", c.remote, "err", err)
		c.close()
		return
	}
	go func() {
		defer s.leave(c)
		c.serve()
	}()
}

// admit counts a connection in, if the limits allow it.
func (s *Server) admit(c *Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	number, err := c.descriptor()
	if err != nil {
		return err
	}
	ip := c.remote.Addr()
	perIP, own := s.opt.Limits.ConnectionsOverride[ip.String()]
	if !own {
		perIP = s.opt.Limits.ConnectionsPerIP
	}
	switch {
	case s.stopped:
		return errDrain
	case s.lastDescriptor > 0 && number > s.lastDescriptor:
		return errors.New("the process is short of file descriptors")
	case len(s.conns) >= s.opt.Limits.Connections:
		return fmt.Errorf("max.connections is %d", s.opt.Limits.Connections)
	case s.perIP[ip] >= perIP:
		return fmt.Errorf("max.connections.per.ip is %d", perIP)
	}
	s.conns[c] = struct{}{}
	s.perIP[ip]++
	s.serving.Add(1)
	s.opt.Metrics.Connections.Add(1)
	s.opt.Metrics.ConnectionsTotal.Add(1)
	return nil
}

func (s *Server) leave(c *Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	ip := c.remote.Addr()
	if s.perIP[ip]--; s.perIP[ip] <= 0 {
		delete(s.perIP, ip)
	}
	s.mu.Unlock()
	s.opt.Metrics.Connections.Add(-1)
	s.serving.Done()
}

func (s *Server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// farewell is how long clients may take at shutdown to receive their last answers.
const farewell = 5 * time.Second

// Shutdown stops accepting and reading, lets the requests that were read finish,
// and closes the connections. Clients that do not take their answers are left
// after some seconds. When ctx ends first the rest is cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	s.each(func(c *Conn) { c.tcp.SetReadDeadline(time.Unix(1, 0)) })
	done := make(chan struct{})
	go func() {
		s.serving.Wait()
		close(done)
	}()
	last := time.Now().Add(farewell)
	again := time.NewTicker(farewell / 10)
	defer again.Stop()
	for {
		// More than once: a write that has just begun sets a deadline of its own.
		s.each(func(c *Conn) { c.tcp.SetWriteDeadline(last) })
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			s.each(func(c *Conn) {
				c.close()
				c.abandon()
			})
			<-done
			return ctx.Err()
		case <-again.C:
		}
	}
}

func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	s.stopped = true
	close(s.stopping)
	for _, l := range s.listeners {
		l.Close()
	}
}

func (s *Server) each(f func(*Conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		f(c)
	}
}
