/*
Package batch reads, checks, changes and builds Kafka record batches, magic 2
(KIP-98), in place in []byte. The bytes of a batch are the same on the wire, in
a segment file and in memory; format.go draws them.

It knows nothing of topics, logs, files, connections or requests, and it neither
assigns offsets nor keeps producer state: it only knows where in a batch they
stand.

# Two depths

[ParseHeader], [Validate], [Split] and the Stamp functions look at the 61 bytes
of the header and at the checksum. They allocate nothing and never decompress:
this is all that a produce or a fetch normally needs.

[Records], [ScanTimestamp], [ScanMaxTimestamp], [ValidateRecords] and
[Recompress] look inside. They decompress as a stream and are bounded by
[Limits], so that a batch that swells costs a bounded buffer and a bounded
number of bytes, whatever it claims about itself. None of them checks the CRC:
pass only what Validate or [CheckCRC] has passed.

# Concurrency

Functions keep no state between calls and may run concurrently. Those that
change a batch in place need it to themselves. A [Builder] and a sequence of
Records belong to one goroutine.

# Errors

All wrap one of these, which stand for the error codes of the protocol:

	ErrCorrupt           CORRUPT_MESSAGE (2)
	ErrInvalidTimestamp  INVALID_TIMESTAMP (32)
	ErrUnsupportedCodec  UNSUPPORTED_COMPRESSION_TYPE (76)
	ErrInvalidRecord     INVALID_RECORD (87)

ErrUnsupportedMagic, ErrTooManyBatches, ErrTruncated and ErrTooLarge are kinds of
the last or the first, for callers who need to know more. Bad input never panics,
and no length or count in it is believed before the bytes behind it are there.
*/
package batch
