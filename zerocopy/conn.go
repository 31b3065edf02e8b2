package zerocopy

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// Conn writes to one TCP connection. Write and WriteMore allocate nothing, Send
// only the few words that package net needs. The methods are for one goroutine
// at a time, as there is one order of bytes on the connection; reading, closing
// and deadlines stay with the *net.TCPConn.
type Conn struct {
	tcp *net.TCPConn
	raw syscall.RawConn

	// The write in progress, and the step that package net calls until it is
	// over, kept so that it is allocated once.
	rest []byte
	err  error
	step func(fd uintptr) bool
}

// NewConn returns a writer for tcp.
func NewConn(tcp *net.TCPConn) (*Conn, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("zerocopy: %w", err)
	}
	c := &Conn{tcp: tcp, raw: raw}
	c.step = c.writeStep
	return c, nil
}

// Write writes b and lets everything held back by WriteMore go.
func (c *Conn) Write(b []byte) (int, error) { return c.tcp.Write(b) }

// WriteMore writes all of b and says that more follows at once: on Linux
// (MSG_MORE) the kernel then holds back the last, unfilled packet, so that a
// header leaves in one packet with the range behind it. What follows must be a
// Write of at least one byte or a Send; without, the packet waits for 200 ms.
// Elsewhere it is Write. A short count comes with an error.
func (c *Conn) WriteMore(b []byte) (int, error) { return c.writeMore(b) }

// Send is [Send] to this connection.
func (c *Conn) Send(src *os.File, pos, n int64) (sent int64, p Path, err error) {
	return Send(c.tcp, src, pos, n)
}
