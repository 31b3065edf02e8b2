package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Overlay shows another file system and takes all changes upon itself: what is
// below is only read, and stays as it is. So what a program would do can be seen by
// having it do so.
//
// Bytes that differ from those below go to one file, the spill, one behind the
// other; in memory are the names that were looked at and where the bytes are. A
// write of what is there already, or of zeros where a file grows, costs no space.
// Nothing is durable, and syncs do nothing.
type Overlay struct {
	base  FS
	spill File

	mu       sync.RWMutex
	roots    map[string]*overNode // by volume; "." for relative paths
	spillEnd int64
}

// overNode is a file or directory. The lock of its Overlay guards all fields but the
// first two.
type overNode struct {
	dir  bool
	base string // its path below, "" if it is new

	modified time.Time
	locked   bool

	// Directory: names that were looked at, and those that are new; nil for one that is gone.
	names map[string]*overNode

	// File: bytes [0, below) are those of the file below but for the extents; what
	// is in neither reads as zeros.
	size, below int64
	extents     []extent // in order, apart from each other
}

// extent is n bytes at pos that are in the spill at a position.
type extent struct{ pos, n, at int64 }

// NewOverlay returns an overlay of base without changes. spill is an empty file that
// nobody else uses; the caller closes and removes it in the end.
func NewOverlay(base FS, spill File) *Overlay {
	return &Overlay{base: base, spill: spill, roots: make(map[string]*overNode)}
}

// Spilled is how many bytes were written that differ from those below.
func (o *Overlay) Spilled() int64 {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.spillEnd
}

// rootLocked is the node from which the path of name goes on, and the elements of
// that path.
func (o *Overlay) rootLocked(name string) (*overNode, []string) {
	clean := filepath.Clean(name)
	top := filepath.VolumeName(clean)
	rest := clean[len(top):]
	if filepath.IsAbs(clean) {
		top += string(filepath.Separator)
	} else {
		top += "."
	}
	root := o.roots[top]
	if root == nil {
		root = &overNode{dir: true, base: top, names: make(map[string]*overNode)}
		o.roots[top] = root
	}
	rest = strings.Trim(rest, string(filepath.Separator))
	if rest == "" || rest == "." {
		return root, nil
	}
	return root, strings.Split(rest, string(filepath.Separator))
}

// childLocked is what has a name in a directory, nil if nothing has.
func (o *Overlay) childLocked(dir *overNode, name string) (*overNode, error) {
	if n, ok := dir.names[name]; ok || dir.base == "" {
		return n, nil
	}
	path := filepath.Join(dir.base, name)
	info, err := o.base.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	n := &overNode{dir: info.IsDir(), base: path, modified: info.ModTime()}
	if n.dir {
		n.names = make(map[string]*overNode)
	} else {
		n.size, n.below = info.Size(), info.Size()
	}
	dir.names[name] = n
	return n, nil
}

// lookupLocked resolves name. The node is nil if only the last name is missing, and
// the directory is nil for a root.
func (o *Overlay) lookupLocked(name string) (dir *overNode, last string, n *overNode, err error) {
	if name == "" {
		return nil, "", nil, fs.ErrNotExist
	}
	n, elements := o.rootLocked(name)
	for i, element := range elements {
		if !n.dir {
			return nil, "", nil, syscall.ENOTDIR
		}
		dir, last = n, element
		if n, err = o.childLocked(dir, element); err != nil {
			return nil, "", nil, err
		}
		if n == nil && i < len(elements)-1 {
			return nil, "", nil, fs.ErrNotExist
		}
	}
	return dir, last, n, nil
}

// existingLocked is lookupLocked for a name that must be there.
func (o *Overlay) existingLocked(name string) (dir *overNode, last string, n *overNode, err error) {
	dir, last, n, err = o.lookupLocked(name)
	if err == nil && n == nil {
		err = fs.ErrNotExist
	}
	return dir, last, n, err
}

// Open opens an existing file for reading.
func (o *Overlay) Open(name string) (File, error) { return o.OpenFile(name, os.O_RDONLY) }

