package offset

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// From which version of OffsetFetch on topics are named by id.
const fetchByID = 10

// Fetch answers what an OffsetFetch of the given version asks for one group. No
// topics mean all.
//
//	UNKNOWN_TOPIC_ID         no topic has this id (v10)
//	UNSTABLE_OFFSET_COMMIT   a transaction has committed an offset and not ended, and
//	                         the request requires stable offsets
//
// A partition without an offset, be it there or not, has -1 and no error. Of all
// topics those are left out that are gone, if topics are told by id.
func (o *Store) Fetch(version int16, req *kmsg.OffsetFetchRequestGroup, requireStable bool, topics step.Topics) kmsg.OffsetFetchResponseGroup {
	f := fetch{o: o, group: req.Group, requireStable: requireStable, byID: version >= fetchByID, topics: topics}
	resp := kmsg.NewOffsetFetchResponseGroup()
	resp.Group = req.Group
	if req.Topics == nil {
		resp.Topics = f.all()
		return resp
	}
	for i := range req.Topics {
		resp.Topics = append(resp.Topics, f.named(&req.Topics[i]))
	}
	return resp
}

// fetch is one OffsetFetch for one group.
type fetch struct {
	o             *Store
	group         string
	requireStable bool
	byID          bool
	topics        step.Topics
}

// all tells all offsets of the group.
func (f *fetch) all() []kmsg.OffsetFetchResponseGroupTopic {
	list := []kmsg.OffsetFetchResponseGroupTopic{}
	g := f.o.groups[f.group]
	for _, name := range g.sorted() {
		rt := kmsg.NewOffsetFetchResponseGroupTopic()
		rt.Topic = name
		if f.byID {
			t, there := f.topics.ByName(name)
			if !there {
				continue
			}
			rt.TopicID = t.ID
		}
		for i := range *g[name] {
			c := &(*g[name])[i]
			rt.Partitions = append(rt.Partitions, f.partition(name, c.partition, &c.value))
		}
		list = append(list, rt)
	}
	return list
}

// named tells what is asked of one topic.
func (f *fetch) named(req *kmsg.OffsetFetchRequestGroupTopic) kmsg.OffsetFetchResponseGroupTopic {
	rt := kmsg.NewOffsetFetchResponseGroupTopic()
	rt.Topic, rt.TopicID = req.Topic, req.TopicID
	name := req.Topic
	if f.byID {
		t, there := f.topics.ByID(req.TopicID)
		if !there {
			for _, p := range req.Partitions {
				rt.Partitions = append(rt.Partitions, none(p, kerr.UnknownTopicID.Code))
			}
			return rt
		}
		name = t.Name
	}
	for _, p := range req.Partitions {
		v := f.o.at(f.group, name, p)
		if f.byID && v != nil && !isOf(v, req.TopicID) {
			v = nil
		}
		rt.Partitions = append(rt.Partitions, f.partition(name, p, v))
	}
	return rt
}

// isOf says whether an offset was committed for the topic of this id, or may have
// been.
func isOf(v *record.OffsetValue, id record.TopicID) bool {
	return v.TopicID == id || v.TopicID == (record.TopicID{})
}

// partition tells one offset; v is nil if there is none.
func (f *fetch) partition(topic string, partition int32, v *record.OffsetValue) kmsg.OffsetFetchResponseGroupTopicPartition {
	if f.requireStable && f.o.unstable(f.group, topic, partition) {
		return none(partition, kerr.UnstableOffsetCommit.Code)
	}
	if v == nil {
		return none(partition, 0)
	}
	p := none(partition, 0)
	metadata := v.Metadata // the answer is encoded when v may have changed
	p.Offset, p.LeaderEpoch, p.Metadata = v.Offset, v.LeaderEpoch, &metadata
	return p
}

// none tells that there is no offset.
func none(partition int32, code int16) kmsg.OffsetFetchResponseGroupTopicPartition {
	p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode = partition, -1, -1, new(string), code
	return p
}

// unstable says whether a transaction has committed an offset for the partition and
// not ended: never, as there are no transactions yet.
func (*Store) unstable(string, string, int32) bool { return false }
