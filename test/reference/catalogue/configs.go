package catalogue

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

func configs() []play.Case {
	cases := []play.Case{
		{Name: "configs/resources", Run: configResources},
		{Name: "configs/names", Run: configNames},
		{Name: "configs/operations", Run: configOperations},
		{Name: "configs/replace", Run: configsReplaced},
		{Name: "configs/values", Run: configValues},
		{Name: "configs/several", Run: configsTogether},
		{Name: "configs/groups", Run: groupConfigs},
		{Name: "configs/defaults", Run: brokerDefaults},
	}
	for _, c := range topicSettings {
		cases = append(cases, play.Case{Name: "bounds-topic/" + c, Run: func(p *play.Play) {
			bounds(p, kmsg.ConfigResourceTypeTopic, p.Topic(1).Name, c)
		}})
	}
	for _, c := range brokerSettings {
		cases = append(cases, play.Case{Name: "bounds-broker/" + c, Run: func(p *play.Play) {
			bounds(p, kmsg.ConfigResourceTypeBroker, "", c)
		}})
	}
	for _, c := range groupSettings {
		cases = append(cases, play.Case{Name: "bounds-group/" + c, Run: func(p *play.Play) {
			bounds(p, kmsg.ConfigResourceTypeGroupConfig, p.Fresh(), c)
		}})
	}
	return cases
}

// topicSettings are all that topics have.
var topicSettings = []string{
	"cleanup.policy", "compression.gzip.level", "compression.lz4.level", "compression.type", "compression.zstd.level", "delete.retention.ms",
	"file.delete.delay.ms", "flush.messages", "flush.ms", "follower.replication.throttled.replicas", "index.interval.bytes",
	"leader.replication.throttled.replicas", "local.retention.bytes", "local.retention.ms", "max.compaction.lag.ms", "max.message.bytes",
	"message.timestamp.after.max.ms", "message.timestamp.before.max.ms", "message.timestamp.type", "min.cleanable.dirty.ratio",
	"min.compaction.lag.ms", "min.insync.replicas", "preallocate", "remote.log.copy.disable", "remote.log.delete.on.disable",
	"remote.storage.enable", "retention.bytes", "retention.ms", "segment.bytes", "segment.index.bytes", "segment.jitter.ms", "segment.ms",
	"unclean.leader.election.enable", "no.such.config", "message.format.version", "message.timestamp.difference.max.ms",
}

// brokerSettings are some of each kind: that may be changed for all brokers, for
// one, and not at all.
var brokerSettings = []string{
	"log.retention.ms", "log.retention.bytes", "log.segment.bytes", "log.cleanup.policy", "log.roll.ms", "log.flush.interval.ms",
	"log.flush.interval.messages", "log.index.interval.bytes", "log.index.size.max.bytes", "log.message.timestamp.type",
	"log.message.timestamp.after.max.ms", "log.message.timestamp.before.max.ms", "log.cleaner.min.cleanable.ratio",
	"log.cleaner.delete.retention.ms", "log.cleaner.max.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms", "log.preallocate",
	"log.segment.delete.delay.ms", "message.max.bytes", "min.insync.replicas", "compression.type", "unclean.leader.election.enable",
	"log.cleaner.threads", "log.cleaner.backoff.ms", "num.io.threads", "num.network.threads", "background.threads",
	"max.connections", "max.connections.per.ip", "num.partitions", "auto.create.topics.enable", "log.dirs", "no.such.config",
	"log.retention.hours", "group.max.size", "delete.topic.enable",
}

// groupSettings are those of groups.
var groupSettings = []string{"consumer.session.timeout.ms", "consumer.heartbeat.interval.ms", "no.such.config"}

