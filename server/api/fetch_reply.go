package api

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"sordini/segment"
	"sordini/server/partition"
	"sordini/server/wire"
)

// fetchReply is the answer to one Fetch request. It is encoded by hand, because
// the records in it are ranges of files.
type fetchReply struct {
	api       *API
	version   int16
	received  time.Time
	wait      time.Duration
	minBytes  int64
	maxBytes  int64
	committed bool // read_committed
	follower  bool
	byID      bool
	full      bool // all partitions are named in the answer
	session   *session
	err       int16 // of the whole request

	items   []fetchItem
	results []fetchResult
	bytes   int64
	ranges  int    // ranges of files that are held
	small   []byte // short ranges, copied one behind the other
	failed  bool   // some partition has an error
	limited bool   // some partition has more than the limits let through
	stopped bool   // waiting is over
}

// fetchResult is what there is of one partition.
type fetchResult struct {
	item        *fetchItem
	partition   *partition.Partition
	code        int16
	high, start int64
	records     segment.Range // long ones, sent from the file
	small       int           // short ones: where they begin in fetchReply.small
	size        int64
	unchanged   bool

	diverging   bool
	unknown     bool // there is no such partition
	divergedAt  int64
	divergedEra int32
}

// read reads what there is for all partitions.
func (f *fetchReply) read() {
	f.results = slices.Grow(f.results[:0], len(f.items))[:len(f.items)]
	f.bytes, f.failed, f.limited = 0, false, false
	f.small = f.small[:0]
	left, most := f.maxBytes, f.api.allowedRanges()
	for i := range f.items {
		r := &f.results[i]
		*r = fetchResult{item: &f.items[i], high: -1, start: -1}
		f.readOne(r, left)
		if left = max(0, left-r.size); f.ranges >= most || len(f.small) >= maxCopied {
			left = 0
		}
		f.bytes += r.size
		f.failed = f.failed || r.code != 0 || r.diverging
	}
	f.api.ranges.Add(int64(f.ranges))
}

func (f *fetchReply) readOne(r *fetchResult, left int64) {
	it := r.item
	p, err := f.partition(it)
	if err != nil {
		r.code, r.unknown = f.errorCode(err), p == nil && err != kerr.NotLeaderForPartition
		return
	}
	r.partition = p
	if diverges, err := f.diverges(r); err != nil {
		r.code = f.errorCode(err)
		return
	} else if diverges {
		return
	}
	records, o, err := p.Read(it.offset, min(it.maxBytes, left), f.bytes == 0)
	if err != nil {
		r.code = f.errorCode(err)
		return
	}
	r.records, r.size = records, records.Len()
	r.high, r.start = o.High.Offset, o.Start
	if r.size > 0 && (records.Segment() != o.High.Segment || records.Pos()+r.size < o.High.Pos) {
		f.limited = true
	}
	if r.size > wire.CopyBelow {
		f.ranges++
	} else if err := f.copyShort(r); err != nil {
		r.code, r.size = f.errorCode(err), 0
	}
}

// copyShort reads a short range into memory, so that an answer for thousands of
// partitions with little data does not hold thousands of file handles.
func (f *fetchReply) copyShort(r *fetchResult) error {
	if r.size == 0 {
		return nil
	}
	defer r.records.Release()
	r.small = len(f.small)
	f.small = append(f.small, make([]byte, r.size)...)
	if n, err := r.records.ReadAt(f.small[r.small:], 0); int64(n) < r.size {
		return fmt.Errorf("read %d bytes of batches: got %d: %w", r.size, n, err)
	}
	f.api.metrics.Copies.Add(1)
	f.api.metrics.CopiedBytes.Add(r.size)
	return nil
}

const (
	// maxRanges is how many file ranges one answer holds, each with a file handle,
	// for as long as the client takes to receive it. Partitions beyond them come
	// with the next fetch.
	maxRanges = 128
	// manyRanges are so many in all answers together that each new one gets by with
	// a single one.
	manyRanges = 2048
	// maxCopied is how many bytes of short ranges one answer holds.
	maxCopied = 256 << 10
)

