package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// ErrPowerCut is what every operation returns after the power went out; see
// [Faulty.CutAfter].
var ErrPowerCut = errors.New("power cut")

// OpKind says what an operation does.
type OpKind int

// The operations that read, and Close. They have no number.
const (
	OpOpen OpKind = iota + 1 // open a file that exists
	OpRead
	OpSize
	OpReadDir
	OpStat
	OpUsage
	OpClose
)

// The operations that change what is on the disk, or what is durable.
const (
	OpCreate      OpKind = iota + 101 // open a file that does not exist
	OpWrite                           // WriteAt or WriteVAt
	OpTruncate                        // Truncate, or open with O_TRUNC
	OpPreallocate                     // reserve space
	OpSync                            // Sync of a file
	OpSyncData                        // SyncData of a file
	OpSyncDir                         // SyncDir of a directory
	OpMkdir                           // one directory; MkdirAll is one for each that is missing
	OpRemove                          // a file or an empty directory
	OpRename                          // a file or a directory
	OpLock                            // which creates its file
)

var opNames = map[OpKind]string{
	OpOpen: "open", OpRead: "read", OpSize: "size", OpReadDir: "readdir", OpStat: "stat",
	OpUsage: "usage", OpClose: "close",
	OpCreate: "create", OpWrite: "write", OpTruncate: "truncate", OpPreallocate: "preallocate",
	OpSync: "sync", OpSyncData: "syncdata", OpSyncDir: "syncdir", OpMkdir: "mkdir",
	OpRemove: "remove", OpRename: "rename", OpLock: "lock",
}

// String is the word that stands for the operation in a trace.
func (k OpKind) String() string {
	if name, ok := opNames[k]; ok {
		return name
	}
	return fmt.Sprintf("OpKind(%d)", int(k))
}

// Changes reports whether the operation changes what is on the disk or what is
// durable. Only such operations are counted and traced.
func (k OpKind) Changes() bool { return k >= OpCreate }

// Op is an operation about to happen.
type Op struct {
	Kind OpKind

	// Path is the name as the caller gave it; for an open file, the name that it
	// was opened with, also after a rename.
	Path string

	// Target is the new name of a rename.
	Target string

	// N is the running number of the operations that change something, from 1
	// for each Faulty; 0 if this one does not.
	N int64

	// Pos is where a read, write or preallocation begins, and Size is how many
	// bytes it has. For a truncation Size is the new size.
	Pos, Size int64
}

// String is the line of the operation in a trace: "write a/b 0+512".
func (o Op) String() string {
	line := fmt.Sprintf("%v %s", o.Kind, filepath.ToSlash(o.Path))
	switch o.Kind {
	case OpRead, OpWrite, OpPreallocate:
		return fmt.Sprintf("%s %d+%d", line, o.Pos, o.Size)
	case OpTruncate:
		return fmt.Sprintf("%s %d", line, o.Size)
	case OpRename:
		return fmt.Sprintf("%s %s", line, filepath.ToSlash(o.Target))
	}
	return line
}

// Fault says how an operation fails. The zero Fault lets it proceed.
type Fault struct {
	// Err is what the operation returns, inside an [fs.PathError] that names it;
	// nil lets it proceed.
	Err error

	// Done carries the operation out in full before it fails.
	Done bool

	// Short is how many bytes a write writes before it fails.
	Short int64
}

// Rule decides about each operation. It may be called concurrently, and may
// call the methods of its Faulty that are not those of [FS].
type Rule func(Op) Fault

// Faulty is a file system that fails on demand, stops at a numbered operation
// and writes down what happens.
//
// A sync of a file that fails by a rule, and not by Done, acts as in the kernel
// if the base is a [Mem]: the unsynced data of the file stays visible and will
// never be durable, although the next sync succeeds.
//
// File.OS is that of the base: what is read through it escapes the rules.
type Faulty struct {
	base FS

	mu       sync.Mutex
	rule     Rule
	ops      int64 // the number of the last changing operation
	cutAfter int64 // no operation after this number; < 0 is never
	tracing  bool
	trace    []string
}

// NewFaulty returns base with faults. A nil rule has none.
func NewFaulty(base FS, rule Rule) *Faulty {
	return &Faulty{base: base, rule: rule, cutAfter: -1}
}

// SetRule replaces the rule; nil is none.
func (f *Faulty) SetRule(rule Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rule = rule
}

// Ops returns the number of the last operation that changes something. Those
// that failed count, those after a power cut do not.
func (f *Faulty) Ops() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// CutAfter lets the power go out once the operation number n is over: every
// later one, reading too, does nothing and returns [ErrPowerCut]. Close still
// closes the file of the base. With n = Ops() it goes out now.
func (f *Faulty) CutAfter(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cutAfter = n
}

// StartTrace begins a new trace.
func (f *Faulty) StartTrace() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tracing, f.trace = true, nil
}

// Trace returns the operations that changed something since StartTrace, one line
// each, with slashes in paths. A failed one ends in ": " and the error that the
// rule or the system gave.
func (f *Faulty) Trace() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.trace)
}

// powerIsOutLocked reports whether the operation that ends the power is over.
func (f *Faulty) powerIsOutLocked() bool { return f.cutAfter >= 0 && f.ops >= f.cutAfter }

// admit counts and traces an operation. It returns what the rule makes of it
// and the index of its line in the trace, or -1.
func (f *Faulty) admit(op Op) (Fault, int) {
	f.mu.Lock()
	if f.powerIsOutLocked() {
		f.mu.Unlock()
		return Fault{Err: ErrPowerCut}, -1
	}
	line := -1
	if op.Kind.Changes() {
		f.ops++
		op.N = f.ops
		if f.tracing {
			line = len(f.trace)
			f.trace = append(f.trace, op.String())
		}
	}
	rule := f.rule
	f.mu.Unlock()
	if rule == nil {
		return Fault{}, line
	}
	return rule(op), line
}

// do runs an operation as its fault wants it. partly, if there is one, does what
// is left of an operation that fails and is not done.
func (f *Faulty) do(op Op, fully func() error, partly func(Fault)) error {
	fault, line := f.admit(op)
	var err error
	switch {
	case fault.Err == nil:
		err = fully()
	case fault.Done:
		err = errors.Join(fault.Err, fully())
	default:
		err = fault.Err
		if partly != nil && !errors.Is(err, ErrPowerCut) {
			partly(fault)
		}
	}
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	f.traceError(line, err)
	if fault.Err == nil {
		return err // it names operation and path already
	}
	if op.Kind == OpRename {
		return linkError(op.Path, op.Target, err)
	}
	return pathError(op.Kind.String(), op.Path, err)
}

func (f *Faulty) traceError(line int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if line < 0 || line >= len(f.trace) {
		return
	}
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	f.trace[line] += ": " + err.Error()
}
