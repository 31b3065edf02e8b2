package segment

import (
	"context"
	"errors"
	"fmt"
)

// ErrClosed is returned by a segment that was closed or removed.
var ErrClosed = errors.New("segment: closed")

// ErrGivenUp is returned by a recovery that nobody waits for any more; see Scanned. It is
// a context.Canceled.
var ErrGivenUp = fmt.Errorf("segment: recovery given up: %w", context.Canceled)

// CorruptError tells of bytes on disk that are not what was written.
type CorruptError struct {
	File   string // path of the damaged file
	Pos    int64  // byte position of the damaged batch or entry
	Offset int64  // first offset that cannot be read, -1 if unknown
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: corrupt at byte %d (offset %d): %s", e.File, e.Pos, e.Offset, e.Reason)
}
