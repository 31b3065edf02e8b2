package meta

import (
	"fmt"
	"path/filepath"

	"sordini/segment/vfs"
)

// replaceFile is vfs.ReplaceFile of dir/name with its name made durable.
func replaceFile(fsys vfs.FS, dir, name string, bufs ...[]byte) error {
	if err := vfs.ReplaceFile(fsys, filepath.Join(dir, name), bufs...); err != nil {
		return err
	}
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}
