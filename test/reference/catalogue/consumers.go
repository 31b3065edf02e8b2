package catalogue

import (
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

// consumers are cases of groups by the newer protocol.
func consumers() []play.Case {
	return []play.Case{
		{Name: "consumers/life", Run: consumerLife},
		{Name: "consumers/errors", Run: consumerErrors},
		{Name: "consumers/fencing", Run: consumerFencing},
		{Name: "consumers/two", Run: twoConsumers},
		{Name: "consumers/static", Run: staticConsumers},
		{Name: "consumers/subscriptions", Run: consumerSubscriptions},
		{Name: "consumers/expressions", Run: consumerExpressions},
		{Name: "consumers/commits", Run: consumerCommits},
		{Name: "consumers/describe", Run: describeConsumers},
		{Name: "consumers/classic", Run: classicAmongConsumers},
		{Name: "consumers/upgrade", Run: consumerUpgrade},
	}
}

// known makes a topic and waits until every coordinator of groups knows it: they
// learn of it one after the other.
func known(p *play.Play, partitions int32) play.Topic {
	t := p.Topic(partitions)
	for shard, n := int32(0), 0; shard < shards; n++ {
		group := fmt.Sprintf("%s-probe-%d", t.Name, n)
		if hash(group) != shard {
			continue
		}
		p.Until("a coordinator knows the topic", func() bool {
			resp := p.Quiet(1, beat(group, memberID, 0, t.Name)).(*kmsg.ConsumerGroupHeartbeatResponse)
			return resp.Assignment != nil && len(resp.Assignment.Topics) == 1
		})
		p.Quiet(1, beat(group, memberID, -1))
		shard++
	}
	return t
}

// shards is the number of coordinators in all worlds.
const shards = 5

// hash is the coordinator of a group.
func hash(group string) int32 {
	var h int32
	for _, c := range group {
		h = 31*h + c
	}
	return (h & math.MaxInt32) % shards
}

// Members' ids, as consumers make them.
const (
	secondID = "AAAAAAAAAAAAAAAAAAAAAg"
	thirdID  = "AAAAAAAAAAAAAAAAAAAAAw"
)

func consumerLife(p *play.Play) {
	for v := Version(0); v <= 1; v++ {
		t, group := known(p, 2), p.Fresh()
		p.Ask("join", v, beat(group, memberID, 0, t.Name))
		p.Ask("heartbeat", v, beat(group, memberID, 1))
		req := beat(group, memberID, 1)
		own := kmsg.NewConsumerGroupHeartbeatRequestTopic()
		own.TopicID, own.Partitions = t.ID, []int32{0, 1}
		req.Topics = append(req.Topics, own)
		p.Ask("owns", v, req)
		p.Ask("join again", v, beat(group, memberID, 0, t.Name))
		p.Ask("leave", v, beat(group, memberID, -1))
		p.Ask("leave again", v, beat(group, memberID, -1))
		p.Ask("heartbeat after", v, beat(group, memberID, 1))
		p.Ask("described", 0, describeConsumer(group))
	}
	group := p.Fresh()
	t := known(p, 1)
	resp := p.Ask("join without an id", 0, beat(group, "", 0, t.Name)).(*kmsg.ConsumerGroupHeartbeatResponse)
	if resp.MemberID == nil {
		p.Fail("no member id")
	}
	p.Ask("heartbeat with the id", 0, beat(group, *resp.MemberID, resp.MemberEpoch))
	p.Ask("join without an id", 1, beat(group, "", 0, t.Name))
}

func describeConsumer(groups ...string) *kmsg.ConsumerGroupDescribeRequest {
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = groups
	return req
}

func consumerErrors(p *play.Play) {
	t := known(p, 1)
	for v := Version(0); v <= 1; v++ {
		ask := func(note string, bend func(req *kmsg.ConsumerGroupHeartbeatRequest)) {
			req := beat(p.Fresh(), memberID, 0, t.Name)
			bend(req)
			p.Ask(note, v, req)
		}
		assignor, empty, instance := "no-such", "", "one"
		ask("no group", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.Group = "" })
		ask("unknown assignor", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.ServerAssignor = &assignor })
		ask("empty assignor", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.ServerAssignor = &empty })
		ask("empty instance", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.InstanceID = &empty })
		ask("empty rack", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.RackID = &empty })
		ask("no rebalance timeout", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.RebalanceTimeoutMillis = -1 })
		ask("zero rebalance timeout", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.RebalanceTimeoutMillis = 0 })
		ask("no subscription", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.SubscribedTopicNames = nil })
		ask("empty subscription", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.SubscribedTopicNames = []string{} })
		ask("no owned topics", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.Topics = nil })
		ask("owned topics", func(req *kmsg.ConsumerGroupHeartbeatRequest) {
			own := kmsg.NewConsumerGroupHeartbeatRequestTopic()
			own.TopicID, own.Partitions = t.ID, []int32{0}
			req.Topics = append(req.Topics, own)
		})
		ask("unknown member", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.MemberEpoch = 5 })
		ask("leave of an unknown group", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.MemberEpoch = -1 })
		ask("static leave without an instance", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.MemberEpoch = -2 })
		ask("static leave of an unknown group", func(req *kmsg.ConsumerGroupHeartbeatRequest) {
			req.MemberEpoch, req.InstanceID = -2, &instance
		})
		ask("epoch -3", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.MemberEpoch = -3 })
		ask("unknown topic", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.SubscribedTopicNames = []string{p.Name("none")} })
		ask("no id", func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.MemberID, req.MemberEpoch = "", 1 })
	}
}

