package consumer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
)

// client is a member, or would like to be one.
type client struct {
	id       string
	instance *string
	classic  bool
	eager    bool // of the classic protocol: gives all up before it joins
	topics   []string
	regex    *string
	assignor *string

	dead      bool // never heard of again
	joined    bool
	synced    bool
	epoch     int32
	unsure    bool // the last answer was lost
	news      bool // the subscription is to be told
	told      map[partition]bool
	holds     map[partition]bool // told, and not yet said to be given back
	idMissing bool
}

// model is a world with random clients, and what is known of it from outside.
type model struct {
	*world
	r       *rand.Rand
	clients []*client
	owner   map[partition]*client // by what clients were told
	epochs  map[string]int32
	epoch   int32
	target  int32
	fault   string // the first violation
	spoil   func(*model)
	steps   int
	counts  map[string]int
	share   int  // of clients of the classic protocol, in percent
	uniform bool // nobody wishes for another assignor
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		world: newWorld(t), r: rand.New(rand.NewPCG(seed, 7)), owner: make(map[partition]*client),
		epochs: make(map[string]int32), counts: make(map[string]int),
	}
	m.s.MaxSize = 6 + m.r.IntN(10)
	m.s.AssignmentInterval = []time.Duration{0, 0, time.Second, 3 * time.Second}[m.r.IntN(4)]
	m.s.Downgrade, m.share = m.r.IntN(2) == 0, []int{0, 10, 40, 80}[m.r.IntN(4)]
	if m.uniform = m.chance(60); !m.uniform && m.chance(50) {
		m.s.Assignors = []string{"range", "uniform"}
	}
	return m
}

func (m *model) chance(percent int) bool { return m.r.IntN(100) < percent }

func (m *model) violated(format string, args ...any) {
	if m.fault == "" {
		m.fault = fmt.Sprintf(format, args...)
	}
}

// step does one random thing.
func (m *model) step() {
	if m.spoil != nil {
		m.spoil(m)
	}
	switch n := m.r.IntN(100); {
	case n < 60:
		m.act(m.some())
	case n < 70:
		m.world.tick(time.Duration(m.r.IntN(3000)) * time.Millisecond)
		m.check()
	case n < 71:
		m.world.tick(time.Duration(m.r.IntN(30)) * time.Second)
		m.check()
	case n < 76:
		m.arriveNew()
	case n < 80:
		m.depart(m.some())
	case n < 82:
		m.crash(m.some())
	case n < 88:
		m.resubscribe(m.some())
	case n < 92:
		m.changeTopics()
	case n < 96:
		m.stale(m.some())
	default:
		m.compare()
	}
}

func (m *model) some() *client {
	if len(m.clients) == 0 {
		return nil
	}
	return m.clients[m.r.IntN(len(m.clients))]
}

func (m *model) arriveNew() {
	if len(m.clients) > 12 {
		return
	}
	c := &client{id: m.call().NewID(), classic: m.chance(m.share), told: map[partition]bool{}, holds: map[partition]bool{}}
	c.eager = m.chance(50)
	if m.chance(30) {
		i := fmt.Sprintf("i%d", m.r.IntN(4))
		c.instance = &i
	}
	if c.classic {
		c.id, c.idMissing = "", true
	}
	if !m.uniform && m.chance(20) {
		a := []string{"range", "uniform"}[m.r.IntN(2)]
		c.assignor = &a
	}
	m.choose(c)
	m.clients = append(m.clients, c)
}

func (m *model) choose(c *client) {
	c.topics = c.topics[:0:0]
	for _, t := range []string{"a", "b", "ab", "c"} {
		if m.chance(50) {
			c.topics = append(c.topics, t)
		}
	}
	empty := ""
	c.regex = &empty
	if !c.classic && m.chance(30) {
		p := []string{"a.*", ".*b", "a|c", ".", "x"}[m.r.IntN(5)]
		c.regex = &p
		if m.chance(70) {
			c.topics = nil
		}
	}
}

func (m *model) resubscribe(c *client) {
	if c == nil || c.dead {
		return
	}
	if c.classic && m.chance(20) {
		c.eager = !c.eager
	}
	m.choose(c)
	c.news, c.synced = true, false
}

