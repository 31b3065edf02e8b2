package partition

import (
	"fmt"
	"path/filepath"

	"sordini/log"
	"sordini/log/checkpoint"
	"sordini/segment/vfs"
)

// RaiseRecovery notes in the checkpoint of a data directory that the log in a partition's
// directory is durable below an offset. Nobody else may use the data directory.
func RaiseRecovery(fsys vfs.FS, dir string, offset int64) error {
	topic, index, ok := log.ParseDirName(filepath.Base(dir))
	if !ok {
		return fmt.Errorf("%s is not named like the directory of a partition", dir)
	}
	id, err := readTopicID(fsys, dir)
	if err != nil {
		return err
	}
	return checkpoint.Raise(fsys, filepath.Dir(dir), checkpoint.Partition{Topic: topic, Index: index}, id, offset)
}