func consumerFencing(p *play.Play) {
	for v := Version(0); v <= 1; v++ {
		t, group := known(p, 1), p.Fresh()
		p.Ask("join", v, beat(group, memberID, 0, t.Name))
		for _, epoch := range []int32{2, 100, 1} {
			p.Ask("epoch", v, beat(group, memberID, epoch))
		}
		p.Ask("unknown member", v, beat(group, secondID, 1))
		p.Ask("unknown member leaves", v, beat(group, secondID, -1))
		none := beat(group, memberID, 1)
		none.SubscribedTopicNames = []string{}
		p.Ask("no topics", v, none)
		p.Ask("epoch passed", v, beat(group, memberID, 1))
		p.Ask("join again", v, beat(group, memberID, 0, t.Name))
	}
}

// twoConsumers share a topic, give and take.
func twoConsumers(p *play.Play) {
	for _, assignor := range []string{"uniform", "range"} {
		t, group := known(p, 4), p.Fresh()
		first := beat(group, memberID, 0, t.Name)
		first.ServerAssignor = &assignor
		p.Ask("first "+assignor, 1, first)
		p.Ask("second comes", 1, beat(group, secondID, 0, t.Name))
		p.Ask("first has to give", 1, beat(group, memberID, 1))
		gave := beat(group, memberID, 1)
		own := kmsg.NewConsumerGroupHeartbeatRequestTopic()
		own.TopicID, own.Partitions = t.ID, []int32{0, 1}
		gave.Topics = append(gave.Topics, own)
		resp := p.Ask("first has given", 1, gave).(*kmsg.ConsumerGroupHeartbeatResponse)
		p.Ask("second takes", 1, beat(group, secondID, 2))
		p.Ask("first goes on", 1, beat(group, memberID, resp.MemberEpoch))
		p.Ask("described", 1, describeConsumer(group))
		p.Ask("second leaves", 1, beat(group, secondID, -1))
		p.Ask("first takes all", 1, beat(group, memberID, resp.MemberEpoch))
		p.Ask("described after", 1, describeConsumer(group))
	}
}

func staticConsumers(p *play.Play) {
	for v := Version(0); v <= 1; v++ {
		t, group, instance := known(p, 2), p.Fresh(), "one"
		static := func(id string, epoch int32) *kmsg.ConsumerGroupHeartbeatRequest {
			req := beat(group, id, epoch, t.Name)
			req.InstanceID = &instance
			return req
		}
		p.Ask("join", v, static(memberID, 0))
		p.Ask("another with the instance", v, static(secondID, 0))
		p.Ask("heartbeat of another", v, static(secondID, 1))
		p.Ask("leaves for a while", v, static(memberID, -2))
		p.Ask("described meanwhile", 0, describeConsumer(group))
		p.Ask("comes back", v, static(secondID, 0))
		p.Ask("the old id", v, static(memberID, 1))
		p.Ask("heartbeat", v, static(secondID, 1))
		p.Ask("without its instance", v, beat(group, secondID, 1))
		p.Ask("described", 0, describeConsumer(group))
		p.Ask("leaves for good", v, static(secondID, -1))
		p.Ask("described after", 0, describeConsumer(group))
	}
}

