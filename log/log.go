package log

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sordini/log/epoch"
	"sordini/log/producer"
	"sordini/segment"
	"sordini/segment/vfs"
)

// ErrOffsetOutOfRange: the offset is below the log start or above the log end.
var ErrOffsetOutOfRange = errors.New("offset out of range")

// ErrClosed: the log was closed or deleted.
var ErrClosed = errors.New("log: closed")

// OfflineError tells that the log takes no more requests since Cause happened.
type OfflineError struct {
	Dir   string
	Cause error
}

func (e *OfflineError) Error() string { return fmt.Sprintf("log %s is offline: %v", e.Dir, e.Cause) }

func (e *OfflineError) Unwrap() error { return e.Cause }

// Position is an offset and where its batch starts, or would start.
type Position struct {
	Offset  int64
	Segment int64 // base offset of the segment
	Pos     int64 // bytes from the start of that segment's file
}

// Config is what may change while the log is open.
type Config struct {
	SegmentBytes int64         // segment.bytes
	SegmentAge   time.Duration // segment.ms, jitter taken off; 0 means no limit
	IndexBytes   int64         // segment.index.bytes
	Retention    time.Duration // retention.ms; negative keeps for ever
	RetainBytes  int64         // retention.bytes; negative means no limit
	// Delete says that cleanup.policy contains delete, Compact that it contains
	// compact.
	Delete, Compact bool

	IndexKeys bool // index.key

	// Of compaction; MaxLag and MinLag in the time of the records.
	DeleteRetention time.Duration // delete.retention.ms
	MinLag          time.Duration // min.compaction.lag.ms
	MaxLag          time.Duration // max.compaction.lag.ms; 0 means no limit
}

// Options are fixed while the log is open.
type Options struct {
	FS      vfs.FS
	Dir     string
	Handles *segment.Handles
	Logger  *slog.Logger
	Now     func() time.Time
	// LeaderEpoch is stamped into the batches that this process appends.
	LeaderEpoch   int32
	IndexInterval int64 // index.interval.bytes
	Preallocate   int64 // bytes reserved at a time; 0 turns it off
	Config        Config
	// KeyHash is nil unless a test wants another hash of keys.
	KeyHash func(key []byte) uint64
	// Scanned, if not nil, counts what Open scans, while it does, and may end it.
	Scanned *segment.Scanned
}

// Log is the log of one partition. See the package comment.
type Log struct {
	opt    Options
	config atomic.Pointer[Config]

	// The queue of appends; see append.go.
	queueMu sync.Mutex
	queue   []*Append
	leading bool

	// cleanMu is held by the one compaction that runs, and by who must not meet
	// one; swapMu by who changes the files of closed segments. See clean.go.
	cleanMu sync.Mutex
	swapMu  sync.Mutex
	swaps   swaps // guarded by swapMu

	// flushMu is held by the one flush that runs.
	flushMu sync.Mutex

	// sealMu is held by who completes the segments that were rolled. It comes behind all
	// of the above and appendMu.
	sealMu sync.Mutex

	// appendMu is held by whoever changes the log: the leader of a group of
	// appends, truncation, deletion.
	appendMu  sync.Mutex
	producers *producer.State
	next      Position // where the next batch goes; end is its published copy
	group     group    // scratch of the leader

	// mu guards what is published to readers. Held for moments only.
	mu       sync.Mutex
	segments []*segment.Segment // replaced, never changed in place; empty only if offline from the start
	start    int64
	end      Position
	flushed  Position
	epochs   epoch.List
	rolled   []rolled // full segments that wait for their Seal
	unsynced int      // how many of them, from the last, wait for a Flush before it
	doomed   []*segment.Segment
	missing  []Span // offsets that are lost to damage
	failure  *OfflineError
	closed   bool
	cleaned  int64  // below, no key has two records
	gaps     gaps   // of compaction
	halts    int    // how many do not want a compaction to run
	halt     func() // ends the one that runs; nil if none does
	names    int64  // count of changes of names in the directory
	synced   int64  // how many of them a SyncDir has covered
	firm     int64  // how many there were at the last one that a Redo cannot make again
}

// Span is a stretch of offsets [From, To).
type Span struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// rolled is a full segment and the producer state as of its end.
type rolled struct {
	segment  *segment.Segment
	next     int64 // base offset of the segment behind it
	kafka    []byte
	snapshot []byte
}

