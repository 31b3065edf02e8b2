package catalogue

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

func groups() []play.Case {
	return []play.Case{
		{Name: "groups/join", Run: joins},
		{Name: "groups/join-errors", Run: joinErrors},
		{Name: "groups/rebalance", Run: rebalance},
		{Name: "groups/sync-errors", Run: syncErrors},
		{Name: "groups/heartbeats", Run: heartbeats},
		{Name: "groups/leave", Run: leaves},
		{Name: "groups/static", Run: staticMembers},
		{Name: "groups/static-fenced", Run: staticFenced},
		{Name: "groups/describe", Run: describeStates},
		{Name: "groups/delete", Run: deleteStates},
		{Name: "groups/coordinators", Run: coordinators},
		{Name: "commits/simple", Run: commitSimple},
		{Name: "commits/members", Run: commitMembers},
		{Name: "commits/targets", Run: commitTargets},
		{Name: "commits/fetch", Run: fetchCommits},
		{Name: "commits/delete", Run: deleteCommits},
	}
}

// joins goes all the way by every version: join, sync, heartbeat, commit, leave.
func joins(p *play.Play) {
	t := p.Topic(1)
	for v := Version(0); v <= 9; v++ {
		group := p.Fresh()
		resp := p.Ask("join", v, join(group, "")).(*kmsg.JoinGroupResponse)
		if v >= 4 {
			resp = p.Ask("join with the id", v, join(group, resp.MemberID)).(*kmsg.JoinGroupResponse)
		}
		m := member{group: group, id: resp.MemberID, generation: resp.Generation}
		p.Ask("sync", min(v, 5), m.sync(m.id))
		p.Ask("heartbeat", min(v, 4), m.heartbeat())
		c := commit(group, t, 0, 7)
		c.Generation, c.MemberID = m.generation, m.id
		p.Ask("commit", min(v+2, 9), c)
		resp = p.Ask("join again", v, join(group, m.id)).(*kmsg.JoinGroupResponse)
		m.generation = resp.Generation
		p.Ask("sync again", min(v, 5), m.sync(m.id))
		p.Ask("leave", min(v, 5), m.leave())
		p.Ask("heartbeat after", min(v, 4), m.heartbeat())
	}
}

func joinErrors(p *play.Play) {
	for v := Version(0); v <= 9; v++ {
		p.Ask("no group", v, join("", ""))
		p.Ask("unknown member", v, join(p.Fresh(), "nobody"))
		p.Ask("short session", v, short(join(p.Fresh(), ""), 5999))
		p.Ask("long session", v, short(join(p.Fresh(), ""), 1_800_001))
		req := join(p.Fresh(), "")
		req.Protocols = nil
		p.Ask("no protocols", v, req)
		req = join(p.Fresh(), "")
		req.ProtocolType = ""
		p.Ask("no protocol type", v, req)
		m := stable(p, p.Fresh(), "")
		req = join(m.group, "")
		req.ProtocolType = "connect"
		p.Ask("other protocol type", v, req)
		req = join(m.group, "")
		req.Protocols[0].Name = "sticky"
		p.Ask("other protocol", v, req)
		p.Ask("unknown member of a group", v, join(m.group, "nobody"))
	}
	for v := Version(5); v <= 9; v++ {
		for _, instance := range []string{"", "a b", ".", strings.Repeat("i", 250)} {
			req := join(p.Fresh(), "")
			req.InstanceID = &instance
			p.Ask("invalid instance", v, req)
		}
	}
}

// inState waits until a group is in a state and has so many members.
func inState(p *play.Play, group, state string, members int) {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{group}
	p.Until(group+" is "+state, func() bool {
		resp := p.Quiet(0, req).(*kmsg.DescribeGroupsResponse)
		g := resp.Groups[0]
		return g.State == state && len(g.Members) == members
	})
}

