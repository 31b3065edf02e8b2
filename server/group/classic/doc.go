/*
Package classic is one group of the classic protocol: members that join, a leader
that assigns, generations that follow each other. It is a state machine in the
sense of package step: pure, and told the time with each step.

	       member joins            last member gone
	Empty --------------> Preparing ---------------> Empty
	                       |     ^
	all joined, or         |     |  a member joins, changes what it offers,
	their time is up       v     |  leaves, or is not heard of
	                     Completing
	                       |     ^
	leader syncs           v     |  (to Preparing)
	                      Stable -

The generation rises whenever Preparing ends. A dead group is one that its owner
has dropped; it has no state of its own.

# What is durable

What Kafka writes: the group when its leader has synced, when it became empty, when
a static member was replaced without a rebalance, and, empty, when its first member
asks to join. And, what Kafka does not write, the group between two generations,

	when members are told that they are in a generation, before its leader has synced
	when a member goes that the last record names: it left, was removed, replaced or
	not heard of

so that no answer tells of what a load would take back: a member that has left does
not come back with a session that begins anew, and one that syncs hears of a
rebalance, not that nobody knows it. Such a record has members and no leader, and the
generation that is to come; a load rebalances at once. (Apache Kafka reads it as a
stable group of that generation. All members are of the one before, so that they are
told ILLEGAL_GENERATION, and join again.)

All else, such as who waits for what, is memory: who was about to join for the first
time is answered UNKNOWN_MEMBER_ID after a load, and joins again. Replay therefore
stands for a group as a whole, and a step applies to the members what its record will
say.

# Waiting requests

A join waits until Preparing ends, a sync until the leader has synced. Each is
answered exactly once. Of two joins, or syncs, of one member only the later waits:
the earlier is answered REBALANCE_IN_PROGRESS (Kafka never answers it; here requests
of one connection are answered in order, so the later would wait for the earlier).
A sync that waits when its member is removed is answered UNKNOWN_MEMBER_ID, as a join
is; Kafka leaves it unanswered too.

# Time

	session    of a member: from its last heartbeat, commit, join, sync or the end of a
	           wait. It does not end while the member waits. After a load it is what
	           was left of it, see [step.Silence]
	first join of a new member: 5 minutes, for one that has not got its id yet
	           cannot send heartbeats
	pending    of an id given with MEMBER_ID_REQUIRED: the session timeout asked for
	join       the longest rebalance timeout of the members; those not joined by
	           then are removed, static ones excepted. For an empty group the
	           initial delay, again and again while members arrive (KIP-134)
	sync       the same again, from the end of Preparing; those not synced by then
	           are removed

Deadline says when Tick is to be called. It may be too early, because a heartbeat
only moves a member's own time, and never is too late.

# Memory

Nothing that is kept refers to the memory of a request. Records and answers share
memory with the group; whoever gets them must not change it.

A Group is not safe for concurrent use. No method panics on what a client or a
record says.
*/
package classic
