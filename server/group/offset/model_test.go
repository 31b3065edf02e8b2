package offset

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// place is what an offset is committed for.
type place struct {
	group, topic string
	partition    int32
}

// world compares a Store with a model, a map, while things happen at random.
type world struct {
	*testing.T
	random *rand.Rand
	now    time.Time
	o      *Store
	model  map[place]record.OffsetValue
	log    []record.Record // all that was written
	topics topicList
	nextID byte
}

func TestModel(t *testing.T) {
	seed := rand.Uint64()
	for round := range uint64(20) {
		w := &world{
			T: t, random: rand.New(rand.NewPCG(seed, round)), now: start, o: New(), model: make(map[place]record.OffsetValue),
			topics: topicList{{ID: record.TopicID{1}, Name: "a", Partitions: 3}, {ID: record.TopicID{2}, Name: "b", Partitions: 40}}, nextID: 3,
		}
		for range 400 {
			w.now = w.now.Add(time.Duration(w.random.IntN(500)) * time.Millisecond)
			w.step()
		}
		w.check()
		if t.Failed() {
			t.Fatalf("seed %d, round %d", seed, round)
		}
	}
}

func (w *world) group() string { return fmt.Sprintf("g%d", w.random.IntN(4)) }

func (w *world) step() {
	out := &step.Output{}
	switch w.random.IntN(20) {
	default:
		w.commit(out)
	case 0:
		w.expire(out)
	case 1:
		w.replaceTopic(out)
	case 2:
		w.delete(out)
	case 3:
		group := w.group()
		w.o.DropGroup(group, out)
		w.forget(func(p place, _ record.OffsetValue) bool { return p.group == group })
	case 4:
		w.fetch()
	}
	w.log = append(w.log, out.Records...)
	if w.o.Len() != len(w.model) {
		w.Errorf("%d offsets, the model has %d", w.o.Len(), len(w.model))
	}
}

func (w *world) forget(gone func(place, record.OffsetValue) bool) {
	for p, v := range w.model {
		if gone(p, v) {
			delete(w.model, p)
		}
	}
}

func (w *world) commit(out *step.Output) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group = int16(w.random.IntN(10)), w.group()
	if req.Version >= 2 && w.random.IntN(3) == 0 {
		req.RetentionTimeMillis = w.random.Int64N(2000)
	}
	for range w.random.IntN(3) {
		topic := w.topics[w.random.IntN(len(w.topics))]
		rt := kmsg.NewOffsetCommitRequestTopic()
		rt.Topic = topic.Name
		for range w.random.IntN(5) {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch = w.random.Int32N(topic.Partitions), w.random.Int64N(1e6), w.random.Int32N(3)
			rt.Partitions = append(rt.Partitions, p)
			v := record.OffsetValue{Offset: p.Offset, LeaderEpoch: -1, CommitTimestamp: w.now.UnixMilli(), ExpireTimestamp: -1, TopicID: topic.ID}
			if req.Version >= 6 {
				v.LeaderEpoch = p.LeaderEpoch
			}
			if req.Version >= 2 && req.Version <= 4 && req.RetentionTimeMillis != -1 {
				v.ExpireTimestamp, v.TopicID = v.CommitTimestamp+req.RetentionTimeMillis, record.TopicID{}
			}
			w.model[place{req.Group, topic.Name, p.Partition}] = v
		}
		req.Topics = append(req.Topics, rt)
	}
	w.o.Commit(step.Call{Now: w.now}, req, Rules{Topics: w.topics, MetadataMax: 10, Check: allow}, out)
}

func (w *world) expire(out *step.Output) {
	const retention = 3000
	group, now, s := w.group(), w.now.UnixMilli(), says{subscribed: []string{"", "a", "b"}[w.random.IntN(3)], from: w.random.Int64N(3) - 1}
	if s.from > 0 {
		s.from = w.now.UnixMilli() - w.random.Int64N(2*retention)
	}
	w.o.Expire(group, s, now, retention, out)
	w.forget(func(p place, v record.OffsetValue) bool {
		from, ok := s.RetainedFrom(v.CommitTimestamp)
		due := from + retention
		if v.ExpireTimestamp != -1 {
			due = v.ExpireTimestamp
		}
		return p.group == group && ok && p.topic != s.subscribed && now >= due
	})
}

