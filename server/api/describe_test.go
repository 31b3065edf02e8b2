package api

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/segment/vfs"
)

func TestDescribeCluster_EveryVersion(t *testing.T) {
	h := newHarness(t, "broker.rack=r1")
	req := kmsg.NewPtrDescribeClusterRequest()
	for _, v := range h.versions(req) {
		for _, asked := range []bool{false, true} {
			req.IncludeClusterAuthorizedOperations = asked
			got := call[*kmsg.DescribeClusterResponse](h, v, req)
			want := int32(-2147483648)
			if asked {
				want = 8096 // as Kafka without an authorizer
			}
			if got.ErrorCode != 0 || got.ErrorMessage != nil || got.EndpointType != 1 || got.ClusterID != testClusterID || got.ControllerID != 1 ||
				got.ClusterAuthorizedOperations != want || len(got.Brokers) != 1 {
				t.Fatalf("version %d: answer %+v", v, got)
			}
			if b := got.Brokers[0]; b.NodeID != 1 || b.Host != "broker.test" || b.Port != 9092 || text(b.Rack) != "r1" || b.IsFenced {
				t.Errorf("version %d: broker %+v", v, b)
			}
		}
	}
}

func TestDescribeCluster_EndpointTypes(t *testing.T) {
	h := newHarness(t)
	for kind, want := range map[int8]string{
		0: "115 Unsupported endpoint type 0",
		2: "114 The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER",
		3: "115 Unsupported endpoint type 3",
	} {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.EndpointType = kind
		req.IncludeClusterAuthorizedOperations = true
		got := call[*kmsg.DescribeClusterResponse](h, 1, req)
		if line := fmt.Sprintf("%d %s", got.ErrorCode, text(got.ErrorMessage)); line != want {
			t.Errorf("type %d: %s, want %s", kind, line, want)
		}
		if got.ControllerID != -1 || got.ClusterID != "" || len(got.Brokers) != 0 || got.ClusterAuthorizedOperations != unasked {
			t.Errorf("type %d: refused, but described: %+v", kind, got)
		}
	}
}

// describeTopicPartitionsRequest has a cursor if its topic is not "".
func describeTopicPartitionsRequest(limit int32, cursor string, index int32, topics ...string) *kmsg.DescribeTopicPartitionsRequest {
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = limit
	for _, name := range topics {
		t := kmsg.NewDescribeTopicPartitionsRequestTopic()
		t.Topic = name
		req.Topics = append(req.Topics, t)
	}
	if cursor != "" {
		c := kmsg.NewDescribeTopicPartitionsRequestCursor()
		c.Topic, c.Partition = cursor, index
		req.Cursor = &c
	}
	return req
}

func TestDescribeTopicPartitions_Pages(t *testing.T) {
	h := newHarness(t, "max.request.partition.size.limit=5")
	h.createTopic("q2", 3)
	h.createTopic("q1", 3)
	h.createTopic("q0", 1)
	for _, tc := range []struct {
		req  *kmsg.DescribeTopicPartitionsRequest
		want string // name:code[partitions] of each topic, and where to go on
	}{
		{describeTopicPartitionsRequest(2000, "", 0, "q2", "q1", "q1"), "q1:0[0 1 2] q2:0[0 1] next q2-2"}, // the broker's limit
		{describeTopicPartitionsRequest(4, "", 0, "q2", "q1"), "q1:0[0 1 2] q2:0[0] next q2-1"},
		{describeTopicPartitionsRequest(3, "", 0, "q2", "q1"), "q1:0[0 1 2] next q2-0"},
		{describeTopicPartitionsRequest(3, "", 0, "q1"), "q1:0[0 1 2]"},
		{describeTopicPartitionsRequest(0, "", 0, "q1"), "q1:0[0] next q1-1"},
		{describeTopicPartitionsRequest(-1, "", 0, "q1"), "q1:0[0] next q1-1"},
		{describeTopicPartitionsRequest(10, "q1", 1, "q2", "q1", "q0"), "q1:0[1 2] q2:0[0 1 2]"},
		{describeTopicPartitionsRequest(10, "q1", 3, "q2", "q1"), "q1:0[] q2:0[0 1 2]"},
		{describeTopicPartitionsRequest(10, "q1", 30, "q1"), "q1:0[]"},
		{describeTopicPartitionsRequest(10, "q1", 2), "q1:0[2] q2:0[0 1 2]"},
		{describeTopicPartitionsRequest(10, "q10", 1), "q2:0[0 1 2]"}, // deleted meanwhile
		{describeTopicPartitionsRequest(10, "zzz", 0), ""},
		{describeTopicPartitionsRequest(2, "", 0), "q0:0[0] q1:0[0] next q1-1"},
		{describeTopicPartitionsRequest(10, "q10", 0, "q1", "q2"), "q1:42[] q2:42[]"},
		{describeTopicPartitionsRequest(10, "q1", -1, "q1", "q2"), "q1:42[] q2:42[]"},
		{describeTopicPartitionsRequest(10, "q1", -1), ""},
		{describeTopicPartitionsRequest(1, "", 0, "q0", "nosuch", "a b", "zz"), "a b:17[] nosuch:3[] q0:0[0] next zz-0"},
		{describeTopicPartitionsRequest(10, "nosuch", 0, "nosuch", "q0", ""), "nosuch:3[] q0:0[0]"},
	} {
		got := call[*kmsg.DescribeTopicPartitionsResponse](h, 0, tc.req)
		if line := pages(got); line != tc.want {
			t.Errorf("%+v, cursor %+v:\n got %s\nwant %s", tc.req.Topics, tc.req.Cursor, line, tc.want)
		}
	}
}

