package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"sordini/segment/vfs"
)

var (
	// ErrFull: there is no room until a file that retires is free.
	ErrFull = errors.New("journal: full")
	// ErrBroken: a write or sync has failed before.
	ErrBroken = errors.New("journal: broken by an earlier error")
)

// extension is how many zeros are written ahead of the first rounds of a new file:
// a sync is cheaper where the file does not grow.
const extension = 1 << 20

// Options of a Journal.
type Options struct {
	FS  vfs.FS
	Dir string // made when it is first needed
	// FileBytes is the size of each of the two files.
	FileBytes int64
}

// File is a file that is full and retires.
type File struct {
	generation uint64
	file       vfs.File
	end        int64 // where the next round goes
	size       int64 // bytes that there are
	rounds     uint64
	keys       map[Key]int64 // next offset by log
}

// Keys tells of each log in the file up to which offset it is there.
func (f *File) Keys() map[Key]int64 { return f.keys }

// Journal is open for writing. Add, Room, Switch and Commit are for one goroutine; the others may
// be called at any time.
type Journal struct {
	opt Options

	// Of the writer.
	writing *File
	round   []byte
	count   uint32
	staged  []staged
	broken  error

	mu         sync.Mutex
	generation uint64  // the latest
	free       []*File // open, of an older generation than the next
	retiring   int
	bytes      int64 // of all files
}

// staged is what the round at hand will have made durable.
type staged struct {
	key  Key
	next int64
}

// Open prepares the directory's journal for writing. What Replay found in it must be
// where it belongs, durably, by now; kept says that some of it is not, and then the
// files there are stay as they are.
func Open(opt Options, kept bool) (*Journal, error) {
	j := &Journal{opt: opt}
	generations, err := list(opt.FS, opt.Dir)
	if err != nil {
		return nil, err
	}
	if len(generations) == 0 {
		return j, nil
	}
	j.generation = generations[len(generations)-1]
	if kept {
		return j, nil
	}
	return j, j.recycle(generations)
}

// recycle takes up to two files for free, under new names, and removes the others.
func (j *Journal) recycle(generations []uint64) error {
	for _, g := range generations {
		f, err := j.renew(g)
		if err != nil {
			return errors.Join(err, j.Close())
		}
		if f != nil {
			j.free = append(j.free, f)
		}
	}
	return j.syncDir()
}

// renew renames a file, so that the rounds in it count no more, and opens it; nil if
// it is not needed or not of the right size.
func (j *Journal) renew(generation uint64) (*File, error) {
	name := fileName(j.opt.Dir, generation)
	info, err := j.opt.FS.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if len(j.free) == 2 || info.Size() > j.opt.FileBytes {
		if err := j.opt.FS.Remove(name); err != nil {
			return nil, fmt.Errorf("journal: %w", err)
		}
		return nil, nil
	}
	j.generation++
	fresh := fileName(j.opt.Dir, j.generation)
	if err := j.opt.FS.Rename(name, fresh); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	file, err := j.opt.FS.OpenFile(fresh, os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j.bytes += info.Size()
	return &File{generation: j.generation, file: file, size: info.Size()}, nil
}

func (j *Journal) syncDir() error {
	if err := j.opt.FS.SyncDir(j.opt.Dir); err != nil {
		return fmt.Errorf("journal: sync directory: %w", err)
	}
	return nil
}

// list returns the generations in a directory, oldest first; none if there is no
// directory.
func list(fsys vfs.FS, dir string) ([]uint64, error) {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	var generations []uint64
	for _, e := range entries {
		if g, ok := parseFileName(e.Name()); ok {
			generations = append(generations, g)
		}
	}
	slices.Sort(generations)
	return generations, nil
}

// Bytes is the size of all files that are in use or free.
func (j *Journal) Bytes() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes
}

// Add puts an entry into the round at hand. The batches are copied.
func (j *Journal) Add(e *Entry) {
	if len(j.round) == 0 {
		j.round = beginRound(j.round)
	}
	j.round = appendEntry(j.round, e)
	j.count++
	j.staged = append(j.staged, staged{e.Key, e.Next})
}

// RoundBytes is the size of the round at hand.
func (j *Journal) RoundBytes() int { return len(j.round) }

// Commit writes the round at hand and syncs it: when it returns nil all entries in it
// are durable. ErrFull changes nothing but that the round is given up; any other error breaks
// the journal. full is a file that has to be retired, or nil.
func (j *Journal) Commit() (full *File, err error) {
	defer j.reset()
	if j.broken != nil {
		return nil, ErrBroken
	}
	if len(j.round) == 0 {
		return nil, nil
	}
	length := int64(len(j.round) + padding(len(j.round)))
	if j.writing == nil || j.writing.end+length > j.opt.FileBytes {
		if length > j.opt.FileBytes || len(j.round)-headerSize > maxRound {
			return nil, ErrFull
		}
		if full, err = j.next(); err != nil {
			return nil, j.failed(err)
		}
	}
	if err := j.write(); err != nil {
		return full, j.failed(err)
	}
	return full, nil
}

