package catalogue

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

func topics() []play.Case {
	return []play.Case{
		{Name: "topics/names", Run: topicNames},
		{Name: "topics/counts", Run: topicCounts},
		{Name: "topics/assignments", Run: topicAssignments},
		{Name: "topics/several", Run: topicsTogether},
		{Name: "topics/configs", Run: topicConfigs},
		{Name: "topics/validate", Run: topicsValidated},
		{Name: "topics/delete", Run: topicsDeleted},
		{Name: "topics/life", Run: topicLife},
		{Name: "topics/internal", Run: internalTopics},
		{Name: "partitions/counts", Run: partitionCounts},
		{Name: "partitions/assignments", Run: partitionAssignments},
		{Name: "partitions/several", Run: partitionsTogether},
		{Name: "metadata/targets", Run: metadataTargets},
		{Name: "metadata/ids", Run: metadataIDs},
		{Name: "metadata/operations", Run: metadataOperations},
		{Name: "metadata/described", Run: describedTopics},
		{Name: "metadata/cursors", Run: describedCursors},
		{Name: "metadata/cluster", Run: describedCluster},
		{Name: "metadata/dirs", Run: describedDirs},
	}
}

func topicNames(p *play.Play) {
	existing := p.Topic(1)
	names := map[string]string{
		"empty": "", "dot": ".", "dots": "..", "slash": "a/b", "space": "a b", "unicode": "\u00e9t\u00e9", "newline": "a\nb", "long": strings.Repeat("n", 250),
		"existing": existing.Name,
	}
	for v := Version(2); v <= 7; v++ {
		for _, name := range []string{"empty", "dot", "dots", "slash", "space", "unicode", "newline", "long", "existing"} {
			p.Ask(name, v, createTopic(names[name], 1))
		}
		plain := p.Fresh()
		p.Ask("with a dot", v, createTopic(plain+".x", 1))
		p.Ask("with an underscore in its place", v, createTopic(plain+"_x", 1))
		p.Ask("with two", v, createTopic(plain+".x_y", 1))
	}
	p.Ask("as long as can be", 7, createTopic(p.Name(strings.Repeat("n", 249-len(p.Name("")))), 1))
}

func topicCounts(p *play.Play) {
	for v := Version(2); v <= 7; v++ {
		for _, n := range []int32{0, -2, -1, 3} {
			p.Ask("partitions", v, createTopic(p.Fresh(), n))
		}
		for _, n := range []int16{0, -2, -1, 2, 32767} {
			req := createTopic(p.Fresh(), 1)
			req.Topics[0].ReplicationFactor = n
			p.Ask("replicas", v, req)
		}
		req := createTopic(p.Fresh(), -1)
		req.Topics[0].ReplicationFactor = -1
		p.Ask("all defaults", v, req)
		req.Topics = nil
		p.Ask("nothing", v, req)
	}
}

// assigned makes a topic with the replicas of each partition.
func assigned(name string, partitions []int32, replicas ...[]int32) *kmsg.CreateTopicsRequest {
	req := createTopic(name, -1)
	req.Topics[0].ReplicationFactor = -1
	for i, n := range partitions {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = n, replicas[i]
		req.Topics[0].ReplicaAssignment = append(req.Topics[0].ReplicaAssignment, a)
	}
	return req
}

func topicAssignments(p *play.Play) {
	one := []int32{1}
	for v := Version(2); v <= 7; v++ {
		p.Ask("right", v, assigned(p.Fresh(), []int32{0, 1}, one, one))
		p.Ask("in any order", v, assigned(p.Fresh(), []int32{1, 0}, one, one))
		p.Ask("gap", v, assigned(p.Fresh(), []int32{0, 2}, one, one))
		p.Ask("not from zero", v, assigned(p.Fresh(), []int32{1}, one))
		p.Ask("twice", v, assigned(p.Fresh(), []int32{0, 0}, one, one))
		p.Ask("negative", v, assigned(p.Fresh(), []int32{-1}, one))
		p.Ask("unknown broker", v, assigned(p.Fresh(), []int32{0}, []int32{7}))
		p.Ask("negative broker", v, assigned(p.Fresh(), []int32{0}, []int32{-1}))
		p.Ask("no broker", v, assigned(p.Fresh(), []int32{0}, nil))
		p.Ask("broker twice", v, assigned(p.Fresh(), []int32{0}, []int32{1, 1}))
		p.Ask("uneven", v, assigned(p.Fresh(), []int32{0, 1}, one, []int32{1, 7}))
		req := assigned(p.Fresh(), []int32{0}, one)
		req.Topics[0].NumPartitions = 1
		p.Ask("with a count", v, req)
		req = assigned(p.Fresh(), []int32{0}, one)
		req.Topics[0].ReplicationFactor = 1
		p.Ask("with a factor", v, req)
	}
}

