package takeover

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"sordini/log"
	"sordini/segment"
	"sordini/segment/vfs"
)

// dropLeftovers removes what imports before have left of a topic that is there now: they
// died when its directories had their names and the metadata did not, and then they, or
// a server, set them aside. One goes only if the topic has every byte of its segments.
// What can't be removed stays for the next import.
func (t *target) dropLeftovers(p *plan) {
	err := t.eachLeftover(p, func(left, dir string) error {
		whole, err := t.contained(left, dir)
		if err != nil || !whole {
			return err
		}
		if err := t.remove(left); err != nil {
			return err
		}
		delete(t.setAside, left)
		t.notes = append(t.notes, fmt.Sprintf("%s, which an interrupted import had left, was removed: the topic has all of it", left))
		return t.opt.FS.SyncDir(t.opt.DataDir)
	})
	if err != nil {
		t.opt.Logger.Warn("what an import before has left remains", "topic", p.name, "err", err)
	}
}

// eachLeftover calls do for each directory that was set aside and has the id of a topic,
// with the one that the topic's partition has.
func (t *target) eachLeftover(p *plan, do func(left, dir string) error) error {
	entries, err := t.opt.FS.ReadDir(t.opt.DataDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, stray := strings.CutSuffix(e.Name(), straySuffix)
		at := max(strings.LastIndexByte(name, '.'), 0)
		topic, index, ok := log.ParseDirName(name[:at])
		if !stray || !ok || !e.IsDir() || topic != p.name || int(index) >= len(p.places) {
			continue
		}
		if _, err := strconv.ParseUint(name[at+1:], 10, 64); err != nil {
			continue // it is not we who called it so
		}
		left := filepath.Join(t.opt.DataDir, e.Name())
		if id, err := readTopicID(t.opt.FS, left); err != nil || id != p.id {
			continue
		}
		if err := do(left, filepath.Join(t.opt.DataDir, name[:at])); err != nil {
			return err
		}
	}
	return nil
}

// contained says whether a directory has nothing that would be lost with it: its segments
// are, byte for byte, what those of another one begin with, and the rest is made from them.
func (t *target) contained(left, in string) (bool, error) {
	entries, err := t.opt.FS.ReadDir(left)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		name := e.Name()
		if _, ok := segment.ParseFileName(name, segment.LogSuffix); ok {
			same, err := prefix(t.opt.FS, filepath.Join(left, name), filepath.Join(in, name))
			if err != nil || !same {
				return false, err
			}
			continue
		}
		records := strings.Contains(name, segment.LogSuffix) // of a compaction, or cut off
		if e.IsDir() || records || !log.Owns(name) && name != identityFile {
			return false, nil
		}
	}
	return true, nil
}

// prefix says whether a file begins with all of another one.
func prefix(fsys vfs.FS, short, long string) (bool, error) {
	if there, err := exists(fsys, long); err != nil || !there {
		return false, err
	}
	var files [2]vfs.File
	var sizes [2]int64
	for i, name := range []string{short, long} {
		f, err := fsys.Open(name)
		if err != nil {
			return false, err
		}
		defer f.Close()
		files[i] = f
		if sizes[i], err = f.Size(); err != nil {
			return false, err
		}
	}
	if sizes[0] > sizes[1] {
		return false, nil
	}
	const step = 1 << 20
	a, b := make([]byte, step), make([]byte, step)
	for at := int64(0); at < sizes[0]; at += step {
		n := min(step, sizes[0]-at)
		if err := vfs.ReadFull(files[0], a[:n], at); err != nil {
			return false, err
		}
		if err := vfs.ReadFull(files[1], b[:n], at); err != nil {
			return false, err
		}
		if !bytes.Equal(a[:n], b[:n]) {
			return false, nil
		}
	}
	return true, nil
}
