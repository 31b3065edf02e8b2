package api

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/server/partition"
	"sordini/server/wire"
)

// Produce (key 0), versions 3 to 13; 0 is advertised as the lowest because
// librdkafka takes a higher one for a broker without compression (KAFKA-18659).
//
//	v3   record batches (magic 2) and transactional id; older formats are refused
//	v5   log start offset in the answer
//	v8   error message, and errors of single records (KIP-467)
//	v9   flexible
//	v10  current leader on errors (KIP-951): a single node never moves one
//	v13  topics by id (KIP-516)
//
// A request may carry many partitions; each succeeds or fails alone. Batches are
// appended in request order before the handler returns, so that a pipelined
// request of the same connection comes after this one. Only the wait for acks is
// left to the reply. A wait that times out leaves its batch appended.
//
// Order of checks, as in Kafka: existence, acks, the broker's own topics, batch,
// sequence. A topic without partitions is not answered. While the disk is full every
// batch is a KAFKA_STORAGE_ERROR, after the broker's own topics.
//
// Transactions are not served yet: transactional batches are INVALID_TXN_STATE.
func (a *API) produceRoute() wire.Route {
	return wire.Route{Key: 0, Min: 3, Max: 13, AdvertisedMin: 0, Pipelined: true, Handle: a.produce}
}

// Values of acks.
const (
	acksNone   = 0  // do not answer, but hang up on error
	acksLeader = 1  // answer when appended
	acksAll    = -1 // answer when below the high watermark
)

func (a *API) produce(r *wire.Request) wire.Reply {
	reply := produceReplies.Get().(*produceReply)
	reply.reset(a, r)
	failed := a.appendAll(r, reply)
	if failed == errProduceBody {
		reply.Release()
		return wire.Hangup(fmt.Errorf("Produce version %d: %w", r.Version, failed))
	}
	if reply.acks != acksNone {
		return reply
	}
	reply.Release()
	if failed != nil {
		return wire.Hangup(fmt.Errorf("Produce with acks=0: %w", failed))
	}
	return wire.NoReply()
}

// errProduceBody: the body is not what the guard let pass.
var errProduceBody = errors.New("malformed body")

// appendAll walks over the body and appends every batch. It returns the last
// failure of a partition, or errProduceBody.
func (a *API) appendAll(r *wire.Request, reply *produceReply) error {
	b := produceBody{b: r.Body, flexible: r.Version >= 9, byID: r.Version >= 13}
	if !b.nullableString() {
		reply.txnID = true
	}
	reply.acks = b.int16()
	reply.timeout = time.Duration(b.int32()) * time.Millisecond
	ap := appends.Get().(*log.Append)
	defer func() {
		ap.Batch = nil
		appends.Put(ap)
	}()
	reply.inside = allowanceFor(len(r.Body))
	var failed error
	for range b.array() {
		name, id := b.topic()
		reply.addTopic(name, id)
		for range b.array() {
			index := b.int32()
			records := b.bytes()
			b.tags()
			if b.bad {
				return errProduceBody
			}
			p, err := a.producePartition(r.Version, name, id, index)
			if err == nil {
				err = a.append(r, reply, p, ap, records)
			}
			if err != nil {
				failed = fmt.Errorf("partition %d: %w", index, err)
			}
			reply.addResult(index, p, ap, err)
		}
		b.tags()
		reply.dropEmptyTopic()
	}
	if b.bad {
		return errProduceBody
	}
	return failed
}

var appends = sync.Pool{New: func() any { return log.NewAppend() }}

// producePartition finds the partition that a batch is for.
func (a *API) producePartition(version int16, name []byte, id [16]byte, index int32) (*partition.Partition, error) {
	var p *partition.Partition
	if version >= 13 {
		if p = a.set.GetByID(id, index); p == nil && a.set.GetByID(id, 0) == nil {
			return nil, kerr.UnknownTopicID
		}
	} else {
		p = a.set.GetBytes(name, index)
	}
	if p == nil {
		return nil, kerr.UnknownTopicOrPartition
	}
	return p, nil
}

// append checks one batch and appends it.
func (a *API) append(r *wire.Request, reply *produceReply, p *partition.Partition, ap *log.Append, records []byte) error {
	if reply.acks < acksAll || reply.acks > acksLeader {
		return kerr.InvalidRequiredAcks
	}
	if reservedTopic(p.Topic) {
		return fail(kerr.InvalidTopicException, "the topic is the broker's own: clients do not write to it")
	}
	if err := a.set.Writable(); err != nil {
		return err
	}
	err := a.admitBatch(r, p, ap, records, &reply.inside)
	if err != nil {
		return err
	}
	important, err := a.important(p.Settings(), reply.acks, ap, &reply.inside)
	if err != nil {
		return err
	}
	audited := a.audit != nil && p.Audited()
	var at time.Time
	if audited {
		at = a.set.Now()
	}
	if important {
		p.Append(ap)
	} else {
		p.AppendMinor(ap)
	}
	if ap.Err != nil {
		return ap.Err
	}
	if audited && !ap.Duplicate {
		a.audit.Appended(p, r.Client(), ap.Base, ap.Next, at)
	}
	m := a.metrics
	if ap.Duplicate {
		m.Duplicates.Add(1)
		return nil
	}
	m.AppendedBytes.Add(int64(len(ap.Batch)))
	m.AppendedBatches.Add(1)
	m.AppendedRecords.Add(int64(ap.Header.Count))
	return nil
}

// tellsStart says whether a refusal comes with the log's start, as in Kafka: where
// the log itself has refused the batch for what stands in it.
func tellsStart(err error) bool {
	for _, shape := range []error{batch.ErrUnsupportedMagic, batch.ErrTooManyBatches, batch.ErrIncomplete} {
		if errors.Is(err, shape) {
			return false
		}
	}
	switch kindOf(err) {
	case kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.OutOfOrderSequenceNumber, kerr.DuplicateSequenceNumber,
		kerr.InvalidProducerEpoch:
		return true
	}
	return false
}

// addResult notes what became of a batch, and that it is to be waited for.
func (r *produceReply) addResult(index int32, p *partition.Partition, ap *log.Append, err error) {
	res := produceResult{index: index, base: -1, start: -1, appendTime: -1, err: err}
	if err != nil && p != nil && tellsStart(err) {
		res.start = p.Log().State().Start
	}
	if err == nil {
		res.base, res.start = ap.Base, ap.Start
		switch {
		case ap.Duplicate:
			res.appendTime = ap.Stored // whatever the timestamp type, as in Kafka
		case ap.Header.IsLogAppendTime():
			res.appendTime = ap.Header.MaxTimestamp
		}
		if r.acks == acksAll {
			res.wait, res.next = p, ap.Next
		}
	}
	r.results = append(r.results, res)
	r.topics[len(r.topics)-1].results++
}
