package consumer

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

type beat = kmsg.ConsumerGroupHeartbeatRequest

// TestLife is a group from its first member to its last.
func TestLife(t *testing.T) {
	w := newWorld(t)
	w.expect(w.beat(join("m1", "a")), 2, "a:0,1,2,3")
	w.wrote("Member m1, Epoch, Target m1, TargetEpoch, Current m1")
	w.expect(w.beat(delta("m1", 2)), 2, "-")
	w.wrote("")

	w.expect(w.beat(join("m2", "a")), 3, "")
	w.wrote("Member m2, Epoch, Target m1, Target m2, TargetEpoch, Current m2")
	if got := w.g.State(); got != "Reconciling" {
		t.Fatal(got)
	}
	w.expect(w.beat(delta("m1", 2)), 2, "a:0,1")
	w.wrote("Current m1")
	w.expect(w.beat(delta("m1", 2)), 2, "-") // it has not said what it has
	w.expect(w.beat(with(delta("m1", 2), func(r *beat) { r.Topics = w.has("a:0,1,2") })), 2, "-")
	w.expect(w.beat(delta("m2", 3)), 3, "-")
	w.wrote("Current m2") // its answer has arrived: the epoch before is gone
	w.expect(w.beat(delta("m2", 3)), 3, "-")
	w.wrote("")
	w.expect(w.beat(with(delta("m1", 2), func(r *beat) { r.Topics = w.has("a:0,1") })), 3, "-")
	w.wrote("Current m1")
	w.expect(w.beat(delta("m2", 3)), 3, "a:2,3")
	w.wrote("Current m2")
	if got := w.g.State(); got != "Stable" {
		t.Fatal(got)
	}
	w.reload()

	r := w.beat(delta("m1", -1))
	if r.ErrorCode != 0 || r.MemberEpoch != -1 || *r.MemberID != "m1" || r.HeartbeatIntervalMillis != 0 {
		t.Fatalf("left: %+v", r)
	}
	w.wrote("!Current m1, !Target m1, !Member m1, Epoch")
	if got := w.g.State(); got != "Assigning" {
		t.Fatal(got)
	}
	w.expect(w.beat(delta("m2", 3)), 4, "a:0,1,2,3")
	w.wrote("Target m2, TargetEpoch, Current m2")
	w.beat(delta("m2", -1))
	if !w.g.Empty() || w.g.State() != "Empty" || w.g.Epoch() != 5 {
		t.Fatal(w.g.State(), w.g.Epoch())
	}
	w.reload()
	if got := kinds(w.g.Tombstones()); got != "!TargetEpoch, !Epoch" {
		t.Fatal(got)
	}
}

func TestTombstones(t *testing.T) {
	w := newWorld(t)
	w.beat(with(join("m2"), func(r *beat) { r.SubscribedTopicRegex = new(string); *r.SubscribedTopicRegex = "a.*" }))
	w.beat(join("m1", "a"))
	all := w.g.Tombstones()
	if got := kinds(all); got != "!Current m1, !Current m2, !Target m1, !Target m2, !TargetEpoch, !Member m1, !Member m2, !Pattern a.*, !Epoch" {
		t.Fatal(got)
	}
	for _, r := range all {
		w.g.Replay(r)
	}
	left := New("g")
	left.epoch, left.hash, left.targetEpoch = w.g.epoch, w.g.hash, -1
	if dump(w.g) != dump(left) {
		t.Fatal(dump(w.g))
	}
}

