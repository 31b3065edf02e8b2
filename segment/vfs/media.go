package vfs

// Rotational says whether a file lies on a disk that turns, as the disk says of itself.
// It is not known of file systems without a block device of their own (overlay, tmpfs,
// btrfs, those of a network), and outside of Linux.
func Rotational(name string) (yes, known bool) { return rotational(name) }
