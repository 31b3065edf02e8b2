package batch

import (
	"fmt"
	"strings"
)

// TimestampWindow bounds the timestamps that records may carry, in ms since 1970,
// both inclusive: now - message.timestamp.before.max.ms to now +
// message.timestamp.after.max.ms (KIP-937). A record without timestamp, which is
// -1, is always within.
type TimestampWindow struct {
	Earliest, Latest int64
}

// ValidateOptions say what ValidateRecords is to look for. The zero value checks
// only that the records can be decoded.
type ValidateOptions struct {
	// KeysFor is the topic-partition, as the message to the client names it,
	// whose records need keys since it is compacted. Empty: no keys needed.
	KeysFor string

	// Window is where timestamps must be; nil if anywhere, as with log append
	// time.
	Window *TimestampWindow

	Limits Limits
}

// maxRecordErrors is how many bad records are reported: a batch can hold tens of
// millions.
const maxRecordErrors = 1000

// recordErrorsInText is how many of them the text shows, as in Kafka.
const recordErrorsInText = 3

// RecordsError is a batch of which single records are not acceptable, although
// all can be decoded (KIP-467). It is an ErrInvalidTimestamp if at least one has a
// timestamp out of range, as in Kafka, and else an ErrInvalidRecord.
type RecordsError struct {
	Records []RecordError // by rising index; the first thousand
	Total   int           // bad records, also those not in Records

	timestamp bool
}

// Error is what Kafka 4.3 sends as the error message of the partition.
func (e *RecordsError) Error() string {
	if e.timestamp {
		return "One or more records have been rejected due to invalid timestamp"
	}
	var s strings.Builder
	fmt.Fprintf(&s, "One or more records have been rejected due to %d record errors in total", e.Total)
	fmt.Fprintf(&s, ", and only showing the first three errors at most: [")
	for i, r := range e.Records[:min(len(e.Records), recordErrorsInText)] {
		if i > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "RecordError(batchIndex=%d, message='%s')", r.BatchIndex, r.Message)
	}
	s.WriteString("]")
	return s.String()
}

// Unwrap is the error that the protocol has a code for.
func (e *RecordsError) Unwrap() error {
	if e.timestamp {
		return ErrInvalidTimestamp
	}
	return ErrInvalidRecord
}

// ValidateRecords walks over the records of the whole batch b, which [Validate]
// has passed. Keys and values are passed over and not held. The error is a
// [*RecordsError], or one of [Records] if the records cannot be decoded.
//
// Apache Kafka 4.3.0 checks the key of a record before its timestamp and reports
// the first fault of each. It also stores, in uncompressed batches, offset deltas
// that do not rise, which are an ErrInvalidRecord here.
func ValidateRecords(b []byte, o ValidateOptions) error {
	var bad RecordsError
	err := scan(b, o.Limits, func(index int32, r Record) bool {
		message, timestamp := o.check(r)
		if message == nil {
			return true
		}
		bad.Total++
		bad.timestamp = bad.timestamp || timestamp
		if len(bad.Records) < maxRecordErrors {
			bad.Records = append(bad.Records, RecordError{BatchIndex: index, Message: message()})
		}
		return true
	})
	if err != nil {
		return err
	}
	if bad.Total > 0 {
		return &bad
	}
	return nil
}

// check returns the message for a bad record, and whether its timestamp is why.
func (o *ValidateOptions) check(r Record) (message func() string, timestamp bool) {
	if o.KeysFor != "" && r.Key == nil {
		return func() string {
			return "Compacted topic cannot accept message without key in topic partition " + o.KeysFor
		}, false
	}
	if w := o.Window; w != nil && r.Timestamp != -1 && (r.Timestamp < w.Earliest || r.Timestamp > w.Latest) {
		return func() string {
			return fmt.Sprintf("Timestamp %d of message with offset %d is out of range. The timestamp should be within [%d, %d]",
				r.Timestamp, r.Offset, w.Earliest, w.Latest)
		}, true
	}
	return nil, false
}