// TestInvalid: what is wrong whatever the group, with Kafka's texts.
func TestInvalid(t *testing.T) {
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		change func(*beat)
		err    *kerr.Error
		text   string
	}{
		"member id":            {func(r *beat) { r.MemberID = " \t" }, kerr.InvalidRequest, "MemberId can't be empty."},
		"member id, version 0": {func(r *beat) { r.Version, r.MemberID, r.MemberEpoch = 0, "", 1 }, kerr.InvalidRequest, "MemberId can't be empty."},
		"instance":             {func(r *beat) { r.InstanceID = text("") }, kerr.InvalidRequest, "InstanceId can't be empty."},
		"rack":                 {func(r *beat) { r.RackID = text("") }, kerr.InvalidRequest, "RackId can't be empty."},
		"no timeout":           {func(r *beat) { r.RebalanceTimeoutMillis = -1 }, kerr.InvalidRequest, "RebalanceTimeoutMs must be provided in first request."},
		"no partitions":        {func(r *beat) { r.Topics = nil }, kerr.InvalidRequest, "TopicPartitions must be empty when (re-)joining."},
		"partitions":           {func(r *beat) { r.Topics = make([]kmsg.ConsumerGroupHeartbeatRequestTopic, 1) }, kerr.InvalidRequest, "TopicPartitions must be empty when (re-)joining."},
		"no subscription":      {func(r *beat) { r.SubscribedTopicNames = nil }, kerr.InvalidRequest, "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."},
		"static leave":         {func(r *beat) { r.MemberEpoch = -2 }, kerr.InvalidRequest, "InstanceId can't be null."},
		"epoch":                {func(r *beat) { r.MemberEpoch = -3 }, kerr.InvalidRequest, "MemberEpoch is invalid."},
		"assignor":             {func(r *beat) { r.ServerAssignor = text("sticky") }, kerr.UnsupportedAssignor, "ServerAssignor sticky is not supported. Supported assignors: uniform, range."},
		"unknown":              {func(r *beat) { r.MemberEpoch = 1 }, kerr.UnknownMemberID, "Member m1 is not a member of group g."},
		"unknown leaves":       {func(r *beat) { r.MemberEpoch = -1 }, kerr.UnknownMemberID, "Member m1 is not a member of group g."},
		"unknown instance":     {func(r *beat) { r.MemberEpoch, r.InstanceID = 1, text("i") }, kerr.UnknownMemberID, "Instance id i is unknown."},
		"expression":           {func(r *beat) { r.SubscribedTopicRegex = text("[") }, kerr.InvalidRegularExpression, "SubscribedTopicRegex `[` is not a valid regular expression: missing closing ]."},
		"long expression":      {func(r *beat) { r.SubscribedTopicRegex = text(strings.Repeat("a", 1025)) }, kerr.InvalidRegularExpression, "too large"},
		"large expression":     {func(r *beat) { r.SubscribedTopicRegex = text("(a{10}|b{95}){10}") }, kerr.InvalidRegularExpression, "too large"},
		"injected expression":  {func(r *beat) { r.SubscribedTopicRegex = text("a)|(?:b") }, kerr.InvalidRegularExpression, "unexpected )."},
	} {
		w := newWorld(t)
		t.Log(name)
		w.refused(w.beat(with(join("m1", "a"), c.change)), c.err, c.text)
		if !w.g.Empty() {
			t.Errorf("%s: a member", name)
		}
	}
}

func TestVersion0_IDFromServer(t *testing.T) {
	w := newWorld(t)
	r := w.beat(with(join("", "a"), func(r *beat) { r.Version = 0 }))
	w.expect(r, 2, "a:0,1,2,3")
	if *r.MemberID != "id1" {
		t.Fatal(*r.MemberID)
	}
}

func TestMaxSize(t *testing.T) {
	w := newWorld(t)
	w.s.MaxSize = 1
	w.beat(join("m1", "a"))
	w.refused(w.beat(join("m2", "a")), kerr.GroupMaxSizeReached, "The consumer group has reached its maximum capacity of 1 members.")
	w.expect(w.beat(delta("m1", 2)), 2, "-")
}

// TestEpochs: who is not where the group believes it to be is fenced.
func TestEpochs(t *testing.T) {
	w := newWorld(t)
	w.expect(w.beat(join("m1", "a")), 2, "a:0,1,2,3")
	w.topics.set("a", 5)
	w.expect(w.beat(delta("m1", 2)), 3, "a:0,1,2,3,4")
	w.refused(w.beat(delta("m1", 4)), kerr.FencedMemberEpoch, "The consumer group member has a greater member epoch (4) than the one known by the group coordinator (3). The member must abandon all its partitions and rejoin.")
	w.refused(w.beat(delta("m1", 1)), kerr.FencedMemberEpoch, "smaller member epoch (1)")
	w.refused(w.beat(delta("m1", 2)), kerr.FencedMemberEpoch, "smaller")
	w.refused(w.beat(with(delta("m1", 2), func(r *beat) { r.Topics = w.has("a:0,7") })), kerr.FencedMemberEpoch, "smaller")
	// The answer was lost: the member is at the epoch before, with nothing it should not have.
	w.expect(w.beat(with(delta("m1", 2), func(r *beat) { r.Topics = w.has("a:0,1") })), 3, "-")
	w.expect(w.beat(with(join("m1", "a"), func(r *beat) { r.MemberEpoch, r.Topics = 2, w.has("a:0,1") })), 3, "a:0,1,2,3,4")
	w.wrote("")
	// Joining again is always allowed.
	w.expect(w.beat(join("m1", "a")), 3, "a:0,1,2,3,4")
	w.wrote("")
}

