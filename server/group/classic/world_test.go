package classic

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// The longest timeouts that clients ask for.
const (
	longestSession   = 10 * time.Second
	longestRebalance = 12 * time.Second
)

// world is a group with clients in virtual time. It watches all that the group
// answers and writes, and keeps the first thing that is wrong in failure.
type world struct {
	rng      *rand.Rand
	g        *Group
	settings Settings
	now      time.Time
	token    step.Token
	ids      int
	failure  string

	clients []*client
	seen    []string               // member ids given lately
	open    map[step.Token]*asked  // requests not answered yet
	rounds  map[int32]*round       // by generation, the latest
	roots   map[string]string      // of a static member's later ids the first
	last    *record.Classic        // the last record
	corrupt func(out *step.Output) // the planted fault, nil for none
	deaf    bool                   // a planted fault: ticks are lost
}

// asked is a request with who sent it.
type asked struct {
	by  *client
	req kmsg.Request
}

// round is what is known of a generation from the answers.
type round struct {
	leader, protocol string
	joined           map[string]bool
	told             []string // the members that the leader was told
}

func newWorld(seed uint64, clients int) *world {
	w := &world{
		rng:      rand.New(rand.NewPCG(seed, 0)),
		settings: DefaultSettings(),
		now:      time.UnixMilli(1_700_000_000_000),
		open:     make(map[step.Token]*asked),
		rounds:   make(map[int32]*round),
		roots:    make(map[string]string),
	}
	w.g = New("g", &w.settings, w.now)
	for range clients {
		w.clients = append(w.clients, newClient(w))
	}
	return w
}

func (w *world) fail(format string, args ...any) {
	if w.failure == "" {
		w.failure = fmt.Sprintf(format, args...)
	}
}

func (w *world) root(id string) string {
	if r, ok := w.roots[id]; ok {
		return r
	}
	return id
}

// send is a request of a client to the group.
func (w *world) send(by *client, req kmsg.Request) step.Token {
	w.token++
	token := w.token
	w.open[token] = &asked{by, req}
	before := make(map[string]string)
	for i, m := range w.g.byInstance {
		before[i] = m.ID
	}
	w.step(func(c step.Call, out *step.Output) {
		c.Token = token
		switch r := req.(type) {
		case *kmsg.JoinGroupRequest:
			w.g.Join(c, r, out)
		case *kmsg.SyncGroupRequest:
			w.g.Sync(c, r, out)
		case *kmsg.HeartbeatRequest:
			w.g.Heartbeat(c, r, out)
		case *kmsg.LeaveGroupRequest:
			w.g.Leave(c, r, out)
		}
		for i, m := range w.g.byInstance {
			if id, ok := before[i]; ok && id != m.ID {
				w.roots[m.ID] = w.root(id)
			}
		}
	})
	return token
}

// step runs one step of the group and checks what comes of it.
func (w *world) step(f func(step.Call, *step.Output)) {
	generation := w.g.Generation()
	var out step.Output
	f(step.Call{Now: w.now, ClientID: "c", ClientHost: "/::1", NewID: func() string {
		w.ids++
		return fmt.Sprint(w.ids)
	}}, &out)
	if w.corrupt != nil {
		w.corrupt(&out)
	}
	if w.g.Generation() < generation {
		w.fail("the generation fell from %d to %d", generation, w.g.Generation())
	}
	if err := consistent(w.g); err != nil {
		w.fail("%v", err)
	}
	w.checkRecords(out.Records)
	for _, a := range out.Answers {
		w.answer(a)
	}
	w.checkRounds()
	w.checkWaiting()
}

