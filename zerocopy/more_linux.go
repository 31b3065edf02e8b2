package zerocopy

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

func (c *Conn) writeMore(b []byte) (int, error) {
	c.rest, c.err = b, nil
	err := c.raw.Write(c.step)
	if err == nil {
		err = c.err
	}
	n := len(b) - len(c.rest)
	c.rest = nil
	if err != nil {
		return n, fmt.Errorf("zerocopy: write: %w", err)
	}
	return n, nil
}

// writeStep writes until the buffer of the socket is full. It returns false to
// be called again when there is room.
func (c *Conn) writeStep(fd uintptr) bool {
	for len(c.rest) > 0 {
		n, err := unix.SendmsgN(int(fd), c.rest, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return false
		case err != nil:
			c.err = err
			return true
		case n == 0:
			c.err = io.ErrShortWrite
			return true
		}
		c.rest = c.rest[max(n, 0):]
	}
	return true
}
