//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sordini/test/bench/proc"
	"sordini/test/bench/raw"
	"sordini/test/bench/report"
)

const pinned = raw.Congestion

// The sides besides those that package report knows.
const (
	floorNet   = "floor+net"
	floorFiles = "floor+net+files"
	sordini    = "sordini"
	bySegment  = "sordini-segment" // with flush.method=segment
	mute       = "mute"            // takes records and forgets them: what the client can do
)

// bench is one run. It is used by one goroutine, but for close.
type bench struct {
	options
	log   io.Writer
	dir   string // removed at the end
	table report.Table

	shared []*server // run through all scenarios that do not need one of their own
	made   int       // names given away so far

	mu     sync.Mutex
	live   []*proc.Process
	closed bool // no more processes
}

func newBench(o options, log io.Writer) (*bench, error) {
	dir, err := os.MkdirTemp(o.dir, "sordini-bench-")
	if err != nil {
		return nil, err
	}
	return &bench{options: o, log: log, dir: dir}, nil
}

// close kills all processes and removes the data. It may be called more than once.
func (b *bench) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, p := range b.live {
		p.Kill()
	}
	b.live = nil
	if err := os.RemoveAll(b.dir); err != nil {
		fmt.Fprintln(b.log, "bench:", err)
	}
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.log, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// name makes a name that is new in this run.
func (b *bench) name(prefix string) string {
	b.made++
	return fmt.Sprintf("%s-%d", prefix, b.made)
}

// newDir makes an empty directory for data.
func (b *bench) newDir(prefix string) (string, error) {
	dir := filepath.Join(b.dir, b.name(prefix))
	return dir, os.Mkdir(dir, 0o755)
}

// long is a duration, or a tenth of it in a quick run.
func (b *bench) long(d time.Duration) time.Duration {
	if b.quick {
		return d / 10
	}
	return d
}

// run starts a process that close ends, if forget is not called before.
func (b *bench) run(piped bool, env []string, name string, args ...string) (*proc.Process, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errors.New("interrupted")
	}
	p, err := proc.Start(piped, env, name, args...)
	if err == nil {
		b.live = append(b.live, p)
	}
	return p, err
}

func (b *bench) forget(p *proc.Process) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.live = slices.DeleteFunc(b.live, func(q *proc.Process) bool { return q == p })
}

// used is the processor time of this run, all its processes included.
func (b *bench) used() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := proc.Own()
	for _, p := range b.live {
		if t, err := proc.CPU(p.Pid()); err == nil { // else it has just ended
			sum += t
		}
	}
	return sum
}

// contender is a side of a comparison. Run does the work once, from scratch.
type contender struct {
	side string
	run  func() ([]report.Reading, error)
}

// compete gives each contender a turn in each round.
func (b *bench) compete(what string, contenders []contender) error {
	for round := range b.rounds {
		for _, c := range contenders {
			b.say("%s, round %d: %s", what, round+1, c.side)
			if err := b.turn(c); err != nil {
				return fmt.Errorf("%s: %s: %w", what, c.side, err)
			}
		}
	}
	return nil
}

// quiet is how many cores others may use in a turn that counts as undisturbed.
const quiet = 0.3

// turn takes the least disturbed of some tries.
func (b *bench) turn(c contender) error {
	var best []report.Reading
	least := -1.0
	for range b.tries {
		b.awaitQuiet()
		watch, used := proc.Watch(), b.used()
		readings, err := c.run()
		if err != nil {
			return err
		}
		foreign := watch.Foreign(b.used() - used)
		if least < 0 || foreign < least {
			best, least = readings, foreign
		}
		if foreign < quiet {
			break
		}
		b.say("%s: others used %.2f cores", c.side, foreign)
	}
	for _, r := range best {
		b.table.Add(c.side, least >= quiet, r)
	}
	return nil
}

// awaitQuiet waits until others leave the machine alone, but not for long.
func (b *bench) awaitQuiet() {
	for deadline := time.Now().Add(b.long(5 * time.Second)); time.Now().Before(deadline); {
		watch, used := proc.Watch(), b.used()
		time.Sleep(200 * time.Millisecond)
		if watch.Foreign(b.used()-used) < quiet {
			return
		}
	}
}

// prime makes room in memory for so many bytes of files to come, by writing a file and
// removing it. A virtual machine may have given free memory back to its host, and then
// the first use of it costs several times what writing costs; what was in use a
// moment ago is still there.
func (b *bench) prime(bytes int64) (err error) {
	f, err := os.Create(filepath.Join(b.dir, b.name("prime")))
	if err != nil {
		return err
	}
	defer lastly(func() error { return errors.Join(f.Close(), os.Remove(f.Name())) }, &err)
	piece := make([]byte, 1<<20)
	for room := bytes + bytes/4; room > 0; room -= int64(len(piece)) {
		if _, err := f.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// cost is what a piece of work took.
type cost struct {
	cpu  time.Duration // of the server
	wall time.Duration
}

// costOf does work that a process serves.
func costOf(pid int, work func() error) (cost, error) {
	before, err := proc.CPU(pid)
	if err != nil {
		return cost{}, err
	}
	began := time.Now()
	if err := work(); err != nil {
		return cost{}, err
	}
	wall := time.Since(began)
	after, err := proc.CPU(pid)
	return cost{after - before, wall}, err
}

// perGiB are the readings of work that moved bytes.
func (c cost) perGiB(name string, bytes int64) []report.Reading {
	gib := float64(bytes) / (1 << 30)
	return []report.Reading{
		{Name: name + ": CPU", Unit: "CPU-s/GiB", Value: c.cpu.Seconds() / gib},
		{Name: name + ": rate", Unit: "GiB/s", Value: gib / c.wall.Seconds()},
	}
}

// perPiece are the readings of work on pieces such as requests.
func (c cost) perPiece(name, piece string, n int) []report.Reading {
	return []report.Reading{
		{Name: name + ": CPU", Unit: "us/" + piece, Value: float64(c.cpu.Nanoseconds()) / 1e3 / float64(n)},
		{Name: name + ": rate", Unit: piece + "s/s", Value: float64(n) / c.wall.Seconds()},
	}
}

// lastly calls an end such as Close and adds its error to that of the work before.
func lastly(end func() error, err *error) { *err = errors.Join(*err, end()) }
