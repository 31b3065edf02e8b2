/*
Package partition is the live partitions of this broker: each is a log together
with its high watermark, its flush policy and those who wait for it; the [Set] is
all of them, together with the metadata that says which there are.

# Offsets

	log start <= high watermark <= log end, flushed <= log end

Consumers read up to the high watermark, and a produce request with acks=all is
answered when it passes the request's last offset. The flush policy decides when
it moves:

	sync    to what fsync has confirmed; every append starts a flush, and whoever
	        appends while one runs shares the next (group commit, no timer)
	async   to the log end at once; a flush follows after flush.ms or
	        flush.messages
	hybrid  to the log end at once, as under async, unless an important batch lies
	        below it that is not flushed; such a batch starts a flush, as under sync

Under flush.method=journal "confirmed by fsync" means that a journal of all partitions
has the batches; the segments are synced when one of its files is full. So Flushed, which
recovery starts from, may be behind the high watermark; what lies between is written
back from the journal before a log is opened after a crash. See journal.go and package
journal. Whoever cuts a log (TruncateTo) must first see to it that no file of the
journal has anything of it.

# Waiting

Waiting is a channel: an [AckWaiter] hears when the high watermark passes an
offset, a [FetchWaiter] when enough bytes have come below it in any of the
partitions that it watches. Both also hear when a partition fails or goes. Nothing
polls, and nothing calls back.

# Compaction

The cleaner compacts the partitions of topics with cleanup.policy=compact, also
beside delete, in the background; see cleaner.go, and package log for how. It never
comes behind the high watermark. How far it came is in cleaner-offset-checkpoint,
Kafka's file; one that belongs to a deleted topic of the same name is recognized, and
if it is lost logs are compacted anew.

# Audit

Of partitions with audit.enable=true an [Observer] hears how far each flush has made
the log durable, and by what; see observe.go, and package audit for what becomes of it.

# Keys

The keyer writes the key indexes of topics with index.key=true in the background, and
reads the batches whose keys did not come with their append, ten times a second if there
is anything to do; see keyer.go, and package log for how. Partition.Query looks records up, below the high watermark.

# Failure

A failed write or fsync takes one partition offline: it answers
*log.OfflineError from then on, and the others go on.

Before anybody hears that a sync succeeded, how far it went is marked in
sordini-flushed. After a kill a bad batch below the mark is known to be rot, which
is never cut, and not a write that was torn. The mark is not synced: after a power
cut it may lag, and rot in what was synced within the last half minute may then be
taken for a torn write, cut, and kept aside in a .torn file.

Before a sync begins, that is marked too. A process that dies of a failed sync leaves
bytes in the page cache that the kernel takes for written, and later syncs succeed.
Recovery writes such bytes again. It need not where the mark says that no sync ran
when the process died: then every failure of the disk is still to be reported, and the
sync at the end of recovery reports it. Only a sync of the same file by another
program could have heard of it before.

# A full disk

From log.disk.full.ratio on, what clients want written is refused (Writable, *FullError)
before it is begun, so no partition fails for it. Reads, deletions, retention,
compaction and what the server writes for itself go on; see space.go. A small file is
kept for the case that others fill the disk to the last byte; see ballast.go.

# Concurrency

All methods may be called concurrently. Changes of topics are serialized by the
Set.
*/
package partition
