package zerocopy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// readCalls is how many system calls of the calling thread have read so far, as
// the kernel counts them ("syscr"). One sendfile counts as one.
func readCalls(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/thread-self/io")
	check(t, err)
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "syscr: "); ok {
			n, err := strconv.Atoi(value)
			check(t, err)
			return n
		}
	}
	t.Fatalf("no syscr in %q", b)
	return 0
}

// callsToSend counts the reading system calls of the thread that sends. The
// connection is drained on other threads, whose calls do not count.
func callsToSend(t *testing.T, send func(server *net.TCPConn) error) int {
	t.Helper()
	client, server := pair(t)
	drain(client)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := readCalls(t)
	check(t, send(server))
	return readCalls(t) - before
}

func TestSend_TakesTheKernelPath(t *testing.T) {
	const size = 32 << 20
	const copies = size / (32 << 10) // how often io.Copy reads to copy it all
	name, _ := randomFile(t, size)
	src := open(t, name)

	var path Path
	kernel := callsToSend(t, func(server *net.TCPConn) (err error) {
		_, path, err = Send(server, src, 0, size)
		return err
	})
	if path != Sendfile {
		t.Errorf("path %v", path)
	}
	// Control: the reader that looks like a file and is none to package net.
	copied := callsToSend(t, func(server *net.TCPConn) error {
		_, err := io.Copy(server, io.NewSectionReader(src, 0, size))
		return err
	})
	if copied < copies {
		t.Errorf("control: copying took %d reading calls, want %d or more", copied, copies)
	}
	if kernel > copies*3/4 {
		t.Errorf("sending took %d reading calls, copying %d", kernel, copied)
	}
	t.Logf("reading calls: %d by Send, %d by io.Copy of a SectionReader", kernel, copied)
}

// Some files of procfs can be read but not sent, so that package net copies them.
func TestSend_TellsWhenTheKernelDeclines(t *testing.T) {
	client, server := pair(t)
	wait := receive(client, 8)
	src := open(t, "/proc/self/stat")
	sent, path, err := Send(server, src, 0, 8)
	if sent != 8 || path != Copy || err != nil {
		t.Errorf("sent %d by %v, %v; want 8 by copy", sent, path, err)
	}
	if got, err := wait(); err != nil || !strings.HasPrefix(string(got), strconv.Itoa(os.Getpid())[:1]) {
		t.Errorf("received %q, %v", got, err)
	}
}

// unsent is how many bytes wait in the socket for more to follow.
func unsent(t *testing.T, conn *net.TCPConn) (n int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	check(t, err)
	var ioctlErr error
	check(t, raw.Control(func(fd uintptr) { n, ioctlErr = unix.IoctlGetInt(int(fd), unix.SIOCOUTQNSD) }))
	check(t, ioctlErr)
	return n
}

func TestConn_WriteMoreHoldsBack(t *testing.T) {
	client, server := pair(t)
	conn, err := NewConn(server)
	check(t, err)
	held := false
	for range 10 { // the kernel waits for 200 ms only, which a busy machine may take
		wait := receive(client, 9)
		_, err = conn.WriteMore([]byte("header"))
		check(t, err)
		held = unsent(t, server) == len("header")
		_, err = conn.Write([]byte("end"))
		check(t, err)
		if rest := unsent(t, server); rest != 0 {
			t.Errorf("%d bytes are held back after Write", rest)
		}
		if got, err := wait(); err != nil || string(got) != "headerend" {
			t.Errorf("received %q, %v", got, err)
		}
		if held {
			break
		}
	}
	if !held {
		t.Error("WriteMore never held back anything")
	}
}

func TestConn_Allocations(t *testing.T) {
	name, _ := randomFile(t, 1000)
	src := open(t, name)
	client, server := pair(t)
	drain(client)
	conn, err := NewConn(server)
	check(t, err)
	header := make([]byte, 100)
	writes := testing.AllocsPerRun(200, func() {
		_, err := conn.WriteMore(header)
		check(t, err)
		_, err = conn.Write(header)
		check(t, err)
	})
	sends := testing.AllocsPerRun(200, func() {
		_, _, err := conn.Send(src, 0, 1000)
		check(t, err)
	})
	if writes > 0 {
		t.Errorf("%v allocations by WriteMore and Write, want none", writes)
	}
	// Package net has 4 of its own, of some 90 bytes together; a buffer for
	// copying or a reader of our own would add to them.
	if sends > 6 {
		t.Errorf("%v allocations by Send, want 6 at most", sends)
	}
}
