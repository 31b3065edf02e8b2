/*
Package takeover copies topics out of log directories of Apache Kafka, 4.3 and
others in KRaft mode, into a data directory of sordini.

It knows Kafka's directories, the logs in them and the metadata store. It knows
nothing of requests, of a running server, or of the command line. The broker must be
stopped, and is kept from starting meanwhile; its files are only ever read.

# What is taken

	record batches          byte for byte, and so offsets, timestamps, headers, compression
	topic id, partitions, settings   from the metadata log (package kraft); settings that
	                        sordini does not have are left out and named
	log start offset, leader epochs, producer snapshots, the next producer id
	__consumer_offsets      with groups and their offsets, if there is none yet

Indexes are made again from the batches. Without a metadata log the directories tell
topic ids and partitions, and settings are the defaults.

# Checks

Each batch's length, checksum and order are checked as it is copied, and the copy is
opened as a log, which reads it once more. A bad batch below the offset up to
which Kafka has synced the log is damage, and so is any after an orderly stop; one
behind it is what a crash leaves, and the copy ends there, as Kafka's own recovery
would cut it. A topic with damage is refused unless that is wanted; then the lost
offsets are known to the log, and reading them is an error.

# Crashes

A topic is there whole or not at all. In the data directory:

	copy its partitions to <topic>-<partition>.<id>.<partition>.import-delete;
	sync their files and directories
	rename them to <topic>-<partition>; sync the data directory         (1)
	write the checkpoint: where the logs begin and end
	add the topic to the metadata                                       (2)

A crash before (1) leaves directories whose names end like those of deleted topics;
the next start of the server removes them, and so does the next import. Between (1) and (2) the
directories have names of partitions that belong to no topic; both set them aside,
deleting nothing. After (2) the topic exists. An import that is repeated skips the
topics that it finds with the id that they have in Kafka.

What was set aside is removed by an import that finds or makes the topic with the id
that it has, if the topic has every byte of its segments: then it was the copy of an
import that died. Anything else stays, and is named.

# Transactions

Batches of transactions are copied as they are, but sordini does not tell consumers
which of them were aborted or never finished. Topics that have such are refused
unless that is wanted.
*/
package takeover