func (m *model) changeTopics() {
	name := []string{"a", "b", "ab", "c", "x"}[m.r.IntN(5)]
	t, ok := m.topics.topics[name]
	switch {
	case !ok:
		m.topics.set(name, 1+m.r.Int32N(8))
	case m.chance(60):
		m.topics.set(name, t.Partitions+m.r.Int32N(3))
	case m.topics.made < 250:
		m.topics.drop(name)
	}
}

// act lets a client do what it has to do next.
func (m *model) act(c *client) {
	switch {
	case c == nil || c.dead:
	case c.classic:
		m.actClassic(c)
	default:
		m.actConsumer(c)
	}
}

// request is the next heartbeat of a client. What it was told to give back it gives
// back now, or later.
func (m *model) request(c *client) *beat {
	req := delta(c.id, c.epoch)
	req.InstanceID = c.instance
	if !c.joined {
		m.drop(c)
		req.MemberEpoch = 0
	}
	if m.chance(70) {
		m.release(c)
	}
	all := !c.joined || c.unsure || m.chance(5)
	if all {
		req.RebalanceTimeoutMillis = 10_000
	}
	if all || c.news {
		req.SubscribedTopicNames, req.SubscribedTopicRegex = append([]string{}, c.topics...), c.regex
		req.ServerAssignor = c.assignor
	}
	if all || m.chance(60) {
		req.Topics = report(c.holds)
	}
	return req
}

func report(holds map[partition]bool) []kmsg.ConsumerGroupHeartbeatRequestTopic {
	byTopic := make(map[record.TopicID][]int32)
	for p := range holds {
		byTopic[p.topic] = append(byTopic[p.topic], p.number)
	}
	list := []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for id, numbers := range byTopic {
		list = append(list, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: id, Partitions: numbers})
	}
	return list
}

func (m *model) actConsumer(c *client) {
	req := m.request(c)
	r := m.send(req)
	twice := m.chance(3) // the first answer is lost
	if twice {
		m.counts["twice"]++
		r = m.send(req)
	}
	if m.chance(4) {
		m.counts["lost"]++
		c.unsure = true
		return
	}
	c.unsure = twice
	switch r.ErrorCode {
	case 0:
		c.joined, c.news, c.epoch = true, false, r.MemberEpoch
		if r.Assignment != nil {
			told := make(map[partition]bool)
			for _, t := range r.Assignment.Topics {
				for _, p := range t.Partitions {
					told[partition{t.TopicID, p}] = true
				}
			}
			m.hear(c, told)
		}
	case kerr.FencedMemberEpoch.Code, kerr.UnknownMemberID.Code:
		m.counts["fenced"]++
		m.drop(c)
		c.joined = false
	case kerr.FencedInstanceID.Code:
		m.forget(c)
	case kerr.GroupMaxSizeReached.Code, kerr.UnreleasedInstanceID.Code:
		m.counts["no place"]++
		c.joined = false
		m.drop(c)
		if m.chance(30) {
			m.forget(c)
		}
	default:
		m.violated("%v: %s", kerr.ErrorForCode(r.ErrorCode), *r.ErrorMessage)
	}
}

func (m *model) send(req *beat) *kmsg.ConsumerGroupHeartbeatResponse {
	r := m.world.beat(req)
	m.check()
	return r
}

// hear: a client may work with what it was told from now on.
func (m *model) hear(c *client, told map[partition]bool) {
	c.told = told
	for p := range told {
		c.holds[p] = true
		if o := m.owner[p]; o != nil && o != c && m.g.members[o.id] != nil {
			m.violated("%x-%d belongs to %s and to %s", p.topic[:1], p.number, o.id, c.id)
		}
		m.owner[p] = c
	}
}

// release gives back what the client should not have any more.
func (m *model) release(c *client) {
	for p := range c.holds {
		if !c.told[p] {
			m.lose(c, p)
		}
	}
}

func (m *model) lose(c *client, p partition) {
	delete(c.holds, p)
	if m.owner[p] == c {
		delete(m.owner, p)
	}
}

func (m *model) drop(c *client) {
	c.told = map[partition]bool{}
	m.release(c)
}

