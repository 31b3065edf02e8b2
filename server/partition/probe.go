package partition

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"
)

// probeFile is written by a probe and removed again.
const probeFile = "sordini-probe.tmp"

// What a probe does at most, of either kind. A few syncs are timed whatever they take: one
// alone proves nothing.
const (
	probeTime  = 25 * time.Millisecond
	probeSyncs = 16
	probeLeast = 3
	probeBlock = 4 << 10   // bytes before each sync
	probeChunk = 256 << 10 // bytes at a time
	probeBytes = 8 << 20
)

// probed is what a probe has measured; 0 is unknown.
type probed struct {
	sync  atomic.Int64 // median of a small write and its sync, ns
	speed atomic.Int64 // bytes a second, written and synced
}

// Probe measures in the background how fast each of several data directories is, and
// logs it. One directory has nothing to be compared with, and is left alone.
func (s *Set) Probe() {
	if len(s.volumes) == 1 {
		return
	}
	for _, v := range s.volumes {
		if state, _, _ := v.space.now(); v.offline() != nil || state == DiskFull {
			continue
		}
		s.background.Add(1)
		go func() {
			defer s.background.Done()
			if err := v.probe(); err != nil {
				v.set.opt.Logger.Warn("data directory could not be probed", "dir", v.Path, "err", err)
				v.noteError(err)
			}
		}()
	}
}

// probe writes a file for a few dozen milliseconds, more only if one sync takes longer.
func (v *volume) probe() (err error) {
	name := filepath.Join(v.Path, probeFile)
	f, err := v.set.opt.FS.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), v.set.opt.FS.Remove(name)) }()
	write := func(at, n int64, sync bool) error {
		if _, err := f.WriteAt(make([]byte, n), at); err != nil {
			return fmt.Errorf("probe: %w", err)
		}
		if !sync {
			return nil
		}
		return f.SyncData()
	}
	var syncs []time.Duration
	for began := time.Now(); len(syncs) < probeLeast || len(syncs) < probeSyncs && time.Since(began) < probeTime; {
		before := time.Now()
		if err := write(int64(len(syncs))*probeBlock, probeBlock, true); err != nil {
			return err
		}
		syncs = append(syncs, time.Since(before))
	}
	slices.Sort(syncs)
	v.probed.sync.Store(int64(max(syncs[len(syncs)/2], 1)))
	began, n := time.Now(), int64(0)
	for n < probeBytes && time.Since(began) < probeTime/2 { // the sync takes its time, too
		if err := write(n, probeChunk, false); err != nil {
			return err
		}
		n += probeChunk
	}
	if err := f.SyncData(); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	v.probed.speed.Store(int64(float64(n) / max(time.Since(began).Seconds(), 1e-6)))
	_, _, usage := v.space.now()
	v.set.opt.Logger.Info("data directory probed", "dir", v.Path, "class", v.Class, "file_system", usage.Type,
		"sync", time.Duration(v.probed.sync.Load()), "write_bytes_per_second", v.probed.speed.Load())
	return nil
}
