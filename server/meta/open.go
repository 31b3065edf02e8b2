package meta

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sordini/segment/vfs"
)

// maxSnapshot is the largest snapshot that is read, in bytes: millions of topics.
const maxSnapshot = 1 << 30

// copySize is how much of a torn end is copied at once, in bytes.
const copySize = 1 << 20

// Report says what Open found.
type Report struct {
	Snapshot int64    // version of the snapshot that was used; 0 if none
	Records  int64    // that were applied on top of it
	Bytes    int64    // of logs that were read, torn ends included
	CutBytes int64    // of a torn write that were cut from the end
	CutFile  string   // path of the file that keeps the cut bytes; "" if none
	Rotten   []string // paths of snapshots that could not be read, where they are now
}

// recovery is Open on its way.
type recovery struct {
	fs     vfs.FS
	dir    string
	opts   Options
	files  files
	image  *Image
	rotten []int64 // snapshots that could not be read
	last   scanned // of the newest log
	report Report
}

// Open reads the store in dir, which is created if missing (its parent must be
// there), and makes it ready for Apply. It leaves everything as it is and returns
// a [CorruptError] if data that had been synced is damaged, or an error with
// ErrNewer if a newer version wrote it. Close releases the store.
func Open(fsys vfs.FS, dir string, opts Options) (*Store, Report, error) {
	r := &recovery{fs: fsys, dir: dir, opts: opts.withDefaults(), image: emptyImage()}
	s, err := r.run()
	if err != nil {
		return nil, r.report, fmt.Errorf("open metadata: %w", err)
	}
	return s, r.report, nil
}

// run reads everything before it changes anything.
func (r *recovery) run() (*Store, error) {
	if err := r.makeDir(); err != nil {
		return nil, err
	}
	var err error
	if r.files, err = listFiles(r.fs, r.dir); err != nil {
		return nil, err
	}
	if err := r.loadSnapshot(); err != nil {
		return nil, err
	}
	if err := r.replay(); err != nil {
		return nil, err
	}
	if err := r.repair(); err != nil {
		return nil, err
	}
	return r.start()
}

func (r *recovery) makeDir() error {
	if err := r.fs.Mkdir(r.dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make %s: %w", r.dir, err)
	}
	// Also if it was there: a process that died right after making it did not sync.
	if err := r.fs.SyncDir(filepath.Dir(r.dir)); err != nil {
		return fmt.Errorf("sync directory %s: %w", filepath.Dir(r.dir), err)
	}
	return nil
}

// loadSnapshot takes the newest snapshot that can be read. Passing over one that
// cannot loses nothing: replay insists on every record up to its version.
func (r *recovery) loadSnapshot() error {
	for n := len(r.files.snapshots) - 1; n >= 0; n-- {
		index := r.files.snapshots[n]
		path := filepath.Join(r.dir, formatName(index, snapshotSuffix))
		b, err := vfs.ReadFile(r.fs, path, maxSnapshot)
		if err == nil {
			r.image, err = decodeSnapshot(b, index)
		}
		if err == nil {
			r.report.Snapshot = index
			return nil
		}
		if errors.Is(err, ErrNewer) {
			return fmt.Errorf("%s: %w", path, err)
		}
		r.opts.Log.Error("metadata snapshot cannot be read", "file", path, "err", err)
		r.rotten, r.image = append(r.rotten, index), emptyImage()
	}
	return nil
}

// replay applies all records after the snapshot and makes sure that none is
// missing.
func (r *recovery) replay() error {
	logs := r.files.logs
	if len(logs) == 0 && len(r.files.snapshots) == 0 {
		return nil
	}
	need := r.image.version + 1
	n := len(logs) - 1
	for n >= 0 && logs[n] > need {
		n--
	}
	if n < 0 {
		return corruptf(r.dir, 0, "no log holds record %d", need)
	}
	for ; n < len(logs); n++ {
		if err := r.replayLog(n); err != nil {
			return err
		}
	}
	return nil
}

// replayLog applies the records of the nth log.
func (r *recovery) replayLog(n int) error {
	first := r.files.logs[n]
	path := filepath.Join(r.dir, formatName(first, logSuffix))
	f, err := r.fs.Open(path)
	if err != nil {
		return fmt.Errorf("open metadata log: %w", err)
	}
	defer f.Close()

	r.last, err = scanLog(f, first, func(index int64, rec Record) error {
		if index <= r.image.version {
			return nil // in the snapshot
		}
		next, err := r.image.apply(rec)
		if err != nil {
			return err
		}
		r.image = next
		r.report.Records++
		return nil
	})
	if err != nil {
		return err
	}
	r.report.Bytes += r.last.size
	return r.checkEnd(path, n)
}