// TestFull: a heartbeat that tells everything is told everything.
func TestFull(t *testing.T) {
	w := newWorld(t)
	w.beat(join("m1", "a"))
	w.expect(w.beat(with(join("m1", "a"), func(r *beat) { r.MemberEpoch = 2 })), 2, "a:0,1,2,3")
	w.expect(w.beat(with(join("m1", "a"), func(r *beat) { r.MemberEpoch, r.Topics = 2, nil })), 2, "-")
	w.expect(w.beat(with(join("m1"), func(r *beat) { r.MemberEpoch, r.SubscribedTopicNames = 2, nil })), 2, "-")
}

// TestMember: what a member tells is kept, and only news is written.
func TestMember(t *testing.T) {
	w := newWorld(t)
	w.beat(join("m1", "b", "a", "a"))
	v := w.last[0].(*record.Member).Value
	if len(v.Topics) != 2 || v.Topics[0] != "a" || v.Regex == nil || *v.Regex != "" || v.ClientHost != "/127.0.0.1" || v.RebalanceTimeout != 10_000 {
		t.Fatalf("%+v", v)
	}
	w.beat(with(delta("m1", 2), func(r *beat) { r.SubscribedTopicNames = []string{"b", "a"} }))
	w.wrote("")
	rack := []byte("r1")
	w.beat(with(delta("m1", 2), func(r *beat) { s := string(rack); r.RackID = &s }))
	w.wrote("Member m1")
	w.expect(w.beat(with(delta("m1", 2), func(r *beat) { r.SubscribedTopicNames = []string{"b"} })), 2, "")
	w.wrote("Member m1, Epoch, Target m1, TargetEpoch, Current m1")
	w.reload()
}

// TestTopics: the group follows its topics.
func TestTopics(t *testing.T) {
	w := newWorld(t)
	w.expect(w.beat(join("m1", "a", "b")), 2, "a:0,1,2,3")
	w.topics.set("x", 3)
	w.expect(w.beat(delta("m1", 2)), 2, "-")
	w.wrote("")
	w.topics.set("b", 1)
	w.expect(w.beat(delta("m1", 2)), 3, "a:0,1,2,3 b:0")
	w.wrote("Epoch, Target m1, TargetEpoch, Current m1")
	w.topics.drop("b")
	w.expect(w.beat(delta("m1", 3)), 3, "a:0,1,2,3")
	w.expect(w.beat(with(delta("m1", 3), func(r *beat) { r.Topics = w.has("a:0,1,2,3") })), 4, "-")
	was := w.topics.topics["a"].ID
	w.topics.drop("a")
	w.topics.set("a", 2)
	if w.topics.topics["a"].ID == was {
		t.Fatal("the same topic")
	}
	w.expect(w.beat(delta("m1", 4)), 4, "") // the old topic is to be given back first
	w.expect(w.beat(with(delta("m1", 4), func(r *beat) { r.Topics = w.has("") })), 5, "a:0,1")
	w.reload()
	w.expect(w.beat(delta("m1", 5)), 5, "-")
	w.wrote("")
}

func TestSession(t *testing.T) {
	w := newWorld(t)
	w.beat(join("m1", "a"))
	w.tick(44 * time.Second)
	w.beat(delta("m1", 2))
	w.tick(44 * time.Second)
	w.beat(delta("m1", 2))
	w.beat(join("m2", "a"))
	w.tick(30 * time.Second)
	w.beat(delta("m2", 3))
	w.tick(16 * time.Second)
	w.wrote("!Current m1, !Target m1, !Member m1, Epoch")
	w.refused(w.beat(delta("m1", 2)), kerr.UnknownMemberID, "m1")
	w.expect(w.beat(delta("m2", 3)), 4, "a:0,1,2,3")
	w.reload()
	w.tick(45 * time.Second)
	if !w.g.Empty() {
		t.Fatal("sessions do not begin with the loading")
	}
	if _, ok := w.g.Deadline(); ok {
		t.Fatal("an empty group waits")
	}
}

