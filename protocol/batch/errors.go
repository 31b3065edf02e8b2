package batch

import (
	"errors"
	"fmt"
)

// Errors that the protocol has a code for.
var (
	// ErrCorrupt is damage: a wrong checksum or sizes that contradict each
	// other. Kafka: CORRUPT_MESSAGE (2), which clients retry.
	ErrCorrupt = errors.New("corrupt batch")

	// ErrInvalidTimestamp is a timestamp, or a type of timestamp, that a client
	// may not write. Kafka: INVALID_TIMESTAMP (32).
	ErrInvalidTimestamp = errors.New("invalid timestamp")

	// ErrUnsupportedCodec is a codec number beyond zstd. Kafka:
	// UNSUPPORTED_COMPRESSION_TYPE (76).
	ErrUnsupportedCodec = errors.New("unsupported compression codec")

	// ErrResultTooLarge is a batch that has become too large by being compressed
	// by another codec. Kafka: MESSAGE_TOO_LARGE (10).
	ErrResultTooLarge = errors.New("batch too large once compressed anew")

	// ErrInvalidRecord is a batch that arrived as it was sent and should not
	// have been sent so. Kafka: INVALID_RECORD (87), which clients do not retry.
	ErrInvalidRecord = errors.New("invalid record")
)

// Kinds of the errors above: errors.Is holds for both names.
var (
	// ErrTruncated is an ErrCorrupt: the bytes end before the batch does, as at
	// the torn end of a file or in a fetch answer that was cut.
	ErrTruncated = fmt.Errorf("%w: truncated", ErrCorrupt)

	// ErrUnsupportedMagic is an ErrInvalidRecord: a batch or message set that is
	// not magic 2.
	ErrUnsupportedMagic = fmt.Errorf("%w: unsupported magic", ErrInvalidRecord)

	// ErrIncomplete is an ErrInvalidRecord: what a produce request holds is no
	// whole batch.
	ErrIncomplete = fmt.Errorf("%w: no whole batch", ErrInvalidRecord)

	// ErrTooManyBatches is an ErrInvalidRecord: a produce request holds exactly
	// one batch per partition.
	ErrTooManyBatches = fmt.Errorf("%w: more than one batch", ErrInvalidRecord)

	// ErrTooLarge is an ErrInvalidRecord: decompression went beyond [Limits].
	ErrTooLarge = fmt.Errorf("%w: exceeds decompression limit", ErrInvalidRecord)
)

// ErrLevel is a compression level that the codec does not have. It is a fault
// of configuration, not of data.
var ErrLevel = errors.New("invalid compression level")

// A RecordError tells what is wrong with one record (KIP-467).
type RecordError struct {
	BatchIndex int32  // place of the record in its batch, from 0
	Message    string // for the producer's log
}
