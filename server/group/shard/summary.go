package shard

import (
	"maps"
	"slices"

	"sordini/server/group/record"
	"sordini/server/metrics"
)

// Summaries tells all groups with their members and offsets, by name. It shares no
// memory with the shard that changes.
func (s *Shard) Summaries() []metrics.KafkaGroup {
	all := make([]metrics.KafkaGroup, 0, len(s.groups))
	for _, id := range slices.Sorted(maps.Keys(s.groups)) {
		all = append(all, s.summary(s.groups[id]))
	}
	return all
}

func (s *Shard) summary(e *entry) metrics.KafkaGroup {
	g := metrics.KafkaGroup{Name: e.id}
	if e.classic != nil {
		g.Members = e.classic.Size()
	} else {
		g.Members = e.consumer.Size()
	}
	s.offsets.Each(e.id, func(topic string, partition int32, v *record.OffsetValue) {
		if n := len(g.Topics); n == 0 || g.Topics[n-1].Topic != topic {
			g.Topics = append(g.Topics, metrics.KafkaCommits{Topic: topic})
		}
		t := &g.Topics[len(g.Topics)-1]
		t.Offsets = append(t.Offsets, metrics.KafkaCommit{Partition: partition, Offset: v.Offset})
	})
	return g
}
