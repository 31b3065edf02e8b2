package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/protocol"
	"sordini/server/meta"
	"sordini/server/wire"
)

// DescribeTopicPartitions (key 75), version 0 (KIP-966).
//
// Topics come by rising name, all of them if the request names none. An answer
// holds at most ResponsePartitionLimit partitions, at least 1 and at most
// max.request.partition.size.limit; NextCursor tells where the next one begins.
// Unknown topics do not count. A cursor below partition 0, or whose topic is not
// among those that the request names, is an INVALID_REQUEST.
//
// Deviation: an empty name fails alone, with INVALID_TOPIC_EXCEPTION; in Kafka it
// makes the whole request fail.
func (a *API) describeTopicPartitionsRoute() wire.Route {
	return serve(0, 0, a.describeTopicPartitions)
}

func (a *API) describeTopicPartitions(_ *wire.Request, req *kmsg.DescribeTopicPartitionsRequest, resp *kmsg.DescribeTopicPartitionsResponse) {
	if !cursorFits(req) {
		for _, q := range req.Topics {
			t := kmsg.NewDescribeTopicPartitionsResponseTopic()
			t.Topic, t.ErrorCode = kmsg.StringPtr(q.Topic), kerr.InvalidRequest.Code
			resp.Topics = append(resp.Topics, t)
		}
		return
	}
	image := a.set.Image()
	room := max(1, min(int(req.ResponsePartitionLimit), a.set.Broker().Fetch.MaxDescribePartitions))
	for _, name := range topicsFrom(image, req) {
		if room == 0 {
			resp.NextCursor = nextCursor(name, 0)
			return
		}
		first := int32(0)
		if req.Cursor != nil && req.Cursor.Topic == name {
			first = req.Cursor.Partition
		}
		t, next := describeTopic(image, name, first, room)
		resp.Topics = append(resp.Topics, t)
		room -= len(t.Partitions)
		if next > 0 {
			resp.NextCursor = nextCursor(name, next)
			return
		}
	}
}

func cursorFits(req *kmsg.DescribeTopicPartitionsRequest) bool {
	switch c := req.Cursor; {
	case c == nil:
		return true
	case c.Partition < 0:
		return false
	default:
		return len(req.Topics) == 0 || slices.ContainsFunc(req.Topics, func(t kmsg.DescribeTopicPartitionsRequestTopic) bool {
			return t.Topic == c.Topic
		})
	}
}

// topicsFrom are the names to describe, from the cursor on, in order.
func topicsFrom(image *meta.Image, req *kmsg.DescribeTopicPartitionsRequest) []string {
	var names []string
	for _, t := range req.Topics {
		names = append(names, t.Topic)
	}
	if len(req.Topics) == 0 {
		for t := range listedTopics(image) {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if req.Cursor != nil {
		from, _ := slices.BinarySearch(names, req.Cursor.Topic)
		names = names[from:]
	}
	return names
}

// describeTopic describes up to room partitions from first on. next is the
// partition that had no room any more, 0 if there is none.
func describeTopic(image *meta.Image, name string, first int32, room int) (t kmsg.DescribeTopicPartitionsResponseTopic, next int32) {
	t = kmsg.NewDescribeTopicPartitionsResponseTopic()
	t.Topic, t.AuthorizedOperations = &name, topicOperations
	topic := image.Topic(name)
	if topic == nil {
		t.ErrorCode = kerr.UnknownTopicOrPartition.Code
		if protocol.ValidTopicName(name) != nil {
			t.ErrorCode = kerr.InvalidTopicException.Code
		}
		return t, 0
	}
	t.TopicID, t.IsInternal = topic.ID, topic.Internal
	epoch, node := image.LeaderEpoch(topic), []int32{image.NodeID()}
	for i := first; i < topic.Partitions; i++ {
		if len(t.Partitions) == room {
			return t, i
		}
		p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		p.Partition, p.LeaderID, p.LeaderEpoch = i, image.NodeID(), epoch
		p.Replicas, p.ISR, p.OfflineReplicas = node, node, []int32{}
		p.EligibleLeaderReplicas, p.LastKnownELR = []int32{}, []int32{}
		t.Partitions = append(t.Partitions, p)
	}
	return t, 0
}

func nextCursor(topic string, index int32) *kmsg.DescribeTopicPartitionsResponseNextCursor {
	c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	c.Topic, c.Partition = topic, index
	return &c
}
