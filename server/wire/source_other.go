//go:build !unix

package wire

import "net"

// source reads from a socket, the portable way: a waiting connection keeps its
// buffer.
type source struct{ conn *net.TCPConn }

func newSource(conn *net.TCPConn) (source, error) { return source{conn}, nil }

func (s *source) read(f *frames) (int, error) { return s.conn.Read(f.space()) }

func (c *Conn) descriptor() (uintptr, error) { return 0, nil }

// lastDescriptor is 0: there is no limit that could be asked for.
func lastDescriptor() uintptr { return 0 }
