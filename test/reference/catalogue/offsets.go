package catalogue

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

func offsets() []play.Case {
	return []play.Case{
		{Name: "offsets/places", Run: offsetPlaces},
		{Name: "offsets/times", Run: offsetTimes},
		{Name: "offsets/epochs", Run: offsetEpochs},
		{Name: "offsets/targets", Run: offsetTargets},
		{Name: "offsets/recreated", Run: offsetsRecreated},
		{Name: "records/delete", Run: deleteEdges},
		{Name: "records/policy", Run: deletePolicies},
		{Name: "records/targets", Run: deleteTargets},
		{Name: "epochs/ends", Run: epochEnds},
		{Name: "epochs/targets", Run: epochTargets},
	}
}

// everyPlace asks for all offsets that have names, and for those of some times.
func everyPlace(p *play.Play, v Version, note string, t play.Topic) {
	for _, place := range []struct {
		name string
		time int64
	}{{"latest", -1}, {"earliest", -2}, {"highest time", -3}, {"earliest local", -4}, {"latest tiered", -5}, {"earliest pending", -6}, {"no name", -7}, {"time", longAgo}} {
		p.Ask(note+" "+place.name, v, offsetAt(t, 0, place.time))
	}
}

func offsetPlaces(p *play.Play) {
	t, empty, deleted, cut := filled(p), p.Topic(1), filled(p), filled(p)
	p.Quiet(2, deleteBefore(deleted, 0, -1))
	p.Quiet(2, deleteBefore(cut, 0, 4))
	for v := Version(1); v <= 10; v++ {
		everyPlace(p, v, "filled", t)
		everyPlace(p, v, "empty", empty)
		everyPlace(p, v, "deleted", deleted)
		everyPlace(p, v, "cut", cut)
	}
}

func offsetTimes(p *play.Play) {
	t := p.Topic(1)
	b := values(4)
	b.step = 10
	put(p, t, 0, b)
	b.first = longAgo + 100
	put(p, t, 0, b)
	b.first = longAgo + 50 // earlier than the batch before
	put(p, t, 0, b)
	squeezed := values(5).compressed(p, codecs()["gzip"])
	squeezed.first = longAgo + 200
	put(p, t, 0, squeezed)
	for _, after := range []int64{-1, 0, 1, 10, 15, 30, 31, 100, 101, 130, 131, 202, 204, 205, 1 << 50} {
		for _, v := range []Version{1, 4, 7, 10} {
			p.Ask("time", v, offsetAt(t, 0, longAgo+after))
		}
	}
	p.Ask("time zero", 7, offsetAt(t, 0, 0))
	p.Ask("highest time", 7, offsetAt(t, 0, -3))
}

func offsetEpochs(p *play.Play) {
	t := filled(p)
	for v := Version(4); v <= 10; v++ {
		for _, epoch := range []int32{-2, -1, 0, 1} {
			req := offsetAt(t, 0, -1)
			req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
			p.Ask("current", v, req)
		}
	}
}

func offsetTargets(p *play.Play) {
	t := p.Topic(2)
	for v := Version(1); v <= 10; v++ {
		p.Ask("unknown topic", v, offsetAt(play.Topic{Name: p.Name("none")}, 0, -1))
		p.Ask("invalid topic", v, offsetAt(play.Topic{Name: "not/valid"}, 0, -1))
		p.Ask("unknown partition", v, offsetAt(t, 2, -1))
		req := offsetAt(t, 0, -1)
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, offsetAt(t, 1, -2).Topics[0].Partitions...)
		req.Topics = append(req.Topics, offsetAt(play.Topic{Name: p.Name("none")}, 0, -1).Topics...)
		p.Ask("several", v, req)
		req = offsetAt(t, 0, -1)
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, req.Topics[0].Partitions[0])
		p.Ask("partition twice", v, req)
		req = offsetAt(t, 0, -1)
		req.ReplicaID = 1
		p.Ask("as a replica", v, req)
		req = offsetAt(t, 0, -1)
		req.ReplicaID = -2
		p.Ask("as a debugger", v, req)
		req.Topics = nil
		p.Ask("nothing", v, req)
		req = offsetAt(t, 0, -1)
		req.IsolationLevel = 1
		p.Ask("committed", v, req)
	}
}

