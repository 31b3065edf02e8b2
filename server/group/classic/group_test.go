package classic

import (
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

func TestStatic_ReplacedInStable(t *testing.T) {
	for name, c := range map[string]struct {
		version int16
		member  int
		leader  bool // the new incarnation learns that it leads
	}{
		"leader before version 9":   {8, 0, false},
		"leader since version 9":    {9, 0, true},
		"follower before version 9": {8, 1, false},
		"follower since version 9":  {9, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			names := []string{"i0", "i1"}
			ids := s.stable(instance(names[0]), instance(names[1]))
			s.pass(9 * time.Second)
			s.accepted(s.heartbeat(ids[1-c.member], 1))
			written := len(s.records)
			r := s.joined(s.join(version(c.version), instance(names[c.member]), offers("range", "new")))
			s.accepted(r.ErrorCode)
			s.in("Stable", 1)
			fresh := r.MemberID
			if fresh == ids[c.member] || r.Generation != 1 || *r.Protocol != "range" {
				t.Fatalf("join: %+v", r)
			}
			if leads := r.LeaderID == fresh; leads != c.leader || r.SkipAssignment != c.leader || (len(r.Members) == 2) != c.leader {
				t.Fatalf("join: %+v", r)
			}
			if len(s.records) != written+1 || s.last().Members[c.member].ID != fresh || string(s.last().Members[c.member].Assignment) != "for "+ids[c.member] {
				t.Fatalf("records %+v", s.records[written:])
			}
			if got := s.synced(s.sync(fresh, 1)); got.ErrorCode != 0 || string(got.MemberAssignment) != "for "+ids[c.member] {
				t.Fatalf("sync: %+v", got)
			}
			s.pass(9 * time.Second) // a session of its own
			s.accepted(s.heartbeat(fresh, 1))
			s.refused(s.heartbeat(ids[c.member], 1), kerr.UnknownMemberID)

			old := kmsg.NewPtrHeartbeatRequest()
			old.Version, old.Group, old.MemberID, old.Generation, old.InstanceID = 3, "g", ids[c.member], 1, &names[c.member]
			hb := s.do(func(c step.Call, out *step.Output) { s.g.Heartbeat(c, old, out) })
			s.refused(s.answers[hb].(*kmsg.HeartbeatResponse).ErrorCode, kerr.FencedInstanceID)
			s.refusedJoin(s.join(instance(names[c.member]), as(ids[c.member])), kerr.FencedInstanceID, ids[c.member])
		})
	}
}

func TestStatic_ReplacedWithAnotherProtocol(t *testing.T) {
	s := newStory(t)
	s.stable(func(r *kmsg.JoinGroupRequest) { instance("i0")(r); offers("a", "b")(r) }, offers("a", "b"), offers("b", "a"))
	if s.g.Protocol() != "a" {
		t.Fatalf("protocol %q", s.g.Protocol())
	}
	token := s.join(instance("i0"), offers("b"))
	s.waits(token)
	s.in("PreparingRebalance", 1)
}

// A new incarnation refuses what the old one waits for.
func TestStatic_ReplacedWhileItWaits(t *testing.T) {
	s := newStory(t)
	old := s.join(instance("i"))
	fresh := s.join(instance("i"))
	s.refusedJoin(old, kerr.FencedInstanceID, "i-1")
	s.pass(3 * time.Second)
	r := s.joined(fresh)
	if r.ErrorCode != 0 || r.MemberID != "i-2" || r.LeaderID != "i-2" || len(r.Members) != 1 {
		t.Fatalf("join: %+v", r)
	}

	other := s.join(version(3))
	s.join(as("i-2"), instance("i"))
	s.accepted(s.joined(other).ErrorCode)
	sync := s.sync(s.joined(other).MemberID, 2)
	s.waits(sync)
	s.join(instance("i")) // in Completing: a new round, for the leader knows the old id
	s.in("PreparingRebalance", 2)
	s.refused(s.synced(sync).ErrorCode, kerr.RebalanceInProgress)
}

// A new incarnation is not a new member: it may wait as long as the rebalance takes.
func TestStatic_ReplacedAndWaitsLong(t *testing.T) {
	s := newStory(t)
	ids := s.stable(timeouts(30*time.Minute, 20*time.Minute))
	s.join(instance("i"))
	s.join(version(4)) // an id that is not used yet: not all have joined
	fresh := s.join(instance("i"))
	s.pass(time.Minute)
	s.waits(fresh)
	s.join(as(ids[0]))
	s.accepted(s.joined(fresh).ErrorCode)
}

