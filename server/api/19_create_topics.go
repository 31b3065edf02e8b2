package api

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/protocol"
	"sordini/server/audit"
	"sordini/server/config"
	"sordini/server/meta"
	"sordini/server/partition"
	"sordini/server/wire"
)

// CreateTopics (key 19), versions 0 to 7.
//
//	v1  error messages, validate only
//	v4  the broker's number of partitions and replicas (KIP-464); taken in older
//	    versions too, as Kafka does
//	v5  flexible; the answer has partitions, replicas and settings (KIP-525)
//	v7  topic ids (KIP-516)
//
// Order of checks: name twice, number of partitions of the whole request, name,
// existence, collision of '.' and '_' with another topic, settings, assignment or
// numbers. A topic exists, durably, when the answer leaves; the timeout is of no
// use here.
//
// Deviations: a topic that was only validated has no id (Kafka invents one), and
// exactly 10,000 partitions are created (Kafka refuses them later on).
func (a *API) createTopicsRoute() wire.Route {
	return serve(0, 7, a.createTopics)
}

// topicPlan is a topic that a request wants, or why it is not to be had.
type topicPlan struct {
	partition.Topic
	id  meta.TopicID
	err error
}

func (a *API) createTopics(r *wire.Request, req *kmsg.CreateTopicsRequest, resp *kmsg.CreateTopicsResponse) {
	plans := a.planTopics(req)
	if !req.ValidateOnly {
		a.createPlanned(r, plans)
	}
	for i := range plans {
		resp.Topics = append(resp.Topics, a.createdTopic(req, &plans[i]))
	}
}

// planTopics checks the request. A name that occurs twice has one plan, which
// failed.
func (a *API) planTopics(req *kmsg.CreateTopicsRequest) []topicPlan {
	image := a.set.Image()
	others := &collisions{image: image}
	tooMany := a.wantedPartitions(req) > maxNewPartitions
	seen := occurrences(req.Topics, func(t kmsg.CreateTopicsRequestTopic) string { return t.Topic })
	plans := make([]topicPlan, 0, len(req.Topics))
	for i := range req.Topics {
		t := &req.Topics[i]
		var p topicPlan
		switch n := seen[t.Topic]; {
		case n == 0:
			continue // answered already
		case n > 1:
			p.Name, p.err = t.Topic, errDuplicateName
			seen[t.Topic] = 0
		case tooMany:
			p.Name, p.err = t.Topic, errTooManyPartitions
		default:
			p = a.planTopic(image, others, t)
		}
		plans = append(plans, p)
	}
	return plans
}

// wantedPartitions is how many partitions the whole request asks for.
func (a *API) wantedPartitions(req *kmsg.CreateTopicsRequest) int64 {
	var n int64
	for i := range req.Topics {
		n += max(0, a.partitionsOf(&req.Topics[i]))
	}
	return n
}

// partitionsOf is the number of partitions that t asks for, which may be invalid.
func (a *API) partitionsOf(t *kmsg.CreateTopicsRequestTopic) int64 {
	switch {
	case len(t.ReplicaAssignment) > 0:
		return int64(len(t.ReplicaAssignment))
	case t.NumPartitions == -1:
		return int64(a.set.Broker().NumPartitions)
	default:
		return int64(t.NumPartitions)
	}
}

func (a *API) planTopic(image *meta.Image, others *collisions, t *kmsg.CreateTopicsRequestTopic) topicPlan {
	p := topicPlan{Topic: partition.Topic{Name: t.Topic, Internal: reservedTopic(t.Topic)}}
	if p.err = checkNewName(image, others, t.Topic); p.err != nil {
		return p
	}
	if p.Configs, p.err = a.newConfigs(t.Configs); p.err != nil {
		return p
	}
	if len(t.ReplicaAssignment) > 0 {
		p.err = checkAssignment(image, t)
	} else {
		p.err = a.checkCounts(t)
	}
	if p.err == nil {
		p.Partitions = int32(a.partitionsOf(t))
	}
	return p
}

// clusterMetadata is the topic that Kafka keeps its metadata in.
const clusterMetadata = "__cluster_metadata"

