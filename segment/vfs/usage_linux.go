package vfs

import "golang.org/x/sys/unix"

func usage(name string) (Usage, error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(name, &st)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return Usage{}, err
		}
	}
	unit := uint64(st.Frsize)
	if unit == 0 {
		unit = uint64(st.Bsize)
	}
	return Usage{
		Total: st.Blocks * unit,
		Used:  (st.Blocks - min(st.Bfree, st.Blocks)) * unit,
		Free:  st.Bavail * unit,
		Type:  fileSystemType(uint32(st.Type)),
	}, nil
}

// fileSystemType names the magic number of statfs(2). ext2 and ext3 share the
// number of ext4 and are driven by its code.
func fileSystemType(magic uint32) string {
	const (
		magicZFS  = 0x2fc12fc1 // OpenZFS, not in the kernel's list
		magicNTFS = 0x7366746e // ntfs3
	)
	switch magic {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case magicZFS:
		return "zfs"
	case unix.BCACHEFS_SUPER_MAGIC:
		return "bcachefs"
	case unix.F2FS_SUPER_MAGIC:
		return "f2fs"
	case unix.TMPFS_MAGIC:
		return "tmpfs"
	case unix.RAMFS_MAGIC:
		return "ramfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlay"
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	case unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.SMB_SUPER_MAGIC:
		return "smb"
	case unix.CEPH_SUPER_MAGIC:
		return "ceph"
	case unix.FUSE_SUPER_MAGIC:
		return "fuse"
	case unix.V9FS_MAGIC:
		return "9p"
	case unix.MSDOS_SUPER_MAGIC:
		return "vfat"
	case unix.EXFAT_SUPER_MAGIC:
		return "exfat"
	case magicNTFS:
		return "ntfs"
	case unix.ECRYPTFS_SUPER_MAGIC:
		return "ecryptfs"
	}
	return ""
}
