package partition

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sordini/log"
	"sordini/log/journal"
	"sordini/server/config"
	"sordini/server/meta"
)

// journalDir is the directory of the journal in the data directory.
const journalDir = "journal"

const (
	// longestTail is how many bytes of a partition go through the journal at a time.
	// More are cheaper to sync where they are than to write twice.
	longestTail = 128 << 10
	// largestRound bounds what one round writes to the journal.
	largestRound = 4 << 20
	// writebackStep is how many bytes of a segment the journal takes before the disk is
	// told to begin with the segment itself. Without that the syncs of the journal wait
	// behind tens of MiB at a time, when a file of it is full and when a segment is.
	writebackStep = 1 << 20
	// parallelHints is how many logs of a volume are written back so at a time. A busy
	// disk makes a hint wait as a sync waits, and partitions that are written evenly come
	// all at once: each would keep a thread.
	parallelHints = 4
)

// journaler makes durable what the partitions of a round have to flush, by one write
// to a journal and one sync of it. What does not fit is flushed beside it, where it
// is: long stretches, and logs whose directory is not in order yet.
//
// It belongs to the goroutine that runs the rounds.
type journaler struct {
	volume  *volume
	journal *journal.Journal
	tail    log.Tail
	staged  []stagedTail
	failed  bool
	broken  atomic.Bool // failed, for others
}

type stagedTail struct {
	partition *Partition
	end       log.Position
}

// run flushes a round.
func (j *journaler) run(round []*Partition) {
	f := j.volume.flusher
	for _, p := range round {
		if j.failed || !j.stage(p) {
			f.running.Go(p.flushOnce)
		}
	}
	if len(j.staged) == 0 {
		return
	}
	err := j.commit()
	for i := range j.staged {
		s := &j.staged[i]
		if err == nil {
			s.partition.flushed(s.end, ByJournal, nil)
			s.partition.sealSoon()
			s.partition.writeback(s.end)
		} else {
			f.running.Go(s.partition.flushOnce)
		}
		*s = stagedTail{}
	}
	j.staged = j.staged[:0]
}

// stage puts what a partition has to flush into the round at hand.
func (j *journaler) stage(p *Partition) bool {
	p.mu.Lock()
	from := p.logged
	p.mu.Unlock()
	room := min(longestTail, largestRound-int64(j.journal.RoundBytes()))
	if !p.log.Tail(&j.tail, from, room) {
		return false
	}
	for i := range j.tail.Stretches {
		s := &j.tail.Stretches[i]
		j.journal.Add(&journal.Entry{
			Key: journal.Key{Topic: p.ID, Partition: p.Index}, Segment: s.Begin.Segment, Pos: s.Begin.Pos,
			First: s.Begin.Offset, Next: s.End.Offset, Batches: s.Batches,
		})
	}
	j.staged = append(j.staged, stagedTail{p, j.tail.End()})
	return true
}

// writeback sees to it that the log is written where it belongs while the journal goes
// on. end is the position up to which the journal has it; only the journaler calls it.
func (p *Partition) writeback(end log.Position) {
	from := p.pushed
	if end.Segment != from.Segment {
		from = log.Position{Segment: end.Segment}
	}
	p.pushed = from
	if end.Pos-from.Pos < writebackStep {
		return
	}
	hints := p.flusher.hints
	select {
	case hints <- struct{}{}:
	default:
		return // the disk has enough to do; a later round tells it
	}
	p.pushed = end
	p.flusher.running.Go(func() {
		p.log.Writeback(from)
		<-hints
	})
}

// commit makes the round durable, and has a file retired that has become full.
func (j *journaler) commit() error {
	f := j.volume.flusher
	began, size := time.Now(), j.journal.RoundBytes()
	full, err := j.journal.Commit()
	if full != nil {
		f.running.Go(func() { j.retire(full) })
	}
	switch {
	case errors.Is(err, journal.ErrFull):
		return err
	case err != nil:
		j.failed = true
		j.broken.Store(true)
		f.metrics.FlushErrors.Inc()
		if j.volume.noteError(err); j.volume.offline() != nil {
			return err
		}
		f.logger.Error("the journal is not used any more until the next start: each log is synced by itself", "err", err)
		return err
	}
	f.observe(time.Since(began))
	f.metrics.JournalRounds.Add(1)
	f.metrics.JournaledBytes.Add(int64(size))
	return nil
}

