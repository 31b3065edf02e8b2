//go:build linux

package floor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sordini/test/bench/raw"
)

// The names of the floors, the first argument of a process that is one.
const (
	SendName    = "floor-send"    // FILE SLICE: serves connections, prints its address first
	ReceiveName = "floor-receive" // DIR: the same
	CommitName  = "floor-commit"  // DIR PRODUCERS DURATION: prints a CommitResult
	AnswerName  = "floor-answer"  // DIR SIZE FILES: Commit for units that come from connections; prints its address first
	ScanName    = "floor-scan"    // FILE...: prints a ScanResult
	MuteName    = "floor-mute"    // PARTITIONS: a server that forgets what clients write; prints its address first
)

// Is tells whether a program's first argument is the name of a floor.
func Is(name string) bool {
	switch name {
	case SendName, ReceiveName, CommitName, AnswerName, ScanName, MuteName:
		return true
	}
	return false
}

// Run is the main function of a floor's process: name is one of the above, and args
// follow it. What the floor says goes to out, a line of it as JSON or an address.
// Those that serve connections do so until the process is ended.
func Run(name string, args []string, out io.Writer) error {
	err := run(name, args, out)
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return err
}

func run(name string, args []string, out io.Writer) error {
	need := map[string]int{SendName: 2, ReceiveName: 1, CommitName: 3, AnswerName: 3, ScanName: 1, MuteName: 1}
	if len(args) < need[name] {
		return fmt.Errorf("%d arguments, want %d", len(args), need[name])
	}
	switch name {
	case SendName:
		slice, err := strconv.Atoi(args[1])
		if err != nil || slice <= 0 {
			return fmt.Errorf("slice %q", args[1])
		}
		return serve(out, func(c *net.TCPConn) error { return send(c, args[0], slice) })
	case ReceiveName:
		return serve(out, func(c *net.TCPConn) error { return receive(c, args[0]) })
	case CommitName:
		producers, err := strconv.Atoi(args[1])
		took, err2 := time.ParseDuration(args[2])
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		return say(out)(Commit(args[0], producers, took))
	case AnswerName:
		size, err := strconv.Atoi(args[1])
		files, err2 := strconv.Atoi(args[2])
		if err := errors.Join(err, err2); err != nil || size <= 0 || files <= 0 {
			return fmt.Errorf("size %q, files %q", args[1], args[2])
		}
		return answerCommits(args[0], size, files, out)
	case MuteName:
		partitions, err := strconv.ParseInt(args[0], 10, 32)
		if err != nil || partitions <= 0 {
			return fmt.Errorf("partitions %q", args[0])
		}
		return mute(out, int32(partitions))
	case ScanName:
		return say(out)(Scan(args))
	}
	return errors.New("no such floor")
}

// say returns a function that prints a result.
func say(out io.Writer) func(result any, err error) error {
	return func(result any, err error) error {
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(result)
	}
}

// serve prints the address it listens at and serves connections one by one.
func serve(out io.Writer, do func(c *net.TCPConn) error) error {
	l, err := listen(out)
	if err != nil {
		return err
	}
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return err
		}
		err = do(c)
		c.Close()
		if err != nil && !hungUp(err) {
			return err
		}
	}
}

// listen prints the address it listens at. Accepted connections have the same
// congestion control as those of package raw.
func listen(out io.Writer) (*net.TCPListener, error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	c, err := l.SyscallConn()
	if err != nil {
		return nil, err
	}
	failed := c.Control(func(fd uintptr) {
		err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, raw.Congestion)
	})
	if err := errors.Join(failed, err); err != nil {
		return nil, err
	}
	_, err = fmt.Fprintln(out, l.Addr())
	return l, err
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
