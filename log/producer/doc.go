/*
Package producer is the memory of a partition about its idempotent producers
(KIP-98): for each producer id its epoch and its last five batches.

It decides whether a batch is new, a duplicate of one that was stored, or out of
order. It does no I/O and has no clock: times are arguments. State that was lost
is made again from the batches in the log.

# Files

Kafka's snapshot, version 1, big endian, read and written by Kafka's own tools:

	+---------+--------+-------+---------------------------------------+
	| version | crc32c | count | count entries                         |
	| int16   | uint32 | int32 |                                       |
	+---------+--------+-------+---------------------------------------+
	entry: producer id int64 | epoch int16 | last sequence int32 |
	       last offset int64 | offset delta int32 | timestamp int64 ms |
	       coordinator epoch int32 | first offset of the open transaction int64

The checksum covers everything behind it. Kafka's format keeps one batch of a
producer. A second file of sordini's own keeps all five, so that a retry of any
of the last five requests is recognized after a restart too:

	+-------+---------+--------+-------+-----------------------------+
	| magic | version | crc32c | count | count producers             |
	| "SPRD"| uint16  | uint32 | uint32|                             |
	+-------+---------+--------+-------+-----------------------------+
	producer: id int64 | epoch int16 | coordinator epoch int32 |
	          first offset of the open transaction int64 | batches uint8 |
	          batches x (first sequence int32 | last sequence int32 |
	                     last offset int64 | offset delta int32 | timestamp int64)

# Concurrency

A [State] is not safe for concurrent use; the partition's appender owns it.
*/
package producer
