package cmd

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func TestParseTopics(t *testing.T) {
	set, err := parseTopics([]string{"orders", "clicks:0,12"})
	if err != nil || len(set) != 2 || len(set["orders"]) != 0 || !set.Lookup("clicks", 0) || !set.Lookup("clicks", 12) || len(set["clicks"]) != 2 {
		t.Errorf("%v, %v", set, err)
	}
	for _, bad := range [][]string{{""}, {":1"}, {"a:"}, {"a:x"}, {"a:-1"}, {"a:2147483648"}, {"a:1,"}, {"a", "a:1"}} {
		var exit *exitError
		if _, err := parseTopics(bad); !errors.As(err, &exit) || exit.code != exitUsage {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func TestPrintable(t *testing.T) {
	tests := map[string]string{
		"billing": "billing", "wörker 1": "wörker 1", "": `""`, "a\tb": `"a\tb"`, "\xff": `"\xff"`, "\x1b[2J": `"\x1b[2J"`,
	}
	for s, want := range tests {
		if got := printable(s); got != want {
			t.Errorf("printable(%q) = %s, want %s", s, got, want)
		}
	}
	if got := orDash(""); got != "-" {
		t.Errorf("%q", got)
	}
}

// offsetsOf are committed offsets; -1 for none.
func offsetsOf(topics map[string][]int64) kadm.OffsetResponses {
	responses := make(kadm.OffsetResponses)
	for topic, offsets := range topics {
		for index, at := range offsets {
			responses.Add(kadm.OffsetResponse{Offset: kadm.Offset{Topic: topic, Partition: int32(index), At: at}})
		}
	}
	return responses
}

// listedOf are offsets as a server lists them; nil for a topic that is gone.
func listedOf(topics map[string][]int64) kadm.ListedOffsets {
	list := make(kadm.ListedOffsets)
	for topic, offsets := range topics {
		list[topic] = make(map[int32]kadm.ListedOffset)
		for index, offset := range offsets {
			list[topic][int32(index)] = kadm.ListedOffset{Topic: topic, Partition: int32(index), Offset: offset}
		}
		if offsets == nil {
			list[topic][-1] = kadm.ListedOffset{Topic: topic, Partition: -1, Err: kerr.UnknownTopicOrPartition}
		}
	}
	return list
}

// testGroups are a consumer group that rebalances, has a topic that is gone, one that fails and hostile metadata; a
// group that has only an offset, ahead of the log; and one that there is not.
func testGroups() []groupDescription {
	instance := "inst-2"
	var first, second kadm.TopicsSet
	first.Add("orders", 1, 0)
	second.Add("clicks", 0)
	modern := describeConsumer(kadm.DescribedConsumerGroup{
		Group: "modern", State: "Reconciling", Epoch: 7, AssignmentEpoch: 6, AssignorName: "uniform",
		Coordinator: kadm.BrokerDetail{NodeID: 1, Host: "127.0.0.1", Port: 9092},
		Members: []kadm.ConsumerGroupMember{
			{MemberID: "member-1", MemberEpoch: 7, ClientID: "worker\n1", ClientHost: "/127.0.0.1", Assignment: first},
			{MemberID: "member-2", MemberEpoch: 6, InstanceID: &instance, Assignment: second},
			{MemberID: "member-3", MemberEpoch: 7},
		},
	})
	committed := offsetsOf(map[string][]int64{"orders": {118200, 50, 5}, "gone": {9}, "failed": {1, 2}})
	committed["orders"][2] = kadm.OffsetResponse{Offset: kadm.Offset{Topic: "orders", Partition: 2, At: 5, Metadata: "a\tb"}}
	committed["failed"][1] = kadm.OffsetResponse{Offset: kadm.Offset{Topic: "failed", Partition: 1, At: -1}, Err: kerr.UnstableOffsetCommit}
	ends := listedOf(map[string][]int64{"orders": {118203, 50}, "clicks": {12}, "gone": nil, "failed": {1, 1}})
	ends["failed"][0] = kadm.ListedOffset{Topic: "failed", Err: kerr.KafkaStorageError}
	modern.addPartitions(committed, ends)

	ahead := describeClassic(kadm.DescribedGroup{Group: "a b\n", State: "Empty", Coordinator: kadm.BrokerDetail{NodeID: 1, Host: "::1", Port: 9092}})
	ahead.addPartitions(offsetsOf(map[string][]int64{"orders": {20}}), listedOf(map[string][]int64{"orders": {10}}))
	return []groupDescription{modern, ahead, {Name: "nope", Error: errNoGroup.Error(), Members: []groupMember{}, Partitions: []groupPartition{}}}
}

func TestPrintGroups(t *testing.T) {
	var exit *exitError
	p := newTestProcess()
	if err := printGroups(&p.Process, formatTable, groupView{true, true}, testGroups()); !errors.As(err, &exit) || exit.code != exitFailure {
		t.Errorf("error %v", err)
	}
	golden(t, "group_describe.txt", p.out.String())
	golden(t, "group_describe.err.txt", p.err.String())

	p = newTestProcess()
	if err := printGroups(&p.Process, formatJSON, groupView{}, testGroups()); !errors.As(err, &exit) || exit.code != exitFailure {
		t.Errorf("error %v", err)
	}
	golden(t, "group_describe.json", p.out.String())

	p = newTestProcess()
	if err := printGroups(&p.Process, formatTable, groupView{members: true}, testGroups()[1:2]); err != nil {
		t.Errorf("error %v", err)
	}
	if got := p.out.String(); strings.Contains(got, "PARTITION") {
		t.Errorf("--members shows offsets:\n%s", got)
	}
}

// TestDescribeClassic_Assignment checks what members of classic groups own. Only those of consumers can be read.
func TestDescribeClassic_Assignment(t *testing.T) {
	g := describeClassic(kadm.DescribedGroup{Group: "mirror", State: "Stable", ProtocolType: "connect", Protocol: "sessioned",
		Members: []kadm.DescribedGroupMember{{MemberID: "m", ClientID: "c"}}})
	if g.Type != "classic" || len(g.Members) != 1 || len(g.Members[0].Assigned) != 0 || g.Epoch != nil || len(g.owners()) != 0 {
		t.Errorf("%+v", g)
	}
	if h := g.heading(); !strings.Contains(h, "protocol connect  assignor sessioned") {
		t.Errorf("%s", h)
	}
}

func TestFilterGroups(t *testing.T) {
	groups := []listedGroup{{"a", "classic", "Empty", ""}, {"b", "consumer", "Stable", "consumer"}, {"c", "classic", "Stable", "connect"}}
	tests := []struct {
		states, types []string
		want          string
	}{
		{nil, nil, "abc"}, {[]string{"stable"}, nil, "bc"}, {nil, []string{"Classic"}, "ac"},
		{[]string{"STABLE", "empty"}, []string{"consumer", "share"}, "b"}, {[]string{"Dead"}, nil, ""},
	}
	for _, tt := range tests {
		var got strings.Builder
		for _, g := range filterGroups(slices.Clone(groups), tt.states, tt.types) {
			got.WriteString(g.Name)
		}
		if got.String() != tt.want {
			t.Errorf("%v %v: %q, want %q", tt.states, tt.types, got.String(), tt.want)
		}
	}
	if err := checkNames("--state", []string{"stable", "nowhere"}, groupStates); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("error %v", err)
	}
}

func TestPrintListedGroups(t *testing.T) {
	p := newTestProcess()
	if err := printListedGroups(&p.Process, formatTable, []listedGroup{{"billing", "consumer", "Stable", "consumer"}, {"\x00", "", "", ""}}); err != nil {
		t.Fatal(err)
	}
	want := "GROUP    TYPE      STATE   PROTOCOL\nbilling  consumer  Stable  consumer\n" + `"\x00"   -         -       -` + "\n"
	if got := p.out.String(); got != want {
		t.Errorf("%s", got)
	}
	p = newTestProcess()
	if err := printListedGroups(&p.Process, formatJSON, []listedGroup{}); err != nil {
		t.Fatal(err)
	}
	if got := p.out.String(); !strings.Contains(got, `"groups": []`) || !strings.Contains(got, `"_version": 1`) {
		t.Errorf("no groups: %q", got)
	}
}

func TestPrintGroupResults(t *testing.T) {
	two := int32(2)
	results := []groupResult{
		{Name: "billing"}, {Name: "billing", Topic: "orders", Partition: &two},
		{Name: "billing", Topic: "clicks", Error: "nothing is committed for this topic"}, {Name: "mirror", Error: "NON_EMPTY_GROUP: no"},
	}
	var exit *exitError
	p := newTestProcess()
	if err := printGroupResults(&p.Process, formatTable, results); !errors.As(err, &exit) || exit.code != exitFailure {
		t.Errorf("error %v", err)
	}
	if got := p.out.String(); got != "deleted billing\ndeleted billing orders-2\n" {
		t.Errorf("standard output %q", got)
	}
	if got := p.err.String(); got != "billing clicks: nothing is committed for this topic\nmirror: NON_EMPTY_GROUP: no\n" {
		t.Errorf("standard error %q", got)
	}
	p = newTestProcess()
	if err := printGroupResults(&p.Process, formatJSON, results[:2]); err != nil || !json.Valid([]byte(p.out.String())) {
		t.Errorf("error %v: %s", err, p.out.String())
	}
}

func TestGroup_WrongCommandLines(t *testing.T) {
	for _, line := range []string{
		"group nothing", "group describe", "group list extra", "group list --state nowhere", "group list --type x",
		"group delete", "group delete g --offsets", "group delete g --topic t", "group delete g --offsets --topic t:x",
		"group seek", "group seek g", "group seek g --to-start --to-end", "group seek g --to-offset -1", "group seek g --to-offset x",
		"group seek g --to-time soon", "group seek g --to-end --topic :1", "group seek g --from-file f --topic t",
	} {
		p := newTestProcess(strings.Fields(line)...)
		if code := p.run(); code != exitUsage {
			t.Errorf("%s: exit code %d: %s", line, code, p.err.String())
		}
	}
}
