package output

import (
	"slices"
	"strings"
	"testing"
)

// TestRules: what is meant to go goes, and nothing beside it.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		rules     []*Rule
		text      string
		want      string
		untouched bool
	}{
		{rules: Always, text: "stderr: [2026-11-26 14:12:03,974] ERROR no", want: "stderr: [time] ERROR no"},
		{rules: Always, text: "a|stderr: [2026-11-26 14:12:03,974] WARN retried|b", want: "a|b"},
		{rules: Always, text: "Topic: a\tTopicId: S08m-lmtQf23D15FjyW-iQ\tPartitionCount: 3", want: "Topic: a\tTopicId: <id>\tPartitionCount: 3"},
		{rules: Always, text: "Topic: a\tConfigs: min.insync.replicas=1,segment.ms=5,retention.ms=4", want: "Topic: a\tConfigs: retention.ms=4,segment.ms=5"},
		{rules: Always, text: "Partition: 1\tLeader: 1", untouched: true},
		{rules: []*Rule{Millis}, text: "CreateTime:1795702330070\tv", want: "CreateTime:<ms>\tv"},
		{rules: []*Rule{Millis}, text: "CreateTime:1000000000000 offset 179570233007", untouched: true},
		{rules: []*Rule{Members}, text: "g  consumer-g-1-0a1b2c3d-0000-1111-2222-0123456789ab  /127.0.0.1", want: "g  <member>  /127.0.0.1"},
		{rules: []*Rule{Members}, text: "group  topic  0  12", untouched: true},
		{rules: []*Rule{Order}, text: "b|a|c", want: "a|b|c"},
		{rules: []*Rule{Objects, Last}, text: `{"key":{"g":1},"value":1}{"key":{"g":2},"value":1}{"key":{"g":1},"value":2}`,
			want: `{"key":{"g":2},"value":1}|{"key":{"g":1},"value":2}`},
		{rules: []*Rule{Sound}, text: "Dumping x|baseOffset: 0 lastOffset: 1|| offset: 0 CreateTime: 5", want: ""},
		{rules: []*Rule{Sound}, text: "Found timestamp mismatch in :/x|  Index timestamp: 1, log timestamp: 2", untouched: true},
		{rules: []*Rule{Speed}, text: "50000 records sent, 9.5 records/sec, 12 ms 50th", want: "50000 records sent, <measured> records/sec, <measured> 50th"},
	} {
		text := splitBars(c.text)
		if c.untouched {
			c.want = c.text
		}
		if got := strings.Join(Apply(text, c.rules...), "|"); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.text, got, c.want)
		}
		if !slices.Equal(text, splitBars(c.text)) {
			t.Errorf("%q: the text given was changed", c.text)
		}
	}
}

// splitBars makes lines of a text; two bars are one within a line.
func splitBars(text string) []string {
	lines := strings.Split(strings.ReplaceAll(text, "||", "|\x00"), "|")
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "\x00", "|")
	}
	return lines
}

// TestUnused: a rule counts as used once it has changed something.
func TestUnused(t *testing.T) {
	r := &Rule{What: "a test", change: func(lines []string) []string { return append(lines, "more") }}
	nothing := &Rule{What: "nothing", change: func(lines []string) []string { return lines }}
	Apply([]string{"a"}, r, nothing)
	if !r.used || nothing.used {
		t.Errorf("used: %v and %v, want true and false", r.used, nothing.used)
	}
}