// forget ends a client that holds nothing.
func (m *model) forget(c *client) {
	m.drop(c)
	m.clients = slices.DeleteFunc(m.clients, func(o *client) bool { return o == c })
}

func (m *model) depart(c *client) {
	if c == nil || c.dead || !c.joined {
		return
	}
	m.drop(c)
	if c.classic {
		m.classicLeave(5, c.id)
		m.check()
	} else {
		req := delta(c.id, -1)
		req.InstanceID = c.instance
		if c.instance != nil && m.chance(60) {
			req.MemberEpoch = -2
		}
		m.send(req)
	}
	m.forget(c)
	if c.instance != nil && m.chance(70) { // and back again
		m.arriveNew()
		last := m.clients[len(m.clients)-1]
		last.instance, last.topics, last.regex = c.instance, c.topics, c.regex
	}
}

func (m *model) crash(c *client) {
	if c == nil || m.chance(50) {
		return
	}
	m.counts["crash"]++
	c.dead = true
}

// stale sends what is late or mistaken. It must not change anything.
func (m *model) stale(c *client) {
	if c == nil || c.classic || !c.joined || c.epoch < 2 || m.g.members[c.id] == nil {
		return
	}
	req := delta(c.id, 1+m.r.Int32N(c.epoch-1))
	req.InstanceID = c.instance
	if m.chance(20) {
		req.MemberID = "nobody"
	}
	if current := m.g.members[c.id].current.Epoch; req.MemberEpoch == current {
		return
	}
	if r := m.send(req); r.ErrorCode == 0 || len(m.last) > 0 {
		m.violated("a stale heartbeat of %s did something", c.id)
	}
}

// check holds the group against what must always be.
func (m *model) check() {
	m.steps++
	if len(m.last) == 0 {
		return
	}
	if m.g.epoch < m.epoch || m.g.targetEpoch < m.target || m.g.targetEpoch > m.g.epoch {
		m.violated("epochs fall: %d to %d, targets %d to %d", m.epoch, m.g.epoch, m.target, m.g.targetEpoch)
	}
	m.epoch, m.target = m.g.epoch, m.g.targetEpoch
	owners, epochs := make(map[partition]string), make(map[string]int32, len(m.g.members))
	for id, o := range m.g.members {
		epochs[id] = o.current.Epoch
		if was, ok := m.epochs[id]; ok && epochs[id] < was && epochs[id] >= 0 {
			m.violated("%s falls from epoch %d to %d", id, was, epochs[id])
		}
		take := func(p partition) {
			if other := owners[p]; other != "" {
				m.violated("%x-%d is with %s and %s", p.topic[:1], p.number, other, id)
			}
			owners[p] = id
		}
		each(o.current.Assigned, take)
		each(o.current.Revoking, take)
	}
	m.epochs = epochs
	if m.g.Downgraded() != nil {
		m.convert()
	}
}

// convert takes a group that is to become a classic one there and back.
func (m *model) convert() {
	m.counts["downgrade"]++
	d := m.g.Downgraded()
	m.log.append(m.g.Tombstones())
	g, records, err := FromClassic("g", d.Generation+1, d.Members, m.now, m.topics)
	if err != nil {
		m.violated("%v", err)
		return
	}
	m.g, m.epochs, m.epoch, m.target = g, make(map[string]int32), 0, 0
	m.log.append(records)
	for _, c := range m.clients {
		m.drop(c)
		c.joined, c.synced = false, false
	}
	// It is always the join of a member of the consumer protocol that does this.
	m.s.MaxSize = max(m.s.MaxSize, m.g.Size()+1)
	c := &client{id: m.call().NewID(), told: map[partition]bool{}, holds: map[partition]bool{}}
	m.choose(c)
	m.clients = append(m.clients, c)
	m.actConsumer(c)
}

// compare loads the log.
func (m *model) compare() {
	g, err := m.log.load()
	if err != nil {
		m.violated("%v", err)
		return
	}
	if got, want := dump(g), dump(m.g); got != want {
		m.violated("loaded:\n%swas:\n%s", got, want)
	}
	if m.chance(10) { // the server begins anew
		m.counts["restart"]++
		g.Loaded(m.now, &m.s)
		m.g = g
	}
}

