package shard

import (
	"cmp"

	"sordini/server/group/record"
)

// Commit is what a group has committed for a partition.
type Commit struct {
	Group string
	record.OffsetValue
}

// Compare orders commits by group.
func (c Commit) Compare(o Commit) int { return cmp.Compare(c.Group, o.Group) }

// Commits are the offsets that groups have committed for a partition, in no order.
func (s *Shard) Commits(topic string, partition int32) []Commit {
	var all []Commit
	for id := range s.groups {
		if v, ok := s.offsets.Get(id, topic, partition); ok {
			all = append(all, Commit{id, v})
		}
	}
	return all
}
