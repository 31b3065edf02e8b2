package mutate

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func request(version int16) *kmsg.DeleteRecordsRequest {
	req := kmsg.NewPtrDeleteRecordsRequest()
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic, t.Partitions = "topic", []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 1, Offset: 2}}
	req.Topics = append(req.Topics, t)
	req.SetVersion(version)
	return req
}

// TestOf: each mutation changes what is sent, and the request it was made from is
// as before.
func TestOf(t *testing.T) {
	for version := int16(0); version <= 2; version++ {
		usual := request(version).AppendTo(nil)
		like := request(version)
		kinds := make(map[string]bool)
		for _, m := range Of(like, "unknown") {
			kinds[m.Field+" "+m.Kind] = true
			req := request(version)
			body := m.Apply(req)
			if body == nil {
				body = req.AppendTo(nil)
			}
			if bytes.Equal(body, usual) {
				t.Errorf("version %d: %s %s changes nothing", version, m.Field, m.Kind)
			}
		}
		if !bytes.Equal(like.AppendTo(nil), usual) {
			t.Errorf("version %d: the request has changed", version)
		}
		for _, kind := range []string{"Topics null", "Topics doubled", "Topics.Topic null", "Topics.Topic long", "Topics.Partitions.Offset lowest"} {
			if !kinds[kind] {
				t.Errorf("version %d: no mutation %s", version, kind)
			}
		}
	}
}

// TestNull: where kmsg has no null, the length becomes one.
func TestNull(t *testing.T) {
	for version, want := range map[int16][]byte{1: {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 2: {0, 0, 0, 0, 0, 0}} {
		for _, m := range Of(request(version), "unknown") {
			if m.Field == "Topics" && m.Kind == "null" {
				req := request(version)
				req.TimeoutMillis = 0
				if got := m.Apply(req); !bytes.Equal(got, want) {
					t.Errorf("version %d: %x, want %x", version, got, want)
				}
			}
		}
	}
}