// offsetsRecreated looks at a topic that was deleted and made again.
func offsetsRecreated(p *play.Play) {
	t := filled(p)
	p.Ask("before", 7, offsetAt(t, 0, -1))
	p.Ask("delete", 5, deleteTopic(t.Name))
	p.Gone(t.Name)
	p.Ask("deleted", 7, offsetAt(t, 0, -1))
	again := p.TopicNamed(t.Name, 1)
	p.Ask("made again", 7, offsetAt(t, 0, -1))
	for v := Version(12); v <= 18; v++ {
		p.Ask("by the old id", v, fetchFrom(t, 0, 0))
		p.Ask("by the new id", v, fetchFrom(again, 0, 0))
	}
	p.Ask("produce by the old id", 13, produceTo(13, t, 0, values(1).encode()))
	p.Ask("produce by the new id", 13, produceTo(13, again, 0, values(1).encode()))
	p.Ask("commit by the old id", 10, commit(p.Fresh(), t, 0, 1))
	group := p.Fresh()
	p.Ask("commit by the new id", 10, commit(group, again, 0, 1))
	p.Ask("committed by the old id", 10, fetchOffsets(group, t, 0))
	p.Ask("committed by the new id", 10, fetchOffsets(group, again, 0))
	p.Ask("delete again", 6, deleteTopic(t.Name))
	p.Gone(t.Name)
	p.Until("the commits have gone too", func() bool {
		resp := p.Quiet(7, fetchOffsets(group, again, 0)).(*kmsg.OffsetFetchResponse)
		return len(resp.Topics) == 1 && resp.Topics[0].Partitions[0].Offset < 0
	})
	p.Ask("commits of a deleted topic", 7, fetchOffsets(group, again, 0))
}

func deleteEdges(p *play.Play) {
	for v := Version(0); v <= 2; v++ {
		t := filled(p)
		for _, offset := range []int64{0, 1, 1, 0, 3, 4, 6, 100, -2, 5, 5, -1} {
			p.Ask("before", v, deleteBefore(t, 0, offset))
			p.Ask("start", 7, offsetAt(t, 0, -2))
		}
		p.Ask("fetch at the end", 12, fetchFrom(t, 0, 5))
		put(p, t, 0, values(1))
		p.Ask("fetch what came after", 12, fetchFrom(t, 0, 5))
		p.Ask("all again", v, deleteBefore(t, 0, -1))
		empty := p.Topic(1)
		p.Ask("empty, all", v, deleteBefore(empty, 0, -1))
		p.Ask("empty, zero", v, deleteBefore(empty, 0, 0))
		p.Ask("empty, one", v, deleteBefore(empty, 0, 1))
	}
}

func deletePolicies(p *play.Play) {
	for _, policy := range []string{"compact", "compact,delete", "delete"} {
		t := p.Topic(1, "cleanup.policy", policy)
		put(p, t, 0, keyed(2))
		for v := Version(0); v <= 2; v++ {
			p.Ask(policy, v, deleteBefore(t, 0, 1))
		}
	}
}

func deleteTargets(p *play.Play) {
	t := filled(p)
	for v := Version(0); v <= 2; v++ {
		p.Ask("unknown topic", v, deleteBefore(play.Topic{Name: p.Name("none")}, 0, 1))
		p.Ask("unknown partition", v, deleteBefore(t, 3, 1))
		req := deleteBefore(t, 0, 1)
		req.Topics = append(req.Topics, deleteBefore(play.Topic{Name: p.Name("none")}, 0, 1).Topics...)
		p.Ask("known and unknown", v, req)
		p.Ask("internal topic", v, deleteBefore(play.Topic{Name: "__consumer_offsets"}, 0, 0))
		req.Topics = nil
		p.Ask("nothing", v, req)
	}
}

func epochEnds(p *play.Play) {
	t, empty := filled(p), p.Topic(1)
	for v := Version(2); v <= 4; v++ {
		for _, current := range []int32{-1, 0, 1} {
			for _, epoch := range []int32{-1, 0, 1, 100} {
				p.Ask("filled", v, epochEnd(t, 0, current, epoch))
				p.Ask("empty", v, epochEnd(empty, 0, current, epoch))
			}
		}
	}
	p.Quiet(2, deleteBefore(t, 0, 4))
	p.Ask("cut", 4, epochEnd(t, 0, -1, 0))
	p.Quiet(2, deleteBefore(t, 0, -1))
	p.Ask("deleted", 4, epochEnd(t, 0, -1, 0))
}

func epochTargets(p *play.Play) {
	t := p.Topic(2)
	for v := Version(2); v <= 4; v++ {
		p.Ask("unknown topic", v, epochEnd(play.Topic{Name: p.Name("none")}, 0, -1, 0))
		p.Ask("unknown partition", v, epochEnd(t, 2, -1, 0))
		req := epochEnd(t, 0, -1, 0)
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, epochEnd(t, 1, 0, 0).Topics[0].Partitions...)
		req.Topics = append(req.Topics, epochEnd(play.Topic{Name: p.Name("none")}, 0, -1, 0).Topics...)
		p.Ask("several", v, req)
		req = epochEnd(t, 0, -1, 0)
		req.ReplicaID = 1
		p.Ask("as a replica", v, req)
		req = kmsg.NewPtrOffsetForLeaderEpochRequest()
		p.Ask("nothing", v, req)
	}
}