// checkRecords: what the log says is what a stable or empty group is. It never names
// one that is not a member, so that nobody comes back who was told that he is out.
func (w *world) checkRecords(records []record.Record) {
	for _, r := range records {
		w.last = r.(*record.Classic)
	}
	if w.last != nil {
		for _, m := range w.last.Value.Members {
			if w.g.byID[m.ID] == nil {
				w.fail("the log brings back %q, who is not a member", m.ID)
			}
		}
	}
	if w.last == nil || w.g.state == preparing {
		return
	}
	if w.g.state == completing {
		w.checkBetween()
		return
	}
	if got, want := replayed(w.last), durableOf(w.g); !reflect.DeepEqual(got, want) {
		w.fail("the log says %+v\nthe group is %+v", got, want)
	}
}

// checkBetween: the log knows the generation that members were told, and who they are.
func (w *world) checkBetween() {
	g := New("g", &w.settings, w.now)
	g.Replay(w.last.Value)
	if !g.due || g.generation != w.g.generation || len(g.members) != len(w.g.members) {
		w.fail("before the sync of generation %d of %d members the log says %+v", w.g.generation, len(w.g.members), *w.last.Value)
	}
}

// checkWaiting: the group and the clients wait for the same.
func (w *world) checkWaiting() {
	held := make(map[step.Token]bool)
	for _, m := range w.g.members {
		for _, r := range []*request{m.join, m.sync} {
			if r != nil {
				held[r.token] = true
			}
		}
	}
	for token, a := range w.open {
		if !held[token] {
			w.fail("request %d is lost: %+v", token, a.req)
		}
	}
	for token := range held {
		if w.open[token] == nil {
			w.fail("request %d is held though it was answered", token)
		}
	}
}

func (w *world) answer(a step.Answer) {
	q := w.open[a.Token]
	if q == nil {
		w.fail("an answer to request %d, which nobody waits for: %+v", a.Token, a.Response)
		return
	}
	delete(w.open, a.Token)
	if a.Response.Key() != q.req.Key() || a.Response.GetVersion() != q.req.GetVersion() {
		w.fail("the answer to %T v%d is %T v%d", q.req, q.req.GetVersion(), a.Response, a.Response.GetVersion())
		return
	}
	switch r := a.Response.(type) {
	case *kmsg.JoinGroupResponse:
		w.checkJoined(q.req.(*kmsg.JoinGroupRequest), r)
	case *kmsg.SyncGroupResponse:
		w.checkSynced(q.req.(*kmsg.SyncGroupRequest), r)
	}
	q.by.answered(w, a)
}

func (w *world) checkJoined(q *kmsg.JoinGroupRequest, r *kmsg.JoinGroupResponse) {
	if r.MemberID != "" {
		w.seen = append(w.seen, r.MemberID)
		w.seen = w.seen[max(0, len(w.seen)-40):]
	}
	if r.ErrorCode != 0 {
		if r.Generation != -1 || r.Members != nil || r.LeaderID != "" || r.Protocol != nil {
			w.fail("refused join with more than an error: %+v", r)
		}
		return
	}
	if q.MemberID != "" && q.MemberID != r.MemberID {
		w.fail("%q joined and is now %q", q.MemberID, r.MemberID)
	}
	if !slices.ContainsFunc(q.Protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return p.Name == *r.Protocol }) || *r.ProtocolType != q.ProtocolType {
		w.fail("%q of %q was chosen for one that offered %v of %q", *r.Protocol, *r.ProtocolType, q.Protocols, q.ProtocolType)
	}
	now := w.rounds[r.Generation]
	if now == nil {
		now = &round{leader: w.root(r.LeaderID), protocol: *r.Protocol, joined: make(map[string]bool)}
		w.rounds[r.Generation] = now
	}
	if now.leader != w.root(r.LeaderID) || now.protocol != *r.Protocol {
		w.fail("generation %d is led by %q with %q and by %q with %q", r.Generation, now.leader, now.protocol, r.LeaderID, *r.Protocol)
	}
	now.joined[w.root(r.MemberID)] = true
	leads := r.LeaderID == r.MemberID
	if leads != (len(r.Members) > 0) {
		w.fail("of leader %q, member %q is told %d members", r.LeaderID, r.MemberID, len(r.Members))
	}
	if leads {
		now.told = nil
		for _, m := range r.Members {
			now.told = append(now.told, w.root(m.MemberID))
		}
	}
}

