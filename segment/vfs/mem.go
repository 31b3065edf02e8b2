package vfs

import (
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// memTotal is the size that Mem claims to have.
	memTotal = 1 << 40
	// memMaxFile bounds one file, so that a wild position is an error and not
	// an allocation.
	memMaxFile = math.MaxInt32
)

// Mem is a file system in memory that knows what a power cut would leave.
//
// A file has contents that were synced and changes that were not; a directory
// has names that were synced and changes that were not. [Mem.Crash] makes the
// file system that the next start would find.
//
// Absolute and relative paths have the same root, which always exists and is
// durable. There are no links, and every file and directory can be read and
// written. Modification times are a counter of changes, not a clock, so that
// the same history gives the same tree. A file holds at most 2 GiB - 1 (EFBIG).
type Mem struct {
	mu   sync.RWMutex
	root *memNode
	// pending are the changes of names that no SyncDir covered, oldest first.
	pending []nameChange
	// lastID is the number of the newest node, and changes counts all changes.
	lastID, changes uint64
}

// memNode is an inode. The lock of its Mem guards all fields but id and dir.
type memNode struct {
	id       uint64
	dir      bool
	modified time.Time
	locked   bool

	// File: data is what readers see, synced is what a power cut leaves, and
	// unsynced is what a sync would apply to synced. The three disagree only
	// after a failed sync.
	data, synced []byte
	unsynced     []dataChange

	// Directory: names is what readers see, durable is what a power cut leaves
	// when none of Mem.pending survives.
	names, durable map[string]*memNode
}

// dataChange is a write of data at pos, or a truncation to pos.
type dataChange struct {
	truncate bool
	pos      int64
	data     []byte
}

// nameKey is a name in a directory.
type nameKey struct {
	dir  *memNode
	name string
}

// nameChange puts node under a name, takes it away from one, or, as a rename,
// does both in one step. A side that is not there has no directory.
type nameChange struct {
	from, to nameKey
	node     *memNode
}

// NewMem returns an empty file system.
func NewMem() *Mem {
	return &Mem{root: newMemDir(0)}
}

func newMemDir(id uint64) *memNode {
	return &memNode{
		id: id, dir: true, modified: memTime(id),
		names: map[string]*memNode{}, durable: map[string]*memNode{},
	}
}

func memTime(change uint64) time.Time {
	return time.Unix(0, 0).Add(time.Duration(change) * time.Millisecond)
}

// Open opens an existing file for reading.
func (m *Mem) Open(name string) (File, error) { return m.OpenFile(name, os.O_RDONLY) }

// OpenFile opens a file; see [FS].
func (m *Mem) OpenFile(name string, flag int) (File, error) {
	if err := checkFlag(flag); err != nil {
		return nil, pathError("open", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	node, err := m.openLocked(name, flag)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &memFile{fs: m, node: node, name: name, writable: flag&os.O_RDWR != 0}, nil
}

// openLocked finds or creates the file name.
func (m *Mem) openLocked(name string, flag int) (*memNode, error) {
	key, node, err := m.lookupLocked(name)
	switch {
	case err != nil:
		return nil, err
	case node == nil && flag&os.O_CREATE == 0:
		return nil, fs.ErrNotExist
	case node == nil:
		m.lastID++
		node = &memNode{id: m.lastID}
		m.touchLocked(node)
		m.changeNameLocked(nameChange{to: key, node: node})
		return node, nil
	case flag&os.O_EXCL != 0:
		return nil, fs.ErrExist
	case node.dir:
		return nil, syscall.EISDIR
	}
	if flag&os.O_TRUNC != 0 {
		m.changeDataLocked(node, dataChange{truncate: true})
	}
	return node, nil
}

// Mkdir makes one directory; see [FS].
func (m *Mem) Mkdir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	key, node, err := m.lookupLocked(name)
	if err == nil && node != nil {
		err = fs.ErrExist
	}
	if err != nil {
		return pathError("mkdir", name, err)
	}
	m.mkdirLocked(key)
	return nil
}

// MkdirAll makes a directory and its missing parents.
func (m *Mem) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if name == "" {
		return pathError("mkdir", name, fs.ErrNotExist)
	}
	dir := m.root
	for _, element := range splitPath(name) {
		next := dir.names[element]
		if next == nil {
			next = m.mkdirLocked(nameKey{dir, element})
		}
		if !next.dir {
			return pathError("mkdir", name, syscall.ENOTDIR)
		}
		dir = next
	}
	return nil
}

func (m *Mem) mkdirLocked(key nameKey) *memNode {
	m.lastID++
	node := newMemDir(m.lastID)
	m.touchLocked(node)
	m.changeNameLocked(nameChange{to: key, node: node})
	return node
}

// Remove removes a file or an empty directory. Open handles of the file go on
// working.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	key, node, err := m.existingLocked(name)
	switch {
	case err != nil:
	case node == m.root:
		err = fs.ErrInvalid
	case node.dir && len(node.names) > 0:
		err = syscall.ENOTEMPTY
	}
	if err != nil {
		return pathError("remove", name, err)
	}
	m.changeNameLocked(nameChange{from: key, node: node})
	return nil
}

// Rename moves a file or directory; see [FS].
func (m *Mem) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.renameLocked(oldName, newName); err != nil {
		return linkError(oldName, newName, err)
	}
	return nil
}

