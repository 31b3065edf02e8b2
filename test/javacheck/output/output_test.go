package output

import (
	"slices"
	"strings"
	"testing"

	"sordini/test/reference"
)

// TestLines: only what differs is told, each line with its side.
func TestLines(t *testing.T) {
	for _, c := range []struct{ kafka, ours, want string }{
		{"a b c", "a b c", ""},
		{"a b c", "a x c", "Kafka: b|here:  x"},
		{"a b c", "a c", "Kafka: b"},
		{"a c", "a b c", "here:  b"},
		{"", "a", "here:  a"},
		{"a b c d", "b c d e", "Kafka: a|here:  e"},
	} {
		got := strings.Join(Lines(strings.Fields(c.kafka), strings.Fields(c.ours)), "|")
		if got != c.want {
			t.Errorf("%q and %q: %q, want %q", c.kafka, c.ours, got, c.want)
		}
	}
}

// TestLinesLong: texts that are too long to be compared are not taken for equal, and
// equal ones may have any length.
func TestLinesLong(t *testing.T) {
	long := slices.Repeat([]string{"line"}, 100*most)
	if got := Lines(long, slices.Clone(long)); len(got) > 0 {
		t.Errorf("equal texts: %q", got)
	}
	if got := Lines(long, append(slices.Clone(long), "more")); !slices.Equal(got, []string{"here:  more"}) {
		t.Errorf("one line more: %q", got)
	}
	if got := Lines(nil, long); len(got) != 1+most {
		t.Errorf("%d lines of a text that the other side lacks, want %d", len(got), 1+most)
	}
}

// TestOutputLines: stdout, stderr and the status are all compared.
func TestOutputLines(t *testing.T) {
	got := Output{Status: 3, Out: "one\n\ntwo", Err: "oh\r\n"}.Lines()
	if want := []string{"one", "two", "stderr: oh", "exit status 3"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestRename: a directory below another is the longer name, and is given first.
func TestRename(t *testing.T) {
	names := []Name{{"/k/data", "{data}"}, {"/k", "{dir}"}, {"127.0.0.1:9092", "{broker}"}}
	got := Rename([]string{"/k/data/t-0 /k/x", "127.0.0.1:9092 (id: 1)"}, names)
	if want := []string{"{data}/t-0 {dir}/x", "{broker} (id: 1)"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestDeviations: a rule may hide what sordini does on purpose only if test/reference
// declares it.
func TestDeviations(t *testing.T) {
	for _, r := range Rules {
		if r.What == "" || r.Why == "" {
			t.Errorf("rule %q has no name or no reason", r.What)
		}
		declared := slices.ContainsFunc(reference.Deviations, func(d reference.Deviation) bool {
			return strings.Contains(d.What, r.Deviation)
		})
		if !declared {
			t.Errorf("rule %q: no deviation %q is declared", r.What, r.Deviation)
		}
	}
}
