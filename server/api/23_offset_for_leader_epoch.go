package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/partition"
	"sordini/server/wire"
)

// OffsetForLeaderEpoch (key 23), versions 0 to 4 (KIP-101, KIP-279, KIP-320).
//
//	v1  leader epoch in the answer
//	v2  current leader epoch in the request
//	v3  replica id
//	v4  flexible
func (a *API) offsetForLeaderEpochRoute() wire.Route {
	return serve(0, 4, a.offsetForLeaderEpoch)
}

func (a *API) offsetForLeaderEpoch(_ *wire.Request, req *kmsg.OffsetForLeaderEpochRequest, resp *kmsg.OffsetForLeaderEpochResponse) {
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition, rp.LeaderEpoch, rp.EndOffset = p.Partition, -1, -1
			current := int32(-1)
			if req.Version >= 2 {
				current = p.CurrentLeaderEpoch
			}
			part, err := a.leader(t.Topic, p.Partition, current)
			if err == nil {
				rp.LeaderEpoch, rp.EndOffset = endOfEpoch(part, p.LeaderEpoch)
			}
			rp.ErrorCode = code(err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
}

// endOfEpoch answers for a client: the newest epoch ends at the high watermark.
func endOfEpoch(p *partition.Partition, epoch int32) (int32, int64) {
	found, end := p.Log().EndOfEpoch(epoch)
	if o, err := p.Offsets(); err == nil && end > o.High.Offset {
		end = o.High.Offset
	}
	return found, end
}

// leader finds a partition and checks the leader epoch that the client believes
// in; -1 is not checked (KIP-320).
func (a *API) leader(topic string, index, current int32) (*partition.Partition, error) {
	p := a.set.Get(topic, index)
	if p == nil {
		return nil, kerr.UnknownTopicOrPartition
	}
	return p, checkEpoch(p, current)
}

func checkEpoch(p *partition.Partition, current int32) error {
	switch leader := p.Log().LeaderEpoch(); {
	case current == -1 || current == leader:
		return nil
	case current < leader:
		return kerr.FencedLeaderEpoch
	}
	return kerr.UnknownLeaderEpoch
}
