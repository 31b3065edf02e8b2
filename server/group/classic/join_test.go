package classic

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

func TestJoin_Refused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*kmsg.JoinGroupRequest)
		want   *kerr.Error
		member string
	}{
		"no group id":               {func(r *kmsg.JoinGroupRequest) { r.Group, r.MemberID = "", "m" }, kerr.InvalidGroupID, "m"},
		"session too short":         {timeouts(5999*time.Millisecond, time.Minute), kerr.InvalidSessionTimeout, ""},
		"session too long":          {timeouts(30*time.Minute+time.Millisecond, time.Minute), kerr.InvalidSessionTimeout, ""},
		"negative session":          {timeouts(-time.Millisecond, time.Minute), kerr.InvalidSessionTimeout, ""},
		"no protocol type":          {func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "" }, kerr.InconsistentGroupProtocol, ""},
		"no protocols":              {offers(), kerr.InconsistentGroupProtocol, ""},
		"id that nobody gave":       {as("m"), kerr.UnknownMemberID, "m"},
		"id and instance, unknown":  {func(r *kmsg.JoinGroupRequest) { as("m")(r); instance("i")(r) }, kerr.UnknownMemberID, "m"},
		"id needed":                 {version(4), kerr.MemberIDRequired, "client-1"},
		"id needed, newest version": {version(9), kerr.MemberIDRequired, "client-1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.refusedJoin(s.join(c.change), c.want, c.member)
			s.in("Empty", 0)
		})
	}
}

func TestJoin_FirstGetsTheGroupARecord(t *testing.T) {
	s := newStory(t)
	s.join(version(9))
	s.join(version(9))
	if len(s.records) != 1 {
		t.Fatalf("%d records, want one", len(s.records))
	}
	want := record.ClassicValue{StateTimestamp: s.start.UnixMilli()}
	if got := s.last(); got.ProtocolType != "" || got.Protocol != nil || got.Leader != nil || got.Generation != 0 || got.Members != nil || got.StateTimestamp != want.StateTimestamp {
		t.Fatalf("record %+v, want %+v", got, want)
	}
}

// One whole round: ids, initial delay, leader, assignment, record.
func TestJoin_Round(t *testing.T) {
	s := newStory(t)
	a := s.joined(s.join(version(9))).MemberID
	b := s.joined(s.join(version(9))).MemberID
	joinA, joinB := s.join(version(9), as(a)), s.join(version(9), as(b))
	s.in("PreparingRebalance", 0)
	s.pass(3 * time.Second)
	s.waits(joinA) // b came after a: three seconds more
	s.pass(3 * time.Second)
	s.in("CompletingRebalance", 1)

	leader, follower := s.joined(joinA), s.joined(joinB)
	for _, r := range []*kmsg.JoinGroupResponse{leader, follower} {
		s.accepted(r.ErrorCode)
		if r.Generation != 1 || r.LeaderID != a || *r.Protocol != "range" || *r.ProtocolType != "consumer" || r.SkipAssignment || r.Version != 9 {
			t.Fatalf("join: %+v", r)
		}
	}
	if len(follower.Members) != 0 || len(leader.Members) != 2 || leader.Members[0].MemberID != a || leader.Members[1].MemberID != b {
		t.Fatalf("the leader is told %v, the follower %v", leader.Members, follower.Members)
	}
	if !bytes.Equal(leader.Members[1].ProtocolMetadata, subscription("t", "range")) {
		t.Fatalf("metadata %x", leader.Members[1].ProtocolMetadata)
	}

	written := len(s.records)
	syncB := s.sync(b, 1)
	s.waits(syncB)
	syncA := s.sync(a, 1, a, b)
	s.in("Stable", 1)
	if got := string(s.synced(syncB).MemberAssignment); got != "for "+b {
		t.Fatalf("the follower gets %q", got)
	}
	if got := string(s.synced(syncA).MemberAssignment); got != "for "+a {
		t.Fatalf("the leader gets %q", got)
	}
	if len(s.records) != written+1 {
		t.Fatalf("%d records, want one", len(s.records)-written)
	}
	v := s.last()
	if *v.Leader != a || *v.Protocol != "range" || v.Generation != 1 || len(v.Members) != 2 || string(v.Members[1].Assignment) != "for "+b ||
		v.Members[0].RebalanceTimeout != 60_000 || v.Members[0].SessionTimeout != 10_000 || v.Members[0].ClientHost != "/127.0.0.1" {
		t.Fatalf("record %+v", v)
	}
	s.accepted(s.heartbeat(a, 1))
	if d := s.g.Describe(); d.State != "Stable" || d.Protocol != "range" || string(d.Members[1].MemberAssignment) != "for "+b || d.AuthorizedOperations != -2147483648 {
		t.Fatalf("described as %+v", d)
	}
}