// TestRevocation: who does not give back in time is taken out.
func TestRevocation(t *testing.T) {
	for _, load := range []bool{false, true} {
		w := newWorld(t)
		w.beat(join("m1", "a"))
		w.beat(join("m2", "a"))
		w.expect(w.beat(delta("m1", 2)), 2, "a:0,1")
		if load {
			w.reload()
		}
		for range 9 {
			w.tick(time.Second)
			w.expect(w.beat(delta("m1", 2)), 2, "-")
			w.expect(w.beat(delta("m2", 3)), 3, "-")
		}
		w.tick(time.Second)
		w.wrote("!Current m1, !Target m1, !Member m1, Epoch")
		w.expect(w.beat(delta("m2", 3)), 4, "a:0,1,2,3")
	}
}

func static(id, instance string, topics ...string) *beat {
	return with(join(id, topics...), func(r *beat) { r.InstanceID = &instance })
}

func TestStatic(t *testing.T) {
	w := newWorld(t)
	i := "i1"
	w.expect(w.beat(static("m1", i, "a")), 2, "a:0,1,2,3")
	w.refused(w.beat(static("m2", i, "a")), kerr.UnreleasedInstanceID, "Static member m2 with instance id i1 cannot join the group because the instance id is owned by m1 member.")
	w.refused(w.beat(with(delta("m2", 2), func(r *beat) { r.InstanceID = &i })), kerr.FencedInstanceID, "Static member m2 with instance id i1 was fenced by member m1.")
	w.refused(w.beat(with(delta("m2", -2), func(r *beat) { r.InstanceID = &i })), kerr.FencedInstanceID, "fenced")
	w.expect(w.beat(join("m3", "a")), 3, "")
	w.expect(w.beat(delta("m1", 2)), 2, "a:0,1")

	r := w.beat(with(delta("m1", -2), func(r *beat) { r.InstanceID = &i }))
	w.expect(r, -2, "-")
	w.wrote("Current m1")
	w.reload()
	w.expect(w.beat(delta("m3", 3)), 3, "a:2,3") // what m1 was to give back is free

	w.expect(w.beat(static("m2", i, "a")), 3, "a:0,1")
	w.wrote("!Current m1, !Target m1, !Member m1, Member m2, Target m2, Current m2, Current m2")
	w.reload()
	w.expect(w.beat(delta("m3", 3)), 3, "-")
	w.wrote("")

	// Under its own id, too; and one that does not come back is gone with its session.
	w.beat(with(delta("m2", -2), func(r *beat) { r.InstanceID = &i }))
	w.expect(w.beat(static("m2", i, "a")), 3, "a:0,1")
	w.beat(with(delta("m2", -2), func(r *beat) { r.InstanceID = &i }))
	w.tick(40 * time.Second)
	w.expect(w.beat(delta("m3", 3)), 3, "-")
	w.tick(5 * time.Second)
	w.expect(w.beat(delta("m3", 3)), 4, "a:0,1,2,3")
	w.beat(static("m4", i, "a"))
	w.beat(with(delta("m4", -1), func(r *beat) { r.InstanceID = &i }))
	w.wrote("!Current m4, !Target m4, !Member m4, Epoch")
}

// TestStatic_NewSubscription: who comes in the place of another may want other topics.
func TestStatic_NewSubscription(t *testing.T) {
	w := newWorld(t)
	w.topics.set("b", 1)
	i := "i"
	w.expect(w.beat(static("m1", i, "a")), 2, "a:0,1,2,3")
	w.beat(with(delta("m1", -2), func(r *beat) { r.InstanceID = &i }))
	w.expect(w.beat(static("m2", i, "b")), 3, "b:0")
	w.reload()
}

