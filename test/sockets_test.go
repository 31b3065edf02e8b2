//go:build unix

package test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// handOver has the broker be started as systemd would: with sockets that are open
// already, of the names given. A shell tells the process its own number.
func handOver(t *testing.T, b *broker, names ...string) []net.Listener {
	t.Helper()
	var all []net.Listener
	for range names {
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		all, b.files = append(all, l), append(b.files, f)
	}
	b.under = []string{"sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=` + string(rune('0'+len(names))) + ` LISTEN_FDNAMES=` + strings.Join(names, ":") + ` exec "$@"`, "sh"}
	return all
}

// TestSockets: a server listens on the sockets that it was started with. Who comes
// while none runs, after kill -9 or an orderly end, waits for the next and is refused
// by none.
func TestSockets(t *testing.T) {
	b := newBroker(t)
	sockets := handOver(t, b, "admin", "plaintext")
	address := sockets[1].Addr().String()
	for _, end := range []func(){b.kill, b.stop, func() {}} {
		early := dial(t, address)
		id, err := early.send(&kmsg.ApiVersionsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		b.addr, b.admin = "127.0.0.1:0", "127.0.0.1:0" // which it does not listen on
		b.start()
		if b.addr != address || b.admin != sockets[0].Addr().String() {
			t.Errorf("listens on %s and %s, was given %s", b.addr, b.admin, address)
		}
		if got, _, err := early.receive(); err != nil || got != id {
			t.Errorf("answer %d, want %d: %v", got, id, err)
		}
		if code, _ := b.get("/healthz"); code != 200 {
			t.Errorf("/healthz: status %d", code)
		}
		end()
	}
}

// TestSockets_Refused: what the server has no place for, or cannot serve, is an error.
func TestSockets_Refused(t *testing.T) {
	b := newBroker(t)
	handOver(t, b, "one", "two")
	if err := b.tryStart(); err == nil || !strings.Contains(err.Error(), "none of the listeners PLAINTEXT, admin") {
		t.Errorf("two sockets for one listener: %v", err)
	}
	b = newBroker(t)
	handOver(t, b, "one")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	b.files[0] = null
	if err := b.tryStart(); err == nil || !strings.Contains(err.Error(), `socket 3 \"one\" of LISTEN_FDS`) && !strings.Contains(err.Error(), `socket 3 "one" of LISTEN_FDS`) {
		t.Errorf("no socket: %v", err)
	}
}

// TestKill_ResetsUnanswered: kill -9 ends connections, but resets those on which nothing
// was answered: an end there means to clients that they should have used TLS.
func TestKill_ResetsUnanswered(t *testing.T) {
	b := startBroker(t)
	fresh, answered := dial(t, b.addr), dial(t, b.addr)
	for range 2 { // the second answer shows that all is done that follows on the first
		ask[*kmsg.ApiVersionsResponse](answered, 0, &kmsg.ApiVersionsRequest{})
	}
	eventually(t, "both connections are accepted", func() error {
		if n := b.metric("sordini_connections"); n != 2 {
			return fmt.Errorf("%v connections", n)
		}
		return nil
	})
	b.kill()
	for what, c := range map[string]struct {
		w    *wire
		want error
	}{"fresh": {fresh, syscall.ECONNRESET}, "answered": {answered, io.EOF}} {
		c.w.conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.w.conn.Read(make([]byte, 1)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
}