func topicsTogether(p *play.Play) {
	for v := Version(2); v <= 7; v++ {
		req := createTopic(p.Fresh(), 1)
		req.Topics = append(req.Topics, createTopic(p.Fresh(), 2).Topics...)
		req.Topics = append(req.Topics, createTopic("not/valid", 1).Topics...)
		req.Topics = append(req.Topics, createTopic(p.Fresh(), 1, "no.such", "1").Topics...)
		p.Ask("", v, req)
		req = createTopic(p.Fresh(), 1)
		req.Topics = append(req.Topics, req.Topics[0])
		req.Topics = append(req.Topics, createTopic(p.Fresh(), 1).Topics...)
		p.Ask("one twice", v, req)
		dotted := p.Fresh()
		req = createTopic(dotted+".x", 1)
		req.Topics = append(req.Topics, createTopic(dotted+"_x", 1).Topics...)
		p.Ask("colliding", v, req)
	}
}

func topicConfigs(p *play.Play) {
	for v := Version(2); v <= 7; v++ {
		p.Ask("several", v, createTopic(p.Fresh(), 1, "cleanup.policy", "compact", "segment.bytes", "2000000", "retention.ms", "-1"))
		p.Ask("unknown", v, createTopic(p.Fresh(), 1, "no.such.config", "1"))
		p.Ask("wrong value", v, createTopic(p.Fresh(), 1, "retention.ms", "long"))
		p.Ask("out of bounds", v, createTopic(p.Fresh(), 1, "segment.bytes", "13"))
		p.Ask("twice", v, createTopic(p.Fresh(), 1, "retention.ms", "5", "retention.ms", "6"))
		p.Ask("of a broker", v, createTopic(p.Fresh(), 1, "num.partitions", "6"))
		p.Ask("empty name", v, createTopic(p.Fresh(), 1, "", "6"))
		req := createTopic(p.Fresh(), 1, "retention.ms", "5")
		req.Topics[0].Configs[0].Value = nil
		p.Ask("null", v, req)
		p.Ask("removed", v, createTopic(p.Fresh(), 1, "message.format.version", "2.0"))
	}
}

func topicsValidated(p *play.Play) {
	existing := p.Topic(1)
	for v := Version(2); v <= 7; v++ {
		name := p.Fresh()
		ask := func(note string, req *kmsg.CreateTopicsRequest) {
			req.ValidateOnly = true
			p.Ask(note, v, req)
		}
		ask("right", createTopic(name, 3, "retention.ms", "7"))
		ask("existing", createTopic(existing.Name, 1))
		ask("invalid name", createTopic("a/b", 1))
		ask("invalid config", createTopic(name, 1, "retention.ms", "x"))
		ask("no partitions", createTopic(name, 0))
		p.Ask("not there", 7, metadataOf(name))
		p.Ask("now for real", v, createTopic(name, 3))
	}
}

func topicsDeleted(p *play.Play) {
	for v := Version(1); v <= 6; v++ {
		t := p.Topic(1)
		p.Ask("unknown", v, deleteTopic(p.Name("none")))
		p.Ask("invalid", v, deleteTopic("a/b"))
		p.Ask("empty", v, deleteTopic(""))
		req := deleteTopic(t.Name)
		req.TopicNames = append(req.TopicNames, t.Name)
		req.Topics = append(req.Topics, req.Topics[0])
		p.Ask("twice", v, req)
		req = deleteTopic(t.Name)
		more := deleteTopic(p.Name("none"))
		req.TopicNames, req.Topics = append(req.TopicNames, more.TopicNames...), append(req.Topics, more.Topics...)
		p.Ask("known and unknown", v, req)
		req.TopicNames, req.Topics = nil, nil
		p.Ask("nothing", v, req)
	}
	byID := func(id [16]byte, name *string) *kmsg.DeleteTopicsRequest {
		req := deleteTopic("")
		req.Topics[0].Topic, req.Topics[0].TopicID = name, id
		return req
	}
	t, other := p.Topic(1), p.Topic(1)
	p.Ask("by an unknown id", 6, byID([16]byte{7, 7}, nil))
	p.Ask("by nothing", 6, byID([16]byte{}, nil))
	p.Ask("by id and name", 6, byID(t.ID, &t.Name))
	p.Ask("by id", 6, byID(t.ID, nil))
	p.Gone(t.Name)
	p.Ask("by id again", 6, byID(t.ID, nil))
	req := byID(other.ID, nil)
	req.Topics = append(req.Topics, deleteTopic(other.Name).Topics...)
	p.Ask("by id, and by name", 6, req)
	req = byID(other.ID, nil)
	req.Topics = append(req.Topics, req.Topics[0])
	p.Ask("by id twice", 6, req)
}