// allowedRanges is how many file ranges a new answer may hold.
func (a *API) allowedRanges() int {
	if a.ranges.Load() >= manyRanges {
		return 1
	}
	return maxRanges
}

// errorCode is the code of err as the version knows it.
func (f *fetchReply) errorCode(err error) int16 {
	c, _ := f.api.codeMessage(err)
	if c == kerr.KafkaStorageError.Code && f.version <= 5 {
		return kerr.NotLeaderForPartition.Code
	}
	return c
}

// diverges compares the epoch of what was fetched last with the log (KIP-595). An
// epoch that the log has not reached is an error, as in Kafka.
func (f *fetchReply) diverges(r *fetchResult) (bool, error) {
	if r.item.lastEpoch < 0 {
		return false, nil
	}
	epoch, end := r.partition.Log().EndOfEpoch(r.item.lastEpoch)
	if epoch < 0 {
		return false, kerr.OffsetOutOfRange
	}
	if epoch == r.item.lastEpoch && end >= r.item.offset {
		return false, nil
	}
	r.diverging, r.divergedEra, r.divergedAt = true, epoch, end
	if o, err := r.partition.Offsets(); err == nil {
		r.high, r.start = o.High.Offset, o.Start
	}
	return true, nil
}

// Ready implements wire.Reply.
func (f *fetchReply) Ready() bool {
	return f.stopped || f.err != 0 || f.failed || f.limited || f.wait <= 0 || len(f.items) == 0 || f.bytes >= f.minBytes || f.bytes >= f.maxBytes
}

// Wait implements wire.Reply: it reads again each time that enough may have come.
func (f *fetchReply) Wait(w *wire.Waiter) {
	timeout := w.After(max(0, time.Until(f.received.Add(f.wait))))
	for !f.Ready() {
		waiter := partition.NewFetchWaiter(max(1, f.minBytes-f.bytes))
		for i := range f.results {
			f.results[i].partition.Watch(waiter, f.results[i].high)
		}
		select {
		case <-waiter.C:
		case <-timeout:
			f.stopped = true
		case <-w.Gone:
			f.stopped = true
		case <-w.Stopping:
			f.stopped = true
		}
		for i := range f.results {
			f.results[i].partition.Unwatch(waiter)
		}
		f.releaseRanges()
		f.read()
	}
}

func (f *fetchReply) releaseRanges() {
	f.api.ranges.Add(int64(-f.ranges))
	f.ranges = 0
	for i := range f.results {
		f.results[i].records.Release()
	}
}

// keptItems is for how many partitions a reply that is kept for reuse has room.
const keptItems = 256

var fetchReplies = sync.Pool{New: func() any { return new(fetchReply) }}

// Release implements wire.Reply.
func (f *fetchReply) Release() {
	f.releaseRanges()
	if cap(f.items) > keptItems || cap(f.small) > keptItems*wire.CopyBelow {
		return
	}
	clear(f.items)
	clear(f.results)
	*f = fetchReply{items: f.items[:0], results: f.results[:0], small: f.small[:0]}
	fetchReplies.Put(f)
}

// Encode implements wire.Reply.
func (f *fetchReply) Encode(w *wire.Writer) error {
	id := int32(0)
	if f.session != nil {
		f.session.serve(f.results)
		f.api.sessions.resize(f.session)
		id = f.session.id
	}
	if len(f.small) > wire.CopyBelow {
		const perPartition = 64 // and its share of the topic
		w.Grow(len(f.small) + perPartition*len(f.results))
	}
	w.Append(func(b []byte) []byte {
		b = binary.BigEndian.AppendUint32(b, 0) // throttle time
		if f.version >= 7 {
			b = binary.BigEndian.AppendUint16(b, uint16(f.err))
			b = binary.BigEndian.AppendUint32(b, uint32(id))
		}
		return b
	})
	if err := f.encodeTopics(w); err != nil {
		return err
	}
	w.Append(f.noTags)
	return nil
}

