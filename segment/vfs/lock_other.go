//go:build (!unix && !windows) || aix

package vfs

import (
	"errors"
	"os"
)

func lockFile(*os.File) error { return errors.ErrUnsupported }
