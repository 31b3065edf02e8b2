package classic

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// story drives one group in virtual time and keeps what it answers and writes.
type story struct {
	t        *testing.T
	g        *Group
	settings Settings
	start    time.Time
	now      time.Time
	token    step.Token
	ids      int
	answers  map[step.Token]kmsg.Response
	records  []record.Record
}

func newStory(t *testing.T) *story {
	s := &story{t: t, settings: DefaultSettings(), now: time.UnixMilli(1_700_000_000_000), answers: make(map[step.Token]kmsg.Response)}
	s.start = s.now
	s.g = New("g", &s.settings, s.now)
	return s
}

// do makes a step and keeps its output.
func (s *story) do(f func(step.Call, *step.Output)) step.Token {
	s.t.Helper()
	s.token++
	var out step.Output
	f(step.Call{Token: s.token, Now: s.now, ClientID: "client", ClientHost: "/127.0.0.1", NewID: func() string {
		s.ids++
		return fmt.Sprint(s.ids)
	}}, &out)
	for _, a := range out.Answers {
		if _, twice := s.answers[a.Token]; twice {
			s.t.Fatalf("request %d is answered twice", a.Token)
		}
		s.answers[a.Token] = a.Response
	}
	s.records = append(s.records, out.Records...)
	if err := consistent(s.g); err != nil {
		s.t.Fatal(err)
	}
	return s.token
}

// pass lets time pass, with every tick at its time.
func (s *story) pass(d time.Duration) {
	s.t.Helper()
	end := s.now.Add(d)
	for ticks := 0; ; ticks++ {
		if ticks > 1000 {
			s.t.Fatalf("1000 ticks in %v", d)
		}
		at, ok := s.g.Deadline()
		if !ok || at.After(end) {
			break
		}
		if at.After(s.now) {
			s.now = at
		}
		s.do(func(_ step.Call, out *step.Output) { s.g.Tick(s.now, out) })
	}
	s.now = end
}

// joinRequest is a join of a new dynamic member that gets its id at once.
func joinRequest(change ...func(*kmsg.JoinGroupRequest)) *kmsg.JoinGroupRequest {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group = 3, "g"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 10_000, 60_000
	r.ProtocolType = "consumer"
	r.Protocols = offering("range")
	for _, c := range change {
		c(r)
	}
	return r
}

func version(v int16) func(*kmsg.JoinGroupRequest) {
	return func(r *kmsg.JoinGroupRequest) { r.Version = v }
}

func as(id string) func(*kmsg.JoinGroupRequest) {
	return func(r *kmsg.JoinGroupRequest) { r.MemberID = id }
}

func instance(id string) func(*kmsg.JoinGroupRequest) {
	return func(r *kmsg.JoinGroupRequest) { r.InstanceID, r.Version = &id, max(r.Version, 5) }
}

func offers(names ...string) func(*kmsg.JoinGroupRequest) {
	return func(r *kmsg.JoinGroupRequest) { r.Protocols = offering(names...) }
}

func timeouts(session, rebalance time.Duration) func(*kmsg.JoinGroupRequest) {
	return func(r *kmsg.JoinGroupRequest) {
		r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = int32(session.Milliseconds()), int32(rebalance.Milliseconds())
	}
}

// offering are protocols, each of which subscribes to the topics t and the one of
// its own name.
func offering(names ...string) []kmsg.JoinGroupRequestProtocol {
	var all []kmsg.JoinGroupRequestProtocol
	for _, name := range names {
		all = append(all, kmsg.JoinGroupRequestProtocol{Name: name, Metadata: subscription("t", name)})
	}
	return all
}

func subscription(topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics = 1, topics
	return m.AppendTo(nil)
}

func (s *story) join(change ...func(*kmsg.JoinGroupRequest)) step.Token {
	s.t.Helper()
	return s.do(func(c step.Call, out *step.Output) { s.g.Join(c, joinRequest(change...), out) })
}

func (s *story) sync(id string, generation int32, assignments ...string) step.Token {
	s.t.Helper()
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.MemberID, r.Generation = 3, "g", id, generation
	for _, to := range assignments {
		r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: to, MemberAssignment: []byte("for " + to)})
	}
	return s.do(func(c step.Call, out *step.Output) { s.g.Sync(c, r, out) })
}

func (s *story) heartbeat(id string, generation int32) int16 {
	s.t.Helper()
	r := kmsg.NewPtrHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.Generation = 3, "g", id, generation
	return s.answers[s.do(func(c step.Call, out *step.Output) { s.g.Heartbeat(c, r, out) })].(*kmsg.HeartbeatResponse).ErrorCode
}

func (s *story) leave(id string) int16 {
	s.t.Helper()
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version, r.Group, r.MemberID = 2, "g", id
	return s.answers[s.do(func(c step.Call, out *step.Output) { s.g.Leave(c, r, out) })].(*kmsg.LeaveGroupResponse).ErrorCode
}

// joined is the answer to a join.
func (s *story) joined(token step.Token) *kmsg.JoinGroupResponse {
	s.t.Helper()
	r, ok := s.answers[token].(*kmsg.JoinGroupResponse)
	if !ok {
		s.t.Fatalf("join %d is not answered", token)
	}
	return r
}

// synced is the answer to a sync.
func (s *story) synced(token step.Token) *kmsg.SyncGroupResponse {
	s.t.Helper()
	r, ok := s.answers[token].(*kmsg.SyncGroupResponse)
	if !ok {
		s.t.Fatalf("sync %d is not answered", token)
	}
	return r
}

