package log

import (
	"context"
	"errors"
	"slices"

	"sordini/protocol/batch"
	"sordini/segment"
)

// keyStep is how many bytes are taken into a key index between looks at the context.
const keyStep = 8 << 20

// IndexKeys brings the key indexes up to date, the newest segment first, if the
// configuration wants them: of the active segment in memory, of the others on disk. It
// returns the bytes of the files that it wrote, and is called from time to time;
// appends wait for nothing here. Segments that are damaged go without.
func (l *Log) IndexKeys(ctx context.Context) (wrote int64, err error) {
	wanted := l.config.Load().IndexKeys
	for _, s := range slices.Backward(l.view()) {
		switch {
		case !wanted:
			s.FreeKeys()
			continue
		case s.KeysSettled():
			continue
		case !l.usable():
			return wrote, nil // nothing would be written, and all stay in memory
		}
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
	if !l.usable() || !slices.Contains(l.view(), s) {
		return 0, nil
	}
	return s.WriteKeys()
}

func (l *Log) usable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.usableLocked() == nil
}

// maxHashed is the most records of a batch whose keys are hashed on the way into the
// log. The keys of larger ones, and those of compressed ones, IndexKeys reads.
const maxHashed = 16 << 10

// hashKeys takes the keys of a batch for the key index while the batch is in the
// processor's cache, if the configuration wants it.
func (l *Log) hashKeys(a *Append) {
	a.keys = a.keys[:0]
	a.hasKeys = l.config.Load().IndexKeys && a.Header.Codec() == batch.CodecNone && a.Header.Count <= maxHashed
	if a.hasKeys {
		a.keys = segment.AppendKeyHashes(a.keys, a.Batch, &a.Header, l.opt.KeyHash)
	}
}
