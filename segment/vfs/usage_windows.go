package vfs

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

func usage(name string) (Usage, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return Usage{}, err
	}
	path, err := windows.UTF16PtrFromString(abs)
	if err != nil {
		return Usage{}, err
	}
	var root [windows.MAX_PATH + 1]uint16
	if err := windows.GetVolumePathName(path, &root[0], uint32(len(root))); err != nil {
		return Usage{}, err
	}
	var u Usage
	if err := windows.GetDiskFreeSpaceEx(&root[0], &u.Free, &u.Total, nil); err != nil {
		return Usage{}, err
	}
	u.Used = u.Total - min(u.Free, u.Total)
	var kind [windows.MAX_PATH + 1]uint16
	err = windows.GetVolumeInformation(&root[0], nil, 0, nil, nil, nil, &kind[0], uint32(len(kind)))
	if err == nil {
		u.Type = strings.ToLower(windows.UTF16ToString(kind[:]))
	}
	return u, nil
}
