package load

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const maxAnswer = 16 << 20 // bytes

// conn sends one request at a time.
type conn struct {
	net.Conn
	in     *bufio.Reader
	format *kmsg.RequestFormatter
	next   int32 // correlation id
	buf    []byte
}

func dial(ctx context.Context, address string) (*conn, error) {
	c, err := (&net.Dialer{Timeout: 30 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, in: bufio.NewReaderSize(c, 512), format: kmsg.NewRequestFormatter(kmsg.FormatterClientID("load"))}, nil
}

// call sends a request and waits for its answer, or until the connection is closed.
func (c *conn) call(req kmsg.Request) (kmsg.Response, error) {
	c.next++
	c.buf = c.format.AppendRequest(c.buf[:0], req, c.next)
	if _, err := c.Write(c.buf); err != nil {
		return nil, err
	}
	var head [8]byte // size, correlation id
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:]))) - 4
	if id := int32(binary.BigEndian.Uint32(head[4:])); id != c.next || size < 0 || size > maxAnswer {
		return nil, fmt.Errorf("answer %d of %d bytes to request %d", id, size, c.next)
	}
	if cap(c.buf) < size {
		c.buf = make([]byte, size)
	}
	body := c.buf[:size]
	if _, err := io.ReadFull(c.in, body); err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	if resp.IsFlexible() {
		if len(body) == 0 || body[0] != 0 {
			return nil, fmt.Errorf("answer to key %d has tags in its header", req.Key())
		}
		body = body[1:]
	}
	return resp, resp.ReadFrom(body)
}
