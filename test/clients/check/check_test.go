package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sordini/test/clients/event"
)

// story is a run of two partitions with a kill, a new member and a resumption, in
// which nothing is wrong. Its events are one millisecond apart.
func story() []event.Event {
	all := []event.Event{
		{Member: "a", Kind: event.Assigned, Generation: 1, Partitions: []int32{0}},
		{Member: "b", Kind: event.Assigned, Generation: 1, Partitions: []int32{1}},
		{Member: "a", Kind: event.Records, Partition: 0, First: 0, Last: 9},
		{Member: "b", Kind: event.Records, Partition: 1, First: 0, Last: 9},
		{Member: "a", Kind: event.Committed, Partition: 0, Offset: 10},
		{Kind: event.Standing, Offsets: []int64{10, 5}},
		{Member: "b", Kind: event.Killed, Offsets: []int64{10, 5}},
		{Member: "a", Kind: event.Revoked, Partitions: []int32{0}},
		{Member: "a", Kind: event.Assigned, Generation: 2, Partitions: []int32{0, 1}},
		{Member: "a", Kind: event.Records, Partition: 1, First: 5, Last: 14},
		{Member: "a", Kind: event.Records, Partition: 0, First: 10, Last: 14},
		{Member: "a", Kind: event.Revoked, Partitions: []int32{0, 1}},
		{Member: "a", Kind: event.Assigned, Generation: 3, Partitions: []int32{0}},
		{Member: "c", Kind: event.Assigned, Generation: 3, Partitions: []int32{1}},
		{Member: "c", Kind: event.Records, Partition: 1, First: 15, Last: 15},
		{Member: "c", Kind: event.Revoked, Partitions: []int32{1}},
		{Member: "c", Kind: event.Exited},
		{Member: "a", Kind: event.Exited},
		{Member: "d", Kind: event.Resumed, Offsets: []int64{15, 16}},
		{Member: "d", Kind: event.Assigned, Generation: 5, Partitions: []int32{0, 1}},
		{Member: "d", Kind: event.Records, Partition: 0, First: 15, Last: 19},
		{Member: "d", Kind: event.Records, Partition: 1, First: 16, Last: 19},
		{Member: "d", Kind: event.Exited},
	}
	for i := range all {
		all[i].At = int64(i+1) * time.Millisecond.Nanoseconds()
	}
	return all
}

func sound() Log {
	return Log{Events: story(), Ends: []int64{20, 20}, Committed: []int64{20, 20}}
}

func TestCheck_Sound(t *testing.T) {
	r := Check(sound())
	if len(r.Faults) > 0 || r.Records != 40 || r.Duplicates != 5 || r.Rebalances != 3 {
		t.Errorf("report of a sound run: %+v", r)
	}
}

// TestCheck plants one fault at a time and expects it to be reported.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		plant func(*Log)
		want  string // "" for none
	}{
		"lost record":       {func(l *Log) { l.Events[10].First = 11 }, "partition 0: never processed:  10-10"},
		"dropped":           {func(l *Log) { l.Events[10].Last = 13; l.Drops = true }, ""},
		"dropped early":     {func(l *Log) { l.Events[10].First = 11; l.Drops = true }, "partition 0: never processed:  10-10"},
		"dropped two":       {func(l *Log) { l.Events[10].Last = 12; l.Drops = true }, "partition 0: never processed:  13-13"},
		"lost at the end":   {func(l *Log) { l.Events[20].Last = 18 }, "partition 0: never processed:  19-19"},
		"double owner":      {drop(11), "partition 1 was given to c at 00:00:00.014 while a had it"},
		"in one generation": {func(l *Log) { l.Events[13].Partitions = []int32{0} }, "partition 0 was given to a and to c in generation 3"},
		"hidden generation": {func(l *Log) { hide(l); l.Events[13].Partitions = []int32{0, 1} }, "partition 0 was given to c at 00:00:00.014 while a had it"},
		"stamped late":      {func(l *Log) { late(l); l.Slack = 3 * time.Millisecond }, ""},
		"stamped too late":  {func(l *Log) { late(l) }, "while a had it"},
		"repeated":          {func(l *Log) { l.Events[14].First = 14 }, "c repeated 1 records, 14 to 14 of partition 1"},
		"allowed to repeat": {func(l *Log) { l.Events[14].First = 14; l.Repeats = true }, ""},
		"repeats too much":  {func(l *Log) { l.Events[14].First = 4; l.Repeats = true }, "c repeated 1 records, 4 to 4 of partition 1"},
		"beyond the kill":   {func(l *Log) { l.Events[9].First = 4 }, "a repeated 1 records, 4 to 4 of partition 1"},
		"resumed early":     {func(l *Log) { l.Events[20].First = 14 }, "d resumed partition 0 at 14, want 15"},
		"resumed late":      {func(l *Log) { l.Events[20].First = 16 }, "d resumed partition 0 at 16, want 15"},
		"resumed, repeated": {func(l *Log) { l.Events[20].First = 14; l.Repeats = true }, "d repeated 1 records"},
		"nobody resumed":    {drop(18), "nobody resumed"},
		"commit went back":  {func(l *Log) { l.Events[18].Offsets = []int64{15, 4} }, "the commit of partition 1 went back from 5 to 4"},
		"commit ran ahead":  {func(l *Log) { l.Events[4].Offset = 11 }, "a committed 11 of partition 0, and nobody has processed more than 9"},
		"commit lost":       {func(l *Log) { l.Committed[1] = 19 }, "partition 1: committed 19, and its log ends at 20"},
		"no commits":        {func(l *Log) { l.Committed = nil }, "0 partitions have commits"},
		"member's own":      {func(l *Log) { l.Events[4] = event.Event{At: 1, Member: "a", Kind: event.Fault, Text: "odd"} }, "a: odd"},
		"past the end":      {func(l *Log) { l.Events[21].Last = 20 }, "whose log ends at 20"},
		"no such partition": {func(l *Log) { l.Events[21].Partition = 2 }, "partition 2, which does not exist"},
		"unknown":           {func(l *Log) { l.Events[4].Kind = "odd" }, `unknown event "odd"`},
	} {
		t.Run(name, func(t *testing.T) {
			l := sound()
			c.plant(&l)
			faults := Check(l).Faults
			if text := strings.Join(faults, "\n"); c.want == "" && text != "" || !strings.Contains(text, c.want) {
				t.Errorf("faults %q, want %q", faults, c.want)
			}
		})
	}
}

func drop(i int) func(*Log) {
	return func(l *Log) { l.Events = slices.Delete(l.Events, i, i+1) }
}

func hide(l *Log) {
	for i := range l.Events {
		l.Events[i].Generation = 0
	}
}

// late moves the end of a's second assignment behind c's first.
func late(l *Log) {
	l.Events[11].Partitions = []int32{1}
	l.Events[11].At = l.Events[13].At + 2*time.Millisecond.Nanoseconds()
	l.Events[12].At = l.Events[11].At
}
