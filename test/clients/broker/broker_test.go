package broker

import (
	"net"
	"os"
	"testing"
)

// TestCommand: a socket that is held is told of as systemd does it, to the process
// itself.
func TestCommand(t *testing.T) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b := &Broker{program: "sh", args: []string{"-c", `test "$LISTEN_PID" = $$ && test "$LISTEN_FDS" = 1 && test -S /dev/fd/3`}, env: os.Environ()}
	if b.socket, err = l.File(); err != nil {
		t.Fatal(err)
	}
	defer b.socket.Close()
	if out, err := b.command().CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
