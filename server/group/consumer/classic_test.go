package consumer

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// asks is the subscription of a member of the classic protocol that has partitions.
func asks(version int16, topics []string, has []kmsg.ConsumerMemberMetadataOwnedPartition) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics, m.OwnedPartitions = version, topics, has
	return m.AppendTo(nil)
}

func (w *world) owned(text string) []kmsg.ConsumerMemberMetadataOwnedPartition {
	var list []kmsg.ConsumerMemberMetadataOwnedPartition
	for _, t := range w.has(text) {
		known, _ := w.topics.ByID(t.TopicID)
		o := kmsg.NewConsumerMemberMetadataOwnedPartition()
		o.Topic, o.Partitions = known.Name, t.Partitions
		list = append(list, o)
	}
	return list
}

// classicJoin is a join of version 9 by who has partitions.
func (w *world) classicJoin(id, has string, change ...func(*kmsg.JoinGroupRequest)) *kmsg.JoinGroupResponse {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.ProtocolType = 9, "g", id, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 30_000, 10_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", asks(1, []string{"a"}, w.owned(has))
	req.Protocols = append(req.Protocols, p)
	for _, f := range change {
		f(req)
	}
	var out step.Output
	w.g.Join(w.call(), req, &w.s, w.topics, &out)
	return w.took(&out).(*kmsg.JoinGroupResponse)
}

func (w *world) sync(id string, generation int32, change ...func(*kmsg.SyncGroupRequest)) *kmsg.SyncGroupResponse {
	req := kmsg.NewPtrSyncGroupRequest()
	protocolType, protocol := "consumer", "range"
	req.Version, req.Group, req.MemberID, req.Generation = 5, "g", id, generation
	req.ProtocolType, req.Protocol = &protocolType, &protocol
	for _, f := range change {
		f(req)
	}
	var out step.Output
	w.g.Sync(w.call(), req, w.topics, &out)
	return w.took(&out).(*kmsg.SyncGroupResponse)
}

func (w *world) classicBeat(id string, generation int32, instance ...string) int16 {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 4, "g", id, generation
	if len(instance) > 0 {
		req.InstanceID = &instance[0]
	}
	var out step.Output
	w.g.ClassicHeartbeat(w.call(), req, &w.s, w.topics, &out)
	return w.took(&out).(*kmsg.HeartbeatResponse).ErrorCode
}

func (w *world) classicLeave(version int16, ids ...string) *kmsg.LeaveGroupResponse {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group, req.MemberID = version, "g", ids[0]
	for _, id := range ids {
		m := kmsg.NewLeaveGroupRequestMember()
		id, instance, static := strings.Cut(id, "/")
		m.MemberID = id
		if static {
			m.InstanceID = &instance
		}
		req.Members = append(req.Members, m)
	}
	var out step.Output
	w.g.Leave(w.call(), req, &w.s, w.topics, &out)
	return w.took(&out).(*kmsg.LeaveGroupResponse)
}

// assigned is an assignment of the classic protocol in the form of [world.has].
func assigned(t *testing.T, b []byte) string {
	t.Helper()
	var a kmsg.ConsumerMemberAssignment
	if err := a.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	var w world
	w.topics = newCatalog()
	list := make([]record.TopicPartitions, len(a.Topics))
	for i, topic := range a.Topics {
		w.topics.set(topic.Topic, 1)
		list[i].Topic, list[i].Partitions = w.topics.topics[topic.Topic].ID, topic.Partitions
	}
	return w.text(list)
}

func code(t *testing.T, got int16, want *kerr.Error) {
	t.Helper()
	if want == nil && got != 0 || want != nil && got != want.Code {
		t.Fatalf("%v, want %v", kerr.ErrorForCode(got), want)
	}
}

