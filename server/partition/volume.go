package partition

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sordini/log"
	"sordini/log/checkpoint"
	"sordini/server/meta"
)

// Dir is a data directory: to Open as the server has found it, from Set.Dirs as it is.
type Dir struct {
	Path  string
	Class string // what storage.class of a topic asks for; "" if unknown
	// Metadata says that the metadata is there too: what fails in the directory as a
	// whole ends the start, and does not take the directory offline later.
	Metadata bool
	Clean    bool  // the process before was shut down in order there
	Cordoned bool  // gets no new partitions
	Err      error // why nothing in it can be used, nil if it can
}

// volume is one data directory: some of the partitions, and what they share with each
// other and not with those of other directories, which may be on slower, full or broken
// disks. It has a checkpoint, marks of what was synced, a journal and rounds of
// flushes of its own.
type volume struct {
	Dir
	set     *Set
	logger  *slog.Logger
	flusher *flusher
	marks   *checkpoint.Marks // nil if the volume was offline when it was to be opened
	space   space
	probed  probed

	// failure is why the volume is offline: its partitions answer with it, and nothing is
	// written there any more.
	failure atomic.Pointer[volumeError]
	// suspect says that a partition has failed, and maybe all of the disk.
	suspect      atomic.Bool
	checkpointMu sync.Mutex   // held while one is written
	checkpointed atomic.Int64 // when the last one was written, ns since 1970; 0: none was

	// What an earlier process has left; of Open.
	checkpoint *checkpoint.Checkpoint
	synced     map[checkpoint.MarkKey]checkpoint.Marked
	kept       bool // the journal has something that could not be written back
}

// volumeError: a data directory is offline.
type volumeError struct {
	dir   string
	cause error
}

func (e *volumeError) Error() string {
	return fmt.Sprintf("the data directory %s is offline: %v", e.dir, e.cause)
}

func (e *volumeError) Unwrap() error { return e.cause }

func newVolume(s *Set, d Dir) *volume {
	v := &volume{Dir: d, set: s, logger: s.opt.Logger}
	if len(s.opt.Dirs) > 1 {
		v.logger = v.logger.With("data_dir", d.Path)
	}
	v.flusher = newFlusher(s.opt.Metrics, v.logger)
	v.flusher.observer = s.opt.Observer
	v.space.volume = v
	if d.Err != nil {
		v.failure.Store(&volumeError{d.Path, d.Err})
		s.opt.Logger.Error("data directory is offline", "dir", d.Path, "err", d.Err)
	}
	return v
}

// offline says why the volume is, nil if it is not.
func (v *volume) offline() error {
	if e := v.failure.Load(); e != nil {
		return e
	}
	return nil
}

// fail takes the volume offline, with all its partitions.
func (v *volume) fail(cause error) {
	e := &volumeError{v.Path, cause}
	if !v.failure.CompareAndSwap(nil, e) {
		return
	}
	v.set.opt.Logger.Error("data directory taken offline with all its partitions; the others go on", "dir", v.Path, "err", cause)
	for _, p := range v.partitions() {
		p.fail(e)
	}
}

// passing are errors that tell of a want that passes, and nothing of the disk.
var passing = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}

// noteError takes the volume offline for an error that concerns all of it. It does not
// where the metadata lies: there each partition fails for itself, and the server goes on
// for as long as it can.
func (v *volume) noteError(err error) {
	if err == nil || v.Metadata || slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) }) {
		return
	}
	v.fail(err)
}

// fail takes a partition offline for a cause outside of it.
func (p *Partition) fail(cause error) {
	_ = p.log.Fail(cause)
	p.noteFailure()
}

// partitions lists the partitions of the volume, in no order.
func (v *volume) partitions() []*Partition {
	var found []*Partition
	for _, p := range v.set.All() {
		if p.volume == v {
			found = append(found, p)
		}
	}
	return found
}

// dirOf is the directory that a partition has here.
func (v *volume) dirOf(topic string, index int32) string {
	return filepath.Join(v.Path, log.DirName(topic, index))
}

