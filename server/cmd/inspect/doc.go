// Package inspect looks at the files of partitions without changing them: what they hold, and whether it is what
// was written.
//
// Unlike package segment, which opens a segment to use it and repairs what it finds, this package opens every
// file for reading only, holds none of them open between calls, and takes no lock. So it works on the data
// directory of a server that runs, on a copy, and on a directory of Apache Kafka's.
//
// # What is checked
//
//	.log         each batch: length, header, checksum, rising offsets and leader epochs
//	.index       form, and that each entry leads to the batch that it names
//	.timeindex   form, and that each entry carries the largest timestamp up to its offset
//	.snapshot    form and checksum of the producer state; .producers likewise
//
// The checksum of a batch leaves out its first 21 bytes but for what the order of offsets, the length and the
// leader epoch give away. Records are not decompressed to be verified.
//
// # Beside a running server
//
// Bytes may be appended while they are read. A batch that ends behind the size seen at first is looked at again
// before it is called torn. The last segment of a log in use has no index files, or shorter ones: that is normal.
// A segment that retention removes while it is read is left out.
//
// # Concurrency
//
// Functions keep no state and may run concurrently.
//
// # Errors
//
// Damage is a result, not an error: it is in the Report or the Item. Errors tell of files that could not be read.
package inspect
