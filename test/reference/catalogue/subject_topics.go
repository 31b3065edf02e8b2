package catalogue

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

// topicSubjects are the APIs of topics, configurations and the cluster.
func topicSubjects() []subject {
	return []subject{
		{api: "Metadata", min: 0, max: 13, prepare: metadataSubject, skip: []string{"Topics empty", "Topics null"}},
		{api: "ApiVersions", min: 0, max: 4, prepare: apiVersionsSubject},
		{api: "CreateTopics", min: 2, max: 7, prepare: createTopicsSubject, skip: []string{"TimeoutMillis", "Topics.NumPartitions highest"}},
		{api: "DeleteTopics", min: 1, max: 6, prepare: deleteTopicsSubject, skip: []string{"TimeoutMillis"}},
		{api: "DescribeConfigs", min: 1, max: 4, prepare: describeConfigsSubject},
		{api: "AlterConfigs", min: 0, max: 2, prepare: alterConfigsSubject, skip: []string{"Resources doubled"}},
		{api: "DescribeLogDirs", min: 1, max: 4, prepare: logDirsSubject, skip: []string{"Topics null"}},
		{api: "CreatePartitions", min: 0, max: 3, prepare: createPartitionsSubject, skip: []string{"TimeoutMillis"}},
		{api: "IncrementalAlterConfigs", min: 0, max: 1, prepare: incrementalSubject},
		{api: "DescribeCluster", min: 0, max: 2, prepare: describeClusterSubject},
		{api: "DescribeTopicPartitions", min: 0, max: 0, prepare: topicPartitionsSubject},
	}
}

// metadataOf asks for topics by name.
func metadataOf(names ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	for _, n := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &n
		req.Topics = append(req.Topics, t)
	}
	return req
}

func metadataSubject(p *play.Play) func(v Version) kmsg.Request {
	t := p.Topic(2)
	return func(v Version) kmsg.Request { return metadataOf(t.Name) }
}

func apiVersionsSubject(p *play.Play) func(v Version) kmsg.Request {
	return func(v Version) kmsg.Request {
		req := kmsg.NewPtrApiVersionsRequest()
		req.ClientSoftwareName, req.ClientSoftwareVersion = "reference", "1.0"
		return req
	}
}

// createTopic makes a topic with configs, names and values in turn.
func createTopic(name string, partitions int32, configs ...string) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 60_000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		t.Configs = append(t.Configs, c)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func createTopicsSubject(p *play.Play) func(v Version) kmsg.Request {
	return func(v Version) kmsg.Request {
		return createTopic(p.Fresh(), 2, "cleanup.policy", "compact")
	}
}

// deleteTopic deletes a topic by name.
func deleteTopic(name string) *kmsg.DeleteTopicsRequest {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 60_000
	req.TopicNames = []string{name}
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = &name
	req.Topics = append(req.Topics, t)
	return req
}

func deleteTopicsSubject(p *play.Play) func(v Version) kmsg.Request {
	return func(v Version) kmsg.Request { return deleteTopic(p.Topic(1).Name) }
}

// configsOf describes a resource; no names mean all configs.
func configsOf(kind kmsg.ConfigResourceType, name string, configs ...string) *kmsg.DescribeConfigsRequest {
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kind, name, configs
	req.Resources = append(req.Resources, r)
	return req
}

func describeConfigsSubject(p *play.Play) func(v Version) kmsg.Request {
	t := p.Topic(1, "retention.bytes", "1000000")
	return func(v Version) kmsg.Request {
		return configsOf(kmsg.ConfigResourceTypeTopic, t.Name, "retention.bytes", "cleanup.policy")
	}
}

func alterConfigsSubject(p *play.Play) func(v Version) kmsg.Request {
	t := p.Topic(1)
	return func(v Version) kmsg.Request {
		req := kmsg.NewPtrAlterConfigsRequest()
		r := kmsg.NewAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, t.Name
		value := "12345678"
		c := kmsg.NewAlterConfigsRequestResourceConfig()
		c.Name, c.Value = "retention.bytes", &value
		r.Configs = append(r.Configs, c)
		req.Resources = append(req.Resources, r)
		return req
	}
}

func logDirsSubject(p *play.Play) func(v Version) kmsg.Request {
	t := filled(p)
	return func(v Version) kmsg.Request {
		req := kmsg.NewPtrDescribeLogDirsRequest()
		topic := kmsg.NewDescribeLogDirsRequestTopic()
		topic.Topic, topic.Partitions = t.Name, []int32{0}
		req.Topics = append(req.Topics, topic)
		return req
	}
}

// morePartitions raises the number of a topic's partitions.
func morePartitions(name string, count int32) *kmsg.CreatePartitionsRequest {
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = 60_000
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = name, count
	req.Topics = append(req.Topics, t)
	return req
}

func createPartitionsSubject(p *play.Play) func(v Version) kmsg.Request {
	return func(v Version) kmsg.Request { return morePartitions(p.Topic(1).Name, 3) }
}

// alter changes one config of a resource; a nil value is null.
func alter(kind kmsg.ConfigResourceType, resource, name string, op kmsg.IncrementalAlterConfigOp, value *string) *kmsg.IncrementalAlterConfigsRequest {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kind, resource
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Op, c.Value = name, op, value
	r.Configs = append(r.Configs, c)
	req.Resources = append(req.Resources, r)
	return req
}

func incrementalSubject(p *play.Play) func(v Version) kmsg.Request {
	t := p.Topic(1)
	return func(v Version) kmsg.Request {
		value := "12345678"
		return alter(kmsg.ConfigResourceTypeTopic, t.Name, "retention.bytes", kmsg.IncrementalAlterConfigOpSet, &value)
	}
}

func describeClusterSubject(p *play.Play) func(v Version) kmsg.Request {
	return func(v Version) kmsg.Request { return kmsg.NewPtrDescribeClusterRequest() }
}

func topicPartitionsSubject(p *play.Play) func(v Version) kmsg.Request {
	t := p.Topic(3)
	return func(v Version) kmsg.Request {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		topic := kmsg.NewDescribeTopicPartitionsRequestTopic()
		topic.Topic = t.Name
		req.Topics = append(req.Topics, topic)
		req.ResponsePartitionLimit = 100
		c := kmsg.NewDescribeTopicPartitionsRequestCursor()
		c.Topic, c.Partition = t.Name, 1
		req.Cursor = &c
		return req
	}
}