// The initial delay grows with each new member, up to the rebalance timeout.
func TestJoin_InitialDelayEnds(t *testing.T) {
	s := newStory(t)
	first := s.join(timeouts(10*time.Second, 10*time.Second))
	for range 4 { // 3, 3, 3, and the 1 that is left
		s.pass(2499 * time.Millisecond)
		s.join(timeouts(10*time.Second, 10*time.Second))
	}
	s.in("PreparingRebalance", 0)
	s.pass(4 * time.Millisecond)
	s.in("CompletingRebalance", 1)
	if got := len(s.joined(first).Members); got != 5 {
		t.Fatalf("%d members", got)
	}
}

func TestJoin_NoInitialDelay(t *testing.T) {
	s := newStory(t)
	s.settings.InitialRebalanceDelay = 0
	token := s.join()
	s.pass(0)
	s.accepted(s.joined(token).ErrorCode)
	s.in("CompletingRebalance", 1)
}

// A pending member holds up a rebalance until it joins, leaves or its time is over.
func TestJoin_Pending(t *testing.T) {
	for name, end := range map[string]func(s *story, id string){
		"joins":   func(s *story, id string) { s.join(version(4), as(id)) },
		"leaves":  func(s *story, id string) { s.accepted(s.leave(id)) },
		"expires": func(s *story, _ string) { s.pass(10 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			ids := s.stable(version(3))
			pending := s.joined(s.join(version(4))).MemberID
			s.in("Stable", 1)
			s.refused(s.heartbeat(pending, 1), kerr.UnknownMemberID)
			again := s.join(as(ids[0])) // the leader: a rebalance
			s.waits(again)
			end(s, pending)
			s.accepted(s.joined(again).ErrorCode)
			s.in("CompletingRebalance", 2)
		})
	}
}

func TestJoin_PendingIsNeverStatic(t *testing.T) {
	s := newStory(t)
	id := s.joined(s.join(version(5))).MemberID
	s.refusedJoin(s.join(as(id), instance("i")), kerr.UnknownServerError, "")
}

func TestJoin_Version0(t *testing.T) {
	s := newStory(t)
	s.stable(func(r *kmsg.JoinGroupRequest) { r.Version, r.RebalanceTimeoutMillis = 0, -1 })
	if got := s.last().Members[0].RebalanceTimeout; got != 10_000 {
		t.Fatalf("rebalance timeout %d ms, want the session timeout", got)
	}
}

// Who joins again while an earlier join waits has only the later wait.
func TestJoin_Twice(t *testing.T) {
	s := newStory(t)
	ids := s.stable(version(3), version(3))
	first := s.join(as(ids[0]))
	second := s.join(as(ids[0]))
	s.refusedJoin(first, kerr.RebalanceInProgress, ids[0])
	s.waits(second)
	s.join(as(ids[1]))
	s.accepted(s.joined(second).ErrorCode)
	if got := len(s.joined(second).Members); got != 2 {
		t.Fatalf("%d members", got)
	}
}

