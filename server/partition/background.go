package partition

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sordini/log/checkpoint"
)

// Checkpoint writes how far each log is known to be good, durably, in every volume
// that is online.
func (s *Set) Checkpoint() error {
	return s.checkpoint(slices.DeleteFunc(slices.Clone(s.volumes), func(v *volume) bool { return v.offline() != nil }))
}

// checkpoint is Checkpoint for some of the volumes. One that is offline has an error.
func (s *Set) checkpoint(volumes []*volume) error {
	var failed error
	for _, v := range volumes {
		err := v.offline()
		if err == nil {
			err = v.writeCheckpoint(false)
			v.noteError(err)
		}
		failed = errors.Join(failed, err)
	}
	return failed
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
		s.checkSuspects()
		if urgent := s.retainNow(); urgent || now.Sub(retained) >= settings.RetentionCheckInterval {
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

// checkSuspects writes a checkpoint where a partition has failed: if the disk is broken
// as a whole, the volume is offline then, and gets no new partitions.
func (s *Set) checkSuspects() {
	for _, v := range s.volumes {
		if v.suspect.Swap(false) && !v.Metadata && v.offline() == nil {
			_ = s.checkpoint([]*volume{v})
		}
	}
}

// retainNow says whether a disk has become full.
func (s *Set) retainNow() (urgent bool) {
	for _, v := range s.volumes {
		urgent = v.space.retainNow.Swap(false) || urgent
	}
	return urgent
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

// Purge makes raised log starts durable and removes the files below them. Where that
// fails the partitions of other volumes are purged all the same.
func (s *Set) Purge(partitions []*Partition) error {
	s.makeRoom()
	var failed error
	for _, v := range s.volumes {
		mine := slices.DeleteFunc(slices.Clone(partitions), func(p *Partition) bool { return p.volume != v })
		if len(mine) == 0 {
			continue
		}
		err := s.checkpoint([]*volume{v})
		if err == nil {
			err = purge(mine)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

func purge(partitions []*Partition) error {
	for _, p := range partitions {
		if err := p.log.Purge(); err != nil {
			p.noteFailure()
			return fmt.Errorf("%s-%d: %w", p.Topic, p.Index, err)
		}
	}
	return nil
}

// makeRoom throws off the ballast of every disk that needs it.
func (s *Set) makeRoom() {
	for _, v := range s.volumes {
		if v.offline() == nil {
			v.space.makeRoom()
		}
	}
}

// Close flushes and closes all logs and leaves the marker of a clean shutdown in every
// volume where all of it succeeded. The metadata store stays open.
func (s *Set) Close() error {
	close(s.stop)
	s.background.Wait()
	s.changing.Lock()
	defer s.changing.Unlock()
	s.purging.Wait()
	failed := s.closeLogs()
	var all error
	for _, v := range s.volumes {
		all = errors.Join(all, v.close(failed[v]))
	}
	if all != nil {
		return fmt.Errorf("not a clean shutdown: %w", all)
	}
	return nil
}

// close closes the log. It syncs it, and in case that fails the mark stays as Begin
// leaves it.
func (p *Partition) close() error {
	if err := p.beginSync(); err != nil {
		p.log.Fail(err)
	}
	return p.log.Close()
}

// closeLogs closes the logs, several at a time, and returns the first failure in each
// volume.
func (s *Set) closeLogs() map[*volume]error {
	var mu sync.Mutex
	failed := make(map[*volume]error)
	var closing sync.WaitGroup
	slots := make(chan struct{}, parallelFlushes)
	all := s.All()
	for _, p := range all {
		p.leave()
	}
	for _, v := range s.volumes {
		v.flusher.running.Wait()
	}
	for _, p := range all {
		slots <- struct{}{}
		closing.Go(func() {
			defer func() { <-slots }()
			if err := p.close(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if failed[p.volume] == nil {
					failed[p.volume] = fmt.Errorf("%s-%d: %w", p.Topic, p.Index, err)
				}
			}
		})
	}
	closing.Wait()
	return failed
}
