package log

import (
	"sort"

	"sordini/segment"
	"sordini/segment/vfs"
)

// Extent is how many segments of the log in dir Open would scan, and their bytes,
// unless known.Clean holds. Of a directory that can't be read it is nothing: Open will
// say why.
func Extent(fsys vfs.FS, dir string, known Known) (segments int, bytes int64) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return 0, 0
	}
	var bases []int64
	sizes := make(map[int64]int64)
	for _, e := range entries {
		base, ok := segment.ParseFileName(e.Name(), segment.LogSuffix)
		if !ok {
			continue
		}
		if info, err := e.Info(); err == nil {
			bases = append(bases, base)
			sizes[base] = info.Size()
		}
	}
	// Names are sorted, and so are numbers of 20 digits.
	for _, base := range bases[firstToScan(bases, known.Recovery):] {
		segments++
		bytes += sizes[base]
	}
	return segments, bytes
}

// firstToScan is the index of the segment that holds the recovery point.
func firstToScan(bases []int64, recovery int64) int {
	first := sort.Search(len(bases), func(i int) bool { return bases[i] > recovery })
	return max(0, first-1)
}
