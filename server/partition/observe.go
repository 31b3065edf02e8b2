package partition

import "sordini/log"

// Durability is what made records durable.
type Durability uint8

// The ways of becoming durable.
const (
	ByJournal  Durability = iota + 1 // a sync of the journal
	BySegment                        // a sync of the partition's own files
	ByRecovery                       // recovery at a start, which syncs what it keeps
	ByStop                           // an orderly stop
)

// String is journal, segment, recovery or stop.
func (d Durability) String() string {
	if d < ByJournal || d > ByStop {
		return "unknown"
	}
	return [...]string{"journal", "segment", "recovery", "stop"}[d-1]
}

// Observer hears what becomes of partitions with audit.enable=true.
type Observer interface {
	// Durable says that the records from one offset up to another, exclusive, have
	// become durable. It is called with the partition locked: it must not block, nor
	// call the partition.
	Durable(p *Partition, from, to int64, by Durability)
}

// Audited says whether the topic has audit.enable=true and is none of the broker's own.
func (p *Partition) Audited() bool { return !p.internal && p.settings.Load().Audit }

// DurableTo is the offset below which all records are known to be durable.
func (p *Partition) DurableTo() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.durable
}

// Settle makes durable what is in the log, before an orderly stop. Nothing happens if
// that is the case already. An error takes the partition offline.
func (p *Partition) Settle() error {
	if st := p.log.State(); st.Failure != nil || p.DurableTo() >= st.End.Offset {
		return st.Failure
	}
	return p.syncNow(ByStop)
}

// durableLocked notes that the log is durable up to a position.
func (p *Partition) durableLocked(to log.Position, by Durability) {
	from := p.durable
	if to.Offset <= from {
		return
	}
	p.durable = to.Offset
	if p.flusher.observer != nil && p.Audited() {
		p.flusher.observer.Durable(p, from, to.Offset, by)
	}
}
