package play

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Name is a name for a topic, a group or the like that no other case has.
func (p *Play) Name(suffix string) string { return strings.ReplaceAll(p.name, "/", "-") + "-" + suffix }

// Fresh is a name that this case has not had yet.
func (p *Play) Fresh() string {
	p.topics++
	return p.Name(fmt.Sprintf("%03d", p.topics))
}

// Topic is one that exists.
type Topic struct {
	Name string
	ID   [16]byte
}

// Topic makes a topic with a name of its own and waits until it is served. Configs
// are names and values in turn.
func (p *Play) Topic(partitions int32, configs ...string) Topic {
	return p.TopicNamed(p.Fresh(), partitions, configs...)
}

// TopicNamed is Topic with a name.
func (p *Play) TopicNamed(name string, partitions int32, configs ...string) Topic {
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
	resp := p.Quiet(7, req).(*kmsg.CreateTopicsResponse)
	if len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 0 {
		p.Fail("topic %s not created: %+v", name, resp.Topics)
	}
	p.Served(name, partitions)
	return Topic{Name: name, ID: resp.Topics[0].TopicID}
}

// Served waits until all partitions of a topic answer.
func (p *Play) Served(name string, partitions int32) {
	req := kmsg.NewPtrListOffsetsRequest()
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = name
	for i := range partitions {
		q := kmsg.NewListOffsetsRequestTopicPartition()
		q.Partition, q.Timestamp = i, -1
		t.Partitions = append(t.Partitions, q)
	}
	req.Topics = append(req.Topics, t)
	p.Until(name+" is served", func() bool {
		resp := p.Quiet(7, req).(*kmsg.ListOffsetsResponse)
		for _, t := range resp.Topics {
			for _, q := range t.Partitions {
				if q.ErrorCode != 0 {
					return false
				}
			}
		}
		return len(resp.Topics) == 1
	})
	p.served[name] = partitions
	if p.first == "" {
		p.first = name
		p.masks.Leaders = map[int32]int{0: 0} // of any topic that is new
	}
}

// Gone waits until a topic is unknown.
func (p *Play) Gone(name string) {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &name
	req.Topics = append(req.Topics, t)
	p.Until(name+" is gone", func() bool {
		resp := p.Quiet(7, req).(*kmsg.MetadataResponse)
		return len(resp.Topics) == 1 && resp.Topics[0].ErrorCode == 3
	})
	delete(p.served, name)
}
