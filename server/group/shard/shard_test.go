package shard

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// TestMissingGroup: what is asked of a group that is not there.
func TestMissingGroup(t *testing.T) {
	w := newWorld(t)
	w.topics.create("t", 1)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.MemberID, join.SessionTimeoutMillis, join.Version = "g", "m", 10_000, 5
	sync, heartbeat, leave := kmsg.NewPtrSyncGroupRequest(), kmsg.NewPtrHeartbeatRequest(), kmsg.NewPtrLeaveGroupRequest()
	sync.Group, heartbeat.Group, leave.Group = "g", "g", "g"
	for _, c := range []struct {
		what string
		got  int16
		want *kerr.Error
	}{
		{"join", ask[*kmsg.JoinGroupResponse](w, join).ErrorCode, kerr.UnknownMemberID},
		{"sync", ask[*kmsg.SyncGroupResponse](w, sync).ErrorCode, kerr.UnknownMemberID},
		{"heartbeat", ask[*kmsg.HeartbeatResponse](w, heartbeat).ErrorCode, kerr.UnknownMemberID},
		{"leave", ask[*kmsg.LeaveGroupResponse](w, leave).ErrorCode, kerr.UnknownMemberID},
		{"consumer heartbeat", w.beat("g", "m", 3).ErrorCode, kerr.GroupIDNotFound},
		{"commit of a member", w.commit("g", "m", 3, "t", 1), kerr.GroupIDNotFound},
		{"delete", ask[*kmsg.DeleteGroupsResponse](w, &kmsg.DeleteGroupsRequest{Groups: []string{"g"}}).Groups[0].ErrorCode, kerr.GroupIDNotFound},
		{"delete offsets", ask[*kmsg.OffsetDeleteResponse](w, &kmsg.OffsetDeleteRequest{Group: "g"}).ErrorCode, kerr.GroupIDNotFound},
		{"describe", ask[*kmsg.DescribeGroupsResponse](w, &kmsg.DescribeGroupsRequest{Version: 6, Groups: []string{"g"}}).Groups[0].ErrorCode, kerr.GroupIDNotFound},
		{"describe of consumers", ask[*kmsg.ConsumerGroupDescribeResponse](w, &kmsg.ConsumerGroupDescribeRequest{Groups: []string{"g"}}).Groups[0].ErrorCode, kerr.GroupIDNotFound},
	} {
		if c.got != c.want.Code {
			t.Errorf("%s: %v, want %v", c.what, kerr.ErrorForCode(c.got), c.want)
		}
	}
	if got := w.committed("g", "t"); got != -1 {
		t.Errorf("offset %d", got)
	}
	if w.Len() != 0 || len(w.log) != 0 {
		t.Errorf("%d groups, %d records, and nobody has joined", w.Len(), len(w.log))
	}
	old := ask[*kmsg.DescribeGroupsResponse](w, &kmsg.DescribeGroupsRequest{Version: 5, Groups: []string{"g"}}).Groups[0]
	if old.ErrorCode != 0 || old.State != "Dead" {
		t.Errorf("version 5 describes it as %+v", old)
	}
}

// TestSimpleGroup: offsets alone make a group, which goes when they have expired.
func TestSimpleGroup(t *testing.T) {
	w := newWorld(t, "offsets.retention.minutes=60")
	w.topics.create("t", 1)
	if code := w.commit("g", "", -1, "t", 7); code != 0 {
		t.Fatal(kerr.ErrorForCode(code))
	}
	if g := w.listed("g"); g.GroupState != "Empty" || g.GroupType != "classic" || g.ProtocolType != "" {
		t.Errorf("listed as %+v", g)
	}
	r := w.replayed()
	if got := r.committed("g", "t"); got != 7 || r.Len() != 1 {
		t.Errorf("replayed: offset %d, %d groups", got, r.Len())
	}
	w.pass(59 * time.Minute)
	if got := w.committed("g", "t"); got != 7 {
		t.Errorf("offset %d before its time", got)
	}
	w.pass(11 * time.Minute)
	if got := w.committed("g", "t"); got != -1 || w.Len() != 0 {
		t.Errorf("offset %d, %d groups after its time", got, w.Len())
	}
	if r := w.replayed(); r.Len() != 0 {
		t.Errorf("replayed: %d groups", r.Len())
	}
}

// TestDeletedTopic: offsets go with their topic, also if another one has its name.
func TestDeletedTopic(t *testing.T) {
	w := newWorld(t)
	w.topics.create("gone", 1)
	w.topics.create("kept", 1)
	w.commit("g", "", -1, "gone", 1)
	w.commit("g", "", -1, "kept", 2)
	w.topics.remove("gone")
	w.topics.create("gone", 1)
	w.settleStep(func(out *step.Output) { w.TopicsChanged(w.env, out) })
	if gone, kept := w.committed("g", "gone"), w.committed("g", "kept"); gone != -1 || kept != 2 {
		t.Errorf("offsets %d and %d", gone, kept)
	}
	if got := w.replayed().committed("g", "gone"); got != -1 {
		t.Errorf("replayed: offset %d", got)
	}
}

