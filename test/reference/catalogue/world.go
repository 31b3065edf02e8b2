package catalogue

import "sordini/test/reference/play"

// World is a broker with settings of its own and the cases that are played there.
type World struct {
	Name     string
	Settings []string // key=value
	Cases    []play.Case
}

// CommonSettings are those that Kafka gets in every world, being a node that serves
// and controls at once and has no other.
func CommonSettings() []string {
	return []string{
		"node.id=1", "num.partitions=1", "default.replication.factor=1", "offsets.topic.replication.factor=1",
		"offsets.topic.num.partitions=5", "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
		"transaction.state.log.num.partitions=5", "share.coordinator.state.topic.replication.factor=1",
		"share.coordinator.state.topic.min.isr=1", "group.initial.rebalance.delay.ms=0",
	}
}

// Worlds are all of them.
func Worlds() []World {
	return []World{
		{Name: "fresh", Settings: []string{"auto.create.topics.enable=false"}, Cases: fresh()},
		{Name: "auto", Settings: []string{"num.partitions=2", "broker.rack=here"}, Cases: auto()},
		{Name: "strict", Settings: []string{
			"delete.topic.enable=false", "group.min.session.timeout.ms=10000", "group.max.session.timeout.ms=1800000", "group.max.size=1",
			"group.consumer.max.size=1", "offset.metadata.max.bytes=8", "offsets.commit.timeout.ms=60000",
		}, Cases: strict()},
		{Name: "plain", Settings: []string{"log.retention.ms=-1", "auto.create.topics.enable=false", "offsets.commit.timeout.ms=60000"}, Cases: all(
			versions(), mutations(), produce(), fetch(), offsets(), topics(), configs(), groups(), consumers(), connections(),
		)},
		{Name: "restarts", Settings: []string{
			"log.retention.ms=-1", "auto.create.topics.enable=false", "offsets.commit.timeout.ms=60000",
			"group.consumer.max.session.timeout.ms=1800000", "group.consumer.session.timeout.ms=1800000",
			"group.consumer.assignment.interval.ms=0", // what is due does not depend on how long a restart took
		}, Cases: restarts()},
		{Name: "compaction", Settings: []string{
			"log.retention.ms=-1", "auto.create.topics.enable=false", "log.cleaner.backoff.ms=50", "log.cleaner.min.cleanable.ratio=0.01",
		}, Cases: compaction()},
	}
}

func all(groups ...[]play.Case) []play.Case {
	var cases []play.Case
	for _, g := range groups {
		cases = append(cases, g...)
	}
	return cases
}
