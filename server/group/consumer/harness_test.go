package consumer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// catalog is which topics there are.
type catalog struct {
	version int64
	topics  map[string]step.Topic
	made    byte
}

func newCatalog() *catalog { return &catalog{version: 1, topics: make(map[string]step.Topic)} }

// set makes a topic, or changes how many partitions it has.
func (c *catalog) set(name string, partitions int32) {
	c.version++
	t, ok := c.topics[name]
	if !ok {
		c.made++
		t = step.Topic{ID: record.TopicID{c.made}, Name: name}
	}
	t.Partitions = partitions
	c.topics[name] = t
}

func (c *catalog) drop(name string) {
	c.version++
	delete(c.topics, name)
}

func (c *catalog) Version() int64 { return c.version }

func (c *catalog) ByName(name string) (step.Topic, bool) {
	t, ok := c.topics[name]
	return t, ok
}

func (c *catalog) ByID(id record.TopicID) (step.Topic, bool) {
	for _, t := range c.topics {
		if t.ID == id {
			return t, true
		}
	}
	return step.Topic{}, false
}

func (c *catalog) Names(yield func(string) bool) {
	for _, name := range slices.Sorted(maps.Keys(c.topics)) {
		if !yield(name) {
			return
		}
	}
}

// world is a group with time, topics, and its log.
type world struct {
	t      *testing.T
	g      *Group
	s      Settings
	topics *catalog
	now    time.Time
	ids    int
	last   []record.Record // what the last step wrote
	log    *log
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, g: New("g"), topics: newCatalog(), now: time.UnixMilli(1_700_000_000_000), log: newLog(),
		s: Settings{
			SessionTimeout: 45 * time.Second, HeartbeatInterval: 5 * time.Second,
			MaxSize: 100, Assignors: []string{"uniform", "range"}, ClassicMaxSize: 100,
		},
	}
	w.topics.set("a", 4)
	return w
}

func (w *world) call() step.Call {
	return step.Call{Now: w.now, ClientID: "client", ClientHost: "/127.0.0.1", NewID: func() string {
		w.ids++
		return fmt.Sprintf("id%d", w.ids)
	}}
}

// took notes what a step has written and gives its answer.
func (w *world) took(out *step.Output) kmsg.Response {
	w.last = out.Records
	w.log.append(out.Records)
	if len(out.Answers) != 1 {
		return nil
	}
	return out.Answers[0].Response
}

// beat is a heartbeat of version 1.
func (w *world) beat(req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	var out step.Output
	req.Group = "g"
	w.g.Heartbeat(w.call(), req, &w.s, w.topics, &out)
	return w.took(&out).(*kmsg.ConsumerGroupHeartbeatResponse)
}

// tick lets time pass, second by second.
func (w *world) tick(d time.Duration) {
	w.last = nil
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(min(time.Second, end.Sub(w.now)))
		if due, ok := w.g.Deadline(); ok && !w.now.Before(due) {
			var out step.Output
			w.g.Tick(w.now, &w.s, w.topics, &out)
			w.log.append(out.Records)
			w.last = append(w.last, out.Records...)
		}
	}
}

// join is the first heartbeat of a member, which subscribes to topics by name.
func join(id string, topics ...string) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.MemberID, req.RebalanceTimeoutMillis = 1, id, 10_000
	req.SubscribedTopicNames = append([]string{}, topics...)
	req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	return req
}

// delta is a heartbeat without news.
func delta(id string, epoch int32) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.MemberID, req.MemberEpoch = 1, id, epoch
	return req
}

func with[R any](req *R, change func(*R)) *R {
	change(req)
	return req
}

// has is a report of partitions: "a:0,1 b:2".
func (w *world) has(text string) []kmsg.ConsumerGroupHeartbeatRequestTopic {
	list := []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for _, field := range strings.Fields(text) {
		name, numbers, _ := strings.Cut(field, ":")
		t := kmsg.NewConsumerGroupHeartbeatRequestTopic()
		t.TopicID = w.topics.topics[name].ID
		for _, n := range strings.Split(numbers, ",") {
			var p int32
			fmt.Sscan(n, &p)
			t.Partitions = append(t.Partitions, p)
		}
		list = append(list, t)
	}
	return list
}

// told is the assignment of an answer in the form of [world.has], "-" if there is none.
func (w *world) told(r *kmsg.ConsumerGroupHeartbeatResponse) string {
	if r.Assignment == nil {
		return "-"
	}
	list := make([]record.TopicPartitions, len(r.Assignment.Topics))
	for i, t := range r.Assignment.Topics {
		list[i].Topic, list[i].Partitions = t.TopicID, t.Partitions
	}
	return w.text(list)
}

func (w *world) text(list []record.TopicPartitions) string {
	var fields []string
	for _, t := range list {
		name := fmt.Sprintf("%x", t.Topic[0])
		if known, ok := w.topics.ByID(t.Topic); ok {
			name = known.Name
		}
		fields = append(fields, name+":"+strings.Trim(strings.ReplaceAll(fmt.Sprint(t.Partitions), " ", ","), "[]"))
	}
	slices.Sort(fields)
	return strings.Join(fields, " ")
}

