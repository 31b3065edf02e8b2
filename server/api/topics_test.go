package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/meta"
)

// newTopic is a topic of a CreateTopics request; settings are name and value in
// turn, the value "<nil>" being null.
func newTopic(name string, partitions int32, factor int16, settings ...string) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, factor
	for i := 0; i < len(settings); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = settings[i], orNil(settings[i+1])
		t.Configs = append(t.Configs, c)
	}
	return t
}

// orNil is the opposite of text.
func orNil(s string) *string {
	if s == "<nil>" {
		return nil
	}
	return &s
}

// placed is a topic with partitions placed by hand: each a partition and its
// replicas.
func placed(name string, partitions int32, factor int16, assignment ...[]int32) kmsg.CreateTopicsRequestTopic {
	t := newTopic(name, partitions, factor)
	for _, a := range assignment {
		r := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		r.Partition, r.Replicas = a[0], a[1:]
		t.ReplicaAssignment = append(t.ReplicaAssignment, r)
	}
	return t
}

func createTopicsRequest(validateOnly bool, topics ...kmsg.CreateTopicsRequestTopic) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics, req.ValidateOnly = topics, validateOnly
	return req
}

func TestCreateTopics_EveryVersion(t *testing.T) {
	h := newHarness(t, "num.partitions=3")
	req := createTopicsRequest(false)
	for _, v := range h.versions(req) {
		name := fmt.Sprintf("t%d", v)
		req.Topics = []kmsg.CreateTopicsRequestTopic{newTopic(name, -1, -1, "retention.ms", "1000")}
		got := call[*kmsg.CreateTopicsResponse](h, v, req).Topics[0]
		made := h.set.Image().Topic(name)
		if got.ErrorCode != 0 || got.ErrorMessage != nil || made == nil || made.Partitions != 3 || made.Configs["retention.ms"] != "1000" {
			t.Fatalf("version %d: answer %+v, topic %+v", v, got, made)
		}
		if v >= 5 && (got.NumPartitions != 3 || got.ReplicationFactor != 1 || source(got.Configs, "retention.ms") != 1 || source(got.Configs, "segment.ms") != 5) {
			t.Errorf("version %d: answer %+v", v, got)
		}
		if v >= 7 && meta.TopicID(got.TopicID) != made.ID {
			t.Errorf("version %d: topic id %v, want %v", v, got.TopicID, made.ID)
		}
	}
}

func source(configs []kmsg.CreateTopicsResponseTopicConfig, name string) int8 {
	for _, c := range configs {
		if c.Name == name {
			return c.Source
		}
	}
	return -1
}