// actClassic is one request of the classic protocol.
func (m *model) actClassic(c *client) {
	switch {
	case !c.joined || c.news:
		m.actJoin(c)
	case !c.synced:
		m.actSync(c)
	default:
		var instance []string
		if c.instance != nil {
			instance = []string{*c.instance}
		}
		switch code := m.classicBeat(c.id, c.epoch, instance...); code {
		case 0:
		case kerr.RebalanceInProgress.Code:
			c.joined = false
		default:
			m.lost(c, code)
		}
		m.check()
	}
}

// lost: the group does not know the client any more.
func (m *model) lost(c *client, code int16) {
	m.drop(c)
	c.joined, c.synced = false, false
	switch code {
	case kerr.UnknownMemberID.Code:
		c.id, c.idMissing = "", true
	case kerr.FencedInstanceID.Code:
		m.forget(c)
	case kerr.IllegalGeneration.Code, kerr.RebalanceInProgress.Code:
	case kerr.GroupMaxSizeReached.Code, kerr.InconsistentGroupProtocol.Code:
		m.forget(c)
	default:
		m.violated("classic: %v", kerr.ErrorForCode(code))
	}
}

func (m *model) actJoin(c *client) {
	if m.g.Empty() {
		return // a classic group would be made
	}
	if c.eager {
		m.drop(c)
	} else {
		m.release(c)
	}
	r := m.classicJoin(c.id, "", func(req *kmsg.JoinGroupRequest) {
		req.InstanceID = c.instance
		version := int16(1)
		if c.eager {
			version = 0
		}
		var owned []kmsg.ConsumerMemberMetadataOwnedPartition
		for p := range c.holds {
			if t, ok := m.topics.ByID(p.topic); ok {
				owned = append(owned, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: t.Name, Partitions: []int32{p.number}})
			}
		}
		req.Protocols[0].Metadata = asks(version, c.topics, owned)
	})
	if converted := m.g.Downgraded() != nil; converted && r.ErrorCode == 0 {
		c.id, c.idMissing = r.MemberID, false
		m.check()
		return
	}
	m.check()
	switch r.ErrorCode {
	case 0:
		c.id, c.idMissing, c.epoch = r.MemberID, false, r.Generation
		c.joined, c.synced, c.news = true, false, false
	case kerr.MemberIDRequired.Code:
		c.id, c.idMissing = r.MemberID, false
	default:
		m.lost(c, r.ErrorCode)
	}
}

func (m *model) actSync(c *client) {
	r := m.sync(c.id, c.epoch, func(req *kmsg.SyncGroupRequest) { req.InstanceID = c.instance })
	m.check()
	if r.ErrorCode == kerr.RebalanceInProgress.Code {
		c.joined = false
		return
	}
	if r.ErrorCode != 0 {
		m.lost(c, r.ErrorCode)
		return
	}
	list, _, err := parseAssignment(r.MemberAssignment)
	if err != nil {
		m.violated("%v", err)
		return
	}
	told := make(map[partition]bool)
	each(byID(list, m.topics), func(p partition) { told[p] = true })
	m.hear(c, told)
	c.synced = true
	for p := range c.holds {
		if !told[p] {
			c.joined = false // to give it back
		}
	}
}

// settle lets everybody who is alive go on until nothing changes any more, and looks
// at the result.
func (m *model) settle() {
	const enough = 60 // longer than the session of those who are dead
	for round, quiet := 0, 0; quiet < enough; round++ {
		before := m.log.next
		m.world.tick(time.Second)
		m.check()
		for _, c := range slices.Clone(m.clients) {
			m.act(c)
		}
		quiet++
		if m.log.next != before {
			quiet = 0
		}
		if round > 1000 {
			m.violated("no rest:\n%s", dump(m.g))
		}
		if m.fault != "" {
			return
		}
	}
	if state := m.g.State(); state != "Stable" && state != "Empty" {
		m.violated("%s after all is quiet:\n%s", state, dump(m.g))
		return
	}
	m.last = nil
	for _, c := range m.clients {
		o := m.g.members[c.id]
		if o == nil || c.dead {
			continue
		}
		n := 0
		each(m.g.targets[c.id], func(p partition) {
			n++
			if !c.holds[p] {
				m.violated("%s has not got %x-%d", c.id, p.topic[:1], p.number)
			}
		})
		for p := range c.holds {
			if _, ok := m.topics.ByID(p.topic); !ok && c.classic {
				n++ // it does not hear of topics that are gone
			}
		}
		if n != len(c.holds) && c.joined && !c.unsure {
			m.violated("%s holds %d, its target is %d", c.id, len(c.holds), n)
		}
	}
	m.checkBalance()
}