func pages(resp *kmsg.DescribeTopicPartitionsResponse) string {
	var words []string
	for _, t := range resp.Topics {
		indexes := []int32{}
		for _, p := range t.Partitions {
			indexes = append(indexes, p.Partition)
		}
		words = append(words, fmt.Sprintf("%s:%d%v", text(t.Topic), t.ErrorCode, indexes))
	}
	if c := resp.NextCursor; c != nil {
		words = append(words, fmt.Sprintf("next %s-%d", c.Topic, c.Partition))
	}
	return strings.Join(words, " ")
}

func TestDescribeTopicPartitions_Fields(t *testing.T) {
	h := newHarness(t)
	made := h.createTopic("__consumer_offsets", 1)
	got := call[*kmsg.DescribeTopicPartitionsResponse](h, 0, describeTopicPartitionsRequest(10, "", 0, made.Name)).Topics[0]
	if got.TopicID != made.ID || !got.IsInternal || got.AuthorizedOperations != 3576 {
		t.Errorf("topic %+v", got)
	}
	p := got.Partitions[0]
	if p.ErrorCode != 0 || p.LeaderID != 1 || p.LeaderEpoch != 0 || fmt.Sprint(p.Replicas, p.ISR) != "[1] [1]" || len(p.OfflineReplicas) != 0 ||
		p.EligibleLeaderReplicas == nil || p.LastKnownELR == nil || len(p.EligibleLeaderReplicas)+len(p.LastKnownELR) != 0 {
		t.Errorf("partition %+v", p)
	}
}

func logDirsTopic(name string, partitions ...int32) kmsg.DescribeLogDirsRequestTopic {
	t := kmsg.NewDescribeLogDirsRequestTopic()
	t.Topic, t.Partitions = name, partitions
	return t
}

func TestDescribeLogDirs_EveryVersion(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 2)
	h.createTopic("b", 1)
	h.write("a", 1, 3)
	size := h.set.Get("a", 1).Log().Size()
	req := kmsg.NewPtrDescribeLogDirsRequest()
	for _, v := range h.versions(req) {
		got := call[*kmsg.DescribeLogDirsResponse](h, v, req)
		if got.ErrorCode != 0 || len(got.Dirs) != 1 || got.Dirs[0].ErrorCode != 0 || got.Dirs[0].Dir != testData {
			t.Fatalf("version %d: answer %+v", v, got)
		}
		if line, want := dirTopics(got), fmt.Sprintf("a[0=0 1=%d] b[0=0]", size); line != want || size == 0 {
			t.Errorf("version %d: %s, want %s", v, line, want)
		}
		d := got.Dirs[0]
		if v >= 4 && (d.TotalBytes <= 0 || d.UsableBytes <= 0 || d.UsableBytes > d.TotalBytes) || v < 4 && d.TotalBytes != -1 {
			t.Errorf("version %d: space %d of %d", v, d.UsableBytes, d.TotalBytes)
		}
	}
}

func dirTopics(resp *kmsg.DescribeLogDirsResponse) string {
	var words []string
	for _, t := range resp.Dirs[0].Topics {
		var partitions []string
		for _, p := range t.Partitions {
			word := fmt.Sprintf("%d=%d", p.Partition, p.Size)
			if p.IsFuture || p.OffsetLag != 0 {
				word += "?"
			}
			partitions = append(partitions, word)
		}
		words = append(words, fmt.Sprintf("%s%v", t.Topic, partitions))
	}
	return strings.Join(words, " ")
}

func TestDescribeLogDirs_SomeTopics(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 3)
	h.createTopic("b", 1)
	req := kmsg.NewPtrDescribeLogDirsRequest()
	req.Topics = []kmsg.DescribeLogDirsRequestTopic{logDirsTopic("nosuch", 0), logDirsTopic("b"), logDirsTopic("a", 2, 5), logDirsTopic("a", 2, 0)}
	if got := dirTopics(call[*kmsg.DescribeLogDirsResponse](h, 4, req)); got != "a[0=0 2=0]" {
		t.Errorf("topics %s", got)
	}
	req.Topics = []kmsg.DescribeLogDirsRequestTopic{}
	if got := dirTopics(call[*kmsg.DescribeLogDirsResponse](h, 4, req)); got != "" {
		t.Errorf("topics %s, want none", got)
	}
}

func TestDescribeLogDirs_NoUsage(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1)
	for _, tc := range []struct {
		err    error
		code   int16
		topics string
	}{
		{errors.ErrUnsupported, 0, "a[0=0]"},
		{errors.New("disk is gone"), kerr.KafkaStorageError.Code, ""},
	} {
		h.fs.SetRule(func(op vfs.Op) vfs.Fault {
			if op.Kind == vfs.OpUsage {
				return vfs.Fault{Err: tc.err}
			}
			return vfs.Fault{}
		})
		got := call[*kmsg.DescribeLogDirsResponse](h, 4, kmsg.NewPtrDescribeLogDirsRequest())
		if d := got.Dirs[0]; d.ErrorCode != tc.code || dirTopics(got) != tc.topics || d.TotalBytes != -1 || d.UsableBytes != -1 {
			t.Errorf("%v: answer %+v", tc.err, d)
		}
	}
}
