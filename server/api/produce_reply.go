package api

import (
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"sordini/protocol/batch"
	"sordini/server/partition"
	"sordini/server/wire"
)

// produceReply is the answer to one Produce request. It waits for the high
// watermarks, and is encoded by hand: it is the answer that is sent most often,
// and costs no allocation.
type produceReply struct {
	api      *API
	version  int16
	acks     int16
	txnID    bool // the request carries a transactional id
	timeout  time.Duration
	received time.Time
	inside   allowance

	names   []byte // of all topics, one behind the other
	topics  []produceTopic
	results []produceResult
	waiter  *partition.AckWaiter
}

type produceTopic struct {
	name    int // length in names
	id      [16]byte
	results int // how many results are this topic's
}

// produceResult is what became of one batch.
type produceResult struct {
	index      int32
	base       int64
	start      int64
	appendTime int64
	err        error

	// wait is the partition whose high watermark has to reach next; nil if there
	// is nothing to wait for.
	wait *partition.Partition
	next int64
}

var produceReplies = sync.Pool{New: func() any { return &produceReply{waiter: partition.NewAckWaiter()} }}

func (p *produceReply) reset(a *API, r *wire.Request) {
	p.api, p.version, p.received = a, r.Version, r.Received
	p.acks, p.txnID, p.timeout = 0, false, 0
	p.names, p.topics, p.results = p.names[:0], p.topics[:0], p.results[:0]
}

func (p *produceReply) addTopic(name []byte, id [16]byte) {
	p.names = append(p.names, name...)
	p.topics = append(p.topics, produceTopic{name: len(name), id: id})
}

// dropEmptyTopic forgets the last topic if the request names no partition of it.
func (p *produceReply) dropEmptyTopic() {
	last := len(p.topics) - 1
	if t := p.topics[last]; t.results == 0 {
		p.topics, p.names = p.topics[:last], p.names[:len(p.names)-t.name]
	}
}

// Release implements wire.Reply.
func (p *produceReply) Release() {
	clear(p.results)
	p.api = nil
	produceReplies.Put(p)
}

// Ready implements wire.Reply.
func (p *produceReply) Ready() bool {
	for i := range p.results {
		r := &p.results[i]
		if r.wait == nil {
			continue
		}
		ok, err := r.wait.Acked(r.next, nil)
		if !ok && err == nil {
			return false
		}
		r.settle(err)
	}
	return true
}

// settle ends the wait of a result.
func (r *produceResult) settle(err error) {
	if err != nil {
		*r = produceResult{index: r.index, base: -1, start: -1, appendTime: -1, err: err}
	}
	r.wait = nil
}

// Wait implements wire.Reply.
func (p *produceReply) Wait(w *wire.Waiter) {
	timeout := w.After(max(0, time.Until(p.received.Add(p.timeout))))
	for i := range p.results {
		r := &p.results[i]
		for r.wait != nil {
			ok, err := r.wait.Acked(r.next, p.waiter)
			if ok || err != nil {
				r.settle(err)
				break
			}
			select {
			case <-p.waiter.C:
				continue
			case <-timeout:
				p.expire(i, kerr.RequestTimedOut)
			case <-w.Gone:
				p.expire(i, kerr.RequestTimedOut)
			}
			return
		}
	}
}

// expire ends the waits from result i on; batches that made it in time count.
func (p *produceReply) expire(i int, cause error) {
	p.results[i].wait.Forget(p.waiter)
	for ; i < len(p.results); i++ {
		r := &p.results[i]
		if r.wait == nil {
			continue
		}
		ok, err := r.wait.Acked(r.next, nil)
		if !ok && err == nil {
			err = cause
		}
		r.settle(err)
	}
}

// Encode implements wire.Reply.
func (p *produceReply) Encode(w *wire.Writer) error {
	w.Append(p.encode)
	return nil
}

func (p *produceReply) encode(b []byte) []byte {
	b = p.length(b, len(p.topics))
	names, results := p.names, p.results
	for _, t := range p.topics {
		if p.version >= 13 {
			b = append(b, t.id[:]...)
		} else {
			b = p.text(b, names[:t.name])
		}
		names = names[t.name:]
		b = p.length(b, t.results)
		for i := range results[:t.results] {
			b = p.result(b, &results[i])
		}
		results = results[t.results:]
		b = p.noTags(b)
	}
	b = binary.BigEndian.AppendUint32(b, 0) // throttle time
	return p.noTags(b)
}

func (p *produceReply) result(b []byte, r *produceResult) []byte {
	be := binary.BigEndian
	var code int16
	var message *string
	if r.err != nil {
		code, message = p.api.codeMessage(r.err)
	}
	b = be.AppendUint32(b, uint32(r.index))
	b = be.AppendUint16(b, uint16(code))
	b = be.AppendUint64(b, uint64(r.base))
	b = be.AppendUint64(b, uint64(r.appendTime))
	if p.version >= 5 {
		b = be.AppendUint64(b, uint64(r.start))
	}
	if p.version >= 8 {
		if r.err == nil {
			b = p.length(b, 0)
		} else {
			b = p.recordErrors(b, r.err)
		}
		b = p.nullableText(b, message)
	}
	return p.noTags(b)
}

// recordErrors tells which records were to blame (KIP-467).
func (p *produceReply) recordErrors(b []byte, err error) []byte {
	var bad *batch.RecordsError
	if !errors.As(err, &bad) {
		return p.length(b, 0)
	}
	b = p.length(b, len(bad.Records))
	for i := range bad.Records {
		r := &bad.Records[i]
		b = binary.BigEndian.AppendUint32(b, uint32(r.BatchIndex))
		b = p.nullableText(b, &r.Message)
		b = p.noTags(b)
	}
	return b
}

func (p *produceReply) flexible() bool { return p.version >= 9 }

func (p *produceReply) length(b []byte, n int) []byte {
	if p.flexible() {
		return binary.AppendUvarint(b, uint64(n+1))
	}
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

func (p *produceReply) text(b, s []byte) []byte {
	if p.flexible() {
		b = binary.AppendUvarint(b, uint64(len(s)+1))
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	}
	return append(b, s...)
}

func (p *produceReply) nullableText(b []byte, s *string) []byte {
	switch {
	case s != nil:
		return p.text(b, []byte((*s)[:min(len(*s), 1<<15-1)]))
	case p.flexible():
		return append(b, 0)
	}
	return append(b, 0xff, 0xff)
}

func (p *produceReply) noTags(b []byte) []byte {
	if p.flexible() {
		return append(b, 0)
	}
	return b
}
