package offset

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

var start = time.UnixMilli(1_700_000_000_000)

// topicList is the topics that there are.
type topicList []step.Topic

func (l topicList) Version() int64 { return 0 }

func (l topicList) ByName(name string) (step.Topic, bool) {
	return l.first(func(t step.Topic) bool { return t.Name == name })
}

func (l topicList) ByID(id record.TopicID) (step.Topic, bool) {
	return l.first(func(t step.Topic) bool { return t.ID == id })
}

func (l topicList) first(is func(step.Topic) bool) (step.Topic, bool) {
	for _, t := range l {
		if is(t) {
			return t, true
		}
	}
	return step.Topic{}, false
}

func (l topicList) Names(yield func(string) bool) {
	for _, t := range l {
		if !yield(t.Name) {
			return
		}
	}
}

var all = topicList{{ID: record.TopicID{1}, Name: "a", Partitions: 3}, {ID: record.TopicID{2}, Name: "b", Partitions: 1}}

func allow(record.TopicID, int32) int16 { return 0 }

// commit is a request for some partitions of one topic, their offsets being their
// numbers and 100.
func commit(version int16, group, topic string, list ...int32) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group = version, group
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	if known, ok := all.ByName(topic); ok && version >= commitByID {
		t.Topic, t.TopicID = "", known.ID
	}
	for _, n := range list {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch = n, int64(n)+100, 7
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

// do commits now and returns the error codes.
func do(o *Store, now time.Time, req *kmsg.OffsetCommitRequest, check func(record.TopicID, int32) int16, out *step.Output) []int16 {
	var codes []int16
	for _, t := range o.Commit(step.Call{Now: now}, req, Rules{Topics: all, MetadataMax: 10, Check: check}, out).Topics {
		for _, p := range t.Partitions {
			codes = append(codes, p.ErrorCode)
		}
	}
	return codes
}

func TestCommit_Stored(t *testing.T) {
	now := start.UnixMilli()
	for _, c := range []struct {
		name    string
		version int16
		change  func(*kmsg.OffsetCommitRequest, *kmsg.OffsetCommitRequestTopicPartition)
		want    record.OffsetValue
	}{
		{"version 0", 0, nil, record.OffsetValue{Offset: 101, LeaderEpoch: -1, CommitTimestamp: now, ExpireTimestamp: -1, TopicID: record.TopicID{1}}},
		{"time of its own", 1, func(_ *kmsg.OffsetCommitRequest, p *kmsg.OffsetCommitRequestTopicPartition) { p.Timestamp = 5 },
			record.OffsetValue{Offset: 101, LeaderEpoch: -1, CommitTimestamp: 5, ExpireTimestamp: -1, TopicID: record.TopicID{1}}},
		{"retention", 2, func(r *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitRequestTopicPartition) {
			r.RetentionTimeMillis = 9
		},
			record.OffsetValue{Offset: 101, LeaderEpoch: -1, CommitTimestamp: now, ExpireTimestamp: now + 9}},
		{"endless retention", 4, func(r *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitRequestTopicPartition) {
			r.RetentionTimeMillis = math.MaxInt64
		}, record.OffsetValue{Offset: 101, LeaderEpoch: -1, CommitTimestamp: now, ExpireTimestamp: math.MaxInt64}},
		{"negative retention", 3, func(r *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitRequestTopicPartition) {
			r.RetentionTimeMillis = math.MinInt64
		}, record.OffsetValue{Offset: 101, LeaderEpoch: -1, CommitTimestamp: now, ExpireTimestamp: now}},
		{"no retention any more", 5, func(r *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitRequestTopicPartition) {
			r.RetentionTimeMillis = 9
		},
			record.OffsetValue{Offset: 101, LeaderEpoch: -1, CommitTimestamp: now, ExpireTimestamp: -1, TopicID: record.TopicID{1}}},
		{"leader epoch", 6, nil, record.OffsetValue{Offset: 101, LeaderEpoch: 7, CommitTimestamp: now, ExpireTimestamp: -1, TopicID: record.TopicID{1}}},
		{"by id", 10, func(_ *kmsg.OffsetCommitRequest, p *kmsg.OffsetCommitRequestTopicPartition) {
			p.Metadata, p.LeaderEpoch, p.Offset = kmsg.StringPtr("märk"), -3, -5
		}, record.OffsetValue{Offset: -5, LeaderEpoch: -1, Metadata: "märk", CommitTimestamp: now, ExpireTimestamp: -1, TopicID: record.TopicID{1}}},
	} {
		o, out := New(), &step.Output{}
		req := commit(c.version, "g", "a", 1)
		if c.change != nil {
			c.change(req, &req.Topics[0].Partitions[0])
		}
		if codes := do(o, start, req, allow, out); codes[0] != 0 {
			t.Errorf("%s: code %d", c.name, codes[0])
			continue
		}
		if got := o.at("g", "a", 1); *got != c.want || len(out.Records) != 1 {
			t.Errorf("%s: %+v, %d records", c.name, got, len(out.Records))
		}
	}
}

func TestCommit_Refused(t *testing.T) {
	metadata := func(s string) func(*kmsg.OffsetCommitRequest) {
		return func(r *kmsg.OffsetCommitRequest) { r.Topics[0].Partitions[0].Metadata = &s }
	}
	stale := func(_ record.TopicID, p int32) int16 {
		if p == 2 {
			return kerr.StaleMemberEpoch.Code
		}
		return 0
	}
	unknown := commit(10, "g", "a", 0)
	unknown.Topics[0].TopicID = record.TopicID{9}
	for _, c := range []struct {
		name   string
		req    *kmsg.OffsetCommitRequest
		change func(*kmsg.OffsetCommitRequest)
		check  func(record.TopicID, int32) int16
		want   []int16
	}{
		{"unknown topic", commit(9, "g", "x", 0), nil, nil, []int16{kerr.UnknownTopicOrPartition.Code}},
		{"unknown partition", commit(9, "g", "a", -1, 3, 2), nil, allow, []int16{kerr.UnknownTopicOrPartition.Code, kerr.UnknownTopicOrPartition.Code, 0}},
		{"unknown id", unknown, nil, nil, []int16{kerr.UnknownTopicID.Code}},
		{"unknown partition by id", commit(10, "g", "a", 3), nil, nil, []int16{kerr.UnknownTopicOrPartition.Code}},
		{"metadata at the limit", commit(9, "g", "a", 0), metadata(strings.Repeat("ä", 10)), allow, []int16{0}},
		{"metadata too long", commit(9, "g", "a", 0, 1), metadata(strings.Repeat("a", 11)), allow, []int16{kerr.OffsetMetadataTooLarge.Code, 0}},
		{"surrogates count twice", commit(9, "g", "a", 0), metadata(strings.Repeat("🧭", 6)), allow, []int16{kerr.OffsetMetadataTooLarge.Code}},
		{"the group says no", commit(9, "g", "a", 0, 2, 5), nil, stale, []int16{kerr.StaleMemberEpoch.Code, kerr.StaleMemberEpoch.Code, kerr.UnknownTopicOrPartition.Code}},
	} {
		if c.change != nil {
			c.change(c.req)
		}
		o, out := New(), &step.Output{}
		if codes := do(o, start, c.req, c.check, out); !reflect.DeepEqual(codes, c.want) {
			t.Errorf("%s: codes %v, want %v", c.name, codes, c.want)
		}
		stored := 0
		for _, code := range c.want {
			if code == 0 {
				stored++
			}
		}
		if o.Len() != stored || len(out.Records) != stored || o.Has("g") != (stored > 0) {
			t.Errorf("%s: %d offsets and %d records, want %d", c.name, o.Len(), len(out.Records), stored)
		}
	}
}

// fetchOf asks for partitions of one topic.
func fetchOf(version int16, topic string, list ...int32) *kmsg.OffsetFetchRequestGroup {
	req := kmsg.NewOffsetFetchRequestGroup()
	req.Group = "g"
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.Partitions = topic, list
	if known, ok := all.ByName(topic); ok && version >= fetchByID {
		t.Topic, t.TopicID = "", known.ID
	}
	req.Topics = append(req.Topics, t)
	return &req
}

func TestFetch(t *testing.T) {
	o, out := New(), &step.Output{}
	req := commit(9, "g", "a", 2, 0)
	req.Topics[0].Partitions[0].Metadata = kmsg.StringPtr("m")
	do(o, start, req, allow, out)
	for _, version := range []int16{8, 9, 10} {
		got := o.Fetch(version, fetchOf(version, "a", 2, 1, 9), true, all)
		p := got.Topics[0].Partitions
		if len(p) != 3 || p[0].Offset != 102 || p[0].LeaderEpoch != 7 || *p[0].Metadata != "m" || p[0].ErrorCode != 0 {
			t.Errorf("version %d: %+v", version, p)
		}
		for _, p := range p[1:] {
			if p.Offset != -1 || p.LeaderEpoch != -1 || *p.Metadata != "" || p.ErrorCode != 0 {
				t.Errorf("version %d, no offset: %+v", version, p)
			}
		}
		if named := got.Topics[0].Topic == "a"; named == (version >= fetchByID) || got.Topics[0].TopicID != (record.TopicID{1}) == (version >= fetchByID) {
			t.Errorf("version %d: topic %q, id %v", version, got.Topics[0].Topic, got.Topics[0].TopicID)
		}
	}
	if p := o.Fetch(9, fetchOf(9, "gone", 0), false, all).Topics[0].Partitions[0]; p.Offset != -1 || p.ErrorCode != 0 {
		t.Errorf("topic that is not there: %+v", p)
	}
	if p := o.Fetch(10, fetchOf(10, "gone", 0), false, all).Topics[0].Partitions[0]; p.Offset != -1 || p.ErrorCode != kerr.UnknownTopicID.Code {
		t.Errorf("id that is not there: %+v", p)
	}
	if got := o.Fetch(9, fetchOf(9, "a"), false, all); len(got.Topics) != 1 || len(got.Topics[0].Partitions) != 0 {
		t.Errorf("no partitions: %+v", got)
	}
}

// An answer does not change with the offsets.
func TestFetch_Copies(t *testing.T) {
	o, out := New(), &step.Output{}
	do(o, start, commit(9, "g", "a", 0), allow, out)
	got := o.Fetch(9, fetchOf(9, "a", 0), false, all)
	req := commit(9, "g", "a", 0)
	req.Topics[0].Partitions[0].Metadata = kmsg.StringPtr("later")
	do(o, start, req, allow, out)
	if p := got.Topics[0].Partitions[0]; *p.Metadata != "" {
		t.Errorf("an answer has become %q", *p.Metadata)
	}
}

func TestFetch_All(t *testing.T) {
	o, out := New(), &step.Output{}
	do(o, start, commit(9, "g", "b", 0), allow, out)
	do(o, start, commit(9, "g", "a", 2, 1), allow, out)
	o.Replay(&record.Offset{Group: "g", Topic: "0 was deleted", Partition: 5, Value: &record.OffsetValue{Offset: 3, LeaderEpoch: -1, ExpireTimestamp: -1}})
	every := kmsg.NewOffsetFetchRequestGroup()
	every.Group = "g"
	got := o.Fetch(9, &every, false, all)
	if len(got.Topics) != 3 || got.Topics[0].Partitions[0].Offset != 3 || got.Topics[1].Topic != "a" || got.Topics[1].Partitions[0].Partition != 1 || got.Topics[2].Topic != "b" {
		t.Errorf("%+v", got)
	}
	got = o.Fetch(10, &every, false, all)
	if len(got.Topics) != 2 || got.Topics[0].TopicID != (record.TopicID{1}) {
		t.Errorf("by id: %+v", got)
	}
	every.Group = "unknown"
	if got := o.Fetch(10, &every, false, all); got.Topics == nil || len(got.Topics) != 0 {
		t.Errorf("of an unknown group: %+v", got)
	}
}

// An offset of an earlier topic of the same name is told by name, but not by id.
func TestFetch_EarlierTopic(t *testing.T) {
	o := New()
	o.Replay(&record.Offset{Group: "g", Topic: "a", Value: &record.OffsetValue{Offset: 3, LeaderEpoch: -1, ExpireTimestamp: -1, TopicID: record.TopicID{77}}})
	if p := o.Fetch(9, fetchOf(9, "a", 0), false, all).Topics[0].Partitions[0]; p.Offset != 3 {
		t.Errorf("by name: %+v", p)
	}
	if p := o.Fetch(10, fetchOf(10, "a", 0), false, all).Topics[0].Partitions[0]; p.Offset != -1 || p.ErrorCode != 0 {
		t.Errorf("by id: %+v", p)
	}
}

// says is a group that tells how long its offsets are kept.
type says struct {
	subscribed string
	from       int64 // 0: from the commit on; negative: nothing expires
}

func (s says) Subscribed(topic string) bool { return topic == s.subscribed }

func (s says) RetainedFrom(committed int64) (int64, bool) {
	if s.from == 0 {
		return committed, true
	}
	return s.from, s.from > 0
}

func TestDelete(t *testing.T) {
	o, out := New(), &step.Output{}
	do(o, start, commit(9, "g", "a", 0, 1), allow, out)
	do(o, start, commit(9, "g", "b", 0), allow, out)
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = "g"
	for topic, list := range map[string][]int32{"a": {0, 2, 3}, "b": {0}, "x": {0}} {
		dt := kmsg.NewOffsetDeleteRequestTopic()
		dt.Topic = topic
		for _, p := range list {
			dt.Partitions = append(dt.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: p})
		}
		req.Topics = append(req.Topics, dt)
	}
	out = &step.Output{}
	resp := o.Delete(step.Call{}, req, all, says{subscribed: "b"}, out)
	want := map[string][]int16{"a": {0, 0, kerr.UnknownTopicOrPartition.Code}, "b": {kerr.GroupSubscribedToTopic.Code}, "x": {kerr.UnknownTopicOrPartition.Code}}
	for _, rt := range resp.Topics {
		for i, p := range rt.Partitions {
			if p.ErrorCode != want[rt.Topic][i] {
				t.Errorf("%s-%d: code %d, want %d", rt.Topic, p.Partition, p.ErrorCode, want[rt.Topic][i])
			}
		}
	}
	if len(resp.Topics) != 3 || len(out.Records) != 1 || o.Len() != 2 || o.at("g", "a", 0) != nil {
		t.Errorf("%d topics, %d records, %d offsets", len(resp.Topics), len(out.Records), o.Len())
	}
}

