//go:build unix

package wire

import (
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// source reads from a socket. While it waits for the first byte of a frame the
// connection holds no buffer: one is taken when the socket has something.
type source struct {
	raw  syscall.RawConn
	step func(fd uintptr) bool

	frames *frames
	n      int
	err    error
}

func newSource(conn *net.TCPConn) (source, error) {
	raw, err := conn.SyscallConn()
	return source{raw: raw}, err
}

// read reads once, what there is.
func (s *source) read(f *frames) (int, error) {
	if s.step == nil {
		s.frames = f
		s.step = s.try
	}
	s.n, s.err = 0, nil
	if err := s.raw.Read(s.step); err != nil {
		return 0, err
	}
	if s.err == nil && s.n == 0 {
		s.err = io.EOF
	}
	return s.n, s.err
}

// try reads without blocking and says whether it is done.
func (s *source) try(fd uintptr) bool {
	f := s.frames
	for {
		n, err := unix.Read(int(fd), f.space())
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			if f.start == f.end {
				f.drop()
			}
			return false
		case err != nil:
			s.err = err
		default:
			s.n = n
		}
		return true
	}
}

// descriptor is the number of the connection's file descriptor.
func (c *Conn) descriptor() (number uintptr, err error) {
	err = c.frames.source.raw.Control(func(fd uintptr) { number = fd })
	return number, err
}

// keptDescriptors is how many file descriptors connections never take, in a
// process that may have many: without them nothing could be written any more.
const keptDescriptors = 1024

// lastDescriptor is the highest number that a connection may take. The system
// hands out the lowest free number, so it tells how many are in use.
func lastDescriptor() uintptr {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	most := min(uint64(l.Cur), 1<<30)
	return uintptr(most - min(keptDescriptors, most/4))
}
