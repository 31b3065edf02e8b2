package catalogue

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

func fetch() []play.Case {
	return []play.Case{
		{Name: "fetch/offsets", Run: fetchPlaces},
		{Name: "fetch/sizes", Run: fetchSizes},
		{Name: "fetch/epochs", Run: fetchEpochs},
		{Name: "fetch/targets", Run: fetchTargets},
		{Name: "fetch/isolation", Run: fetchIsolation},
		{Name: "fetch/wait", Run: fetchWait},
		{Name: "fetch/sessions", Run: fetchSessions},
		{Name: "fetch/session-errors", Run: fetchSessionErrors},
		{Name: "fetch/session-changes", Run: fetchSessionChanges},
		{Name: "fetch/session-topics", Run: fetchSessionTopics},
	}
}

func fetchPlaces(p *play.Play) {
	t := filled(p)
	empty := p.Topic(1)
	for v := Version(4); v <= 18; v++ {
		for _, offset := range []int64{1, 2, 3, 4, 5, 6, -1, -2} {
			p.Ask("from", v, fetchFrom(t, 0, offset))
		}
		p.Ask("empty", v, fetchFrom(empty, 0, 0))
		p.Ask("beyond empty", v, fetchFrom(empty, 0, 1))
	}
	p.Quiet(2, deleteBefore(t, 0, 4))
	for v := Version(4); v <= 18; v++ {
		p.Ask("deleted", v, fetchFrom(t, 0, 3))
		p.Ask("inside what is left", v, fetchFrom(t, 0, 4))
	}
}

func fetchSizes(p *play.Play) {
	t := p.Topic(3)
	for i := range int32(3) {
		put(p, t, i, values(3))
		put(p, t, i, values(2))
	}
	all := func(total, each int32) *kmsg.FetchRequest {
		req := fetchFrom(t, 0, 0)
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, fetchTopic(t, 1, 0).Partitions[0], fetchTopic(t, 2, 0).Partitions[0])
		req.MaxBytes = total
		for i := range req.Topics[0].Partitions {
			req.Topics[0].Partitions[i].PartitionMaxBytes = each
		}
		return req
	}
	for v := Version(4); v <= 18; v++ {
		p.Ask("nothing allowed", v, all(0, 0))
		p.Ask("one byte", v, all(1, 1))
		p.Ask("one byte each", v, all(1<<20, 1))
		p.Ask("one byte in all", v, all(1, 1<<20))
		p.Ask("one batch each", v, all(1<<20, 110))
		p.Ask("three batches", v, all(300, 1<<20))
	}
}

func fetchEpochs(p *play.Play) {
	t := filled(p)
	for v := Version(9); v <= 18; v++ {
		for _, epoch := range []int32{-1, 0, 1, 100} {
			req := fetchFrom(t, 0, 0)
			req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
			p.Ask("current", v, req)
		}
	}
	for v := Version(12); v <= 18; v++ {
		for _, last := range []int32{-1, 0, 1, 100} {
			for _, offset := range []int64{0, 5, 6} {
				req := fetchFrom(t, 0, offset)
				req.Topics[0].Partitions[0].CurrentLeaderEpoch, req.Topics[0].Partitions[0].LastFetchedEpoch = 0, last
				p.Ask("last fetched", v, req)
			}
		}
	}
}

func fetchTargets(p *play.Play) {
	t := filled(p)
	for v := Version(4); v <= 18; v++ {
		p.Ask("unknown topic", v, fetchFrom(play.Topic{Name: p.Name("none"), ID: [16]byte{3, 4}}, 0, 0))
		p.Ask("unknown partition", v, fetchFrom(t, 1, 0))
		p.Ask("negative partition", v, fetchFrom(t, -1, 0))
		p.Ask("empty name", v, fetchFrom(play.Topic{}, 0, 0))
		req := fetchFrom(t, 0, 0)
		req.Topics = append(req.Topics, fetchTopic(play.Topic{Name: p.Name("none"), ID: [16]byte{3, 4}}, 0, 0))
		p.Ask("known and unknown", v, req)
		req = fetchFrom(t, 0, 0)
		req.Topics = nil
		p.Ask("nothing", v, req)
		req = fetchFrom(t, 0, 0)
		req.ReplicaID = 5
		if v >= 15 {
			req.ReplicaState.ID = 5
		}
		p.Ask("as a replica", v, req)
		req = fetchFrom(t, 0, 0)
		req.Rack = "rack"
		p.Ask("rack", v, req)
	}
}

func fetchIsolation(p *play.Play) {
	t := filled(p)
	for v := Version(4); v <= 18; v++ {
		req := fetchFrom(t, 0, 0)
		req.IsolationLevel = 1
		p.Ask("committed", v, req)
		req = fetchFrom(t, 0, 9)
		req.IsolationLevel = 1
		p.Ask("committed, out of range", v, req)
		req = fetchFrom(t, 0, 5)
		req.IsolationLevel = 1
		p.Ask("committed, at the end", v, req)
	}
}