func TestAssignmentInterval(t *testing.T) {
	w := newWorld(t)
	w.s.AssignmentInterval = time.Second
	w.expect(w.beat(join("m1", "a")), 2, "a:0,1,2,3") // the first one does not wait
	w.expect(w.beat(join("m2", "a")), 2, "")
	w.wrote("Member m2, Epoch, Current m2")
	if w.g.State() != "Assigning" {
		t.Fatal(w.g.State())
	}
	// What the member does not want any more it gives back at once.
	w.expect(w.beat(with(delta("m1", 2), func(r *beat) { r.SubscribedTopicNames = []string{} })), 2, "")
	w.wrote("Member m1, Epoch, Current m1")
	w.tick(999 * time.Millisecond)
	w.expect(w.beat(delta("m2", 2)), 2, "-")
	w.tick(time.Millisecond)
	w.expect(w.beat(delta("m2", 2)), 4, "-")
	w.expect(w.beat(with(delta("m1", 2), func(r *beat) { r.Topics = w.has("") })), 4, "-")
	w.expect(w.beat(delta("m2", 4)), 4, "a:0,1,2,3")
	w.now = w.now.Add(-time.Hour) // a clock that goes back keeps nobody waiting
	w.expect(w.beat(with(delta("m1", 4), func(r *beat) { r.SubscribedTopicNames = []string{"a"} })), 5, "-")
}

// TestAssignor: what most members wish for.
func TestAssignor(t *testing.T) {
	w := newWorld(t)
	w.topics.set("b", 2)
	w.topics.set("a", 2)
	wish := func(name string) func(*beat) { return func(r *beat) { r.ServerAssignor = &name } }
	w.beat(with(join("m1", "a", "b"), wish("range")))
	w.beat(with(join("m2", "a", "b"), wish("range")))
	if got := w.text(w.g.targets["m1"]); got != "a:0 b:0" {
		t.Fatal(got)
	}
	if got := w.g.Describe(&w.s, w.topics).AssignorName; got != "range" {
		t.Fatal(got)
	}
	w.beat(with(join("m3"), wish("uniform")))
	w.beat(with(join("m4"), wish("uniform")))
	if got := w.g.Describe(&w.s, w.topics).AssignorName; got != "uniform" { // a tie: the first
		t.Fatal(got)
	}
}

func TestDescribe(t *testing.T) {
	w := newWorld(t)
	w.beat(static("m1", "i", "a"))
	w.beat(join("m2", "a", "x"))
	w.expect(w.beat(delta("m1", 2)), 2, "a:0,1")
	d := w.g.Describe(&w.s, w.topics)
	if d.State != "Reconciling" || d.Epoch != 3 || d.AssignmentEpoch != 3 || d.AssignorName != "uniform" || len(d.Members) != 2 {
		t.Fatalf("%+v", d)
	}
	m := d.Members[0]
	if m.MemberID != "m1" || *m.InstanceID != "i" || m.MemberEpoch != 2 || m.MemberType != 1 || m.ClientID != "client" {
		t.Fatalf("%+v", m)
	}
	if n := m.Assignment.TopicPartitions; len(n) != 1 || n[0].Topic != "a" || len(n[0].Partitions) != 4 {
		t.Fatalf("%+v", m.Assignment)
	}
	if n := m.TargetAssignment.TopicPartitions; len(n) != 1 || len(n[0].Partitions) != 2 {
		t.Fatalf("%+v", m.TargetAssignment)
	}
	w.topics.drop("a")
	if d := w.g.Describe(&w.s, w.topics); len(d.Members[0].Assignment.TopicPartitions) != 0 {
		t.Fatal("a topic that is gone")
	}
}

