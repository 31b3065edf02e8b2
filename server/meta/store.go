package meta

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"sordini/segment/vfs"
)

// Options tune a [Store]. The zero value means the defaults.
type Options struct {
	// SnapshotRecords and SnapshotBytes bound the log: after the Apply that
	// exceeds either, a snapshot is written. Default 10,000 records and 8 MiB, so
	// that Open reads no more than that on top of a snapshot; much smaller values
	// write the whole image often.
	SnapshotRecords int64
	SnapshotBytes   int64

	// Log gets what goes wrong without harm to any record, such as a snapshot that
	// could not be written. Default: nowhere.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.SnapshotRecords <= 0 {
		o.SnapshotRecords = 10_000
	}
	if o.SnapshotBytes <= 0 {
		o.SnapshotBytes = 8 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// bufferKept is the largest write buffer that is kept for the next write, in bytes.
const bufferKept = 1 << 20

// Store keeps the current [Image] and the log that leads to it.
type Store struct {
	fs   vfs.FS
	dir  string
	opts Options

	image   atomic.Pointer[Image] // changed by the holder of writer
	changed atomic.Pointer[chan struct{}]

	// queue holds the calls that wait for the writer, oldest first. queueMu is
	// never held during I/O, and is taken after writer if both are.
	queueMu sync.Mutex
	queue   []*call

	// writer is held by the one Apply that writes, for all calls in the queue. It
	// guards all below.
	writer sync.Mutex

	failed error    // why nothing can be written any more; nil if all is well
	log    vfs.File // the newest log
	end    int64    // where its next frame goes; all before is synced
	buf    []byte   // for frames

	records int64 // in the log since the last snapshot, or the last attempt at one
	bytes   int64
}

// call is one Apply on its way.
type call struct {
	records  []Record // as decoded from payloads
	payloads [][]byte
	size     int64 // of the frames, in bytes

	// Set by the writer, guarded by Store.writer.
	done  bool
	image *Image
	err   error
}

// Image returns the current image.
func (s *Store) Image() *Image { return s.image.Load() }

// Changed returns a channel that is closed when there is another image than the
// one that Image returned before the call. To miss no change, ask for the channel
// first and for the image then.
func (s *Store) Changed() <-chan struct{} { return *s.changed.Load() }

// publish makes an image the current one.
func (s *Store) publish(i *Image) {
	s.image.Store(i)
	next := make(chan struct{})
	close(*s.changed.Swap(&next))
}

// Apply validates the records in their order against the current image, makes
// them durable together and returns an image that holds them. If one record is
// refused, none is applied, and the error says why: ErrTopicExists,
// ErrUnknownTopic, ErrInvalid, ErrTooLarge. After ErrFailed it is unknown whether
// the records will be there when the store is opened again.
//
// A record is at most 16 MiB as JSON, all records of a call 64 MiB.
func (s *Store) Apply(records ...Record) (*Image, error) {
	c, err := newCall(records)
	if err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	s.queueMu.Lock()
	s.queue = append(s.queue, c)
	s.queueMu.Unlock()

	s.writer.Lock()
	defer s.writer.Unlock()
	for !c.done {
		s.commit(s.take())
	}
	if c.err != nil {
		return nil, fmt.Errorf("apply: %w", c.err)
	}
	return c.image, nil
}

// Close makes all later Applies fail with ErrClosed. Images stay readable.
func (s *Store) Close() error {
	s.writer.Lock()
	defer s.writer.Unlock()

	if s.log == nil {
		return nil
	}
	if s.failed == nil {
		s.failed = ErrClosed
	}
	err := s.log.Close()
	s.log = nil
	if err != nil {
		return fmt.Errorf("close metadata log: %w", err)
	}
	return nil
}

// newCall encodes the records. Decoding them again makes sure that what is applied
// is what a later Open will read, and shares nothing with the caller.
func newCall(records []Record) (*call, error) {
	c := &call{}
	for _, r := range records {
		if r == nil {
			return nil, fmt.Errorf("%w: nil", ErrInvalid)
		}
		kind := r.kind()
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		payload, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", kind, ErrInvalid, err)
		}
		c.size += frameHeaderSize + int64(len(payload))
		if len(payload) > maxPayload || c.size > maxWrite {
			return nil, fmt.Errorf("%s: %w: %d bytes, %d with the records before it", kind, ErrTooLarge, len(payload), c.size)
		}
		decoded, err := decodeRecord(kind, recordVersion, payload)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", kind, ErrInvalid, err)
		}
		c.records, c.payloads = append(c.records, decoded), append(c.payloads, payload)
	}
	return c, nil
}

// take removes calls from the front of the queue: as many as one write may hold,
// but at least one. The queue must not be empty.
func (s *Store) take() []*call {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()

	n, size := 1, s.queue[0].size
	for n < len(s.queue) && size+s.queue[n].size <= maxWrite {
		size += s.queue[n].size
		n++
	}
	taken := s.queue[:n:n]
	if s.queue = s.queue[n:]; len(s.queue) == 0 {
		s.queue = nil // lets go of the calls
	}
	return taken
}

// commit settles the calls: it applies those that are valid, writes and syncs all
// of their records, and publishes the image. The caller holds writer.
func (s *Store) commit(calls []*call) {
	base := s.image.Load()
	next := base
	var accepted []*call
	for _, c := range calls {
		c.done = true
		if c.err = s.failed; c.err != nil {
			continue
		}
		changed, err := c.applyTo(next)
		if err != nil {
			c.err = err
			continue
		}
		next, accepted = changed, append(accepted, c)
	}
	if len(accepted) == 0 {
		return
	}
	if next != base {
		if err := s.append(base.version, int(next.version-base.version), accepted); err != nil {
			// A refused call may have been refused because of a record that is lost now.
			for _, c := range calls {
				c.err = err
			}
			return
		}
		s.publish(next)
	}
	for _, c := range accepted {
		c.image = next
	}
	if s.records >= s.opts.SnapshotRecords || s.bytes >= s.opts.SnapshotBytes {
		s.compact(next)
	}
}

