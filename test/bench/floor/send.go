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

// Ask asks a floor that sends for a number of bytes.
func Ask(c net.Conn, bytes int64) error {
	_, err := c.Write(binary.BigEndian.AppendUint64(nil, uint64(bytes)))
	return err
}

// send answers each number that comes with so many bytes of the file, slice by
// slice, from the start again when its end is reached.
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
	for {
		var number [8]byte
		if _, err := io.ReadFull(c, number[:]); err != nil {
			return err
		}
		var at int64
		for left := int64(binary.BigEndian.Uint64(number[:])); left > 0; left -= int64(slice) {
			if at+int64(slice) > info.Size() {
				at = 0
			}
			if err := sendfile(c, f, at, int(min(left, int64(slice)))); err != nil {
				return err
			}
			at += int64(slice)
		}
	}
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
