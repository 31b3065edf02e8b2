package partition

import (
	"fmt"
	"sync"
	"time"

	"sordini/log/checkpoint"
	"sordini/server/meta"
)

// Checkpoint writes how far each log is known to be good, durably.
func (s *Set) Checkpoint() error { return s.checkpoint(false) }

func (s *Set) checkpoint(clean bool) error {
	s.checkpointMu.Lock()
	defer s.checkpointMu.Unlock()
	c := &checkpoint.Checkpoint{BrokerEpoch: s.Image().BrokerEpoch(), Clean: clean, Partitions: make(map[checkpoint.Partition]checkpoint.Entry)}
	for _, p := range s.All() {
		c.Partitions[checkpoint.Partition{Topic: p.Topic, Index: p.Index}] = p.checkpointEntry()
	}
	if err := s.keepOffline(c); err != nil {
		return err
	}
	if err := checkpoint.Write(s.opt.FS, s.opt.Dir, c); err != nil {
		return err
	}
	s.checkpointed.Store(time.Now().UnixNano())
	return nil
}

func (p *Partition) checkpointEntry() checkpoint.Entry {
	p.mu.Lock()
	high, st := p.high.Offset, p.log.State()
	p.mu.Unlock()
	return checkpoint.Entry{
		Topic: p.ID, Start: st.Start, Recovery: st.Flushed.Offset, High: high,
		End: st.End.Offset, Segment: st.End.Segment, Size: st.End.Pos,
	}
}

// keepOffline keeps what the checkpoint before said of partitions that could not
// be opened.
func (s *Set) keepOffline(c *checkpoint.Checkpoint) error {
	var old *checkpoint.Checkpoint
	for _, p := range s.All() {
		if p.log.Segments() > 0 {
			continue
		}
		if old == nil {
			old, _ = checkpoint.Read(s.opt.FS, s.opt.Dir)
		}
		key := checkpoint.Partition{Topic: p.Topic, Index: p.Index}
		if e, ok := old.Partitions[key]; ok && e.Topic == p.ID {
			c.Partitions[key] = e
		} else {
			delete(c.Partitions, key)
		}
	}
	return nil
}

// runBackground does what is due from time to time until the Set is closed:
// checkpoints, retention, compaction, key indexes, and forgetting producers.
func (s *Set) runBackground() {
	defer s.background.Done()
	defer s.cleaner.cancel()
	began := s.opt.Now()
	checkpointed, retained, expired, cleaned := began, began, began, began
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		now, settings := s.opt.Now(), s.Broker().Log
		if now.Sub(checkpointed) >= settings.RecoveryPointInterval {
			checkpointed = now
			s.try("checkpoint", s.Checkpoint)
		}
		if urgent := s.space.retainNow.Swap(false); urgent || now.Sub(retained) >= settings.RetentionCheckInterval {
			retained = now
			s.try("retention", s.Retain)
		}
		if now.Sub(cleaned) >= s.Broker().Cleaner.Backoff {
			cleaned = now
			s.cleaner.kick()
		}
		s.keyer.kick()
		if now.Sub(expired) >= 10*time.Minute {
			expired = now
			s.expireProducers(now.Add(-settings.ProducerIDExpiration))
		}
	}
}

func (s *Set) try(what string, f func() error) {
	if err := f(); err != nil {
		s.opt.Logger.Error(what+" failed; it will be tried again", "err", err)
	}
}

func (s *Set) expireProducers(before time.Time) {
	for _, p := range s.All() {
		p.log.ExpireProducers(before.UnixMilli())
	}
}

// Retain deletes the segments that retention no longer keeps: the log starts are
// raised, made durable, and only then the files go.
func (s *Set) Retain() error {
	var changed []*Partition
	for _, p := range s.All() {
		o, err := p.Offsets()
		if err != nil {
			continue
		}
		start, ok, err := p.log.Retain(o.High.Offset)
		if err != nil {
			p.noteFailure()
			continue
		}
		if ok || p.log.Doomed() {
			changed = append(changed, p)
		}
		if ok {
			s.opt.Logger.Info("retention raised the log start", "topic", p.Topic, "partition", p.Index, "start", start)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return s.Purge(changed)
}

// Purge makes raised log starts durable and removes the files below them.
func (s *Set) Purge(partitions []*Partition) error {
	s.space.makeRoom()
	if err := s.Checkpoint(); err != nil {
		return err
	}
	for _, p := range partitions {
		if err := p.log.Purge(); err != nil {
			p.noteFailure()
			return fmt.Errorf("%s-%d: %w", p.Topic, p.Index, err)
		}
	}
	return nil
}

// Close flushes and closes all logs and, if all of it succeeded, leaves the marker
// of a clean shutdown. The metadata store stays open.
func (s *Set) Close() error {
	close(s.stop)
	s.background.Wait()
	s.changing.Lock()
	defer s.changing.Unlock()
	s.purging.Wait()
	failed := s.closeLogs()
	if err := s.closeJournal(failed == nil); err != nil && failed == nil {
		failed = err
	}
	if err := s.marks.Close(); err != nil && failed == nil {
		failed = err
	}
	if err := s.checkpoint(failed == nil); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("not a clean shutdown: %w", failed)
	}
	return meta.WriteClean(s.opt.FS, s.opt.Dir, s.Image().BrokerEpoch())
}

// close closes the log. It syncs it, and in case that fails the mark stays as Begin
// leaves it.
func (p *Partition) close() error {
	if err := p.mark.Begin(); err != nil {
		p.log.Fail(err)
	}
	return p.log.Close()
}

// closeLogs closes the logs, several at a time, and returns the first failure.
func (s *Set) closeLogs() error {
	var mu sync.Mutex
	var failed error
	var closing sync.WaitGroup
	slots := make(chan struct{}, parallelFlushes)
	all := s.All()
	for _, p := range all {
		p.leave()
	}
	s.flusher.running.Wait()
	for _, p := range all {
		slots <- struct{}{}
		closing.Go(func() {
			defer func() { <-slots }()
			if err := p.close(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if failed == nil {
					failed = fmt.Errorf("%s-%d: %w", p.Topic, p.Index, err)
				}
			}
		})
	}
	closing.Wait()
	return failed
}
