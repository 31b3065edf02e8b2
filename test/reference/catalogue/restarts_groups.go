package catalogue

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

// described asks for a group of the older protocol.
func described(group string) *kmsg.DescribeGroupsRequest {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{group}
	return req
}

// memberCommit commits an offset as a member.
func (m member) commit(t play.Topic, offset int64) *kmsg.OffsetCommitRequest {
	req := commit(m.group, t, 0, offset)
	req.MemberID, req.Generation, req.InstanceID = m.id, m.generation, m.instance
	return req
}

// commitsOverRestarts commits, and deletes what was committed.
func commitsOverRestarts(p *play.Play) part {
	t, other, group := p.Topic(2), p.Topic(1), p.Fresh()
	committed(p, group, t, 5)
	committed(p, group, other, 6)
	req := commit(group, t, 1, 7)
	req.Topics[0].Partitions[0].Metadata, req.Topics[0].Partitions[0].LeaderEpoch = nil, 3
	p.Quiet(9, req)
	look := func(p *play.Play, note string) {
		for v := Version(1); v <= 10; v++ {
			p.Ask(note, v, fetchOffsets(group, t, 0, 1))
		}
		p.Ask(note+" other", 9, fetchOffsets(group, other, 0))
		p.Ask(note, 5, described(group))
	}
	return func(p *play.Play) part {
		look(p, "commits")
		committed(p, group, t, 9)
		p.Ask("delete a commit", 0, offsetDelete(group, other.Name, 0))
		return func(p *play.Play) part {
			look(p, "commits after a deletion")
			p.Quiet(4, deleteTopic(t.Name))
			p.Gone(t.Name)
			gone := kmsg.NewPtrOffsetFetchRequest()
			gone.Group, gone.Topics = group, nil
			p.Until("the commits have gone too", func() bool {
				return len(p.Quiet(7, gone).(*kmsg.OffsetFetchResponse).Topics) == 0
			})
			return func(p *play.Play) part {
				p.Ask("commits of a deleted topic", 7, gone)
				p.Ask("commits of a deleted topic", 6, described(group))
				return nil
			}
		}
	}
}

// memberOverRestarts has a member that goes on, and begins a generation.
func memberOverRestarts(p *play.Play) part {
	t := p.Topic(1)
	m := stable(p, p.Fresh(), "")
	p.Ask("member commits", 8, m.commit(t, 3))
	return func(p *play.Play) part {
		p.Ask("member described", 5, described(m.group))
		for v := Version(0); v <= 4; v++ {
			p.Ask("member heartbeat", v, m.heartbeat())
		}
		old := m
		old.generation--
		p.Ask("old generation", 4, old.heartbeat())
		p.Ask("unknown member", 4, member{group: m.group, id: "nobody", generation: 1}.heartbeat())
		for v := Version(0); v <= 5; v++ {
			p.Ask("member syncs again", v, m.sync())
		}
		p.Ask("member commits", 8, m.commit(t, 4))
		p.Ask("old generation commits", 8, old.commit(t, 5))
		resp := p.Ask("member joins again", 5, join(m.group, m.id)).(*kmsg.JoinGroupResponse)
		m.generation = resp.Generation
		p.Ask("member syncs as leader", 5, m.sync(m.id))
		return func(p *play.Play) part {
			p.Ask("member in a new generation", 4, m.heartbeat())
			p.Ask("member in a new generation", 5, described(m.group))
			p.Ask("member in a new generation", 7, fetchOffsets(m.group, t, 0))
			p.Ask("member leaves", 5, m.leave())
			p.Ask("member has left", 5, described(m.group))
			return func(p *play.Play) part {
				p.Ask("group is empty", 5, described(m.group))
				p.Ask("heartbeat of one who left", 4, m.heartbeat())
				p.Ask("commit of one who left", 8, m.commit(t, 9))
				p.Ask("commit of no member", 8, commit(m.group, t, 0, 9))
				p.Ask("next generation", 3, join(m.group, ""))
				return nil
			}
		}
	}
}

