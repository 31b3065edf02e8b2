package api

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/log/checkpoint"
	"sordini/segment/vfs"
)

// deleteRecordsRequest asks for one topic; targets are partition and offset in turn.
func deleteRecordsRequest(topic string, targets ...int64) *kmsg.DeleteRecordsRequest {
	req := kmsg.NewPtrDeleteRecordsRequest()
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic = topic
	for i := 0; i < len(targets); i += 2 {
		p := kmsg.NewDeleteRecordsRequestTopicPartition()
		p.Partition, p.Offset = int32(targets[i]), targets[i+1]
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func TestDeleteRecords_EveryVersion(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1)
	h.write("a", 0, 5)
	for _, v := range h.versions(deleteRecordsRequest("a")) {
		want := int64(v) + 1
		got := call[*kmsg.DeleteRecordsResponse](h, v, deleteRecordsRequest("a", 0, want)).Topics[0].Partitions[0]
		if got.ErrorCode != 0 || got.LowWatermark != want {
			t.Fatalf("version %d: answer %+v, want start %d", v, got, want)
		}
		stored, err := checkpoint.Read(h.fs, testData)
		h.must(err)
		if start := stored.Partitions[checkpoint.Partition{Topic: "a"}].Start; start != want {
			t.Errorf("version %d: checkpoint has start %d, want %d", v, start, want)
		}
	}
}

func TestDeleteRecords_Table(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1)
	h.createTopic("compacted", 1, "cleanup.policy", "compact")
	h.createTopic("both", 1, "cleanup.policy", "compact,delete")
	h.createTopic("__consumer_offsets", 1)
	for _, topic := range []string{"a", "compacted", "both", "__consumer_offsets"} {
		h.write(topic, 0, 10)
	}
	for _, tc := range []struct {
		topic             string
		partition, offset int64
		low               int64
		kind              *kerr.Error
	}{
		{"a", 0, 5, 5, nil},
		{"a", 0, 3, 5, nil}, // below the start: nothing to do
		{"a", 0, 11, -1, kerr.OffsetOutOfRange},
		{"a", 0, -2, -1, kerr.OffsetOutOfRange},
		{"a", 0, -1, 10, nil},
		{"a", 0, 10, 10, nil},
		{"a", 1, 0, -1, kerr.UnknownTopicOrPartition},
		{"a", -1, 0, -1, kerr.UnknownTopicOrPartition},
		{"nosuch", 0, 0, -1, kerr.UnknownTopicOrPartition},
		{"compacted", 0, 5, -1, kerr.PolicyViolation},
		{"both", 0, 5, 5, nil},
		{"__consumer_offsets", 0, 5, -1, kerr.InvalidTopicException},
	} {
		got := call[*kmsg.DeleteRecordsResponse](h, 2, deleteRecordsRequest(tc.topic, tc.partition, tc.offset)).Topics[0].Partitions[0]
		want := int16(0)
		if tc.kind != nil {
			want = tc.kind.Code
		}
		if got.Partition != int32(tc.partition) || got.LowWatermark != tc.low || got.ErrorCode != want {
			t.Errorf("%s-%d to %d: answer %+v, want %d %v", tc.topic, tc.partition, tc.offset, got, tc.low, tc.kind)
		}
	}
}

// Many partitions take one checkpoint, not one each.
func TestDeleteRecords_ManyPartitionsAtOnce(t *testing.T) {
	h := newHarness(t, "log.flush.offset.checkpoint.interval.ms=3600000")
	const n = 20
	h.createTopic("a", n)
	var targets []int64
	for i := range int32(n) {
		h.write("a", i, 2)
		targets = append(targets, int64(i), -1)
	}
	h.fs.StartTrace()
	for _, p := range call[*kmsg.DeleteRecordsResponse](h, 2, deleteRecordsRequest("a", targets...)).Topics[0].Partitions {
		if p.ErrorCode != 0 || p.LowWatermark != 2 {
			t.Errorf("partition %d: answer %+v", p.Partition, p)
		}
	}
	trace := h.fs.Trace()
	if syncs := strings.Count(strings.Join(trace, "\n"), "sync"); syncs == 0 || syncs >= n {
		t.Errorf("%d syncs for %d partitions:\n%s", syncs, n, strings.Join(trace, "\n"))
	}
}

// A log start that is not durable is not acknowledged.
func TestDeleteRecords_NotDurable(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1)
	h.write("a", 0, 2)
	h.fs.SetRule(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncData {
			return vfs.Fault{Err: errors.New("disk error")}
		}
		return vfs.Fault{}
	})
	got := call[*kmsg.DeleteRecordsResponse](h, 2, deleteRecordsRequest("a", 0, 1)).Topics[0].Partitions[0]
	if got.ErrorCode != kerr.KafkaStorageError.Code || got.LowWatermark != -1 {
		t.Errorf("answer %+v, want a storage error", got)
	}
	if !strings.Contains(h.log.String(), "disk error") {
		t.Errorf("log does not tell the cause:\n%s", h.log)
	}
}
