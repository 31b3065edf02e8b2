/*
Package compact rewrites segments so that only the last record of each key remains
(KIP-58).

A [Map] learns the last offset of each key in the dirty part of a log. A [Pass] then
copies segments, leaving out the records that the map knows a later one for.
Offsets are never changed. What is written where, when it takes its place, and how
a power cut in between is survived is for package log.

# What is kept

	a record       if no later one with its key lies below the end of the map
	a tombstone    also, until its batch's delete horizon; the first pass that keeps
	               one sets that horizon to its own time + delete.retention.ms (KIP-534)
	a batch        without records left, if it has the last sequence number of a
	               producer that is remembered, or is the last one of what is written
	control batches and batches of transactions, as they are: which transactions were
	               aborted is not known here, and what was aborted must not
	               supersede what was committed
	batches behind the end of the map, as they are

Records without a key, which a topic may hold that was not always compacted, go.

# Memory

A Map grows with the keys that it holds, up to a limit; then a pass reaches as far as
the map did. A Pass holds one batch and a megabyte of output.

# Concurrency

A Map and a Pass belong to one goroutine. A [Throttle] is shared by any number.

# Errors

	*segment.CorruptError   a damaged batch: nothing of what was written may be used
	ErrMapTooSmall          one batch has more keys than fit the map
	batch.ErrInvalidRecord  records that cannot be decoded
*/
package compact
