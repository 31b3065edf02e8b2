package load

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// reconcile joins with a new id and follows the server's assignments.
func (m *member) reconcile(ctx context.Context) error {
	if m.id == "" {
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails
		m.id = base64.RawURLEncoding.EncodeToString(id[:])
	}
	m.epoch = 0
	resp, err := m.beat(0, []int32{}, true)
	for {
		if err != nil {
			return err
		}
		wait := m.heartbeat
		var owned []int32 // nil for no news
		if resp.Assignment != nil && m.follow(resp) {
			wait, owned = 0, m.owned
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		resp, err = m.beat(m.epoch, owned, false)
	}
}

// beat sends a heartbeat. With owned it tells what the member owns.
func (m *member) beat(epoch int32, owned []int32, full bool) (*kmsg.ConsumerGroupHeartbeatResponse, error) {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = 1, m.group, m.id, epoch, -1
	if full {
		req.SubscribedTopicNames = []string{m.topic}
		req.RebalanceTimeoutMillis = int32(m.rebalance.Milliseconds())
	}
	if owned != nil {
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
	if len(owned) > 0 {
		topic := kmsg.NewConsumerGroupHeartbeatRequestTopic()
		topic.TopicID, topic.Partitions = m.topicID, owned
		req.Topics = append(req.Topics, topic)
	}
	answer, err := m.conn.call(req)
	if err != nil {
		return nil, err
	}
	resp := answer.(*kmsg.ConsumerGroupHeartbeatResponse)
	if err := m.code("ConsumerGroupHeartbeat", resp.ErrorCode); err != nil {
		return nil, err
	}
	if epoch >= 0 && resp.MemberEpoch < epoch {
		return nil, fmt.Errorf("the member epoch went back from %d to %d", epoch, resp.MemberEpoch)
	}
	if resp.MemberEpoch != m.epoch && epoch >= 0 {
		m.epoch = resp.MemberEpoch
		m.ledger.take(m.name, m.epoch, nil)
	}
	return resp, nil
}

// follow makes the member own what it has been assigned and says whether that is
// news.
func (m *member) follow(resp *kmsg.ConsumerGroupHeartbeatResponse) bool {
	target := []int32{}
	for _, t := range resp.Assignment.Topics {
		if t.TopicID != m.topicID {
			m.faults.add("%s was assigned topic %x", m.name, t.TopicID)
		}
		target = append(target, t.Partitions...)
	}
	slices.Sort(target)
	gone := []int32{}
	for _, p := range m.owned {
		if !slices.Contains(target, p) {
			gone = append(gone, p)
		}
	}
	var come []int32
	for _, p := range target {
		if !slices.Contains(m.owned, p) {
			come = append(come, p)
		}
	}
	news := len(gone)+len(come) > 0
	m.ledger.drop(m.name, gone)
	m.ledger.take(m.name, m.epoch, come)
	m.owned = target
	return news
}
