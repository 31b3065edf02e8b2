/*
Package segment is one stretch of a partition's log: a .log file of record
batches and its two indexes.

It creates, appends, syncs, locates offsets, hands out file ranges that can be
sent as they are, scans and repairs. It knows nothing of the segments around it,
of producers, or of why something is to be durable; package log adds those.

# Files

	<base offset, 20 digits>.log        record batches, byte for byte as on the wire
	<base offset, 20 digits>.index      offset -> position, sparse     (package index)
	<base offset, 20 digits>.timeindex  timestamp -> offset, sparse    (package index)
	<base offset, 20 digits>.check      checksums of the batch headers (check.go)
	<base offset, 20 digits>.keyindex   hashes of keys, if they are asked for (keys.go, package index)
	<base offset, 20 digits>.bloom      a bloom filter of them

Only the .log file is the truth. While a segment is appended to, its indexes and
checksums are in memory; [Segment.Seal] writes them. Missing or damaged ones are
made again from the .log file. The hashes of keys come with an Append or are read by
[Segment.IndexKeys], and [Segment.WriteKeys] writes them once the segment is sealed.

# Rot

The checksum in a batch covers its records and is the consumer's to verify. It does
not cover base offset, length, leader epoch and magic, and the broker goes by the
header before anybody has verified it. So the headers that an earlier process wrote
are compared with the .check file, block by block of 64 KiB, when a block is first
read in this process; afterwards a read tests a bit. A block whose headers differ
is a [Damage]: reading it is a CorruptError, it is never cut, and the other blocks
are served. What this process wrote, or Recover has read, is not compared again.

Recover holds batches against each other and against the known leader epochs
instead: in a log that was never compacted each batch begins where the one before
ends. A .check file that is made again proves no more than that: rot that came
before, in the epoch of a batch while no trusted leader epoch checkpoint was there,
goes unnoticed.

# Life

	Create or Open -> Append* -> Roll (no more appends) -> Seal (synced, indexes and checksums on disk) -> Remove

A segment that compaction writes begins with [CreateCleaned] and takes the place of
others by changing the names of its files, in the steps that cleaned.go draws.

# Concurrency

One goroutine at a time calls Append, Roll and TruncateTo; another may call Sync
and Seal meanwhile, a third IndexKeys and WriteKeys. Reads may run at any time,
concurrently with all of them. A [Range] holds a file handle of its own, so the bytes that it names can be read
until it is released, also when the segment was removed in between.

# Errors

	*CorruptError   damaged bytes; says which file and position
	ErrClosed       the segment was removed or closed
*/
package segment
