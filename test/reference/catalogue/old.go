package catalogue

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

// Old are versions of an API that Kafka no longer serves, and what is asked of them.
// They have to tell what the lowest version tells that is compared with Kafka.
type Old struct {
	API  string
	Last Version // all from 0 to it
	Ask  func(p *play.Play, v Version)
}

// OldVersions are all that the server has.
func OldVersions() []Old {
	return []Old{
		{"ListOffsets", 0, oldListOffsets},
		{"OffsetCommit", 1, oldOffsetCommit},
		{"OffsetFetch", 0, oldOffsetFetch},
		{"CreateTopics", 1, oldCreateTopics},
		{"DeleteTopics", 0, oldDeleteTopics},
		{"OffsetForLeaderEpoch", 1, oldEpochEnds},
		{"DescribeConfigs", 0, oldDescribeConfigs},
		{"DescribeLogDirs", 0, oldLogDirs},
	}
}

func oldListOffsets(p *play.Play, v Version) {
	t, empty, cut := filled(p), p.Topic(1), filled(p)
	p.Quiet(2, deleteBefore(cut, 0, 4))
	for _, time := range []int64{-1, -2} {
		for _, x := range []play.Topic{t, empty, cut} {
			p.Ask("offset", v, offsetAt(x, 0, time))
		}
	}
	p.Ask("unknown partition", v, offsetAt(t, 7, -1))
	p.Ask("unknown topic", v, offsetAt(play.Topic{Name: p.Name("none")}, 0, -1))
}

func oldOffsetCommit(p *play.Play, v Version) {
	t, group := p.Topic(2), p.Fresh()
	p.Ask("commit", v, commit(group, t, 1, 5))
	p.Ask("fetched", 9, fetchOffsets(group, t, 0, 1))
	p.Ask("no group", v, commit("", t, 1, 5))
	p.Ask("unknown partition", v, commit(group, t, 7, 5))
	p.Ask("unknown topic", v, commit(group, play.Topic{Name: p.Name("none")}, 0, 5))
}

func oldOffsetFetch(p *play.Play, v Version) {
	t, group := p.Topic(2), p.Fresh()
	committed(p, group, t, 5)
	p.Ask("committed and not", v, fetchOffsets(group, t, 0, 1))
	p.Ask("unknown partition", v, fetchOffsets(group, t, 7))
	p.Ask("unknown group", v, fetchOffsets(p.Name("none"), t, 0))
}

func oldCreateTopics(p *play.Play, v Version) {
	name := p.Fresh()
	p.Ask("create", v, createTopic(name, 2, "cleanup.policy", "compact"))
	p.Served(name, 2)
	p.Ask("created", 12, metadataOf(name))
	p.Ask("its config", 4, configsOf(kmsg.ConfigResourceTypeTopic, name, "cleanup.policy"))
	p.Ask("create again", v, createTopic(name, 2))
	p.Ask("no partitions", v, createTopic(p.Fresh(), 0))
	p.Ask("invalid name", v, createTopic("a/b", 1))
	p.Ask("invalid config", v, createTopic(p.Fresh(), 1, "cleanup.policy", "none"))
	req := createTopic(p.Fresh(), 1)
	req.Topics[0].ReplicationFactor = 5
	p.Ask("too many replicas", v, req)
}

func oldDeleteTopics(p *play.Play, v Version) {
	t := p.Topic(1)
	p.Ask("delete", v, deleteTopic(t.Name))
	p.Gone(t.Name)
	p.Ask("deleted", 12, metadataOf(t.Name))
	p.Ask("delete again", v, deleteTopic(t.Name))
}

func oldEpochEnds(p *play.Play, v Version) {
	t := filled(p)
	for _, epoch := range []int32{-1, 0, 1} {
		p.Ask("end", v, epochEnd(t, 0, -1, epoch))
	}
	p.Ask("unknown partition", v, epochEnd(t, 7, -1, 0))
	p.Ask("unknown topic", v, epochEnd(play.Topic{Name: p.Name("none")}, 0, -1, 0))
}

func oldDescribeConfigs(p *play.Play, v Version) {
	t := p.Topic(1, "retention.bytes", "1000000")
	p.Ask("topic", v, configsOf(kmsg.ConfigResourceTypeTopic, t.Name))
	p.Ask("unknown topic", v, configsOf(kmsg.ConfigResourceTypeTopic, p.Name("none")))
	p.Ask("broker", v, configsOf(kmsg.ConfigResourceTypeBroker, "1"))
	p.Ask("unknown kind", v, configsOf(99, "1"))
}

func oldLogDirs(p *play.Play, v Version) {
	t := filled(p)
	req := kmsg.NewPtrDescribeLogDirsRequest()
	topic := kmsg.NewDescribeLogDirsRequestTopic()
	topic.Topic, topic.Partitions = t.Name, []int32{0, 7}
	req.Topics = append(req.Topics, topic)
	p.Ask("known and unknown partition", v, req)
}
