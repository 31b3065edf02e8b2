package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sordini/index"
	"sordini/protocol/batch"
	"sordini/segment/vfs"
)

// Options are shared by all segments of a partition.
type Options struct {
	FS      vfs.FS
	Handles *Handles
	// IndexInterval is the count of bytes between index entries
	// (index.interval.bytes).
	IndexInterval int64
	// Preallocate reserves disk space ahead of the writes, up to this many bytes
	// at a time; 0 reserves nothing. The visible size never changes by it.
	Preallocate int64
	// SparseBelow returns the offset below which compaction may have taken
	// records: gaps end there. nil stands for a log that was never compacted.
	SparseBelow func() int64
	// NoSyncFailed says that no sync of the files may have failed since they were
	// durable; see Recover.
	NoSyncFailed bool
	// KeyHash is index.KeyHash unless a test wants another.
	KeyHash func(key []byte) uint64
	// EpochAt returns the leader epoch of the batch that holds an offset, -1 where
	// it is not known for certain. nil knows nothing.
	EpochAt func(offset int64) int32
	// Scanned, if not nil, counts what Recover reads, and may end it.
	Scanned *Scanned
}

// Segment is one .log file with its indexes. See the package comment for who
// may call what at the same time.
type Segment struct {
	dir  string
	base int64
	opt  Options

	size     atomic.Int64 // bytes of whole batches in the .log file
	removed  atomic.Bool
	replaced bool // Create found files of an earlier one

	// tails is what the names of the files end in, nil for nothing; see
	// cleaned.go. namesMu is held while a file is opened by its name, and by who
	// changes the name.
	tails   atomic.Pointer[tails]
	namesMu sync.RWMutex

	// active is the index in memory; nil once it is on disk only.
	active atomic.Pointer[index.Active]
	sealed atomic.Pointer[sealedIndex]

	// Guarded by the appender.
	reserved  int64     // bytes reserved by Preallocate
	created   time.Time // when the segment was opened or created
	firstTime int64     // largest timestamp of the first batch, ms; -1 if empty

	fileMu sync.Mutex
	file   vfs.File // for writing; nil after Seal

	// cold and verifying: see verify.go. sums is the appender's, and in a segment
	// that was opened sealed it is guarded by verifyMu.
	cold      atomic.Int64
	verifying atomic.Pointer[verifying]
	verifyMu  sync.Mutex
	sums      sums

	// timesProven says that the time index on disk was compared with its checksum,
	// or written by this process; timesMu is held while it is compared.
	timesProven atomic.Bool
	timesMu     sync.Mutex

	damageMu sync.RWMutex
	damage   []Damage

	keys keys
}

// sealedIndex is what remains in memory of the indexes on disk.
type sealedIndex struct {
	offsets  *index.Sealed
	timeSize int64
	maxTime  int64
	maxRel   uint32
}