func TestStatic_OldSyncIsFenced(t *testing.T) {
	s := newStory(t)
	a, b := s.join(), s.join(instance("i"))
	s.pass(6 * time.Second)
	s.accepted(s.joined(a).ErrorCode)
	sync := s.sync(s.joined(b).MemberID, 1)
	s.waits(sync)
	s.join(instance("i"))
	s.refused(s.synced(sync).ErrorCode, kerr.FencedInstanceID)
}

func TestSync_Refused(t *testing.T) {
	s := newStory(t)
	ids := s.stable(version(3), instance("i"))
	text := func(v string) *string { return &v }
	for name, c := range map[string]struct {
		change func(*kmsg.SyncGroupRequest)
		want   *kerr.Error
	}{
		"no group id":          {func(r *kmsg.SyncGroupRequest) { r.Group = "" }, kerr.InvalidGroupID},
		"unknown member":       {func(r *kmsg.SyncGroupRequest) { r.MemberID = "x" }, kerr.UnknownMemberID},
		"unknown instance":     {func(r *kmsg.SyncGroupRequest) { r.InstanceID = text("x") }, kerr.UnknownMemberID},
		"fenced":               {func(r *kmsg.SyncGroupRequest) { r.InstanceID = text("i") }, kerr.FencedInstanceID},
		"older generation":     {func(r *kmsg.SyncGroupRequest) { r.Generation-- }, kerr.IllegalGeneration},
		"later generation":     {func(r *kmsg.SyncGroupRequest) { r.Generation++ }, kerr.IllegalGeneration},
		"other type":           {func(r *kmsg.SyncGroupRequest) { r.ProtocolType = text("connect") }, kerr.InconsistentGroupProtocol},
		"other protocol":       {func(r *kmsg.SyncGroupRequest) { r.Protocol = text("sticky") }, kerr.InconsistentGroupProtocol},
		"no type in v5":        {func(r *kmsg.SyncGroupRequest) { r.ProtocolType = nil }, kerr.InconsistentGroupProtocol},
		"no protocol in v5":    {func(r *kmsg.SyncGroupRequest) { r.Protocol = nil }, kerr.InconsistentGroupProtocol},
		"neither in version 4": {func(r *kmsg.SyncGroupRequest) { r.Version, r.ProtocolType, r.Protocol = 4, nil, nil }, nil},
		"all right":            {func(*kmsg.SyncGroupRequest) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := kmsg.NewPtrSyncGroupRequest()
			r.Version, r.Group, r.MemberID, r.Generation = 5, "g", ids[0], 1
			r.ProtocolType, r.Protocol = text("consumer"), text("range")
			c.change(r)
			got := s.synced(s.do(func(c step.Call, out *step.Output) { s.g.Sync(c, r, out) }))
			if c.want == nil {
				s.accepted(got.ErrorCode)
				if *got.ProtocolType != "consumer" || *got.Protocol != "range" || string(got.MemberAssignment) != "for "+ids[0] {
					t.Fatalf("sync: %+v", got)
				}
				return
			}
			s.refused(got.ErrorCode, c.want)
			if got.ProtocolType != nil || got.Protocol != nil || len(got.MemberAssignment) != 0 {
				t.Fatalf("refused sync: %+v", got)
			}
		})
	}
}

func TestSync_TwiceAndWithoutAssignment(t *testing.T) {
	s := newStory(t)
	a, b := s.join(), s.join()
	s.pass(6 * time.Second)
	leader, follower := s.joined(a).MemberID, s.joined(b).MemberID
	first := s.sync(follower, 1, follower) // a follower assigns nothing
	second := s.sync(follower, 1)
	s.refused(s.synced(first).ErrorCode, kerr.RebalanceInProgress)
	s.waits(second)
	s.sync(leader, 1, leader, "nobody")
	r := s.synced(second)
	if r.ErrorCode != 0 || r.MemberAssignment == nil || len(r.MemberAssignment) != 0 {
		t.Fatalf("sync: %+v", r)
	}
	if got := s.last().Members[1].Assignment; got == nil || len(got) != 0 {
		t.Fatalf("recorded assignment %v", got)
	}
	s.sync(leader, 1, leader, follower) // stable: what is assigned stays
	if got := len(s.synced(s.sync(follower, 1)).MemberAssignment); got != 0 {
		t.Fatalf("%d bytes", got)
	}
}