// bounds tries values of a config, without setting them.
func bounds(p *play.Play, kind kmsg.ConfigResourceType, resource, name string) {
	for _, value := range []string{
		"-131073", "-131072", "-3", "-2", "-1", "0", "1", "3", "4", "9", "10", "13", "14", "17", "18", "22", "23", "100", "5000", "60001", "1048575", "1048576",
		"2147483647", "2147483648", "9223372036854775807", "9223372036854775808", "", " 7000000 ", "0.5", "1.0", "1.1",
		"TRUE", "false", "yes", "compact", "delete, compact", "compact,compact", "gzip", "zstd", "producer",
		"CreateTime", "createtime", "*", "0:1,1:1", "x",
	} {
		req := alter(kind, resource, name, kmsg.IncrementalAlterConfigOpSet, &value)
		req.ValidateOnly = true
		p.Ask(fmt.Sprintf("%q", value), 1, req)
	}
	req := alter(kind, resource, name, kmsg.IncrementalAlterConfigOpSet, nil)
	req.ValidateOnly = true
	p.Ask("null", 1, req)
}

// set is the operation that gives a config a value.
const (
	set      = kmsg.IncrementalAlterConfigOpSet
	remove   = kmsg.IncrementalAlterConfigOpDelete
	appended = kmsg.IncrementalAlterConfigOpAppend
	subtract = kmsg.IncrementalAlterConfigOpSubtract
)

// configResources describes and alters what there is and what there is not.
func configResources(p *play.Play) {
	value := "7000000"
	for v := Version(1); v <= 4; v++ {
		p.Ask("unknown topic", v, configsOf(kmsg.ConfigResourceTypeTopic, p.Name("none"), "retention.ms"))
		p.Ask("invalid topic", v, configsOf(kmsg.ConfigResourceTypeTopic, "a/b", "retention.ms"))
		p.Ask("empty topic", v, configsOf(kmsg.ConfigResourceTypeTopic, "", "retention.ms"))
		p.Ask("unknown broker", v, configsOf(kmsg.ConfigResourceTypeBroker, "7", "num.partitions"))
		p.Ask("no broker's name", v, configsOf(kmsg.ConfigResourceTypeBroker, "one", "num.partitions"))
		p.Ask("broker", v, configsOf(kmsg.ConfigResourceTypeBroker, "1", "num.partitions", "log.retention.ms", "no.such"))
		p.Ask("all brokers", v, configsOf(kmsg.ConfigResourceTypeBroker, "", "num.partitions", "log.retention.ms"))
		p.Ask("group", v, configsOf(kmsg.ConfigResourceTypeGroupConfig, p.Name("none"), "consumer.session.timeout.ms"))
		p.Ask("empty group", v, configsOf(kmsg.ConfigResourceTypeGroupConfig, "", "consumer.session.timeout.ms"))
		for _, kind := range []kmsg.ConfigResourceType{0, 1, 3, 64, 127} {
			p.Ask("unknown kind", v, configsOf(kind, "x"))
		}
	}
	for v := Version(0); v <= 1; v++ {
		p.Ask("unknown topic", v, alter(kmsg.ConfigResourceTypeTopic, p.Name("none"), "retention.ms", set, &value))
		p.Ask("invalid topic", v, alter(kmsg.ConfigResourceTypeTopic, "a/b", "retention.ms", set, &value))
		p.Ask("empty topic", v, alter(kmsg.ConfigResourceTypeTopic, "", "retention.ms", set, &value))
		p.Ask("unknown broker", v, alter(kmsg.ConfigResourceTypeBroker, "7", "log.retention.ms", set, &value))
		p.Ask("no broker's name", v, alter(kmsg.ConfigResourceTypeBroker, "one", "log.retention.ms", set, &value))
		p.Ask("empty group", v, alter(kmsg.ConfigResourceTypeGroupConfig, "", "consumer.session.timeout.ms", set, &value))
		for _, kind := range []kmsg.ConfigResourceType{0, 1, 3, 64, 127} {
			p.Ask("unknown kind", v, alter(kind, "x", "y", set, &value))
		}
	}
}

