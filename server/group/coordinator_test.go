package group

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/segment/vfs"
	"sordini/server/group/step"
	"sordini/server/wire"
)

// TestPartition: names belong where Java's hash puts them. The figures are Apache
// Kafka's for 50 partitions.
func TestPartition(t *testing.T) {
	for name, want := range map[string]int{
		"":                   0,
		"g1":                 42,
		"polygenelubricants": 0,  // its hash is the smallest number there is
		"grüße":              23, // a character of two bytes
		"\U0001f600":         49, // two characters in Java
	} {
		if got := Partition(name, 50); got != want {
			t.Errorf("Partition(%q) = %d, want %d", name, got, want)
		}
	}
}

func TestNoTopicYet(t *testing.T) {
	b := open(t, vfs.NewMem())
	defer b.close()
	if _, refusal := b.ask("g", commitRequest("g", "t", 0, 1)); refusal != kerr.CoordinatorNotAvailable {
		t.Errorf("%v", refusal)
	}
	b.must(b.Ensure())
	b.loaded()
	topic := b.set.Image().Topic(Topic)
	if topic == nil || !topic.Internal || topic.Partitions != 4 || topic.Configs["cleanup.policy"] != "compact" {
		t.Errorf("topic %+v", topic)
	}
	b.must(b.Ensure())
}

// TestOffsets_Restart: what was committed is there after an orderly stop, and after a
// power cut.
func TestOffsets_Restart(t *testing.T) {
	disk := vfs.NewMem()
	b := open(t, disk)
	b.create("t", 3)
	b.must(b.Ensure())
	b.loaded()
	for i := range int64(50) {
		if code := b.commit(fmt.Sprint("g", i), "t", int32(i%3), i); code != 0 {
			t.Fatalf("commit: code %d", code)
		}
	}
	check := func(b *broker) {
		t.Helper()
		for i := range int64(50) {
			if got := b.committed(fmt.Sprint("g", i), "t", int32(i%3)); got != i {
				t.Errorf("group g%d: offset %d, want %d", i, got, i)
			}
		}
	}
	check(b)
	b.close()
	b = open(t, disk).loaded()
	check(b)
	cut := disk.Crash(1, vfs.CrashDropAll)
	b.close()
	b = open(t, cut).loaded()
	defer b.close()
	check(b)
}

// TestOffsets_OfDeletedTopic: they go with their topic, at once and durably.
func TestOffsets_OfDeletedTopic(t *testing.T) {
	disk := vfs.NewMem()
	b := open(t, disk)
	b.create("gone", 1)
	b.create("kept", 1)
	b.must(b.Ensure())
	b.loaded()
	b.commit("g", "gone", 0, 7)
	b.commit("g", "kept", 0, 8)
	b.must(b.set.DeleteTopic(b.set.Image().Topic("gone").ID))
	b.eventually("the offset is gone", func() bool { return b.committed("g", "gone", 0) == -1 })
	b.create("gone", 1)
	b.close()
	b = open(t, disk).loaded()
	defer b.close()
	if gone, kept := b.committed("g", "gone", 0), b.committed("g", "kept", 0); gone != -1 || kept != 8 {
		t.Errorf("offsets %d and %d, want -1 and 8", gone, kept)
	}
}