func TestJoin_VoteDecides(t *testing.T) {
	s := newStory(t)
	s.stable(offers("a", "b", "c"), offers("c", "b"), offers("b", "c"), offers("x", "c", "b"))
	if got := s.g.Protocol(); got != "b" { // b, c, b, c: the oldest member decides
		t.Fatalf("protocol %q", got)
	}
	s.refusedJoin(s.join(offers("a")), kerr.InconsistentGroupProtocol, "")
	s.refusedJoin(s.join(func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" }), kerr.InconsistentGroupProtocol, "")
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		offers [][]string
		want   string
		ok     bool
	}{
		{nil, "", false},
		{[][]string{{"a", "b"}}, "a", true},
		{[][]string{{"a"}, {"b"}}, "", false},
		{[][]string{{"a", "b"}, {"b", "a"}}, "a", true},
		{[][]string{{"a", "b"}, {"b", "a"}, {"b", "a"}}, "b", true},
		{[][]string{{"x", "a", "b"}, {"b", "a"}, {"b", "a"}}, "b", true},
		{[][]string{{""}, {""}}, "", true},
	} {
		var members []step.ClassicMember
		for _, names := range c.offers {
			var m step.ClassicMember
			for _, name := range names {
				m.Protocols = append(m.Protocols, record.ClassicProtocol{Name: name})
			}
			members = append(members, m)
		}
		if got, ok := Choose(members); got != c.want || ok != c.ok {
			t.Errorf("of %v: %q, %v", c.offers, got, ok)
		}
	}
}

// A protocol that is named twice counts once.
func TestJoin_NamedTwice(t *testing.T) {
	s := newStory(t)
	s.stable(offers("a", "a", "b"), offers("b", "a", "b"))
	if got := s.g.Protocol(); got != "a" {
		t.Fatalf("protocol %q", got)
	}
}

func TestJoin_AgainInStable(t *testing.T) {
	s := newStory(t)
	ids := s.stable(version(3), version(3))
	r := s.joined(s.join(as(ids[1])))
	s.accepted(r.ErrorCode)
	if r.Generation != 1 || r.LeaderID != ids[0] || r.Members != nil {
		t.Fatalf("a follower without change is told %+v", r)
	}
	s.in("Stable", 1)

	changed := s.join(as(ids[1]), offers("range", "new"))
	s.waits(changed)
	s.in("PreparingRebalance", 1)
	s.refused(s.heartbeat(ids[0], 1), kerr.RebalanceInProgress)
	s.refused(s.synced(s.sync(ids[0], 1)).ErrorCode, kerr.RebalanceInProgress)
	s.join(as(ids[0]))
	s.accepted(s.joined(changed).ErrorCode)
	s.in("CompletingRebalance", 2)
	s.refused(s.heartbeat(ids[0], 1), kerr.IllegalGeneration)
	s.accepted(s.heartbeat(ids[0], 2))

	s.sync(ids[0], 2)
	s.join(as(ids[0])) // the leader, unchanged
	s.in("PreparingRebalance", 2)
}

func TestJoin_AgainInCompleting(t *testing.T) {
	s := newStory(t)
	a, b := s.join(), s.join()
	s.pass(6 * time.Second)
	leader, follower := s.joined(a).MemberID, s.joined(b).MemberID
	if got := s.joined(s.join(as(leader))); got.ErrorCode != 0 || len(got.Members) != 2 || got.Generation != 1 {
		t.Fatalf("the leader is told %+v", got)
	}
	sync := s.sync(follower, 1)
	if got := s.joined(s.join(as(follower))); got.ErrorCode != 0 || len(got.Members) != 0 || got.Generation != 1 {
		t.Fatalf("the follower is told %+v", got)
	}
	s.waits(sync)
	s.join(as(leader), offers("range", "new"))
	s.refused(s.synced(sync).ErrorCode, kerr.RebalanceInProgress)
	s.in("PreparingRebalance", 1)
}

// A round that was broken off leaves no assignment behind; until then the members
// keep that of the generation before.
func TestJoin_BrokenOff(t *testing.T) {
	s := newStory(t)
	ids := s.stable(version(3))
	assigned := func(want string) {
		t.Helper()
		if got := string(s.g.Describe().Members[0].MemberAssignment); got != want {
			t.Fatalf("in %s %q is assigned, want %q", s.g.State(), got, want)
		}
	}
	s.join(as(ids[0]))
	s.in("CompletingRebalance", 2)
	assigned("for " + ids[0])
	s.join()
	s.in("PreparingRebalance", 2)
	assigned("")
}

// Dynamic members that do not rejoin are out after the rebalance timeout; one that
// has joined leads.
func TestJoin_WhoDoesNotRejoin(t *testing.T) {
	s := newStory(t)
	ids := s.stable(version(3), version(3), instance("i"))
	follower := s.join(as(ids[1]), offers("range", "new"))
	for range 8 {
		s.pass(7 * time.Second)
		s.refused(s.heartbeat(ids[0], 1), kerr.RebalanceInProgress)
		s.refused(s.heartbeat(ids[2], 1), kerr.RebalanceInProgress)
	}
	s.waits(follower)
	s.pass(4 * time.Second)
	r := s.joined(follower)
	if r.LeaderID != ids[1] || len(r.Members) != 2 || r.Members[1].MemberID != ids[2] {
		t.Fatalf("the new leader is told %+v", r)
	}
	s.refused(s.heartbeat(ids[0], 1), kerr.UnknownMemberID)
	s.refused(s.heartbeat(ids[2], 1), kerr.IllegalGeneration)
}

// If only static members are left and none joins, the rebalance waits for them.
func TestJoin_OnlyStaticAndNoneRejoins(t *testing.T) {
	s := newStory(t)
	leader := "a"
	r := &record.ClassicValue{ProtocolType: "consumer", Generation: 1, Leader: &leader}
	for _, id := range []string{"a", "b"} {
		r.Members = append(r.Members, record.ClassicMember{ID: id, InstanceID: &id, SessionTimeout: 10_000, RebalanceTimeout: 0})
	}
	s.g.Replay(r)
	s.do(func(_ step.Call, out *step.Output) { s.g.Loaded(s.now, out) })
	s.do(func(_ step.Call, out *step.Output) { s.g.Rebalance(s.now, out) })
	before := s.token
	s.pass(9 * time.Second)
	s.in("PreparingRebalance", 1)
	if ticks := s.token - before; ticks > 12 {
		t.Fatalf("%d ticks in 9 s", ticks)
	}
	s.pass(time.Second)
	s.in("Empty", 2)
}

func TestJoin_MaxSize(t *testing.T) {
	s := newStory(t)
	s.settings.MaxSize = 2
	ids := s.stable(version(3), version(3))
	s.refusedJoin(s.join(), kerr.GroupMaxSizeReached, "")
	s.refusedJoin(s.join(version(4)), kerr.GroupMaxSizeReached, "")
	s.in("Stable", 1)

	s.settings.MaxSize = 1
	first := s.join(as(ids[0]))
	s.refusedJoin(s.join(as(ids[1])), kerr.GroupMaxSizeReached, "")
	s.refused(s.heartbeat(ids[1], 1), kerr.UnknownMemberID)
	s.join(as(ids[0])) // it waits already: accepted
	s.refused(s.joined(first).ErrorCode, kerr.RebalanceInProgress)
	s.in("CompletingRebalance", 2)
}

// What is kept does not refer to the request.
func TestJoin_KeepsNothingOfTheRequest(t *testing.T) {
	s := newStory(t)
	r := joinRequest(instance("instance"), offers("range"))
	s.do(func(c step.Call, out *step.Output) { s.g.Join(c, r, out) })
	metadata := slices.Clone(r.Protocols[0].Metadata)
	clear(r.Protocols[0].Metadata)
	*r.InstanceID = "other"
	r.Protocols[0].Name = "other"
	m := s.g.Members()[0]
	if *m.InstanceID != "instance" || m.Protocols[0].Name != "range" || !bytes.Equal(m.Protocols[0].Metadata, metadata) {
		t.Fatalf("member %+v", m)
	}

	s.pass(3 * time.Second)
	q := kmsg.NewPtrSyncGroupRequest()
	q.Version, q.Group, q.Generation, q.MemberID = 3, "g", 1, m.ID
	q.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: m.ID, MemberAssignment: []byte("mine")}}
	s.do(func(c step.Call, out *step.Output) { s.g.Sync(c, q, out) })
	clear(q.GroupAssignment[0].MemberAssignment)
	if got := string(s.g.Members()[0].Assignment); got != "mine" {
		t.Fatalf("assignment %q", got)
	}
}