// TestUpgrade: the first member of the consumer protocol converts a group with
// members, which keep what they have, and the last one to leave converts it back.
func TestUpgrade(t *testing.T) {
	w := newWorld(t)
	w.topics.create("t", 4)
	j := w.join("g", "t")
	w.sync("g", j, "t", 0, 1, 2, 3)
	if code := w.commit("g", j.MemberID, j.Generation, "t", 5); code != 0 {
		t.Fatal(kerr.ErrorForCode(code))
	}
	r := w.beat("g", "new", 0, "t")
	if r.ErrorCode != 0 || r.Assignment != nil && len(r.Assignment.Topics) > 0 {
		t.Fatalf("the new member: %+v", r)
	}
	if g := w.listed("g"); g.GroupType != "consumer" {
		t.Fatalf("listed as %+v", g)
	}
	d := ask[*kmsg.ConsumerGroupDescribeResponse](w, &kmsg.ConsumerGroupDescribeRequest{Version: 1, Groups: []string{"g"}}).Groups[0]
	if len(d.Members) != 2 {
		t.Errorf("described: %+v", d)
	}
	heartbeat := kmsg.NewPtrHeartbeatRequest()
	heartbeat.Group, heartbeat.MemberID, heartbeat.Generation = "g", j.MemberID, j.Generation
	if code := ask[*kmsg.HeartbeatResponse](w, heartbeat).ErrorCode; code != kerr.RebalanceInProgress.Code {
		t.Errorf("heartbeat of the old member: %v", kerr.ErrorForCode(code))
	}
	if g := w.replayed().listed("g"); g.GroupType != "consumer" {
		t.Errorf("replayed as %+v", g)
	}
	if r := w.beat("g", "new", -1); r.ErrorCode != 0 {
		t.Fatalf("leave: %v", kerr.ErrorForCode(r.ErrorCode))
	}
	if g := w.listed("g"); g.GroupType != "classic" || g.GroupState != "PreparingRebalance" {
		t.Errorf("listed as %+v", g)
	}
	back := w.replayed()
	if g := back.listed("g"); g.GroupType != "classic" || g.GroupState != "PreparingRebalance" || back.committed("g", "t") != 5 {
		t.Errorf("replayed as %+v, offset %d", g, back.committed("g", "t"))
	}
}

// TestUpgrade_Refused: a policy against it, and a member that is refused, leave the
// classic group as it was.
func TestUpgrade_Refused(t *testing.T) {
	for name, c := range map[string]struct {
		setting string
		topics  []string
		regex   string
		want    *kerr.Error
	}{
		"policy": {"group.consumer.migration.policy=downgrade", []string{"t"}, "", kerr.GroupIDNotFound},
		"regex":  {"group.consumer.migration.policy=bidirectional", nil, "(", kerr.InvalidRegularExpression},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.setting)
			w.topics.create("t", 1)
			j := w.join("g", "t")
			w.sync("g", j, "t", 0)
			written := len(w.log)
			req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
			req.Version, req.Group, req.MemberID, req.RebalanceTimeoutMillis = 1, "g", "new", 10_000
			req.SubscribedTopicNames, req.Topics = c.topics, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			if c.regex != "" {
				req.SubscribedTopicRegex = &c.regex
			}
			if r := ask[*kmsg.ConsumerGroupHeartbeatResponse](w, req); r.ErrorCode != c.want.Code {
				t.Errorf("%v, want %v", kerr.ErrorForCode(r.ErrorCode), c.want)
			}
			if g := w.listed("g"); g.GroupType != "classic" || g.GroupState != "Stable" || len(w.log) != written {
				t.Errorf("listed as %+v, %d records written", g, len(w.log)-written)
			}
		})
	}
}

// TestEmptyGroups_ChangeProtocol: a group without members is whatever comes next, and
// its offsets stay.
func TestEmptyGroups_ChangeProtocol(t *testing.T) {
	w := newWorld(t, "group.consumer.migration.policy=disabled")
	w.topics.create("t", 1)
	w.commit("g", "", -1, "t", 3)
	if r := w.beat("g", "a", 0, "t"); r.ErrorCode != 0 {
		t.Fatalf("consumer after simple: %v", kerr.ErrorForCode(r.ErrorCode))
	}
	if r := w.beat("g", "a", -1); r.ErrorCode != 0 {
		t.Fatal(kerr.ErrorForCode(r.ErrorCode))
	}
	j := w.join("g", "t")
	w.sync("g", j, "t", 0)
	r := w.replayed()
	if live, back := w.listed("g"), r.listed("g"); live.GroupType != "classic" || back.GroupType != "classic" || back.GroupState != "Stable" {
		t.Errorf("live %+v, replayed %+v", live, back)
	}
	if live, back := w.committed("g", "t"), r.committed("g", "t"); live != 3 || back != 3 {
		t.Errorf("offsets %d and %d", live, back)
	}
}