// rebalance has a second member come and go.
func rebalance(p *play.Play) {
	for _, v := range []Version{0, 2, 3, 5, 9} {
		first := stable(p, p.Fresh(), "")
		second := p.Client("second")
		id := ""
		if v >= 4 {
			id = second.Ask("second is told its id", v, join(first.group, "")).(*kmsg.JoinGroupResponse).MemberID
		}
		req := join(first.group, id)
		req.Protocols[0].Metadata = subscription("second")
		second.Send(v, req)
		inState(p, first.group, "PreparingRebalance", 2)
		p.Ask("heartbeat meanwhile", 3, first.heartbeat())
		p.Ask("sync meanwhile", 3, first.sync(first.id))
		resp := p.Ask("first joins again", v, join(first.group, first.id)).(*kmsg.JoinGroupResponse)
		other := second.Take("second has joined").(*kmsg.JoinGroupResponse)
		first.generation = resp.Generation
		follower := member{group: first.group, id: other.MemberID, generation: other.Generation}
		p.Ask("heartbeat before sync", 3, first.heartbeat())
		second.Send(3, follower.sync())
		p.Ask("old generation", 3, member{group: first.group, id: first.id, generation: first.generation - 1}.sync())
		p.Ask("leader syncs", 3, first.sync(first.id, follower.id))
		second.Take("follower syncs")
		p.Ask("follower syncs again", 3, follower.sync())
		req.MemberID = follower.id
		p.Ask("follower joins again", v, req)
		p.Ask("follower leaves", 1, follower.leave())
		inState(p, first.group, "PreparingRebalance", 1)
		p.Ask("heartbeat after", 3, first.heartbeat())
		resp = p.Ask("first is alone", v, join(first.group, first.id)).(*kmsg.JoinGroupResponse)
		first.generation = resp.Generation
		p.Ask("leaves without sync", 1, first.leave())
		inState(p, first.group, "Empty", 0)
		second.HangUp()
	}
}

func syncErrors(p *play.Play) {
	for v := Version(0); v <= 5; v++ {
		m := joined(p, p.Fresh(), "")
		ask := func(note string, bend func(req *kmsg.SyncGroupRequest)) {
			req := m.sync(m.id)
			bend(req)
			p.Ask(note, v, req)
		}
		ask("unknown group", func(req *kmsg.SyncGroupRequest) { req.Group = p.Name("none") })
		ask("no group", func(req *kmsg.SyncGroupRequest) { req.Group = "" })
		ask("unknown member", func(req *kmsg.SyncGroupRequest) { req.MemberID = "nobody" })
		ask("no member", func(req *kmsg.SyncGroupRequest) { req.MemberID = "" })
		ask("generation before", func(req *kmsg.SyncGroupRequest) { req.Generation = 0 })
		ask("generation to come", func(req *kmsg.SyncGroupRequest) { req.Generation = 2 })
		ask("no generation", func(req *kmsg.SyncGroupRequest) { req.Generation = -1 })
		if v == 5 {
			other := "other"
			ask("other protocol", func(req *kmsg.SyncGroupRequest) { req.Protocol = &other })
			ask("other protocol type", func(req *kmsg.SyncGroupRequest) { req.ProtocolType = &other })
			ask("no protocol", func(req *kmsg.SyncGroupRequest) { req.Protocol = nil })
			ask("no protocol type", func(req *kmsg.SyncGroupRequest) { req.ProtocolType = nil })
		}
		ask("for another", func(req *kmsg.SyncGroupRequest) { req.GroupAssignment[0].MemberID = "nobody" })
		ask("again", func(req *kmsg.SyncGroupRequest) {})
	}
}

func heartbeats(p *play.Play) {
	for v := Version(0); v <= 4; v++ {
		m := stable(p, p.Fresh(), "")
		for _, generation := range []int32{-1, 0, 1, 2} {
			m.generation = generation
			p.Ask("generation", v, m.heartbeat())
		}
		m.generation = 1
		p.Ask("unknown member", v, member{group: m.group, id: "nobody", generation: 1}.heartbeat())
		p.Ask("no member", v, member{group: m.group, generation: 1}.heartbeat())
		p.Ask("unknown group", v, member{group: p.Name("none"), id: m.id, generation: 1}.heartbeat())
		p.Ask("no group", v, member{id: m.id, generation: 1}.heartbeat())
		p.Ask("before sync", v, joined(p, p.Fresh(), "").heartbeat())
	}
}

func leaves(p *play.Play) {
	for v := Version(0); v <= 5; v++ {
		m := stable(p, p.Fresh(), "")
		p.Ask("unknown member", v, member{group: m.group, id: "nobody"}.leave())
		p.Ask("no member", v, member{group: m.group}.leave())
		p.Ask("unknown group", v, member{group: p.Name("none"), id: m.id}.leave())
		p.Ask("no group", v, member{id: m.id}.leave())
		if v >= 3 {
			instance := "nobody"
			req := m.leave()
			req.Members = append(req.Members, member{id: "nobody"}.leave().Members...)
			req.Members = append(req.Members, member{instance: &instance}.leave().Members...)
			p.Ask("several", v, req)
			req.Members = nil
			p.Ask("none", v, req)
		}
		p.Ask("member", v, m.leave())
		p.Ask("member again", v, m.leave())
	}
}

