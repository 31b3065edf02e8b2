package catalogue

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

// groupSubjects are the APIs of consumer groups.
func groupSubjects() []subject {
	return []subject{
		{api: "OffsetCommit", min: 2, max: 10, prepare: offsetCommitSubject},
		{api: "OffsetFetch", min: 1, max: 10, prepare: offsetFetchSubject},
		{api: "FindCoordinator", min: 0, max: 6, prepare: findCoordinatorSubject, skip: []string{"CoordinatorType one", "CoordinatorType highest"}},
		{api: "JoinGroup", min: 0, max: 9, prepare: joinGroupSubject, skip: []string{"Protocols doubled", "Protocols.Metadata garbage"}},
		{api: "Heartbeat", min: 0, max: 4, prepare: heartbeatSubject},
		{api: "LeaveGroup", min: 0, max: 5, prepare: leaveGroupSubject},
		{api: "SyncGroup", min: 0, max: 5, prepare: syncGroupSubject},
		{api: "DescribeGroups", min: 0, max: 6, prepare: describeGroupsSubject},
		{api: "ListGroups", min: 0, max: 5, prepare: listGroupsSubject},
		{api: "DeleteGroups", min: 0, max: 2, prepare: deleteGroupsSubject},
		{api: "OffsetDelete", min: 0, max: 0, prepare: offsetDeleteSubject},
		{api: "ConsumerGroupHeartbeat", min: 0, max: 1, prepare: consumerHeartbeatSubject},
		{api: "ConsumerGroupDescribe", min: 0, max: 1, prepare: consumerDescribeSubject},
	}
}

// commit commits an offset without being a member.
func commit(group string, t play.Topic, partition int32, offset int64) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.RetentionTimeMillis = group, 3_600_000_000
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = t.Name, t.ID
	part := kmsg.NewOffsetCommitRequestTopicPartition()
	metadata := "note"
	part.Partition, part.Offset, part.LeaderEpoch, part.Metadata = partition, offset, 0, &metadata
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	return req
}

// committed commits an offset and does not keep the answer.
func committed(p *play.Play, group string, t play.Topic, offset int64) {
	resp := p.Quiet(8, commit(group, t, 0, offset)).(*kmsg.OffsetCommitResponse)
	if resp.Topics[0].Partitions[0].ErrorCode != 0 {
		p.Fail("commit: %+v", resp)
	}
}

func offsetCommitSubject(p *play.Play) func(v Version) kmsg.Request {
	t := p.Topic(1)
	return func(v Version) kmsg.Request { return commit(p.Fresh(), t, 0, 5) }
}

// fetchOffsets asks for the committed offset of a partition.
func fetchOffsets(group string, t play.Topic, partitions ...int32) *kmsg.OffsetFetchRequest {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	topic := kmsg.NewOffsetFetchRequestTopic()
	topic.Topic, topic.Partitions = t.Name, partitions
	req.Topics = append(req.Topics, topic)
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	gt := kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic, gt.TopicID, gt.Partitions = t.Name, t.ID, partitions
	g.Topics = append(g.Topics, gt)
	req.Groups = append(req.Groups, g)
	return req
}

func offsetFetchSubject(p *play.Play) func(v Version) kmsg.Request {
	t, group := p.Topic(1), p.Fresh()
	committed(p, group, t, 5)
	return func(v Version) kmsg.Request { return fetchOffsets(group, t, 0) }
}

func findCoordinatorSubject(p *play.Play) func(v Version) kmsg.Request {
	group := p.Fresh()
	return func(v Version) kmsg.Request {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKey, req.CoordinatorKeys = group, []string{group}
		return req
	}
}

// longSession is a session that does not end while a case runs, in ms.
const longSession = 1_800_000

// join asks to join a group by the classic protocol.
func join(group, member string) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.ProtocolType = group, member, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = longSession, longSession
	proto := kmsg.NewJoinGroupRequestProtocol()
	proto.Name, proto.Metadata = "range", subscription()
	reason := "begins"
	req.Reason = &reason
	req.Protocols = append(req.Protocols, proto)
	return req
}

// subscription is what a consumer tells the leader: one topic.
func subscription(topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = append([]string{"some"}, topics...)
	return m.AppendTo(nil)
}

// assignment is what the leader gives a member.
func assignment(topic string, partitions ...int32) []byte {
	a := kmsg.NewConsumerMemberAssignment()
	t := kmsg.NewConsumerMemberAssignmentTopic()
	t.Topic, t.Partitions = topic, partitions
	a.Topics = append(a.Topics, t)
	return a.AppendTo(nil)
}

func joinGroupSubject(p *play.Play) func(v Version) kmsg.Request {
	return func(v Version) kmsg.Request { return join(p.Fresh(), "") }
}

// member is one of a classic group.
type member struct {
	group, id  string
	generation int32
	instance   *string
}

