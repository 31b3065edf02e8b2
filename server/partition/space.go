package partition

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sordini/segment/vfs"
)

// DiskState is how full the file system of the data directory is.
type DiskState int32

// The states, by the numbers of the metric sordini_disk_state.
const (
	DiskOK   DiskState = iota
	DiskWarn           // log.disk.warn.ratio is reached
	DiskFull           // log.disk.full.ratio is reached: clients write nothing
)

func (s DiskState) String() string { return [...]string{"ok", "warn", "full"}[s] }

// FullError: what would take disk space is refused, and nothing else. It ends by
// itself when space is free again.
type FullError struct {
	Dir         string
	Used, Limit float64 // shares of the file system
	Free        uint64  // bytes
}

func (e *FullError) Error() string {
	return fmt.Sprintf("the disk of the data directory %s is %.1f %% full (%d MiB free), and nothing is written from %.4g %% on (log.disk.full.ratio). "+
		"Reading and deleting go on. To free space, delete topics or records, or shorten retention.ms or retention.bytes; or enlarge the disk. "+
		"Writing resumes by itself.", e.Dir, 100*e.Used, e.Free>>20, 100*e.Limit)
}

// leaving is the share of a limit below which a state is left again, so that it does
// not come and go with every segment.
const leaving = 0.99

// space watches the file system of the data directory. Whoever wants to write for a
// client asks writable, which costs some loads: the file system itself is asked
// every second, and by a writer when so much was appended since that it may be full
// by now.
type space struct {
	volume *volume

	full  atomic.Pointer[FullError] // nil unless the state is DiskFull
	alarm atomic.Int64              // appended bytes at which to look again

	retainNow atomic.Bool // the state has become DiskFull: retention is due

	mu      sync.Mutex
	usage   vfs.Usage
	used    float64
	state   DiskState
	failing bool // the last look failed
	ballast ballast
}

// writable says why nothing may be written for a client, nil if it may.
func (d *space) writable() error {
	if d.volume.set.opt.Metrics.AppendedBytes.Load() >= d.alarm.Load() {
		d.look()
	}
	if full := d.full.Load(); full != nil {
		return full
	}
	return nil
}

// look asks the file system.
func (d *space) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	appended := d.volume.set.opt.Metrics.AppendedBytes.Load()
	u, err := d.volume.set.opt.FS.Usage(d.volume.Path)
	if err != nil || u.Used+u.Free == 0 {
		d.alarm.Store(appended + farAlarm)
		if err != nil && !d.failing {
			d.volume.set.opt.Logger.Warn("the use of the disk cannot be told; the last known counts", "dir", d.volume.Path, "err", err)
		}
		d.failing = err != nil
		return
	}
	d.failing, d.usage, d.used = false, u, u.Ratio()
	warn, full := d.limits()
	d.alarm.Store(appended + nextAlarm(u, full))
	before := d.state
	d.state = nextState(before, d.used, warn, full)
	if d.state != DiskFull {
		d.full.Store(nil)
	} else {
		d.full.Store(&FullError{Dir: d.volume.Path, Used: d.used, Limit: full, Free: u.Free})
	}
	if d.state != before {
		d.tell(before, warn, full)
	}
}

func (d *space) limits() (warn, full float64) {
	settings := &d.volume.set.Broker().Log
	return settings.DiskWarnRatio, settings.DiskFullRatio
}

// nextState follows a state. A limit of 1 is never reached.
func nextState(now DiskState, used, warn, full float64) DiskState {
	reached := func(limit float64, already bool) bool {
		if already {
			limit *= leaving
		}
		return limit < 1 && used >= limit
	}
	switch {
	case full < 1 && reached(full, now == DiskFull):
		return DiskFull
	case warn < 1 && reached(warn, now >= DiskWarn):
		return DiskWarn
	}
	return DiskOK
}

const (
	farAlarm  = 1 << 30  // bytes
	nearAlarm = 64 << 10 // bytes
)

// nextAlarm is after how many appended bytes to look again: a fraction of what there
// is room for, because a byte may be written twice, and files grow in steps.
func nextAlarm(u vfs.Usage, full float64) int64 {
	const fraction = 4
	kept := uint64(float64(u.Used+u.Free) * (1 - min(full, 1)))
	if full >= 1 {
		return farAlarm
	}
	if u.Free <= kept {
		return nearAlarm
	}
	return int64(min(max((u.Free-kept)/fraction, nearAlarm), farAlarm))
}

// tell logs a change of the state.
func (d *space) tell(before DiskState, warn, full float64) {
	logger := d.volume.set.opt.Logger.With("dir", d.volume.Path, "used", fmt.Sprintf("%.1f %%", 100*d.used), "free_bytes", d.usage.Free)
	switch {
	case d.state == DiskFull:
		d.retainNow.Store(true)
		logger.Error("disk full: clients write nothing until space is free; reading and deleting go on", "limit", full)
	case before == DiskFull:
		logger.Warn("disk no longer full: writing goes on", "state", d.state)
	case d.state == DiskWarn:
		logger.Warn("disk fills up", "limit", warn, "full_at", full)
	default:
		logger.Info("disk has space again")
	}
}

// watchSpace looks every interval until the Set is closed.
func (s *Set) watchSpace(interval time.Duration) {
	defer s.background.Done()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			for _, v := range s.volumes {
				if v.offline() == nil {
					v.space.look()
					v.space.keepBallast()
				}
			}
		}
	}
}

// Writable says why nothing may be written to the partition for clients, a *FullError,
// or nil. What frees space, and what the server has to write for itself, need not ask.
func (p *Partition) Writable() error { return p.volume.space.writable() }

// Writable says why nothing may be written for clients anywhere, a *FullError, or nil
// if it may somewhere.
func (s *Set) Writable() error {
	var full error
	for _, v := range s.volumes {
		if v.offline() != nil {
			continue
		}
		if full = v.space.writable(); full == nil {
			return nil
		}
	}
	return full
}

// now tells how full the disk is.
func (d *space) now() (state DiskState, used float64, usage vfs.Usage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state, d.used, d.usage
}

// total is the size of the file system in bytes, 0 if unknown.
func (d *space) total() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.usage.Total
}

// IsFull says whether an error tells that the disk is full.
func IsFull(err error) bool {
	var full *FullError
	return errors.As(err, &full)
}
