//go:build !linux

package vfs

// ReportsLate says that the system's File.Sync reports a failure to write to the file
// that nobody has heard of yet, even if it came before the file was opened. Nothing is
// known of this system.
func ReportsLate() bool { return false }