// Create makes a new, empty segment. The names are not durable before a SyncDir
// of dir.
func Create(dir string, base int64, opt Options) (*Segment, error) {
	s := newSegment(dir, base, opt)
	for _, suffix := range derived {
		err := opt.FS.Remove(s.path(suffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("create segment: %w", err)
		}
		s.replaced = s.replaced || err == nil
	}
	f, err := opt.FS.OpenFile(s.path(LogSuffix), os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, fmt.Errorf("create segment: %w", err)
	}
	s.file = f
	s.active.Store(index.NewActive(opt.IndexInterval))
	return s, nil
}

// Replaced says whether there were derived files of this name when Create made the
// segment. That they are gone is not durable before a SyncDir of the directory.
func (s *Segment) Replaced() bool { return s.replaced }

func newSegment(dir string, base int64, opt Options) *Segment {
	s := &Segment{dir: dir, base: base, opt: opt, created: time.Now(), firstTime: -1}
	s.keys.growing.source.Base, s.keys.growing.next = base, base
	return s
}

// Base is the base offset: no batch in the segment starts before it.
func (s *Segment) Base() int64 { return s.base }

// Size is the count of bytes of the batches in the segment.
func (s *Segment) Size() int64 { return s.size.Load() }

// Path is the path of the .log file.
func (s *Segment) Path() string { return s.path(LogSuffix) }

// Created is when this process opened or created the segment.
func (s *Segment) Created() time.Time { return s.created }

// FirstTimestamp is the largest timestamp of the first batch in ms, -1 if the
// segment is empty or was closed before. Only the appender may ask.
func (s *Segment) FirstTimestamp() int64 { return s.firstTime }

// Entry describes one batch of an Append to the indexes.
type Entry struct {
	Size         int64 // bytes
	LastOffset   int64
	MaxTimestamp int64 // ms

	// Keys are the hashes of the keys in the batch, see [AppendKeyHashes], and valid
	// during the Append. Without HasKeys they are not known.
	Keys    []uint64
	HasKeys bool
}

// Fits says whether batches of so many bytes, the last of which ends at
// lastOffset, can be appended: positions and relative offsets have 31 bits, as
// in Kafka, whatever the configured limits are.
func (s *Segment) Fits(size, lastOffset int64) bool {
	return s.size.Load()+size <= math.MaxInt32 && lastOffset-s.base <= math.MaxInt32
}

// IndexBytes is the size of the larger index.
func (s *Segment) IndexBytes() int64 {
	if a := s.active.Load(); a != nil {
		return a.Bytes()
	}
	return 0
}

// Append writes whole batches behind the last one, in one write, and indexes
// them; entries describes every batch in bufs in order, and no batch is split
// between two of bufs. After an error the segment must not be appended to again: part of the bytes may be in the file.
// The batches are readable when Append returns, durable after Sync.
func (s *Segment) Append(bufs [][]byte, entries []Entry) error {
	pos := s.size.Load()
	if err := checkEntries(bufs, entries); err != nil {
		return fmt.Errorf("append to %s at %d: %w", s.Path(), pos, err)
	}
	var n int64
	for i := range entries {
		n += entries[i].Size
	}
	s.reserve(pos + n)
	if err := s.write(bufs, pos, n); err != nil {
		return fmt.Errorf("append to %s at %d: %w", s.Path(), pos, err)
	}
	s.sumAppended(bufs, entries, pos)
	a := s.active.Load()
	at := pos
	for i := range entries {
		e := &entries[i]
		a.Add(uint32(e.LastOffset-s.base), at, e.Size, e.MaxTimestamp)
		at += e.Size
	}
	if s.firstTime < 0 && len(entries) > 0 {
		s.firstTime = entries[0].MaxTimestamp
	}
	s.noteKeys(bufs, entries, pos)
	s.size.Store(pos + n)
	return nil
}

func (s *Segment) write(bufs [][]byte, pos, n int64) error {
	var wrote int64
	var err error
	if len(bufs) == 1 {
		var w int
		w, err = s.file.WriteAt(bufs[0], pos)
		wrote = int64(w)
	} else {
		wrote, err = s.file.WriteVAt(bufs, pos)
	}
	if err == nil && wrote != n {
		err = fmt.Errorf("short write: %d of %d bytes", wrote, n)
	}
	return err
}

// reserve keeps disk space reserved ahead of end. Small segments reserve
// nothing, and the reserve grows with the segment, so that ten thousand idle
// partitions cost no space. A failure costs nothing: the write itself reports a
// full disk.
func (s *Segment) reserve(end int64) {
	const smallest = 256 << 10
	if s.opt.Preallocate <= 0 || end <= s.reserved || end < smallest {
		return
	}
	ahead := min(max(end, 1<<20), s.opt.Preallocate)
	if err := s.file.Preallocate(end, ahead); err != nil {
		ahead = 0
	}
	s.reserved = end + ahead
}

// Sync makes every batch that Append had written before the call durable.
func (s *Segment) Sync() error {
	s.fileMu.Lock()
	f := s.file
	s.fileMu.Unlock()
	if f == nil {
		return nil // sealed: synced before
	}
	if err := f.SyncData(); err != nil {
		return fmt.Errorf("sync %s: %w", s.Path(), err)
	}
	return nil
}

// Writeback has the disk begin with the bytes from pos to the end, so that the next Sync
// finds less to do.
func (s *Segment) Writeback(pos int64) {
	s.fileMu.Lock()
	f := s.file
	s.fileMu.Unlock()
	if n := s.size.Load() - pos; f != nil && n > 0 {
		vfs.Writeback(f, pos, n)
	}
}

// Seal makes the segment durable with its indexes and header checksums and closes its write handle.
// No Append may follow. The names of the index files are not durable before a
// SyncDir of the directory.
func (s *Segment) Seal() error {
	if s.active.Load() == nil {
		return nil
	}
	s.fileMu.Lock()
	f := s.file
	s.fileMu.Unlock()
	if f != nil {
		if err := s.trim(f); err != nil {
			return err
		}
	}
	if err := s.writeIndexes(); err != nil {
		return err
	}
	s.fileMu.Lock()
	s.file = nil
	s.fileMu.Unlock()
	if f != nil {
		return f.Close()
	}
	return nil
}

// trim gives back reserved space, also that of an earlier process, and syncs the
// data.
func (s *Segment) trim(f vfs.File) error {
	if s.opt.Preallocate > 0 {
		if err := f.Truncate(s.size.Load()); err != nil {
			return fmt.Errorf("trim %s: %w", s.Path(), err)
		}
	}
	if err := f.SyncData(); err != nil {
		return fmt.Errorf("sync %s: %w", s.Path(), err)
	}
	return nil
}

// writeIndexes moves the indexes from memory to disk, and writes the header
// checksums.
func (s *Segment) writeIndexes() error {
	a := s.active.Load()
	offsets, times := a.Files()
	if err := s.writeCheck(times); err != nil {
		return err
	}
	if err := s.WriteFile(IndexSuffix, offsets); err != nil {
		return err
	}
	if err := s.WriteFile(TimeIndexSuffix, times); err != nil {
		return err
	}
	maxTime, maxRel := a.Max()
	s.sealed.Store(&sealedIndex{
		offsets: index.NewSealed(int64(len(offsets))), timeSize: int64(len(times)), maxTime: maxTime, maxRel: maxRel,
	})
	s.timesProven.Store(true)
	s.active.Store(nil)
	return nil
}

// WriteIndexes writes, unless the segment is empty, the indexes and header checksums of a segment that stays
// open for appending, for a clean shutdown.
func (s *Segment) WriteIndexes() error {
	a := s.active.Load()
	if a == nil || s.size.Load() == 0 {
		return nil
	}
	offsets, times := a.Files()
	if err := s.writeCheck(times); err != nil {
		return err
	}
	if err := s.WriteFile(IndexSuffix, offsets); err != nil {
		return err
	}
	return s.WriteFile(TimeIndexSuffix, times)
}

// WriteFile replaces the file with this suffix by contents, synced. Its name is
// not durable before a SyncDir of the directory.
func (s *Segment) WriteFile(suffix string, contents []byte) error {
	return ReplaceFile(s.opt.FS, s.path(suffix), contents)
}

// ReplaceFile writes name anew: a temporary file beside it, synced, then renamed
// over it. The name is durable after a SyncDir of the directory.
func ReplaceFile(fsys vfs.FS, name string, contents []byte) error {
	temp := name + TempSuffix
	f, err := fsys.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("replace %s: %w", name, err)
	}
	if len(contents) > 0 {
		_, err = f.WriteAt(contents, 0)
	}
	if err == nil {
		err = f.SyncData()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.Rename(temp, name)
	}
	if err != nil {
		_ = fsys.Remove(temp) // gives space back on a full disk; Open removes it otherwise
		return fmt.Errorf("replace %s: %w", name, err)
	}
	return nil
}

