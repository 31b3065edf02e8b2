/*
Package index holds the sparse indexes of a segment: offset to position, and
timestamp to offset; and its key index: hash of a key to positions (key.go).

An entry is a hint. Kafka's index files carry no checksum, so whoever follows an
entry checks the batch that it leads to and falls back to scanning when they
disagree. Everything in this package can be rebuilt from the segment.

# Files

Kafka's formats, big endian, entries in rising order:

	.index      +----------------+----------------+
	            | relative offset | position      |   8 bytes an entry
	            | uint32          | uint32        |
	            +----------------+----------------+
	.timeindex  +----------------+----------------+
	            | timestamp       | relative offset|  12 bytes an entry
	            | int64, ms       | uint32         |
	            +----------------+----------------+

A relative offset is an offset minus the segment's base offset. In .index it is
the last offset of the batch that starts at position. A .timeindex entry says:
the largest timestamp up to here is timestamp, and the batch that ends at the
offset carries it.

sordini's own, with checksums, drawn in key.go:

	.keyindex   hashes of keys in order, with the positions of their batches
	.bloom      a bloom filter of the same hashes

Hashes are of 64 bits and may collide, so whoever follows an entry compares the key.

# Concurrency

[Active] may be read while one goroutine appends. A view of [ActiveKeys] may be read
while it grows. [Sealed] is read-only and may
be used by any number of goroutines.
*/
package index
