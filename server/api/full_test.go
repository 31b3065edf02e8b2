package api

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestFullDisk: what takes space is refused with the reason, what frees it is not.
func TestFullDisk(t *testing.T) {
	h := newHarness(t)
	h.createTopic("t", 1)
	h.write("t", 0, 3)
	limit := func(ratio string) {
		t.Helper()
		req := kmsg.NewPtrAlterConfigsRequest()
		r := kmsg.NewAlterConfigsRequestResource()
		r.ResourceType = kmsg.ConfigResourceTypeBroker
		c := kmsg.NewAlterConfigsRequestResourceConfig()
		c.Name, c.Value = "log.disk.full.ratio", &ratio
		r.Configs = append(r.Configs, c)
		req.Resources = append(req.Resources, r)
		if got := call[*kmsg.AlterConfigsResponse](h, 1, req).Resources[0]; got.ErrorCode != 0 {
			t.Fatal(text(got.ErrorMessage))
		}
	}
	limit("1.0E-12")

	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "new", 1, 1
	create.Topics = append(create.Topics, topic)
	for _, v := range h.versions(create) {
		got := call[*kmsg.CreateTopicsResponse](h, v, create).Topics[0]
		if got.ErrorCode != kerr.KafkaStorageError.Code || v > 0 && !strings.Contains(text(got.ErrorMessage), testData) {
			t.Errorf("CreateTopics version %d: %d %s", v, got.ErrorCode, text(got.ErrorMessage))
		}
	}
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group = "g"
	ct := kmsg.NewOffsetCommitRequestTopic()
	ct.Topic, ct.Partitions = "t", []kmsg.OffsetCommitRequestTopicPartition{kmsg.NewOffsetCommitRequestTopicPartition()}
	commit.Topics = append(commit.Topics, ct)
	for _, v := range h.versions(commit) {
		if got := call[*kmsg.OffsetCommitResponse](h, v, commit).Topics[0].Partitions[0].ErrorCode; got != kerr.KafkaStorageError.Code {
			t.Errorf("OffsetCommit version %d: %d", v, got)
		}
	}
	name := "auto"
	md := kmsg.NewPtrMetadataRequest()
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic, md.AllowAutoTopicCreation = &name, true
	md.Topics = append(md.Topics, mt)
	if got := call[*kmsg.MetadataResponse](h, 8, md).Topics[0].ErrorCode; got != kerr.KafkaStorageError.Code {
		t.Errorf("Metadata of a new topic: %d", got)
	}
	records := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic, rt.Partitions = "t", []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: 2}}
	records.Topics = append(records.Topics, rt)
	if got := call[*kmsg.DeleteRecordsResponse](h, 1, records).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.LowWatermark != 2 {
		t.Errorf("DeleteRecords: %+v", got)
	}

	limit("1.0")
	if got := call[*kmsg.CreateTopicsResponse](h, 1, create).Topics[0]; got.ErrorCode != 0 {
		t.Errorf("CreateTopics with space: %d %s", got.ErrorCode, text(got.ErrorMessage))
	}
}