// checkEnd makes sure that the nth log, just read, lost nothing at its end. All
// records of a log are synced before the next log is started. All records in a
// snapshot were in a log, but a snapshot that Open wrote may be all that is left
// of those at the end: they may never have reached the disk as a log.
func (r *recovery) checkEnd(path string, n int) error {
	s, logs, snapshots := r.last, r.files.logs, r.files.snapshots
	cause := s.bad
	if cause == nil {
		cause = errors.New("end of file")
	}
	if n+1 < len(logs) {
		if s.bad != nil || s.next != logs[n+1] {
			return corruptf(path, s.end, "log ends before record %d, the next log starts with %d: %w", s.next, logs[n+1], cause)
		}
		return nil
	}
	if k := len(snapshots); k > 0 && snapshots[k-1] > r.image.version {
		return corruptf(path, s.end, "log ends before record %d, a snapshot that cannot be read has %d: %w", s.next, snapshots[k-1], cause)
	}
	return nil
}

// repair sets aside what is damaged without loss, and removes leftovers.
func (r *recovery) repair() error {
	for _, index := range r.rotten {
		name := formatName(index, snapshotSuffix)
		aside := filepath.Join(r.dir, r.unusedName(name+".rotten-"))
		if err := r.fs.Rename(filepath.Join(r.dir, name), aside); err != nil {
			return fmt.Errorf("set aside %s: %w", name, err)
		}
		r.report.Rotten = append(r.report.Rotten, aside)
	}
	for _, name := range r.files.temps {
		if err := r.fs.Remove(filepath.Join(r.dir, name)); err != nil {
			return fmt.Errorf("remove leftover: %w", err)
		}
	}
	if len(r.files.logs) > 0 {
		if err := r.settleLog(); err != nil {
			return err
		}
	}
	// A name that is here now may still not be durable: the process before may
	// have died between rename and sync.
	if err := r.fs.SyncDir(r.dir); err != nil {
		return fmt.Errorf("sync directory %s: %w", r.dir, err)
	}
	return nil
}

// settleLog moves the torn end of the newest log, if any, to a file of its own,
// and syncs the log. No record depends on that sync, but if it does what it says,
// the records are on the disk twice once the snapshot is written.
func (r *recovery) settleLog() error {
	name := formatName(r.files.logs[len(r.files.logs)-1], logSuffix)
	f, err := r.fs.OpenFile(filepath.Join(r.dir, name), os.O_RDWR)
	if err != nil {
		return fmt.Errorf("open metadata log: %w", err)
	}
	defer f.Close()
	if r.last.bad != nil {
		if err := r.cut(f, name); err != nil {
			return fmt.Errorf("cut %s at %d: %w", name, r.last.end, err)
		}
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", name, err)
	}
	return nil
}

// cut moves the torn end of the log f. The copy is durable before the log is cut.
func (r *recovery) cut(f vfs.File, name string) error {
	aside := filepath.Join(r.dir, r.unusedName(name+".torn-"))
	if err := copyRange(r.fs, aside, f, r.last.end, r.last.size); err != nil {
		return err
	}
	if err := r.fs.SyncDir(r.dir); err != nil {
		return err
	}
	if err := f.Truncate(r.last.end); err != nil {
		return err
	}
	r.report.CutBytes, r.report.CutFile = r.last.size-r.last.end, aside
	r.opts.Log.Warn("torn write cut from the metadata log", "file", name, "pos", r.last.end,
		"bytes", r.report.CutBytes, "kept", aside, "err", r.last.bad)
	return nil
}

// copyRange writes bytes pos to end of src to a new file, and syncs it.
func copyRange(fsys vfs.FS, path string, src vfs.File, pos, end int64) error {
	dst, err := fsys.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	defer dst.Close()
	b := make([]byte, min(copySize, end-pos))
	for to := int64(0); pos < end; {
		b = b[:min(int64(len(b)), end-pos)]
		if err := vfs.ReadFull(src, b, pos); err != nil {
			return err
		}
		if err := vfs.WriteFull(dst, [][]byte{b}, to); err != nil {
			return err
		}
		pos, to = pos+int64(len(b)), to+int64(len(b))
	}
	return dst.Sync()
}

// unusedName is prefix with the first number that is free.
func (r *recovery) unusedName(prefix string) string {
	n := 1
	for r.files.all[fmt.Sprintf("%s%d", prefix, n)] {
		n++
	}
	return fmt.Sprintf("%s%d", prefix, n)
}

// start makes the store. A log that holds records gets no more of them: see
// Recovery in the package comment.
func (r *recovery) start() (*Store, error) {
	s := &Store{fs: r.fs, dir: r.dir, opts: r.opts}
	s.image.Store(r.image)
	changed := make(chan struct{})
	s.changed.Store(&changed)
	version := r.image.version
	if r.report.Snapshot != version {
		if err := writeSnapshot(r.fs, r.dir, r.image); err != nil {
			return nil, err
		}
	}
	open := createLog
	if n := len(r.files.logs); n > 0 && r.files.logs[n-1] == version+1 {
		open = openLog
	}
	var err error
	if s.log, err = open(r.fs, r.dir, version+1); err != nil {
		return nil, err
	}
	s.end = logHeaderSize
	if err := retire(r.fs, r.dir); err != nil {
		s.opts.Log.Warn("old metadata files not removed", "err", err)
	}
	return s, nil
}