func consumerSubscriptions(p *play.Play) {
	t, other, group := known(p, 1), known(p, 1), p.Fresh()
	p.Ask("join", 1, beat(group, memberID, 0, t.Name, p.Name("none"), t.Name))
	p.Ask("described", 1, describeConsumer(group))
	req := beat(group, memberID, 1)
	req.SubscribedTopicNames = []string{t.Name, other.Name}
	resp := p.Ask("one more topic", 1, req).(*kmsg.ConsumerGroupHeartbeatResponse)
	p.Ask("described with both", 1, describeConsumer(group))
	req.MemberEpoch, req.SubscribedTopicNames = resp.MemberEpoch, []string{}
	resp = p.Ask("none", 1, req).(*kmsg.ConsumerGroupHeartbeatResponse)
	p.Ask("described with none", 1, describeConsumer(group))
	assignor := "range"
	req = beat(group, memberID, resp.MemberEpoch)
	req.ServerAssignor = &assignor
	p.Ask("another assignor", 1, req)
	p.Ask("described with the assignor", 1, describeConsumer(group))
}

func consumerExpressions(p *play.Play) {
	t, group := known(p, 1), p.Fresh()
	known(p, 1)
	for _, expression := range []string{"(", "[", "a**", "\\", "", "x{1001}"} {
		req := beat(p.Fresh(), memberID, 0)
		req.SubscribedTopicNames, req.SubscribedTopicRegex = nil, &expression
		a := p.Ask(fmt.Sprintf("expression %q", expression), 1, req).(*kmsg.ConsumerGroupHeartbeatResponse)
		if a.ErrorCode == 0 {
			p.Quiet(1, beat(req.Group, memberID, -1))
		}
	}
	expression := p.Name("") + ".*1"
	req := beat(group, memberID, 0)
	req.SubscribedTopicNames, req.SubscribedTopicRegex = nil, &expression
	epoch := p.Quiet(1, req).(*kmsg.ConsumerGroupHeartbeatResponse).MemberEpoch
	p.Until("the expression is resolved", func() bool {
		resp := p.Quiet(1, beat(group, memberID, epoch)).(*kmsg.ConsumerGroupHeartbeatResponse)
		epoch = resp.MemberEpoch
		d := p.Quiet(1, describeConsumer(group)).(*kmsg.ConsumerGroupDescribeResponse)
		return len(d.Groups[0].Members) == 1 && len(d.Groups[0].Members[0].Assignment.TopicPartitions) == 1
	})
	req = beat(group, memberID, 0, t.Name)
	req.SubscribedTopicRegex = &expression
	p.Ask("names as well", 1, req)
}

func consumerCommits(p *play.Play) {
	t, group := known(p, 1), p.Fresh()
	p.Ask("join", 1, beat(group, memberID, 0, t.Name))
	for v := Version(2); v <= 10; v++ {
		for _, epoch := range []int32{1, 0, 2, -1} {
			req := commit(group, t, 0, 5)
			req.MemberID, req.Generation = memberID, epoch
			p.Ask("epoch", v, req)
		}
		req := commit(group, t, 0, 5)
		req.MemberID, req.Generation = "nobody", 1
		p.Ask("unknown member", v, req)
		req = commit(group, t, 0, 5)
		req.Generation = -1
		p.Ask("no member", v, req)
	}
	for v := Version(9); v <= 10; v++ {
		for _, epoch := range []int32{1, 0, 2, -1} {
			req := fetchOffsets(group, t, 0)
			id := memberID
			req.Groups[0].MemberID, req.Groups[0].MemberEpoch = &id, epoch
			p.Ask("fetched", v, req)
		}
		req := fetchOffsets(group, t, 0)
		id := "nobody"
		req.Groups[0].MemberID, req.Groups[0].MemberEpoch = &id, 1
		p.Ask("fetched by nobody", v, req)
	}
	p.Ask("subscribed", 0, offsetDelete(group, t.Name, 0))
	p.Ask("leave", 1, beat(group, memberID, -1))
	p.Ask("not subscribed", 0, offsetDelete(group, t.Name, 0))
}

