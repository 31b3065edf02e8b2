/*
Package kraft reads the metadata log of Apache Kafka (KRaft): which topics a cluster
has, their ids, partitions and settings.

It only reads, and knows only the records that say so. It holds no file open between
calls.

# Files

The directory __cluster_metadata-0 is a log of one partition with snapshots beside it:

	<base offset, 20 digits>.log                             record batches
	<end offset, 20 digits>-<epoch, 10 digits>.checkpoint    record batches that say all that
	                                                         those below the end offset said

Each record's value is, with integers in varints that are unsigned:

	+---------------+-----------+---------+---------------------------------+
	| frame         | type      | version | fields of that type and version |
	| varint 1      | varint    | varint  | in Kafka's flexible encoding    |
	+---------------+-----------+---------+---------------------------------+

Flexible encoding: strings and arrays begin with their length plus 1 as a varint, 0 is
null; structures end with a count of tagged fields, each of which is tag, size and
content. Integers are big endian. The fields that are read, by type:

	 2 topic             name string, id 16 bytes
	 3 partition         number int32, topic id, replicas, in sync, removing and adding []int32,
	                     leader int32, leader epoch int32, ...
	 4 config            resource type int8, resource name, key, value nullable string
	 5 partition change  number int32, topic id; tag 0 in sync []int32, tag 1 leader int32
	 9 topic removed     topic id
	15 producer ids      broker int32, broker epoch int64, first id not handed out int64
	23 24 25             a transaction of records begins, is done, is given up

A partition change that names a leader, be it the same, begins the next leader epoch.
The records of a transaction count once it is done.
*/
package kraft
