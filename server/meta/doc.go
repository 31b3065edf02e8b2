/*
Package meta says what exists: topics with their ids and settings, dynamic
settings of brokers and groups, the identity of the cluster, the count of unclean
starts.

All of it is one immutable [Image], which changes only by records given to
[Store.Apply]. The records are kept in a log with snapshots. No other package
keeps such state, and none writes files of its own beside it. The package knows
nothing of partitions' data, requests, clients or what a setting means.

# Versions

Records are numbered from 1 without gaps. An image's Version is the number of
the last record in it; the empty image has Version 0. Two images of one store
with equal Version are equal, whether live or read back from disk: a record is
applied as it was decoded from the very bytes that are written.

# Files

	<index, 20 digits>.log        records from that index on
	<index, 20 digits>.snapshot   the image at that version
	*.tmp                         unfinished; removed by Open
	<file>.torn-<n>               bytes that Open cut from the end of a log
	<file>.rotten-<n>             a snapshot that Open could not read

The bytes are drawn in format.go. The newest two snapshots are kept, with all
records after the older one, so that one lost or damaged snapshot loses nothing.

Package meta also reads and writes two files of Kafka's in the data directory:
meta.properties and .kafka_cleanshutdown.

# Concurrency

Images are read without locks. Apply may be called concurrently: calls that wait
for one another are written and synced together, in the order of their arrival.
One Store at a time may use a directory; the caller holds the lock for that.

# Durability

Apply returns after its records are synced, and no image holds a record that is
not. The records of one Apply are all there after a crash or none is. After a
failed write or sync, every later Apply fails with [ErrFailed]: the kernel may
have dropped the bytes, so a later success would prove nothing.

# Recovery

Open takes the newest good snapshot and applies the records after it. What one
write appended is called a group. Every group is synced before the next is
written, and so a damaged group at the very end is a torn write: it was never
acknowledged, is set aside in a .torn file and cut. A damaged group before the
end is rot: Open refuses with a [CorruptError] and changes nothing.

A log that was found at start may hold bytes that a failed sync left in the page
cache only. So Open appends nothing to a log that holds records: it writes a
snapshot and starts a new log.

# Errors

	ErrTopicExists, ErrUnknownTopic, ErrInvalid, ErrTooLarge   the record is refused; the store goes on
	ErrFailed, ErrClosed   the store takes no records any more
	ErrNewer               the files were written by a newer version
	ErrIdentity            the directory belongs to another node or cluster
	*CorruptError          damaged bytes; says which file and position
*/
package meta
