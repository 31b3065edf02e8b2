/*
Package log is the log of one partition: an ordered chain of segments that reads
as one run of record batches, addressed by offset.

It assigns offsets, keeps producer state and leader epochs, rolls, flushes,
recovers, truncates and deletes. It knows nothing of topics, clients, requests or
replication; package partition adds those.

# Offsets

	Start <= Flushed <= End        high watermark (kept by the caller) <= End

	Start     first offset that may be read; raised by retention and DeleteRecords
	Flushed   everything below was made durable in the segments; what a journal made
	          durable (Tail, Redo, package journal) may be ahead of it, in new segments too
	End       offset that the next batch gets

A [Position] is an offset together with the place of its batch in a file, so that
a bound on reading needs no lookup.

# Files

One directory per partition, <topic>-<index>, with Kafka's names:

	00000000000000000000.log        record batches                 (package segment)
	00000000000000000000.index      offset -> position, sparse     (package index)
	00000000000000000000.timeindex  timestamp -> offset, sparse    (package index)
	00000000000000000000.check      checksums of the batch headers (package segment)
	00000000000000000000.keyindex   hashes of keys, where index.key is set (package index)
	00000000000000000000.bloom      a bloom filter of them         (package index)
	00000000000000348120.snapshot   producer state as of that offset (package producer)
	00000000000000348120.producers  the same in full, sordini's own
	leader-epoch-checkpoint         first offset of each leader epoch (package epoch)
	sordini-cleaned                 below which offset compaction has left gaps (gaps.go)
	*.cleaned, *.swap               segments that compaction writes (package segment)
	*.torn                          bytes that recovery cut

A name's number is the first offset in the segment, 20 digits. Only the .log
files are the truth: all others are made again if they are missing or damaged.

# Concurrency

All methods may be called concurrently. Appends that meet are combined: the first
becomes the leader, orders and stamps all that are queued and writes them at once,
then hands the lead to the next in the queue. Reads take no lock while they read:
they work on an immutable list of segments and hold file handles of their own, so
that files which are deleted meanwhile stay readable until the last reader is
done.

Lock order: cleanMu, swapMu, flushMu, appendMu, sealMu, mu. No method calls out of this package while it
holds one of them, except for file operations.

# Durability

Append returns when the batch is in the page cache and ordered. Flush makes
everything below the End at its call durable; concurrent calls share one fsync.
A full segment is completed by Seal, for which no append or acknowledgement waits unless
they pile up: what it writes can be made again from the batches, and is after a power cut.
After a failed write or fsync the log is offline: every call returns an
*OfflineError, because the kernel may have dropped the dirty pages and a later
success would mean nothing. Only opening it again, which scans, brings it back.

# Compaction

Clean rewrites closed segments so that only the last record of each key remains
(package compact). The segments before the active one are read, new ones are written
beside them, and each new one takes the place of those that it was made from:

	write and sync X.log.cleaned, then the files made from it
	rename them to X.*.swap; sync the directory                (1)
	readers get the new segment
	remove all files of the replaced segments but those of the first, X;
	rename X.index.swap and the others to X.index; sync the directory
	rename X.log.swap to X.log; sync the directory

Up to (1) a power cut leaves the old segments, and Open removes the rest. From (1) on
X.log.swap is there until all is done, it holds all that the old ones did, and Open
finishes what is left, which may be done any number of times. So at every moment
exactly one of old and new is the log. An error before (1) costs the copy, no more; one
behind it leaves the rest to be done before the next change of these files, or
by Open. Only a directory that cannot be synced takes the log offline: its next sync
would prove nothing of the segments that appends create.

A new segment ends where its last source ended, if need be with a batch without
records, so that one segment still ends where the next begins and a file that has
lost its end is noticed. Readers in flight go on in the old files.

# Keys

Where the configuration wants key indexes, an append hashes the keys of its batch, before
it waits for others, and leaves them in memory with the active segment. IndexKeys, in the
background, writes the files of sealed segments. It also reads what has come without
hashes: compressed batches and very large ones, what was there before, and what there was
no memory for. No append waits for it. Who looks for a key in the active segment has that
caught up first. Query finds records by key, time or offset below a bound. It scans
segments that have no key index, or a damaged one, which IndexKeys makes again.

# Recovery

After a clean shutdown Open reads the end of the last segment only. Otherwise it
scans from the segment that holds the recovery point: each batch's length,
checksum, offset order and leader epoch are checked. A bad batch at or behind the recovery point
is a torn write; the log is cut there and the cut bytes are kept aside. A bad batch
before it is damage: it is never cut, reading that range is an error, and the rest
is served. Good batches behind the recovery point are written once more before they
are synced, unless Known says that no sync has failed: the process before may have
died of a failed fsync, after which the kernel shows bytes that it will never write.

# Errors

	ErrOffsetOutOfRange      the offset is below Start or above End
	*segment.CorruptError    damaged bytes; says which file and position
	*OfflineError            the log failed and must be opened again
	producer.ErrOutOfOrder, producer.ErrEpoch   from Append, see package producer
*/
package log
