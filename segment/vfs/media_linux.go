package vfs

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

func rotational(name string) (yes, known bool) {
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		return false, false
	}
	return rotationalDevice("/sys/dev/block", unix.Major(st.Dev), unix.Minor(st.Dev))
}

// rotationalDevice asks the system's list of block devices in sys. A partition has no
// queue of its own, and its directory lies in that of the disk.
func rotationalDevice(sys string, major, minor uint32) (yes, known bool) {
	device := fmt.Sprintf("%s/%d:%d", sys, major, minor)
	for _, queue := range []string{"/queue/rotational", "/../queue/rotational"} {
		if b, err := os.ReadFile(device + queue); err == nil {
			text := strings.TrimSpace(string(b))
			return text == "1", text == "0" || text == "1"
		}
	}
	return false, false
}
