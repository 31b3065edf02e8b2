package partition

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sordini/log"
	"sordini/log/checkpoint"
	"sordini/segment"
	"sordini/server/config"
	"sordini/server/meta"
)

// ErrGone: the partition was deleted.
var ErrGone = errors.New("partition was deleted")

// Partition is one live partition.
type Partition struct {
	Topic string
	ID    meta.TopicID
	Index int32

	internal bool
	log      *log.Log
	volume   *volume
	flusher  *flusher         // the volume's
	mark     *checkpoint.Mark // used by the flush under way; nil if the volume was offline at the start
	settings atomic.Pointer[config.Topic]
	clean    cleanState // guarded by the cleaner
	keyer    *keyer
	sealing  atomic.Bool  // sealRolled runs
	pushed   log.Position // see writeback

	mu       sync.Mutex
	arriving int     // appends of important batches under way
	holds    []int64 // offsets of important batches that are not flushed
	high     log.Position
	logged   log.Position // up to where the journal has everything that the log has not flushed
	durable  int64        // below it all is known to be durable; see observe.go
	acks     []*AckWaiter // by rising offset
	fetches  []*FetchWaiter
	flushing bool // a flush is due or runs
	timer    *time.Timer
	armed    bool      // timer is set
	dirty    time.Time // when the oldest was written of what is not flushed; zero if nothing is
	began    time.Time // when the flush under way, or the last, began
	unsynced int64     // offset from which flush.messages counts
	gone     bool
	failed   bool // the failure was reported
}

func newPartition(t *meta.Topic, index int32, l *log.Log, settings *config.Topic, v *volume) *Partition {
	p := &Partition{Topic: t.Name, ID: t.ID, Index: index, internal: t.Internal, log: l, volume: v, flusher: v.flusher}
	p.settings.Store(settings)
	p.high = l.State().Flushed
	p.logged, p.pushed, p.durable = p.high, p.high, p.high.Offset
	p.unsynced = p.high.Offset
	return p
}

// DataDir is the data directory that the partition is in.
func (p *Partition) DataDir() string { return p.volume.Path }

// Settings are the topic's settings in force.
func (p *Partition) Settings() *config.Topic { return p.settings.Load() }

// Log is the partition's log, for what needs no high watermark.
func (p *Partition) Log() *log.Log { return p.log }

// Append adds the batch to the log and has it flushed as the policy says. When it
// returns without a.Err the batch is written and ordered, not yet acknowledged:
// acks=all waits for the high watermark to reach a.Next.
func (p *Partition) Append(a *log.Append) { p.append(a, true) }

// AppendMinor is Append of a batch that is not important, for flush.policy=hybrid.
func (p *Partition) AppendMinor(a *log.Append) { p.append(a, false) }

func (p *Partition) append(a *log.Append, important bool) {
	if important {
		p.mu.Lock()
		p.arriving++
		p.mu.Unlock()
	}
	p.log.Append(a)
	if a.Err != nil {
		p.noteFailure()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.settings.Load()
	if important {
		p.arriving--
		if a.Err == nil && !a.Duplicate && s.FlushPolicy != config.FlushAsync {
			p.holds = append(p.holds, a.Base)
		}
	}
	switch {
	case a.Err == nil:
		p.appendedLocked(s)
	case s.FlushPolicy == config.FlushHybrid:
		p.passLocked() // who was held by this one
	}
}

// appendedLocked moves the high watermark or sees to a flush, now or later.
func (p *Partition) appendedLocked(s *config.Topic) {
	switch s.FlushPolicy {
	case config.FlushSync:
		p.startFlushLocked()
		return
	case config.FlushAsync:
		p.advanceLocked(p.log.State().End)
	case config.FlushHybrid:
		if p.passLocked(); len(p.holds) > 0 {
			p.startFlushLocked()
			return
		}
	}
	if p.log.State().End.Offset-p.unsynced >= s.FlushMessages {
		p.startFlushLocked()
		return
	}
	if !p.flushing {
		p.armLocked(s)
	}
}

// passLocked moves the high watermark to the log end unless that would pass an important
// batch which is not flushed, or may be in the log already. Then the flush of that
// batch moves it.
func (p *Partition) passLocked() {
	if p.arriving == 0 && len(p.holds) == 0 {
		p.advanceLocked(p.log.State().End)
	}
}

// forever is a flush.ms that never comes: more milliseconds than a timer takes.
const forever = int64(1) << 40

// armLocked sets the timer of the asynchronous flush.
func (p *Partition) armLocked(s *config.Topic) {
	p.dirtyLocked()
	if p.armed || p.gone || s.FlushMs >= forever {
		return
	}
	p.armed = true
	wait := time.Duration(s.FlushMs) * time.Millisecond
	if p.timer == nil {
		p.timer = time.AfterFunc(wait, p.flushDue)
	} else {
		p.timer.Reset(wait)
	}
}

func (p *Partition) flushDue() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = false
	if !p.gone {
		p.startFlushLocked()
	}
}

// startFlushLocked sees to it that everything that is in the log now gets
// flushed: by the one that is under way, which looks again, or by a new one.
func (p *Partition) startFlushLocked() {
	if !p.flushing && !p.gone {
		p.dirtyLocked()
		p.flushing, p.began = true, time.Now()
		p.flusher.start(p)
	}
}

// flushOnce flushes, wakes who waited for it, and has itself called again if there is
// more by then.
func (p *Partition) flushOnce() {
	pos, err := p.flush()
	if err != nil {
		p.noteFailure()
	}
	p.flushed(pos, BySegment, err)
}

