package step

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Refuse is the whole answer to a request of a group that no machine answers, such
// as while its shard is loading: the cause stands wherever Kafka tells it in the
// request's version. A request that may name many groups is refused for all that it
// names.
//
// A Heartbeat is not refused while the shard is loading: its sender would leave its
// group for nothing.
func Refuse(req kmsg.Request, cause *kerr.Error) kmsg.Response {
	resp := req.ResponseKind()
	code := cause.Code
	switch r := resp.(type) {
	case *kmsg.JoinGroupResponse:
		r.ErrorCode = code
	case *kmsg.SyncGroupResponse:
		r.ErrorCode = code
	case *kmsg.HeartbeatResponse:
		if cause != kerr.CoordinatorLoadInProgress {
			r.ErrorCode = code
		}
	case *kmsg.LeaveGroupResponse:
		r.ErrorCode = code
	case *kmsg.ListGroupsResponse:
		r.ErrorCode = code
	case *kmsg.OffsetDeleteResponse:
		r.ErrorCode = code
	case *kmsg.ConsumerGroupHeartbeatResponse:
		r.ErrorCode, r.ErrorMessage = code, &cause.Description
	case *kmsg.OffsetCommitResponse:
		refuseCommit(req.(*kmsg.OffsetCommitRequest), r, code)
	case *kmsg.OffsetFetchResponse:
		refuseFetch(req.(*kmsg.OffsetFetchRequest), r, code)
	default:
		refuseNamed(req, resp, code)
	}
	return resp
}

// refuseNamed refuses requests that are lists of groups.
func refuseNamed(req kmsg.Request, resp kmsg.Response, code int16) {
	switch r := resp.(type) {
	case *kmsg.DescribeGroupsResponse:
		for _, name := range req.(*kmsg.DescribeGroupsRequest).Groups {
			g := kmsg.NewDescribeGroupsResponseGroup()
			g.Group, g.ErrorCode = name, code
			r.Groups = append(r.Groups, g)
		}
	case *kmsg.DeleteGroupsResponse:
		for _, name := range req.(*kmsg.DeleteGroupsRequest).Groups {
			g := kmsg.NewDeleteGroupsResponseGroup()
			g.Group, g.ErrorCode = name, code
			r.Groups = append(r.Groups, g)
		}
	case *kmsg.ConsumerGroupDescribeResponse:
		for _, name := range req.(*kmsg.ConsumerGroupDescribeRequest).Groups {
			g := kmsg.NewConsumerGroupDescribeResponseGroup()
			g.Group, g.ErrorCode = name, code
			r.Groups = append(r.Groups, g)
		}
	default:
		panic(fmt.Sprintf("step: %T concerns no group", req))
	}
}

func refuseCommit(req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, code int16) {
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := kmsg.NewOffsetCommitResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for j := range t.Partitions {
			p := kmsg.NewOffsetCommitResponseTopicPartition()
			p.Partition, p.ErrorCode = t.Partitions[j].Partition, code
			rt.Partitions = append(rt.Partitions, p)
		}
		resp.Topics = append(resp.Topics, rt)
	}
}

// refuseFetch refuses for each group; before version 8 there is one, and before
// version 2 its error stands at each partition.
func refuseFetch(req *kmsg.OffsetFetchRequest, resp *kmsg.OffsetFetchResponse, code int16) {
	resp.ErrorCode = code
	for i := range req.Groups {
		g := kmsg.NewOffsetFetchResponseGroup()
		g.Group, g.ErrorCode = req.Groups[i].Group, code
		resp.Groups = append(resp.Groups, g)
	}
	if req.Version >= 2 {
		return
	}
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetFetchResponseTopic()
		rt.Topic = t.Topic
		for _, n := range t.Partitions {
			p := kmsg.NewOffsetFetchResponseTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode = n, -1, -1, new(string), code
			rt.Partitions = append(rt.Partitions, p)
		}
		resp.Topics = append(resp.Topics, rt)
	}
}
