//go:build !linux

package vfs

// Writeback is a hint that nobody takes on this system.
func Writeback(f File, pos, n int64) {}

// ReadAhead is a hint that nobody takes on this system.
func ReadAhead(f File, pos, n int64) {}