// flushed ends a flush up to pos: it wakes who waited for it, and has the next one
// begin if there is more by then.
func (p *Partition) flushed(pos log.Position, by Durability, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Under the lock: an append that ends behind this End starts a flush anew.
	end := p.log.State().End
	p.unsynced = pos.Offset
	if err == nil {
		p.durableLocked(pos, by)
		if pos.Offset > p.logged.Offset {
			p.logged = pos
		}
		p.cleanLocked(pos, end)
		p.holds = slices.DeleteFunc(p.holds, func(offset int64) bool { return offset < pos.Offset })
		p.advanceLocked(pos)
		if p.settings.Load().FlushPolicy == config.FlushHybrid {
			p.passLocked()
		}
	}
	if p.flushing = p.flushAgainLocked(pos, end, err); p.flushing {
		p.began = time.Now()
		p.flusher.start(p)
	}
}

// flush syncs the log and marks how far, before anybody is told.
func (p *Partition) flush() (log.Position, error) {
	if err := p.beginSync(); err != nil {
		return log.Position{}, p.log.Fail(err)
	}
	pos, err := p.flusher.flush(p.log)
	if err == nil {
		p.mark.End(pos.Offset)
		p.sealSoon()
	}
	return pos, err
}

// beginSync notes that a sync of the log begins.
func (p *Partition) beginSync() error {
	if p.mark == nil {
		return p.volume.offline()
	}
	return p.mark.Begin()
}

// flushAgainLocked decides after a flush up to pos, while the log already ends at
// end, whether to flush on, now or later.
func (p *Partition) flushAgainLocked(pos, end log.Position, err error) bool {
	s := p.settings.Load()
	if err != nil || p.gone || pos.Offset >= end.Offset {
		return false
	}
	lazy := s.FlushPolicy == config.FlushAsync || s.FlushPolicy == config.FlushHybrid && len(p.holds) == 0
	if lazy && end.Offset-pos.Offset < s.FlushMessages {
		p.armLocked(s)
		return false
	}
	return true
}

// advanceLocked raises the high watermark and wakes who waited for it.
func (p *Partition) advanceLocked(to log.Position) {
	if to.Offset <= p.high.Offset {
		return
	}
	grown := to.Pos - p.high.Pos
	if to.Segment != p.high.Segment {
		grown = enough // unknown; the waiters look for themselves
	}
	p.high = to
	n := 0
	for n < len(p.acks) && p.acks[n].offset <= to.Offset {
		p.acks[n].wake()
		n++
	}
	p.dropAcksLocked(n)
	for _, w := range p.fetches {
		w.grow(grown)
	}
}

func (p *Partition) dropAcksLocked(n int) {
	if n == 0 {
		return
	}
	rest := copy(p.acks, p.acks[n:])
	clear(p.acks[rest:])
	p.acks = p.acks[:rest]
}

// noteFailure wakes all waiters once the log is offline, and reports it once.
func (p *Partition) noteFailure() {
	var offline *log.OfflineError
	if !errors.As(p.log.State().Failure, &offline) {
		return
	}
	p.mu.Lock()
	first := !p.failed && !p.gone
	p.failed = true
	p.wakeAllLocked()
	p.mu.Unlock()
	if first {
		p.flusher.metrics.OfflineLogs.Inc()
		p.volume.suspect.Store(true)
	}
}

func (p *Partition) wakeAllLocked() {
	for _, w := range p.acks {
		w.wake()
	}
	p.dropAcksLocked(len(p.acks))
	for _, w := range p.fetches {
		w.grow(enough)
	}
}

// leave takes the partition out of service: whoever waits hears ErrGone.
func (p *Partition) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.wakeAllLocked()
	if p.failed {
		p.flusher.metrics.OfflineLogs.Dec()
	}
}

// Offsets are the bounds of what a client may see.
type Offsets struct {
	Start int64
	High  log.Position // consumers read below it
	End   int64
}

// Offsets returns the current bounds, or why the partition serves nobody.
func (p *Partition) Offsets() (Offsets, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := p.log.State()
	o := Offsets{Start: st.Start, High: p.high, End: st.End.Offset}
	if p.gone {
		return o, ErrGone
	}
	return o, st.Failure
}

// Read returns the whole batches from offset up to maxBytes below the high
// watermark; see log.Log.Read. The offsets are those that the read was done with.
func (p *Partition) Read(offset, maxBytes int64, whole bool) (segment.Range, Offsets, error) {
	o, err := p.Offsets()
	if err != nil {
		return segment.Range{}, o, err
	}
	r, err := p.log.Read(offset, maxBytes, o.High, whole)
	if err != nil {
		p.noteCorrupt(offset, err)
	}
	return r, o, err
}

func (p *Partition) noteCorrupt(offset int64, err error) {
	var corrupt *segment.CorruptError
	if errors.As(err, &corrupt) {
		p.flusher.metrics.CorruptReads.Inc()
		p.flusher.logger.Error("read refused: stored bytes are damaged", "topic", p.Topic, "partition", p.Index, "offset", offset, "err", err)
	}
}

// DeleteRecords raises the log start to offset, -1 meaning the high watermark,
// and returns the new log start. The caller makes it durable with Set.Checkpoint,
// then calls Purge.
func (p *Partition) DeleteRecords(offset int64) (int64, error) {
	o, err := p.Offsets()
	if err != nil {
		return 0, err
	}
	if offset == -1 {
		offset = o.High.Offset
	}
	if offset < 0 || offset > o.High.Offset || offset < o.Start {
		return 0, log.ErrOffsetOutOfRange
	}
	return p.log.DeleteBefore(offset, o.High.Offset)
}
