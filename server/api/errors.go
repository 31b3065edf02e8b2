package api

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kerr"

	"sordini/log"
	"sordini/log/producer"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/server/config"
	"sordini/server/meta"
	"sordini/server/partition"
)

// failure is an error with the code that the client gets, where the code alone
// says too little.
type failure struct {
	kind    *kerr.Error
	message string
}

func (f *failure) Error() string { return f.kind.Message + ": " + f.message }

func (f *failure) Unwrap() error { return f.kind }

// fail returns an error that clients see as kind with a message.
func fail(kind *kerr.Error, message string) error { return &failure{kind, message} }

// kinds maps the errors of the rooms below. The first match counts.
var kinds = []struct {
	err  error
	kind *kerr.Error
}{
	{log.ErrOffsetOutOfRange, kerr.OffsetOutOfRange},
	{log.ErrClosed, kerr.NotLeaderForPartition},
	{partition.ErrNoDir, kerr.KafkaStorageError},
	{partition.ErrGone, kerr.UnknownTopicOrPartition},
	{producer.ErrOutOfOrder, kerr.OutOfOrderSequenceNumber},
	{producer.ErrEpoch, kerr.InvalidProducerEpoch},
	{batch.ErrUnsupportedCodec, kerr.UnsupportedCompressionType},
	{batch.ErrInvalidTimestamp, kerr.InvalidTimestamp},
	{batch.ErrInvalidRecord, kerr.InvalidRecord},
	{batch.ErrCorrupt, kerr.CorruptMessage},
	{meta.ErrTopicExists, kerr.TopicAlreadyExists},
	{meta.ErrUnknownTopic, kerr.UnknownTopicOrPartition},
	{meta.ErrFailed, kerr.KafkaStorageError},
	{config.ErrInvalidConfig, kerr.InvalidConfig},
	{config.ErrInvalidRequest, kerr.InvalidRequest},
	{context.DeadlineExceeded, kerr.RequestTimedOut},
}

// kindOf is the one place where an error becomes one of Kafka's.
func kindOf(err error) *kerr.Error {
	var kind *kerr.Error
	if errors.As(err, &kind) {
		return kind
	}
	var offline *log.OfflineError
	if errors.As(err, &offline) {
		return kerr.KafkaStorageError
	}
	if partition.IsFull(err) {
		return kerr.KafkaStorageError
	}
	var corrupt *segment.CorruptError
	if errors.As(err, &corrupt) {
		return kerr.CorruptMessage
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.kind
		}
	}
	return kerr.UnknownServerError
}

// code is the error code of err, 0 for nil.
func code(err error) int16 {
	if err == nil {
		return 0
	}
	return kindOf(err).Code
}

// codeMessage is code with a message for people: that of the error where it is
// meant for clients, else Kafka's description of the code.
func (a *API) codeMessage(err error) (int16, *string) {
	if err == nil {
		return 0, nil
	}
	kind := kindOf(err)
	message := err.Error()
	var f *failure
	switch {
	case errors.As(err, &f):
		message = f.message
	case kind == kerr.UnknownServerError:
		a.logger.Error("request failed for a reason of ours", "err", err)
		message = kind.Description
	}
	message = clip(message)
	return kind.Code, &message
}

// longestMessage is the longest error message in bytes. Messages quote what the
// client has sent, and are told for each of thousands of elements; one beyond
// 32,767 bytes could not be encoded.
const longestMessage = 1 << 10

// clip cuts a message that is too long, between characters.
func clip(message string) string {
	if len(message) <= longestMessage {
		return message
	}
	const sign = "..."
	end := longestMessage - len(sign)
	for end > 0 && !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end] + sign
}