func (m *Mem) renameLocked(oldName, newName string) error {
	from, node, err := m.existingLocked(oldName)
	if err != nil {
		return err
	}
	to, target, err := m.lookupLocked(newName)
	switch {
	case err != nil:
		return err
	case node == m.root || target == m.root:
		return fs.ErrInvalid
	case target == node && !node.dir:
		return nil
	case target != nil && target.dir:
		return fs.ErrExist
	case target != nil && node.dir:
		return syscall.ENOTDIR
	case node.dir && slices.Contains(m.walkLocked(newName), node):
		return fs.ErrInvalid // into itself
	}
	m.changeNameLocked(nameChange{from: from, to: to, node: node})
	return nil
}

// ReadDir lists a directory, sorted by name.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	node, err := m.dirLocked(name)
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	entries := make([]fs.DirEntry, 0, len(node.names))
	for _, element := range slices.Sorted(maps.Keys(node.names)) {
		entries = append(entries, fs.FileInfoToDirEntry(node.names[element].info(element)))
	}
	return entries, nil
}

// Stat describes a file or directory.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, node, err := m.existingLocked(name)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return node.info(filepath.Base(name)), nil
}

// Lock takes the lock of a file; see [FS].
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	node, err := m.openLocked(name, os.O_RDWR|os.O_CREATE)
	if err == nil && node.locked {
		err = ErrLocked
	}
	if err != nil {
		return nil, pathError("lock", name, err)
	}
	node.locked = true
	return &memLock{fs: m, node: node, name: name}, nil
}

// memLock is a lock that is held until it is closed.
type memLock struct {
	fs     *Mem
	node   *memNode
	name   string
	closed bool
}

func (l *memLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	if l.closed {
		return pathError("close", l.name, fs.ErrClosed)
	}
	l.closed, l.node.locked = true, false
	return nil
}

// Usage counts the contents of all files that have a name, against 1 TiB.
func (m *Mem) Usage(name string) (Usage, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if _, _, err := m.existingLocked(name); err != nil {
		return Usage{}, pathError("usage", name, err)
	}
	used := min(m.root.used(), memTotal)
	return Usage{Total: memTotal, Used: used, Free: memTotal - used, Type: "mem"}, nil
}

func (n *memNode) used() uint64 {
	used := uint64(len(n.data))
	for _, child := range n.names {
		used += child.used()
	}
	return used
}

// splitPath returns the names on the way from the root; ".." stops there.
func splitPath(name string) []string {
	name = name[len(filepath.VolumeName(name)):]
	separator := string(filepath.Separator)
	name = strings.Trim(filepath.Clean(separator+name), separator)
	if name == "" {
		return nil
	}
	return strings.Split(name, separator)
}

// walkLocked returns the directories on the way to name, the root first, as far
// as they exist.
func (m *Mem) walkLocked(name string) []*memNode {
	way := []*memNode{m.root}
	for _, element := range splitPath(name) {
		next := way[len(way)-1].names[element]
		if next == nil || !next.dir {
			break
		}
		way = append(way, next)
	}
	return way
}

// lookupLocked resolves name. The node is nil if only the last name is missing.
func (m *Mem) lookupLocked(name string) (nameKey, *memNode, error) {
	if name == "" {
		return nameKey{}, nil, fs.ErrNotExist
	}
	elements := splitPath(name)
	key, node := nameKey{}, m.root
	for i, element := range elements {
		if !node.dir {
			return nameKey{}, nil, syscall.ENOTDIR
		}
		key = nameKey{node, element}
		next := node.names[element]
		if next == nil {
			if i < len(elements)-1 {
				return nameKey{}, nil, fs.ErrNotExist
			}
			return key, nil, nil
		}
		node = next
	}
	return key, node, nil
}

// existingLocked is lookupLocked for a name that must be there.
func (m *Mem) existingLocked(name string) (nameKey, *memNode, error) {
	key, node, err := m.lookupLocked(name)
	if err == nil && node == nil {
		err = fs.ErrNotExist
	}
	return key, node, err
}

// dirLocked is existingLocked for a directory.
func (m *Mem) dirLocked(name string) (*memNode, error) {
	_, node, err := m.existingLocked(name)
	switch {
	case err != nil:
		return nil, err
	case !node.dir:
		return nil, syscall.ENOTDIR
	}
	return node, nil
}

// touchLocked counts a change and dates the node by it.
func (m *Mem) touchLocked(node *memNode) {
	m.changes++
	node.modified = memTime(m.changes)
}

// changeNameLocked makes a change visible and remembers that it is not durable.
func (m *Mem) changeNameLocked(c nameChange) {
	for _, dir := range []*memNode{c.from.dir, c.to.dir} {
		if dir != nil {
			m.touchLocked(dir)
		}
	}
	c.apply(func(dir *memNode) map[string]*memNode { return dir.names })
	m.pending = append(m.pending, c)
}

// apply carries the change out on the names that a directory maps to.
func (c nameChange) apply(names func(dir *memNode) map[string]*memNode) {
	if c.from.dir != nil {
		delete(names(c.from.dir), c.from.name)
	}
	if c.to.dir != nil {
		names(c.to.dir)[c.to.name] = c.node
	}
}

func (n *memNode) info(name string) fs.FileInfo {
	info := memInfo{name: name, size: int64(len(n.data)), mode: fileMode, modified: n.modified}
	if n.dir {
		info.mode = fs.ModeDir | dirMode
	}
	return info
}

// memInfo is the description of a node at one moment.
type memInfo struct {
	name     string
	size     int64
	mode     fs.FileMode
	modified time.Time
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) Mode() fs.FileMode  { return i.mode }
func (i memInfo) ModTime() time.Time { return i.modified }
func (i memInfo) IsDir() bool        { return i.mode.IsDir() }
func (i memInfo) Sys() any           { return nil }
