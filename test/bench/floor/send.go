//go:build linux

package floor

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// askSize is the size of a question to a floor that sends.
const askSize = 12

// Ask asks a floor that sends for a head of that many bytes, which may be none,
// and that many bytes of its file behind it.
func Ask(c net.Conn, head int, bytes int64) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(head))
	_, err := c.Write(binary.BigEndian.AppendUint64(b, uint64(bytes)))
	return err
}

// maxHead bounds the head of an answer.
const maxHead = 64 << 10

// sender sends a file slice by slice, from the start again when the next slice
// does not lie in it.
type sender struct {
	c     *net.TCPConn
	f     *os.File
	size  int64 // of the file
	slice int
	at    int64 // where the next slice begins
}

// send answers the questions that come.
func send(c *net.TCPConn, path string, slice int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < int64(slice) {
		return fmt.Errorf("%s has %d bytes, less than a slice", path, info.Size())
	}
	s := &sender{c: c, f: f, size: info.Size(), slice: slice}
	for {
		var question [askSize]byte
		if _, err := io.ReadFull(c, question[:]); err != nil {
			return err
		}
		head := binary.BigEndian.Uint32(question[:])
		if head > maxHead {
			return fmt.Errorf("a head of %d bytes", head)
		}
		if err := s.answer(int(head), int64(binary.BigEndian.Uint64(question[4:]))); err != nil {
			return err
		}
	}
}

// answer sends a head, which waits for the first slice to go with it, and bytes.
func (s *sender) answer(head int, bytes int64) error {
	if head > 0 {
		if err := writeMore(s.c, make([]byte, head)); err != nil {
			return err
		}
	}
	for left := bytes; left > 0; left -= int64(s.slice) {
		if s.at+int64(s.slice) > s.size {
			s.at = 0
		}
		if err := sendfile(s.c, s.f, s.at, int(min(left, int64(s.slice)))); err != nil {
			return err
		}
		s.at += int64(s.slice)
	}
	return nil
}

// writeMore writes b, and says that more follows.
func writeMore(c *net.TCPConn, b []byte) error {
	conn, err := c.SyscallConn()
	if err != nil {
		return err
	}
	for len(b) > 0 {
		var n int
		failed := conn.Write(func(fd uintptr) bool {
			n, err = unix.SendmsgN(int(fd), b, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
			return err != unix.EAGAIN
		})
		if failed != nil {
			return failed
		}
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("sendmsg", err)
		}
		b = b[max(n, 0):]
	}
	return nil
}

// sendfile sends n bytes of f from a position, without moving the file's own.
func sendfile(c *net.TCPConn, f *os.File, at int64, n int) error {
	conn, err := c.SyscallConn()
	if err != nil {
		return err
	}
	for n > 0 {
		var sent int
		failed := conn.Write(func(fd uintptr) bool {
			sent, err = unix.Sendfile(int(fd), int(f.Fd()), &at, n)
			return err != unix.EAGAIN
		})
		switch {
		case failed != nil:
			return failed
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("sendfile", err)
		case sent == 0:
			return io.ErrUnexpectedEOF
		}
		n -= max(sent, 0)
	}
	return nil
}