// encodeTopics groups neighbouring partitions of a topic.
func (f *fetchReply) encodeTopics(w *wire.Writer) error {
	named := f.results[:0]
	for _, r := range f.results {
		if f.full || !r.unchanged { // what is left out has no range
			named = append(named, r)
		}
	}
	f.results = named
	groups := 0
	for i := range named {
		if i == 0 || !sameTopic(named[i-1].item, named[i].item) {
			groups++
		}
	}
	w.Append(func(b []byte) []byte { return f.length(b, groups) })
	for len(named) > 0 {
		n := 1
		for n < len(named) && sameTopic(named[0].item, named[n].item) {
			n++
		}
		if err := f.encodeTopic(w, named[:n]); err != nil {
			return err
		}
		named = named[n:]
	}
	return nil
}

func sameTopic(a, b *fetchItem) bool { return a.topic == b.topic && a.id == b.id }

func (f *fetchReply) encodeTopic(w *wire.Writer, results []fetchResult) error {
	w.Append(func(b []byte) []byte {
		it := results[0].item
		if f.byID {
			b = append(b, it.id[:]...)
		} else if f.flexible() {
			b = binary.AppendUvarint(b, uint64(len(it.topic)+1))
			b = append(b, it.topic...)
		} else {
			b = binary.BigEndian.AppendUint16(b, uint16(len(it.topic)))
			b = append(b, it.topic...)
		}
		return f.length(b, len(results))
	})
	for i := range results {
		r := &results[i]
		w.Append(func(b []byte) []byte {
			b = f.partitionHead(b, r)
			if r.size > 0 && r.size <= wire.CopyBelow {
				b = append(b, f.small[r.small:r.small+int(r.size)]...)
			}
			return b
		})
		records := r.records
		r.records = segment.Range{} // the writer releases it
		if err := w.Range(records); err != nil {
			return err
		}
		w.Append(func(b []byte) []byte { return f.partitionTags(b, r) })
	}
	w.Append(f.noTags)
	return nil
}

// partitionHead is everything up to the records. They are empty where there are
// none, never null, which librdkafka does not take.
func (f *fetchReply) partitionHead(b []byte, r *fetchResult) []byte {
	be := binary.BigEndian
	b = be.AppendUint32(b, uint32(r.item.index))
	b = be.AppendUint16(b, uint16(r.code))
	b = be.AppendUint64(b, uint64(r.high))
	b = be.AppendUint64(b, uint64(r.high)) // last stable offset: there are no transactions yet
	if f.version >= 5 {
		b = be.AppendUint64(b, uint64(r.start))
	}
	if f.committed && r.code == 0 || r.unknown {
		b = f.length(b, 0) // aborted transactions
	} else {
		b = f.length(b, -1)
	}
	if f.version >= 11 {
		b = be.AppendUint32(b, 0xffffffff) // preferred read replica: none
	}
	return f.length(b, int(r.size))
}

func (f *fetchReply) partitionTags(b []byte, r *fetchResult) []byte {
	if !r.diverging {
		return f.noTags(b)
	}
	b = append(b, 1, 0, 13) // one tag, number 0, 13 bytes: diverging epoch
	b = binary.BigEndian.AppendUint32(b, uint32(r.divergedEra))
	b = binary.BigEndian.AppendUint64(b, uint64(r.divergedAt))
	return append(b, 0)
}

func (f *fetchReply) flexible() bool { return f.version >= 12 }

func (f *fetchReply) length(b []byte, n int) []byte {
	if f.flexible() {
		return binary.AppendUvarint(b, uint64(n+1))
	}
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

func (f *fetchReply) noTags(b []byte) []byte {
	if f.flexible() {
		return append(b, 0)
	}
	return b
}
