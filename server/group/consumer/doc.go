/*
Package consumer is one consumer group (KIP-848): a state machine in the sense of
package step, pure and told the time with each step. Package assign beside it has the
assignors.

# Epochs

	group   rises when members, their subscriptions, or the topics change
	target  the group epoch for which it was last said who is to have what
	member  the target epoch that the member has reached

A heartbeat does three things: it notes what the member tells, which may raise the
group epoch; makes new targets, if there are none of the present epoch and the last
ones are as old as Settings.AssignmentInterval wants it; and brings this member nearer
to its target.

	Empty        no members
	Assigning    the targets are of an older epoch
	Reconciling  a member is not where its target is
	Stable       all are

# Whose a partition is

A member that has too much is told less, and stays in UnrevokedPartitions, at its
epoch, until it says that it does not have the rest any more. A member that is to have
what another one has not given back gets what is free, and waits in
UnreleasedPartitions for the rest. So no partition is ever told to two members:

	a partition has an owner from the record that assigns it to the one that shows
	that it was given back, or that the owner is gone

Who does not give back within its rebalance timeout, or is not heard of for the
session timeout, is taken out of the group.

# What is durable

All but the times, and of those for how long members that are not heard of after a load
have been silent. The state of the group is what its records say, and nothing else
changes it: a step makes a record, applies it with Replay as loading does, and has it
written. Records and their order are Kafka's. The hash of the topics in the epoch's
record is computed otherwise, so a group that moves from one server to the other takes
one more epoch.

# Two protocols in one group

Members of the classic protocol may be in the group: Join, Sync, ClassicHeartbeat and
Leave are for them. A join is answered at once, with the member's epoch as generation,
and heartbeats tell when to join again. All calls come from package shard:

	Heartbeat             after it has answered what [Settings.RefuseHeartbeat] refuses,
	                      and GROUP_ID_NOT_FOUND for a group that is not there and an
	                      epoch other than 0. A group that has no records after its
	                      first step was refused and is forgotten.
	FromClassic           before the heartbeat that joins a classic group with members:
	                      tombstone of the classic group, then these records
	Join                  if the group is not empty; an empty one is replaced
	Downgraded            after Heartbeat, Join, Leave and Tick: if not nil, Tombstones
	                      and the classic group take the group's place
	CommitCheck, ...      before offsets are stored, told or deleted
	Tick                  at Deadline

That topics have changed is noticed by the next heartbeat, from their version; no call
is needed.

# Time

	session     of a member: from its last heartbeat. Of the classic protocol: the
	            timeout of its own. After a load what was left of it, see [step.Silence]
	revocation  from the heartbeat on that was told to give back: its rebalance timeout
	join, sync  of the classic protocol: from REBALANCE_IN_PROGRESS to the join, and
	            from there to the sync, the same

# Patterns

A member may subscribe by a regular expression (RE2, as in Kafka), which has to match
the whole name of a topic. It is resolved with the heartbeat that brings it, and again
when topics have changed, but not twice within 10 seconds. Expressions have a limit, see
pattern.go.

# Memory and concurrency

Nothing that is kept refers to the memory of a request. Records and answers share
memory with the group; whoever gets them must not change it. A Group is not safe for
concurrent use. No method panics on what a client or a record says.
*/
package consumer
