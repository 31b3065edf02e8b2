//go:build linux

package raw

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"
)

const (
	// Congestion is the TCP congestion control of all connections.
	Congestion = "cubic"

	clientID  = "bench"
	patience  = 20 * time.Minute // of a whole operation
	maxAnswer = 64 << 20         // bytes of an answer that is decoded
)

// Conn is a connection to a server.
type Conn struct {
	net.Conn
}

// Dial connects to a server.
func Dial(addr string) (*Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		failed := c.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, Congestion)
		})
		return errors.Join(failed, err)
	}}
	c, err := d.Dial("tcp4", addr)
	if err != nil {
		return nil, err
	}
	return &Conn{c}, nil
}

// Ask sends one request, whose version is set, and decodes the answer.
func (c *Conn) Ask(req kmsg.Request) (kmsg.Response, error) {
	resp := req.ResponseKind()
	if err := c.ask(req, resp); err != nil {
		return nil, fmt.Errorf("%s version %d: %w", kmsg.NameForKey(req.Key()), req.GetVersion(), err)
	}
	return resp, nil
}

func (c *Conn) ask(req kmsg.Request, resp kmsg.Response) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.Write(frame(req)); err != nil {
		return err
	}
	var head [8]byte // size and correlation id
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 4 || size > maxAnswer {
		return fmt.Errorf("answer of %d bytes", size)
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(c, body); err != nil {
		return err
	}
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) {
		if len(body) == 0 || body[0] != 0 {
			return errors.New("answer without an empty tag section in its header")
		}
		body = body[1:]
	}
	return resp.ReadFrom(body)
}

// frame encodes a request with its length. All have the same correlation id, as
// answers come in the order of requests.
func frame(req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)).AppendRequest(nil, req, 1)
}

// Ready asks for the API versions, once, on a connection of its own.
func Ready(addr string) error {
	c, err := Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Greet()
}

// Greet asks for the API versions and demands an answer without an error.
func (c *Conn) Greet() error {
	resp, err := c.Ask(versioned(kmsg.NewPtrApiVersionsRequest(), 2))
	if err != nil {
		return err
	}
	if code := resp.(*kmsg.ApiVersionsResponse).ErrorCode; code != 0 {
		return fmt.Errorf("ApiVersions: error %d", code)
	}
	return nil
}

func versioned[R kmsg.Request](req R, version int16) R {
	req.SetVersion(version)
	return req
}