// Members that do not sync within the rebalance timeout are removed.
func TestSync_NotInTime(t *testing.T) {
	for name, syncs := range map[string]int{"the leader": 1, "a follower": 0} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			who := timeouts(time.Minute, 10*time.Second)
			tokens := []step.Token{s.join(who), s.join(who)}
			s.pass(6 * time.Second)
			id := s.joined(tokens[syncs]).MemberID
			sync := s.sync(id, 1, id)
			s.pass(9 * time.Second)
			s.accepted(s.heartbeat(id, 1))
			s.pass(time.Second)
			s.in("PreparingRebalance", 1)
			if len(s.g.Members()) != 1 || s.g.Members()[0].ID != id {
				t.Fatalf("members %+v", s.g.Members())
			}
			if syncs == 1 {
				s.refused(s.synced(sync).ErrorCode, kerr.RebalanceInProgress)
			}
		})
	}
}

func TestSession_Ends(t *testing.T) {
	s := newStory(t)
	ids := s.stable(version(3), timeouts(20*time.Second, time.Minute))
	s.pass(9 * time.Second)
	s.accepted(s.heartbeat(ids[0], 1))
	s.pass(9 * time.Second)
	s.in("Stable", 1)
	s.pass(time.Second)
	s.in("PreparingRebalance", 1) // the first has been silent for 10 s
	s.refused(s.heartbeat(ids[0], 1), kerr.UnknownMemberID)
	s.pass(time.Second)
	s.in("Empty", 2)
	if v := s.last(); v.Protocol != nil || v.Leader != nil || v.ProtocolType != "consumer" || v.Generation != 2 || v.Members != nil || v.StateTimestamp != s.now.UnixMilli() {
		t.Fatalf("record %+v", v)
	}
	if _, ok := s.g.Deadline(); ok {
		t.Fatal("an empty group has a deadline")
	}
}

// A member that waits is alive; a new one for five minutes only.
func TestSession_WhileItWaits(t *testing.T) {
	s := newStory(t)
	long := timeouts(6*time.Second, 20*time.Minute)
	ids := s.stable(long, func(r *kmsg.JoinGroupRequest) { timeouts(30*time.Minute, 20*time.Minute)(r) })
	old, fresh := s.join(as(ids[0]), long), s.join(long)
	s.pass(5*time.Minute - time.Second)
	s.waits(fresh)
	s.pass(time.Second)
	s.refusedJoin(fresh, kerr.UnknownMemberID, "")
	s.waits(old)
	s.join(as(ids[1]), long)
	s.accepted(s.joined(old).ErrorCode)
	s.pass(6 * time.Second)
	s.refused(s.heartbeat(ids[0], 2), kerr.UnknownMemberID)
}

func TestLeave_Batch(t *testing.T) {
	s := newStory(t)
	ids := s.stable(version(3), instance("a"), instance("b"), instance("c"), version(3))
	pending := s.joined(s.join(version(4))).MemberID
	text := func(v string) *string { return &v }
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version, r.Group = 5, "g"
	r.Members = []kmsg.LeaveGroupRequestMember{
		{MemberID: ids[0], Reason: text("done")},
		{MemberID: ids[0]},
		{InstanceID: text("a")},
		{InstanceID: text("x")},
		{MemberID: "x"},
		{},
		{MemberID: ids[4], InstanceID: text("b")},
		{MemberID: ids[3], InstanceID: text("c")},
		{MemberID: pending},
	}
	token := s.do(func(c step.Call, out *step.Output) { s.g.Leave(c, r, out) })
	got := s.answers[token].(*kmsg.LeaveGroupResponse)
	s.accepted(got.ErrorCode)
	unknown, fenced := kerr.UnknownMemberID.Code, kerr.FencedInstanceID.Code
	for i, want := range []int16{0, unknown, 0, unknown, unknown, unknown, fenced, 0, 0} {
		m := got.Members[i]
		if m.ErrorCode != want || m.MemberID != r.Members[i].MemberID || !reflect.DeepEqual(m.InstanceID, r.Members[i].InstanceID) {
			t.Errorf("member %d: %+v, want code %d", i, m, want)
		}
	}
	s.in("PreparingRebalance", 1)
	if s.g.Size() != 2 || s.g.leader != ids[2] {
		t.Fatalf("%d members, led by %s", s.g.Size(), s.g.leader)
	}
}