// staticOverRestarts has a static member that comes back.
func staticOverRestarts(p *play.Play) part {
	t, instance := p.Topic(1), "one"
	m := stable(p, p.Fresh(), instance)
	return func(p *play.Play) part {
		p.Ask("static heartbeat", 4, m.heartbeat())
		p.Ask("static described", 5, described(m.group))
		p.Ask("static commits", 8, m.commit(t, 4))
		req := join(m.group, "")
		req.InstanceID = &instance
		resp := p.Ask("static comes back", 9, req).(*kmsg.JoinGroupResponse)
		old := m
		m.id, m.generation = resp.MemberID, resp.Generation
		p.Ask("static syncs", 5, m.sync())
		return func(p *play.Play) part {
			p.Ask("static with the new id", 4, m.heartbeat())
			p.Ask("static with the old id", 4, old.heartbeat())
			p.Ask("old id commits", 8, old.commit(t, 5))
			p.Ask("old id syncs", 5, old.sync())
			p.Ask("static described again", 5, described(m.group))
			p.Ask("static leaves", 4, member{group: m.group, instance: &instance}.leave())
			return func(p *play.Play) part {
				p.Ask("static has left", 4, m.heartbeat())
				p.Ask("static has left", 5, described(m.group))
				return nil
			}
		}
	}
}

// twoOverRestarts has a leader and a follower.
func twoOverRestarts(p *play.Play) part {
	first := stable(p, p.Fresh(), "")
	second := p.Client("second")
	second.Send(3, join(first.group, ""))
	inState(p, first.group, "PreparingRebalance", 2)
	resp := p.Quiet(3, join(first.group, first.id)).(*kmsg.JoinGroupResponse)
	first.generation = resp.Generation
	other := second.Take("second joins").(*kmsg.JoinGroupResponse)
	follower := member{group: first.group, id: other.MemberID, generation: other.Generation}
	p.Ask("first syncs", 3, first.sync(first.id, follower.id))
	p.Ask("second syncs", 3, follower.sync())
	return func(p *play.Play) part {
		p.Ask("two described", 5, described(first.group))
		p.Ask("first goes on", 4, first.heartbeat())
		p.Ask("second goes on", 4, follower.heartbeat())
		p.Ask("second syncs again", 3, follower.sync())
		p.Ask("second leaves", 5, follower.leave())
		inState(p, first.group, "PreparingRebalance", 1)
		p.Ask("first hears of it", 4, first.heartbeat())
		resp := p.Ask("first is alone", 5, join(first.group, first.id)).(*kmsg.JoinGroupResponse)
		first.generation = resp.Generation
		p.Ask("first syncs alone", 5, first.sync(first.id))
		return func(p *play.Play) part {
			p.Ask("first goes on alone", 4, first.heartbeat())
			p.Ask("one described", 5, described(first.group))
			p.Ask("heartbeat of second", 4, follower.heartbeat())
			return nil
		}
	}
}

// joiningOverRestarts has a member that was told its id, and no more.
func joiningOverRestarts(p *play.Play) part {
	group := p.Fresh()
	resp := p.Ask("told its id", 9, join(group, "")).(*kmsg.JoinGroupResponse)
	return func(p *play.Play) part {
		p.Ask("joins with an id of before", 9, join(group, resp.MemberID))
		return nil
	}
}

func deletedGroupOverRestarts(p *play.Play) part {
	t, group := p.Topic(1), p.Fresh()
	committed(p, group, t, 5)
	m := stable(p, p.Fresh(), "")
	p.Quiet(3, m.leave())
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{group, m.group}
	p.Ask("delete groups", 2, req)
	return func(p *play.Play) part {
		p.Ask("commit of a deleted group", 8, fetchOffsets(group, t, 0))
		p.Ask("deleted group", 6, described(group))
		p.Ask("deleted group of members", 6, described(m.group))
		p.Ask("delete groups again", 2, req)
		return nil
	}
}