func TestOffsets(t *testing.T) {
	w := newWorld(t)
	a := w.topics.topics["a"].ID
	commit := func(id string, epoch int32, version int16, number int32) int16 {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Version, req.MemberID, req.Generation = version, id, epoch
		return w.g.CommitCheck(req)(a, number)
	}
	txn := func(id string, epoch int32, number int32) int16 {
		req := kmsg.NewPtrTxnOffsetCommitRequest()
		req.MemberID, req.Generation = id, epoch
		return w.g.TxnCommitCheck(req)(a, number)
	}
	fetch := func(id string, epoch int32) int16 { return w.g.CheckFetch(&id, epoch) }
	check := func(name string, got int16, want *kerr.Error) {
		t.Helper()
		if want == nil && got != 0 || want != nil && got != want.Code {
			t.Errorf("%s: %d, want %v", name, got, want)
		}
	}
	check("empty", commit("", -1, 8, 0), nil)
	check("empty, epoch", commit("m1", 1, 9, 0), kerr.UnknownMemberID)
	check("delete empty", w.g.CheckDelete(), nil)
	w.beat(join("m1", "a"))
	w.topics.set("a", 5)
	w.expect(w.beat(delta("m1", 2)), 3, "a:0,1,2,3,4")
	check("now", commit("m1", 3, 9, 0), nil)
	check("now, others'", commit("m1", 3, 9, 7), nil)
	check("before", commit("m1", 2, 9, 0), nil)
	check("before, new", commit("m1", 2, 9, 4), kerr.StaleMemberEpoch)
	check("before, others'", commit("m1", 2, 9, 7), kerr.StaleMemberEpoch)
	check("later", commit("m1", 4, 9, 0), kerr.StaleMemberEpoch)
	check("old version", commit("m1", 3, 8, 0), kerr.UnsupportedVersion)
	check("no member", commit("m2", 3, 9, 0), kerr.UnknownMemberID)
	check("admin", commit("", -1, 9, 0), kerr.UnknownMemberID)
	check("txn", txn("m1", 3, 0), nil)
	check("txn, nobody", txn("", -1, 0), nil)
	check("txn, before, new", txn("m1", 2, 4), kerr.IllegalGeneration)
	check("txn, later", txn("m1", 4, 0), kerr.IllegalGeneration)
	check("txn, no member", txn("m2", 3, 0), kerr.UnknownMemberID)
	check("fetch", fetch("m1", 3), nil)
	check("fetch, before", fetch("m1", 2), kerr.StaleMemberEpoch)
	check("fetch, no member", fetch("m2", 3), kerr.UnknownMemberID)
	check("fetch, admin", w.g.CheckFetch(nil, -1), nil)
	check("fetch, epoch only", w.g.CheckFetch(nil, 3), kerr.UnknownMemberID)
	check("delete", w.g.CheckDelete(), kerr.NonEmptyGroup)
	w.beat(join("m2", "a"))
	w.expect(w.beat(delta("m1", 3)), 3, "a:0,1,2")
	check("revoking", commit("m1", 2, 9, 3), nil)
	if !w.g.Subscribed("a") || w.g.Subscribed("b") {
		t.Error("subscribed")
	}
}

func regexed(id, pattern string, topics ...string) *beat {
	r := join(id, topics...)
	r.SubscribedTopicRegex = &pattern
	if len(topics) == 0 {
		r.SubscribedTopicNames = nil
	}
	return r
}

func TestPatterns(t *testing.T) {
	w := newWorld(t)
	w.topics.set("ab", 1)
	w.topics.set("b", 1)
	w.expect(w.beat(regexed("m1", "a.*")), 2, "a:0,1,2,3 ab:0")
	w.wrote("Member m1, Pattern a.*, Epoch, Target m1, TargetEpoch, Current m1")
	if !w.g.Subscribed("ab") || w.g.Subscribed("b") {
		t.Fatal("subscribed")
	}
	w.reload()
	// The same again is known.
	w.expect(w.beat(regexed("m2", "a.*")), 3, "")
	w.wrote("Member m2, Epoch, Target m1, Target m2, TargetEpoch, Current m2")
	w.beat(delta("m2", -1))
	w.expect(w.beat(delta("m1", 2)), 4, "-")
	// A new topic is found, but not within ten seconds.
	w.topics.set("ac", 1)
	w.expect(w.beat(delta("m1", 4)), 4, "-")
	w.wrote("")
	w.tick(10*time.Second + time.Millisecond)
	w.expect(w.beat(delta("m1", 4)), 5, "a:0,1,2,3 ab:0 ac:0")
	w.wrote("Pattern a.*, Epoch, Target m1, TargetEpoch, Current m1")
	// A topic of no interest writes nothing.
	w.tick(11 * time.Second)
	w.topics.set("x", 1)
	w.expect(w.beat(delta("m1", 5)), 5, "-")
	w.wrote("")
	// Another pattern waits for its turn, and the old one is forgotten.
	w.tick(5 * time.Second)
	w.expect(w.beat(regexed("m2", "b|x")), 5, "")
	w.wrote("Member m2, Current m2")
	w.tick(6 * time.Second)
	w.expect(w.beat(delta("m2", 5)), 6, "b:0 x:0")
	other := "ac?"
	w.tick(11 * time.Second)
	w.beat(with(delta("m1", 5), func(r *beat) { r.SubscribedTopicRegex = &other }))
	w.wrote("Member m1, !Pattern a.*, Pattern ac?, Epoch, Target m1, TargetEpoch, Current m1")
	w.reload()
	// And no pattern at all.
	other = ""
	w.beat(with(delta("m1", 5), func(r *beat) { r.SubscribedTopicRegex = &other }))
	w.wrote("Member m1, !Pattern ac?, Epoch, Target m1, TargetEpoch, Current m1")
	w.beat(delta("m2", -1))
	w.wrote("!Current m2, !Target m2, !Member m2, !Pattern b|x, Epoch")
	w.reload()
}