func configNames(p *play.Play) {
	t := p.Topic(1)
	for v := Version(1); v <= 4; v++ {
		p.Ask("unknown", v, configsOf(kmsg.ConfigResourceTypeTopic, t.Name, "no.such"))
		p.Ask("twice", v, configsOf(kmsg.ConfigResourceTypeTopic, t.Name, "retention.ms", "retention.ms"))
		p.Ask("of a broker", v, configsOf(kmsg.ConfigResourceTypeTopic, t.Name, "num.partitions"))
		req := configsOf(kmsg.ConfigResourceTypeTopic, t.Name, "retention.ms", "cleanup.policy")
		req.IncludeSynonyms, req.IncludeDocumentation = true, true
		p.Ask("with synonyms", v, req)
	}
}

// settled waits until a topic's config has a value, and asks.
func settled(p *play.Play, kind kmsg.ConfigResourceType, resource, name, value string) {
	req := configsOf(kind, resource, name)
	p.Until(name+" is "+value, func() bool {
		resp := p.Quiet(4, req).(*kmsg.DescribeConfigsResponse)
		if len(resp.Resources) != 1 || len(resp.Resources[0].Configs) != 1 {
			return false
		}
		v := resp.Resources[0].Configs[0].Value
		return v != nil && *v == value
	})
	req.IncludeSynonyms = true
	p.Ask(name+" is "+value, 4, req)
}

func configOperations(p *play.Play) {
	topic := kmsg.ConfigResourceTypeTopic
	for v := Version(0); v <= 1; v++ {
		t := p.Topic(1)
		change := func(name string, op kmsg.IncrementalAlterConfigOp, value string) {
			p.Ask(fmt.Sprintf("%s %v %q", name, op, value), v, alter(topic, t.Name, name, op, &value))
		}
		change("cleanup.policy", appended, "compact")
		settled(p, topic, t.Name, "cleanup.policy", "delete,compact")
		change("cleanup.policy", appended, "compact")
		change("cleanup.policy", subtract, "delete")
		settled(p, topic, t.Name, "cleanup.policy", "compact")
		change("cleanup.policy", subtract, "nothing")
		change("cleanup.policy", appended, "nothing")
		change("cleanup.policy", subtract, "compact")
		change("cleanup.policy", remove, "")
		settled(p, topic, t.Name, "cleanup.policy", "delete")
		change("retention.bytes", appended, "5")
		change("retention.bytes", subtract, "5")
		change("retention.bytes", set, "5")
		settled(p, topic, t.Name, "retention.bytes", "5")
		change("retention.bytes", remove, "whatever")
		settled(p, topic, t.Name, "retention.bytes", "-1")
		change("retention.bytes", remove, "")
		change("no.such", remove, "")
		change("no.such", appended, "x")
		p.Ask("remove with null", v, alter(topic, t.Name, "retention.bytes", remove, nil))
		p.Ask("append null", v, alter(topic, t.Name, "cleanup.policy", appended, nil))
	}
}

// replace sets all configs of a resource by the older API.
func replace(kind kmsg.ConfigResourceType, resource string, configs ...string) *kmsg.AlterConfigsRequest {
	req := kmsg.NewPtrAlterConfigsRequest()
	r := kmsg.NewAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kind, resource
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewAlterConfigsRequestResourceConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		r.Configs = append(r.Configs, c)
	}
	req.Resources = append(req.Resources, r)
	return req
}