// fetchWait has requests that wait: for nothing, and for a record that comes.
func fetchWait(p *play.Play) {
	t := filled(p)
	for _, v := range []Version{4, 11, 12, 13, 18} {
		req := fetchFrom(t, 0, 5)
		req.MinBytes, req.MaxWaitMillis = 1, 5
		p.Ask("in vain", v, req)
		req = fetchFrom(t, 0, 0)
		req.MinBytes, req.MaxWaitMillis = 1<<20, 5
		p.Ask("too little", v, req)
		req = fetchFrom(t, 0, 99)
		req.MinBytes, req.MaxWaitMillis = 1<<20, 60_000
		p.Ask("not after an error", v, req)
	}
	waiter := p.Client("waiter")
	offset := int64(5)
	for _, v := range []Version{4, 11, 12, 13, 18} {
		req := fetchFrom(t, 0, offset)
		req.MinBytes, req.MaxWaitMillis = 1, 60_000
		waiter.Send(v, req)
		p.Ask("meanwhile", 9, produceTo(9, t, 0, values(1).encode()))
		waiter.Take("waited")
		offset++
	}
}

// session is a request within a session.
func session(id, epoch int32, topics ...kmsg.FetchRequestTopic) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MaxBytes, req.SessionID, req.SessionEpoch = -1, 0, 1<<20, id, epoch
	req.Topics = topics
	return req
}

// opened opens a session for a topic's partitions.
func opened(p *play.Play, v Version, t play.Topic, partitions ...int32) int32 {
	var topics []kmsg.FetchRequestTopic
	for _, q := range partitions {
		topics = append(topics, fetchTopic(t, q, 0))
	}
	return p.Ask("open", v, session(0, 0, topics...)).(*kmsg.FetchResponse).SessionID
}

func fetchSessions(p *play.Play) {
	for v := Version(7); v <= 18; v++ {
		t := p.Topic(2)
		put(p, t, 0, values(2))
		id := opened(p, v, t, 0, 1)
		p.Ask("nothing new but unread", v, session(id, 1))
		p.Ask("read on", v, session(id, 2, fetchTopic(t, 0, 2)))
		p.Ask("nothing new", v, session(id, 3))
		put(p, t, 1, values(1))
		p.Ask("the other partition", v, session(id, 4))
		req := session(id, 5)
		forget := kmsg.NewFetchRequestForgottenTopic()
		forget.Topic, forget.TopicID, forget.Partitions = t.Name, t.ID, []int32{1}
		req.ForgottenTopics = append(req.ForgottenTopics, forget)
		p.Ask("forget", v, req)
		p.Ask("forgotten", v, session(id, 6))
		put(p, t, 0, values(1))
		p.Ask("the one that is left", v, session(id, 7))
		p.Ask("close", v, session(id, -1))
		p.Ask("closed session", v, session(id, 8))
	}
}

func fetchSessionErrors(p *play.Play) {
	for v := Version(7); v <= 18; v++ {
		t := p.Topic(1)
		put(p, t, 0, values(2))
		p.Ask("unknown session", v, session(123456, 1))
		p.Ask("unknown session, full", v, session(123456, 0, fetchTopic(t, 0, 0)))
		p.Ask("no session with an epoch", v, session(0, 1, fetchTopic(t, 0, 0)))
		p.Ask("no session, no topics", v, session(0, -1))
		id := opened(p, v, t, 0)
		p.Ask("epoch again", v, session(id, 2))
		p.Ask("epoch far", v, session(id, 100))
		p.Ask("right epoch", v, session(id, 1))
		p.Ask("epoch passed", v, session(id, 1))
		p.Ask("negative epoch", v, session(id, -2))
		p.Ask("full in its place", v, session(id, 0, fetchTopic(t, 0, 0)))
		p.Ask("the old one", v, session(id, 2))
		p.Ask("open with nothing", v, session(0, 0))
	}
}

func fetchSessionChanges(p *play.Play) {
	for _, v := range []Version{7, 12, 13, 18} {
		t, other := p.Topic(1), p.Topic(1)
		put(p, t, 0, values(2))
		put(p, other, 0, values(1))
		id := opened(p, v, t, 0)
		p.Ask("one more", v, session(id, 1, fetchTopic(other, 0, 0)))
		p.Ask("out of range", v, session(id, 2, fetchTopic(other, 0, 50)))
		p.Ask("still out of range", v, session(id, 3))
		p.Ask("back in range", v, session(id, 4, fetchTopic(other, 0, 1)))
		p.Ask("unknown partition", v, session(id, 5, fetchTopic(other, 3, 0)))
		p.Ask("still unknown partition", v, session(id, 6))
		p.Quiet(2, deleteBefore(other, 0, 1))
		p.Ask("log start moved", v, session(id, 7, fetchTopic(t, 0, 2)))
		p.Ask("nothing moved", v, session(id, 8))
	}
}

func fetchSessionTopics(p *play.Play) {
	for _, v := range []Version{7, 12, 13, 18} {
		t, other := p.Topic(1), p.Topic(1)
		put(p, t, 0, values(2))
		put(p, other, 0, values(2))
		req := session(0, 0, fetchTopic(t, 0, 2), fetchTopic(other, 0, 0))
		id := p.Ask("open", v, req).(*kmsg.FetchResponse).SessionID
		unknown := play.Topic{Name: p.Name("none"), ID: [16]byte{8, 8}}
		p.Ask("add an unknown topic", v, session(id, 1, fetchTopic(unknown, 0, 0)))
		p.Ask("still unknown", v, session(id, 2))
		p.Quiet(4, deleteTopic(other.Name))
		p.Gone(other.Name)
		p.Ask("one topic deleted", v, session(id, 3))
		p.Ask("by name and by id", 12+13-max(v, 12), session(id, 4))
	}
}
