//go:build !unix

package vfs

import (
	"os"
	"syscall"
)

// syncDir only checks the name: the platform cannot sync a directory.
func syncDir(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return pathError("syncdir", name, syscall.ENOTDIR)
	}
	return nil
}
