package api

import (
	"iter"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"sordini/server/audit"
	"sordini/server/config"
	"sordini/server/meta"
	"sordini/server/wire"
)

// errAuditTopic refuses changes of the topic of the audit.
var errAuditTopic = fail(kerr.InvalidTopicException, "the topic is the broker's own: audit.retention.ms and audit.retention.bytes say how long it is kept, and clients do not change it")

// listedTopics are the topics of an answer about all topics. The audit's is left out:
// it comes into being by itself, and only who names it wants to know of it.
func listedTopics(image *meta.Image) iter.Seq[*meta.Topic] {
	return func(yield func(*meta.Topic) bool) {
		for t := range image.Topics() {
			if t.Name != audit.Topic && !yield(t) {
				return
			}
		}
	}
}

// topicID is the id of a topic in text, "" if it is gone.
func (a *API) topicID(name string) string {
	if t := a.set.Image().Topic(name); t != nil {
		return t.ID.String()
	}
	return ""
}

// noteCreated keeps that a client has created a topic, or had it created by asking
// for it.
func (a *API) noteCreated(r *wire.Request, t *meta.Topic, automatic bool) {
	a.audit.Change(r.Client(), audit.Change{
		Action: audit.ActionTopicCreated, Topic: t.Name, TopicID: t.ID.String(), Partitions: t.Partitions,
		Automatic: automatic, Configs: differences(config.TopicScope, nil, t.Configs),
	})
}

// noteRaised keeps that a client has deleted records, where there were any.
func (a *API) noteRaised(r *wire.Request, raised []raisedStart) {
	for _, s := range raised {
		if s.start <= s.was {
			continue
		}
		a.audit.Change(r.Client(), audit.Change{
			Action: audit.ActionRecordsDeleted, Topic: s.partition.Topic, TopicID: s.partition.ID.String(),
			Partition: &s.partition.Index, OldOffset: &s.was, NewOffset: &s.start,
		})
	}
}

// noteAltered keeps that a client has altered settings, if it has.
func (a *API) noteAltered(r *wire.Request, c audit.Change) {
	if c.Action = audit.ActionConfigsAltered; len(c.Configs) > 0 {
		a.audit.Change(r.Client(), c)
	}
}

// differences are the settings that differ, by name.
func differences(scope config.Scope, before, after map[string]string) []audit.ConfigChange {
	names := slices.Collect(maps.Keys(before))
	names = slices.AppendSeq(names, maps.Keys(after))
	slices.Sort(names)
	var all []audit.ConfigChange
	for _, name := range slices.Compact(names) {
		c := audit.ConfigChange{Name: name, Secret: config.Secret(scope, name)}
		if v, ok := before[name]; ok {
			c.Old = &v
		}
		if v, ok := after[name]; ok {
			c.New = &v
		}
		if c.Old == nil || c.New == nil || *c.Old != *c.New {
			all = append(all, c)
		}
	}
	return all
}