// staticMembers come back without their id.
func staticMembers(p *play.Play) {
	for v := Version(5); v <= 9; v++ {
		instance := "one"
		m := stable(p, p.Fresh(), instance)
		req := join(m.group, "")
		req.InstanceID = &instance
		resp := p.Ask("comes back", v, req).(*kmsg.JoinGroupResponse)
		back := member{group: m.group, id: resp.MemberID, generation: resp.Generation, instance: &instance}
		p.Ask("sync", min(v, 5), back.sync())
		p.Ask("heartbeat", 4, back.heartbeat())
		p.Ask("heartbeat of the old id", 4, m.heartbeat())
		p.Ask("sync of the old id", 5, m.sync())
		p.Ask("join with the old id", v, func() kmsg.Request {
			req := join(m.group, m.id)
			req.InstanceID = &instance
			return req
		}())
		p.Ask("comes with another protocol", v, func() kmsg.Request {
			req := join(m.group, "")
			req.InstanceID = &instance
			req.Protocols[0].Name = "sticky"
			return req
		}())
		req2 := kmsg.NewPtrDescribeGroupsRequest()
		req2.Groups = []string{m.group}
		p.Ask("described", 4, req2)
		leave := member{group: m.group, instance: &instance}.leave()
		p.Ask("leaves by instance", 4, leave)
		p.Ask("leaves by instance again", 4, leave)
	}
}

func staticFenced(p *play.Play) {
	t := p.Topic(1)
	instance, other := "one", "two"
	m := stable(p, p.Fresh(), instance)
	wrong := member{group: m.group, id: "nobody", generation: m.generation, instance: &instance}
	unknown := member{group: m.group, id: m.id, generation: m.generation, instance: &other}
	for v := Version(3); v <= 5; v++ {
		p.Ask("other id, sync", v, wrong.sync())
		p.Ask("other id, heartbeat", min(v, 4), wrong.heartbeat())
		p.Ask("other id, leave", v, wrong.leave())
		p.Ask("other instance, sync", v, unknown.sync())
		p.Ask("other instance, heartbeat", min(v, 4), unknown.heartbeat())
		p.Ask("other instance, leave", v, unknown.leave())
	}
	for v := Version(7); v <= 9; v++ {
		for _, who := range []member{m, wrong, unknown} {
			req := commit(m.group, t, 0, 1)
			req.MemberID, req.Generation, req.InstanceID = who.id, who.generation, who.instance
			p.Ask("commit", v, req)
		}
	}
	for v := Version(5); v <= 9; v++ {
		req := join(m.group, "nobody")
		req.InstanceID = &instance
		p.Ask("other id, join", v, req)
	}
}

func describeStates(p *play.Play) {
	t := known(p, 1)
	empty := p.Fresh()
	committed(p, empty, t, 1)
	consumer := p.Fresh()
	p.Quiet(1, beat(consumer, memberID, 0, t.Name))
	left := stable(p, p.Fresh(), "")
	p.Quiet(3, left.leave())
	groups := []string{stable(p, p.Fresh(), "").group, joined(p, p.Fresh(), "").group, stable(p, p.Fresh(), "static").group, left.group, empty, consumer, p.Name("none")}
	for v := Version(0); v <= 6; v++ {
		for i, note := range []string{"stable", "joining", "static", "left", "commits", "consumer", "unknown"} {
			req := kmsg.NewPtrDescribeGroupsRequest()
			req.Groups = groups[i : i+1]
			req.IncludeAuthorizedOperations = v%2 == 0 && v >= 3
			p.Ask(note, v, req)
		}
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups = []string{groups[0], groups[6], groups[0]}
		p.Ask("several", v, req)
		req.Groups = nil
		p.Ask("none", v, req)
	}
}

func deleteStates(p *play.Play) {
	t := known(p, 1)
	for v := Version(0); v <= 2; v++ {
		ask := func(note string, groups ...string) {
			req := kmsg.NewPtrDeleteGroupsRequest()
			req.Groups = groups
			p.Ask(note, v, req)
		}
		empty, consumer := p.Fresh(), p.Fresh()
		committed(p, empty, t, 1)
		m := stable(p, p.Fresh(), "")
		p.Quiet(1, beat(consumer, memberID, 0, t.Name))
		ask("unknown", p.Name("none"))
		ask("with a member", m.group)
		ask("with a consumer", consumer)
		ask("several", m.group, empty, p.Name("none"))
		ask("again", empty)
		p.Ask("its commits", 5, fetchOffsets(empty, t, 0))
		p.Quiet(3, m.leave())
		ask("after the member", m.group)
		ask("none")
	}
}

