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
)

// journaler makes durable what the partitions of a round have to flush, by one write
// to a journal and one sync of it. What does not fit is flushed beside it, where it
// is: long stretches, segments that are complete, files whose names are new.
//
// It belongs to the goroutine that runs the rounds.
type journaler struct {
	set     *Set
	journal *journal.Journal
	tail    []byte
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
	f := j.set.flusher
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
	var begin, end log.Position
	var ok bool
	if j.tail, begin, end, ok = p.log.Tail(j.tail[:0], from, room); !ok {
		return false
	}
	j.journal.Add(&journal.Entry{
		Key: journal.Key{Topic: p.ID, Partition: p.Index}, Segment: begin.Segment, Pos: begin.Pos,
		First: begin.Offset, Next: end.Offset, Batches: j.tail,
	})
	j.staged = append(j.staged, stagedTail{p, end})
	return true
}

// commit makes the round durable, and has a file retired that has become full.
func (j *journaler) commit() error {
	f := j.set.flusher
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
		f.logger.Error("the journal is not used any more until the next start: each log is synced by itself", "err", err)
		return err
	}
	f.metrics.FlushSeconds.Observe(time.Since(began).Seconds())
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
		p := j.set.GetByID(meta.TopicID(key.Topic), key.Partition)
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
		j.set.opt.Logger.Warn("closing a file of the journal", "err", err)
	}
	j.set.opt.Logger.Error("a file of the journal is kept for the next start: a log in it could not be synced")
}

// syncBelow syncs the log up to an offset at least. It says false if that failed and
// the partition is still there.
func (p *Partition) syncBelow(offset int64) bool {
	if p.log.State().Flushed.Offset >= offset {
		return true
	}
	pos, err := p.flush()
	if err != nil {
		p.noteFailure()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.durableLocked(pos, BySegment)
		p.advanceLocked(pos)
	}
	return err == nil || p.gone
}

// openJournal makes the journal ready if the settings want it. kept says that the
// one there is must stay as it is.
func (s *Set) openJournal(kept bool) error {
	settings := s.Broker().Log
	j, err := journal.Open(journal.Options{
		FS: s.opt.FS, Dir: filepath.Join(s.opt.Dir, journalDir), FileBytes: settings.JournalBytes / 2,
	}, kept)
	if err != nil {
		return err
	}
	if settings.FlushMethod == config.FlushBySegment {
		return j.Discard()
	}
	s.flusher.journal = &journaler{set: s, journal: j}
	return nil
}

// closeJournal closes the journal; finished says that all logs were closed in order.
func (s *Set) closeJournal(finished bool) error {
	j := s.flusher.journal
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
}

// replayJournal writes back what an earlier process has acknowledged out of the
// journal. Partitions where that fails are offline, and kept says that the journal
// must stay for them.
func (s *Set) replayJournal(all []*opening, inOrder bool) (kept bool, err error) {
	logs := make(map[journal.Key]*redoing, len(all))
	for _, o := range all {
		logs[journal.Key{Topic: o.topic.ID, Partition: o.index}] = &redoing{opening: o}
	}
	r, err := journal.Replay(s.opt.FS, filepath.Join(s.opt.Dir, journalDir), inOrder, func(e *journal.Entry) error {
		if l := logs[e.Key]; l != nil {
			l.apply(s, e)
			l.entries++
			s.opt.Progress.replayed(len(e.Batches))
		}
		return nil
	})
	for _, l := range logs {
		if l.redo != nil {
			l.cause = errors.Join(l.cause, l.redo.Close())
		}
		kept = kept || l.cause != nil
	}
	if err != nil {
		return kept, fmt.Errorf("the journal cannot be read, and it may hold the only copy of acknowledged records: %w", err)
	}
	if r.Entries > 0 || r.Damaged > 0 {
		s.opt.Logger.Info("replayed the journal", "files", r.Files, "rounds", r.Rounds, "bytes", r.Bytes)
	}
	if r.Damaged > 0 {
		s.opt.Logger.Error("the journal is damaged: acknowledged records may be missing that were not in the segments yet", "places", r.Damaged)
	}
	return kept, nil
}

// apply writes one entry back. After an error the partition's others are left out.
func (l *redoing) apply(s *Set, e *journal.Entry) {
	l.known.Recovery = max(l.known.Recovery, e.Next) // what is missing below it was not torn
	if l.cause != nil {
		return
	}
	if l.redo == nil {
		opt := log.Options{FS: s.opt.FS, Dir: s.partitionDir(l.topic.Name, l.index)}
		if l.redo, l.cause = log.OpenRedo(opt, l.known.Start); l.cause != nil {
			return
		}
	}
	l.cause = l.redo.Apply(e.Segment, e.Pos, e.First, e.Batches)
}
