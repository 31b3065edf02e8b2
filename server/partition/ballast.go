package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"sordini/segment/vfs"
)

// The ballast is a file that only takes space, so that there is some to be had when
// others have filled the disk to the last byte: a start, and a deletion, have to
// write a little. It is thrown off before these if the disk is that full, and taken
// in again when there is plenty.
const ballastFile = "sordini-ballast"

const (
	largestBallast  = 16 << 20 // bytes
	smallestBallast = 64 << 10 // bytes; less is of no use
	ballastShare    = 100      // of the file system, one part in
	plenty          = 4        // times the ballast
)

// ballastBytes is the size of the ballast on a file system, 0 for none.
func ballastBytes(u vfs.Usage) uint64 {
	n := min(u.Total/ballastShare, largestBallast)
	if n < smallestBallast {
		return 0
	}
	return n
}

// ballast is what is known of the file.
type ballast struct {
	taken  bool // it is there
	failed bool // it could not be taken in, which was told
}

// ThrowBallast removes the ballast of a data directory if its disk has no space for
// a start. It is called before anything is written.
func ThrowBallast(fsys vfs.FS, dir string, logger *slog.Logger) {
	u, err := fsys.Usage(dir)
	if err != nil || u.Free >= ballastBytes(u) {
		return
	}
	name := filepath.Join(dir, ballastFile)
	if _, err := fsys.Stat(name); err != nil {
		return
	}
	if err := fsys.Remove(name); err != nil {
		logger.Warn("the disk is full, and the space reserved for that cannot be freed", "file", name, "err", err)
		return
	}
	logger.Warn("the disk is full: the space reserved for that was freed", "file", name, "bytes", ballastBytes(u))
}

// makeRoom throws the ballast off if what frees space could not be written down
// otherwise.
func (d *space) makeRoom() {
	d.mu.Lock()
	defer d.mu.Unlock()
	u, err := d.volume.set.opt.FS.Usage(d.volume.Path)
	if !d.ballast.taken || err != nil || u.Free >= ballastBytes(u)/plenty {
		return
	}
	d.ballast.taken = false
	ThrowBallast(d.volume.set.opt.FS, d.volume.Path, d.volume.set.opt.Logger)
}

// keepBallast takes the ballast in where it is missing and there is plenty of space.
func (d *space) keepBallast() {
	d.mu.Lock()
	defer d.mu.Unlock()
	size := ballastBytes(d.usage)
	if d.ballast.taken || size == 0 || d.state == DiskFull || d.usage.Free < plenty*size {
		return
	}
	err := takeBallast(d.volume.set.opt.FS, filepath.Join(d.volume.Path, ballastFile), int64(size))
	d.ballast.taken = err == nil
	if err != nil && !d.ballast.failed {
		d.volume.logger.Warn("no space is reserved for the case that the disk is full", "err", err)
	}
	d.ballast.failed = err != nil
}

// adoptBallast notes that an earlier process has left the file.
func (d *space) adoptBallast() {
	_, err := d.volume.set.opt.FS.Stat(filepath.Join(d.volume.Path, ballastFile))
	d.ballast.taken = err == nil || !errors.Is(err, fs.ErrNotExist)
}

func takeBallast(fsys vfs.FS, name string, size int64) error {
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return fmt.Errorf("reserve disk space: %w", err)
	}
	err = f.Preallocate(0, size)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("reserve disk space: %w", err), fsys.Remove(name))
	}
	return nil
}