func TestCreateTopics_Refused(t *testing.T) {
	h := newHarness(t)
	h.createTopic("there.is", 1)
	long := strings.Repeat("x", 250)
	const replicate = "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned."
	const unlike = "' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
	for _, tc := range []struct {
		topic kmsg.CreateTopicsRequestTopic
		kind  *kerr.Error
		want  string
	}{
		{newTopic("", 1, 1), kerr.InvalidTopicException, "Topic name is invalid: the empty string is not allowed"},
		{newTopic("..", 0, 1), kerr.InvalidTopicException, "Topic name is invalid: '..' is not allowed"},
		{newTopic("a b", 1, 1), kerr.InvalidTopicException, "Topic name is invalid: 'a b" + unlike},
		{newTopic(long, 1, 1), kerr.InvalidTopicException, "Topic name is invalid: the length of '" + long + "' is longer than the max allowed length 249"},
		{newTopic("__cluster_metadata", 1, 1), kerr.InvalidRequest, "Creation of internal topic __cluster_metadata is prohibited."},
		{newTopic("there.is", 0, 1), kerr.TopicAlreadyExists, "Topic 'there.is' already exists."},
		{newTopic("there_is", 0, 1), kerr.InvalidTopicException, "Topic 'there_is' collides with existing topic: there.is"},
		{newTopic("t", 0, 1), kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value."},
		{newTopic("t", -2, 1), kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value."},
		{newTopic("t", 0, 2), kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value."},
		{newTopic("t", 1, 0), kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value."},
		{newTopic("t", 1, -2), kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value."},
		{newTopic("t", 1, 2), kerr.InvalidReplicationFactor, replicate},
		{newTopic("t", 10001, 1), kerr.PolicyViolation, "Excessively large number of partitions per request."},
		{newTopic("t", 0, 2, "nosuch", "1"), kerr.InvalidConfig, "Unknown topic config name: nosuch"},
		{newTopic("t", 1, 1, "retention.ms", "x"), kerr.InvalidConfig, "Invalid value x for configuration retention.ms: Not a number of type LONG"},
		{newTopic("t", 1, 1, "nosuch", "<nil>", "retention.ms", "<nil>"), kerr.InvalidConfig, "Null value not supported for topic configs: nosuch,retention.ms"},
		{placed("t", 2, -1, []int32{0, 1}), kerr.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1."},
		{placed("t", -1, 1, []int32{0, 1}), kerr.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1."},
		{placed("t", -1, -1, []int32{0, 1}, []int32{2, 1}), kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence"},
		{placed("t", -1, -1, []int32{-1, 1}), kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence"},
		{placed("t", -1, -1, []int32{0, 1}, []int32{0, 1}), kerr.InvalidReplicaAssignment, "Found multiple manual partition assignments for partition 0"},
		{placed("t", -1, -1, []int32{0, 2}), kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker 2, but no such broker is registered."},
		{placed("t", -1, -1, []int32{0, 1, 1}), kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker 1 more than once."},
		{placed("t", -1, -1, []int32{0}), kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list."},
	} {
		got := call[*kmsg.CreateTopicsResponse](h, 7, createTopicsRequest(false, tc.topic)).Topics
		if len(got) != 1 || got[0].Topic != tc.topic.Topic || got[0].ErrorCode != tc.kind.Code || text(got[0].ErrorMessage) != tc.want {
			t.Errorf("topic %.20q: answer %+v, want %v %q", tc.topic.Topic, got, tc.kind, tc.want)
		}
		if got[0].NumPartitions != -1 || got[0].ReplicationFactor != -1 || len(got[0].Configs) != 0 {
			t.Errorf("topic %.20q: refused, but described: %+v", tc.topic.Topic, got)
		}
	}
	if n := h.set.Image().TopicCount(); n != 1 {
		t.Errorf("%d topics exist, want 1", n)
	}
}

func TestCreateTopics_TwiceInOneRequest(t *testing.T) {
	h := newHarness(t)
	got := call[*kmsg.CreateTopicsResponse](h, 5, createTopicsRequest(false, newTopic("a", 1, 1), newTopic("b", 1, 1), newTopic("a", 1, 1))).Topics
	if len(got) != 2 || got[0].ErrorCode != kerr.InvalidRequest.Code || text(got[0].ErrorMessage) != "Duplicate topic name." || got[1].ErrorCode != 0 {
		t.Errorf("answer %+v", got)
	}
	if h.set.Get("a", 0) != nil || h.set.Get("b", 0) == nil {
		t.Error("want topic b alone")
	}
}

func TestCreateTopics_ValidateOnly(t *testing.T) {
	h := newHarness(t)
	got := call[*kmsg.CreateTopicsResponse](h, 7, createTopicsRequest(true, newTopic("a", 4, -1, "retention.ms", "5", "retention.ms", "6"))).Topics[0]
	if got.ErrorCode != 0 || got.NumPartitions != 4 || got.ReplicationFactor != 1 || source(got.Configs, "retention.ms") != 1 {
		t.Errorf("answer %+v", got)
	}
	if h.set.Image().TopicCount() != 0 {
		t.Error("topic was created")
	}
}

func TestCreateTopics_PlacedByHandAndInternal(t *testing.T) {
	h := newHarness(t)
	got := call[*kmsg.CreateTopicsResponse](h, 5, createTopicsRequest(false, placed("a", -1, -1, []int32{1, 1}, []int32{0, 1}), newTopic("__consumer_offsets", 1, 1))).Topics
	if got[0].ErrorCode != 0 || got[0].NumPartitions != 2 || len(h.set.Topic("a")) != 2 {
		t.Errorf("answer %+v", got[0])
	}
	if got[1].ErrorCode != 0 || !h.set.Image().Topic("__consumer_offsets").Internal {
		t.Errorf("answer %+v", got[1])
	}
}

func byName(name string) kmsg.DeleteTopicsRequestTopic { return byBoth(name, meta.TopicID{}) }

func byBoth(name string, id meta.TopicID) kmsg.DeleteTopicsRequestTopic {
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic, t.TopicID = orNil(name), id
	return t
}

func byID(id meta.TopicID) kmsg.DeleteTopicsRequestTopic { return byBoth("<nil>", id) }

func deleteTopicsRequest(topics ...kmsg.DeleteTopicsRequestTopic) *kmsg.DeleteTopicsRequest {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Topics = topics
	for _, t := range topics {
		if t.Topic != nil {
			req.TopicNames = append(req.TopicNames, *t.Topic)
		}
	}
	return req
}

func TestDeleteTopics_EveryVersion(t *testing.T) {
	h := newHarness(t)
	req := deleteTopicsRequest(byName("a"), byName("nosuch"))
	for _, v := range h.versions(req) {
		made := h.createTopic("a", 2)
		got := call[*kmsg.DeleteTopicsResponse](h, v, req).Topics
		if len(got) != 2 || got[0].ErrorCode != 0 || text(got[0].Topic) != "a" || got[1].ErrorCode != kerr.UnknownTopicOrPartition.Code {
			t.Fatalf("version %d: answer %+v", v, got)
		}
		if h.set.Image().Topic("a") != nil || h.set.Get("a", 0) != nil {
			t.Fatalf("version %d: topic is still there", v)
		}
		if v >= 6 && meta.TopicID(got[0].TopicID) != made.ID {
			t.Errorf("version %d: answer %+v, want id %v", v, got[0], made.ID)
		}
	}
}

func TestDeleteTopics_Table(t *testing.T) {
	h := newHarness(t)
	a, b := h.createTopic("a", 1), h.createTopic("b", 1)
	const notHere = "This server does not host this topic-partition."
	for _, tc := range []struct {
		name string
		req  *kmsg.DeleteTopicsRequest
		want string // name, code and message of each answer
	}{
		{"both", deleteTopicsRequest(byBoth("a", a.ID)), "a 42 You may not specify both topic name and topic id."},
		{"neither", deleteTopicsRequest(byID(meta.TopicID{}), byID(meta.TopicID{})),
			"<nil> 42 Neither topic name nor id were specified.|<nil> 42 Neither topic name nor id were specified."},
		{"unknown", deleteTopicsRequest(byID(meta.TopicID{1}), byName("nosuch"), byName("")),
			"<nil> 100 This server does not host this topic ID.|nosuch 3 " + notHere + "| 3 " + notHere},
		{"twice", deleteTopicsRequest(byID(a.ID), byName("b"), byID(a.ID), byName("b")), "<nil> 42 Duplicate topic id.|b 42 Duplicate topic name."},
		{"id, then name", deleteTopicsRequest(byID(a.ID), byName("a")), "a 42 The provided topic name maps to an ID that was already supplied."},
		{"name, then id", deleteTopicsRequest(byName("a"), byID(a.ID)), "a 42 The provided topic name maps to an ID that was already supplied."},
		{"none", deleteTopicsRequest(), ""},
		{"good", deleteTopicsRequest(byID(a.ID), byName("b")), "a 0 <nil>|b 0 <nil>"},
	} {
		if n := h.set.Image().TopicCount(); n != 2 {
			t.Fatalf("before %s: %d topics, want 2", tc.name, n)
		}
		var got []string
		for _, topic := range call[*kmsg.DeleteTopicsResponse](h, 6, tc.req).Topics {
			got = append(got, fmt.Sprintf("%s %d %s", text(topic.Topic), topic.ErrorCode, text(topic.ErrorMessage)))
		}
		if joined := strings.Join(got, "|"); joined != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, joined, tc.want)
		}
	}
	if h.set.Image().TopicByID(a.ID) != nil || h.set.Image().TopicByID(b.ID) != nil {
		t.Error("topics are still there")
	}
}

func TestDeleteTopics_Disabled(t *testing.T) {
	h := newHarness(t, "delete.topic.enable=false")
	h.createTopic("a", 1)
	req := deleteTopicsRequest(byName("a"))
	for _, v := range h.versions(req) {
		want := kerr.TopicDeletionDisabled
		if v < 3 {
			want = kerr.InvalidRequest
		}
		got := call[*kmsg.DeleteTopicsResponse](h, v, req).Topics
		if len(got) != 1 || text(got[0].Topic) != "a" || got[0].ErrorCode != want.Code || got[0].ErrorMessage != nil {
			t.Errorf("version %d: answer %+v, want %v", v, got, want)
		}
	}
	if h.set.Image().Topic("a") == nil {
		t.Error("topic is gone")
	}
}

func createPartitionsRequest(name string, count int32, assignment ...[]int32) *kmsg.CreatePartitionsRequest {
	req := kmsg.NewPtrCreatePartitionsRequest()
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = name, count
	for _, replicas := range assignment {
		a := kmsg.NewCreatePartitionsRequestTopicAssignment()
		a.Replicas = replicas
		t.Assignment = append(t.Assignment, a)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func TestCreatePartitions_EveryVersion(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1)
	for _, v := range h.versions(createPartitionsRequest("a", 0)) {
		want := int32(2 + v)
		got := call[*kmsg.CreatePartitionsResponse](h, v, createPartitionsRequest("a", want, []int32{1})).Topics[0]
		if got.Topic != "a" || got.ErrorCode != 0 || got.ErrorMessage != nil || h.set.Image().Topic("a").Partitions != want {
			t.Fatalf("version %d: answer %+v", v, got)
		}
		h.write("a", want-1, 1)
	}
}

func TestCreatePartitions_Table(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 2)
	validate := createPartitionsRequest("a", 5)
	validate.ValidateOnly = true
	twice := createPartitionsRequest("a", 3)
	twice.Topics = append(twice.Topics, twice.Topics[0])
	for _, tc := range []struct {
		name string
		req  *kmsg.CreatePartitionsRequest
		kind *kerr.Error
		want string
	}{
		{"equal", createPartitionsRequest("a", 2), kerr.InvalidPartitions, "Topic already has 2 partition(s)."},
		{"lower", createPartitionsRequest("a", 1), kerr.InvalidPartitions, "The topic a currently has 2 partition(s); 1 would not be an increase."},
		{"negative", createPartitionsRequest("a", -1), kerr.InvalidPartitions, "The topic a currently has 2 partition(s); -1 would not be an increase."},
		{"unknown", createPartitionsRequest("nosuch", 3), kerr.UnknownTopicOrPartition, "This server does not host this topic-partition."},
		{"bad name", createPartitionsRequest("a b", 3), kerr.UnknownTopicOrPartition, "This server does not host this topic-partition."},
		{"too many", createPartitionsRequest("a", 1<<31-1), kerr.PolicyViolation, "Excessively large number of partitions per request."},
		{"few assignments", createPartitionsRequest("a", 4, []int32{1}), kerr.InvalidReplicaAssignment,
			"Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."},
		{"another broker", createPartitionsRequest("a", 3, []int32{9}), kerr.InvalidReplicaAssignment,
			"The manual partition assignment includes broker 9, but no such broker is registered."},
		{"no replica", createPartitionsRequest("a", 3, []int32{}), kerr.InvalidReplicaAssignment,
			"The manual partition assignment includes an empty replica list."},
		{"twice", twice, kerr.InvalidRequest, "Duplicate topic name."},
		{"validate only", validate, nil, "<nil>"},
	} {
		got := call[*kmsg.CreatePartitionsResponse](h, 3, tc.req).Topics
		want := int16(0)
		if tc.kind != nil {
			want = tc.kind.Code
		}
		if len(got) != 1 || got[0].ErrorCode != want || text(got[0].ErrorMessage) != tc.want {
			t.Errorf("%s: answer %+v, want %v %q", tc.name, got, tc.kind, tc.want)
		}
	}
	if n := len(h.set.Topic("a")); n != 2 {
		t.Errorf("topic has %d partitions, want 2", n)
	}
}