// consumerOverRestarts has a member of the newer protocol that goes on.
func consumerOverRestarts(p *play.Play) part {
	t, other, group := known(p, 2), known(p, 1), p.Fresh()
	epoch := p.Ask("consumer joins", 1, beat(group, memberID, 0, t.Name)).(*kmsg.ConsumerGroupHeartbeatResponse).MemberEpoch
	req := commit(group, t, 0, 5)
	req.MemberID, req.Generation = memberID, epoch
	p.Ask("consumer commits", 9, req)
	return func(p *play.Play) part {
		p.Ask("consumer described", 1, describeConsumer(group))
		p.Ask("epoch to come", 1, beat(group, memberID, epoch+1))
		p.Ask("unknown consumer", 1, beat(group, secondID, epoch))
		p.Ask("consumer goes on", 1, beat(group, memberID, epoch))
		p.Ask("consumer commits", 9, req)
		more := beat(group, memberID, epoch)
		more.SubscribedTopicNames = []string{t.Name, other.Name}
		resp := p.Ask("consumer wants more", 1, more).(*kmsg.ConsumerGroupHeartbeatResponse)
		return func(p *play.Play) part {
			p.Ask("consumer described with more", 1, describeConsumer(group))
			p.Ask("consumer goes on with more", 1, beat(group, memberID, resp.MemberEpoch))
			p.Ask("epoch of before", 1, beat(group, memberID, epoch-1))
			p.Ask("consumer joins anew", 1, beat(group, memberID, 0, t.Name))
			p.Ask("consumer leaves", 1, beat(group, memberID, -1))
			return func(p *play.Play) part {
				p.Ask("consumer has left", 1, describeConsumer(group))
				p.Ask("consumer has left", 1, beat(group, memberID, resp.MemberEpoch))
				p.Ask("its commit", 9, fetchOffsets(group, t, 0))
				p.Ask("consumer comes again", 1, beat(group, memberID, 0, t.Name))
				return nil
			}
		}
	}
}

// staticConsumerOverRestarts has one that is away meanwhile.
func staticConsumerOverRestarts(p *play.Play) part {
	t, group, instance := known(p, 2), p.Fresh(), "one"
	static := func(id string, epoch int32) *kmsg.ConsumerGroupHeartbeatRequest {
		req := beat(group, id, epoch, t.Name)
		req.InstanceID = &instance
		return req
	}
	epoch := p.Ask("static consumer joins", 1, static(memberID, 0)).(*kmsg.ConsumerGroupHeartbeatResponse).MemberEpoch
	p.Ask("static consumer is away", 1, static(memberID, -2))
	return func(p *play.Play) part {
		p.Ask("static consumer described", 1, describeConsumer(group))
		p.Ask("static consumer is back", 1, static(secondID, 0))
		p.Ask("old id of a static consumer", 1, static(memberID, epoch))
		return func(p *play.Play) part {
			p.Ask("static consumer goes on", 1, static(secondID, epoch))
			p.Ask("another with its instance", 1, static(thirdID, 0))
			p.Ask("static consumer described again", 1, describeConsumer(group))
			return nil
		}
	}
}

// givingOverRestarts has a member that has to give partitions to another.
func givingOverRestarts(p *play.Play) part {
	t, group, assignor := known(p, 4), p.Fresh(), "range"
	first := beat(group, memberID, 0, t.Name)
	first.ServerAssignor = &assignor
	epoch := p.Ask("giver joins", 1, first).(*kmsg.ConsumerGroupHeartbeatResponse).MemberEpoch
	taker := p.Ask("taker joins", 1, beat(group, secondID, 0, t.Name)).(*kmsg.ConsumerGroupHeartbeatResponse).MemberEpoch
	p.Ask("giver has to give", 1, beat(group, memberID, epoch))
	return func(p *play.Play) part {
		p.Ask("giving described", 1, describeConsumer(group))
		gave := beat(group, memberID, epoch)
		own := kmsg.NewConsumerGroupHeartbeatRequestTopic()
		own.TopicID, own.Partitions = t.ID, []int32{0, 1}
		gave.Topics = append(gave.Topics, own)
		resp := p.Ask("giver has given", 1, gave).(*kmsg.ConsumerGroupHeartbeatResponse)
		taker = p.Ask("taker takes", 1, beat(group, secondID, taker)).(*kmsg.ConsumerGroupHeartbeatResponse).MemberEpoch
		return func(p *play.Play) part {
			p.Ask("given described", 1, describeConsumer(group))
			p.Ask("giver goes on", 1, beat(group, memberID, resp.MemberEpoch))
			p.Ask("taker goes on", 1, beat(group, secondID, taker))
			p.Ask("taker leaves", 1, beat(group, secondID, -1))
			p.Ask("giver takes all", 1, beat(group, memberID, resp.MemberEpoch))
			return nil
		}
	}
}

