/*
Package audit keeps what segments do not hold: who appended which records, from where
and when; when records became durable, and by what; when groups committed offsets; and
every administrative change. It answers for single records what it kept of them.

All of it goes to the internal topic __sordini_audit, which is made when the first of
it is written. The topic is kept for audit.retention.ms and audit.retention.bytes, and
has three partitions:

	0  administrative changes, always, and starts and stops of the server
	1  appends and flushes of topics with audit.enable=true
	2  committed offsets of those topics

See format.go for what stands there. It is flushed as under flush.policy=async.

# Off the hot path

A produce request leaves one entry of fixed size in a ring and goes on; so does a
flush. Nothing is allocated. Neighbouring entries of one client, or of one kind of
flush, that lie within ten milliseconds become one at once. A worker collects the rings
a few times a second, orders what is there by partition, and appends it as one batch.
Where a ring is full, or the batch cannot be appended, entries are dropped and
counted, and a gap is written that says how many and when; produce is never held up.

What a group commits is kept by the worker until the high watermark of
__consumer_offsets has passed it. Administrative changes are appended before the client
hears that they were made, those of groups by the worker.

# What is true of an answer

Topics are known by id and batches by leader epoch besides the offset: what was kept of
a deleted topic, or of records that a power cut took, is never told of others. Times
are the server's. Where nothing is found the answer says so; it never takes something
near for it.

# Finding

About every megabyte the worker writes a checkpoint: how far the log of every partition
was, and how far it was durable, when the checkpoint was made. Both only grow within a
leader epoch, so what was kept of an offset is found by bisecting checkpoints, at the
cost of some reads of that size. Commits are read on from the time of the append, up to
a bound.
*/
package audit