func TestExpire(t *testing.T) {
	const retention = 1000
	now := start.UnixMilli()
	kept := func(s says, at int64) int {
		o, out := New(), &step.Output{}
		do(o, start, commit(9, "g", "a", 0), allow, out)
		own := commit(2, "g", "a", 1)
		own.RetentionTimeMillis = 10
		do(o, start, own, allow, out)
		do(o, start, commit(9, "g", "b", 0), allow, out)
		do(o, start, commit(9, "other", "b", 0), allow, out)
		out = &step.Output{}
		o.Expire("g", s, at, retention, out)
		if o.Len()+len(out.Records) != 4 {
			t.Errorf("%d offsets and %d tombstones of 4", o.Len(), len(out.Records))
		}
		return o.Len() - 1
	}
	for _, c := range []struct {
		name string
		s    says
		at   int64
		want int
	}{
		{"fresh", says{}, now + 9, 3},
		{"a time of its own", says{}, now + 10, 2},
		{"almost", says{}, now + retention - 1, 2},
		{"from the commit on", says{}, now + retention, 0},
		{"a consumer of the topic", says{subscribed: "a"}, now + retention, 2},
		{"the group became empty later", says{from: now + 1}, now + retention, 2},
		{"... and long ago", says{from: now - retention}, now, 1},
		{"not in this state", says{from: -1}, now + 10*retention, 3},
	} {
		if got := kept(c.s, c.at); got != c.want {
			t.Errorf("%s: %d are kept, want %d", c.name, got, c.want)
		}
	}
}

