package partition

// A full segment is completed beside the acknowledgements: its length, indexes and
// producer state cost about ten syncs, and none of them makes a record more durable. Of
// the batches themselves a flush has made sure, or the journal has.

// parallelSeals is how many logs of a volume complete their segments at a time.
const parallelSeals = 4

// sealSoon sees to it that the segments which were rolled get completed.
func (p *Partition) sealSoon() {
	if p.log.Rolled() && p.sealing.CompareAndSwap(false, true) {
		p.flusher.running.Go(p.sealRolled)
	}
}

func (p *Partition) sealRolled() {
	p.flusher.seals <- struct{}{}
	err := p.log.Seal()
	if err == nil && p.log.Rolled() { // the journal has the end of it
		if err = p.syncNow(BySegment); err == nil {
			err = p.log.Seal()
		}
	}
	<-p.flusher.seals
	p.sealing.Store(false)
	if err != nil {
		p.noteFailure()
		return
	}
	p.sealSoon() // what was rolled meanwhile
}

// syncNow flushes the log where it is, whatever the journal has of it.
func (p *Partition) syncNow(by Durability) error {
	pos, err := p.flush()
	if err != nil {
		p.noteFailure()
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.durableLocked(pos, by)
	p.advanceLocked(pos)
	return nil
}

func (p *Partition) isGone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}