// TestPatterns_Nothing: who changes to a pattern that matches nothing leaves what it
// had to the others.
func TestPatterns_Nothing(t *testing.T) {
	w := newWorld(t)
	w.beat(regexed("m1", "a"))
	w.beat(join("m2", "a"))
	nothing := "x"
	w.expect(w.beat(with(delta("m1", 2), func(r *beat) { r.SubscribedTopicRegex = &nothing })), 2, "")
	w.expect(w.beat(with(delta("m1", 2), func(r *beat) { r.Topics = w.has("") })), 4, "-")
	w.expect(w.beat(delta("m2", 3)), 4, "a:0,1,2,3")
}

// TestPatterns_Whole: as in Kafka, a pattern matches whole names.
func TestPatterns_Whole(t *testing.T) {
	for pattern, want := range map[string]string{
		"a": "a:0", "a|b": "a:0 b:0", "^ab$": "ab:0", "(?i)A": "a:0", ".": "a:0 b:0", "a{2}": "", "[ab]{2}": "ab:0",
	} {
		w := newWorld(t)
		w.topics.set("a", 1)
		w.topics.set("b", 1)
		w.topics.set("ab", 1)
		r := w.beat(regexed("m", pattern))
		if r.ErrorCode != 0 || w.told(r) != want {
			t.Errorf("%s: %d %s, want %s", pattern, r.ErrorCode, w.told(r), want)
		}
	}
}

// TestPatterns_Cost: the worst pattern that is accepted, over many long names.
func TestPatterns_Cost(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("a", 240)
	const names = 5
	for i := range names {
		w.topics.set(long+string(rune('a'+i)), 1)
	}
	for _, p := range []string{strings.Repeat("a.*|", 255) + "a", strings.Repeat(".?", 340) + "a", "(.{0,490}b)|(.{0,490}c)", "a[a-z]+-(b|c).*"} {
		if _, err := compile(p); err != nil {
			t.Errorf("%.20s...: %v", p, err)
		}
		begin := time.Now()
		match([]string{p}, w.topics)
		t.Logf("%.20s...: %v for a topic", p, time.Since(begin)/names)
	}
}

// TestUnknownState: a member in a state of a later version has to begin anew.
func TestUnknownState(t *testing.T) {
	w := newWorld(t)
	w.beat(join("m1", "a"))
	v := *w.g.members["m1"].current
	v.State = record.Unknown
	w.g.Replay(&record.Current{Group: "g", Member: "m1", Value: &v})
	w.refused(w.beat(delta("m1", 2)), kerr.FencedMemberEpoch, "unknown state")
	w.expect(w.beat(join("m1", "a")), 2, "a:0,1,2,3")
}

