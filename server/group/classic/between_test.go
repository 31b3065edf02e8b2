package classic

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// reload is a server that was killed and started again: the group is what its last
// record, read back from its bytes, says.
func (s *story) reload() {
	s.t.Helper()
	key, value, err := record.Encode(s.records[len(s.records)-1])
	if err != nil {
		s.t.Fatal(err)
	}
	back, err := record.Decode(key, value)
	if err != nil {
		s.t.Fatal(err)
	}
	s.g = New("g", &s.settings, s.now)
	s.g.Replay(back.(*record.Classic).Value)
	s.do(func(_ step.Call, out *step.Output) { s.g.Loaded(s.now, out) })
}

// long is a member whose session outlives every test.
func long(r *kmsg.JoinGroupRequest) { timeouts(25*time.Minute, time.Minute)(r) }

// members are the ids that the group has.
func (s *story) members(want ...string) {
	s.t.Helper()
	var got []string
	for _, m := range s.g.members {
		got = append(got, m.ID)
	}
	if len(got) != len(want) {
		s.t.Fatalf("members %q, want %q", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			s.t.Fatalf("members %q, want %q", got, want)
		}
	}
}

// What is told of a member's end is durable, and so is that the others have to join
// again. They learn it as if nothing had happened meanwhile.
func TestBetween_Leave(t *testing.T) {
	s := newStory(t)
	ids := s.stable(long, long, long)
	written := len(s.records)
	s.accepted(s.leave(ids[1]))
	if len(s.records) != written+1 {
		t.Fatalf("%d records for a leave", len(s.records)-written)
	}
	s.reload()
	s.in("PreparingRebalance", 1)
	s.members(ids[0], ids[2])
	s.refused(s.heartbeat(ids[1], 1), kerr.UnknownMemberID)
	s.refused(s.heartbeat(ids[0], 1), kerr.RebalanceInProgress)
	s.accepted(s.g.CheckCommit(Committer{MemberID: ids[0], Generation: 1}, s.now))
	a, c := s.join(as(ids[0]), long), s.join(as(ids[2]), long)
	if r := s.joined(a); r.Generation != 2 || len(r.Members) != 2 {
		t.Fatalf("the leader is told %+v", r)
	}
	s.accepted(s.joined(c).ErrorCode)
}

// Members that do not join after a load are out when the rebalance ends, however long
// their sessions are.
func TestBetween_WhoDoesNotRejoin(t *testing.T) {
	s := newStory(t)
	ids := s.stable(long, long, long)
	s.accepted(s.leave(ids[0]))
	s.reload()
	join := s.join(as(ids[2]), long)
	s.pass(59 * time.Second)
	s.waits(join)
	s.pass(time.Second)
	if r := s.joined(join); r.LeaderID != ids[2] || len(r.Members) != 1 {
		t.Fatalf("joined %+v", r)
	}
	// That they are out is durable too, though nobody has synced.
	s.reload()
	s.in("PreparingRebalance", 2)
	s.members(ids[2])
	s.refused(s.sync2(ids[2], 2), kerr.RebalanceInProgress)
}

// sync2 is the error code of a sync that is answered at once.
func (s *story) sync2(id string, generation int32) int16 {
	s.t.Helper()
	return s.synced(s.sync(id, generation)).ErrorCode
}

// The end of a session is durable.
func TestBetween_SessionEnds(t *testing.T) {
	s := newStory(t)
	ids := s.stable(long, timeouts(10*time.Second, time.Minute))
	s.pass(11 * time.Second)
	s.reload()
	s.in("PreparingRebalance", 1)
	s.members(ids[0])
}

// The last one's leave makes the group empty, as ever.
func TestBetween_LastLeaves(t *testing.T) {
	s := newStory(t)
	ids := s.stable(long)
	s.accepted(s.leave(ids[0]))
	if v := s.last(); v.Generation != 2 || v.Leader != nil || v.Members != nil || v.Protocol != nil || v.ProtocolType != "consumer" {
		t.Fatalf("record %+v", v)
	}
	s.reload()
	s.in("Empty", 2)
}

// The last one leaves while another is about to join.
func TestBetween_LastLeavesWithPending(t *testing.T) {
	s := newStory(t)
	ids := s.stable(long)
	pending := s.joined(s.join(version(4), long)).MemberID
	s.accepted(s.leave(ids[0]))
	s.reload()
	s.in("Empty", 2)
	s.refusedJoin(s.join(version(4), as(pending)), kerr.UnknownMemberID, pending)
}

// Who has not got the answer to its first join comes back as somebody else: the record
// does not name it, so that nobody waits for it.
func TestBetween_NewMember(t *testing.T) {
	s := newStory(t)
	ids := s.stable(long, long)
	s.waits(s.join(version(3), long))
	s.accepted(s.leave(ids[1]))
	s.reload()
	s.members(ids[0])
}

// In Completing all have been told that they are members, and of which generation.
func TestBetween_Completing(t *testing.T) {
	s := newStory(t)
	ids := s.stable(long, long)
	for _, id := range ids {
		s.join(as(id), long, offers("range", "new"))
	}
	third := s.join(version(3), long)
	for _, id := range ids {
		s.join(as(id), long, offers("range", "new"))
	}
	id := s.joined(third).MemberID
	generation := s.g.Generation()
	s.in("CompletingRebalance", generation)
	s.accepted(s.leave(ids[0]))
	s.reload()
	s.in("PreparingRebalance", generation)
	s.members(ids[1], id)
	s.refused(s.heartbeat(id, generation), kerr.RebalanceInProgress)
}