// topicLife follows one name through create, produce, alter, delete and create.
func topicLife(p *play.Play) {
	name := p.Fresh()
	value := "3600000"
	for range 2 {
		created := p.Ask("create", 7, createTopic(name, 1)).(*kmsg.CreateTopicsResponse)
		p.Served(name, 1)
		t := play.Topic{Name: name, ID: created.Topics[0].TopicID}
		p.Ask("metadata", 12, metadataOf(name))
		p.Ask("produce", 13, produceTo(13, t, 0, values(2).encode()))
		p.Ask("alter", 1, alter(kmsg.ConfigResourceTypeTopic, name, "retention.ms", kmsg.IncrementalAlterConfigOpSet, &value))
		p.Ask("more partitions", 3, morePartitions(name, 2))
		p.Served(name, 2)
		p.Ask("metadata after", 12, metadataOf(name))
		p.Ask("fetch", 13, fetchFrom(t, 0, 0))
		p.Ask("delete", 6, deleteTopic(name))
		p.Gone(name)
		p.Ask("metadata of none", 12, metadataOf(name))
		p.Ask("produce to none", 13, produceTo(13, t, 0, values(2).encode()))
		p.Ask("fetch from none", 13, fetchFrom(t, 0, 0))
	}
}

func internalTopics(p *play.Play) {
	p.Ask("create", 7, createTopic("__consumer_offsets", 1))
	p.Ask("metadata", 12, metadataOf("__consumer_offsets"))
	p.Ask("produce", 9, produceTo(9, play.Topic{Name: "__consumer_offsets"}, 0, values(1).encode()))
	p.Ask("describe", 4, configsOf(kmsg.ConfigResourceTypeTopic, "__consumer_offsets", "cleanup.policy", "compression.type", "segment.bytes"))
	p.Ask("described", 0, describeTopics(10, "__consumer_offsets"))
}

func partitionCounts(p *play.Play) {
	for v := Version(0); v <= 3; v++ {
		t := p.Topic(2)
		for _, n := range []int32{-1, 0, 1, 2, 3} {
			p.Ask("to", v, morePartitions(t.Name, n))
		}
		p.Served(t.Name, 3)
		p.Ask("unknown topic", v, morePartitions(p.Name("none"), 3))
		req := morePartitions(t.Name, 5)
		req.ValidateOnly = true
		p.Ask("validate", v, req)
		p.Ask("still", 7, metadataOf(t.Name))
		req.Topics = nil
		p.Ask("nothing", v, req)
	}
}

func partitionAssignments(p *play.Play) {
	for v := Version(0); v <= 3; v++ {
		t := p.Topic(1)
		ask := func(note string, count int32, replicas ...[]int32) {
			req := morePartitions(t.Name, count)
			for _, r := range replicas {
				a := kmsg.NewCreatePartitionsRequestTopicAssignment()
				a.Replicas = r
				req.Topics[0].Assignment = append(req.Topics[0].Assignment, a)
			}
			p.Ask(note, v, req)
		}
		ask("too few", 3, []int32{1})
		ask("too many", 2, []int32{1}, []int32{1})
		ask("unknown broker", 2, []int32{9})
		ask("broker twice", 2, []int32{1, 1})
		ask("no broker", 2, nil)
		ask("uneven", 3, []int32{1}, []int32{1, 2})
		ask("right", 3, []int32{1}, []int32{1})
	}
}

func partitionsTogether(p *play.Play) {
	for v := Version(0); v <= 3; v++ {
		t, other := p.Topic(1), p.Topic(1)
		req := morePartitions(t.Name, 2)
		req.Topics = append(req.Topics, req.Topics[0])
		req.Topics = append(req.Topics, morePartitions(other.Name, 3).Topics...)
		req.Topics = append(req.Topics, morePartitions(p.Name("none"), 3).Topics...)
		p.Ask("", v, req)
	}
}

func metadataTargets(p *play.Play) {
	t, other := p.Topic(2), p.Topic(1)
	for v := Version(0); v <= 13; v++ {
		p.Ask("two", v, metadataOf(t.Name, other.Name))
		p.Ask("known and unknown", v, metadataOf(t.Name, p.Name("none")))
		p.Ask("invalid", v, metadataOf("a/b"))
		p.Ask("empty", v, metadataOf(""))
		p.Ask("dots", v, metadataOf(".."))
		p.Ask("long", v, metadataOf(strings.Repeat("x", 250)))
		p.Ask("twice", v, metadataOf(t.Name, t.Name))
		if v >= 4 {
			req := metadataOf(p.Name("none"))
			req.AllowAutoTopicCreation = true
			p.Ask("create", v, req)
		}
		if v >= 1 {
			p.Ask("nothing", v, metadataOf())
		}
	}
}

