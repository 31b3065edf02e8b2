package meta

import (
	"errors"
	"fmt"
)

// Errors of Apply that concern one call only: nothing of it was written.
var (
	// ErrTopicExists means that the name or id of a new topic is taken.
	ErrTopicExists = errors.New("topic exists")
	// ErrUnknownTopic means that a record names a topic id that is not there.
	ErrUnknownTopic = errors.New("unknown topic")
	// ErrInvalid means that a record holds a value outside its range.
	ErrInvalid = errors.New("invalid record")
	// ErrTooLarge means that a record, or all records of the call, exceed the limits.
	ErrTooLarge = errors.New("record too large")
)

// Errors that end the life of a Store.
var (
	// ErrFailed means that a write or sync failed, earlier or now. The store must
	// be opened again; until then its state on disk is unknown.
	ErrFailed = errors.New("metadata log failed")
	// ErrClosed means that Close was called.
	ErrClosed = errors.New("metadata store is closed")
)

// Errors of opening.
var (
	// ErrNewer means that a file holds something that only a newer version of
	// this program understands.
	ErrNewer = errors.New("written by a newer version")
	// ErrIdentity means that meta.properties, the metadata log and the
	// configuration do not name the same node, cluster and directory.
	ErrIdentity = errors.New("identity mismatch")
)

// CorruptError says where damaged bytes were found. Data is missing or wrong, and
// nothing was changed.
type CorruptError struct {
	File string // path
	Pos  int64  // position in File, in bytes, of the first thing that is wrong
	Err  error  // what is wrong
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: corrupt at byte %d: %v", e.File, e.Pos, e.Err)
}

// Unwrap returns what is wrong.
func (e *CorruptError) Unwrap() error { return e.Err }

// corruptf makes a CorruptError, unless the cause is a newer version: then nothing
// is damaged, and the error only says where.
func corruptf(file string, pos int64, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if errors.Is(err, ErrNewer) {
		return fmt.Errorf("%s at byte %d: %w", file, pos, err)
	}
	return &CorruptError{File: file, Pos: pos, Err: err}
}
