package scenario

import (
	"reflect"
	"testing"

	"sordini/test/clients/event"
	"sordini/test/clients/member"
)

func TestParseMember(t *testing.T) {
	want := member.Config{Address: "a:1", Topic: "t", Partitions: 12, Group: "g", Protocol: member.Classic, Strategy: member.Range, Instance: "i"}
	library, got, err := ParseMember(append([]string{"sarama"}, memberArgs(want)...))
	if err != nil || library != "sarama" || !reflect.DeepEqual(got, want) {
		t.Errorf("%s %+v (%v), want %+v", library, got, err, want)
	}
	if _, _, err := ParseMember([]string{"sarama"}); err == nil {
		t.Error("a member without arguments")
	}
}

// TestBalanced: shares are equal, and together they are all.
func TestBalanced(t *testing.T) {
	b := newBoard()
	members := []*process{{name: "a"}, {name: "b"}}
	for _, step := range []struct {
		e    event.Event
		want bool
	}{
		{event.Event{Member: "a", Kind: event.Assigned, Partitions: []int32{0, 1}}, false},
		{event.Event{Member: "b", Kind: event.Assigned, Partitions: []int32{1, 2}}, false},
		{event.Event{Member: "b", Kind: event.Revoked, Partitions: []int32{1}}, false},
		{event.Event{Member: "b", Kind: event.Assigned, Partitions: []int32{3}}, true},
		{event.Event{Member: "b", Kind: event.Killed}, false},
	} {
		b.tell(step.e)
		if got := b.balanced(members, 4); got != step.want {
			t.Errorf("balanced %v after %+v", got, step.e)
		}
	}
}

// TestVariants: names are what tells variants apart.
func TestVariants(t *testing.T) {
	seen := make(map[string]bool)
	for _, v := range Variants() {
		if seen[v.Name()] {
			t.Errorf("two variants %q", v.Name())
		}
		seen[v.Name()] = true
	}
}
