package wire

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// congestionControl sets the TCP congestion control of a listener, which its
// connections inherit; "" leaves the system's.
func congestionControl(name string) func(network, address string, c syscall.RawConn) error {
	if name == "" {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		cerr := c.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
		})
		if cerr != nil {
			return cerr
		}
		if err != nil {
			return fmt.Errorf("congestion control %q: %w", name, err)
		}
		return nil
	}
}
