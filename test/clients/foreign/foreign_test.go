package foreign

import (
	"reflect"
	"strings"
	"testing"

	"sordini/test/clients/event"
)

func TestKcat(t *testing.T) {
	record := func(line string) []event.Event { return KcatRecord(12, line) }
	for line, c := range map[string]struct {
		parse func(string) []event.Event
		want  []event.Event
	}{
		"% Group g rebalanced (memberid rdkafka-1): assigned: t [0], t [11]": {KcatRebalance, []event.Event{{Kind: event.Assigned, Partitions: []int32{0, 11}}}},
		"% Group g rebalanced (memberid rdkafka-1): revoked: t [3]":          {KcatRebalance, []event.Event{{Kind: event.Revoked, Partitions: []int32{3}}}},
		"% Group g rebalanced (memberid ): revoked: t [3]":                   {KcatRebalance, []event.Event{{Kind: event.Revoked, Partitions: []int32{3}}}}, // after its session has ended
		"% Reached end of topic t [0] at offset 30":                          {KcatRebalance, nil},
		"11 2 35": {record, []event.Event{{Kind: event.Records, Partition: 11, First: 2, Last: 2}}},
	} {
		if got := c.parse(line); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, want %+v", line, got, c.want)
		}
	}
	for _, line := range []string{"", "1 2", "11 2 36", "x y z"} {
		if got := record(line); len(got) != 1 || got[0].Kind != event.Fault {
			t.Errorf("%q: %+v, want a fault", line, got)
		}
	}
}

func TestJavaLine(t *testing.T) {
	const stamp = `{"timestamp":7,"name":`
	for line, want := range map[string][]event.Event{
		stamp + `"startup_complete"}`:                                      nil,
		stamp + `"partitions_assigned","partitions":[{"partition":3}]}`:    {{At: 7e6, Kind: event.Assigned, Partitions: []int32{3}}},
		stamp + `"partitions_revoked","partitions":[]}`:                    {{At: 7e6, Kind: event.Revoked}},
		stamp + `"offsets_committed","offsets":[{"offset":5}],"success":1`: nil,
		stamp + `"offsets_committed","offsets":[{"partition":2,"offset":30}],"success":true}`: {
			{At: 7e6, Kind: event.Committed, Partition: 2, Offset: 30}},
		stamp + `"records_consumed","count":30,"partitions":[{"partition":1,"count":30,"minOffset":5,"maxOffset":34}]}`: {
			{At: 7e6, Kind: event.Records, Partition: 1, First: 5, Last: 34}},
		"OpenJDK warning": nil,
	} {
		if got := JavaLine(line); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
	gap := JavaLine(stamp + `"records_consumed","partitions":[{"count":2,"minOffset":5,"maxOffset":8}]}`)
	if len(gap) == 0 || !strings.Contains(gap[0].Text, "gap") {
		t.Errorf("a gap is reported as %+v", gap)
	}
}
