package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"sordini/log"
	"sordini/log/checkpoint"
	"sordini/segment"
	"sordini/segment/vfs"
	"sordini/server/meta"
)

// Suffixes of directories that are no partitions (any more), as in Kafka.
const (
	deleteSuffix = "-delete"
	straySuffix  = "-stray"
)

// whereabouts says in which volumes a partition has a directory.
type whereabouts map[checkpoint.Partition][]home

type home struct {
	volume *volume
	sure   bool // the directory has the id of the topic
}

// tidy finishes deletions that were interrupted and puts aside directories that the
// metadata does not know. What it knows goes into found.
func (s *Set) tidy(found whereabouts) error {
	var purged []meta.Record
	for t := range s.Image().Deleting() {
		purged = append(purged, meta.TopicPurged{ID: t.ID})
	}
	err := s.eachOnline(func(v *volume) error {
		if err := v.tidy(found, len(purged) > 0); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		return nil
	})
	if err == nil {
		err = s.eachOnline(func(v *volume) error { return v.tidyTwins(found) })
	}
	if err != nil {
		return err
	}
	for _, v := range s.volumes {
		if v.offline() != nil {
			return nil // what was deleted may still have files there
		}
	}
	if len(purged) > 0 {
		_, err = s.opt.Store.Apply(purged...)
	}
	return err
}

// tidy is Set.tidy for one volume. changed says that the process before may have died
// between a removal and its sync.
func (v *volume) tidy(found whereabouts, changed bool) error {
	entries, err := v.set.opt.FS.ReadDir(v.Path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		did, err := v.tidyDir(e.Name(), found)
		if err != nil {
			return err
		}
		changed = changed || did
	}
	if changed {
		return v.set.opt.FS.SyncDir(v.Path)
	}
	return nil
}

// tidyTwins puts away directories of the volume that another volume has too: those
// without a topic id if the other one has it, and those of creations that came to nothing.
func (v *volume) tidyTwins(found whereabouts) error {
	changed := false
	for key, homes := range found {
		i := slices.IndexFunc(homes, func(h home) bool { return h.volume == v })
		if len(homes) < 2 || i < 0 || !v.lesser(homes, i, log.DirName(key.Topic, key.Index)) {
			continue
		}
		if err := v.putAway(log.DirName(key.Topic, key.Index), v.set.deleting(key.Topic)); err != nil {
			return err
		}
		found[key], changed = slices.Delete(homes, i, i+1), true
	}
	if changed {
		return v.set.opt.FS.SyncDir(v.Path)
	}
	return nil
}

// lesser says whether another home of a partition counts, and not the one of this volume.
func (v *volume) lesser(homes []home, i int, name string) bool {
	for n, other := range homes {
		switch {
		case n == i || !other.sure:
		case !homes[i].sure:
			return true
		case v.unopened(name) && (n < i || !other.volume.unopened(name)):
			return true
		}
	}
	return false
}

// unopened says whether a directory is as a creation makes it before the topic exists.
func (v *volume) unopened(name string) bool {
	entries, err := v.set.opt.FS.ReadDir(filepath.Join(v.Path, name))
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return strings.TrimSuffix(e.Name(), segment.TempSuffix) != metadataFile
	})
}

// deleting says whether a topic of this name was deleted, and its files may be there.
func (s *Set) deleting(name string) bool {
	for gone := range s.Image().Deleting() {
		if gone.Name == name {
			return true
		}
	}
	return false
}

// putAway removes a directory that is empty, or that may be deleted, and renames others.
func (v *volume) putAway(name string, remove bool) error {
	dir := filepath.Join(v.Path, name)
	if remove || v.set.empty(dir) {
		return log.RemoveDir(log.Options{FS: v.set.opt.FS, Logger: v.logger}, dir)
	}
	aside := filepath.Join(v.Path, asideName(name, fmt.Sprintf(".%d%s", v.set.opt.Now().UnixNano(), straySuffix)))
	v.logger.Warn("directory belongs to no topic; set aside, nothing is deleted", "dir", dir, "aside", aside, "advice", v.set.adviceFor(dir))
	return v.set.opt.FS.Rename(dir, aside)
}

// adviceFor says what may be done about a directory that belongs to no topic.
func (s *Set) adviceFor(dir string) string {
	b, err := vfs.ReadFile(s.opt.FS, filepath.Join(dir, metadataFile), largestMetadata)
	if _, idErr := parseTopicIDFile(b); err == nil && idErr == nil && !strings.Contains(string(b), metadataSum) {
		return "it came from Kafka; if an import was interrupted, repeat it: it removes what the topic has all of"
	}
	return "look into it with sordini segment dump, and remove it if it is not needed"
}

