package protocol

import (
	"strings"
	"testing"
)

// The messages were taken from Apache Kafka 4.3.0's Topic.validate.
func TestValidTopicName(t *testing.T) {
	long, umlauts, emojis := strings.Repeat("a", 250), strings.Repeat("ü", 200), strings.Repeat("😀", 125)
	const charset = " contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
	cases := []struct{ name, want string }{
		{"a", ""},
		{"...", ""},
		{"-", ""},
		{"__consumer_offsets", ""},
		{"AZaz09._-", ""},
		{strings.Repeat("x", 249), ""},
		{"", "the empty string is not allowed"},
		{".", "'.' is not allowed"},
		{"..", "'..' is not allowed"},
		{long, "the length of '" + long + "' is longer than the max allowed length 249"},
		{emojis, "the length of '" + emojis + "' is longer than the max allowed length 249"},
		{umlauts, "'" + umlauts + "'" + charset},
		{"a b", "'a b'" + charset},
		{"a/b", "'a/b'" + charset},
		{"a\x00", "'a\x00'" + charset},
		{"\xff", "'\xff'" + charset},
	}
	for _, c := range cases {
		got := ""
		if err := ValidTopicName(c.name); err != nil {
			got = err.Error()
		}
		want := c.want
		if want != "" {
			want = "Topic name is invalid: " + want
		}
		if got != want {
			t.Errorf("ValidTopicName(%q) = %q, want %q", c.name, got, want)
		}
	}
}

func TestValidTopicName_EveryByte(t *testing.T) {
	const legal = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	for c := range 256 {
		name := "x" + string([]byte{byte(c)})
		if got, want := ValidTopicName(name) == nil, strings.IndexByte(legal, byte(c)) >= 0; got != want {
			t.Errorf("byte %#x: valid = %v, want %v", c, got, want)
		}
	}
}

func TestTopicsCollide(t *testing.T) {
	cases := []struct {
		a, b string
		want bool
	}{
		{"a.b", "a_b", true},
		{"a.b_c", "a_b.c", true},
		{"a.b", "a.b", true},
		{"a-b", "a_b", false},
		{"a.b", "a_bc", false},
		{"", "", true},
	}
	for _, c := range cases {
		if got := TopicsCollide(c.a, c.b); got != c.want {
			t.Errorf("TopicsCollide(%q, %q) = %v, want %v", c.a, c.b, got, c.want)
		}
		if got := TopicsCollide(c.b, c.a); got != c.want {
			t.Errorf("TopicsCollide(%q, %q) = %v, want %v", c.b, c.a, got, c.want)
		}
	}
}