// TestReplay_Odd: what no group of this server writes.
func TestReplay_Odd(t *testing.T) {
	id := record.TopicID{1}
	g := New("g")
	for _, r := range []record.Record{
		&record.Current{Group: "g", Member: "x"}, &record.Member{Group: "g", Member: "x"}, &record.TargetMember{Group: "g", Member: "x"},
		&record.Pattern{Group: "g", Regex: "x"}, &record.Other{},
		&record.Current{Group: "g", Member: "m", Value: &record.CurrentValue{Epoch: -2, Assigned: []record.TopicPartitions{
			{Topic: id, Partitions: []int32{3, 1, 3, -1, 1 << 30}, Epochs: []int32{1}}, {}, {Topic: id, Partitions: []int32{2}},
		}}},
		&record.Current{Group: "g", Member: "n", Value: &record.CurrentValue{Epoch: 1, Assigned: []record.TopicPartitions{{Topic: id, Partitions: []int32{3}}}}},
		&record.Member{Group: "g", Member: "m", Value: &record.MemberValue{Topics: []string{"b", "a", "b"}}},
		&record.TargetMember{Group: "g", Member: "m", Value: &record.TargetValue{Partitions: []record.TopicPartitions{{Topic: id, Partitions: []int32{9, -5}}}}},
	} {
		g.Replay(r)
	}
	m := g.members["m"]
	if a := of(m.current.Assigned, id); len(a.Partitions) != 5 || a.Epochs[0] != 0 || m.told.Topics[0] != "a" || len(m.told.Topics) != 2 {
		t.Fatalf("%+v %+v", m.current, m.told)
	}
	w := newWorld(t)
	w.topics.made = 0
	w.topics.topics = nil
	w.topics = newCatalog()
	w.topics.set("a", 4)
	w.g = g
	g.Loaded(w.now, &w.s)
	w.g.Describe(&w.s, w.topics)
	w.beat(join("o", "a"))
	w.expect(w.beat(with(join("m", "a"), func(r *beat) { r.Topics = w.has("") })), w.g.Epoch(), w.text(g.targets["m"]))
}

// TestLarge: what the steps of a large group take.
func TestLarge(t *testing.T) {
	w := newWorld(t)
	w.s.MaxSize, w.s.AssignmentInterval = 1000, time.Second
	w.topics.set("a", 10_000)
	w.beat(join("first", "a"))
	for i := range 998 {
		w.beat(join("m"+string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676)), "a"))
	}
	w.tick(2 * time.Second)
	begin := time.Now()
	w.beat(join("last", "a"))
	assigned, records := time.Since(begin), len(w.last)
	begin = time.Now()
	const n = 10_000
	for range n {
		w.beat(delta("last", w.g.Epoch()))
	}
	t.Logf("an assignment of 10,000 partitions to 1,000 members: %v, %d records; a heartbeat: %v", assigned, records, time.Since(begin)/n)
	var out step.Output
	begin = time.Now()
	w.g.Tick(w.now.Add(44*time.Second), &w.s, w.topics, &out)
	t.Logf("a tick: %v", time.Since(begin))
}

// A server that is killed again and again, sooner than a session ends: who is not heard
// of is out nevertheless, a static member that has left for a while too.
func TestSilence_ManyLoads(t *testing.T) {
	w := newWorld(t)
	w.beat(join("m1", "a"))
	w.beat(join("m2", "a"))
	w.beat(static("m3", "i", "a"))
	i := "i"
	w.beat(with(delta("m3", staticLeaveEpoch), func(r *beat) { r.InstanceID = &i }))
	epoch := w.g.members["m1"].current.Epoch
	loads := 0
	for ; len(w.g.members) > 1 && loads < 50; loads++ {
		w.reload()
		w.tick(2 * time.Second)
		epoch = w.beat(delta("m1", epoch)).MemberEpoch
		w.tick(3 * time.Second)
	}
	if w.g.members["m1"] == nil || len(w.g.members) > 1 {
		t.Fatalf("members after %d loads: %v", loads, w.g.members)
	}
	if loads < 9 || loads > 14 {
		t.Errorf("a session of 45 s ended after %d lives of 5 s", loads)
	}
}

// One that is heard of late keeps its place, and the log is told that it is there.
func TestSilence_Late(t *testing.T) {
	w := newWorld(t)
	w.s.SessionTimeout = 6 * time.Second
	w.expect(w.beat(join("m1", "a")), 2, "a:0,1,2,3")
	for range 20 {
		w.reload()
		w.tick(4 * time.Second)
		w.wrote("Current m1")
		if w.g.members["m1"].current.Silent == 0 {
			t.Fatal("the log knows nothing of the silence")
		}
		w.expect(w.beat(delta("m1", 2)), 2, "-")
		w.tick(time.Second)
		w.wrote("Current m1")
		if w.g.members["m1"].current.Silent != 0 {
			t.Fatal("the log does not know that it is there")
		}
	}
}