func configsReplaced(p *play.Play) {
	topic := kmsg.ConfigResourceTypeTopic
	for v := Version(0); v <= 2; v++ {
		t := p.Topic(1, "retention.bytes", "5")
		req := replace(topic, t.Name, "retention.bytes", "6")
		req.ValidateOnly = true
		p.Ask("validate", v, req)
		settled(p, topic, t.Name, "retention.bytes", "5")
		p.Ask("others", v, replace(topic, t.Name, "segment.bytes", "2000000"))
		settled(p, topic, t.Name, "segment.bytes", "2000000")
		settled(p, topic, t.Name, "retention.bytes", "-1")
		p.Ask("wrong", v, replace(topic, t.Name, "segment.bytes", "x"))
		p.Ask("unknown", v, replace(topic, t.Name, "no.such", "x"))
		p.Ask("twice", v, replace(topic, t.Name, "segment.bytes", "2000000", "segment.bytes", "3000000"))
		req = replace(topic, t.Name, "segment.bytes", "x")
		req.Resources[0].Configs[0].Value = nil
		p.Ask("null", v, req)
		p.Ask("none", v, replace(topic, t.Name))
		settled(p, topic, t.Name, "segment.bytes", "1073741824")
		p.Ask("unknown topic", v, replace(topic, p.Name("none"), "segment.bytes", "2000000"))
		p.Ask("broker", v, replace(kmsg.ConfigResourceTypeBroker, "1"))
		p.Ask("unknown broker", v, replace(kmsg.ConfigResourceTypeBroker, "9", "log.retention.bytes", "5"))
		p.Ask("unknown kind", v, replace(3, "x", "y", "z"))
	}
}

// configValues sets every config of a topic and looks at all of them.
func configValues(p *play.Play) {
	t := p.Topic(1)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	for _, c := range [][2]string{
		{"cleanup.policy", "compact, delete"}, {"compression.type", "zstd"}, {"compression.gzip.level", "5"}, {"compression.lz4.level", "17"},
		{"compression.zstd.level", "-7"}, {"delete.retention.ms", "0"}, {"file.delete.delay.ms", "17"}, {"flush.messages", "10"}, {"flush.ms", "0"},
		{"follower.replication.throttled.replicas", "*"}, {"index.interval.bytes", "0"}, {"leader.replication.throttled.replicas", "0:1,1:1"},
		{"max.compaction.lag.ms", "60000"}, {"max.message.bytes", "0"}, {"message.timestamp.after.max.ms", "0"}, {"message.timestamp.before.max.ms", "1"},
		{"message.timestamp.type", "LogAppendTime"}, {"min.cleanable.dirty.ratio", "1"}, {"min.compaction.lag.ms", "1"}, {"preallocate", "TRUE"},
		{"retention.bytes", "-1"}, {"retention.ms", " 88 "}, {"segment.bytes", "1048576"}, {"segment.index.bytes", "4"}, {"segment.jitter.ms", "0"},
		{"segment.ms", "1"}, {"unclean.leader.election.enable", "true"}, {"min.insync.replicas", "3"},
	} {
		one := alter(kmsg.ConfigResourceTypeTopic, t.Name, c[0], set, &c[1])
		if req.Resources == nil {
			req.Resources = one.Resources
			continue
		}
		req.Resources[0].Configs = append(req.Resources[0].Configs, one.Resources[0].Configs...)
	}
	p.Ask("set", 1, req)
	p.Until("all are set", func() bool {
		resp := p.Quiet(4, configsOf(kmsg.ConfigResourceTypeTopic, t.Name, "segment.ms")).(*kmsg.DescribeConfigsResponse)
		return *resp.Resources[0].Configs[0].Value == "1"
	})
	for v := Version(1); v <= 4; v++ {
		req := configsOf(kmsg.ConfigResourceTypeTopic, t.Name)
		req.IncludeSynonyms, req.IncludeDocumentation = v%2 == 0, v%2 == 0
		p.Ask("all", v, req)
	}
}

