package api

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/protocol"
	"sordini/server/config"
	"sordini/server/wire"
)

// DescribeConfigs (key 32), versions 0 to 4.
//
//	v0  tells whether a value is the default; from v1 on, where it comes from (KIP-226)
//	v1  synonyms, when asked for
//	v3  types, and documentation when asked for (KIP-569)
//	v4  flexible
//
// A list of names that is null or empty means all; unknown names are passed over.
// The message is "" on success, not null. The broker without a name has what was
// set for all brokers. A group need not exist (KIP-848). Subscriptions to client
// metrics have no settings of their own, so that any name is answered with the
// defaults, and there are no loggers by name.
//
// Deviations: the message for an unknown topic says so (Kafka's is ""). A resource
// that the request names twice is answered once. Answers are bounded by what there
// is: who asks for more hears INVALID_REQUEST for the rest.
func (a *API) describeConfigsRoute() wire.Route {
	return route(0, 4, a.describeConfigs)
}

// The bytes of one answer are at most describedAlways, and describedPerTopic for
// each topic that there is: about what all of them take with documentation.
const (
	describedAlways   = 1 << 20
	describedPerTopic = 16 << 10
)

func (a *API) describeConfigs(_ *wire.Request, req *kmsg.DescribeConfigsRequest) wire.Reply {
	type resource struct {
		kind kmsg.ConfigResourceType
		name string
	}
	seen := make(map[resource]bool, len(req.Resources))
	most := describedAlways + describedPerTopic*a.set.Image().TopicCount()
	answer := &describedConfigs{version: req.Version}
	for i := range req.Resources {
		q := &req.Resources[i]
		key := resource{q.ResourceType, q.ResourceName}
		if seen[key] {
			continue
		}
		seen[key] = true
		r := kmsg.NewDescribeConfigsResponseResource()
		r.ResourceType, r.ResourceName = q.ResourceType, q.ResourceName
		var entries []config.Entry
		err := fail(kerr.InvalidRequest, "too many resources for one answer; ask for fewer at a time")
		if len(answer.resources) < most {
			entries, err = a.describeResource(q)
		}
		r.ErrorCode, r.ErrorMessage = a.codeMessage(err)
		if err == nil {
			r.ErrorMessage = kmsg.StringPtr("")
		}
		for e := range entries {
			r.Configs = append(r.Configs, describedConfig(req, &entries[e]))
		}
		answer.add(r)
	}
	return wire.Now(answer)
}

// describedConfigs is an answer that is encoded resource by resource: as values,
// thousands of them would take many times as much memory.
type describedConfigs struct {
	version   int16
	count     int
	resources []byte // encoded
	single    []byte // an answer with one resource, for reuse
}

func (d *describedConfigs) flexible() bool { return d.version >= 4 }

func (d *describedConfigs) add(r kmsg.DescribeConfigsResponseResource) {
	one := kmsg.DescribeConfigsResponse{Version: d.version, Resources: []kmsg.DescribeConfigsResponseResource{r}}
	d.single = one.AppendTo(d.single[:0])
	head, tail := 4+4, 0 // throttle time and count, and what follows the resources
	if d.flexible() {
		head, tail = 4+1, 1
	}
	d.resources = append(d.resources, d.single[head:len(d.single)-tail]...)
	d.count++
}

// AppendTo implements wire.Appender.
func (d *describedConfigs) AppendTo(b []byte) []byte {
	b = append(b, 0, 0, 0, 0) // throttle time
	if !d.flexible() {
		b = binary.BigEndian.AppendUint32(b, uint32(d.count))
		return append(b, d.resources...)
	}
	b = binary.AppendUvarint(b, uint64(d.count)+1)
	b = append(b, d.resources...)
	return append(b, 0) // no tags
}

func (a *API) describeResource(q *kmsg.DescribeConfigsRequestResource) ([]config.Entry, error) {
	switch q.ResourceType {
	case kmsg.ConfigResourceTypeTopic:
		return a.describeTopicConfigs(q)
	case kmsg.ConfigResourceTypeBroker:
		return a.describeBrokerConfigs(q)
	case kmsg.ConfigResourceTypeBrokerLogger:
		if q.ResourceName == "" {
			return nil, fail(kerr.InvalidRequest, "Broker id must not be empty")
		}
		return nil, a.checkDescribedBroker(q.ResourceName, "expected %d but received %d")
	case kmsg.ConfigResourceTypeClientMetrics:
		if q.ResourceName == "" {
			return nil, fail(kerr.InvalidRequest, "Client metrics subscription name must not be empty")
		}
		return a.set.Broker().Describe(config.ClientMetricsScope, nil, q.ConfigNames), nil
	case kmsg.ConfigResourceTypeGroupConfig:
		if q.ResourceName == "" {
			return nil, fail(kerr.InvalidRequest, "Group name must not be empty")
		}
		return a.set.Broker().Describe(config.GroupScope, a.set.Image().GroupConfigs(q.ResourceName), q.ConfigNames), nil
	}
	return nil, plain(kerr.InvalidRequest)
}

func (a *API) describeTopicConfigs(q *kmsg.DescribeConfigsRequestResource) ([]config.Entry, error) {
	if err := protocol.ValidTopicName(q.ResourceName); err != nil {
		return nil, fail(kerr.InvalidTopicException, err.Error())
	}
	t := a.set.Image().Topic(q.ResourceName)
	if t == nil {
		return nil, noTopic(q.ResourceName)
	}
	return a.set.Broker().Describe(config.TopicScope, t.Configs, q.ConfigNames), nil
}

func (a *API) describeBrokerConfigs(q *kmsg.DescribeConfigsRequestResource) ([]config.Entry, error) {
	if q.ResourceName == "" {
		return a.set.Broker().DescribeDefaults(q.ConfigNames), nil
	}
	if err := a.checkDescribedBroker(q.ResourceName, "expected %d or empty string, but received %d"); err != nil {
		return nil, err
	}
	return a.set.Broker().Describe(config.BrokerScope, nil, q.ConfigNames), nil
}

// checkDescribedBroker checks that name is the id of this broker. The format of
// the message for another one takes both ids.
func (a *API) checkDescribedBroker(name, other string) error {
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return fail(kerr.InvalidRequest, "Broker id must be an integer, but it is: "+name)
	}
	if node := a.set.Image().NodeID(); int32(id) != node {
		return fail(kerr.InvalidRequest, "Unexpected broker id, "+fmt.Sprintf(other, node, id))
	}
	return nil
}

func describedConfig(req *kmsg.DescribeConfigsRequest, e *config.Entry) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value, c.ReadOnly, c.IsSensitive = e.Name, e.Value, e.ReadOnly, e.Sensitive
	c.IsDefault = e.Source == config.SourceDefault
	c.Source, c.ConfigType = kmsg.ConfigSource(e.Source), kmsg.ConfigType(e.Kind)
	if req.IncludeSynonyms {
		for _, s := range e.Synonyms {
			synonym := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			synonym.Name, synonym.Value, synonym.Source = s.Name, s.Value, kmsg.ConfigSource(s.Source)
			c.ConfigSynonyms = append(c.ConfigSynonyms, synonym)
		}
	}
	if req.IncludeDocumentation {
		c.Documentation = &e.Documentation
	}
	return c
}