// joined makes a group of one member that waits for its assignment. A non-empty
// instance makes it a static one.
func joined(p *play.Play, group, instance string) member {
	req := join(group, "")
	if instance != "" {
		req.InstanceID = &instance
	}
	resp := p.Quiet(5, req).(*kmsg.JoinGroupResponse)
	if resp.ErrorCode == 79 { // MEMBER_ID_REQUIRED
		req.MemberID = resp.MemberID
		resp = p.Quiet(5, req).(*kmsg.JoinGroupResponse)
	}
	if resp.ErrorCode != 0 {
		p.Fail("join: %+v", resp)
	}
	return member{group: group, id: resp.MemberID, generation: resp.Generation, instance: req.InstanceID}
}

// stable is joined with an assignment.
func stable(p *play.Play, group, instance string) member {
	m := joined(p, group, instance)
	resp := p.Quiet(3, m.sync(m.id)).(*kmsg.SyncGroupResponse)
	if resp.ErrorCode != 0 {
		p.Fail("sync: %+v", resp)
	}
	return m
}

// sync is the leader's, with an assignment for each of the members.
func (m member) sync(members ...string) *kmsg.SyncGroupRequest {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = m.group, m.id, m.generation, m.instance
	kind, proto := "consumer", "range"
	req.ProtocolType, req.Protocol = &kind, &proto
	for i, id := range members {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = id, assignment("some", int32(i))
		req.GroupAssignment = append(req.GroupAssignment, a)
	}
	return req
}

func (m member) heartbeat() *kmsg.HeartbeatRequest {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = m.group, m.id, m.generation, m.instance
	return req
}

func (m member) leave() *kmsg.LeaveGroupRequest {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = m.group, m.id
	l := kmsg.NewLeaveGroupRequestMember()
	l.MemberID, l.InstanceID = m.id, m.instance
	req.Members = append(req.Members, l)
	return req
}

func heartbeatSubject(p *play.Play) func(v Version) kmsg.Request {
	m := stable(p, p.Fresh(), "")
	return func(v Version) kmsg.Request { return m.heartbeat() }
}

func leaveGroupSubject(p *play.Play) func(v Version) kmsg.Request {
	return func(v Version) kmsg.Request { return stable(p, p.Fresh(), "").leave() }
}

func syncGroupSubject(p *play.Play) func(v Version) kmsg.Request {
	return func(v Version) kmsg.Request {
		m := joined(p, p.Fresh(), "")
		return m.sync(m.id)
	}
}

func describeGroupsSubject(p *play.Play) func(v Version) kmsg.Request {
	m := stable(p, p.Fresh(), "")
	return func(v Version) kmsg.Request {
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups, req.IncludeAuthorizedOperations = []string{m.group}, true
		return req
	}
}

func listGroupsSubject(p *play.Play) func(v Version) kmsg.Request {
	m := stable(p, p.Fresh(), "")
	_ = m
	return func(v Version) kmsg.Request {
		req := kmsg.NewPtrListGroupsRequest()
		req.StatesFilter, req.TypesFilter = []string{"no-such"}, []string{"classic"}
		return req
	}
}

func deleteGroupsSubject(p *play.Play) func(v Version) kmsg.Request {
	t := p.Topic(1)
	return func(v Version) kmsg.Request {
		group := p.Fresh()
		committed(p, group, t, 5)
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Groups = []string{group}
		return req
	}
}

func offsetDeleteSubject(p *play.Play) func(v Version) kmsg.Request {
	t := p.Topic(1)
	return func(v Version) kmsg.Request {
		group := p.Fresh()
		committed(p, group, t, 5)
		req := kmsg.NewPtrOffsetDeleteRequest()
		req.Group = group
		topic := kmsg.NewOffsetDeleteRequestTopic()
		topic.Topic = t.Name
		part := kmsg.NewOffsetDeleteRequestTopicPartition()
		part.Partition = 0
		topic.Partitions = append(topic.Partitions, part)
		req.Topics = append(req.Topics, topic)
		return req
	}
}

// beat is a heartbeat of the consumer protocol.
func beat(group, member string, epoch int32, topics ...string) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch = group, member, epoch
	if epoch == 0 {
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames = 300_000, topics
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
	return req
}

// memberID is one that a consumer has made itself.
const memberID = "AAAAAAAAAAAAAAAAAAAAAQ"

func consumerHeartbeatSubject(p *play.Play) func(v Version) kmsg.Request {
	t := known(p, 2)
	return func(v Version) kmsg.Request { return beat(p.Fresh(), memberID, 0, t.Name) }
}

func consumerDescribeSubject(p *play.Play) func(v Version) kmsg.Request {
	t, group := known(p, 2), p.Fresh()
	p.Quiet(1, beat(group, memberID, 0, t.Name))
	return func(v Version) kmsg.Request {
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Groups = []string{group}
		return req
	}
}