func coordinators(p *play.Play) {
	for v := Version(0); v <= 6; v++ {
		ask := func(note string, kind int8, keys ...string) {
			req := kmsg.NewPtrFindCoordinatorRequest()
			req.CoordinatorType, req.CoordinatorKeys = kind, keys
			if len(keys) > 0 {
				req.CoordinatorKey = keys[0]
			}
			p.Ask(note, v, req)
		}
		ask("group", 0, "a")
		ask("no name", 0, "")
		ask("several", 0, "a", "b", "", "a")
		ask("none", 0)
		if v >= 1 {
			ask("unknown kind", 3, "a")
			ask("negative kind", -1, "a")
		}
	}
}

func commitSimple(p *play.Play) {
	t := p.Topic(1)
	for v := Version(2); v <= 10; v++ {
		group := p.Fresh()
		ask := func(note string, bend func(req *kmsg.OffsetCommitRequest)) {
			req := commit(group, t, 0, 5)
			bend(req)
			p.Ask(note, v, req)
		}
		ask("no generation", func(req *kmsg.OffsetCommitRequest) { req.Generation = -1 })
		ask("a generation", func(req *kmsg.OffsetCommitRequest) { req.Generation = 1 })
		ask("a member", func(req *kmsg.OffsetCommitRequest) { req.MemberID, req.Generation = "nobody", 1 })
		ask("a member without a generation", func(req *kmsg.OffsetCommitRequest) { req.MemberID = "nobody" })
		ask("no group", func(req *kmsg.OffsetCommitRequest) { req.Group = "" })
		ask("no group but a generation", func(req *kmsg.OffsetCommitRequest) { req.Group, req.Generation = "", 1 })
		ask("negative offset", func(req *kmsg.OffsetCommitRequest) { req.Topics[0].Partitions[0].Offset = -1 })
		ask("far offset", func(req *kmsg.OffsetCommitRequest) { req.Topics[0].Partitions[0].Offset = 1 << 60 })
		ask("null metadata", func(req *kmsg.OffsetCommitRequest) { req.Topics[0].Partitions[0].Metadata = nil })
		longest, long := strings.Repeat("m", 4096), strings.Repeat("m", 4097)
		ask("longest metadata", func(req *kmsg.OffsetCommitRequest) { req.Topics[0].Partitions[0].Metadata = &longest })
		ask("longer metadata", func(req *kmsg.OffsetCommitRequest) { req.Topics[0].Partitions[0].Metadata = &long })
		if v >= 6 {
			ask("leader epoch", func(req *kmsg.OffsetCommitRequest) { req.Topics[0].Partitions[0].LeaderEpoch = 7 })
		}
		p.Ask("fetched", 7, fetchOffsets(group, t, 0))
	}
}

func commitMembers(p *play.Play) {
	t := p.Topic(1)
	for v := Version(2); v <= 10; v++ {
		m, waiting := stable(p, p.Fresh(), ""), joined(p, p.Fresh(), "")
		ask := func(note string, who member, generation int32) {
			req := commit(who.group, t, 0, 5)
			req.MemberID, req.Generation = who.id, generation
			p.Ask(note, v, req)
		}
		ask("member", m, 1)
		ask("generation before", m, 0)
		ask("generation to come", m, 2)
		ask("no generation", m, -1)
		ask("unknown member", member{group: m.group, id: "nobody"}, 1)
		ask("no member", member{group: m.group}, -1)
		ask("no member but a generation", member{group: m.group}, 1)
		ask("before sync", waiting, 1)
		p.Quiet(3, m.leave())
		ask("after leaving", m, 1)
		ask("no member after leaving", member{group: m.group}, -1)
	}
}

func commitTargets(p *play.Play) {
	t, other := p.Topic(2), p.Topic(1)
	for v := Version(2); v <= 10; v++ {
		req := commit(p.Fresh(), t, 0, 5)
		more := commit("", t, 1, 6).Topics[0].Partitions[0]
		gap := commit("", t, 7, 6).Topics[0].Partitions[0]
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, more, gap)
		req.Topics = append(req.Topics, commit("", other, 0, 9).Topics...)
		req.Topics = append(req.Topics, commit("", play.Topic{Name: p.Name("none"), ID: [16]byte{5, 5}}, 0, 9).Topics...)
		p.Ask("several", v, req)
		req = commit(p.Fresh(), t, 0, 5)
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, commit("", t, 0, 6).Topics[0].Partitions...)
		p.Ask("twice", v, req)
		p.Ask("twice, fetched", 7, fetchOffsets(req.Group, t, 0))
		req = commit(p.Fresh(), t, 0, 5)
		req.Topics = nil
		p.Ask("nothing", v, req)
	}
}

