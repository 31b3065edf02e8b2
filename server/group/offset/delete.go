package offset

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/audit"
	"sordini/server/group/record"
	"sordini/server/group/step"
	"sordini/server/meta"
)

// Retention is what a group says of how long its offsets are kept (KIP-211).
type Retention interface {
	// Subscribed says that a member consumes the topic, or that nobody knows.
	Subscribed(topic string) bool
	// RetainedFrom is the time, in ms since 1970, from which on the retention counts of
	// an offset that was committed at the time given. It is false if no offsets expire
	// in the group's state, not even those with a time of their own.
	RetainedFrom(committed int64) (from int64, ok bool)
}

// Delete answers an OffsetDelete, version 0, that the group allows.
//
//	UNKNOWN_TOPIC_OR_PARTITION  there is no such partition
//	GROUP_SUBSCRIBED_TO_TOPIC   a member consumes the topic
//
// That there is no offset to delete is no error.
func (o *Store) Delete(c step.Call, req *kmsg.OffsetDeleteRequest, topics step.Topics, group Retention, out *step.Output) *kmsg.OffsetDeleteResponse {
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	for _, t := range req.Topics {
		known, _ := topics.ByName(t.Topic)
		rt := kmsg.NewOffsetDeleteResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetDeleteResponseTopicPartition()
			rp.Partition = p.Partition
			switch {
			case !has(known, p.Partition):
				rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
			case group.Subscribed(t.Topic):
				rp.ErrorCode = kerr.GroupSubscribedToTopic.Code
			case o.at(req.Group, t.Topic, p.Partition) != nil:
				out.Note(c, audit.GroupEvent{
					Kind: audit.OffsetDeleted, Group: req.Group, Topic: t.Topic, TopicID: meta.TopicID(known.ID), Partition: p.Partition,
					Old: o.offset(req.Group, t.Topic, p.Partition), New: -1,
				})
				o.write(&record.Offset{Group: req.Group, Topic: t.Topic, Partition: p.Partition}, out)
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		if len(rt.Partitions) > 0 {
			resp.Topics = append(resp.Topics, rt)
		}
	}
	return resp
}

// Expire deletes the offsets of a group whose time has come. now and the retention
// (offsets.retention.minutes) are in ms.
func (o *Store) Expire(group string, says Retention, now, retention int64, out *step.Output) {
	if _, ok := says.RetainedFrom(now); !ok {
		return
	}
	g := o.groups[group]
	for _, topic := range g.sorted() {
		if says.Subscribed(topic) {
			continue
		}
		o.drop(group, topic, func(v *record.OffsetValue) bool {
			if v.ExpireTimestamp != -1 {
				return now >= v.ExpireTimestamp
			}
			from, _ := says.RetainedFrom(v.CommitTimestamp)
			return now-from >= retention
		}, out)
	}
}

// DropGroup deletes all offsets of a group.
func (o *Store) DropGroup(group string, out *step.Output) {
	for _, topic := range o.groups[group].sorted() {
		o.drop(group, topic, func(*record.OffsetValue) bool { return true }, out)
	}
}

// Prune deletes the offsets of topics that are gone, of all groups: of those that are
// not there, and of earlier ones whose name another has got. It is to be called when
// topics have changed, and costs little if none of those that groups have offsets of
// has.
func (o *Store) Prune(topics step.Topics, out *step.Output) {
	suspects := make(map[string]step.Topic)
	for name, u := range o.uses {
		if t, there := topics.ByName(name); !there || t.ID != u.pruned {
			suspects[name] = t
			u.pruned = t.ID
		}
	}
	if len(suspects) == 0 {
		return
	}
	type place struct{ group, topic string }
	var places []place
	for group, topics := range o.groups {
		for topic := range topics {
			if _, ok := suspects[topic]; ok {
				places = append(places, place{group, topic})
			}
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.topic, b.topic))
	})
	for _, p := range places {
		t := suspects[p.topic]
		o.drop(p.group, p.topic, func(v *record.OffsetValue) bool { return t.Partitions == 0 || !isOf(v, t.ID) }, out)
	}
}
