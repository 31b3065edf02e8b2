package load

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const protocolName = "spread"

// classic joins, syncs, and sends heartbeats until the group rebalances.
func (m *member) classic(ctx context.Context) error {
	joined, err := m.join()
	if err != nil {
		return err
	}
	if err := m.sync(joined); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(m.heartbeat):
		}
		req := kmsg.NewPtrHeartbeatRequest()
		req.Version, req.Group, req.Generation, req.MemberID = 4, m.group, m.epoch, m.id
		resp, err := m.conn.call(req)
		if err != nil {
			return err
		}
		if err := m.code("Heartbeat", resp.(*kmsg.HeartbeatResponse).ErrorCode); err != nil {
			return err
		}
	}
}

func (m *member) join() (*kmsg.JoinGroupResponse, error) {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.ProtocolType = 9, m.group, m.id, "consumer"
	req.SessionTimeoutMillis = int32(m.session.Milliseconds())
	req.RebalanceTimeoutMillis = int32(m.rebalance.Milliseconds())
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name = protocolName
	protocol.Metadata = (&kmsg.ConsumerMemberMetadata{Topics: []string{m.topic}}).AppendTo(nil)
	req.Protocols = append(req.Protocols, protocol)
	answer, err := m.conn.call(req)
	if err != nil {
		return nil, err
	}
	resp := answer.(*kmsg.JoinGroupResponse)
	if err := m.code("JoinGroup", resp.ErrorCode); err != nil {
		if resp.MemberID != "" {
			m.id = resp.MemberID
		}
		return nil, err
	}
	m.id, m.epoch = resp.MemberID, resp.Generation
	return resp, nil
}

// sync gets the assignment, having made all of them if the member leads.
func (m *member) sync(joined *kmsg.JoinGroupResponse) error {
	protocol, kind := protocolName, "consumer"
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.Generation, req.MemberID = 5, m.group, m.epoch, m.id
	req.ProtocolType, req.Protocol = &kind, &protocol
	if joined.LeaderID == m.id {
		req.GroupAssignment = m.spread(joined.Members)
	}
	answer, err := m.conn.call(req)
	if err != nil {
		return err
	}
	resp := answer.(*kmsg.SyncGroupResponse)
	if err := m.code("SyncGroup", resp.ErrorCode); err != nil {
		return err
	}
	var mine kmsg.ConsumerMemberAssignment
	if err := mine.ReadFrom(resp.MemberAssignment); err != nil {
		return fmt.Errorf("assignment %x: %w", resp.MemberAssignment, err)
	}
	if string(mine.UserData) != m.id {
		return fmt.Errorf("%s got the assignment of %s in generation %d", m.id, mine.UserData, m.epoch)
	}
	var partitions []int32
	for _, t := range mine.Topics {
		partitions = append(partitions, t.Partitions...)
	}
	m.ledger.take(m.name, m.epoch, partitions)
	return nil
}

// spread deals partitions to members in turn. The user data of an assignment is the
// id of the member that it is for.
func (m *member) spread(members []kmsg.JoinGroupResponseMember) []kmsg.SyncGroupRequestGroupAssignment {
	ids := make([]string, 0, len(members))
	for _, other := range members {
		ids = append(ids, other.MemberID)
	}
	slices.Sort(ids)
	all := make([]kmsg.SyncGroupRequestGroupAssignment, 0, len(ids))
	for i, id := range ids {
		topic := kmsg.NewConsumerMemberAssignmentTopic()
		topic.Topic = m.topic
		for p := i; p < m.ledger.partitions; p += len(ids) {
			topic.Partitions = append(topic.Partitions, int32(p))
		}
		assignment := kmsg.ConsumerMemberAssignment{Topics: []kmsg.ConsumerMemberAssignmentTopic{topic}, UserData: []byte(id)}
		one := kmsg.NewSyncGroupRequestGroupAssignment()
		one.MemberID, one.MemberAssignment = id, assignment.AppendTo(nil)
		all = append(all, one)
	}
	return all
}
