package test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// classicVersion is that of all requests here, in which new members get their ids with
// the answer to their joins.
const classicVersion = 3

// classic is a member of a group of the classic protocol that does as it is told, and
// nothing else. Its session and its rebalances last longer than any test.
type classic struct {
	*wire
	group, id  string
	generation int32
}

func (c *classic) joinRequest() *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.ProtocolType = classicVersion, c.group, c.id, "test"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 25*60_000, 25*60_000
	req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: "p", Metadata: []byte{}})
	return req
}

// join joins and tells the members, if it is the leader.
func (c *classic) join() ([]string, error) {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Version = classicVersion
	if err := c.try(c.joinRequest(), resp); err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	c.id, c.generation = resp.MemberID, resp.Generation
	var members []string
	for _, m := range resp.Members {
		members = append(members, m.MemberID)
	}
	return members, nil
}

// sync is the assignment that the member gets. As the leader it gives the members
// theirs, each the number of members.
func (c *classic) sync(members []string) string {
	c.t.Helper()
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation = c.group, c.id, c.generation
	for _, id := range members {
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{
			MemberID: id, MemberAssignment: fmt.Appendf(nil, "1 of %d", len(members)),
		})
	}
	r := ask[*kmsg.SyncGroupResponse](c.wire, classicVersion, req)
	if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
		c.t.Fatal(err)
	}
	return string(r.MemberAssignment)
}

func (c *classic) heartbeat() error {
	c.t.Helper()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = c.group, c.id, c.generation
	return kerr.ErrorForCode(ask[*kmsg.HeartbeatResponse](c.wire, classicVersion, req).ErrorCode)
}

func (c *classic) leave() {
	c.t.Helper()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.Members = c.group, []kmsg.LeaveGroupRequestMember{{MemberID: c.id}}
	if r := ask[*kmsg.LeaveGroupResponse](c.wire, classicVersion, req); r.ErrorCode != 0 || r.Members[0].ErrorCode != 0 {
		c.t.Fatalf("leave: %+v", r)
	}
}

// state is the state of a group and the number of its members, as soon as they are
// known after a start.
func (c *classic) state() (state string, members int) {
	c.t.Helper()
	eventually(c.t, "the group is loaded", func() error {
		g := ask[*kmsg.DescribeGroupsResponse](c.wire, classicVersion, &kmsg.DescribeGroupsRequest{Groups: []string{c.group}}).Groups[0]
		state, members = g.State, len(g.Members)
		return kerr.ErrorForCode(g.ErrorCode)
	})
	return state, members
}

// pair is a group of two members that have what the first of them has given them.
func pair(t *testing.T, b *broker, group string) (first, second *classic) {
	t.Helper()
	first = &classic{wire: dial(t, b.addr), group: group}
	second = &classic{wire: dial(t, b.addr), group: group}
	eventually(t, "the coordinator is there", func() error {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorKey = group
		return kerr.ErrorForCode(ask[*kmsg.FindCoordinatorResponse](first.wire, 2, find).ErrorCode)
	})
	var members []string
	eventually(t, "the first joins", func() (err error) {
		members, err = first.join()
		return err
	})
	first.sync(members)
	joined := make(chan error, 1)
	go func() {
		_, err := second.join()
		joined <- err
	}()
	eventually(t, "the first hears of the second", func() error {
		if err := first.heartbeat(); err != kerr.RebalanceInProgress {
			return fmt.Errorf("heartbeat: %v", err)
		}
		return nil
	})
	members, err := first.join()
	if err != nil || len(members) != 2 {
		t.Fatalf("members %q: %v", members, err)
	}
	if err := <-joined; err != nil {
		t.Fatal(err)
	}
	first.sync(members)
	if got := second.sync(nil); got != "1 of 2" {
		t.Fatalf("the second has %q", got)
	}
	return first, second
}

// crashed kills the server and starts it again; the member comes back to it.
func (c *classic) crashed(b *broker) {
	c.t.Helper()
	b.crash()
	c.wire = dial(c.t, b.addr)
}

