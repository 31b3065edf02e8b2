package meta

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// TopicID identifies a topic for good: a topic deleted and created again under
// its old name has another id (KIP-516). The zero value means "no id".
type TopicID [16]byte

// idLength is the length of an id's text: 16 bytes in base64 without padding.
const idLength = 22

// maxIDAttempts bounds the search for an id whose text does not start with '-'.
// A draw fails with probability 1/64, so only a broken source gets there.
const maxIDAttempts = 64

// metadataTopicID is reserved by Kafka for its metadata topic (Uuid.ONE_UUID).
var metadataTopicID = TopicID{15: 1}

// NewTopicID draws a random id: a version 4 UUID (RFC 9562, section 5.4), which can be
// neither of the ids that Kafka reserves (zero and one). Like Kafka's
// Uuid.randomUuid, it never starts with '-' as text, because command lines would
// take it for an option.
func NewTopicID(random io.Reader) (TopicID, error) {
	var id TopicID
	for range maxIDAttempts {
		if _, err := io.ReadFull(random, id[:]); err != nil {
			return TopicID{}, fmt.Errorf("draw id: %w", err)
		}
		id[6] = id[6]&0x0F | 0x40 // version 4
		id[8] = id[8]&0x3F | 0x80 // variant of the RFC
		if id.String()[0] != '-' {
			return id, nil
		}
	}
	return TopicID{}, errors.New("draw id: the source of randomness repeats itself")
}

// ParseTopicID reads the form that String writes, and no other.
func ParseTopicID(s string) (TopicID, error) {
	var id TopicID
	if len(s) != idLength {
		return id, fmt.Errorf("parse id %.64q: want %d characters", s, idLength)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(id) {
		return TopicID{}, fmt.Errorf("parse id %q: not base64 of 16 bytes", s)
	}
	copy(id[:], b)
	return id, nil
}

// String is the text form that Kafka uses (Uuid.toString): 22 characters of
// base64 for URLs, without padding.
func (id TopicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// IsZero reports whether id is the zero id, which stands for "none".
func (id TopicID) IsZero() bool { return id == TopicID{} }

// MarshalText is String, for JSON.
func (id TopicID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseTopicID, for JSON.
func (id *TopicID) UnmarshalText(text []byte) error {
	parsed, err := ParseTopicID(string(text))
	*id = parsed
	return err
}

// reserved reports whether Kafka keeps id for itself.
func (id TopicID) reserved() bool { return id.IsZero() || id == metadataTopicID }

func compareIDs(a, b TopicID) int { return bytes.Compare(a[:], b[:]) }