// Offline returns a log that could not be opened and answers everything with an
// error.
func Offline(opt Options, cause error) *Log {
	l := &Log{opt: opt, producers: producer.NewState(), failure: &OfflineError{Dir: opt.Dir, Cause: cause}}
	l.Configure(opt.Config)
	return l
}

// segmentOptions are those of the log's segments.
func (l *Log) segmentOptions() segment.Options {
	o := &l.opt
	return segment.Options{
		FS: o.FS, Handles: o.Handles, IndexInterval: o.IndexInterval, Preallocate: o.Preallocate,
		SparseBelow: l.sparseBelow, EpochAt: l.EpochAt, KeyHash: o.KeyHash,
		Scanned: o.Scanned,
	}
}

func (l *Log) path(name string) string { return filepath.Join(l.opt.Dir, name) }

// Dir is the directory of the log.
func (l *Log) Dir() string { return l.opt.Dir }

// Configure replaces the configuration.
func (l *Log) Configure(c Config) { l.config.Store(&c) }

// State is a consistent view of the offsets.
type State struct {
	Start   int64
	End     Position
	Flushed Position
	// Failure is why the log is offline, nil if it is not.
	Failure error
}

// State returns the current offsets.
func (l *Log) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := State{Start: l.start, End: l.end, Flushed: l.flushed}
	if err := l.usableLocked(); err != nil {
		s.Failure = err
	}
	return s
}

// usableLocked says why the log takes no requests.
func (l *Log) usableLocked() error {
	switch {
	case l.failure != nil:
		return l.failure
	case l.closed:
		return ErrClosed
	}
	return nil
}

// fail takes the log offline. The first cause stays.
func (l *Log) fail(cause error) *OfflineError {
	l.mu.Lock()
	first := l.failure == nil
	if first {
		l.failure = &OfflineError{Dir: l.opt.Dir, Cause: cause}
	}
	failure := l.failure
	l.mu.Unlock()
	if first {
		l.opt.Logger.Error("log taken offline: nothing more is acknowledged", "dir", l.opt.Dir, "err", cause)
	}
	return failure
}

// Fail takes the log offline for a cause outside of it and returns its failure.
func (l *Log) Fail(cause error) error { return l.fail(cause) }

// Size is the count of bytes in all segments.
func (l *Log) Size() int64 {
	var n int64
	for _, s := range l.view() {
		n += s.Size()
	}
	return n
}

// Between is the count of bytes from one position to another, which is not before it.
func (l *Log) Between(from, to Position) int64 {
	if from.Segment == to.Segment {
		return to.Pos - from.Pos
	}
	n := to.Pos - from.Pos
	for _, s := range l.view() {
		if s.Base() >= from.Segment && s.Base() < to.Segment {
			n += s.Size()
		}
	}
	return max(0, n)
}

// Segments is the number of segments.
func (l *Log) Segments() int { return len(l.view()) }

func (l *Log) view() []*segment.Segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.segments
}

// Missing returns the offsets that were lost to damage and are answered with an
// error.
func (l *Log) Missing() []Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Span(nil), l.missing...)
}

// Epochs returns a copy of the leader epochs.
func (l *Log) Epochs() epoch.List {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(epoch.List(nil), l.epochs...)
}

// LeaderEpoch is the epoch stamped into new batches.
func (l *Log) LeaderEpoch() int32 { return l.opt.LeaderEpoch }

// EndOfEpoch answers OffsetForLeaderEpoch; see epoch.List.EndOffset.
func (l *Log) EndOfEpoch(e int32) (int32, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochsLocked().EndOffset(e, l.end.Offset)
}

// epochsLocked are the epochs with that of the leader, which begins at the end as
// long as nothing was written in it.
func (l *Log) epochsLocked() epoch.List {
	all := l.epochs
	if l.opt.LeaderEpoch > all.Latest() {
		all = append(all[:len(all):len(all)], epoch.Entry{Epoch: l.opt.LeaderEpoch, Start: l.end.Offset})
	}
	return all
}

// EpochAt returns the leader epoch of the batch at an offset, -1 if unknown.
func (l *Log) EpochAt(offset int64) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs.At(offset)
}

// ExpireProducers forgets producers whose last batch is older than before (ms
// since the epoch).
func (l *Log) ExpireProducers(before int64) int {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	return l.producers.Expire(before)
}

// Producers is the number of producer ids that are remembered.
func (l *Log) Producers() int {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	return l.producers.Len()
}