// TestMixed: a member of the classic protocol in a consumer group, from its join to
// its leave.
func TestMixed(t *testing.T) {
	w := newWorld(t)
	w.beat(join("m1", "a"))
	r := w.classicJoin("", "")
	code(t, r.ErrorCode, kerr.MemberIDRequired)
	w.wrote("")
	id := r.MemberID
	r = w.classicJoin(id, "")
	if r.ErrorCode != 0 || r.MemberID != id || r.Generation != 3 || *r.ProtocolType != "consumer" || *r.Protocol != "range" || r.LeaderID != "" || len(r.Members) != 0 {
		t.Fatalf("%+v", r)
	}
	w.wrote("Member id1, Epoch, Target id1, Target m1, TargetEpoch, Current id1")
	w.reload()
	s := w.sync(id, 3)
	if s.ErrorCode != 0 || assigned(t, s.MemberAssignment) != "" || *s.Protocol != "range" || *s.ProtocolType != "consumer" {
		t.Fatalf("%+v", s)
	}
	code(t, w.classicBeat(id, 3), nil) // m1 has not given back
	w.beat(delta("m1", 2))
	w.beat(with(delta("m1", 2), func(r *beat) { r.Topics = w.has("a:0,1") }))
	code(t, w.classicBeat(id, 3), kerr.RebalanceInProgress)
	r = w.classicJoin(id, "")
	code(t, r.ErrorCode, nil)
	s = w.sync(id, r.Generation)
	if got := assigned(t, s.MemberAssignment); got != "a:2,3" {
		t.Fatal(got)
	}
	code(t, w.classicBeat(id, 3), nil)
	d := w.g.Describe(&w.s, w.topics)
	if d.State != "Stable" || d.Members[0].MemberType != 0 || d.Members[1].MemberType != 1 {
		t.Fatalf("%+v", d)
	}

	// More members: the classic one gives back by joining twice.
	w.beat(join("m0", "a"))
	w.beat(join("m2", "a"))
	code(t, w.classicBeat(id, 3), kerr.RebalanceInProgress)
	code(t, w.sync(id, 3).ErrorCode, kerr.RebalanceInProgress)
	r = w.classicJoin(id, "a:2,3")
	if s = w.sync(id, r.Generation); r.Generation != 3 || assigned(t, s.MemberAssignment) != "a:2" {
		t.Fatal(r.Generation, s)
	}
	code(t, w.classicBeat(id, 3), kerr.RebalanceInProgress)
	if r = w.classicJoin(id, "a:2"); r.Generation != 5 {
		t.Fatal(r.Generation)
	}
	if s = w.sync(id, 5); assigned(t, s.MemberAssignment) != "a:2" {
		t.Fatal(s)
	}
	w.reload()
	w.classicLeave(5, id)
	w.wrote("!Current id1, !Target id1, !Member id1, Epoch")
}

func TestMixed_Refused(t *testing.T) {
	w := newWorld(t)
	w.beat(join("m1", "a"))
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		id     string
		change func(*kmsg.JoinGroupRequest)
		err    *kerr.Error
	}{
		"type":         {"x", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" }, kerr.InconsistentGroupProtocol},
		"no protocols": {"x", func(r *kmsg.JoinGroupRequest) { r.Protocols = nil }, kerr.InconsistentGroupProtocol},
		"malformed":    {"x", func(r *kmsg.JoinGroupRequest) { r.Protocols[0].Metadata = []byte{0, 1, 0} }, kerr.UnknownServerError},
		"instance":     {"x", func(r *kmsg.JoinGroupRequest) { r.InstanceID = text("i") }, kerr.UnknownMemberID},
	} {
		if r := w.classicJoin(c.id, "", c.change); r.ErrorCode != c.err.Code || r.MemberID != c.id {
			t.Errorf("%s: %+v, want %v", name, r, c.err)
		}
		w.wrote("")
	}
	w.s.MaxSize = 1
	code(t, w.classicJoin("x", "").ErrorCode, kerr.GroupMaxSizeReached)
	w.s.MaxSize = 9
	code(t, w.classicJoin("c", "").ErrorCode, nil)
	other := func(r *kmsg.JoinGroupRequest) { r.Protocols[0].Name = "sticky" }
	code(t, w.classicJoin("d", "", other).ErrorCode, kerr.InconsistentGroupProtocol)

	code(t, w.sync("m1", 2).ErrorCode, kerr.UnknownMemberID)
	code(t, w.sync("x", 2).ErrorCode, kerr.UnknownMemberID)
	code(t, w.sync("c", 2).ErrorCode, kerr.IllegalGeneration)
	code(t, w.sync("c", 3, func(r *kmsg.SyncGroupRequest) { r.ProtocolType = text("x") }).ErrorCode, kerr.InconsistentGroupProtocol)
	code(t, w.sync("c", 3, func(r *kmsg.SyncGroupRequest) { r.Protocol = text("x") }).ErrorCode, kerr.InconsistentGroupProtocol)
	code(t, w.sync("c", 3, func(r *kmsg.SyncGroupRequest) { r.Protocol, r.ProtocolType = nil, nil }).ErrorCode, nil)
	code(t, w.sync("c", 3, func(r *kmsg.SyncGroupRequest) { r.InstanceID = text("i") }).ErrorCode, kerr.UnknownMemberID)
	code(t, w.classicBeat("m1", 2), kerr.UnknownMemberID)
	code(t, w.classicBeat("c", 1), kerr.IllegalGeneration)

	a := w.topics.topics["a"].ID
	req := kmsg.NewPtrOffsetCommitRequest()
	req.MemberID, req.Generation, req.Version = "c", 3, 2
	code(t, w.g.CommitCheck(req)(a, 0), nil)
	req.Generation = 4
	code(t, w.g.CommitCheck(req)(a, 0), kerr.IllegalGeneration)
	req.Generation = 2
	code(t, w.g.CommitCheck(req)(a, 0), kerr.IllegalGeneration)
	id := "c"
	code(t, w.g.CheckFetch(&id, 2), kerr.IllegalGeneration)
}

