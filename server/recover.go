package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sordini/segment/vfs"
	"sordini/server/api"
	"sordini/server/metrics"
	"sordini/server/partition"
)

// Recovered is what Recover found and did, or would do.
type Recovered struct {
	Report     partition.Report
	Partitions []partition.Detail
	// Aside are directories that belong to no topic and were renamed, Removed those
	// of topics whose deletion was finished.
	Aside, Removed []string
}

// Recover opens the data directory as Start does, with all that this repairs, and
// closes it in order; it serves nobody. With dry it does so upon an overlay of the
// disk, which itself is only read. What opening would write is kept in a temporary
// file meanwhile, which seldom holds more than the journal does.
//
// The directory must be one of a server, which must not be running.
func Recover(opt Options, dry bool) (r Recovered, err error) {
	if opt.Progress == nil {
		opt.Progress = new(partition.Progress)
	}
	opt.Progress.KeepDetails = true
	s := &Server{opt: opt, fs: vfs.OS(), failed: make(chan error, 1)}
	if home := opt.Values.Broker().MetadataDir; !IsData(home) {
		return r, fmt.Errorf("%s is no data directory of a server: it has no %s", home, metadataDir)
	}
	if dry {
		end, err := s.overlay()
		if err != nil {
			return r, err
		}
		defer end()
	}
	defer func() { err = errors.Join(err, s.closeAll()) }()
	if err := s.lockData(); err != nil {
		return r, err
	}
	before, err := s.directories()
	if err != nil {
		return r, err
	}
	s.metrics = metrics.New(opt.Version, api.Name)
	if err := s.openData(0); err != nil {
		return r, err
	}
	after, err := s.directories()
	if err != nil {
		return r, err
	}
	r = Recovered{Report: s.recovery, Partitions: opt.Progress.Details()}
	r.Aside, r.Removed = moved(before, after)
	return r, nil
}

// overlay puts an overlay over the disk, whose lock it takes.
func (s *Server) overlay() (end func(), err error) {
	spill, err := os.CreateTemp("", "sordini-*")
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	name := spill.Name()
	spill.Close()
	f, err := s.fs.OpenFile(name, os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	os.Remove(name) // where an open file can be removed it is gone however this ends
	discard := func() {
		f.Close()
		os.Remove(name)
	}
	release, err := s.lockReal()
	if err != nil {
		discard()
		return nil, err
	}
	s.fs = vfs.NewOverlay(s.fs, f)
	return func() {
		release()
		discard()
	}, nil
}

// lockReal takes the locks of the directories themselves.
func (s *Server) lockReal() (release func(), err error) {
	var all []func()
	release = func() {
		for _, r := range all {
			r()
		}
	}
	broker := s.opt.Values.Broker()
	dirs := []string{broker.MetadataDir}
	for _, d := range broker.LogDirs {
		if d.Path != broker.MetadataDir {
			dirs = append(dirs, d.Path)
		}
	}
	for _, dir := range dirs {
		one, err := LockData(dir)
		if err != nil {
			release()
			return nil, err
		}
		all = append(all, one)
	}
	return release, nil
}

// IsData says whether a directory is a data directory of a server.
func IsData(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, metadataDir))
	return err == nil && info.IsDir()
}

// LockData takes the lock of a data directory, which a running server holds. Where no
// lock was ever taken, as in a copy of something else, there is none to take and no file
// is made.
func LockData(dir string) (release func(), err error) {
	fsys, lock := vfs.OS(), filepath.Join(dir, lockFile)
	if _, err := fsys.Stat(lock); err != nil {
		return func() {}, nil
	}
	held, err := fsys.Lock(lock)
	if err != nil {
		return nil, lockError(dir, err)
	}
	return func() { held.Close() }, nil
}

// directories are the names of the directories in the data directory; with their paths,
// if there are several.
func (s *Server) directories() ([]string, error) {
	var names []string
	for _, d := range s.dirs {
		if d.Err != nil {
			continue
		}
		entries, err := s.fs.ReadDir(d.Path)
		if err != nil {
			return nil, fmt.Errorf("data directory: %w", err)
		}
		for _, e := range entries {
			switch {
			case !e.IsDir():
			case len(s.dirs) > 1:
				names = append(names, filepath.Join(d.Path, e.Name()))
			default:
				names = append(names, e.Name())
			}
		}
	}
	return names, nil
}

// moved tells of the directories that are gone which were renamed and which removed.
func moved(before, after []string) (aside, removed []string) {
	const longest = 255 // names are cut to it when they are set aside
	left := make(map[string]bool, len(after))
	var strays []string
	for _, name := range after {
		left[name] = true
		if _, is := partition.StrayOf(name); is && !slices.Contains(before, name) {
			strays = append(strays, name)
		}
	}
	for _, name := range before {
		if left[name] {
			continue
		}
		renamed := slices.ContainsFunc(strays, func(n string) bool {
			was, _ := partition.StrayOf(n)
			return name == was || len(filepath.Base(n)) == longest && strings.HasPrefix(name, was)
		})
		if renamed {
			aside = append(aside, name)
		} else {
			removed = append(removed, name)
		}
	}
	return aside, removed
}