func (s *story) waits(token step.Token) {
	s.t.Helper()
	if r, ok := s.answers[token]; ok {
		s.t.Fatalf("request %d is answered: %+v", token, r)
	}
}

func (s *story) refusedJoin(token step.Token, want *kerr.Error, memberID string) {
	s.t.Helper()
	r := s.joined(token)
	s.refused(r.ErrorCode, want)
	if r.MemberID != memberID || r.Generation != -1 || r.LeaderID != "" || r.Protocol != nil || r.ProtocolType != nil || r.Members != nil {
		s.t.Fatalf("refused join: %+v, want member %q", r, memberID)
	}
}

func (s *story) refused(code int16, want *kerr.Error) {
	s.t.Helper()
	if code != want.Code {
		s.t.Fatalf("error %v, want %v", kerr.ErrorForCode(code), want)
	}
}

func (s *story) accepted(code int16) {
	s.t.Helper()
	if code != 0 {
		s.t.Fatalf("error %v", kerr.ErrorForCode(code))
	}
}

func (s *story) in(state string, generation int32) {
	s.t.Helper()
	if s.g.State() != state || s.g.Generation() != generation {
		s.t.Fatalf("the group is %s in generation %d, want %s in %d", s.g.State(), s.g.Generation(), state, generation)
	}
}

// stable makes a stable group of members that join as given, and returns their ids,
// the leader's first.
func (s *story) stable(members ...func(*kmsg.JoinGroupRequest)) []string {
	s.t.Helper()
	var tokens []step.Token
	for _, m := range members {
		tokens = append(tokens, s.join(m))
	}
	for s.answers[tokens[0]] == nil {
		s.pass(100 * time.Millisecond)
	}
	var ids []string
	for _, token := range tokens {
		r := s.joined(token)
		s.accepted(r.ErrorCode)
		ids = append(ids, r.MemberID)
	}
	for _, id := range ids[1:] {
		s.sync(id, s.g.Generation())
	}
	s.accepted(s.synced(s.sync(ids[0], s.g.Generation(), ids...)).ErrorCode)
	s.in("Stable", s.g.Generation())
	return ids
}

// last is the last record.
func (s *story) last() *record.ClassicValue {
	s.t.Helper()
	if len(s.records) == 0 {
		s.t.Fatal("no record")
	}
	return s.records[len(s.records)-1].(*record.Classic).Value
}

// durable is what of a group outlives the process.
type durable struct {
	State, Type, Protocol, Leader string
	Generation                    int32
	Members                       []record.ClassicMember
	Topics                        map[string]struct{}
}

func durableOf(g *Group) durable {
	d := durable{State: g.State(), Type: g.ProtocolType(), Protocol: g.Protocol(), Leader: g.leader, Generation: g.Generation(), Topics: g.topics}
	for _, m := range g.Members() {
		d.Members = append(d.Members, m.ClassicMember)
	}
	return d
}

// replayed is the group that the record describes.
func replayed(r record.Record) durable {
	g := New(r.GroupID(), &Settings{}, time.UnixMilli(0))
	g.Replay(r.(*record.Classic).Value)
	return durableOf(g)
}

// consistent checks what the fields of a group promise of each other.
func consistent(g *Group) error {
	var faults []string
	must := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	offered, waiting, instances := make(map[string]int), 0, 0
	for _, m := range g.members {
		must(g.byID[m.ID] == m, "member %s is not found by its id", m.ID)
		if m.join != nil {
			waiting++
		}
		if m.static() {
			instances++
			must(g.byInstance[*m.InstanceID] == m, "member %s is not found by its instance", m.ID)
		}
		for _, p := range m.Protocols {
			offered[p.Name]++
		}
		_, isPending := g.pending[m.ID]
		must(!isPending, "member %s is pending", m.ID)
		must(m.join == nil || g.state == preparing, "member %s waits to join in %s", m.ID, g.state)
		must(m.sync == nil || g.state == completing, "member %s waits to sync in %s", m.ID, g.state)
		must(!m.unsynced || !g.syncDue.IsZero(), "member %s has to sync, nobody knows by when", m.ID)
		must(!m.expires.IsZero() || m.join != nil || m.sync != nil, "the session of %s never ends", m.ID)
	}
	must(waiting == g.waiting, "%d joins wait, counted are %d", waiting, g.waiting)
	must(len(g.byID) == len(g.members), "%d members, %d known by id", len(g.members), len(g.byID))
	must(len(g.byInstance) == instances, "%d static members, %d known by instance", instances, len(g.byInstance))
	must(reflect.DeepEqual(offered, g.offered), "offered are %v, counted %v", offered, g.offered)
	must((g.leader == "") == (len(g.members) == 0), "leader %q of %d members", g.leader, len(g.members))
	must(g.leader == "" || g.byID[g.leader] != nil, "leader %q is not a member", g.leader)
	must((g.state == preparing) == !g.joinDue.IsZero(), "in %s with an end of the join at %v", g.state, g.joinDue)
	must(len(g.members) == 0 || g.state != empty, "%d members in an empty group", len(g.members))
	must(len(g.members) > 0 || g.state == empty || g.state == preparing, "no members in %s", g.state)
	first := g.earliest()
	must(first.IsZero() || !g.wake.IsZero() && !g.wake.After(first), "a timer is due at %v, the tick at %v", first, g.wake)
	if faults != nil {
		return fmt.Errorf("inconsistent: %s", strings.Join(faults, "; "))
	}
	return nil
}