// checkBalance: all that somebody subscribes to is with a subscriber, and evenly so.
func (m *model) checkBalance() {
	load := make(map[string]int)
	targets := make(map[partition]string)
	for id, list := range m.g.targets {
		each(list, func(p partition) { targets[p] = id; load[id]++ })
	}
	for _, t := range m.topics.topics {
		var subscribers []string
		for id, o := range m.g.members {
			if m.g.subscribes(o, t.ID, m.topics) {
				subscribers = append(subscribers, id)
			}
		}
		for number := range t.Partitions {
			owner, ok := targets[partition{t.ID, number}]
			switch {
			case len(subscribers) == 0 && ok:
				m.violated("%s-%d is with %s, who does not want it", t.Name, number, owner)
			case len(subscribers) == 0:
			case !slices.Contains(subscribers, owner):
				m.violated("%s-%d is with %q, not one of %v:\n%s", t.Name, number, owner, subscribers, dump(m.g))
			case m.uniform:
				for _, other := range subscribers {
					if load[owner] > load[other]+1 {
						m.violated("%s has %d, %s has %d:\n%s", owner, load[owner], other, load[other], dump(m.g))
					}
				}
			}
		}
	}
}

// run lets a world go on for so many random steps.
func (m *model) run(steps int) {
	for i := range steps {
		m.step()
		if i%500 == 499 && m.fault == "" {
			m.settle()
			m.compare()
		}
		if m.fault != "" {
			return
		}
	}
}

// TestModel runs random worlds. SORDINI_GROUP_OPS is how many operations, and
// SORDINI_GROUP_SEED the seed of the first world.
func TestModel(t *testing.T) {
	number := func(name string, otherwise uint64) uint64 {
		if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
			return n
		}
		return otherwise
	}
	ops := int(number("SORDINI_GROUP_OPS", 20_000))
	seed := number("SORDINI_GROUP_SEED", uint64(time.Now().UnixNano()))
	t.Logf("seed %d", seed)
	counts := make(map[string]int)
	for done := 0; done < ops; seed++ {
		m := newModel(t, seed)
		m.run(2000)
		done += m.steps
		for name, n := range m.counts {
			counts[name] += n
		}
		if m.fault != "" {
			t.Fatalf("SORDINI_GROUP_SEED=%d, after %d steps: %s", seed, m.steps, m.fault)
		}
	}
	t.Log(counts)
}

// TestModel_Faults: planted faults are found.
func TestModel_Faults(t *testing.T) {
	for name, spoil := range map[string]func(*model){
		"a partition is taken for free": func(m *model) {
			for p := range m.g.owners {
				delete(m.g.owners, p)
				return
			}
		},
		"a revocation is not waited for": func(m *model) {
			for _, o := range m.g.members {
				if o.current.State == record.UnrevokedPartitions {
					v := *o.current
					v.Revoking = nil
					m.g.own(o, &v)
				}
			}
		},
		"a record is lost": func(m *model) {
			if m.steps == 700 {
				m.g.epoch++
			}
		},
		"targets are not made": func(m *model) {
			m.g.targetEpoch = m.g.epoch
		},
	} {
		found := ""
		for seed := range uint64(20) {
			m := newModel(t, seed)
			m.spoil = spoil
			m.run(2000)
			if found = m.fault; found != "" {
				t.Logf("%s: seed %d, step %d: %.60s", name, seed, m.steps, found)
				break
			}
		}
		if found == "" {
			t.Errorf("%s: not found", name)
		}
	}
}
