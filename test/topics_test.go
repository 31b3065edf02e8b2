package test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeTopic asks for one topic by name, with auto-creation if create.
func describeTopic(w *wire, name string, create bool) kmsg.MetadataResponseTopic {
	w.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = &name
	req.Topics = []kmsg.MetadataRequestTopic{rt}
	req.AllowAutoTopicCreation = create
	resp := ask[*kmsg.MetadataResponse](w, 12, req)
	if len(resp.Topics) != 1 {
		w.t.Fatalf("asked for one topic, got %d", len(resp.Topics))
	}
	return resp.Topics[0]
}

// TestMetadata_AutoCreate: a topic that is created on the way is complete in the
// same answer, and can be written to at once.
func TestMetadata_AutoCreate(t *testing.T) {
	b := startBroker(t, "--set", "num.partitions=3")
	w := dial(t, b.addr)
	if got := describeTopic(w, "new", false); got.ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("creation not allowed: error %d, want %v", got.ErrorCode, kerr.UnknownTopicOrPartition)
	}
	got := describeTopic(w, "new", true)
	if got.ErrorCode != 0 || len(got.Partitions) != 3 || got.TopicID == [16]byte{} {
		t.Fatalf("created topic: error %d, %d partitions, id %x", got.ErrorCode, len(got.Partitions), got.TopicID)
	}
	for _, p := range got.Partitions {
		if p.ErrorCode != 0 || p.Leader != 1 || len(p.Replicas) != 1 || len(p.ISR) != 1 {
			t.Errorf("partition %d: error %d, leader %d, replicas %v, in sync %v", p.Partition, p.ErrorCode, p.Leader, p.Replicas, p.ISR)
		}
		w.mustProduce("new", p.Partition, plain("a"))
	}
	if got := describeTopic(w, "no/such?name", true); got.ErrorCode != kerr.InvalidTopicException.Code {
		t.Errorf("bad name: error %d, want %v", got.ErrorCode, kerr.InvalidTopicException)
	}
	off := startBroker(t, "--set", "auto.create.topics.enable=false")
	if got := describeTopic(dial(t, off.addr), "new", true); got.ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("creation turned off: error %d, want %v", got.ErrorCode, kerr.UnknownTopicOrPartition)
	}
}

// TestTopicID: the id lives as long as the topic, and its records with it.
func TestTopicID(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 1)
	w := dial(t, b.addr)
	id := describeTopic(w, "plain", false).TopicID
	w.mustProduce("plain", 0, plain("a"))
	b.restart()
	w = dial(t, b.addr)
	if got := describeTopic(w, "plain", false).TopicID; got != id {
		t.Errorf("id %x after a restart, was %x", got, id)
	}
	b.crash()
	w = dial(t, b.addr)
	if got := describeTopic(w, "plain", false).TopicID; got != id {
		t.Errorf("id %x after kill -9, was %x", got, id)
	}
	deleteTopic(t, b, "plain")
	createTopic(t, b, "plain", 1)
	if got := describeTopic(w, "plain", false).TopicID; got == id || got == [16]byte{} {
		t.Errorf("id %x after the topic was created again, was %x", got, id)
	}
	if base := w.mustProduce("plain", 0, plain("b")); base != 0 {
		t.Errorf("first record of the new topic got offset %d", base)
	}
	b.crash()
	if end := endOffsets(t, b, "plain")[0]; end != 1 {
		t.Errorf("the new topic ends at %d after kill -9, want 1", end)
	}
}

// TestDeleteTopic_Consumed: a consumer that waits for records is told at once.
func TestDeleteTopic_Consumed(t *testing.T) {
	b := startBroker(t, "--set", "auto.create.topics.enable=false")
	createTopic(t, b, "plain", 1)
	w := dial(t, b.addr)
	w.mustProduce("plain", 0, plain("a"))
	req := fetchRequest("plain", 0, 1)
	req.MaxWaitMillis = int32(2 * patience / time.Millisecond)
	done := make(chan kmsg.FetchResponseTopicPartition, 1)
	go func() { done <- w.fetch(req) }()
	deleteTopic(t, b, "plain")
	select {
	case p := <-done:
		if p.ErrorCode != kerr.UnknownTopicOrPartition.Code {
			t.Errorf("waiting fetch: error %d, want %v", p.ErrorCode, kerr.UnknownTopicOrPartition)
		}
	case <-time.After(patience):
		t.Fatal("the fetch still waits after the topic was deleted")
	}
	if p := dial(t, b.addr).produce("plain", 0, plain("b").encode(t)); p.ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("produce: error %d, want %v", p.ErrorCode, kerr.UnknownTopicOrPartition)
	}
	b.crash()
	if got := describeTopic(dial(t, b.addr), "plain", false); got.ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("the topic is back after kill -9: error %d", got.ErrorCode)
	}
}

// TestDeleteRecords moves the start of a log for good.
func TestDeleteRecords(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 1)
	w := dial(t, b.addr)
	for i := range 10 {
		w.mustProduce("plain", 0, plain(fmt.Sprint(i), "x"))
	}
	adm := kadm.NewClient(client(t, b))
	var offsets kadm.Offsets
	remove := func(at int64) (int64, error) {
		offsets = kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: "plain", At: at})
		r, err := adm.DeleteRecords(within(t, patience), offsets)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := r.Lookup("plain", 0)
		return got.LowWatermark, got.Err
	}
	if low, err := remove(7); err != nil || low != 7 {
		t.Fatalf("delete below 7: low watermark %d, %v", low, err)
	}
	if low, err := remove(3); err != nil || low != 7 {
		t.Errorf("delete below 3 afterwards: low watermark %d, %v", low, err)
	}
	if _, err := remove(21); !errors.Is(err, kerr.OffsetOutOfRange) {
		t.Errorf("delete beyond the end: %v, want %v", err, kerr.OffsetOutOfRange)
	}
	check := func(when string, start int64) {
		t.Helper()
		w := dial(t, b.addr)
		if got, _ := listOffset(w, "plain", earliest); got != start {
			t.Errorf("%s: log starts at %d, want %d", when, got, start)
		}
		if p := w.fetch(fetchRequest("plain", 0, start-1)); p.ErrorCode != kerr.OffsetOutOfRange.Code {
			t.Errorf("%s: fetch below the start: error %d", when, p.ErrorCode)
		}
		if p := w.fetch(fetchRequest("plain", 0, start)); p.ErrorCode != 0 || p.LogStartOffset != start {
			t.Errorf("%s: fetch at the start: error %d, start %d", when, p.ErrorCode, p.LogStartOffset)
		}
	}
	check("at once", 7)
	b.restart()
	check("after a restart", 7)
	b.crash()
	check("after kill -9", 7)
	if low, err := remove(-1); err != nil || low != 20 {
		t.Errorf("delete all: low watermark %d, %v", low, err)
	}
	check("emptied", 20)
	b.crash()
	check("emptied, after kill -9", 20)
	if base := dial(t, b.addr).mustProduce("plain", 0, plain("a")); base != 20 {
		t.Errorf("the next record got offset %d, want 20", base)
	}
}
