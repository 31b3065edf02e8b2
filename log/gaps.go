package log

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"

	"sordini/segment"
)

// gapsFile tells where offsets may be missing, so that everywhere else a gap is
// known to be damage, whatever cleanup.policy says now or said once. It is text:
//
//	sordini-cleaned 1
//	below 4711 ragged 0
//	crc32c 0a1b2c3d
//
// Compaction has left gaps between batches, and has moved batches in their files, below
// the first offset only, which is the end of a segment, and gaps
// between segments below the second, which is that of a log that Kafka compacted:
// sordini leaves none. The checksum covers the lines above it. A log that was never
// compacted has no such file; a damaged one allows gaps everywhere.
const gapsFile = "sordini-cleaned"

const gapsVersion = 1

// gaps is what the file says. The zero value is that of a log without gaps.
type gaps struct{ below, ragged int64 }

var errGaps = errors.New("it is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (g gaps) format() []byte {
	b := fmt.Appendf(nil, "%s %d\nbelow %d ragged %d\n", gapsFile, gapsVersion, g.below, g.ragged)
	return fmt.Appendf(b, "crc32c %08x\n", crc32.Checksum(b, castagnoli))
}

// parseGaps is the inverse of format.
func parseGaps(b []byte) (g gaps, err error) {
	var version int
	n, _ := fmt.Sscanf(string(b), gapsFile+" %d\nbelow %d ragged %d\n", &version, &g.below, &g.ragged)
	if n != 3 || version != gapsVersion || g.below < 0 || g.ragged < 0 || !bytes.Equal(b, g.format()) {
		return gaps{}, errGaps
	}
	return g, nil
}

// sparseBelow is where gaps between batches end.
func (l *Log) sparseBelow() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gaps.below
}

// loadGaps reads the file.
func (o *opener) loadGaps() error {
	l := o.l
	b, err := readAll(l.opt.FS, l.path(gapsFile))
	if err == nil {
		l.gaps, err = parseGaps(b)
	}
	switch {
	case errors.Is(err, errGaps):
		l.opt.Logger.Warn("gaps in offsets are taken for those of compaction", "file", l.path(gapsFile), "err", err)
		l.gaps = gaps{math.MaxInt64, math.MaxInt64}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if o.known.Ragged > l.gaps.ragged {
		return l.setGaps(gaps{max(l.gaps.below, o.known.Ragged), o.known.Ragged})
	}
	return nil
}

// allowGaps makes it known that there may be gaps below end, before there are.
func (l *Log) allowGaps(end int64) error {
	l.mu.Lock()
	g := l.gaps
	l.mu.Unlock()
	if end <= g.below {
		return nil
	}
	g.below = end
	return l.setGaps(g)
}

// closeGaps is for a log that has become shorter.
func (l *Log) closeGaps() error {
	l.mu.Lock()
	end, g := l.end.Offset, l.gaps
	l.cleaned = min(l.cleaned, end)
	l.mu.Unlock()
	if g.below <= end {
		return nil
	}
	return l.setGaps(gaps{end, min(g.ragged, end)})
}

// setGaps writes the file, durably.
func (l *Log) setGaps(g gaps) error {
	if err := segment.ReplaceFile(l.opt.FS, l.path(gapsFile), g.format()); err != nil {
		return err
	}
	if err := l.syncNames(); err != nil {
		return err
	}
	l.mu.Lock()
	l.gaps = g
	l.mu.Unlock()
	return nil
}

// syncNames syncs the directory. A failure takes the log offline: a later sync
// that succeeds would prove nothing of the names that were new at this one.
func (l *Log) syncNames() error {
	if err := l.opt.FS.SyncDir(l.opt.Dir); err != nil {
		return l.fail(fmt.Errorf("sync directory %s: %w", l.opt.Dir, err))
	}
	return nil
}
