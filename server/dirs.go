package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"sordini/segment/vfs"
	"sordini/server/meta"
	"sordini/server/partition"
)

// Names in a data directory.
const (
	lockFile    = ".lock"
	metadataDir = "metadata"
)

// dataDir is a data directory on its way to partition.Open.
type dataDir struct {
	partition.Dir
	found meta.Properties
	fresh bool // there is no meta.properties
}

// fail notes why a directory cannot be used. The server does without it, unless the
// metadata is there.
func (d *dataDir) fail(err error) error {
	if d.Metadata {
		return fmt.Errorf("data directory: %w", err)
	}
	d.Err = err
	return nil
}

// openDirs takes the locks of all data directories, reads whose they are and returns
// them, with the one of the metadata, if that has none of the partitions, at the end.
func (s *Server) openDirs() ([]*dataDir, error) {
	broker := s.opt.Values.Broker()
	var dirs []*dataDir
	alone := true
	for _, d := range broker.LogDirs {
		metadata := d.Path == broker.MetadataDir
		alone = alone && !metadata
		dirs = append(dirs, &dataDir{Dir: partition.Dir{Path: d.Path, Class: d.Class, Cordoned: d.Cordoned, Metadata: metadata}})
	}
	if alone {
		dirs = append(dirs, &dataDir{Dir: partition.Dir{Path: broker.MetadataDir, Metadata: true}})
	}
	for _, d := range dirs {
		if err := s.openDir(d); err != nil {
			return nil, err
		}
	}
	return dirs, nil
}

func (s *Server) openDir(d *dataDir) error {
	if err := s.fs.MkdirAll(d.Path); err != nil {
		return d.fail(err)
	}
	lock, err := s.fs.Lock(filepath.Join(d.Path, lockFile))
	if errors.Is(err, vfs.ErrLocked) {
		return fmt.Errorf("data directory %s is in use by another process", d.Path)
	}
	if err != nil {
		return d.fail(err)
	}
	s.locks = append(s.locks, lock)
	if d.Class == "" {
		if turns, known := vfs.Rotational(d.Path); known {
			d.Class = map[bool]string{false: "ssd", true: "hdd"}[turns]
		}
	}
	d.found, err = meta.ReadProperties(s.fs, d.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.fresh = true
	case errors.Is(err, meta.ErrIdentity):
		return err // of the metadata's directory, Identify says more
	case err != nil:
		return d.fail(err)
	}
	return nil
}

// refuseKafkas leaves alone a directory that Apache Kafka has written: its topics
// stand in a metadata log that is not read here, so that they would look like
// leftovers.
func (s *Server) refuseKafkas(dir string) error {
	const kafkas = "__cluster_metadata-0"
	_, ours := s.fs.Stat(filepath.Join(dir, metadataDir))
	if _, err := s.fs.Stat(filepath.Join(dir, kafkas)); err == nil && ours != nil {
		return fmt.Errorf("data directory %s belongs to Apache Kafka (it has %s); serve another one, into which \"sordini import %s\" copies its topics", dir, kafkas, dir)
	}
	return nil
}

// refuseUnmounted makes no new cluster in a directory for the metadata that has nothing,
// if other directories belong to one.
func (s *Server) refuseUnmounted(dirs []*dataDir) error {
	var home, other *dataDir
	for _, d := range dirs {
		switch {
		case d.Metadata:
			home = d
		case !d.fresh && d.Err == nil:
			other = d
		}
	}
	if other == nil || !home.fresh {
		return nil
	}
	if _, err := s.fs.Stat(filepath.Join(home.Path, metadataDir)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the directory of the metadata, %s, is empty, and %s belongs to cluster %s: is a disk not mounted, or the first of log.dirs another one than before?",
			home.Path, other.Path, other.found.ClusterID)
	}
	return nil
}

// adopt checks that the directories other than that of the metadata are this server's,
// and makes those its own that are empty.
func (s *Server) adopt(dirs []*dataDir) error {
	ids := map[string]string{s.store.Image().DirectoryID(): s.opt.Values.Broker().MetadataDir}
	for _, d := range dirs {
		if d.Metadata || d.fresh || d.Err != nil {
			continue
		}
		if err := s.store.Image().CheckProperties(d.Path, d.found); err != nil {
			return err
		}
		if d.found.DirectoryID == "" {
			continue // of a Kafka before 3.7
		}
		if twin, ok := ids[d.found.DirectoryID]; ok {
			return fmt.Errorf("%w: %s and %s have the same directory id %s; one of them is a copy", meta.ErrIdentity, twin, d.Path, d.found.DirectoryID)
		}
		ids[d.found.DirectoryID] = d.Path
	}
	for _, d := range dirs {
		if d.fresh && !d.Metadata && d.Err == nil {
			if err := s.adoptFresh(d, dirs); err != nil {
				d.Err = err
			}
		}
	}
	return nil
}

// adoptFresh makes an empty directory the server's own, unless it looks like the mount
// point of a disk that is not mounted.
func (s *Server) adoptFresh(d *dataDir, dirs []*dataDir) error {
	entries, err := s.fs.ReadDir(d.Path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); name != lockFile && name != "lost+found" {
			return fmt.Errorf("%s has no %s and is not empty (%s): it is not touched", d.Path, meta.PropertiesFile, name)
		}
	}
	var others []string
	explained := false
	for _, o := range dirs {
		explained = explained || o.Err != nil && !o.fresh
		if o.Err == nil && !o.fresh || o.Metadata {
			others = append(others, o.Path)
		}
	}
	if missing, example := partition.Missing(s.fs, s.store.Image(), others); missing > 0 && !explained {
		return fmt.Errorf("%s has no %s, and %d partitions, such as %s, are in no other directory: is its disk not mounted? An empty disk is taken when their topics are deleted",
			d.Path, meta.PropertiesFile, missing, example)
	}
	if _, err := s.store.AdoptDir(d.Path, rand.Reader); err != nil {
		return err
	}
	d.Clean = true // there is nothing to recover
	s.opt.Logger.Info("empty data directory taken in", "dir", d.Path)
	return nil
}

// endedClean takes the markers of an orderly shutdown, and says whether there was one in
// all of the directories.
func (s *Server) endedClean(dirs []*dataDir) (all bool, err error) {
	all = true
	for _, d := range dirs {
		if d.Err != nil || d.Clean {
			continue
		}
		if d.Clean, err = s.store.EndedClean(d.Path); err != nil {
			if err := d.fail(err); err != nil {
				return false, err
			}
			continue
		}
		all = all && d.Clean
	}
	return all, nil
}