// OpenFile opens a file; see [FS].
func (o *Overlay) OpenFile(name string, flag int) (File, error) {
	if err := checkFlag(flag); err != nil {
		return nil, pathError("open", name, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.openLocked(name, flag)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	f := &overFile{o: o, node: n, name: name, writable: flag&os.O_RDWR != 0}
	if n.base != "" {
		if f.under, err = o.base.Open(n.base); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (o *Overlay) openLocked(name string, flag int) (*overNode, error) {
	dir, last, n, err := o.lookupLocked(name)
	switch {
	case err != nil:
		return nil, err
	case n == nil && flag&os.O_CREATE == 0:
		return nil, fs.ErrNotExist
	case n == nil:
		n = &overNode{modified: time.Now()}
		dir.names[last] = n
		return n, nil
	case flag&os.O_EXCL != 0:
		return nil, fs.ErrExist
	case n.dir:
		return nil, syscall.EISDIR
	}
	if flag&os.O_TRUNC != 0 {
		n.truncate(0)
	}
	return n, nil
}

// Mkdir makes one directory; see [FS].
func (o *Overlay) Mkdir(name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	dir, last, n, err := o.lookupLocked(name)
	if err == nil && n != nil {
		err = fs.ErrExist
	}
	if err != nil {
		return pathError("mkdir", name, err)
	}
	dir.names[last] = &overNode{dir: true, names: make(map[string]*overNode), modified: time.Now()}
	return nil
}

// MkdirAll makes a directory and its missing parents.
func (o *Overlay) MkdirAll(name string) error {
	info, err := o.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return pathError("mkdir", name, syscall.ENOTDIR)
	case !errors.Is(err, fs.ErrNotExist) || name == "":
		return err
	}
	if err := o.MkdirAll(filepath.Dir(name)); err != nil {
		return err
	}
	return o.Mkdir(name)
}

// Remove removes a file or an empty directory. Open handles go on working.
func (o *Overlay) Remove(name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	dir, last, n, err := o.existingLocked(name)
	if err == nil && dir == nil {
		err = fs.ErrInvalid
	}
	if err == nil && n.dir {
		var left []string
		if left, err = o.namesLocked(n); len(left) > 0 {
			err = syscall.ENOTEMPTY
		}
	}
	if err != nil {
		return pathError("remove", name, err)
	}
	dir.names[last] = nil
	return nil
}

// Rename moves a file or directory; see [FS].
func (o *Overlay) Rename(oldName, newName string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.renameLocked(oldName, newName); err != nil {
		return linkError(oldName, newName, err)
	}
	return nil
}

func (o *Overlay) renameLocked(oldName, newName string) error {
	from, last, n, err := o.existingLocked(oldName)
	if err != nil {
		return err
	}
	to, newLast, target, err := o.lookupLocked(newName)
	switch {
	case err != nil:
		return err
	case from == nil || to == nil:
		return fs.ErrInvalid
	case target == n && !n.dir:
		return nil
	case target != nil && target.dir:
		return fs.ErrExist
	case target != nil && n.dir:
		return syscall.ENOTDIR
	case n.dir && strings.HasPrefix(filepath.Clean(newName)+string(filepath.Separator), filepath.Clean(oldName)+string(filepath.Separator)):
		return fs.ErrInvalid // into itself
	}
	from.names[last] = nil
	to.names[newLast] = n
	return nil
}

// namesLocked lists a directory, sorted.
func (o *Overlay) namesLocked(dir *overNode) ([]string, error) {
	all := make(map[string]bool)
	if dir.base != "" {
		entries, err := o.base.ReadDir(dir.base)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			all[e.Name()] = true
		}
	}
	for name, n := range dir.names {
		if n == nil {
			delete(all, name)
		} else {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// ReadDir lists a directory, sorted by name.
func (o *Overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _, n, err := o.existingLocked(name)
	if err == nil && !n.dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	names, err := o.namesLocked(n)
	if err != nil {
		return nil, err
	}
	entries := make([]fs.DirEntry, 0, len(names))
	for _, child := range names {
		c, err := o.childLocked(n, child)
		if err != nil {
			return nil, err
		}
		if c != nil {
			entries = append(entries, fs.FileInfoToDirEntry(c.describe(child)))
		}
	}
	return entries, nil
}

// Stat describes a file or directory.
func (o *Overlay) Stat(name string) (fs.FileInfo, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _, n, err := o.existingLocked(name)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return n.describe(filepath.Base(name)), nil
}

func (n *overNode) describe(name string) fs.FileInfo {
	i := memInfo{name: name, size: n.size, mode: fileMode, modified: n.modified}
	if n.dir {
		i.mode = fs.ModeDir | dirMode
	}
	return i
}

// SyncDir does nothing, to a directory that is there.
func (o *Overlay) SyncDir(name string) error {
	info, err := o.Stat(name)
	if err == nil && !info.IsDir() {
		err = pathError("sync", name, syscall.ENOTDIR)
	}
	return err
}

// Lock takes a lock that holds among the users of this Overlay only.
func (o *Overlay) Lock(name string) (io.Closer, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.openLocked(name, os.O_RDWR|os.O_CREATE)
	if err == nil && n.locked {
		err = ErrLocked
	}
	if err != nil {
		return nil, pathError("lock", name, err)
	}
	n.locked = true
	return &overLock{o: o, node: n, name: name}, nil
}

// overLock is a lock that is held until it is closed.
type overLock struct {
	o      *Overlay
	node   *overNode
	name   string
	closed bool
}

func (l *overLock) Close() error {
	l.o.mu.Lock()
	defer l.o.mu.Unlock()
	if l.closed {
		return pathError("close", l.name, fs.ErrClosed)
	}
	l.closed, l.node.locked = true, false
	return nil
}

// Usage is that of the file system below; of what is new, that of the directory it
// is in.
func (o *Overlay) Usage(name string) (Usage, error) {
	o.mu.Lock()
	dir, _, n, err := o.existingLocked(name)
	o.mu.Unlock()
	switch {
	case err != nil:
		return Usage{}, pathError("usage", name, err)
	case n.base != "":
		return o.base.Usage(n.base)
	case dir == nil || dir.base == "":
		return Usage{}, pathError("usage", name, fmt.Errorf("neither it nor its directory is on a disk: %w", fs.ErrInvalid))
	}
	return o.base.Usage(dir.base)
}
