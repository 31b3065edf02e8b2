package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/log"
	"sordini/server/partition"
	"sordini/server/wire"
)

// DeleteRecords (key 21), versions 0 to 2 (KIP-107).
//
//	v2  flexible
//
// The new log start is durable before the answer leaves, and the files below it
// are gone. An offset below the log start changes nothing and is no error. When
// the checkpoint cannot be written the answer is KAFKA_STORAGE_ERROR.
//
// Deviation: a partition that the request names twice is answered twice (Kafka
// keeps one of the two).
func (a *API) deleteRecordsRoute() wire.Route {
	return serve(0, 2, a.deleteRecords)
}

// raisedStart is where the answer for a partition with a new log start stands.
type raisedStart struct {
	topic, index int
	partition    *partition.Partition
	was, start   int64
}

func (a *API) deleteRecords(r *wire.Request, req *kmsg.DeleteRecordsRequest, resp *kmsg.DeleteRecordsResponse) {
	var raised []raisedStart
	for ti := range req.Topics {
		q := &req.Topics[ti]
		if len(q.Partitions) == 0 {
			continue
		}
		t := kmsg.NewDeleteRecordsResponseTopic()
		t.Topic = q.Topic
		for pi, qp := range q.Partitions {
			p := kmsg.NewDeleteRecordsResponseTopicPartition()
			p.Partition, p.LowWatermark = qp.Partition, -1
			live, was, start, err := a.raiseStart(q.Topic, qp.Partition, qp.Offset)
			if err != nil {
				p.ErrorCode, _ = a.codeMessage(err)
			} else {
				p.LowWatermark = start
				raised = append(raised, raisedStart{len(resp.Topics), pi, live, was, start})
			}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	a.settleStarts(r, raised, resp)
}

// raiseStart raises a partition's log start in memory, from was to start.
func (a *API) raiseStart(topic string, index int32, offset int64) (p *partition.Partition, was, start int64, err error) {
	p = a.set.Get(topic, index)
	if p == nil {
		return nil, 0, 0, kerr.UnknownTopicOrPartition
	}
	if t := a.set.Image().Topic(topic); t != nil && t.Internal {
		return nil, 0, 0, kerr.InvalidTopicException
	}
	if s := p.Settings(); s.CleanupCompact && !s.CleanupDelete {
		return nil, 0, 0, kerr.PolicyViolation
	}
	o, err := p.Offsets()
	if err != nil {
		return nil, 0, 0, err
	}
	if offset == -1 {
		offset = o.High.Offset
	}
	if offset < 0 || offset > o.High.Offset {
		return nil, 0, 0, log.ErrOffsetOutOfRange
	}
	start, err = p.DeleteRecords(max(offset, o.Start))
	return p, o.Start, start, err
}

// settleStarts makes the new log starts durable, all at once. Where that fails,
// nobody hears that his records are gone.
func (a *API) settleStarts(r *wire.Request, raised []raisedStart, resp *kmsg.DeleteRecordsResponse) {
	if len(raised) == 0 {
		return
	}
	var partitions []*partition.Partition
	for _, r := range raised {
		partitions = append(partitions, r.partition)
	}
	err := a.set.Purge(partitions)
	if err == nil {
		a.noteRaised(r, raised)
		return
	}
	a.logger.Error("deletion of records is not durable", "err", err)
	for _, r := range raised {
		p := &resp.Topics[r.topic].Partitions[r.index]
		p.LowWatermark, p.ErrorCode = -1, kerr.KafkaStorageError.Code
	}
}