func TestLeave_Single(t *testing.T) {
	s := newStory(t)
	ids := s.stable(version(3))
	s.refused(s.leave("x"), kerr.UnknownMemberID)
	s.refused(s.leave(""), kerr.UnknownMemberID)
	s.in("Stable", 1)
	s.accepted(s.leave(ids[0]))
	s.in("Empty", 2)
	s.refused(s.leave(ids[0]), kerr.UnknownMemberID)
	s.refused(s.heartbeat(ids[0], 2), kerr.UnknownMemberID)
	s.refused(s.synced(s.sync(ids[0], 2)).ErrorCode, kerr.UnknownMemberID)
	r := kmsg.NewPtrLeaveGroupRequest()
	token := s.do(func(c step.Call, out *step.Output) { s.g.Leave(c, r, out) })
	s.refused(s.answers[token].(*kmsg.LeaveGroupResponse).ErrorCode, kerr.InvalidGroupID)
}

// What waits when its member leaves is answered.
func TestLeave_WhileItWaits(t *testing.T) {
	s := newStory(t)
	a, b := s.join(), s.join()
	s.accepted(s.leave("client-2"))
	s.refusedJoin(b, kerr.UnknownMemberID, "")
	c := s.join()
	s.pass(6 * time.Second)
	s.accepted(s.joined(a).ErrorCode)
	sync := s.sync(s.joined(c).MemberID, 1)
	s.accepted(s.leave(s.joined(c).MemberID))
	s.refused(s.synced(sync).ErrorCode, kerr.UnknownMemberID)
}

// As in Kafka, an id that is given back makes a stable group rebalance.
func TestLeave_PendingInStable(t *testing.T) {
	s := newStory(t)
	s.stable(version(3))
	s.accepted(s.leave(s.joined(s.join(version(4))).MemberID))
	s.in("PreparingRebalance", 1)
}

// A group that empties while somebody is about to join does not wait for it.
func TestLeave_LastWithPending(t *testing.T) {
	s := newStory(t)
	ids := s.stable(version(3))
	pending := s.joined(s.join(version(4))).MemberID
	s.accepted(s.leave(ids[0]))
	s.pass(0)
	s.in("Empty", 2)
	s.waits(s.join(version(4), as(pending)))
	s.in("PreparingRebalance", 2)
}

func TestReplay(t *testing.T) {
	s := newStory(t)
	ids := s.stable(instance("a"), offers("range", "other"))
	if got, want := replayed(s.records[len(s.records)-1]), durableOf(s.g); !reflect.DeepEqual(got, want) {
		t.Fatalf("replayed %+v\nwant %+v", got, want)
	}
	s.g.Replay(s.last())
	if _, ok := s.g.Deadline(); ok {
		t.Fatal("a session runs before the log is read")
	}
	s.do(func(_ step.Call, out *step.Output) { s.g.Loaded(s.now, out) })
	s.accepted(s.heartbeat(ids[1], 1))
	if got := string(s.synced(s.sync(ids[1], 1)).MemberAssignment); got != "for "+ids[1] {
		t.Fatalf("assignment %q", got)
	}
	s.waits(s.join(as(ids[1]), offers("range", "other"))) // only range is known of it
	s.pass(10 * time.Second)
	s.refused(s.heartbeat(ids[0], 1), kerr.UnknownMemberID)
}

