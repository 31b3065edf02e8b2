package meta

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
)

func TestTopicID_Text(t *testing.T) {
	// As Kafka's Uuid.toString writes them.
	for text, id := range map[string]TopicID{
		"AAAAAAAAAAAAAAAAAAAAAA": {},
		"AAAAAAAAAAAAAAAAAAAAAQ": {15: 1},
		"_____________________w": TopicID(bytes.Repeat([]byte{0xFF}, 16)),
		"AQIDBAUGBwgJCgsMDQ4PEA": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	} {
		if got := id.String(); got != text {
			t.Errorf("%x is %q, want %q", id[:], got, text)
		}
		if got, err := ParseTopicID(text); got != id || err != nil {
			t.Errorf("parse %q: %x, %v", text, got[:], err)
		}
	}
	if !(TopicID{}).IsZero() || topicID(1).IsZero() {
		t.Error("IsZero")
	}
}

func TestParseTopicID_Refuses(t *testing.T) {
	for _, bad := range []string{"", "A", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAB",
		"AAAAAAAAAAAAAAAAAAAA+A", "AAAAAAAAAAA\nAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA ", "AAAAAAAAAAAAAAAAAAAA\n\n"} {
		if id, err := ParseTopicID(bad); err == nil || !id.IsZero() {
			t.Errorf("%q was read as %x", bad, id[:])
		}
	}
}

func TestNewTopicID(t *testing.T) {
	random := seeded(3)
	seen := map[TopicID]bool{}
	for range 20_000 {
		id, err := NewTopicID(random)
		must(t, err)
		if seen[id] || id.reserved() || id.String()[0] == '-' || id[6]>>4 != 4 || id[8]>>6 != 2 {
			t.Fatalf("drew %s", id)
		}
		seen[id] = true
	}
}

func TestNewTopicID_Sources(t *testing.T) {
	dash := bytes.Repeat([]byte{0xFB}, 16) // '-' comes first
	good := bytes.Repeat([]byte{0x11}, 16)
	if id, err := NewTopicID(bytes.NewReader(slices.Concat(dash, dash, good))); err != nil || id[0] != 0x11 {
		t.Errorf("after two ids that start with '-': %s, %v", id, err)
	}
	if _, err := NewTopicID(bytes.NewReader(good[:15])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("source that ends: %v", err)
	}
	if _, err := NewTopicID(bytes.NewReader(bytes.Repeat(dash, 1000))); err == nil {
		t.Error("a source that repeats itself was accepted")
	}
}
