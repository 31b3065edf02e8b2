package broker

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestFront: who comes before the server waits for it, and its end is the client's.
func TestFront(t *testing.T) {
	address, err := free()
	if err != nil {
		t.Fatal(err)
	}
	f, err := openFront(address)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	client, err := net.Dial("tcp", f.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	var got [5]byte
	if _, err := io.ReadFull(server, got[:]); err != nil || string(got[:]) != "hello" {
		t.Errorf("the server read %q (%v)", got, err)
	}
	server.Close()
	if err := client.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(got[:]); err != io.EOF {
		t.Errorf("the client read %v after the server's end, want EOF", err)
	}
}
