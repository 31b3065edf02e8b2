/*
Package group is the group coordinator: it runs the shards of package shard, which
hold all groups and do no I/O, over the partitions of __consumer_offsets.

# Shards

A group belongs to the partition that its name's hash gives, as in Apache Kafka, and
each partition has one shard. A shard is made by replaying its partition from the
log start; until that is done its groups answer COORDINATOR_LOAD_IN_PROGRESS.

# A request, on its way

[Coordinator.Do] takes the shard's lock, runs one step, writes the step's records as
one batch, and lets the lock go. The answer is held until the high watermark has
passed the end of what the shard had written by then. So an answer never tells of a
state that a power cut could take back, many commits share one fsync, and nothing
but the flush policy of the topic decides how long that takes.

# Failure

When records cannot be written or do not become durable, the shard's state and its
log have parted: the shard is dropped, and its groups answer NOT_COORDINATOR, as
they do when the log cannot be read at the start. The server's next start loads
what is durable.

# Concurrency

All methods may be called concurrently. Lock order: a runner's mu, then those of
package partition. Timers run on goroutines of their own and take the lock like
requests do.
*/
package group
