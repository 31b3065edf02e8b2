// Package zerocopy sends ranges of files to sockets, in the kernel where it can.
//
// [Send] hands a range of a file to the socket by sendfile(2) on Linux, macOS and
// the BSDs and by TransmitFile on Windows; the bytes never enter the process.
// [SendReaderAt] is the way for what has no such file: TLS connections and files
// in memory. Both tell the [Path] that the bytes took. It is observed and not
// guessed, so that a caller can count it and notice when zero copy is lost.
//
// The package knows neither records nor the wire protocol.
//
// # Concurrency
//
// Any number of sends may run at once on different connections. The system call
// reads at, and moves, the current offset of the file: during a Send its caller
// must own the *os.File alone. Two sends that share one send wrong bytes. A file
// opened twice has two offsets; a duplicated descriptor does not.
//
// # Errors
//
// A range that the file does not hold is io.ErrUnexpectedEOF, after the bytes
// that it does hold were sent. Errors of the network and the file come wrapped.
// The count returned is right in every case; after an error the peer cannot tell
// where it is, and the connection is of no more use.
package zerocopy

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// Path is the way that bytes took to the socket.
type Path int

const (
	// Sendfile is the kernel's way: no byte entered the process.
	Sendfile Path = iota
	// Copy is the way through a buffer of the process.
	Copy
)

// String is "sendfile" or "copy", which are the labels of metrics.
func (p Path) String() string {
	switch p {
	case Sendfile:
		return "sendfile"
	case Copy:
		return "copy"
	}
	return "Path(" + strconv.Itoa(int(p)) + ")"
}

// Send sends the n bytes of src from pos to dst. The caller owns src alone until
// it returns; afterwards the offset of src is anywhere. The path is Copy if any
// byte was copied. The write deadline of dst holds.
func Send(dst *net.TCPConn, src *os.File, pos, n int64) (sent int64, p Path, err error) {
	if err := checkRange(pos, n); err != nil {
		return 0, Sendfile, err
	}
	if n == 0 {
		return 0, Sendfile, nil
	}
	if _, err := src.Seek(pos, io.SeekStart); err != nil {
		return 0, Sendfile, fmt.Errorf("zerocopy: %w", err)
	}
	s := sources.Get().(*source)
	s.file, s.copied = src, false
	s.limit = io.LimitedReader{R: s, N: n}
	sent, err = io.Copy(dst, &s.limit)
	if s.copied {
		p = Copy
	}
	s.file = nil
	sources.Put(s)
	switch {
	case err != nil:
		return sent, p, fmt.Errorf("zerocopy: send %s %d+%d: %w", src.Name(), pos, n, err)
	case sent < n:
		return sent, p, fmt.Errorf("zerocopy: send %s %d+%d: sent %d: %w", src.Name(), pos, n, sent, io.ErrUnexpectedEOF)
	}
	return sent, p, nil
}

// source is the file as package net sees it: what has a descriptor goes to the
// kernel, and only if the kernel declines is it read.
type source struct {
	file   *os.File
	limit  io.LimitedReader
	copied bool
}

// sources keeps what io.Copy would otherwise allocate for every send.
var sources = sync.Pool{New: func() any { return new(source) }}

// SyscallConn lends the descriptor to sendfile.
func (s *source) SyscallConn() (syscall.RawConn, error) { return s.file.SyscallConn() }

// Read is called only on the copying way.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.file.Read(p)
	s.copied = s.copied || n > 0
	return n, err
}

// bufferSize is the piece in bytes that SendReaderAt reads and writes: eight
// records of TLS, and small enough to stay in the processor's cache.
const bufferSize = 128 << 10

// buffers holds *[bufferSize]byte.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// SendReaderAt sends the n bytes of src from pos to dst through a buffer. The
// path is always Copy. Any number of sends may share src.
func SendReaderAt(dst io.Writer, src io.ReaderAt, pos, n int64) (sent int64, p Path, err error) {
	if err := checkRange(pos, n); err != nil {
		return 0, Copy, err
	}
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	for sent < n {
		piece := buffer[:min(n-sent, bufferSize)]
		read, readErr := src.ReadAt(piece, pos+sent)
		if read > 0 {
			written, err := dst.Write(piece[:read])
			sent += int64(written)
			if err == nil && written < read {
				err = io.ErrShortWrite
			}
			if err != nil {
				return sent, Copy, fmt.Errorf("zerocopy: send %d+%d: %w", pos, n, err)
			}
		}
		if read == len(piece) {
			continue // io.ReaderAt may report the end already
		}
		if readErr == nil || readErr == io.EOF {
			readErr = io.ErrUnexpectedEOF
		}
		return sent, Copy, fmt.Errorf("zerocopy: send %d+%d: sent %d: %w", pos, n, sent, readErr)
	}
	return sent, Copy, nil
}

func checkRange(pos, n int64) error {
	if pos < 0 || n < 0 || pos+n < 0 {
		return fmt.Errorf("zerocopy: range %d+%d: %w", pos, n, fs.ErrInvalid)
	}
	return nil
}