// retire syncs every log that has batches in a full file of the journal. Where that
// fails the file may hold the only durable copy, and is kept.
func (j *journaler) retire(full *journal.File) {
	var syncing sync.WaitGroup
	var failed atomic.Bool
	for key, next := range full.Keys() {
		p := j.volume.set.GetByID(meta.TopicID(key.Topic), key.Partition)
		if p == nil {
			continue // deleted
		}
		syncing.Go(func() {
			if !p.syncBelow(next) {
				failed.Store(true)
			}
		})
	}
	syncing.Wait()
	if !failed.Load() {
		j.journal.Retired(full)
		return
	}
	if err := j.journal.Keep(full); err != nil {
		j.volume.logger.Warn("closing a file of the journal", "err", err)
	}
	j.volume.logger.Error("a file of the journal is kept for the next start: a log in it could not be synced")
}

// syncBelow syncs the log up to an offset at least. It says false if that failed and
// the partition is still there.
func (p *Partition) syncBelow(offset int64) bool {
	if p.log.State().Flushed.Offset >= offset {
		return true
	}
	return p.syncNow(BySegment) == nil || p.isGone()
}

// journalPath is the directory of the volume's journal.
func (v *volume) journalPath() string { return filepath.Join(v.Path, journalDir) }

// openJournal makes the journal ready if the settings want it.
func (v *volume) openJournal() error {
	settings := v.set.Broker().Log
	j, err := journal.Open(journal.Options{FS: v.set.opt.FS, Dir: v.journalPath(), FileBytes: settings.JournalBytes / 2}, v.kept)
	if err != nil {
		return err
	}
	if settings.FlushMethod == config.FlushBySegment {
		return j.Discard()
	}
	v.flusher.journal = &journaler{volume: v, journal: j}
	return nil
}

// closeJournal closes the journal; finished says that all logs were closed in order.
func (v *volume) closeJournal(finished bool) error {
	j := v.flusher.journal
	switch {
	case j == nil:
		return nil
	case finished:
		return j.journal.Finish()
	}
	return j.journal.Close()
}

// redoing is a partition into which the journal is written back.
type redoing struct {
	*opening
	redo *log.Redo
	left bool // something could not be written back
}

// replayJournal writes back what an earlier process has acknowledged out of the
// journal. Partitions where that fails are offline, and the journal must stay for
// them. byKey has the partitions of all volumes; those of others have no business here.
func (v *volume) replayJournal(byKey map[journal.Key]*opening, inOrder bool) error {
	logs := make(map[journal.Key]*redoing)
	strays := 0
	r, err := journal.Replay(v.set.opt.FS, v.journalPath(), inOrder, func(e *journal.Entry) error {
		if err := v.set.givenUp(); err != nil {
			return err
		}
		o := byKey[e.Key]
		switch {
		case o == nil: // deleted
		case o.volume == v:
			if logs[e.Key] == nil {
				logs[e.Key] = &redoing{opening: o}
			}
			logs[e.Key].apply(e)
			logs[e.Key].entries++
			v.set.opt.Progress.replayed(len(e.Batches))
		case o.cause != nil:
			v.kept = true // it may be found here later
		default:
			strays++
		}
		return nil
	})
	for _, l := range logs {
		l.finish()
		v.kept = v.kept || l.left
	}
	if err := v.set.givenUp(); err != nil {
		return err
	}
	if strays > 0 {
		v.logger.Error("the journal has records of partitions that are in another data directory now; they were not written back: directories may be moved after an orderly stop only", "entries", strays)
	}
	if err != nil {
		return fmt.Errorf("the journal cannot be read, and it may hold the only copy of acknowledged records: %w", err)
	}
	if r.Entries > 0 || r.Damaged > 0 {
		v.logger.Info("replayed the journal", "files", r.Files, "rounds", r.Rounds, "bytes", r.Bytes)
	}
	if r.Damaged > 0 {
		v.logger.Error("the journal is damaged: acknowledged records may be missing that were not in the segments yet", "places", r.Damaged)
	}
	return nil
}

// finish makes durable what was written back, or does not if the opening is given up.
func (l *redoing) finish() {
	switch {
	case l.redo == nil:
	case l.volume.set.givenUp() != nil:
		l.redo.Abandon()
	default:
		err := l.redo.Close()
		l.cause, l.left = errors.Join(l.cause, err), l.left || err != nil
	}
}

// apply writes one entry back. After an error the partition's others are left out.
func (l *redoing) apply(e *journal.Entry) {
	l.known.Recovery = max(l.known.Recovery, e.Next) // what is missing below it was not torn
	if l.cause != nil {
		l.left = true
		return
	}
	defer func() { l.left = l.cause != nil }()
	if l.redo == nil {
		opt := log.Options{FS: l.volume.set.opt.FS, Dir: l.volume.dirOf(l.topic.Name, l.index)}
		if l.redo, l.cause = log.OpenRedo(opt, l.known.Start); l.cause != nil {
			return
		}
	}
	l.cause = l.redo.Apply(e.Segment, e.Pos, e.First, e.Batches)
}
