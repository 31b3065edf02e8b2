package segment

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Suffixes of the files of a segment.
const (
	LogSuffix       = ".log"
	IndexSuffix     = ".index"
	TimeIndexSuffix = ".timeindex"
	CheckSuffix     = ".check"
	KeyIndexSuffix  = ".keyindex"
	BloomSuffix     = ".bloom"
	// TornSuffix ends the name of a file that keeps bytes which recovery cut.
	TornSuffix = ".torn"
	// TempSuffix ends the name of a file that is being written; it is removed
	// when found at start.
	TempSuffix = ".tmp"
	// CleanedSuffix ends the names of the files of a segment that compaction is
	// writing, SwapSuffix those of one that is complete and about to take its
	// place. They come behind the suffixes above.
	CleanedSuffix = ".cleaned"
	SwapSuffix    = ".swap"
)

// derived are the suffixes of the files that are made again from the .log file.
var derived = [...]string{IndexSuffix, TimeIndexSuffix, CheckSuffix, KeyIndexSuffix, BloomSuffix}

// optional says of a derived file that a segment may be complete without it.
func optional(suffix string) bool { return suffix == KeyIndexSuffix || suffix == BloomSuffix }

// Suffixes returns the suffixes of all files that make up a segment, the .log
// file's first.
func Suffixes() []string { return append([]string{LogSuffix}, derived[:]...) }

// FileName is the name of the file with this suffix of the segment that begins
// at base, or of a snapshot taken at base.
func FileName(base int64, suffix string) string {
	return fmt.Sprintf("%020d%s", base, suffix)
}

// ParseFileName is the inverse of FileName for one suffix.
func ParseFileName(name, suffix string) (base int64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	base, err := strconv.ParseInt(digits, 10, 64)
	return base, err == nil && base >= 0
}

func (s *Segment) path(suffix string) string {
	name := FileName(s.base, suffix)
	if t := s.tails.Load(); t != nil && suffix == LogSuffix {
		name += t.log
	} else if t != nil {
		name += t.derived
	}
	return filepath.Join(s.dir, name)
}
