package catalogue

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

// auto are cases of a broker that makes topics when they are asked for.
func auto() []play.Case {
	return []play.Case{
		{Name: "auto/metadata", Run: autoMetadata},
		{Name: "auto/produce", Run: autoProduce},
	}
}

func autoMetadata(p *play.Play) {
	for v := Version(0); v <= 13; v++ {
		name := p.Fresh()
		p.Ask("first", v, metadataOf(name))
		if v < 4 {
			p.Served(name, 2)
		}
		p.Ask("then", v, metadataOf(name))
		p.Ask("invalid", v, metadataOf("a/b"))
		if v >= 4 {
			req := metadataOf(name)
			req.AllowAutoTopicCreation = true
			p.Ask("allowed", v, req)
			p.Served(name, 2)
			p.Ask("allowed, then", v, req)
			p.Ask("described", 0, describeTopics(10, name))
		}
	}
}

func autoProduce(p *play.Play) {
	for _, v := range []Version{3, 9, 12} {
		t := play.Topic{Name: p.Fresh()}
		p.Ask("unknown", v, produceTo(v, t, 0, values(1).encode()))
		p.Ask("not made", 7, func() kmsg.Request {
			req := metadataOf(t.Name)
			req.AllowAutoTopicCreation = false
			return req
		}())
	}
}

// strict are cases of a broker that refuses what others allow.
func strict() []play.Case {
	return []play.Case{
		{Name: "strict/delete", Run: strictDelete},
		{Name: "strict/groups", Run: strictGroups},
	}
}

func strictDelete(p *play.Play) {
	t := p.Topic(1)
	for v := Version(1); v <= 6; v++ {
		p.Ask("known", v, deleteTopic(t.Name))
		p.Ask("unknown", v, deleteTopic(p.Name("none")))
	}
}

func strictGroups(p *play.Play) {
	group := p.Fresh()
	p.Ask("short session", 9, short(join(group, ""), 9_999))
	p.Ask("long session", 9, short(join(group, ""), 60_001))
	for v := Version(0); v <= 9; v++ {
		p.Ask("short", v, short(join(p.Fresh(), ""), 5))
	}
	full := p.Fresh()
	stable(p, full, "")
	p.Ask("one too many", 3, join(full, ""))
	p.Ask("one too many, at first", 9, join(full, ""))
	t := known(p, 1)
	long := commit(p.Fresh(), t, 0, 1)
	metadata := "more than eight"
	long.Topics[0].Partitions[0].Metadata = &metadata
	for v := Version(2); v <= 10; v++ {
		p.Ask("long metadata", v, long)
	}
	consumers := p.Fresh()
	p.Ask("one consumer", 1, beat(consumers, memberID, 0, t.Name))
	p.Ask("one consumer too many", 1, beat(consumers, "AAAAAAAAAAAAAAAAAAAAAg", 0, t.Name))
}

// short is a join with another session timeout.
func short(req *kmsg.JoinGroupRequest, millis int32) *kmsg.JoinGroupRequest {
	req.SessionTimeoutMillis = millis
	return req
}