func metadataIDs(p *play.Play) {
	t := p.Topic(2)
	byID := func(id [16]byte) *kmsg.MetadataRequest {
		req := metadataOf("")
		req.Topics[0].Topic, req.Topics[0].TopicID = nil, id
		return req
	}
	for v := Version(10); v <= 13; v++ {
		p.Ask("known", v, byID(t.ID))
		p.Ask("unknown", v, byID([16]byte{4, 4}))
		req := byID(t.ID)
		req.Topics = append(req.Topics, byID([16]byte{4, 4}).Topics...)
		p.Ask("both", v, req)
		req = byID(t.ID)
		req.Topics = append(req.Topics, metadataOf(t.Name).Topics...)
		p.Ask("by id and by name", v, req)
		req = byID(t.ID)
		req.Topics[0].Topic = &t.Name
		p.Ask("with its name", v, req)
	}
}

func metadataOperations(p *play.Play) {
	t := p.Topic(1)
	for v := Version(8); v <= 13; v++ {
		req := metadataOf(t.Name)
		req.IncludeTopicAuthorizedOperations, req.IncludeClusterAuthorizedOperations = true, true
		p.Ask("both", v, req)
		req = metadataOf(t.Name, p.Name("none"))
		req.IncludeTopicAuthorizedOperations = true
		p.Ask("of topics", v, req)
	}
}

// describeTopics asks for partitions, at most so many.
func describeTopics(limit int32, names ...string) *kmsg.DescribeTopicPartitionsRequest {
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	for _, n := range names {
		t := kmsg.NewDescribeTopicPartitionsRequestTopic()
		t.Topic = n
		req.Topics = append(req.Topics, t)
	}
	req.ResponsePartitionLimit = limit
	return req
}

func describedTopics(p *play.Play) {
	t, other := p.Topic(3), p.Topic(2)
	p.Ask("two", 0, describeTopics(100, t.Name, other.Name))
	p.Ask("two in reverse", 0, describeTopics(100, other.Name, t.Name))
	p.Ask("unknown", 0, describeTopics(100, p.Name("none")))
	p.Ask("invalid", 0, describeTopics(100, "a/b"))
	p.Ask("twice", 0, describeTopics(100, t.Name, t.Name))
	for _, limit := range []int32{0, -1, 1, 2, 3, 4, 5, 6} {
		p.Ask("limit", 0, describeTopics(limit, t.Name, other.Name))
	}
}

func describedCursors(p *play.Play) {
	t, other := p.Topic(3), p.Topic(2)
	for _, topic := range []string{t.Name, other.Name, p.Name("none"), p.Name("000"), ""} {
		for _, partition := range []int32{0, 1, 2, 3, -1} {
			req := describeTopics(2, t.Name, other.Name)
			c := kmsg.NewDescribeTopicPartitionsRequestCursor()
			c.Topic, c.Partition = topic, partition
			req.Cursor = &c
			p.Ask("from", 0, req)
		}
	}
}

func describedCluster(p *play.Play) {
	for v := Version(0); v <= 2; v++ {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.IncludeClusterAuthorizedOperations = true
		p.Ask("operations", v, req)
		if v >= 1 {
			for _, kind := range []int8{0, 1, 2, 3} {
				req := kmsg.NewPtrDescribeClusterRequest()
				req.EndpointType = kind
				p.Ask("endpoints", v, req)
			}
		}
		if v >= 2 {
			req := kmsg.NewPtrDescribeClusterRequest()
			req.IncludeFencedBrokers = true
			p.Ask("fenced", v, req)
		}
	}
}

func describedDirs(p *play.Play) {
	t, empty := filled(p), p.Topic(2)
	for v := Version(1); v <= 4; v++ {
		ask := func(note string, name string, partitions ...int32) {
			req := kmsg.NewPtrDescribeLogDirsRequest()
			topic := kmsg.NewDescribeLogDirsRequestTopic()
			topic.Topic, topic.Partitions = name, partitions
			req.Topics = []kmsg.DescribeLogDirsRequestTopic{topic}
			p.Ask(note, v, req)
		}
		ask("filled", t.Name, 0)
		ask("empty", empty.Name, 0, 1)
		ask("unknown partition", empty.Name, 0, 5)
		ask("unknown topic", p.Name("none"), 0)
		ask("no partitions", t.Name)
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Topics = []kmsg.DescribeLogDirsRequestTopic{}
		p.Ask("nothing", v, req)
	}
}