// expect checks a good answer: its epoch and assignment.
func (w *world) expect(r *kmsg.ConsumerGroupHeartbeatResponse, epoch int32, told string) {
	w.t.Helper()
	if r.ErrorCode != 0 {
		w.t.Fatalf("%v: %s", kerr.ErrorForCode(r.ErrorCode), *r.ErrorMessage)
	}
	if r.MemberEpoch != epoch || w.told(r) != told {
		w.t.Fatalf("epoch %d, assignment %q, want %d, %q", r.MemberEpoch, w.told(r), epoch, told)
	}
}

// refused checks an error.
func (w *world) refused(r *kmsg.ConsumerGroupHeartbeatResponse, want *kerr.Error, text string) {
	w.t.Helper()
	got := ""
	if r.ErrorMessage != nil {
		got = *r.ErrorMessage
	}
	if r.ErrorCode != want.Code || !strings.Contains(got, text) {
		w.t.Fatalf("%d %q, want %v %q", r.ErrorCode, got, want, text)
	}
	w.wrote("")
}

// wrote checks which records the last step wrote: their kinds, with the member's id,
// "!" for a tombstone.
func (w *world) wrote(want string) {
	w.t.Helper()
	if got := kinds(w.last); got != want {
		w.t.Fatalf("wrote %q, want %q", got, want)
	}
}

func kinds(records []record.Record) string {
	var all []string
	for _, r := range records {
		switch r := r.(type) {
		case *record.Epoch:
			all = append(all, kind("Epoch", r.Value == nil))
		case *record.TargetEpoch:
			all = append(all, kind("TargetEpoch", r.Value == nil))
		case *record.Member:
			all = append(all, kind("Member "+r.Member, r.Value == nil))
		case *record.TargetMember:
			all = append(all, kind("Target "+r.Member, r.Value == nil))
		case *record.Current:
			all = append(all, kind("Current "+r.Member, r.Value == nil))
		case *record.Pattern:
			all = append(all, kind("Pattern "+r.Regex, r.Value == nil))
		}
	}
	return strings.Join(all, ", ")
}

func kind(name string, tombstone bool) string {
	if tombstone {
		return "!" + name
	}
	return name
}

// log is the records of a group as they are on disk, compacted: the last of each key,
// in the order of the writing.
type log struct {
	next   int
	places map[string]int
	values map[int][2][]byte
}

func newLog() *log { return &log{places: make(map[string]int), values: make(map[int][2][]byte)} }

func (l *log) append(records []record.Record) {
	for _, r := range records {
		key, value, err := record.Encode(r)
		if err != nil {
			panic(err)
		}
		delete(l.values, l.places[string(key)])
		l.next++
		l.places[string(key)], l.values[l.next] = l.next, [2][]byte{key, value}
	}
}

// load makes a group from the log.
func (l *log) load() (*Group, error) {
	g := New("g")
	for _, i := range slices.Sorted(maps.Keys(l.values)) {
		r, err := record.Decode(l.values[i][0], l.values[i][1])
		if err != nil {
			return nil, err
		}
		g.Replay(r)
	}
	return g, nil
}

// dump is all of a group that is durable or follows from it.
func dump(g *Group) string {
	var b strings.Builder
	text := func(s *string) string {
		if s == nil {
			return "nil"
		}
		return fmt.Sprintf("%q", *s)
	}
	fmt.Fprintln(&b, g.epoch, g.hash, g.targetEpoch, g.targetTime)
	for _, m := range g.sorted() {
		v := m.told
		fmt.Fprintln(&b, m.id, text(v.InstanceID), text(v.RackID), v.ClientID, v.ClientHost, v.Topics, text(v.Regex), v.RebalanceTimeout, text(v.Assignor))
		if v.Classic != nil {
			fmt.Fprintln(&b, *v.Classic)
		}
		fmt.Fprintln(&b, m.current.Epoch, m.current.PreviousEpoch, m.current.State, m.current.Assigned, m.current.Revoking)
	}
	for _, id := range slices.Sorted(maps.Keys(g.targets)) {
		fmt.Fprintln(&b, id, g.targets[id])
	}
	for _, r := range slices.Sorted(maps.Keys(g.patterns)) {
		fmt.Fprintln(&b, r, *g.patterns[r])
	}
	owners := make(map[partition]string)
	for p, m := range g.owners {
		owners[p] = m.id
	}
	instances := make(map[string]string)
	for i, m := range g.byInstance {
		instances[i] = m.id
	}
	fmt.Fprintln(&b, owners, instances, g.topics, g.regexes, g.assignors, g.classics, g.offered)
	return b.String()
}

// reload checks that the log makes the same group, and goes on with that one.
func (w *world) reload() {
	w.t.Helper()
	g, err := w.log.load()
	if err != nil {
		w.t.Fatal(err)
	}
	if got, want := dump(g), dump(w.g); got != want {
		w.t.Fatalf("loaded:\n%swas:\n%s", got, want)
	}
	g.Loaded(w.now, &w.s)
	w.g = g
}