// TestMixed_Timers: who does not join or sync in time is taken out.
func TestMixed_Timers(t *testing.T) {
	begin := func() *world {
		w := newWorld(t)
		w.beat(join("m1", "a"))
		w.classicJoin("c", "")
		return w
	}
	beats := func(w *world, n int) {
		for range n {
			w.tick(time.Second)
			w.classicBeat("c", 3)
		}
	}
	w := begin()
	beats(w, 9)
	if w.g.members["c"] == nil {
		t.Fatal("gone too early")
	}
	if w.tick(time.Second); w.g.members["c"] != nil {
		t.Fatal("not gone without a sync")
	}
	w = begin()
	w.sync("c", 3)
	beats(w, 29)
	w.beat(delta("m1", 2))
	w.beat(join("m2", "a"))
	beats(w, 10)
	if w.g.members["c"] == nil {
		t.Fatal("gone too early")
	}
	if w.tick(time.Second); w.g.members["c"] != nil {
		t.Fatal("not gone without a join")
	}
	w = begin()
	w.sync("c", 3)
	if w.tick(30 * time.Second); w.g.members["c"] != nil {
		t.Fatal("not gone without a heartbeat")
	}
}

func TestMixed_Leave(t *testing.T) {
	w := newWorld(t)
	w.beat(static("m1", "i", "a"))
	w.beat(join("m2", "a"))
	r := w.classicLeave(5, "m2", "x", "/i", "/j", "y/i")
	want := []*kerr.Error{nil, kerr.UnknownMemberID, nil, kerr.UnknownMemberID, kerr.FencedInstanceID}
	for i, m := range r.Members {
		code(t, m.ErrorCode, want[i])
	}
	w.wrote("!Current m2, !Target m2, !Member m2, !Current m1, !Target m1, !Member m1, Epoch")
	w.beat(join("m3", "a"))
	code(t, w.classicLeave(2, "x").ErrorCode, kerr.UnknownMemberID)
	w.wrote("")
	code(t, w.classicLeave(2, "m3").ErrorCode, nil)
	if !w.g.Empty() {
		t.Fatal("not empty")
	}
}

