package partition

import (
	"errors"
	"sync"
	"time"

	"sordini/log"
)

// keyer makes the key indexes of the partitions whose topics have index.key=true. One
// worker goes through them; while there are none it costs a look at a number.
type keyer struct {
	set *Set

	mu      sync.Mutex
	parts   map[*Partition]time.Time // when each may be tried next
	working bool
}

// note takes a partition in if its settings say so.
func (k *keyer) note(p *Partition) {
	if !p.Settings().IndexKey {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.parts == nil {
		k.parts = make(map[*Partition]time.Time)
	}
	k.parts[p] = time.Time{}
}

// kick has the worker look for what there is to do, unless it does.
func (k *keyer) kick() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.working || len(k.parts) == 0 {
		return
	}
	k.working = true
	k.set.background.Add(1)
	go k.work()
}

func (k *keyer) work() {
	defer k.set.background.Done()
	for _, p := range k.due() {
		k.index(p)
	}
	k.mu.Lock()
	k.working = false
	k.mu.Unlock()
}

// due lists the partitions that may be tried now, and those that are left alone from now
// on, whose memory is given back.
func (k *keyer) due() []*Partition {
	now := k.set.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	var due []*Partition
	for p, next := range k.parts {
		switch _, err := p.Offsets(); {
		case err != nil || !p.Settings().IndexKey:
			delete(k.parts, p) // for good, or until its settings change
			due = append(due, p)
		case !now.Before(next):
			due = append(due, p)
		}
	}
	return due
}

// index brings one partition up to date. One that cannot be, for want of space
// perhaps, is left alone for a while.
func (k *keyer) index(p *Partition) {
	wrote, err := p.log.IndexKeys(k.set.cleaner.ctx)
	p.flusher.metrics.KeyIndexBytes.Add(wrote)
	if err == nil || k.set.cleaner.ctx.Err() != nil || errors.Is(err, log.ErrClosed) {
		return
	}
	k.set.opt.Logger.Warn("key index not made; it will be tried again", "topic", p.Topic, "partition", p.Index, "err", err)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.parts[p] = k.set.Now().Add(retryDelay)
}

// Query finds records below the high watermark; see log.Log.Query. q.Offset below the
// log start begins there.
func (p *Partition) Query(q log.Query) (log.Answer, Offsets, error) {
	o, err := p.Offsets()
	if err != nil {
		return log.Answer{}, o, err
	}
	a, err := p.log.Query(q, o.High)
	if err != nil {
		p.noteCorrupt(q.Offset, err)
	}
	if q.Key != nil {
		p.countKeys(&a)
	}
	return a, o, err
}

func (p *Partition) countKeys(a *log.Answer) {
	m := p.flusher.metrics
	if len(a.Records) > 0 {
		m.KeyHits.Add(1)
	} else {
		m.KeyMisses.Add(1)
	}
	m.BloomSkips.Add(int64(a.Skipped))
	m.BloomPasses.Add(int64(a.Passed - a.FalsePositives))
	m.BloomFalsePositives.Add(int64(a.FalsePositives))
}
