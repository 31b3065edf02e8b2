package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"sordini/segment/vfs"
)

// MarksFile says how far each log was synced last. It is written over in place
// after every sync and never synced itself: what survives is true, and may lag. After
// a kill, which leaves the page cache, it is exact, so that recovery can tell rot
// from a torn write right up to the last acknowledged record; after a power cut it
// lags by what the kernel had not written back. It is an array of slots, big endian,
// none of which crosses a sector:
//
//	+-----------+-----------+----------------+-----------------------+
//	| topic id  | partition | synced below   | CRC-32C of these 28   |
//	| 16 bytes  | int32     | offset, int64  | bytes, uint32         |
//	+-----------+-----------+----------------+-----------------------+
const MarksFile = "sordini-flushed"

const markSize = 32

// MarkKey names a log by the id of its topic.
type MarkKey struct {
	Topic [16]byte
	Index int32
}

// Marks is the open file.
type Marks struct {
	file  vfs.File
	slots atomic.Int64
}

// CreateMarks begins an empty file in dir. What the file before said must be in a
// durable checkpoint by then.
func CreateMarks(fsys vfs.FS, dir string) (*Marks, error) {
	f, err := fsys.OpenFile(filepath.Join(dir, MarksFile), os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, fmt.Errorf("create marks: %w", err)
	}
	return &Marks{file: f}, nil
}

// Close closes the file. Marks must not be raised any more.
func (m *Marks) Close() error { return m.file.Close() }

// Mark is the slot of one log. One goroutine at a time raises it.
type Mark struct {
	marks *Marks
	pos   int64
	buf   [markSize]byte
}

// Of gives a log a slot for as long as the file is open.
func (m *Marks) Of(k MarkKey) *Mark {
	mark := &Mark{marks: m, pos: (m.slots.Add(1) - 1) * markSize}
	copy(mark.buf[:], k.Topic[:])
	binary.BigEndian.PutUint32(mark.buf[16:], uint32(k.Index))
	return mark
}

// Raise notes that the log was synced below an offset. An error is of no
// consequence: the mark lags.
func (k *Mark) Raise(offset int64) {
	binary.BigEndian.PutUint64(k.buf[20:], uint64(offset))
	binary.BigEndian.PutUint32(k.buf[28:], crc32.Checksum(k.buf[:28], castagnoli))
	_, _ = k.marks.file.WriteAt(k.buf[:], k.pos)
}

// ReadMarks reads what an earlier process has left in dir. Slots that are damaged
// are left out; a missing file is empty.
func ReadMarks(fsys vfs.FS, dir string) (map[MarkKey]int64, error) {
	b, err := contents(fsys, filepath.Join(dir, MarksFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	marks := make(map[MarkKey]int64, len(b)/markSize)
	for ; len(b) >= markSize; b = b[markSize:] {
		if crc32.Checksum(b[:28], castagnoli) != binary.BigEndian.Uint32(b[28:]) {
			continue
		}
		k := MarkKey{Topic: [16]byte(b), Index: int32(binary.BigEndian.Uint32(b[16:]))}
		marks[k] = max(marks[k], int64(binary.BigEndian.Uint64(b[20:])))
	}
	return marks, nil
}
