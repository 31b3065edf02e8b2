package log

import (
	"context"
	"errors"
	"slices"

	"sordini/segment"
)

// keyStep is how many bytes are taken into a key index between looks at the context.
const keyStep = 8 << 20

// IndexKeys brings the key indexes up to date, the newest segment first, if the
// configuration wants them: of the active segment in memory, of the others on disk. It
// returns the bytes of the files that it wrote, and is called from time to time;
// appends wait for nothing here. Segments that are damaged go without.
func (l *Log) IndexKeys(ctx context.Context) (wrote int64, err error) {
	if !l.config.Load().IndexKeys {
		return 0, nil
	}
	for _, s := range slices.Backward(l.view()) {
		n, err := l.indexSegment(ctx, s)
		wrote += n
		if gone(err) {
			continue // deleted or replaced
		}
		var corrupt *segment.CorruptError
		if errors.As(err, &corrupt) {
			continue // told by who reads it
		}
		if err != nil {
			return wrote, err
		}
	}
	return wrote, nil
}

func (l *Log) indexSegment(ctx context.Context, s *segment.Segment) (int64, error) {
	if s.KeysOnDisk() {
		return 0, nil
	}
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := s.IndexKeys(keyStep)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			break
		}
	}
	if !s.Sealed() {
		return 0, nil
	}
	// The files of closed segments do not change their names, nor go, meanwhile.
	l.swapMu.Lock()
	defer l.swapMu.Unlock()
	l.mu.Lock()
	usable := l.usableLocked() == nil && slices.Contains(l.segments, s)
	l.mu.Unlock()
	if !usable {
		return 0, nil
	}
	return s.WriteKeys()
}
