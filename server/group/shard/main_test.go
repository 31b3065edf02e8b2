package shard

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/config"
	"sordini/server/group/record"
	"sordini/server/group/step"
)

// world is a shard with the topics and the time around it.
type world struct {
	testing.TB
	*Shard
	env    *Env
	topics *topics
	now    time.Time
	token  step.Token
	ids    int

	log     []record.Record // all that was written, as it is read back
	answers map[step.Token]kmsg.Response
}

func newWorld(t testing.TB, settings ...string) *world {
	t.Helper()
	values, err := config.Load(config.Input{Flags: settings})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, Shard: New(), topics: &topics{}, now: time.UnixMilli(1_700_000_000_000), answers: make(map[step.Token]kmsg.Response)}
	w.env = &Env{Topics: w.topics, Broker: values.Broker(), GroupConfigs: func(string) map[string]string { return nil }}
	w.settleStep(func(out *step.Output) { w.Loaded(w.now, w.env, out) })
	return w
}

// settleStep takes a step and keeps what it leaves.
func (w *world) settleStep(take func(out *step.Output)) {
	w.Helper()
	var out step.Output
	take(&out)
	for _, r := range out.Records {
		key, value, err := record.Encode(r)
		if err != nil {
			w.Fatal(err)
		}
		back, err := record.Decode(key, value)
		if err != nil {
			w.Fatal(err)
		}
		w.log = append(w.log, back)
	}
	for _, a := range out.Answers {
		if w.answers[a.Token] != nil {
			w.Fatalf("request %d is answered twice", a.Token)
		}
		w.answers[a.Token] = a.Response
	}
}

func (w *world) send(req kmsg.Request) step.Token {
	w.Helper()
	w.token++
	c := step.Call{Token: w.token, Now: w.now, ClientID: "c", ClientHost: "/127.0.0.1", NewID: func() string { w.ids++; return fmt.Sprint("id", w.ids) }}
	w.settleStep(func(out *step.Output) { w.Do(c, w.env, req, out) })
	return w.token
}

// ask sends a request that is answered at once.
func ask[R kmsg.Response](w *world, req kmsg.Request) R {
	w.Helper()
	r, ok := w.answers[w.send(req)].(R)
	if !ok {
		w.Fatalf("%T is not answered", req)
	}
	return r
}

// pass lets time go by, with a tick whenever one is due.
func (w *world) pass(d time.Duration) {
	w.Helper()
	for end := w.now.Add(d); ; {
		due, ok := w.Deadline()
		if !ok || due.After(end) {
			w.now = end
			return
		}
		if due.After(w.now) {
			w.now = due
		}
		w.settleStep(func(out *step.Output) { w.Tick(w.now, w.env, out) })
	}
}

// replayed is the shard that the log makes.
func (w *world) replayed() *world {
	s := &world{TB: w.TB, Shard: New(), env: w.env, topics: w.topics, now: w.now, answers: make(map[step.Token]kmsg.Response)}
	for _, r := range w.log {
		s.Replay(r)
	}
	s.settleStep(func(out *step.Output) { s.Loaded(s.now, s.env, out) })
	return s
}

// join makes a member of a classic group of consumers that is alone in it, stable.
func (w *world) join(group string, topics ...string) *kmsg.JoinGroupResponse {
	w.Helper()
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.ProtocolType = 9, group, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 10_000, 10_000
	metadata := kmsg.NewConsumerMemberMetadata()
	metadata.Version, metadata.Topics = 1, topics
	req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: "range", Metadata: metadata.AppendTo(nil)})
	r := ask[*kmsg.JoinGroupResponse](w, req)
	if r.ErrorCode != kerr.MemberIDRequired.Code {
		w.Fatalf("first join: %v", kerr.ErrorForCode(r.ErrorCode))
	}
	req.MemberID = r.MemberID
	token := w.send(req)
	w.pass(4 * time.Second) // the initial delay
	joined, ok := w.answers[token].(*kmsg.JoinGroupResponse)
	if !ok || joined.ErrorCode != 0 {
		w.Fatalf("join: %+v", joined)
	}
	return joined
}

// sync gives the member what it is to have.
func (w *world) sync(group string, j *kmsg.JoinGroupResponse, topic string, partitions ...int32) {
	w.Helper()
	a := kmsg.NewConsumerMemberAssignment()
	a.Version = 1
	a.Topics = append(a.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: topic, Partitions: partitions})
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 5, group, j.MemberID, j.Generation
	req.ProtocolType, req.Protocol = j.ProtocolType, j.Protocol
	req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: j.MemberID, MemberAssignment: a.AppendTo(nil)})
	if r := ask[*kmsg.SyncGroupResponse](w, req); r.ErrorCode != 0 {
		w.Fatalf("sync: %v", kerr.ErrorForCode(r.ErrorCode))
	}
}

// beat is a heartbeat of a consumer group's member: epoch 0 joins, -1 leaves.
func (w *world) beat(group, member string, epoch int32, topics ...string) *kmsg.ConsumerGroupHeartbeatResponse {
	w.Helper()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch = 1, group, member, epoch
	if epoch == 0 {
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames = 10_000, topics
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
	return ask[*kmsg.ConsumerGroupHeartbeatResponse](w, req)
}

func (w *world) listed(group string) kmsg.ListGroupsResponseGroup {
	w.Helper()
	for _, g := range ask[*kmsg.ListGroupsResponse](w, kmsg.NewPtrListGroupsRequest()).Groups {
		if g.Group == group {
			return g
		}
	}
	return kmsg.ListGroupsResponseGroup{}
}

// commit commits an offset of partition 0 and returns the error code.
func (w *world) commit(group, member string, generation int32, topic string, offset int64) int16 {
	w.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 9, group, member, generation
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return ask[*kmsg.OffsetCommitResponse](w, req).Topics[0].Partitions[0].ErrorCode
}

func (w *world) committed(group, topic string) int64 {
	w.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.Group = 7, group
	req.Topics = append(req.Topics, kmsg.OffsetFetchRequestTopic{Topic: topic, Partitions: []int32{0}})
	return ask[*kmsg.OffsetFetchResponse](w, req).Topics[0].Partitions[0].Offset
}

// topics are topics that a test makes.
type topics struct {
	version int64
	all     []step.Topic
}

func (t *topics) create(name string, partitions int32) {
	t.version++
	t.all = append(t.all, step.Topic{ID: record.TopicID{0: byte(t.version), 15: 1}, Name: name, Partitions: partitions})
}

func (t *topics) remove(name string) {
	t.version++
	t.all = slices.DeleteFunc(slices.Clone(t.all), func(o step.Topic) bool { return o.Name == name })
}

func (t *topics) Version() int64 { return t.version }

func (t *topics) ByName(name string) (step.Topic, bool) {
	return t.find(func(o step.Topic) bool { return o.Name == name })
}

func (t *topics) ByID(id record.TopicID) (step.Topic, bool) {
	return t.find(func(o step.Topic) bool { return o.ID == id })
}

func (t *topics) find(is func(step.Topic) bool) (step.Topic, bool) {
	if i := slices.IndexFunc(t.all, is); i >= 0 {
		return t.all[i], true
	}
	return step.Topic{}, false
}

func (t *topics) Names(yield func(string) bool) {
	for _, o := range t.all {
		if !yield(o.Name) {
			return
		}
	}
}