func configsTogether(p *play.Play) {
	t, other := p.Topic(1), p.Topic(1)
	five, wrong := "5", "x"
	for v := Version(0); v <= 1; v++ {
		req := alter(kmsg.ConfigResourceTypeTopic, t.Name, "retention.bytes", set, &five)
		req.Resources = append(req.Resources, alter(kmsg.ConfigResourceTypeTopic, other.Name, "retention.bytes", set, &wrong).Resources...)
		req.Resources = append(req.Resources, alter(kmsg.ConfigResourceTypeTopic, p.Name("none"), "retention.bytes", set, &five).Resources...)
		p.Ask("topics", v, req)
		req = alter(kmsg.ConfigResourceTypeTopic, t.Name, "retention.bytes", set, &five)
		req.Resources[0].Configs = append(req.Resources[0].Configs, alter(kmsg.ConfigResourceTypeTopic, "", "segment.bytes", set, &wrong).Resources[0].Configs...)
		p.Ask("right and wrong", v, req)
		req = alter(kmsg.ConfigResourceTypeTopic, t.Name, "retention.bytes", set, &five)
		req.Resources[0].Configs = append(req.Resources[0].Configs, req.Resources[0].Configs[0])
		p.Ask("config twice", v, req)
		req = alter(kmsg.ConfigResourceTypeTopic, t.Name, "retention.bytes", set, &five)
		req.Resources = append(req.Resources, req.Resources[0])
		p.Ask("topic twice", v, req)
		req.Resources = nil
		p.Ask("nothing", v, req)
		req = alter(kmsg.ConfigResourceTypeTopic, t.Name, "retention.bytes", set, &five)
		req.Resources[0].Configs = nil
		p.Ask("no configs", v, req)
	}
	for v := Version(1); v <= 4; v++ {
		req := configsOf(kmsg.ConfigResourceTypeTopic, t.Name, "segment.ms")
		req.Resources = append(req.Resources, configsOf(kmsg.ConfigResourceTypeTopic, p.Name("none")).Resources...)
		req.Resources = append(req.Resources, configsOf(kmsg.ConfigResourceTypeBroker, "1", "num.partitions").Resources...)
		p.Ask("described", v, req)
		req.Resources = nil
		p.Ask("nothing described", v, req)
	}
}

func groupConfigs(p *play.Play) {
	kind, group := kmsg.ConfigResourceTypeGroupConfig, p.Fresh()
	value := "50000"
	p.Ask("set", 1, alter(kind, group, "consumer.session.timeout.ms", set, &value))
	settled(p, kind, group, "consumer.session.timeout.ms", value)
	req := configsOf(kind, group, "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms")
	req.IncludeSynonyms, req.IncludeDocumentation = true, true
	for v := Version(1); v <= 4; v++ {
		p.Ask("described", v, req)
	}
	p.Ask("remove", 1, alter(kind, group, "consumer.session.timeout.ms", remove, nil))
	settled(p, kind, group, "consumer.session.timeout.ms", "45000")
	p.Ask("replace", 2, replace(kind, group, "consumer.heartbeat.interval.ms", "6000"))
	settled(p, kind, group, "consumer.heartbeat.interval.ms", "6000")
}

// brokerDefaults changes a setting of the broker, and of all brokers, and shows
// what topics have of it.
func brokerDefaults(p *play.Play) {
	topic, broker := kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker
	t := p.Topic(1)
	name, cluster, own := "log.segment.bytes", "3000000", "4000000"
	p.Ask("all brokers", 1, alter(broker, "", name, set, &cluster))
	settled(p, broker, "1", name, cluster)
	settled(p, topic, t.Name, "segment.bytes", cluster)
	p.Ask("this broker", 1, alter(broker, "1", name, set, &own))
	settled(p, broker, "1", name, own)
	settled(p, topic, t.Name, "segment.bytes", own)
	settled(p, broker, "", name, cluster)
	value := "5000000"
	p.Ask("the topic", 1, alter(topic, t.Name, "segment.bytes", set, &value))
	settled(p, topic, t.Name, "segment.bytes", value)
	p.Ask("this broker no more", 1, alter(broker, "1", name, remove, nil))
	settled(p, broker, "1", name, cluster)
	p.Ask("no broker", 1, alter(broker, "", name, remove, nil))
	settled(p, broker, "1", name, "1073741824")
	settled(p, topic, t.Name, "segment.bytes", value)
	p.Ask("the topic no more", 1, alter(topic, t.Name, "segment.bytes", remove, nil))
	settled(p, topic, t.Name, "segment.bytes", "1073741824")
}
