package kraft

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// Dir is the name of the directory of the metadata log.
const Dir = "__cluster_metadata-0"

const checkpointSuffix = ".checkpoint"

// maxBatch bounds the batches that are read, in bytes. Kafka writes up to 8 MiB.
const maxBatch = 64 << 20

// ErrIncomplete means that the log does not begin where the newest snapshot ends, or
// that there is neither.
var ErrIncomplete = errors.New("metadata log is incomplete")

// Load reads the metadata log in dir: the newest snapshot that can be read and the
// records behind it. A bad batch ends the log, as a torn write does. The error is
// ErrIncomplete, one of reading, or tells of a record that makes no sense.
func Load(fsys vfs.FS, dir string) (*Image, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("metadata log: %w", err)
	}
	var bases []int64
	snapshots := make(map[int64]string)
	for _, e := range entries {
		if base, ok := segment.ParseFileName(e.Name(), segment.LogSuffix); ok {
			bases = append(bases, base)
		} else if end, ok := parseSnapshotName(e.Name()); ok {
			snapshots[end] = e.Name() // of equal ends the one of the highest epoch comes last
		}
	}
	slices.Sort(bases)
	i, cause := newest(fsys, dir, snapshots)
	n := len(bases) - 1
	for n >= 0 && bases[n] > i.End {
		n--
	}
	if n < 0 && (len(bases) > 0 || i.End == 0) {
		return nil, errors.Join(fmt.Errorf("%w: no segment holds offset %d", ErrIncomplete, i.End), cause)
	}
	for n = max(n, 0); n < len(bases); n++ {
		if more, err := i.replay(fsys, filepath.Join(dir, segment.FileName(bases[n], segment.LogSuffix)), i.End); err != nil {
			return nil, fmt.Errorf("metadata log: %w", err)
		} else if !more {
			break
		}
	}
	return i, nil
}

// newest is the image of the newest snapshot that can be read, an empty one if there is
// none. The error tells of those that could not be read.
func newest(fsys vfs.FS, dir string, snapshots map[int64]string) (*Image, error) {
	var errs []error
	ends := make([]int64, 0, len(snapshots))
	for end := range snapshots {
		ends = append(ends, end)
	}
	slices.Sort(ends)
	for _, end := range slices.Backward(ends) {
		i := newImage()
		name := filepath.Join(dir, snapshots[end])
		whole, err := i.replay(fsys, name, 0)
		if err == nil && !whole {
			err = errors.New("it is damaged")
		}
		if err == nil {
			i.End = end
			return i, nil
		}
		errs = append(errs, fmt.Errorf("snapshot %s: %w", name, err))
	}
	return newImage(), errors.Join(errs...)
}

// parseSnapshotName reads <end offset>-<epoch>.checkpoint.
func parseSnapshotName(name string) (end int64, ok bool) {
	stem, ok := strings.CutSuffix(name, checkpointSuffix)
	if !ok || len(stem) != 20+1+10 || stem[20] != '-' {
		return 0, false
	}
	end, err := strconv.ParseInt(stem[:20], 10, 64)
	_, epochErr := strconv.ParseInt(stem[21:], 10, 32)
	return end, err == nil && epochErr == nil && end >= 0
}

// replay applies the records of a file from an offset on. It says false at a batch that
// is bad, with those before it applied.
func (i *Image) replay(fsys vfs.FS, name string, from int64) (whole bool, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var buf []byte
	for pos := int64(0); ; {
		b, ok, err := readBatch(f, pos, &buf)
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if !ok {
			return false, nil
		}
		if err := i.batch(b, from); err != nil {
			return false, fmt.Errorf("%s at %d: %w", name, pos, err)
		}
		pos += int64(len(b))
	}
}

// readBatch reads the batch at pos; io.EOF at the end of the file, not ok if it is bad.
func readBatch(f vfs.File, pos int64, buf *[]byte) (b []byte, ok bool, err error) {
	var head [batch.HeaderSize]byte
	n, err := f.ReadAt(head[:], pos)
	if n == 0 && errors.Is(err, io.EOF) {
		return nil, false, io.EOF
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	h, err := batch.ParseHeader(head[:n])
	if err != nil {
		return nil, false, nil
	}
	size, err := f.Size()
	if err != nil {
		return nil, false, err
	}
	if h.Size() > maxBatch || h.Size() > size-pos {
		return nil, false, nil
	}
	if int64(cap(*buf)) < h.Size() {
		*buf = make([]byte, h.Size())
	}
	b = (*buf)[:h.Size()]
	if err := vfs.ReadFull(f, b, pos); err != nil {
		return nil, false, err
	}
	return b, batch.CheckCRC(b, h) == nil, nil
}

func (i *Image) batch(b []byte, from int64) error {
	h, err := batch.ParseHeader(b)
	if err != nil {
		return err
	}
	if h.LastOffset() < from {
		return nil
	}
	i.End = h.LastOffset() + 1
	if h.IsControl() {
		return nil
	}
	for r, err := range batch.Records(b, batch.Limits{}) {
		if err != nil {
			return err
		}
		if r.Offset < from {
			continue
		}
		decoded, err := decode(r.Value)
		if err == nil {
			err = i.apply(decoded)
		}
		if err != nil {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
	}
	return nil
}
