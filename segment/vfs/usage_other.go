//go:build !linux && !darwin && !freebsd && !dragonfly && !windows

package vfs

import "errors"

func usage(string) (Usage, error) { return Usage{}, errors.ErrUnsupported }
