//go:build !linux

package wire

import (
	"fmt"
	"syscall"
)

// congestionControl can't be chosen on this platform.
func congestionControl(name string) func(network, address string, c syscall.RawConn) error {
	if name == "" {
		return nil
	}
	return func(_, _ string, _ syscall.RawConn) error {
		return fmt.Errorf("congestion control %q: not supported on this platform", name)
	}
}