// TestDowngrade: the last member of the consumer protocol goes.
func TestDowngrade(t *testing.T) {
	ways := map[string]func(*world){
		"leaves":  func(w *world) { w.beat(delta("m1", -1)) },
		"removed": func(w *world) { w.classicLeave(5, "m1") },
		"expires": func(w *world) { w.g.members["c"].session = time.Time{}; w.tick(45 * time.Second) },
	}
	for name, leave := range ways {
		w := newWorld(t)
		w.beat(join("m1", "a"))
		w.classicJoin("c", "")
		w.sync("c", 3)
		w.beat(delta("m1", 2))
		w.beat(with(delta("m1", 2), func(r *beat) { r.Topics = w.has("a:0,1") }))
		w.classicJoin("c", "")
		w.sync("c", 3)
		w.s.Downgrade = true
		if w.g.Downgraded() != nil {
			t.Fatal("too early")
		}
		leave(w)
		w.wrote("!Current m1, !Target m1, !Member m1")
		d := w.g.Downgraded()
		if d == nil || d.Generation != 3 || d.Protocol != "range" || !d.Rebalance || len(d.Members) != 1 {
			t.Fatalf("%s: %+v", name, d)
		}
		m := d.Members[0]
		if m.ID != "c" || assigned(t, m.Assignment) != "a:2,3" || m.SessionTimeout != 30_000 || m.RebalanceTimeout != 10_000 || len(m.Protocols) != 1 || len(m.Subscription) == 0 {
			t.Fatalf("%s: %+v", name, m)
		}
	}
}

func TestDowngrade_Not(t *testing.T) {
	for name, change := range map[string]func(*world){
		"disabled":  func(w *world) { w.s.Downgrade = false },
		"too large": func(w *world) { w.s.ClassicMaxSize = 0 },
		"another":   func(w *world) { w.beat(join("m2", "a")) },
		"empty":     func(w *world) { w.classicLeave(5, "c") },
	} {
		w := newWorld(t)
		w.s.Downgrade = true
		w.beat(join("m1", "a"))
		w.classicJoin("c", "")
		change(w)
		w.beat(delta("m1", -1))
		if w.g.Downgraded() != nil {
			t.Errorf("%s: downgraded", name)
		}
		w.wrote("!Current m1, !Target m1, !Member m1, Epoch")
	}
}

// TestDowngrade_Static: a member of the classic protocol takes the place of the last
// one of the consumer protocol.
func TestDowngrade_Static(t *testing.T) {
	instance := "i"
	asStatic := func(r *kmsg.JoinGroupRequest) { r.InstanceID = &instance }
	for _, same := range []bool{true, false} {
		w := newWorld(t)
		w.s.Downgrade = true
		w.beat(static("m1", instance, "a"))
		if !same {
			w.beat(with(delta("m1", 2), func(r *beat) { r.SubscribedTopicNames = []string{"b"} }))
		}
		r := w.classicJoin("", "", asStatic)
		code(t, r.ErrorCode, nil)
		d := w.g.Downgraded()
		if d == nil || d.Rebalance == same || len(d.Members) != 1 || d.Members[0].ID != r.MemberID || *d.Members[0].InstanceID != "i" {
			t.Fatalf("%+v", d)
		}
		if same && (r.Generation != d.Generation || assigned(t, d.Members[0].Assignment) != "a:0,1,2,3") {
			t.Fatalf("%+v %+v", r, d)
		}
	}
	// With others it only changes its protocol, and back again.
	w := newWorld(t)
	w.beat(static("m1", instance, "a"))
	w.beat(join("m2", "a"))
	r := w.classicJoin("", "", asStatic)
	if r.ErrorCode != 0 || w.g.Downgraded() != nil || w.g.classics != 1 {
		t.Fatalf("%+v", r)
	}
	w.reload()
	code(t, w.classicJoin("x", "", asStatic).ErrorCode, kerr.FencedInstanceID)
	code(t, w.classicJoin(r.MemberID, "", asStatic).ErrorCode, nil)
	w.expect(w.beat(static("m3", instance, "a")), 3, "a:0,1")
	if w.g.classics != 0 || len(w.g.offered) != 0 {
		t.Fatal(w.g.offered)
	}
	w.reload()
}

func classicMember(w *world, id, assigned string) step.ClassicMember {
	a := kmsg.NewConsumerMemberAssignment()
	for _, o := range w.owned(assigned) {
		topic := kmsg.NewConsumerMemberAssignmentTopic()
		topic.Topic, topic.Partitions = o.Topic, o.Partitions
		a.Topics = append(a.Topics, topic)
	}
	metadata := asks(0, []string{"a", "gone"}, nil)
	m := step.ClassicMember{Protocols: []record.ClassicProtocol{{Name: "range", Metadata: metadata}}}
	m.ID, m.SessionTimeout, m.RebalanceTimeout, m.ClientID = id, 30_000, 10_000, "client"
	m.Subscription, m.Assignment = metadata, a.AppendTo(nil)
	return m
}

