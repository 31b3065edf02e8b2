/*
Package journal keeps what was appended to many logs in one sequential file, so that
one sync makes all of it durable. It is what a commit log is to RocketMQ, with
the logs themselves in Kafka's layout beside it: the journal is written and never
read, until a start finds that the process before did not end in order.

It knows positions in files and nothing of batches: an entry says which bytes belong
where in which segment of which log. To write them there again changes nothing if
they are there, so that recovery may be interrupted and repeated.

# Life of a file

There are two files of a fixed size. One is written; when it is full the other one
goes on, and everything that the full one holds is synced where it belongs. Then
the full one is free and takes its place again under a new name:

	writing --full--> retiring --all its logs synced--> free --rename--> writing

If a log cannot be synced, the full file may hold the only durable copy of its last
batches. Such a file is kept until a start has been able to write them back.

# Format

A file is named by its generation, in 20 digits, then .journal. It holds rounds,
each of which was written at once and synced before the next one. All numbers are
big endian. A round begins at a multiple of 512 bytes:

	+-------+---------+------------+--------+--------+---------+- - - - -+- - - +
	| magic | CRC-32C | generation | number | length | count   | entries | zeros |
	| SJR1  | uint32  | uint64     | uint64 | uint32 | uint32  | length  |       |
	+-------+---------+------------+--------+--------+---------+- - - - -+- - - +

The checksum covers everything from generation to the end of the entries. number
counts the rounds of the file from 0. An entry is

	+----------+-----------+---------+----------+-------+-------+--------+- - - - -+
	| topic id | partition | segment | position | first | next  | length | batches |
	| 16 bytes | int32     | int64   | int64    | int64 | int64 | uint32 | length  |
	+----------+-----------+---------+----------+-------+-------+--------+- - - - -+

segment is the base offset of the segment, position where in its file the batches
begin; first is the offset of their first record, next the one behind their last.

A free file keeps the rounds of its life before: they carry an older generation than
its name, and count for nothing.

# Recovery

Replay reads the files from the oldest generation. A round that does not check is
torn if none behind it does: then nobody was told of it. Otherwise it has rotted,
which is reported; the rounds behind it are replayed all the same.

# Errors

After a failed write or sync the journal is broken and stays so: what was committed
before is durable, nothing is committed after.
*/
package journal