func fetchCommits(p *play.Play) {
	t, other, group := p.Topic(2), p.Topic(1), p.Fresh()
	committed(p, group, t, 5)
	committed(p, group, other, 6)
	for v := Version(1); v <= 10; v++ {
		p.Ask("two partitions", v, fetchOffsets(group, t, 0, 1))
		p.Ask("unknown partition", v, fetchOffsets(group, t, 9))
		p.Ask("unknown topic", v, fetchOffsets(group, play.Topic{Name: p.Name("none"), ID: [16]byte{5, 5}}, 0))
		p.Ask("unknown group", v, fetchOffsets(p.Name("none"), t, 0))
		p.Ask("no group", v, fetchOffsets("", t, 0))
		p.Ask("no partitions", v, fetchOffsets(group, t))
		if v >= 2 {
			req := fetchOffsets(group, t)
			req.Topics, req.Groups[0].Topics = nil, nil
			p.Ask("all", v, req)
			req = fetchOffsets(p.Name("none"), t)
			req.Topics, req.Groups[0].Topics = nil, nil
			p.Ask("all of an unknown group", v, req)
		}
		if v >= 7 {
			req := fetchOffsets(group, t, 0)
			req.RequireStable = true
			p.Ask("stable", v, req)
		}
		if v >= 8 {
			req := fetchOffsets(group, t, 0)
			req.Groups = append(req.Groups, fetchOffsets(p.Name("none"), t, 0).Groups...)
			req.Groups = append(req.Groups, fetchOffsets(group, other, 0).Groups...)
			p.Ask("several groups", v, req)
			req.Groups = nil
			p.Ask("no groups", v, req)
		}
		if v >= 9 {
			for _, epoch := range []int32{-1, 0, 1} {
				req := fetchOffsets(group, t, 0)
				id := "nobody"
				req.Groups[0].MemberID, req.Groups[0].MemberEpoch = &id, epoch
				p.Ask("as a member", v, req)
			}
		}
	}
}

// offsetDelete deletes the commits of partitions.
func offsetDelete(group, topic string, partitions ...int32) *kmsg.OffsetDeleteRequest {
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = group
	t := kmsg.NewOffsetDeleteRequestTopic()
	t.Topic = topic
	for _, n := range partitions {
		part := kmsg.NewOffsetDeleteRequestTopicPartition()
		part.Partition = n
		t.Partitions = append(t.Partitions, part)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func deleteCommits(p *play.Play) {
	t, other, group := p.Topic(2), p.Topic(1), p.Fresh()
	committed(p, group, t, 5)
	committed(p, group, other, 5)
	p.Ask("committed and not", 0, offsetDelete(group, t.Name, 0, 1, 7))
	p.Ask("again", 0, offsetDelete(group, t.Name, 0))
	p.Ask("fetched", 7, fetchOffsets(group, t, 0))
	p.Ask("others are left", 7, fetchOffsets(group, other, 0))
	p.Ask("unknown topic", 0, offsetDelete(group, p.Name("none"), 0))
	p.Ask("unknown group", 0, offsetDelete(p.Name("none"), t.Name, 0))
	p.Ask("no group", 0, offsetDelete("", t.Name, 0))
	m := stable(p, p.Fresh(), "")
	some := p.TopicNamed("some", 1)
	for _, topic := range []play.Topic{some, t} {
		c := commit(m.group, topic, 0, 3)
		c.MemberID, c.Generation = m.id, m.generation
		p.Ask("commit", 8, c)
	}
	p.Ask("subscribed", 0, offsetDelete(m.group, some.Name, 0))
	p.Ask("not subscribed", 0, offsetDelete(m.group, t.Name, 0))
	req := offsetDelete(m.group, some.Name, 0)
	req.Topics = append(req.Topics, offsetDelete(m.group, t.Name, 0).Topics...)
	p.Ask("both", 0, req)
	p.Quiet(3, m.leave())
	p.Ask("after leaving", 0, offsetDelete(m.group, some.Name, 0))
}