// Missing counts the partitions that the metadata names and that have a directory in none
// of dirs, and names one of them. A directory that cannot be read has none.
func Missing(fsys vfs.FS, image *meta.Image, dirs []string) (n int, example string) {
	have := make(map[string]bool)
	for _, dir := range dirs {
		entries, _ := fsys.ReadDir(dir)
		for _, e := range entries {
			have[e.Name()] = true
		}
	}
	for t := range image.Topics() {
		for i := range t.Partitions {
			if name := log.DirName(t.Name, i); !have[name] {
				n, example = n+1, name
			}
		}
	}
	return n, example
}

// bestHomes leaves of the homes of a partition those that may be the one that counts. A
// volume that is offline cannot tell: it counts unless another one has surely more.
func bestHomes(homes []home, name string) []home {
	isOffline := func(h home) bool { return h.volume.offline() != nil }
	if slices.ContainsFunc(homes, func(h home) bool { return h.sure }) {
		homes = slices.DeleteFunc(slices.Clone(homes), func(h home) bool { return !h.sure && !isOffline(h) })
	}
	i, online := slices.IndexFunc(homes, isOffline), slices.DeleteFunc(slices.Clone(homes), isOffline)
	switch {
	case i < 0:
		return homes
	case len(online) == 1 && online[0].sure && !online[0].volume.unopened(name):
		return online
	}
	return homes[i : i+1]
}

// locate says in which volume a partition is, and why it must not be opened there.
func (s *Set) locate(found whereabouts, t *meta.Topic, index int32) (*volume, error) {
	homes := found[checkpoint.Partition{Topic: t.Name, Index: index}]
	if len(homes) > 1 {
		homes = bestHomes(homes, log.DirName(t.Name, index))
	}
	if len(homes) == 1 {
		return homes[0].volume, homes[0].volume.offline()
	}
	if len(homes) > 1 {
		return homes[0].volume, fmt.Errorf("the partition is in two data directories, %s and %s: move one of the two %s away",
			homes[0].volume.Path, homes[1].volume.Path, log.DirName(t.Name, index))
	}
	for _, v := range s.volumes {
		if err := v.offline(); err != nil {
			return v, err
		}
	}
	if len(s.volumes) > 1 {
		return s.volumes[0], errors.New("none of the data directories has the partition (is a disk not mounted, or missing in log.dirs?)")
	}
	return s.volumes[0], nil // opening says what is wrong
}

func (v *volume) tidyDir(name string, found whereabouts) (changed bool, err error) {
	s, dir := v.set, filepath.Join(v.Path, name)
	opt := log.Options{FS: s.opt.FS, Logger: v.logger}
	if strings.HasSuffix(name, deleteSuffix) {
		return true, log.RemoveDir(opt, dir)
	}
	topic, index, ok := log.ParseDirName(name)
	if !ok {
		return false, nil
	}
	id, idErr := s.readTopicID(dir)
	t := s.Image().Topic(topic)
	if t != nil && index < t.Partitions && (idErr != nil || id == t.ID) {
		key := checkpoint.Partition{Topic: topic, Index: index}
		found[key] = append(found[key], home{v, idErr == nil})
		return false, nil
	}
	for gone := range s.Image().Deleting() {
		// Without its file, which a power cut may take from an unflushed partition,
		// the name tells.
		if idErr == nil && gone.ID == id || idErr != nil && gone.Name == topic {
			return true, log.RemoveDir(opt, dir)
		}
	}
	return true, v.putAway(name, false) // if it is empty, a creation was interrupted
}

// asideName is the name of a directory with a suffix, cut to the 255 bytes that
// file systems allow.
func asideName(name, suffix string) string {
	return name[:min(len(name), 255-len(suffix))] + suffix
}

// StrayOf is what a directory that was set aside was called before, or the beginning of
// that; false of any other.
func StrayOf(name string) (was string, ok bool) {
	was, ok = strings.CutSuffix(name, straySuffix)
	if at := strings.LastIndexByte(was, '.'); ok && at >= 0 {
		return was[:at], true
	}
	return "", false
}

// empty says whether a directory holds no record, and nothing that is not ours.
func (s *Set) empty(dir string) bool {
	entries, err := s.opt.FS.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.IsDir() || !log.Owns(strings.TrimSuffix(e.Name(), segment.TempSuffix)) && strings.TrimSuffix(e.Name(), segment.TempSuffix) != metadataFile {
			return false
		}
		if !strings.HasSuffix(e.Name(), segment.LogSuffix) {
			continue
		}
		if info, err := e.Info(); err != nil || info.Size() > 0 {
			return false
		}
	}
	return true
}
