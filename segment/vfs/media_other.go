//go:build !linux

package vfs

func rotational(string) (yes, known bool) { return false, false }
