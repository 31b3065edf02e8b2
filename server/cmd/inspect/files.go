package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"sordini/segment"
)

// Suffixes of the files with producer state, Kafka's and sordini's own.
const (
	SnapshotSuffix  = ".snapshot"
	ProducersSuffix = ".producers"
)

// maxSideFile bounds the index and snapshot files that are read into memory. A segment of 2 GiB indexed at every
// batch stays below it.
const maxSideFile = 512 << 20

// ErrNoSegments: there is no segment file where one was looked for.
var ErrNoSegments = errors.New("no segment files")

// partitionDir is the name of a partition's directory: topic, hyphen, number. Others may hold files that are named
// like segments and are none, such as the log of the metadata.
var partitionDir = regexp.MustCompile(`^.+-[0-9]+$`)

// Partitions returns the partition directories that dir stands for: its subdirectories that hold segments, sorted,
// if there are any, else dir itself. The error is ErrNoSegments if that holds none.
func Partitions(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if !e.IsDir() || !partitionDir.MatchString(e.Name()) {
			continue
		}
		sub := filepath.Join(dir, e.Name())
		bases, err := Bases(sub)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		if len(bases) > 0 {
			found = append(found, sub)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	bases, err := Bases(dir)
	if err == nil && len(bases) == 0 {
		err = fmt.Errorf("%s: %w", dir, ErrNoSegments)
	}
	if err != nil {
		return nil, err
	}
	return []string{dir}, nil
}

// Bases returns the base offsets of the segments in a partition directory, rising; none for any other directory.
func Bases(dir string) ([]int64, error) {
	return basesOf(dir, segment.LogSuffix)
}

func basesOf(dir, suffix string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var bases []int64
	for _, e := range entries {
		if base, ok := segment.ParseFileName(e.Name(), suffix); ok {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	return bases, nil
}

// OpenLog opens a .log file for Scan. The caller closes the file.
func OpenLog(path string) (*os.File, Log, error) {
	base, ok := segment.ParseFileName(filepath.Base(path), segment.LogSuffix)
	if !ok {
		return nil, Log{}, fmt.Errorf("%s: the name is not that of a segment, 20 digits and %s", path, segment.LogSuffix)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, Log{}, err
	}
	return f, Log{Base: base, Reader: f, Pause: pause, Size: func() (int64, error) {
		info, err := f.Stat()
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}}, nil
}

// ReadSide reads an index or snapshot file. Files above 512 MiB are refused.
func ReadSide(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSideFile {
		return nil, fmt.Errorf("%s: %d bytes are more than the %d that such a file can have", path, info.Size(), maxSideFile)
	}
	return os.ReadFile(path)
}

// TrimIndex cuts entries of zeros off the end of an index file: Kafka keeps the index of its active segment at
// full size, filled up with zeros. size is that of an entry. A file that is one entry of zeros stays as it is.
func TrimIndex(b []byte, size int) []byte {
	if len(b) <= size || len(b)%size != 0 {
		return b
	}
	for len(b) > 0 && allZero(b[len(b)-size:]) {
		b = b[:len(b)-size]
	}
	return b
}

func allZero(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}