// TestUpgrade: a classic group becomes a consumer group, and its members stay.
func TestUpgrade(t *testing.T) {
	w := newWorld(t)
	members := []step.ClassicMember{classicMember(w, "c1", "a:0,1"), classicMember(w, "c2", "a:2,3"), classicMember(w, "c3", "")}
	members[2].Assignment = nil
	g, records, err := FromClassic("g", 7, members, w.now, w.topics)
	if err != nil {
		t.Fatal(err)
	}
	if got := kinds(records); got != "Member c1, Member c2, Member c3, Epoch, Target c1, Target c2, Target c3, TargetEpoch, Current c1, Current c2, Current c3" {
		t.Fatal(got)
	}
	w.g = g
	w.log.append(records)
	w.reload()
	w.g.Loaded(w.now, &w.s)
	w.expect(w.beat(join("m1", "a")), 8, "")
	w.wrote("Member m1, Epoch, Target c1, Target c2, Target c3, Target m1, TargetEpoch, Current m1")
	code(t, w.classicBeat("c1", 7), kerr.RebalanceInProgress)
	r := w.classicJoin("c1", "a:0,1")
	if got := assigned(t, w.sync("c1", r.Generation).MemberAssignment); got != "a:0" {
		t.Fatal(got)
	}
}

func TestUpgrade_Not(t *testing.T) {
	for want, change := range map[string]func(*step.ClassicMember){
		"Cannot upgrade classic group g to consumer group because the embedded consumer protocol is malformed.": func(m *step.ClassicMember) { m.Subscription = nil },
		"protocol is malformed.": func(m *step.ClassicMember) { m.Assignment = []byte{0, 0, 0} },
		"an unsupported custom assign": func(m *step.ClassicMember) {
			m.Assignment[len(m.Assignment)-1]++
			m.Assignment = withUserData(m.Assignment)
		},
	} {
		w := newWorld(t)
		m := classicMember(w, "c", "a:0")
		change(&m)
		if _, _, err := FromClassic("g", 7, []step.ClassicMember{m}, w.now, w.topics); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func withUserData(b []byte) []byte {
	b = slices.Clone(b[:len(b)-4])
	return append(binary.BigEndian.AppendUint32(b, 1), 'x')
}

func TestEmbedded(t *testing.T) {
	m := kmsg.NewConsumerMemberMetadata()
	rack := "r1"
	m.Version, m.Topics, m.UserData, m.Generation, m.Rack = 3, []string{"a", "b"}, []byte("x"), 5, &rack
	m.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: "a", Partitions: []int32{1, 2}}}
	b := m.AppendTo(nil)
	s, err := parseSubscription(b)
	if err != nil || s.version != 3 || !slices.Equal(s.topics, m.Topics) || s.rack != "r1" || len(s.owned) != 1 || !slices.Equal(s.owned[0].partitions, []int32{1, 2}) {
		t.Fatalf("%+v, %v", s, err)
	}
	for n := range b {
		if _, err := parseSubscription(b[:n]); err == nil {
			t.Fatalf("%d bytes are enough", n)
		}
	}
	binary.BigEndian.PutUint16(b, 9)
	if s, err := parseSubscription(b); err != nil || s.version != 3 {
		t.Fatal("a later version", err)
	}
	binary.BigEndian.PutUint16(b, 0xffff)
	if _, err := parseSubscription(b); err == nil {
		t.Fatal("a negative version")
	}
	if _, err := parseSubscription([]byte{0, 0, 0x7f, 0xff, 0xff, 0xff}); err == nil {
		t.Fatal("too many topics")
	}
}

func FuzzEmbedded(f *testing.F) {
	f.Add(asks(3, []string{"a"}, nil))
	f.Add([]byte{0, 1, 0, 0, 0, 1, 0, 1, 'a', 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 1, 'a', 0, 0, 0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSubscription(b)
		if err == nil && len(s.topics) > len(b)/2 {
			t.Fatal("more topics than bytes")
		}
		parseAssignment(b)
		versionOf(b)
	})
}