// applyTo returns the image with all of the call's records.
func (c *call) applyTo(i *Image) (*Image, error) {
	for _, r := range c.records {
		next, err := i.apply(r)
		if err != nil {
			return nil, err
		}
		i = next
	}
	return i, nil
}

// append writes the calls' records, n in all, as one group behind the record with
// index last, and syncs it. The caller holds writer.
func (s *Store) append(last int64, n int, calls []*call) error {
	b := s.buf[:0]
	before := 0
	for _, c := range calls {
		for i, r := range c.records {
			b = appendFrame(b, frameHeader{
				index: last + 1 + int64(before), kind: r.kind(), version: recordVersion,
				before: uint32(before), after: uint32(n - before - 1),
			}, c.payloads[i])
			before++
		}
	}
	if s.buf = b; cap(b) > bufferKept {
		s.buf = nil
	}
	if err := vfs.WriteFull(s.log, [][]byte{b}, s.end); err != nil {
		return s.fail(err)
	}
	if err := s.log.SyncData(); err != nil {
		return s.fail(fmt.Errorf("sync %s: %w", s.log.Name(), err))
	}
	s.end += int64(len(b))
	s.records += int64(n)
	s.bytes += int64(len(b))
	return nil
}

// fail makes err the end of the store. The caller holds writer.
func (s *Store) fail(err error) error {
	s.failed = fmt.Errorf("%w: %w", ErrFailed, err)
	return s.failed
}

// compact writes a snapshot of the current image, starts a new log and removes
// what is not needed any more. All records are durable already, so only a new log
// that cannot be started ends the store. The caller holds writer.
func (s *Store) compact(i *Image) {
	s.records, s.bytes = 0, 0
	if err := writeSnapshot(s.fs, s.dir, i); err != nil {
		s.opts.Log.Error("metadata snapshot not written, the log goes on", "version", i.version, "err", err)
		return
	}
	log, err := createLog(s.fs, s.dir, i.version+1)
	if err != nil {
		// The new log may be there or not. Going on with the old one could leave two
		// logs with the same records.
		err = s.fail(err)
		s.opts.Log.Error("metadata log not started", "err", err)
		return
	}
	if err := s.log.Close(); err != nil {
		s.opts.Log.Warn("old metadata log not closed", "err", err)
	}
	s.log, s.end = log, logHeaderSize
	if err := retire(s.fs, s.dir); err != nil {
		s.opts.Log.Warn("old metadata files not removed", "err", err)
	}
}

// writeSnapshot makes the image durable.
func writeSnapshot(fsys vfs.FS, dir string, i *Image) error {
	header, payload, err := encodeSnapshot(i)
	if err != nil {
		return err
	}
	return replaceFile(fsys, dir, formatName(i.version, snapshotSuffix), header, payload)
}

// createLog makes an empty log durable and opens it.
func createLog(fsys vfs.FS, dir string, first int64) (vfs.File, error) {
	name := formatName(first, logSuffix)
	if err := replaceFile(fsys, dir, name, encodeLogHeader(first)); err != nil {
		return nil, err
	}
	return openLog(fsys, dir, first)
}

// openLog opens a log for appending.
func openLog(fsys vfs.FS, dir string, first int64) (vfs.File, error) {
	f, err := fsys.OpenFile(filepath.Join(dir, formatName(first, logSuffix)), os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("open metadata log: %w", err)
	}
	return f, nil
}

// retire removes the snapshots before the newest two, and the logs whose records
// are all in the older one of these.
func retire(fsys vfs.FS, dir string) error {
	files, err := listFiles(fsys, dir)
	if err != nil {
		return err
	}
	if len(files.snapshots) < 2 {
		return nil
	}
	kept := len(files.snapshots) - 2
	var old []string
	for _, index := range files.snapshots[:kept] {
		old = append(old, formatName(index, snapshotSuffix))
	}
	for n, first := range files.logs {
		if n+1 < len(files.logs) && files.logs[n+1] <= files.snapshots[kept]+1 {
			old = append(old, formatName(first, logSuffix))
		}
	}
	return removeFiles(fsys, dir, old)
}

// removeFiles removes files for good. Those that are gone already do not matter.
func removeFiles(fsys vfs.FS, dir string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", path, err)
		}
	}
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

// files are the names in a store's directory.
type files struct {
	logs      []int64 // first indexes, ascending
	snapshots []int64 // versions, ascending
	temps     []string
	all       map[string]bool
}

func listFiles(fsys vfs.FS, dir string) (files, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return files{}, fmt.Errorf("list %s: %w", dir, err)
	}
	return sortFiles(entries), nil
}

// sortFiles relies on ReadDir's order: names of equal length sort like numbers.
func sortFiles(entries []fs.DirEntry) files {
	found := files{all: make(map[string]bool, len(entries))}
	for _, e := range entries {
		name := e.Name()
		found.all[name] = true
		if index, ok := parseName(name, logSuffix); ok {
			found.logs = append(found.logs, index)
		} else if index, ok := parseName(name, snapshotSuffix); ok {
			found.snapshots = append(found.snapshots, index)
		} else if filepath.Ext(name) == vfs.TempSuffix {
			found.temps = append(found.temps, name)
		}
	}
	return found
}