func checkNewName(image *meta.Image, others *collisions, name string) error {
	if name == clusterMetadata {
		return fail(kerr.InvalidRequest, "Creation of internal topic "+clusterMetadata+" is prohibited.")
	}
	if name == audit.Topic {
		return errAuditTopic
	}
	if err := protocol.ValidTopicName(name); err != nil {
		return fail(kerr.InvalidTopicException, err.Error())
	}
	if image.Topic(name) != nil {
		return topicExists(name)
	}
	if other := others.find(name); other != "" {
		return fail(kerr.InvalidTopicException, fmt.Sprintf("Topic '%s' collides with existing topic: %s", name, other))
	}
	return nil
}

func topicExists(name string) error {
	return fail(kerr.TopicAlreadyExists, fmt.Sprintf("Topic '%s' already exists.", name))
}

// newConfigs returns the topic's own settings, checked; of a name that occurs
// twice the last value counts.
func (a *API) newConfigs(asked []kmsg.CreateTopicsRequestTopicConfig) (map[string]string, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	configs := make(map[string]string, len(asked))
	var nulls []string
	for _, c := range asked {
		if c.Value == nil {
			nulls = append(nulls, c.Name)
			continue
		}
		configs[c.Name] = *c.Value
	}
	if len(nulls) > 0 {
		return nil, fail(kerr.InvalidConfig, "Null value not supported for topic configs: "+strings.Join(nulls, ","))
	}
	return configs, a.set.CheckTopic(nil, configs)
}

// checkAssignment checks partitions that are placed by hand.
func checkAssignment(image *meta.Image, t *kmsg.CreateTopicsRequestTopic) error {
	switch {
	case t.ReplicationFactor != -1:
		return fail(kerr.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	case t.NumPartitions != -1:
		return fail(kerr.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	}
	seen := make(map[int32]bool, len(t.ReplicaAssignment))
	for _, r := range t.ReplicaAssignment {
		if seen[r.Partition] {
			return fail(kerr.InvalidReplicaAssignment, fmt.Sprintf("Found multiple manual partition assignments for partition %d", r.Partition))
		}
		seen[r.Partition] = true
		if err := checkReplicas(image, r.Replicas); err != nil {
			return err
		}
	}
	for i := range t.ReplicaAssignment {
		if !seen[int32(i)] {
			return fail(kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
	}
	return nil
}

// checkCounts checks the numbers of replicas and partitions.
func (a *API) checkCounts(t *kmsg.CreateTopicsRequestTopic) error {
	factor := t.ReplicationFactor
	switch {
	case factor < -1 || factor == 0:
		return fail(kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	case t.NumPartitions < -1 || t.NumPartitions == 0:
		return fail(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	case factor == -1:
		factor = a.set.Broker().DefaultReplicationFactor
	}
	if factor > 1 {
		return fail(kerr.InvalidReplicationFactor, fmt.Sprintf("Unable to replicate the partition %d time(s): "+
			"The target replication factor of %d cannot be reached because only 1 broker(s) are registered "+
			"or some brokers have all their log directories cordoned.", factor, factor))
	}
	return nil
}

// createPlanned creates the topics that passed the checks.
func (a *API) createPlanned(r *wire.Request, plans []topicPlan) {
	var topics []partition.Topic
	var which []*topicPlan
	for i := range plans {
		if p := &plans[i]; p.err == nil {
			topics, which = append(topics, p.Topic), append(which, p)
		}
	}
	if len(topics) == 0 {
		return
	}
	created, errs := a.set.CreateTopics(topics)
	for i, p := range which {
		switch {
		case errs[i] == nil:
			p.id = created[i].ID
			a.noteCreated(r, created[i], false)
		case errors.Is(errs[i], meta.ErrTopicExists):
			p.err = topicExists(p.Name)
		default:
			p.err = errs[i]
		}
	}
}

func (a *API) createdTopic(req *kmsg.CreateTopicsRequest, p *topicPlan) kmsg.CreateTopicsResponseTopic {
	t := kmsg.NewCreateTopicsResponseTopic()
	t.Topic, t.TopicID = p.Name, p.id
	t.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
	t.ErrorCode, t.ErrorMessage = a.codeMessage(p.err)
	if p.err != nil || req.Version < 5 {
		return t
	}
	t.NumPartitions, t.ReplicationFactor = p.Partitions, 1
	for _, e := range a.set.Broker().Describe(config.TopicScope, p.Configs, nil) {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.ReadOnly, c.Source, c.IsSensitive = e.Name, e.Value, e.ReadOnly, int8(e.Source), e.Sensitive
		t.Configs = append(t.Configs, c)
	}
	return t
}