func describeConsumers(p *play.Play) {
	t, group, left := known(p, 1), p.Fresh(), p.Fresh()
	rack, instance := "rack", "one"
	req := beat(group, memberID, 0, t.Name)
	req.RackID, req.InstanceID = &rack, &instance
	p.Quiet(1, req)
	p.Quiet(1, beat(left, memberID, 0, t.Name))
	p.Quiet(1, beat(left, memberID, -1))
	classic := stable(p, p.Fresh(), "").group
	for v := Version(0); v <= 1; v++ {
		p.Ask("member", v, describeConsumer(group))
		p.Ask("left", v, describeConsumer(left))
		p.Ask("classic", v, describeConsumer(classic))
		p.Ask("unknown", v, describeConsumer(p.Name("none")))
		p.Ask("no name", v, describeConsumer(""))
		p.Ask("several", v, describeConsumer(group, p.Name("none"), group))
		p.Ask("none", v, describeConsumer())
		req := describeConsumer(group)
		req.IncludeAuthorizedOperations = true
		p.Ask("operations", v, req)
	}
}

// classicAmongConsumers has members of the older protocol ask a group of the newer.
func classicAmongConsumers(p *play.Play) {
	t, group := known(p, 1), p.Fresh()
	p.Ask("join", 1, beat(group, memberID, 0, t.Name))
	ghost := member{group: group, id: memberID, generation: 1}
	p.Ask("heartbeat", 4, ghost.heartbeat())
	p.Ask("sync", 5, ghost.sync())
	p.Ask("leave of nobody", 4, member{group: group, id: "nobody"}.leave())
	req := join(group, "")
	req.ProtocolType = "connect"
	p.Ask("join by another type", 9, req)
	req = join(group, "")
	req.Protocols[0].Metadata = []byte("garbage")
	p.Ask("join with garbage", 3, req)
	p.Ask("leave by the older protocol", 4, ghost.leave())
}

// consumerUpgrade moves a group from one protocol to the other and back.
func consumerUpgrade(p *play.Play) {
	t := known(p, 2)
	subscribe := func(req *kmsg.JoinGroupRequest) *kmsg.JoinGroupRequest {
		m := kmsg.NewConsumerMemberMetadata()
		m.Version, m.Topics = 1, []string{t.Name}
		req.Protocols[0].Metadata = m.AppendTo(nil)
		return req
	}
	group := p.Fresh()
	resp := p.Ask("classic joins", 3, subscribe(join(group, ""))).(*kmsg.JoinGroupResponse)
	m := member{group: group, id: resp.MemberID, generation: resp.Generation}
	sync := m.sync(m.id)
	sync.GroupAssignment[0].MemberAssignment = assignment(t.Name, 0, 1)
	p.Ask("classic syncs", 3, sync)
	p.Ask("consumer joins", 1, beat(group, memberID, 0, t.Name))
	p.Ask("described", 1, describeConsumer(group))
	old := kmsg.NewPtrDescribeGroupsRequest()
	old.Groups = []string{group}
	p.Ask("described as of old", 5, old)
	p.Ask("classic heartbeat", 4, m.heartbeat())
	resp = p.Ask("classic joins again", 3, subscribe(join(group, m.id))).(*kmsg.JoinGroupResponse)
	m.generation = resp.Generation
	p.Ask("classic syncs again", 3, m.sync())
	p.Ask("consumer leaves", 1, beat(group, memberID, -1))
	p.Ask("described after", 5, old)
	empty := p.Fresh()
	committed(p, empty, t, 3)
	p.Ask("consumer in an empty group", 1, beat(empty, memberID, 0, t.Name))
	p.Ask("its commit", 7, fetchOffsets(empty, t, 0))
	p.Ask("consumer leaves it", 1, beat(empty, memberID, -1))
	p.Ask("classic in its place", 3, join(empty, ""))
	joining := joined(p, p.Fresh(), "")
	other := join(joining.group, joining.id)
	other.ProtocolType = "connect"
	foreign := p.Fresh()
	of := join(foreign, "")
	of.ProtocolType = "connect"
	p.Ask("of another type", 3, of)
	p.Ask("consumer in a group of another type", 1, beat(foreign, memberID, 0, t.Name))
}
