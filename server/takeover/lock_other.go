//go:build (!unix && !windows) || aix

package takeover

import (
	"errors"
	"io"
)

// LockKafka is not to be had here.
func LockKafka(string) (io.Closer, error) { return nil, errors.ErrUnsupported }
