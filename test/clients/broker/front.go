package broker

import (
	"io"
	"net"
	"sync"
	"time"
)

// Front is a door to a server that is killed now and then: whoever comes while the
// server is down waits until it is back, and is not refused. Connections that the
// server had are cut when it dies, as without a front.
type Front struct {
	Address string // host:port, which the server has to advertise
	l       net.Listener
	server  string
	done    chan struct{}
}

// openFront opens a door to the server at an address.
func openFront(server string) (*Front, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &Front{Address: l.Addr().String(), l: l, server: server, done: make(chan struct{})}
	go f.serve()
	return f, nil
}

// Close refuses all who come from now on.
func (f *Front) Close() error {
	close(f.done)
	return f.l.Close()
}

func (f *Front) serve() {
	for {
		client, err := f.l.Accept()
		if err != nil {
			return
		}
		go f.pass(client)
	}
}

func (f *Front) pass(client net.Conn) {
	defer client.Close()
	server := f.dial()
	if server == nil {
		return
	}
	defer server.Close()
	var wg sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		wg.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // its end, however it comes, is the end of both
			client.Close()
			server.Close()
		})
	}
	wg.Wait()
}

// dial waits for the server, nil if the front is closed first.
func (f *Front) dial() net.Conn {
	for {
		server, err := net.Dial("tcp", f.server)
		if err == nil {
			return server
		}
		select {
		case <-f.done:
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Fronted starts a binary of sordini as Sordini does, which tells clients to come
// through a front.
func Fronted(binary, dir string) (*Broker, *Front, error) {
	address, err := free()
	if err != nil {
		return nil, nil, err
	}
	front, err := openFront(address)
	if err != nil {
		return nil, nil, err
	}
	b, err := sordini(binary, dir, address, "advertised.listeners=PLAINTEXT://"+front.Address)
	if err != nil {
		front.Close()
		return nil, nil, err
	}
	return b, front, nil
}
