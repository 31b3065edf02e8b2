//go:build darwin || freebsd || dragonfly

package vfs

import "golang.org/x/sys/unix"

func usage(name string) (Usage, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(name, &st); err != nil {
		return Usage{}, err
	}
	unit := uint64(st.Bsize)
	return Usage{
		Total: uint64(st.Blocks) * unit,
		Used:  (uint64(st.Blocks) - min(uint64(st.Bfree), uint64(st.Blocks))) * unit,
		// FreeBSD counts below zero once the reserve for root is in use.
		Free: uint64(max(0, int64(st.Bavail))) * unit,
		Type: unix.ByteSliceToString(st.Fstypename[:]),
	}, nil
}
