package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/log"
	"sordini/server/partition"
	"sordini/server/wire"
)

// ListOffsets (key 2), versions 0 to 10.
//
//	v0   a list of offsets, of which the answer holds one or none
//	v1   offset and timestamp of the first record at or after a time (KIP-79)
//	v2   isolation level
//	v4   current leader epoch, leader epoch in the answer (KIP-320)
//	v6   flexible
//	v7   -3: the largest timestamp (KIP-734)
//	v8   -4: the earliest local offset (KIP-405)
//	v9   -5: the latest offset in tiered storage (KIP-1005)
//	v10  timeout (KIP-1075)
//
// There is no tiered storage: -4 is the earliest offset, -5 has none. Version 11
// brings -6; as in Kafka it is UNSUPPORTED_VERSION here.
func (a *API) listOffsetsRoute() wire.Route {
	return serve(0, 10, a.listOffsets)
}

// Timestamps with a meaning of their own.
const (
	latestOffset   = -1
	earliestOffset = -2
	maxTimestamp   = -3
	earliestLocal  = -4
	latestTiered   = -5
)

// lookupTime is how long the lookups of one request may take together; the rest is
// REQUEST_TIMED_OUT, which clients ask again. One may have to decompress a batch.
const lookupTime = 10 * time.Second

func (a *API) listOffsets(r *wire.Request, req *kmsg.ListOffsetsRequest, resp *kmsg.ListOffsetsResponse) {
	asked := make(map[topicPartition]int)
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			asked[topicPartition{t.Topic, p.Partition}]++
		}
	}
	for _, t := range req.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewListOffsetsResponseTopicPartition()
			rp.Partition, rp.Offset, rp.Timestamp, rp.LeaderEpoch = p.Partition, -1, -1, -1
			rp.OldStyleOffsets = []int64{}
			f, err := log.Found{}, error(kerr.InvalidRequest)
			switch {
			case asked[topicPartition{t.Topic, p.Partition}] > 1:
			case time.Since(r.Received) > lookupTime:
				err = kerr.RequestTimedOut
			default:
				f, err = a.findOffset(req, t.Topic, &p)
			}
			if err != nil {
				rp.ErrorCode, _ = a.codeMessage(err)
			} else {
				rp.Offset, rp.Timestamp, rp.LeaderEpoch = f.Offset, f.Timestamp, f.Epoch
				if f.Offset >= 0 && p.MaxNumOffsets > 0 {
					rp.OldStyleOffsets = []int64{f.Offset}
				}
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		if len(rt.Partitions) > 0 {
			resp.Topics = append(resp.Topics, rt)
		}
	}
}

type topicPartition struct {
	topic string
	index int32
}

func (a *API) findOffset(req *kmsg.ListOffsetsRequest, topic string, q *kmsg.ListOffsetsRequestTopicPartition) (log.Found, error) {
	none := log.Found{Offset: -1, Timestamp: -1, Epoch: -1}
	current := int32(-1)
	if req.Version >= 4 {
		current = q.CurrentLeaderEpoch
	}
	p, err := a.leader(topic, q.Partition, current)
	if err != nil {
		return none, err
	}
	o, err := p.Offsets()
	if err != nil {
		return none, err
	}
	if req.Version < firstVersionOf(q.Timestamp) {
		return none, kerr.UnsupportedVersion
	}
	switch q.Timestamp {
	case latestOffset:
		return log.Found{Offset: o.High.Offset, Timestamp: -1, Epoch: p.Log().LeaderEpoch()}, nil
	case earliestOffset, earliestLocal:
		epoch := p.Log().EpochAt(o.Start)
		if o.Start == o.High.Offset {
			epoch = p.Log().LeaderEpoch() // that of the record to come
		}
		return log.Found{Offset: o.Start, Timestamp: -1, Epoch: epoch}, nil
	case latestTiered:
		return none, nil
	}
	return findTime(p, o, q.Timestamp)
}

// firstVersionOf is the first version that knows the meaning of a timestamp. The
// later ones are beyond what is served.
func firstVersionOf(timestamp int64) int16 {
	switch {
	case timestamp >= earliestOffset:
		return 0
	case timestamp == maxTimestamp:
		return 7
	case timestamp == earliestLocal:
		return 8
	case timestamp == latestTiered:
		return 9
	}
	return 11
}

// findTime looks a timestamp up among what consumers may see.
func findTime(p *partition.Partition, o partition.Offsets, timestamp int64) (log.Found, error) {
	none := log.Found{Offset: -1, Timestamp: -1, Epoch: -1}
	find := p.Log().FindMaxTimestamp
	if timestamp != maxTimestamp {
		find = func(bound log.Position) (log.Found, bool, error) { return p.Log().FindTimestamp(timestamp, bound) }
	}
	f, ok, err := find(o.High)
	if err != nil || !ok || f.Offset >= o.High.Offset {
		return none, err
	}
	return f, nil
}
