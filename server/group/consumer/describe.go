package consumer

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// Describe is the group as ConsumerGroupDescribe shows it, versions 0 and 1. A member
// has what it is still giving back, too. Topics that are gone are left out. Who may do
// what, the caller adds.
func (g *Group) Describe(s *Settings, topics step.Topics) kmsg.ConsumerGroupDescribeResponseGroup {
	d := kmsg.NewConsumerGroupDescribeResponseGroup()
	d.Group, d.State, d.Epoch, d.AssignmentEpoch = g.id, g.State(), g.epoch, g.targetEpoch
	d.AssignorName = g.assignor(s)
	for _, m := range g.sorted() {
		r := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		r.MemberID, r.InstanceID, r.RackID = m.id, m.told.InstanceID, m.told.RackID
		r.MemberEpoch, r.ClientID, r.ClientHost = m.current.Epoch, m.told.ClientID, m.told.ClientHost
		r.SubscribedTopics, r.SubscribedTopicRegex = m.told.Topics, m.told.Regex
		r.Assignment = described(union(m.current.Assigned, m.current.Revoking), topics)
		r.TargetAssignment = described(g.targets[m.id], topics)
		r.MemberType = 1
		if m.classic() {
			r.MemberType = 0
		}
		d.Members = append(d.Members, r)
	}
	return d
}

func described(list []record.TopicPartitions, topics step.Topics) kmsg.Assignment {
	a := kmsg.NewAssignment()
	for _, t := range list {
		known, ok := topics.ByID(t.Topic)
		if !ok {
			continue
		}
		r := kmsg.NewAssignmentTopicPartition()
		r.TopicID, r.Topic, r.Partitions = t.Topic, known.Name, t.Partitions
		a.TopicPartitions = append(a.TopicPartitions, r)
	}
	return a
}
