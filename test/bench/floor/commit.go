//go:build linux

package floor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// CommitSize is the size in bytes of what a producer of [Commit] appends at a time.
const CommitSize = 1024

// CommitResult is what a run of Commit has found.
type CommitResult struct {
	Rate      float64         // appends per second, all producers together
	Latencies []time.Duration // of a part of the appends
}

// Commit appends for a while, by so many goroutines, to one file of a directory;
// each waits until a sync has confirmed its append before it makes the next.
func Commit(dir string, producers int, took time.Duration) (CommitResult, error) {
	g, err := openGroup(dir, 0)
	if err != nil {
		return CommitResult{}, err
	}
	defer g.close()
	end := time.Now().Add(took)
	latencies, errs := make([][]time.Duration, producers), make([]error, producers)
	var all sync.WaitGroup
	for i := range producers {
		all.Go(func() {
			unit := make([]byte, CommitSize)
			for began := time.Now(); began.Before(end) && errs[i] == nil; {
				errs[i] = g.commit(unit)
				now := time.Now()
				latencies[i] = append(latencies[i], now.Sub(began))
				began = now
			}
		})
	}
	all.Wait()
	var r CommitResult
	n := 0
	for _, l := range latencies {
		n += len(l)
		r.Latencies = append(r.Latencies, l[:min(len(l), 100_000/producers)]...)
	}
	r.Rate = float64(n) / took.Seconds()
	return r, errors.Join(errs...)
}

// answerCommits takes units of a size from any number of connections, commits each
// and answers it. The connections take the files in turn; each file has syncs of its
// own.
func answerCommits(dir string, size, files int, out io.Writer) error {
	groups := make([]*group, files)
	for i := range groups {
		g, err := openGroup(dir, i)
		if err != nil {
			return err
		}
		defer g.close()
		groups[i] = g
	}
	l, err := listen(out)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		c, err := l.AcceptTCP()
		if err != nil {
			return err
		}
		g := groups[n%files]
		go func() {
			defer c.Close()
			unit := make([]byte, size)
			for {
				if _, err := io.ReadFull(c, unit); err != nil {
					return
				}
				if g.commit(unit) != nil {
					return // the other side sees its connection closed
				}
				if _, err := c.Write(answer[:]); err != nil {
					return
				}
			}
		}()
	}
}

// group is a file whose appends share syncs: a sync starts when the one before it
// has ended and something was appended meanwhile. There is no timer.
type group struct {
	f     *os.File
	dirty chan struct{} // tells the syncer that there is something

	mu       sync.Mutex
	moved    *sync.Cond // synced or err has changed
	end      int64      // of the file
	appended int64      // appends so far
	synced   int64      // how many of them are on disk
	err      error      // of a sync
}

func openGroup(dir string, number int) (*group, error) {
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("floor-commit-%d", number)))
	if err != nil {
		return nil, err
	}
	g := &group{f: f, dirty: make(chan struct{}, 1)}
	g.moved = sync.NewCond(&g.mu)
	go g.sync()
	return g, nil
}

// close may be called when no commit is in progress.
func (g *group) close() {
	close(g.dirty)
	g.f.Close()
	os.Remove(g.f.Name())
}

func (g *group) commit(unit []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, err := g.f.WriteAt(unit, g.end); err != nil {
		return err
	}
	g.end += int64(len(unit))
	g.appended++
	mine := g.appended
	select {
	case g.dirty <- struct{}{}:
	default:
	}
	for g.synced < mine && g.err == nil {
		g.moved.Wait()
	}
	return g.err
}

func (g *group) sync() {
	for range g.dirty {
		g.mu.Lock()
		upTo := g.appended
		g.mu.Unlock()
		err := unix.Fdatasync(int(g.f.Fd()))
		g.mu.Lock()
		g.synced = upTo
		if err != nil && g.err == nil {
			g.err = os.NewSyscallError("fdatasync", err)
		}
		g.moved.Broadcast()
		g.mu.Unlock()
	}
}
