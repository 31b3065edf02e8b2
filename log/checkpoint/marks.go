package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
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
//
// All bits of the offset are inverted from the moment before a sync until it has
// succeeded. After a kill such a log may have had a sync that failed, and the page
// cache may show bytes which the kernel takes for written and which are not.
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

// Mark is the slot of one log.
type Mark struct {
	marks *Marks
	pos   int64

	mu     sync.Mutex
	offset int64 // the largest that was told
	busy   int   // syncs that have begun and not succeeded
	buf    [markSize]byte
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
	k.mu.Lock()
	defer k.mu.Unlock()
	k.offset = max(k.offset, offset)
	_ = k.write()
}

// Begin notes that a sync of the log begins. After an error there must be none: if
// it failed, nobody would know after a kill. End follows if the sync succeeds.
func (k *Mark) Begin() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.busy++
	if err := k.write(); err != nil {
		return fmt.Errorf("mark the begin of a sync: %w", err)
	}
	return nil
}

// End notes that a sync which had begun has succeeded, below an offset.
func (k *Mark) End(offset int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.busy--
	k.offset = max(k.offset, offset)
	_ = k.write()
}

func (k *Mark) write() error {
	field := k.offset
	if k.busy > 0 {
		field = ^field
	}
	binary.BigEndian.PutUint64(k.buf[20:], uint64(field))
	seal(k.buf[:])
	_, err := k.marks.file.WriteAt(k.buf[:], k.pos)
	return err
}

func seal(slot []byte) { binary.BigEndian.PutUint32(slot[28:], crc32.Checksum(slot[:28], castagnoli)) }

func sealed(slot []byte) bool {
	return crc32.Checksum(slot[:28], castagnoli) == binary.BigEndian.Uint32(slot[28:])
}

// Marked is what a slot says of its log.
type Marked struct {
	Offset int64 // synced below it
	// Idle says that no sync ran, or had failed, since Offset was noted.
	Idle bool
}

// ReadMarks reads what an earlier process has left in dir. Slots that are damaged
// are left out; a missing file is empty.
func ReadMarks(fsys vfs.FS, dir string) (map[MarkKey]Marked, error) {
	b, err := contents(fsys, filepath.Join(dir, MarksFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	marks := make(map[MarkKey]Marked, len(b)/markSize)
	for ; len(b) >= markSize; b = b[markSize:] {
		if !sealed(b[:markSize]) {
			continue
		}
		k := MarkKey{Topic: [16]byte(b), Index: int32(binary.BigEndian.Uint32(b[16:]))}
		m := Marked{Offset: int64(binary.BigEndian.Uint64(b[20:])), Idle: true}
		if m.Offset < 0 {
			m.Offset, m.Idle = ^m.Offset, false
		}
		if other, twice := marks[k]; twice {
			m = Marked{max(m.Offset, other.Offset), m.Idle && other.Idle}
		}
		marks[k] = m
	}
	return marks, nil
}

// DoubtMarks changes what an earlier process has left in dir as if a sync of every
// log had begun. Recovery syncs them, and if that fails, and the process dies, the
// next one has to know.
func DoubtMarks(fsys vfs.FS, dir string) error {
	name := filepath.Join(dir, MarksFile)
	b, err := contents(fsys, name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(b) < markSize {
		return nil
	}
	if err != nil {
		return err
	}
	for slot := b; len(slot) >= markSize; slot = slot[markSize:] {
		if field := int64(binary.BigEndian.Uint64(slot[20:])); field >= 0 && sealed(slot[:markSize]) {
			binary.BigEndian.PutUint64(slot[20:], uint64(^field))
			seal(slot[:markSize])
		}
	}
	f, err := fsys.OpenFile(name, os.O_RDWR)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	return errors.Join(err, f.Close())
}