// TestGroup_LeaveThenKill: kill -9 does not bring back a member whose leave was
// answered. The other one is told at once to join again, and gets all.
func TestGroup_LeaveThenKill(t *testing.T) {
	b := startBroker(t, "--set", "group.initial.rebalance.delay.ms=0")
	first, second := pair(t, b, "g")
	second.leave()
	first.crashed(b)
	if state, members := first.state(); state != "PreparingRebalance" || members != 1 {
		t.Errorf("the group is %s with %d members", state, members)
	}
	if err := first.heartbeat(); err != kerr.RebalanceInProgress {
		t.Errorf("heartbeat: %v", err)
	}
	members, err := first.join()
	if err != nil || len(members) != 1 {
		t.Fatalf("members %q: %v", members, err)
	}
	if got := first.sync(members); got != "1 of 1" {
		t.Errorf("the one that is left has %q", got)
	}
	first.crashed(b)
	if state, members := first.state(); state != "Stable" || members != 1 {
		t.Errorf("in the end the group is %s with %d members", state, members)
	}
}

// TestGroup_KillBeforeSync: members that were told of a generation hear of a rebalance
// when they sync after kill -9, and are who they were.
func TestGroup_KillBeforeSync(t *testing.T) {
	b := startBroker(t, "--set", "group.initial.rebalance.delay.ms=0")
	first, second := pair(t, b, "g")
	third := &classic{wire: dial(t, b.addr), group: "g"}
	joined := make(chan error, 2)
	go func() {
		_, err := third.join()
		joined <- err
	}()
	eventually(t, "the first hears of the third", func() error {
		if err := first.heartbeat(); err != kerr.RebalanceInProgress {
			return fmt.Errorf("heartbeat: %v", err)
		}
		return nil
	})
	go func() {
		_, err := second.join()
		joined <- err
	}()
	if _, err := first.join(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-joined; err != nil {
			t.Fatal(err)
		}
	}
	b.crash()
	for _, c := range []*classic{first, second, third} {
		c.wire = dial(t, b.addr)
		if state, members := c.state(); state != "PreparingRebalance" || members != 3 {
			t.Errorf("the group is %s with %d members", state, members)
		}
		req := kmsg.NewPtrSyncGroupRequest()
		req.Group, req.MemberID, req.Generation = c.group, c.id, c.generation
		if r := ask[*kmsg.SyncGroupResponse](c.wire, classicVersion, req); r.ErrorCode != kerr.RebalanceInProgress.Code {
			t.Errorf("sync: %v", kerr.ErrorForCode(r.ErrorCode))
		}
	}
}

// TestGroup_KillWithoutLeave is what the tests above stand out from: one that says
// nothing keeps its place, and the group is as it was.
func TestGroup_KillWithoutLeave(t *testing.T) {
	b := startBroker(t, "--set", "group.initial.rebalance.delay.ms=0")
	first, second := pair(t, b, "g")
	first.crashed(b)
	if state, members := first.state(); state != "Stable" || members != 2 {
		t.Errorf("the group is %s with %d members", state, members)
	}
	if err := first.heartbeat(); err != nil {
		t.Errorf("heartbeat: %v", err)
	}
	second.wire = dial(t, b.addr)
	if got := second.sync(nil); got != "1 of 2" {
		t.Errorf("the second has %q", got)
	}
}

// TestGroup_LeaveThenKill_Consumer: the same in the protocol of KIP-848.
func TestGroup_LeaveThenKill_Consumer(t *testing.T) {
	const group, topic, partitions = "g", "t", 4
	b := startBroker(t, "--set", "group.consumer.max.session.timeout.ms=3600000", "--set", "group.consumer.session.timeout.ms=3600000")
	createTopic(t, b, topic, partitions)
	conn := dial(t, b.addr)
	epochs := map[string]int32{}
	has := map[string]int{}
	beat := func(member string, epoch int32) error {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = group, member, epoch, int32(time.Hour.Milliseconds())
		if epoch == 0 {
			req.SubscribedTopicNames, req.Topics = []string{topic}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		}
		r := ask[*kmsg.ConsumerGroupHeartbeatResponse](conn, 0, req)
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return err
		}
		epochs[member] = r.MemberEpoch
		if r.Assignment != nil {
			has[member] = 0
			for _, t := range r.Assignment.Topics {
				has[member] += len(t.Partitions)
			}
		}
		return nil
	}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey = group
	ask[*kmsg.FindCoordinatorResponse](conn, 2, find)
	for _, member := range []string{"stays", "leaves"} {
		eventually(t, "members join", func() error { return beat(member, 0) })
	}
	if err := beat("leaves", -1); err != nil {
		t.Fatal(err)
	}
	b.crash()
	conn = dial(t, b.addr)
	eventually(t, "the member that is left has all", func() error {
		if err := beat("stays", epochs["stays"]); err != nil {
			return err
		}
		if has["stays"] != partitions {
			return fmt.Errorf("it has %d", has["stays"])
		}
		return nil
	})
}