// TestDeleteGroups: with members a group stays; without, nothing of it is left.
func TestDeleteGroups(t *testing.T) {
	w := newWorld(t)
	w.topics.create("t", 1)
	drop := func() int16 {
		return ask[*kmsg.DeleteGroupsResponse](w, &kmsg.DeleteGroupsRequest{Groups: []string{"g"}}).Groups[0].ErrorCode
	}
	r := w.beat("g", "a", 0, "t")
	if code := w.commit("g", "a", r.MemberEpoch, "t", 9); code != 0 {
		t.Fatal(kerr.ErrorForCode(code))
	}
	if code := drop(); code != kerr.NonEmptyGroup.Code {
		t.Errorf("with a member: %v", kerr.ErrorForCode(code))
	}
	w.beat("g", "a", -1)
	if code := drop(); code != 0 {
		t.Errorf("without: %v", kerr.ErrorForCode(code))
	}
	if back := w.replayed(); w.Len() != 0 || back.Len() != 0 || back.committed("g", "t") != -1 {
		t.Errorf("%d groups, replayed %d", w.Len(), back.Len())
	}
}

// TestLongNames: names that a record has no room for are refused or cut, so that
// what a step writes can always be written.
func TestLongNames(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 32767)
	w.token++
	c := step.Call{Token: w.token, Now: w.now, ClientID: long, ClientHost: "/127.0.0.1", NewID: func() string { return strings.Repeat("i", 36) }}
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.ProtocolType, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 3, long, "p", 10_000, 10_000
	req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: long, Metadata: []byte{1}})
	w.settleStep(func(out *step.Output) { w.Do(c, w.env, req, out) })
	w.pass(10 * time.Second)
	if r := w.answers[w.token].(*kmsg.JoinGroupResponse); r.ErrorCode != 0 || len(r.MemberID) > 32767 {
		t.Errorf("%v, an id of %d bytes", kerr.ErrorForCode(r.ErrorCode), len(r.MemberID))
	}
	req.Version, req.InstanceID = 5, &long
	if r := ask[*kmsg.JoinGroupResponse](w, req); r.ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("a long instance id: %v", kerr.ErrorForCode(r.ErrorCode))
	}
}

// TestReplay_OfDroppedTombstones: compaction may leave records of a group that was
// replaced by one of another protocol; the later kind counts.
func TestReplay_OfDroppedTombstones(t *testing.T) {
	s := New()
	s.Replay(&record.Classic{Group: "g", Value: &record.ClassicValue{ProtocolType: "consumer"}})
	s.Replay(&record.Epoch{Group: "g", Value: &record.EpochValue{Epoch: 1}})
	if s.groups["g"].consumer == nil {
		t.Error("still classic")
	}
	s.Replay(&record.Member{Group: "never", Member: "m"})
	s.Replay(&record.Epoch{Group: "never"})
	s.Replay(&record.Classic{Group: "never"})
	if s.Len() != 1 {
		t.Errorf("%d groups", s.Len())
	}
}

// TestSilence: a server that is loaded again and again, sooner than a session ends, lets
// those go that are not heard of, in both protocols; nobody else.
func TestSilence(t *testing.T) {
	w := newWorld(t, "group.consumer.session.timeout.ms=45000")
	w.topics.create("t", 2)
	j := w.join("classic", "t")
	w.sync("classic", j, "t", 0, 1)
	gone := w.join("gone", "t")
	w.sync("gone", gone, "t", 0, 1)
	epoch := w.beat("consumer", "stays", 0, "t").MemberEpoch
	w.beat("consumer", "goes", 0, "t")
	for range 14 {
		log := w.log
		w = w.replayed()
		w.log = append(log, w.log...)
		w.pass(time.Second)
		heartbeat := kmsg.NewPtrHeartbeatRequest()
		heartbeat.Group, heartbeat.MemberID, heartbeat.Generation = "classic", j.MemberID, j.Generation
		if code := ask[*kmsg.HeartbeatResponse](w, heartbeat).ErrorCode; code != 0 {
			t.Fatalf("one that is there: %v", kerr.ErrorForCode(code))
		}
		r := w.beat("consumer", "stays", epoch, "t")
		if r.ErrorCode != 0 {
			t.Fatalf("one that is there: %v", kerr.ErrorForCode(r.ErrorCode))
		}
		epoch = r.MemberEpoch
		w.pass(4 * time.Second)
	}
	if g := w.listed("gone"); g.GroupState != "Empty" {
		t.Errorf("a group whose only member is gone: %+v", g)
	}
	d := ask[*kmsg.ConsumerGroupDescribeResponse](w, &kmsg.ConsumerGroupDescribeRequest{Version: 1, Groups: []string{"consumer"}}).Groups[0]
	if len(d.Members) != 1 || d.Members[0].MemberID != "stays" {
		t.Errorf("members: %+v", d.Members)
	}
}
