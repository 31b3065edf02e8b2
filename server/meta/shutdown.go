package meta

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"sordini/segment/vfs"
)

// CleanShutdownFile is the name of Kafka's marker in a data directory: all logs
// were synced and closed in order.
const CleanShutdownFile = ".kafka_cleanshutdown"

// maxCleanShutdownSize bounds what is read of it, in bytes. Kafka's has about 30.
const maxCleanShutdownSize = 4 << 10

// cleanShutdown is the marker's content: version 0 of Kafka's
// CleanShutdownFileHandler.
type cleanShutdown struct {
	Version     *int   `json:"version"`
	BrokerEpoch *int64 `json:"brokerEpoch"`
}

// WriteClean leaves the marker in dataDir, durably. It is the last thing that a
// process does, after all else is synced. The epoch is the image's BrokerEpoch.
func WriteClean(fsys vfs.FS, dataDir string, epoch int64) error {
	version := 0
	b, err := json.Marshal(cleanShutdown{Version: &version, BrokerEpoch: &epoch})
	if err != nil {
		return fmt.Errorf("write %s: %w", CleanShutdownFile, err)
	}
	return replaceFile(fsys, dataDir, CleanShutdownFile, b)
}

// TakeClean reads the marker and removes it for good: after it returns, a power
// cut cannot bring the marker back. A missing or unreadable marker is not clean.
// A clean one only counts if its epoch is that of the last process start, which
// [Store.EndedClean] checks: a backup of the directory may hold an older one.
func TakeClean(fsys vfs.FS, dataDir string) (clean bool, epoch int64, err error) {
	path := filepath.Join(dataDir, CleanShutdownFile)
	b, err := vfs.ReadFile(fsys, path, maxCleanShutdownSize)
	var m cleanShutdown
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// Sync all the same: the process before may have died right after removing it.
		if err := fsys.SyncDir(dataDir); err != nil {
			return false, 0, fmt.Errorf("sync directory %s: %w", dataDir, err)
		}
		return false, 0, nil
	case err != nil && !errors.Is(err, vfs.ErrTooLarge):
		return false, 0, err
	case err == nil && unmarshalStrict(b, &m) == nil:
		clean = m.Version != nil && *m.Version == 0 && m.BrokerEpoch != nil
	}
	if err := removeFiles(fsys, dataDir, []string{CleanShutdownFile}); err != nil {
		return false, 0, err
	}
	if !clean {
		return false, 0, nil
	}
	return true, *m.BrokerEpoch, nil
}

// EndedClean takes the marker from dataDir and says whether the last process was shut
// down in order there. It is called once for each data directory, before Start.
func (s *Store) EndedClean(dataDir string) (bool, error) {
	marked, epoch, err := TakeClean(s.fs, dataDir)
	if err != nil {
		return false, fmt.Errorf("start: %w", err)
	}
	return marked && epoch == s.Image().BrokerEpoch(), nil
}

// Start records that a process started, with the next broker epoch, and returns the
// image that says so. clean says that the process before was shut down in order
// everywhere. It is called once, before anything is written to any log of a
// partition.
func (s *Store) Start(clean bool) (*Image, error) {
	// A crash from here on leaves no marker, and the next start counts as unclean.
	i, err := s.Apply(ProcessStarted{Clean: clean, BrokerEpoch: s.Image().BrokerEpoch() + 1})
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	return i, nil
}