// TestCommits_ShareFlushes: many commits that come together cost few syncs.
func TestCommits_ShareFlushes(t *testing.T) {
	gate := make(chan struct{})
	var mu sync.Mutex
	syncs := 0
	disk := vfs.NewFaulty(vfs.NewMem(), nil)
	b := open(t, disk)
	defer b.close()
	b.create("t", 1)
	b.must(b.Ensure())
	b.loaded()
	b.commit("g", "t", 0, -1) // the first one of a leader epoch writes that down too
	disk.SetRule(func(op vfs.Op) vfs.Fault {
		if op.Kind != vfs.OpSyncData || !strings.HasSuffix(op.Path, ".log") {
			return vfs.Fault{}
		}
		mu.Lock()
		syncs++
		mu.Unlock()
		<-gate
		return vfs.Fault{}
	})
	const commits = 200
	pending := make([]*Pending, commits)
	for i := range pending {
		pending[i] = b.Do(step.Call{}, "g", commitRequest("g", "t", 0, int64(i)))
		if pending[i].Ready() {
			t.Fatal("acknowledged before it was synced")
		}
	}
	close(gate)
	for _, p := range pending {
		if resp, refusal := wait(p); refusal != nil || resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode != 0 {
			t.Fatal(resp, refusal)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if syncs > 2 { // the first commit's, and one for all others
		t.Errorf("%d syncs for %d commits", syncs, commits)
	}
}

// TestFailedSync: no commit is acknowledged whose sync failed, nor any after it; the
// groups of other partitions go on.
func TestFailedSync(t *testing.T) {
	disk := vfs.NewFaulty(vfs.NewMem(), nil)
	b := open(t, disk, "flush.method=segment")
	defer b.close()
	b.create("t", 1)
	b.must(b.Ensure())
	b.loaded()
	if code := b.commit("g", "t", 0, 1); code != 0 {
		t.Fatal(code)
	}
	broken := fmt.Sprintf("%s-%d/", Topic, Partition("g", 4))
	disk.SetRule(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpSyncData && strings.Contains(op.Path, broken) {
			return vfs.Fault{Err: syscall.EIO}
		}
		return vfs.Fault{}
	})
	for range 2 {
		if code := b.commit("g", "t", 0, 2); code != kerr.NotCoordinator.Code {
			t.Errorf("code %d, want %d", code, kerr.NotCoordinator.Code)
		}
	}
	other := "h"
	for i := 0; Partition(other, 4) == Partition("g", 4); i++ {
		other = fmt.Sprint("h", i)
	}
	if code := b.commit(other, "t", 0, 3); code != 0 {
		t.Errorf("another partition: code %d", code)
	}
}

// TestJoin_Waits: a join is answered when the rebalance ends that another member
// holds up; who goes away meanwhile is forgotten.
func TestJoin_Waits(t *testing.T) {
	b := open(t, vfs.NewMem(), "group.min.session.timeout.ms=10")
	defer b.close()
	b.must(b.Ensure())
	b.loaded()
	first := b.join("g", time.Minute)
	resp, refusal := wait(first)
	if refusal != nil || resp.(*kmsg.JoinGroupResponse).ErrorCode != 0 {
		t.Fatal(resp, refusal)
	}
	second, third := b.join("g", time.Minute), b.join("g", time.Minute)
	if second.Ready() || third.Ready() {
		t.Fatal("the first member has not joined again")
	}
	gone := make(chan struct{})
	close(gone)
	third.Wait(&wire.Waiter{Gone: gone})
	if !third.Ready() {
		t.Error("waits on though the client is gone")
	}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group, leave.MemberID = "g", resp.(*kmsg.JoinGroupResponse).MemberID
	if _, refusal := b.ask("g", leave); refusal != nil {
		t.Fatal(refusal)
	}
	resp, refusal = wait(second)
	if refusal != nil {
		t.Fatal(refusal)
	}
	if j := resp.(*kmsg.JoinGroupResponse); j.ErrorCode != 0 || j.Generation != 2 || len(j.Members) != 2 {
		t.Errorf("joined: %+v", j)
	}
}

// TestSession_Ends: timers work without a request.
func TestSession_Ends(t *testing.T) {
	b := open(t, vfs.NewMem(), "group.min.session.timeout.ms=10")
	defer b.close()
	b.must(b.Ensure())
	b.loaded()
	if _, refusal := wait(b.join("g", 30*time.Millisecond)); refusal != nil {
		t.Fatal(refusal)
	}
	b.eventually("the member's session ends", func() bool {
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups = []string{"g"}
		resp, _ := b.ask("g", req)
		return resp.(*kmsg.DescribeGroupsResponse).Groups[0].State == "Empty"
	})
}

// TestStop_AnswersAll: whoever waits learns that the coordinator goes.
func TestStop_AnswersAll(t *testing.T) {
	b := open(t, vfs.NewMem())
	b.must(b.Ensure())
	b.loaded()
	if _, refusal := wait(b.join("g", time.Minute)); refusal != nil {
		t.Fatal(refusal)
	}
	waits := b.join("g", time.Minute)
	b.close()
	if !waits.Ready() {
		t.Fatal("waits on")
	}
	if _, refusal := waits.Response(); refusal != kerr.NotCoordinator {
		t.Error(refusal)
	}
	if _, refusal := wait(b.join("g", time.Minute)); refusal != kerr.NotCoordinator {
		t.Error(refusal)
	}
}

// TestTopicDeleted: groups end with the topic of the coordinator, and begin anew.
func TestTopicDeleted(t *testing.T) {
	b := open(t, vfs.NewMem())
	defer b.close()
	b.create("t", 1)
	b.must(b.Ensure())
	b.loaded()
	b.commit("g", "t", 0, 1)
	b.must(b.set.DeleteTopic(b.set.Image().Topic(Topic).ID))
	b.eventually("the shards are gone", func() bool { return len(b.all()) == 0 })
	b.must(b.Ensure())
	b.loaded()
	if got := b.committed("g", "t", 0); got != -1 {
		t.Errorf("offset %d of before", got)
	}
}

// TestDamage: a partition that cannot be read is refused, and said so.
func TestDamage(t *testing.T) {
	disk := vfs.NewMem()
	b := open(t, disk)
	b.create("t", 1)
	b.must(b.Ensure())
	b.loaded()
	for i := range int64(3) {
		b.commit("g", "t", 0, i)
	}
	b.close()
	name := fmt.Sprintf("%s/%s-%d/%020d.log", dataDir, Topic, Partition("g", 4), 0)
	f, err := disk.OpenFile(name, syscall.O_RDWR)
	b.must(err)
	_, err = f.WriteAt([]byte{0xff}, 100)
	b.must(err)
	b.must(f.Close())
	b = open(t, disk).loaded()
	defer b.close()
	if _, refusal := b.ask("g", commitRequest("g", "t", 0, 9)); refusal != kerr.NotCoordinator {
		t.Errorf("%v", refusal)
	}
}
