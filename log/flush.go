package log

import (
	"fmt"

	"sordini/segment"
)

const (
	epochFile       = "leader-epoch-checkpoint"
	kafkaSnapshot   = ".snapshot"
	producersSuffix = ".producers"
)

// mostRolled is how many full segments may wait for their Seal: each has a file open, and
// its indexes in memory. Where they come faster than they are completed, Flush waits.
const mostRolled = 8

// Flush makes everything that was appended before the call durable and returns
// up to where. Calls that meet share the work: who waited for another's flush
// finds little left to do. An error takes the log offline.
func (l *Log) Flush() (Position, error) {
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	pos, err := l.flushLocked()
	if err == nil && l.piledUp() {
		err = l.Seal()
	}
	return pos, err
}

// piledUp says whether more segments wait for their Seal than should.
func (l *Log) piledUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.rolled) > mostRolled
}

// flushLocked is Flush for the holder of flushMu.
func (l *Log) flushLocked() (Position, error) {
	l.mu.Lock()
	target, waiting, segments := l.end, l.rolled[len(l.rolled)-l.unsynced:], l.segments
	names, dirty := l.names, l.names > l.synced
	done, err := l.flushed, l.usableLocked()
	l.mu.Unlock()
	if err != nil {
		return done, err
	}
	active := segments[len(segments)-1]
	if target == done && len(waiting) == 0 && !dirty {
		return done, nil
	}
	if err := l.flush(waiting, active, dirty); err != nil {
		return done, l.fail(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushed = target
	l.unsynced -= len(waiting)
	l.synced = max(l.synced, names)
	return target, nil
}

func (l *Log) flush(waiting []rolled, active *segment.Segment, names bool) error {
	for _, r := range waiting {
		if err := r.segment.Sync(); err != nil {
			return err
		}
	}
	if err := active.Sync(); err != nil {
		return err
	}
	if names {
		if err := l.opt.FS.SyncDir(l.opt.Dir); err != nil {
			return fmt.Errorf("sync directory %s: %w", l.opt.Dir, err)
		}
	}
	return nil
}

// Rolled says whether there are segments for Seal to complete.
func (l *Log) Rolled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.rolled) > 0
}

// Seal completes the segments that were rolled, as far as a Flush has synced them: with
// their indexes and the producer state at their end they can be opened without a scan.
// Until then recovery makes these from the batches, so that nothing but retention and
// compaction need wait for it. An error takes the log offline.
func (l *Log) Seal() error {
	l.sealMu.Lock()
	defer l.sealMu.Unlock()
	l.mu.Lock()
	waiting := l.rolled[:len(l.rolled)-l.unsynced]
	names, err := l.names, l.usableLocked()
	l.mu.Unlock()
	if len(waiting) == 0 || err != nil {
		return err
	}
	for _, r := range waiting {
		if err := l.seal(r); err != nil {
			return l.fail(err)
		}
	}
	if err := l.syncNames(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rolled = l.rolled[len(waiting):]
	l.synced = max(l.synced, names)
	return nil
}

// seal completes a segment: its length, its indexes, and the producer state at its
// end.
func (l *Log) seal(r rolled) error {
	if err := r.segment.Seal(); err != nil {
		return err
	}
	return l.writeSnapshot(r.next, r.kafka, r.snapshot)
}

// writeSnapshot writes the producer state as of an offset in both formats. Kafka's
// keeps less, so a power cut must not leave it alone.
func (l *Log) writeSnapshot(offset int64, kafka, full []byte) error {
	if err := segment.ReplaceFile(l.opt.FS, l.path(segment.FileName(offset, producersSuffix)), full); err != nil {
		return err
	}
	if err := l.opt.FS.SyncDir(l.opt.Dir); err != nil {
		return fmt.Errorf("sync directory %s: %w", l.opt.Dir, err)
	}
	return segment.ReplaceFile(l.opt.FS, l.path(segment.FileName(offset, kafkaSnapshot)), kafka)
}

// Close flushes and closes the log in an orderly way: indexes of the last segment
// and the producer state are written, so that the next Open needs no scan.
func (l *Log) Close() error {
	defer l.stopCleaning()()
	l.swapMu.Lock()
	defer l.swapMu.Unlock()
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	l.appendMu.Lock() // nothing comes in between the last flush and the end
	defer l.appendMu.Unlock()
	_, err := l.flushLocked()
	if err == nil {
		err = l.Seal()
	}
	if err == nil && !l.nothingToKeep() {
		err = l.writeState()
	}
	if cerr := l.closeFiles(); err == nil {
		err = cerr
	}
	return err
}

// nothingToKeep says that the log holds no batch and knows no producer: then there
// is nothing to write at the end. Ten thousand idle partitions stop fast.
func (l *Log) nothingToKeep() bool {
	return len(l.view()) == 1 && l.active().Size() == 0 && l.producers.Len() == 0
}

// writeState writes the indexes of the last segment and the producer state.
func (l *Log) writeState() error {
	if err := l.active().WriteIndexes(); err != nil {
		return err
	}
	if err := l.writeSnapshot(l.next.Offset, l.producers.KafkaSnapshot(), l.producers.Snapshot()); err != nil {
		return err
	}
	return l.opt.FS.SyncDir(l.opt.Dir)
}

// Abandon closes the files without writing anything, as if the process had died.
func (l *Log) Abandon() error {
	defer l.stopCleaning()()
	l.swapMu.Lock()
	defer l.swapMu.Unlock()
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	l.sealMu.Lock()
	defer l.sealMu.Unlock()
	return l.closeFiles()
}

func (l *Log) closeFiles() error {
	l.mu.Lock()
	segments := append(append([]*segment.Segment(nil), l.doomed...), l.segments...)
	l.closed = true
	l.mu.Unlock()
	var err error
	for _, s := range segments {
		if cerr := s.Close(); err == nil {
			err = cerr
		}
	}
	return err
}