// replaceTopic deletes a topic and creates another of its name; nobody may look in
// between.
func (w *world) replaceTopic(out *step.Output) {
	i := w.random.IntN(len(w.topics))
	t := &w.topics[i]
	if looked := w.random.IntN(2) == 0; looked {
		w.o.Prune(slices.Concat(w.topics[:i], w.topics[i+1:]), out)
		w.forget(func(p place, _ record.OffsetValue) bool { return p.topic == t.Name })
	}
	t.ID = record.TopicID{w.nextID}
	w.nextID++
	w.o.Prune(w.topics, out)
	w.forget(func(p place, v record.OffsetValue) bool {
		return p.topic == t.Name && v.TopicID != t.ID && v.TopicID != record.TopicID{}
	})
}

func (w *world) delete(out *step.Output) {
	t := w.topics[w.random.IntN(len(w.topics))]
	p := w.random.Int32N(t.Partitions)
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = w.group()
	req.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: t.Name, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: p}}}}
	w.o.Delete(step.Call{}, req, w.topics, says{}, out)
	delete(w.model, place{req.Group, t.Name, p})
}

func (w *world) fetch() {
	req := kmsg.NewOffsetFetchRequestGroup()
	req.Group = w.group()
	n := 0
	for _, t := range w.o.Fetch(9, &req, true, w.topics).Topics {
		for _, p := range t.Partitions {
			n++
			if v, ok := w.model[place{req.Group, t.Topic, p.Partition}]; !ok || v.Offset != p.Offset || v.LeaderEpoch != p.LeaderEpoch {
				w.Errorf("%s %s-%d: told %+v, want %+v", req.Group, t.Topic, p.Partition, p, v)
			}
		}
	}
	for p := range w.model {
		if p.group == req.Group {
			n--
		}
	}
	if n != 0 {
		w.Errorf("%d offsets of %s too many", n, req.Group)
	}
}

// check compares with the model, and with what the records make when they are
// written and read again.
func (w *world) check() {
	for p, v := range w.model {
		if got := w.o.at(p.group, p.topic, p.partition); got == nil || *got != v {
			w.Errorf("%+v: %+v, want %+v", p, got, v)
		}
	}
	again, used := New(), 0
	for _, u := range w.o.uses {
		used += u.groups
	}
	for _, g := range w.o.groups {
		used -= len(g)
	}
	if used != 0 {
		w.Errorf("%d uses of topics too many", used)
	}
	for _, r := range w.log {
		key, value, err := record.Encode(r)
		if err != nil {
			w.Fatal(err)
		}
		read, err := record.Decode(key, value)
		if err != nil {
			w.Fatal(err)
		}
		again.Replay(read.(*record.Offset))
	}
	if again.count != w.o.count || !reflect.DeepEqual(again.groups, w.o.groups) {
		w.Error("replay makes something else")
	}
}

// What an offset takes in memory: of groups with many partitions, and of groups with
// one.
func TestMemory(t *testing.T) {
	const n = 100_000
	for _, c := range []struct {
		name               string
		partitions, topics int
		most               uint64
	}{{"many partitions", 20, 10, 160}, {"one", 1, 1, 600}} {
		before := heap()
		o := New()
		for i := range n {
			group := fmt.Sprintf("a group with a name of usual length %d", i/(c.partitions*c.topics))
			topic := fmt.Sprintf("a topic with a name of usual length %d", i/c.partitions%c.topics)
			o.Replay(&record.Offset{Group: group, Topic: topic, Partition: int32(i % c.partitions), Value: &record.OffsetValue{Offset: int64(i), ExpireTimestamp: -1}})
		}
		each := (heap() - before) / n
		if o.Len() != n || each > c.most {
			t.Errorf("%s: %d offsets of %d bytes, at most %d", c.name, o.Len(), each, c.most)
		}
		t.Logf("%s: %d bytes for an offset", c.name, each)
		runtime.KeepAlive(o)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
