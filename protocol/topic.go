package protocol

import (
	"fmt"
	"unicode/utf8"
)

// MaxTopicNameLength is the longest legal topic name, in characters. It leaves
// room for "-<partition>" and a suffix in a directory name of 255 bytes.
const MaxTopicNameLength = 249

// ValidTopicName returns nil if name is a legal topic name: 1 to 249 characters
// of [a-zA-Z0-9._-], but not "." or "..". Otherwise the error's text is that of
// Kafka's Topic.validate, fit for the message of INVALID_TOPIC_EXCEPTION.
func ValidTopicName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("Topic name is invalid: the empty string is not allowed")
	case name == "." || name == "..":
		return fmt.Errorf("Topic name is invalid: '%s' is not allowed", name)
	case len(name) > MaxTopicNameLength && lengthUTF16(name) > MaxTopicNameLength:
		return fmt.Errorf("Topic name is invalid: the length of '%s' is longer than the max allowed length %d",
			name, MaxTopicNameLength)
	}
	for i := range len(name) {
		if !legalTopicByte(name[i]) {
			return fmt.Errorf("Topic name is invalid: '%s' contains one or more characters other than "+
				"ASCII alphanumerics, '.', '_' and '-'", name)
		}
	}
	return nil
}

// TopicsCollide reports whether a and b are equal once '.' and '_' are taken as
// the same character. Kafka refuses to create such a pair, because its metric
// names cannot tell them apart. A name collides with itself.
func TopicsCollide(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if unifyTopicByte(a[i]) != unifyTopicByte(b[i]) {
			return false
		}
	}
	return true
}

func legalTopicByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '.' || c == '_' || c == '-'
}

func unifyTopicByte(c byte) byte {
	if c == '.' {
		return '_'
	}
	return c
}

// lengthUTF16 is the length of s as Java counts it, without converting s.
func lengthUTF16(s string) int {
	n := utf8.RuneCountInString(s)
	for _, r := range s {
		if r > 0xFFFF {
			n++
		}
	}
	return n
}
