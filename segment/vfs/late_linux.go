package vfs

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// ReportsLate says that the system's File.Sync reports a failure to write to the file
// that nobody has heard of yet, even if it came before the file was opened. A sync
// that succeeds on a new handle then proves that all bytes that can be read are on the
// disk, unless a sync of the same file has failed before. Linux does so since 4.17
// (errseq_t); when it forgets an inode, it forgets the bytes with it.
func ReportsLate() bool { return reportsLate() }

var reportsLate = sync.OnceValue(func() bool {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return false
	}
	return errseqComplete(unix.ByteSliceToString(name.Release[:]))
})

// errseqComplete says whether a kernel release such as "6.1.0-13-amd64" is new enough.
func errseqComplete(release string) bool {
	var major, minor int
	if n, err := fmt.Sscanf(release, "%d.%d", &major, &minor); n < 2 || err != nil {
		return false
	}
	return major > 4 || major == 4 && minor >= 17
}
