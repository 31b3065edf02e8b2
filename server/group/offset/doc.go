/*
Package offset is the committed offsets of all groups of one shard. It is a state
machine in the sense of package step: pure, told the time with each step, and
changed by records only, live as in loading.

It knows nothing of members: whether one may commit, fetch or delete is the group's
to say, and whoever owns both asks it first or hands in a function. It does not know
either which groups there are. A group of which it holds offsets exists, so a group
without members is gone when its last offset is.

# Keeping and losing offsets

An offset is replaced by the next commit for its partition, and lost

	when it expires: at its own time, if the commit had a retention (OffsetCommit
	    2 to 4), else offsets.retention.minutes after the time that the group
	    names (KIP-211); never while a member consumes the topic
	with OffsetDelete (KIP-496) and with its group
	with its topic: when no topic of the name is there any more, or another one

Commits are stored with the id of their topic (KIP-848). An offset that was committed
for an earlier topic of the same name is not told to those who ask by id.

# Transactions

Offsets that a transaction has committed and not ended are to stand beside the
others, by producer, and make a fetch that requires stable offsets answer
UNSTABLE_OFFSET_COMMIT for their partitions; see unstable. There are none yet.

# Memory

72 bytes for each offset and what its metadata takes; some 400 for a group with one
topic. A topic's name is kept once for all groups. Other strings are kept as they
come: those that package record and kmsg decode refer to nothing but themselves.

A Store is not safe for concurrent use. No method panics on what a client or a
record says.
*/
package offset
