package partition

import (
	"cmp"
	"slices"
	"time"
)

// What is read ahead at most after a start in one data directory: it must not push out of the
// system's cache what is used.
const (
	warmTail = 1 << 20   // of each log
	warmMost = 512 << 20 // of all tails, and as much of all indexes
)

// Warm has the system read in the background what the first requests after a start will
// need, if segment.warm is set: the end of each log, then the indexes. Where a disk takes
// milliseconds to find something, a consumer of many partitions saves that for each.
func (s *Set) Warm() {
	if !s.Broker().Log.Warm {
		return
	}
	for _, v := range s.volumes {
		if v.offline() == nil {
			s.background.Go(v.warm)
		}
	}
}

func (v *volume) warm() {
	began := time.Now()
	all := v.partitions()
	slices.SortFunc(all, func(a, b *Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Index, b.Index))
	})
	tails := v.readAhead(all, func(p *Partition, left int64) int64 { return p.log.ReadAheadTail(min(left, warmTail)) })
	indexes := v.readAhead(all, func(p *Partition, left int64) int64 { return p.log.ReadAheadIndexes(left) })
	v.logger.Info("read ahead", "dir", v.Path, "tails", tails, "indexes", indexes, "took", time.Since(began))
}

// readAhead asks for something of one partition after the other, until that is enough or
// the server ends, and returns how many bytes that is.
func (v *volume) readAhead(all []*Partition, of func(p *Partition, left int64) int64) (asked int64) {
	for _, p := range all {
		select {
		case <-v.set.stop:
			return asked
		default:
		}
		if asked >= warmMost {
			break
		}
		asked += of(p, warmMost-asked)
	}
	return asked
}