func TestReplay_OddRecords(t *testing.T) {
	text := func(v string) *string { return &v }
	for name, v := range map[string]*record.ClassicValue{
		"nothing":         {},
		"no protocol":     {ProtocolType: "consumer", Members: []record.ClassicMember{{ID: "a"}}},
		"no type":         {Protocol: text("range"), Members: []record.ClassicMember{{ID: "a"}}},
		"foreign leader":  {ProtocolType: "x", Leader: text("b"), Members: []record.ClassicMember{{ID: "a"}}},
		"twice":           {ProtocolType: "x", Members: []record.ClassicMember{{ID: "a"}, {ID: "a", InstanceID: text("i")}}},
		"no session":      {ProtocolType: "x", Members: []record.ClassicMember{{ID: "a", SessionTimeout: -5, RebalanceTimeout: -5}}},
		"leader, empty":   {ProtocolType: "x", Leader: text("b"), StateTimestamp: -1},
		"last generation": {ProtocolType: "x", Generation: 1<<31 - 1, Members: []record.ClassicMember{{ID: "a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.g.Replay(v)
			s.do(func(_ step.Call, out *step.Output) { s.g.Loaded(s.now, out) })
			s.join(version(3))
			s.g.Describe()
			s.pass(time.Minute)
		})
	}
}

// One instance id of two members: the end of the first does not hide the second.
func TestReplay_InstanceTwice(t *testing.T) {
	s, i := newStory(t), "i"
	s.g.Replay(&record.ClassicValue{ProtocolType: "x", Members: []record.ClassicMember{
		{ID: "a", InstanceID: &i, SessionTimeout: 1000, RebalanceTimeout: 60_000},
		{ID: "b", InstanceID: &i, SessionTimeout: 60_000, RebalanceTimeout: 60_000},
	}})
	var out step.Output
	s.g.Loaded(s.now, &out)
	s.pass(time.Second)
	s.refused(s.g.check("a", &i), kerr.FencedInstanceID)
	s.accepted(s.g.check("b", &i))
}

func TestLoaded_TooLarge(t *testing.T) {
	s := newStory(t)
	s.stable(version(3), version(3))
	s.settings.MaxSize = 1
	s.g.Replay(s.last())
	s.do(func(_ step.Call, out *step.Output) { s.g.Loaded(s.now, out) })
	s.in("PreparingRebalance", 1)
}

func TestAdopt(t *testing.T) {
	s := newStory(t)
	ids := s.stable(instance("a"), offers("range", "other"))
	members, was := s.g.Members(), durableOf(s.g)

	s.g = New("g", &s.settings, s.now)
	name, ok := Choose(members)
	if !ok || name != "range" {
		t.Fatalf("protocol %q, %v", name, ok)
	}
	s.do(func(_ step.Call, out *step.Output) { s.g.Adopt(7, name, members, false, s.now, out) })
	was.Generation = 7
	if got := durableOf(s.g); !reflect.DeepEqual(got, was) {
		t.Fatalf("adopted %+v\nwant %+v", got, was)
	}
	if got := replayed(s.records[len(s.records)-1]); !reflect.DeepEqual(got, was) {
		t.Fatalf("replayed %+v\nwant %+v", got, was)
	}
	s.accepted(s.heartbeat(ids[0], 7))
	s.do(func(_ step.Call, out *step.Output) { s.g.Rebalance(s.now, out) })
	s.in("PreparingRebalance", 7)
	s.refused(s.heartbeat(ids[1], 7), kerr.RebalanceInProgress)
}

func TestAbandon(t *testing.T) {
	s := newStory(t)
	ids := s.stable(version(3), version(3))
	join := s.join(as(ids[0]))
	s.do(func(_ step.Call, out *step.Output) { s.g.Abandon(out) })
	s.refusedJoin(join, kerr.RebalanceInProgress, ids[0])

	s = newStory(t)
	a, b := s.join(), s.join()
	s.pass(6 * time.Second)
	s.accepted(s.joined(a).ErrorCode)
	sync := s.sync(s.joined(b).MemberID, 1)
	s.do(func(_ step.Call, out *step.Output) { s.g.Abandon(out) })
	s.refused(s.synced(sync).ErrorCode, kerr.RebalanceInProgress)
}

func TestTombstone(t *testing.T) {
	if r := newStory(t).g.Tombstone().(*record.Classic); r.Group != "g" || r.Value != nil {
		t.Fatalf("%+v", r)
	}
}

// A heartbeat only moves the time of its member, and ticks find that out.
func TestTick_IsLazy(t *testing.T) {
	s := newStory(t)
	ids := s.stable(version(3))
	before := s.token
	for range 100 {
		s.pass(3 * time.Second)
		s.accepted(s.heartbeat(ids[0], 1))
	}
	if ticks := int(s.token-before) - 100; ticks > 50 {
		t.Fatalf("%d ticks for 100 heartbeats", ticks)
	}
}