func TestDropGroup(t *testing.T) {
	o, out := New(), &step.Output{}
	do(o, start, commit(9, "g", "a", 0, 1, 2), allow, out)
	do(o, start, commit(9, "g", "b", 0), allow, out)
	do(o, start, commit(9, "h", "b", 0), allow, out)
	out = &step.Output{}
	o.DropGroup("g", out)
	if o.Has("g") || o.Len() != 1 || len(out.Records) != 4 || out.Records[0].(*record.Offset).Value != nil {
		t.Errorf("%d offsets, %+v", o.Len(), out.Records)
	}
	if o.DropGroup("g", out); len(out.Records) != 4 {
		t.Error("a group without offsets has tombstones")
	}
}

func TestPrune(t *testing.T) {
	o, out := New(), &step.Output{}
	for group, id := range map[string]record.TopicID{"same": {1}, "another": {7}, "unknown": {}} {
		for p := range int32(2) {
			o.Replay(&record.Offset{Group: group, Topic: "a", Partition: p, Value: &record.OffsetValue{ExpireTimestamp: -1, TopicID: id}})
		}
	}
	do(o, start, commit(9, "b only", "b", 0), allow, out)
	left := func(topics topicList, tombstones int, want ...string) {
		t.Helper()
		out := &step.Output{}
		o.Prune(topics, out)
		var groups []string
		for g := range o.groups {
			groups = append(groups, g)
		}
		slices.Sort(groups)
		if !slices.Equal(groups, want) || len(out.Records) != tombstones {
			t.Errorf("left are %v and %d tombstones, want %v and %d", groups, len(out.Records), want, tombstones)
		}
	}
	left(all, 2, "b only", "same", "unknown")
	left(all, 0, "b only", "same", "unknown")
	left(all[:1], 1, "same", "unknown")
	left(topicList{{ID: record.TopicID{9}, Name: "a", Partitions: 1}}, 2, "unknown")
	left(topicList{}, 2)
	if len(o.uses) != 0 || o.Len() != 0 {
		t.Errorf("%d offsets and %d topics are left", o.Len(), len(o.uses))
	}
}
