package play

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// patience is how long an answer or a condition may take.
const patience = time.Minute

// errClosed: the broker has closed the connection instead of answering.
var errClosed = errors.New("connection closed")

// conn is a connection on which answers are read in the order of the requests.
type conn struct {
	net  net.Conn
	next int32 // correlation id
}

func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	return &conn{net: c}, nil
}

// clientID is told in every request, and so in the ids of members.
const clientID = "reference"

// send writes a request and returns its correlation id.
func (c *conn) send(req kmsg.Request) error {
	c.next++
	return c.write(kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)).AppendRequest(nil, req, c.next))
}

// sendRaw writes a request whose body kmsg cannot make.
func (c *conn) sendRaw(req kmsg.Request, body []byte) error {
	c.next++
	whole := kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)).AppendRequest(nil, req, c.next)
	head := whole[4 : len(whole)-len(req.AppendTo(nil))]
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(head)+len(body)))
	return c.write(append(append(frame, head...), body...))
}

// write is done when the frame is sent, or when the broker has closed the
// connection: that is for the reader to see.
func (c *conn) write(frame []byte) error {
	c.net.SetWriteDeadline(time.Now().Add(patience))
	var timeout net.Error
	if _, err := c.net.Write(frame); errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return nil
}

// receive reads one answer and returns its body.
func (c *conn) receive(resp kmsg.Response, id int32) ([]byte, error) {
	c.net.SetReadDeadline(time.Now().Add(patience))
	var head [8]byte
	if _, err := io.ReadFull(c.net, head[:]); err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return nil, err
		}
		return nil, errClosed
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 4 || size > 64<<20 {
		return nil, fmt.Errorf("answer of %d bytes", size)
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(c.net, body); err != nil {
		return nil, err
	}
	if got := int32(binary.BigEndian.Uint32(head[4:])); got != id {
		return nil, fmt.Errorf("answer has correlation id %d, want %d", got, id)
	}
	if resp.IsFlexible() && resp.Key() != apiVersionsKey {
		if len(body) == 0 || body[0] != 0 {
			return nil, errors.New("flexible answer without an empty tag section in its header")
		}
		body = body[1:]
	}
	return body, nil
}

const apiVersionsKey = 18