// expressionOverRestarts subscribes by a regular expression.
func expressionOverRestarts(p *play.Play) part {
	t, group := known(p, 1), p.Fresh()
	expression := t.Name + ".*"
	req := beat(group, memberID, 0)
	req.SubscribedTopicNames, req.SubscribedTopicRegex = nil, &expression
	epoch := p.Quiet(1, req).(*kmsg.ConsumerGroupHeartbeatResponse).MemberEpoch
	p.Until("the expression is resolved", func() bool {
		resp := p.Quiet(1, beat(group, memberID, epoch)).(*kmsg.ConsumerGroupHeartbeatResponse)
		epoch = resp.MemberEpoch
		d := p.Quiet(1, describeConsumer(group)).(*kmsg.ConsumerGroupDescribeResponse)
		return len(d.Groups[0].Members) == 1 && len(d.Groups[0].Members[0].Assignment.TopicPartitions) == 1
	})
	return func(p *play.Play) part {
		p.Ask("expression described", 1, describeConsumer(group))
		p.Ask("expression goes on", 1, beat(group, memberID, epoch))
		return nil
	}
}

// Codes of a coordinator that is not ready yet.
const (
	coordinatorLoading      = 14
	coordinatorNotAvailable = 15
	notCoordinator          = 16
)

// loaded asks until the answer does not say any more that the coordinator is loading,
// and keeps that one. Asking again may change nothing.
func loaded(p *play.Play, note string, v Version, req kmsg.Request, code func(kmsg.Response) int16) {
	p.Until(note+": the coordinator has loaded", func() bool {
		switch c := code(p.Quiet(v, req)); c {
		case coordinatorLoading, coordinatorNotAvailable, notCoordinator:
			return false
		}
		return true
	})
	p.Ask(note, v, req)
}

// loading asks while the coordinator loads: in the end all is as before.
func loading(p *play.Play, how play.Ending) {
	t := known(p, 1)
	commits, m, consumer := p.Fresh(), stable(p, p.Fresh(), ""), p.Fresh()
	committed(p, commits, t, 5)
	epoch := p.Quiet(1, beat(consumer, memberID, 0, t.Name)).(*kmsg.ConsumerGroupHeartbeatResponse).MemberEpoch
	ask := []func(){
		func() {
			loaded(p, "heartbeat", 4, m.heartbeat(), func(r kmsg.Response) int16 { return r.(*kmsg.HeartbeatResponse).ErrorCode })
		},
		func() {
			loaded(p, "sync", 5, m.sync(), func(r kmsg.Response) int16 { return r.(*kmsg.SyncGroupResponse).ErrorCode })
		},
		func() {
			loaded(p, "consumer", 1, beat(consumer, memberID, epoch), func(r kmsg.Response) int16 { return r.(*kmsg.ConsumerGroupHeartbeatResponse).ErrorCode })
		},
		func() {
			loaded(p, "commits", 7, fetchOffsets(commits, t, 0), func(r kmsg.Response) int16 { return r.(*kmsg.OffsetFetchResponse).ErrorCode })
		},
		func() {
			loaded(p, "commits", 9, fetchOffsets(commits, t, 0), func(r kmsg.Response) int16 { return r.(*kmsg.OffsetFetchResponse).Groups[0].ErrorCode })
		},
		func() {
			loaded(p, "commit", 8, commit(commits, t, 0, 5), func(r kmsg.Response) int16 {
				return r.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
			})
		},
		func() {
			loaded(p, "described", 5, described(m.group), func(r kmsg.Response) int16 { return r.(*kmsg.DescribeGroupsResponse).Groups[0].ErrorCode })
		},
		func() {
			loaded(p, "consumer described", 1, describeConsumer(consumer), func(r kmsg.Response) int16 {
				return r.(*kmsg.ConsumerGroupDescribeResponse).Groups[0].ErrorCode
			})
		},
	}
	for first := range ask { // each is the first to be asked once
		if first%4 != 0 {
			continue
		}
		p.RestartCold(how)
		for i := range ask {
			ask[(first+i)%len(ask)]()
		}
	}
}