// Close closes the write handle without writing anything. Ranges in use stay
// valid.
func (s *Segment) Close() error {
	s.removed.Store(true)
	s.freeKeys()
	s.opt.Handles.drop(s)
	s.fileMu.Lock()
	f := s.file
	s.file = nil
	s.fileMu.Unlock()
	if f == nil {
		return nil
	}
	return f.Close()
}

// Remove closes the segment and unlinks its files, the .log file first. The
// removal is durable after a SyncDir of the directory.
func (s *Segment) Remove() error {
	err := s.Close()
	for _, suffix := range Suffixes() {
		rerr := s.opt.FS.Remove(s.path(suffix))
		if rerr != nil && !errors.Is(rerr, fs.ErrNotExist) && err == nil {
			err = fmt.Errorf("remove segment: %w", rerr)
		}
	}
	return err
}

// SetAside closes the segment and renames its .log file to *.torn: it lay behind
// a cut and is kept for a person to look at.
func (s *Segment) SetAside() error {
	if err := s.Close(); err != nil {
		return err
	}
	name, err := freeName(s.opt.FS, s.path(LogSuffix))
	if err == nil {
		err = s.opt.FS.Rename(s.path(LogSuffix), name)
	}
	if err != nil {
		return fmt.Errorf("set segment aside: %w", err)
	}
	return s.Remove()
}

// freeName returns path.N.torn for the first N that is not taken.
func freeName(fsys vfs.FS, path string) (string, error) {
	for n := 1; n < 10000; n++ {
		name := fmt.Sprintf("%s.%d%s", path, n, TornSuffix)
		if _, err := fsys.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s: too many %s files in %s", filepath.Base(path), TornSuffix, filepath.Dir(path))
}

// plausible says whether h can be the header of a batch of this segment at pos
// whose first offset is at least next.
func (s *Segment) plausible(h *batch.Header, pos, next, limit int64) string {
	switch {
	case h.BaseOffset < next:
		return fmt.Sprintf("base offset %d, expected at least %d", h.BaseOffset, next)
	case h.BaseOffset-s.base > math.MaxInt32 || h.LastOffset()-s.base > math.MaxInt32:
		return fmt.Sprintf("base offset %d is out of the segment's reach", h.BaseOffset)
	case pos+h.Size() > limit:
		return fmt.Sprintf("batch of %d bytes ends behind the %d bytes there are", h.Size(), limit)
	}
	return ""
}

// ReadTail appends n bytes of the file from pos on to b. It says false if the
// segment is not open for appending any more, or cannot be read.
func (s *Segment) ReadTail(b []byte, pos, n int64) ([]byte, bool) {
	s.fileMu.Lock()
	f := s.file
	s.fileMu.Unlock()
	if f == nil {
		return b, false
	}
	from := len(b)
	b = slices.Grow(b, int(n))[:from+int(n)]
	if got, _ := f.ReadAt(b[from:], pos); int64(got) < n {
		return b[:from], false
	}
	return b, true
}