// checkRounds: who is in a generation is known to its leader. Forgets old ones.
func (w *world) checkRounds() {
	for generation, r := range w.rounds {
		if generation < w.g.Generation()-2 || generation > w.g.Generation() {
			if generation > w.g.Generation() {
				w.fail("an answer of generation %d in generation %d", generation, w.g.Generation())
			}
			delete(w.rounds, generation)
			continue
		}
		for id := range r.joined {
			if r.told == nil || !slices.Contains(r.told, id) {
				w.fail("%q is in generation %d, the leader knows %v", id, generation, r.told)
			}
		}
	}
}

func (w *world) checkSynced(q *kmsg.SyncGroupRequest, r *kmsg.SyncGroupResponse) {
	got := string(r.MemberAssignment)
	switch {
	case r.ErrorCode != 0 && got != "":
		w.fail("refused sync with an assignment: %+v", r)
	case r.ErrorCode == 0 && got != "" && got != w.assignment(q.Generation, q.MemberID):
		w.fail("%q gets %q in generation %d", q.MemberID, got, q.Generation)
	}
}

// assignment is what a leader gives to a member.
func (w *world) assignment(generation int32, id string) string {
	return fmt.Sprintf("%d/%s", generation, w.root(id))
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for ticks := 0; !w.deaf && w.failure == ""; ticks++ {
		if ticks > 1000 {
			w.fail("1000 ticks in %v", d)
		}
		at, ok := w.g.Deadline()
		if !ok || at.After(end) {
			break
		}
		if at.After(w.now) {
			w.now = at
		}
		w.step(func(_ step.Call, out *step.Output) { w.g.Tick(w.now, out) })
	}
	w.now = end
}

// restart is a server that was lost: what is left is the last record.
func (w *world) restart() {
	if w.last == nil {
		return
	}
	w.open = make(map[step.Token]*asked)
	w.rounds = make(map[int32]*round)
	for _, c := range w.clients {
		c.waiting = 0
	}
	w.g = New("g", &w.settings, w.now)
	w.g.Replay(w.last.Value)
	r := &round{leader: w.root(w.g.leader), protocol: w.g.Protocol(), joined: make(map[string]bool)}
	for _, m := range w.g.members {
		r.told = append(r.told, w.root(m.ID))
	}
	w.rounds[w.g.Generation()] = r
	w.step(func(_ step.Call, out *step.Output) { w.g.Loaded(w.now, out) })
}

// settle lets all clients behave for two timeouts. Then they are the members of a
// stable group, and each has its assignment. After a restart only one protocol is known
// of a member until it joins again, which may keep others out.
func (w *world) settle() {
	w.step(func(_ step.Call, out *step.Output) {
		if w.g.state == stable {
			w.g.Rebalance(w.now, out)
		}
	})
	w.settings = DefaultSettings()
	for i, c := range w.clients {
		c.behave(w, i)
	}
	end := w.now.Add(2 * (longestSession + longestRebalance))
	for w.now.Before(end) && w.failure == "" {
		for _, c := range w.clients {
			c.act(w)
		}
		w.pass(200 * time.Millisecond)
	}
	if w.g.state != stable || len(w.g.members) != len(w.clients) || len(w.open) > 0 {
		w.fail("after all behaved for two timeouts: %s, %d members of %d, %d requests wait", w.g.state, len(w.g.members), len(w.clients), len(w.open))
	}
	for _, c := range w.clients {
		if c.phase != isMember || c.generation != w.g.Generation() || c.assigned != w.assignment(c.generation, c.id) {
			w.fail("in generation %d a client that behaves is %+v", w.g.Generation(), *c)
		}
	}
}