// syncDir makes durable which partitions are here.
func (v *volume) syncDir() error {
	if err := v.set.opt.FS.SyncDir(v.Path); err != nil {
		v.noteError(err)
		return fmt.Errorf("sync data directory: %w", err)
	}
	return nil
}

// read takes in what the process before has left.
func (v *volume) read() (err error) {
	fsys := v.set.opt.FS
	v.space.look()
	if v.checkpoint, err = checkpoint.Read(fsys, v.Path); err != nil {
		v.logger.Error("checkpoint not usable: logs are scanned from the one before it, or from their start", "err", err)
	}
	if v.synced, err = checkpoint.ReadMarks(fsys, v.Path); err != nil {
		v.logger.Error("marks of the last syncs not usable: the checkpoint says how far logs were synced", "err", err)
	}
	if err := checkpoint.DoubtMarks(fsys, v.Path); err != nil {
		return fmt.Errorf("marks of the last syncs: %w", err)
	}
	return nil
}

// begin makes durable what opening found and starts to mark what is synced.
func (v *volume) begin() error {
	if err := v.writeCheckpoint(false); err != nil {
		return err
	}
	marks, err := checkpoint.CreateMarks(v.set.opt.FS, v.Path)
	if err != nil {
		return err
	}
	v.marks = marks
	for _, p := range v.partitions() {
		v.giveMark(p)
	}
	v.checkpoint, v.synced = nil, nil
	return v.openJournal()
}

// giveMark gives a partition its mark. What is in the log now is synced; of a log that
// could not be opened nothing is known.
func (v *volume) giveMark(p *Partition) {
	p.mark = v.marks.Of(checkpoint.MarkKey{Topic: p.ID, Index: p.Index})
	if st := p.log.State(); st.Failure == nil {
		p.mark.Raise(st.Flushed.Offset)
	}
}

// writeCheckpoint writes how far each log of the volume is known to be good, durably.
func (v *volume) writeCheckpoint(clean bool) error {
	v.checkpointMu.Lock()
	defer v.checkpointMu.Unlock()
	mine := v.partitions()
	c := &checkpoint.Checkpoint{BrokerEpoch: v.set.Image().BrokerEpoch(), Clean: clean, Partitions: make(map[checkpoint.Partition]checkpoint.Entry)}
	for _, p := range mine {
		c.Partitions[checkpoint.Partition{Topic: p.Topic, Index: p.Index}] = p.checkpointEntry()
	}
	v.keepOffline(c, mine)
	if err := checkpoint.Write(v.set.opt.FS, v.Path, c); err != nil {
		return err
	}
	v.checkpointed.Store(time.Now().UnixNano())
	return nil
}

// keepOffline keeps what the checkpoint before said of partitions that could not be
// opened.
func (v *volume) keepOffline(c *checkpoint.Checkpoint, mine []*Partition) {
	var old *checkpoint.Checkpoint
	for _, p := range mine {
		if p.log.Segments() > 0 {
			continue
		}
		if old == nil {
			old, _ = checkpoint.Read(v.set.opt.FS, v.Path)
		}
		key := checkpoint.Partition{Topic: p.Topic, Index: p.Index}
		if e, ok := old.Partitions[key]; ok && e.Topic == p.ID {
			c.Partitions[key] = e
		} else {
			delete(c.Partitions, key)
		}
	}
}

// close closes what the volume has open after its logs, of which failed is the first
// failure, and leaves the marker of a clean shutdown if there is none.
func (v *volume) close(failed error) error {
	if v.Err != nil {
		return nil // nothing was opened
	}
	if failed == nil {
		failed = v.offline()
	}
	if err := v.closeJournal(failed == nil); err != nil && failed == nil {
		failed = err
	}
	if v.marks != nil {
		if err := v.marks.Close(); err != nil && failed == nil {
			failed = err
		}
	}
	if err := v.offline(); err != nil {
		return err
	}
	if err := v.writeCheckpoint(failed == nil); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return meta.WriteClean(v.set.opt.FS, v.Path, v.set.Image().BrokerEpoch())
}
