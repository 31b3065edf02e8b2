/*
Package shard is all groups of one partition of __consumer_offsets, without I/O: it
finds the group that a request names, makes it, turns it from one protocol to the
other, and keeps the committed offsets of all.

A shard is made by [New], fed with the records of its partition by Replay, and then
told that it is Loaded. From then on each call is one step in the sense of package
step: requests by Do, time by Tick, changes of topics by TopicsChanged.

# Groups

A group is of the classic protocol or a consumer group (KIP-848), and exists as long
as it has members, metadata records or offsets. A group that has only offsets, which
a consumer without group management has committed, is a classic one without a
protocol type ("simple").

	JoinGroup            makes a classic group; an empty consumer group is replaced
	ConsumerGroupHeartbeat  makes a consumer group; an empty classic group is
	                     replaced, one with members is converted if the policy
	                     group.consumer.migration.policy allows it
	last member of the consumer protocol leaves: converted back, likewise

# Time

Deadline is the next time at which Tick must be called. Each group has one, kept in
a heap, and may be woken earlier than it needs: that is cheaper than moving its
place in the heap with every heartbeat. Offsets are expired every
offsets.retention.check.interval.ms.

# Concurrency

None: one step at a time.
*/
package shard
