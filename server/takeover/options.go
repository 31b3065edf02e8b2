package takeover

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"sordini/segment/vfs"
	"sordini/server/config"
)

// GroupsTopic is the topic of groups and their offsets.
const GroupsTopic = "__consumer_offsets"

// Options of [Run]. All but Topics and Progress are required.
type Options struct {
	FS      vfs.FS // of the data directory
	Source  vfs.FS // of Kafka's directories
	Dirs    []string
	DataDir string
	Values  config.Values

	// Topics are patterns (path.Match) of the names of topics to take; none stands for
	// all but Kafka's internal ones.
	Topics []string
	// Groups says that groups and their offsets are wanted.
	Groups bool
	// DryRun reads and checks everything and writes no record.
	DryRun bool
	// Damaged and Uncommitted say that topics are wanted although they have damage, or
	// records of transactions that were aborted or did not end.
	Damaged, Uncommitted bool

	Logger *slog.Logger
	Now    func() time.Time
	Random io.Reader // for ids
	// LockSource keeps Kafka from starting on a directory, given its lock file; the
	// error is vfs.ErrLocked if it runs.
	LockSource func(name string) (io.Closer, error)
	// Progress is told from time to time, and never from two goroutines at once.
	Progress func(Progress)
}

// Progress is how far an import has come.
type Progress struct {
	Topic       string // the one that is being copied
	Bytes       int64  // read so far
	Total       int64  // to be read
	Topics, All int    // topics done, and to be done
}

// Errors of Run. They come with a Report that is complete as far as it goes.
var (
	// ErrRunning: Kafka runs on one of its directories, or a server on the data directory.
	ErrRunning = errors.New("in use by another process")
	// ErrSource: a directory is none of Kafka's, or does not go with the others.
	ErrSource = errors.New("not usable as a source")
	// ErrTarget: the data directory can't take topics as it is.
	ErrTarget = errors.New("not usable as a target")
)

// refusal is why a topic is not taken.
type refusal struct {
	reason string
	damage bool
}

func (r *refusal) Error() string { return r.reason }
