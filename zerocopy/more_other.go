//go:build !linux

package zerocopy

func (c *Conn) writeMore(b []byte) (int, error) { return c.tcp.Write(b) }

func (c *Conn) writeStep(uintptr) bool { return true }
