package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"sordini/log/checkpoint"
	"sordini/log/journal"
	"sordini/segment/vfs"
)

// Names of what a server keeps in its data directory.
const (
	lockFile   = ".lock"
	journalDir = "journal"
	tornSuffix = ".torn"
)

// Look says what a data directory tells.
func Look(fsys vfs.FS, dir string) []Finding {
	if _, err := fsys.Stat(filepath.Join(dir, lockFile)); err != nil {
		return []Finding{{Critical, "directory", fmt.Sprintf("%s is no data directory of sordini, or cannot be read: %v", dir, err),
			"the path is wrong, the disk is not mounted, or another user owns it", "give the path of log.dirs with --data-dir; mount the disk"}}
	}
	return append([]Finding{lookUsage(fsys, dir), lookCheckpoint(fsys, dir), lookTorn(fsys, dir)}, lookJournal(fsys, dir)...)
}

func lookUsage(fsys vfs.FS, dir string) Finding {
	u, err := fsys.Usage(dir)
	if err != nil {
		return Finding{Warning, "disk", fmt.Sprintf("the use of the file system of %s cannot be told: %v", dir, err),
			"the file system does not tell it, or an error of the disk", "look at it with df"}
	}
	return judgeDisk(dir, u.Ratio(), 0)
}

func lookCheckpoint(fsys vfs.FS, dir string) Finding {
	if _, err := checkpoint.Read(fsys, dir); err != nil {
		return Finding{Warning, "checkpoint", fmt.Sprintf("the checkpoint cannot be used: %v", err),
			"the file was damaged on the disk; its checksum does not fit", "none is needed: the next start checks the logs from the checkpoint before it, which takes longer. Look for disk errors (dmesg, smartctl)"}
	}
	written, err := fsys.Stat(filepath.Join(dir, checkpoint.File))
	marked, merr := fsys.Stat(filepath.Join(dir, checkpoint.MarksFile))
	if err != nil || merr != nil {
		return fine("checkpoint", "readable")
	}
	if behind := marked.ModTime().Sub(written.ModTime()).Seconds(); behind > oldCheckpoint {
		return Finding{Warning, "checkpoint", fmt.Sprintf("the last checkpoint is %.0f s older than the last flush", behind),
			"checkpoints fail, mostly for want of space", "free disk space, and look for \"checkpoint failed\" in the server's log; the next start checks all that was written since"}
	}
	return fine("checkpoint", "readable, and not older than the flushes by much")
}

// lookTorn counts what recovery has cut.
func lookTorn(fsys vfs.FS, dir string) Finding {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return Finding{Warning, "recovery", fmt.Sprintf("%s cannot be listed: %v", dir, err), "a permission or an error of the disk", "look at it with ls"}
	}
	torn := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		files, err := fsys.ReadDir(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // gone meanwhile
		}
		for _, f := range files {
			if strings.Contains(f.Name(), tornSuffix) {
				torn++
			}
		}
	}
	if torn == 0 {
		return fine("recovery", "no torn writes were cut")
	}
	return fine("recovery", fmt.Sprintf("%d files keep torn writes that recovery has cut after a crash; they were not acknowledged, and the files may be deleted", torn))
}

// lookJournal reads the journal unless a server uses it.
func lookJournal(fsys vfs.FS, dir string) []Finding {
	lock, err := fsys.Lock(filepath.Join(dir, lockFile))
	if errors.Is(err, vfs.ErrLocked) {
		return []Finding{fine("journal", "in use by a running server, which tells of it in its metrics")}
	}
	if err != nil {
		return []Finding{{Warning, "journal", fmt.Sprintf("cannot be locked: %v", err), "a permission or an error of the disk", "run as the user of the server"}}
	}
	defer lock.Close()
	name := filepath.Join(dir, journalDir)
	if _, err := fsys.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return []Finding{fine("journal", "there is none")}
	}
	r, err := journal.Replay(fsys, name, false, func(*journal.Entry) error { return nil })
	switch {
	case err != nil:
		return []Finding{{Critical, "journal", fmt.Sprintf("cannot be read: %v", err),
			"an error of the disk; the journal may hold the only copy of acknowledged records, so the server does not start without it",
			"repair the disk or restore the directory from a backup; moving " + name + " away lets the server start, without those records"}}
	case r.Damaged > 0:
		return []Finding{{Critical, "journal", fmt.Sprintf("is damaged in %d places", r.Damaged),
			"stored bytes have changed on the disk: their checksum does not fit", "acknowledged records may be lost that were not in the segments yet; look for disk errors (dmesg, smartctl), and compare with the producers"}}
	}
	return []Finding{fine("journal", fmt.Sprintf("%d rounds with %d entries can be read", r.Rounds, r.Entries))}
}
