package group

import (
	"slices"

	"sordini/server/group/shard"
)

// Commits are the offsets that groups have committed for a partition, by name of the
// group, of the shards that are loaded.
func (c *Coordinator) Commits(topic string, partition int32) []shard.Commit {
	var all []shard.Commit
	for _, r := range c.all() {
		all = append(all, r.commits(topic, partition)...)
	}
	slices.SortFunc(all, shard.Commit.Compare)
	return all
}

func (r *runner) commits(topic string, partition int32) []shard.Commit {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != active {
		return nil
	}
	return r.shard.Commits(topic, partition)
}