func (j *Journal) failed(err error) error {
	if err != ErrFull {
		j.broken = err
	}
	return err
}

func (j *Journal) reset() {
	j.round, j.count, j.staged = j.round[:0], 0, j.staged[:0]
}

func (j *Journal) write() error {
	f := j.writing
	b := endRound(j.round, f.generation, f.rounds, j.count)
	j.round = b
	if err := j.extend(f, f.end+int64(len(b))); err != nil {
		return err
	}
	n, err := f.file.WriteAt(b, f.end)
	if err == nil && n != len(b) {
		err = fmt.Errorf("short write: %d of %d bytes", n, len(b))
	}
	if err == nil {
		err = f.file.SyncData()
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	f.end += int64(len(b))
	f.rounds++
	for _, s := range j.staged {
		f.keys[s.key] = max(f.keys[s.key], s.next)
	}
	return nil
}

// extend makes the file larger than end by zeros, so that the next rounds lie in
// blocks that are there.
func (j *Journal) extend(f *File, end int64) error {
	if end <= f.size {
		return nil
	}
	size := min(end+extension, j.opt.FileBytes)
	zeros := make([]byte, size-f.size)
	if n, err := f.file.WriteAt(zeros, f.size); err != nil || n != len(zeros) {
		return fmt.Errorf("journal: extend to %d bytes: wrote %d: %w", size, n, err)
	}
	j.mu.Lock()
	j.bytes += size - f.size
	j.mu.Unlock()
	f.size = size
	return nil
}

// next goes on in another file and returns the one before, which has to be retired.
func (j *Journal) next() (full *File, err error) {
	f, err := j.take()
	if err != nil {
		return nil, err
	}
	full, j.writing = j.writing, f
	if full != nil {
		j.mu.Lock()
		j.retiring++
		j.mu.Unlock()
	}
	return full, nil
}

// take returns a file of a new generation, a free one or a new one.
func (j *Journal) take() (*File, error) {
	j.mu.Lock()
	n := len(j.free) + j.retiring
	if j.writing != nil {
		n++
	}
	var f *File
	if len(j.free) > 0 {
		f, j.free = j.free[0], j.free[1:]
	}
	j.generation++
	generation := j.generation
	j.mu.Unlock()
	if f == nil && n >= 2 {
		return nil, ErrFull
	}
	name := fileName(j.opt.Dir, generation)
	if f == nil {
		return j.create(name, generation)
	}
	if err := j.opt.FS.Rename(fileName(j.opt.Dir, f.generation), name); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := j.syncDir(); err != nil {
		return nil, err
	}
	return &File{generation: generation, file: f.file, size: f.size, keys: make(map[Key]int64)}, nil
}

func (j *Journal) create(name string, generation uint64) (*File, error) {
	if err := j.opt.FS.MkdirAll(j.opt.Dir); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	file, err := j.opt.FS.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	err = j.syncDir()
	if err == nil {
		err = j.syncParent()
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &File{generation: generation, file: file, keys: make(map[Key]int64)}, nil
}

// Retired frees a full file: everything in it is durable where it belongs.
func (j *Journal) Retired(f *File) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.retiring--
	j.free = append(j.free, f)
}

// Keep keeps a full file for Replay: not everything in it is durable elsewhere.
func (j *Journal) Keep(f *File) error {
	j.mu.Lock()
	j.retiring--
	j.bytes -= f.size
	j.mu.Unlock()
	return f.file.Close()
}

// Finish closes the journal at an orderly end, when everything in it is durable where
// it belongs: nothing is there to be replayed.
func (j *Journal) Finish() error {
	files := j.free
	if j.writing != nil {
		files = append(files, j.writing)
	}
	if len(files) == 0 {
		return nil
	}
	var failed error
	for _, f := range files {
		j.generation++
		err := j.opt.FS.Rename(fileName(j.opt.Dir, f.generation), fileName(j.opt.Dir, j.generation))
		f.generation = j.generation
		failed = errors.Join(failed, err)
	}
	if failed == nil {
		failed = j.syncDir()
	}
	return errors.Join(failed, j.Close())
}

// Discard closes a journal that is not used and removes its free files.
func (j *Journal) Discard() error {
	files := j.free
	failed := j.Close()
	for _, f := range files {
		failed = errors.Join(failed, j.opt.FS.Remove(fileName(j.opt.Dir, f.generation)))
	}
	return failed
}

// Close closes the files and leaves them as they are.
func (j *Journal) Close() error {
	files := j.free
	if j.writing != nil {
		files = append(files, j.writing)
	}
	j.free, j.writing = nil, nil
	var failed error
	for _, f := range files {
		failed = errors.Join(failed, f.file.Close())
	}
	return failed
}

func (j *Journal) syncParent() error {
	if err := j.opt.FS.SyncDir(filepath.Dir(j.opt.Dir)); err != nil {
		return fmt.Errorf("journal: sync directory: %w", err)
	}
	return nil
}