// A record between generations is of a protocol that all of its members offer now, or
// one that has changed what it offers could not join again.
func TestBetween_ProtocolOfNow(t *testing.T) {
	s := newStory(t)
	both := offers("range", "sticky")
	ids := s.stable(func(r *kmsg.JoinGroupRequest) { long(r); both(r) }, func(r *kmsg.JoinGroupRequest) { long(r); both(r) },
		func(r *kmsg.JoinGroupRequest) { long(r); both(r) })
	if s.g.Protocol() != "range" {
		t.Fatalf("protocol %q", s.g.Protocol())
	}
	s.join(as(ids[1]), long, offers("sticky"))
	s.accepted(s.leave(ids[0]))
	if v := s.last(); *v.Protocol != "sticky" || len(v.Members[0].Subscription) == 0 {
		t.Fatalf("record %+v", v)
	}
	s.reload()
	s.waits(s.join(as(ids[1]), long, offers("sticky")))
}

// A static member that joins anew during a rebalance has fenced its predecessor for
// good.
func TestBetween_Replaced(t *testing.T) {
	s := newStory(t)
	static := instance("i")
	ids := s.stable(long, func(r *kmsg.JoinGroupRequest) { long(r); static(r) })
	s.waits(s.join(version(3), long)) // the group rebalances
	s.waits(s.join(static, long))
	s.reload()
	i := "i"
	s.refused(s.g.check(ids[1], &i), kerr.FencedInstanceID)
	s.waits(s.join(static, long))
}

// What an administrator removes does not come back. A static member that says nothing
// keeps its place in a rebalance, after a load too.
func TestBetween_RemovedByInstance(t *testing.T) {
	s := newStory(t)
	a, b := instance("a"), instance("b")
	ids := s.stable(func(r *kmsg.JoinGroupRequest) { long(r); a(r) }, func(r *kmsg.JoinGroupRequest) { long(r); b(r) }, long)
	name := "a"
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version, r.Group, r.Members = 5, "g", []kmsg.LeaveGroupRequestMember{{InstanceID: &name}}
	s.do(func(c step.Call, out *step.Output) { s.g.Leave(c, r, out) })
	s.reload()
	s.members(ids[1], ids[2])
	join := s.join(as(ids[2]), long)
	s.pass(time.Minute)
	if r := s.joined(join); len(r.Members) != 2 {
		t.Fatalf("the leader is told %+v", r)
	}
}

// A server that is killed again and again, sooner than a session ends: who is not heard
// of is out nevertheless, and who is stays.
func TestSilence_ManyLoads(t *testing.T) {
	s := newStory(t)
	static := instance("i")
	ids := s.stable(timeouts(20*time.Second, time.Minute), timeouts(20*time.Second, time.Minute),
		func(r *kmsg.JoinGroupRequest) { timeouts(20*time.Second, time.Minute)(r); static(r) })
	for range 6 {
		s.reload()
		s.pass(2 * time.Second)
		if code := s.heartbeat(ids[0], 1); code != 0 {
			break
		}
		s.pass(3 * time.Second)
	}
	s.in("PreparingRebalance", 1)
	s.members(ids[0])
}

// The same during a rebalance, and if all are gone.
func TestSilence_OfAll(t *testing.T) {
	s := newStory(t)
	ids := s.stable(timeouts(20*time.Second, time.Minute), timeouts(20*time.Second, time.Minute), timeouts(20*time.Second, time.Minute))
	s.accepted(s.leave(ids[1]))
	for range 6 {
		s.reload()
		s.pass(5 * time.Second)
	}
	s.in("Empty", 2)
	if code := s.g.CheckDelete(); code != 0 {
		t.Fatal(kerr.ErrorForCode(code))
	}
}

// One that is heard of late, but is, keeps its place through any number of loads, and
// the log is told that it is there.
func TestSilence_Late(t *testing.T) {
	s := newStory(t)
	ids := s.stable(timeouts(6*time.Second, time.Minute), timeouts(6*time.Second, time.Minute))
	for range 20 {
		s.reload()
		s.accepted(s.heartbeat(ids[0], 1))
		s.pass(4 * time.Second)
		if s.last().Members[1].Silent == 0 {
			t.Fatal("the log knows nothing of the silence")
		}
		s.accepted(s.heartbeat(ids[1], 1))
		s.pass(time.Second)
		if s.last().Members[1].Silent != 0 {
			t.Fatal("the log does not know that it is there")
		}
	}
	s.in("Stable", 1)
	s.members(ids...)
}

// A load whose members are heard of soon writes nothing.
func TestSilence_None(t *testing.T) {
	s := newStory(t)
	ids := s.stable(long, long)
	written := len(s.records)
	s.reload()
	s.pass(3 * time.Second)
	for _, id := range ids {
		s.accepted(s.heartbeat(id, 1))
	}
	s.pass(time.Minute)
	if n := len(s.records) - written; n != 0 {
		t.Fatalf("%d records", n)
	}
}

// A group that a consumer group has left behind in a rebalance is in one after a load.
func TestBetween_Adopt(t *testing.T) {
	s := newStory(t)
	ids := s.stable(long, long)
	members := s.g.Members()
	s.g = New("g", &s.settings, s.now)
	s.do(func(_ step.Call, out *step.Output) { s.g.Adopt(7, "range", members, true, s.now, out) })
	s.in("PreparingRebalance", 7)
	s.reload()
	s.in("PreparingRebalance", 7)
	s.members(ids...)
	s.refused(s.heartbeat(ids[1], 7), kerr.RebalanceInProgress)
}
