package group

import (
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/segment/vfs"
)

// joined waits for the answer to a join.
func (b *broker) joined(p *Pending) *kmsg.JoinGroupResponse {
	b.Helper()
	resp, refusal := wait(p)
	if refusal != nil {
		b.Fatal(refusal)
	}
	r := resp.(*kmsg.JoinGroupResponse)
	if r.ErrorCode != 0 {
		b.Fatalf("join: %v", kerr.ErrorForCode(r.ErrorCode))
	}
	return r
}

// sync has the leader of a generation, who joined as told, assign nothing.
func (b *broker) sync(group string, j *kmsg.JoinGroupResponse) {
	b.Helper()
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 3, group, j.MemberID, j.Generation
	resp, refusal := b.ask(group, req)
	if refusal != nil || resp.(*kmsg.SyncGroupResponse).ErrorCode != 0 {
		b.Fatalf("sync: %+v %v", resp, refusal)
	}
}

// heartbeat is the error code of a heartbeat.
func (b *broker) heartbeat(group string, j *kmsg.JoinGroupResponse) int16 {
	b.Helper()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 3, group, j.MemberID, j.Generation
	resp, refusal := b.ask(group, req)
	if refusal != nil {
		b.Fatal(refusal)
	}
	return resp.(*kmsg.HeartbeatResponse).ErrorCode
}

// TestLeave_OutlivesPowerCut: an answered leave is on the disk. After a power cut the
// other member is alone and told to join again; nobody waits for the end of the
// session of who has left, which is long.
func TestLeave_OutlivesPowerCut(t *testing.T) {
	disk := vfs.NewMem()
	b := open(t, disk)
	b.must(b.Ensure())
	b.loaded()
	one := b.joined(b.join("g", 20*time.Minute))
	waits := b.join("g", 20*time.Minute)
	again := b.rejoin("g", one, 20*time.Minute)
	two, one := b.joined(waits), b.joined(again)
	b.sync("g", one)
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group, leave.MemberID = "g", two.MemberID
	if resp, refusal := b.ask("g", leave); refusal != nil || resp.(*kmsg.LeaveGroupResponse).ErrorCode != 0 {
		t.Fatalf("leave: %+v %v", resp, refusal)
	}
	cut := disk.Crash(1, vfs.CrashDropAll)
	b.close()

	b = open(t, cut).loaded()
	defer b.close()
	if code := b.heartbeat("g", two); code != kerr.UnknownMemberID.Code {
		t.Errorf("the one that has left: %v", kerr.ErrorForCode(code))
	}
	if code := b.heartbeat("g", one); code != kerr.RebalanceInProgress.Code {
		t.Errorf("the other: %v", kerr.ErrorForCode(code))
	}
	if r := b.joined(b.rejoin("g", one, 20*time.Minute)); r.Generation != one.Generation+1 || len(r.Members) != 1 {
		t.Errorf("joined again: %+v", r)
	}
}

// TestLeave_FailedSync: a leave that does not become durable is not answered as one.
func TestLeave_FailedSync(t *testing.T) {
	disk := vfs.NewFaulty(vfs.NewMem(), nil)
	b := open(t, disk)
	defer b.close()
	b.must(b.Ensure())
	b.loaded()
	one := b.joined(b.join("g", 20*time.Minute))
	waits := b.join("g", 20*time.Minute)
	again := b.rejoin("g", one, 20*time.Minute)
	two, one := b.joined(waits), b.joined(again)
	b.sync("g", one)
	disk.SetRule(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpSyncData {
			return vfs.Fault{Err: syscall.EIO}
		}
		return vfs.Fault{}
	})
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group, leave.MemberID = "g", two.MemberID
	if resp, refusal := b.ask("g", leave); refusal != kerr.NotCoordinator {
		t.Errorf("leave: %+v %v", resp, refusal)
	}
}
