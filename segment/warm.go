package segment

import (
	"math"

	"sordini/segment/vfs"
)

// warmed are the suffixes of the files that lookups read.
var warmed = [...]string{IndexSuffix, TimeIndexSuffix, CheckSuffix, BloomSuffix}

// ReadAheadIndexes has the system read into its cache what the first request that looks
// something up in the segment will need: indexes, checksums and bloom filter. It waits for
// nothing, and returns how many bytes it has asked for.
func (s *Segment) ReadAheadIndexes() (asked int64) {
	for _, suffix := range warmed {
		asked += s.readAhead(suffix, math.MaxInt64)
	}
	return asked
}

// ReadAheadTail is ReadAheadIndexes for the last n bytes of the batches.
func (s *Segment) ReadAheadTail(n int64) (asked int64) { return s.readAhead(LogSuffix, n) }

// readAhead asks for the last n bytes of a file, if there is one.
func (s *Segment) readAhead(suffix string, n int64) int64 {
	f, err := s.open(s.opt.FS, suffix)
	if err != nil {
		return 0
	}
	defer f.Close()
	size, err := f.Size()
	if suffix == LogSuffix {
		size = min(size, s.Size()) // what is reserved behind it holds nothing
	}
	if n = min(n, size); err != nil || n <= 0 {
		return 0
	}
	vfs.ReadAhead(f, size-n, n)
	return n
}
