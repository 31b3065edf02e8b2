package test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestFetch_Errors: each partition fails alone, with its own error.
func TestFetch_Errors(t *testing.T) {
	b := startBroker(t, "--set", "auto.create.topics.enable=false")
	createTopic(t, b, "plain", 1)
	w := dial(t, b.addr)
	w.mustProduce("plain", 0, plain("a", "b", "c"))
	for _, c := range []struct {
		name      string
		topic     string
		partition int32
		offset    int64
		want      *kerr.Error
	}{
		{"above the end", "plain", 0, 4, kerr.OffsetOutOfRange},
		{"negative", "plain", 0, -1, kerr.OffsetOutOfRange},
		{"unknown topic", "none", 0, 0, kerr.UnknownTopicOrPartition},
		{"unknown partition", "plain", 1, 0, kerr.UnknownTopicOrPartition},
	} {
		req := fetchRequest(c.topic, c.partition, c.offset)
		req.MaxWaitMillis = int32(2 * patience / time.Millisecond) // an error is not waited with
		if p := w.fetch(req); p.ErrorCode != c.want.Code {
			t.Errorf("%s: error %d, want %v", c.name, p.ErrorCode, c.want)
		}
	}
	req := fetchRequest("plain", 0, 0)
	req.Topics[0].Partitions[0].CurrentLeaderEpoch = 1 << 20
	if p := w.fetch(req); p.ErrorCode != kerr.UnknownLeaderEpoch.Code {
		t.Errorf("leader epoch of the future: error %d, want %v", p.ErrorCode, kerr.UnknownLeaderEpoch)
	}
	byID := fetchRequest("", 0, 0)
	byID.Topics[0].TopicID = [16]byte{1}
	resp := ask[*kmsg.FetchResponse](w, 13, byID)
	if code := resp.Topics[0].Partitions[0].ErrorCode; code != kerr.UnknownTopicID.Code {
		t.Errorf("unknown topic id: error %d, want %v", code, kerr.UnknownTopicID)
	}
}

// TestFetch_Bounds: batches come whole, from the one that holds the offset, and
// the first even if it is larger than was asked for.
func TestFetch_Bounds(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 2)
	w := dial(t, b.addr)
	w.mustProduce("plain", 0, plain(string(noise(100<<10)), "x", "y"))
	w.mustProduce("plain", 0, plain(string(noise(100<<10))))
	w.mustProduce("plain", 1, plain(string(noise(100<<10))))

	for offset := range int64(3) {
		got := heads(t, w.fetch(fetchRequest("plain", 0, offset)).RecordBatches)
		if len(got) != 2 || got[0].FirstOffset != 0 || got[0].NumRecords != 3 || got[1].FirstOffset != 3 {
			t.Errorf("offset %d: got %d batches", offset, len(got))
		}
	}
	small := fetchRequest("plain", 0, 0)
	small.Topics[0].Partitions[0].PartitionMaxBytes = 1
	if got := heads(t, w.fetch(small).RecordBatches); len(got) != 1 || got[0].NumRecords != 3 {
		t.Errorf("partition max bytes 1: got %d batches, want the first", len(got))
	}
	both := fetchRequest("plain", 0, 0)
	both.MaxBytes = 1
	both.Topics[0].Partitions = append(both.Topics[0].Partitions, fetchTopic("plain", 1, 0).Partitions...)
	resp := ask[*kmsg.FetchResponse](w, fetchVersion, both)
	total := 0
	for _, p := range resp.Topics[0].Partitions {
		total += len(heads(t, p.RecordBatches))
	}
	if total != 1 {
		t.Errorf("max bytes 1 over two partitions: got %d batches, want 1", total)
	}
	if p := w.fetch(fetchRequest("plain", 0, 4)); p.ErrorCode != 0 || len(p.RecordBatches) != 0 || p.HighWatermark != 4 || p.LastStableOffset != 4 {
		t.Errorf("at the end: error %d, %d bytes, high watermark %d, last stable offset %d", p.ErrorCode, len(p.RecordBatches), p.HighWatermark, p.LastStableOffset)
	}
}

// TestFetch_Wait: a fetch at the end is answered when enough has come, long
// before its time is up, and without records when its time is up.
func TestFetch_Wait(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 1)
	w, producer := dial(t, b.addr), dial(t, b.addr)
	req := fetchRequest("plain", 0, 0)
	req.MaxWaitMillis = int32(2 * patience / time.Millisecond)
	done := make(chan kmsg.FetchResponseTopicPartition, 1)
	go func() { done <- w.fetch(req) }()
	producer.mustProduce("plain", 0, plain("a"))
	select {
	case p := <-done: // receive gives up before max wait is over
		if got := heads(t, p.RecordBatches); len(got) != 1 || p.HighWatermark != 1 {
			t.Errorf("got %d batches, high watermark %d", len(got), p.HighWatermark)
		}
	case <-time.After(patience):
		t.Fatal("no answer after a record had come")
	}

	req = fetchRequest("plain", 0, 1)
	req.MinBytes = 1000
	req.MaxWaitMillis = 300
	began := time.Now()
	if p := w.fetch(req); p.ErrorCode != 0 || len(p.RecordBatches) != 0 {
		t.Errorf("nothing came: error %d, %d bytes", p.ErrorCode, len(p.RecordBatches))
	}
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("answered after %v with fewer than min bytes, want max wait of 300ms", took)
	}

	req.MaxWaitMillis = int32(2 * patience / time.Millisecond)
	go func() { done <- w.fetch(req) }()
	for range 3 {
		producer.mustProduce("plain", 0, plain(string(noise(500))))
	}
	select {
	case p := <-done:
		if len(p.RecordBatches) < 1000 {
			t.Errorf("answered with %d bytes, want min bytes of 1000", len(p.RecordBatches))
		}
	case <-time.After(patience):
		t.Fatal("no answer after min bytes had come")
	}
}

// sessionRequest is a fetch of a session, of no new partitions.
func sessionRequest(id, epoch int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MinBytes, req.MaxBytes, req.SessionID, req.SessionEpoch = -1, 1, 64<<20, id, epoch
	return req
}

// TestFetch_Session: a session is told what changed and nothing else.
func TestFetch_Session(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 3)
	w, producer := dial(t, b.addr), dial(t, b.addr)
	open := fetchRequest("plain", 0, 0)
	open.SessionEpoch = 0
	open.Topics[0].Partitions = append(open.Topics[0].Partitions, fetchTopic("plain", 1, 0).Partitions...)
	resp := ask[*kmsg.FetchResponse](w, fetchVersion, open)
	id := resp.SessionID
	if id == 0 || resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 2 {
		t.Fatalf("full fetch: session %d, error %d, %+v", id, resp.ErrorCode, resp.Topics)
	}
	step := func(what string, req *kmsg.FetchRequest, want ...int32) {
		t.Helper()
		resp := ask[*kmsg.FetchResponse](w, fetchVersion, req)
		if resp.ErrorCode != 0 || resp.SessionID != id {
			t.Fatalf("%s: session %d, error %d", what, resp.SessionID, resp.ErrorCode)
		}
		var got []int32
		for _, rt := range resp.Topics {
			for _, p := range rt.Partitions {
				got = append(got, p.Partition)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%s: told of partitions %v, want %v", what, got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%s: told of partitions %v, want %v", what, got, want)
			}
		}
	}
	step("nothing new", sessionRequest(id, 1))
	producer.mustProduce("plain", 1, plain("a"))
	step("a record in 1", sessionRequest(id, 2), 1)
	step("not moved on", sessionRequest(id, 3), 1)
	moved := sessionRequest(id, 4)
	moved.Topics = []kmsg.FetchRequestTopic{fetchTopic("plain", 1, 1)}
	step("moved on", moved)
	producer.mustProduce("plain", 2, plain("a"))
	step("a record in 2, not asked for", sessionRequest(id, 5))
	added := sessionRequest(id, 6)
	added.Topics = []kmsg.FetchRequestTopic{fetchTopic("plain", 2, 0)}
	step("2 added", added, 2)
	forgotten := sessionRequest(id, 7)
	forgotten.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: "plain", Partitions: []int32{2}}}
	step("2 forgotten", forgotten)
	sessionErrors(t, w, id, 8)
}

// sessionErrors ends with the session closed.
func sessionErrors(t *testing.T, w *wire, id, epoch int32) {
	t.Helper()
	for _, c := range []struct {
		what      string
		id, epoch int32
		want      *kerr.Error
	}{
		{"epoch of the past", id, epoch - 1, kerr.InvalidFetchSessionEpoch},
		{"epoch of the future", id, epoch + 1, kerr.InvalidFetchSessionEpoch},
		{"unknown session", id ^ 1, epoch, kerr.FetchSessionIDNotFound},
	} {
		if resp := ask[*kmsg.FetchResponse](w, fetchVersion, sessionRequest(c.id, c.epoch)); resp.ErrorCode != c.want.Code {
			t.Errorf("%s: error %d, want %v", c.what, resp.ErrorCode, c.want)
		}
	}
	byID := sessionRequest(id, epoch)
	if resp := ask[*kmsg.FetchResponse](w, 13, byID); resp.ErrorCode != kerr.FetchSessionTopicIDError.Code {
		t.Errorf("topics by id in a session by name: error %d, want %v", resp.ErrorCode, kerr.FetchSessionTopicIDError)
	}
	last := sessionRequest(id, -1)
	if resp := ask[*kmsg.FetchResponse](w, fetchVersion, last); resp.ErrorCode != 0 || resp.SessionID != 0 {
		t.Errorf("final fetch: session %d, error %d", resp.SessionID, resp.ErrorCode)
	}
	if resp := ask[*kmsg.FetchResponse](w, fetchVersion, sessionRequest(id, epoch)); resp.ErrorCode != kerr.FetchSessionIDNotFound.Code {
		t.Errorf("closed session: error %d, want %v", resp.ErrorCode, kerr.FetchSessionIDNotFound)
	}
}

// TestFetch_SessionIdle: an idle session's fetch waits and is woken by a record.
func TestFetch_SessionIdle(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 4)
	c := client(t, b, kgo.ConsumeTopics("plain"), kgo.FetchMaxWait(10*time.Second), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	ctx := within(t, patience)
	for i := range int32(20) {
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: "plain", Partition: i % 4, Value: []byte{byte(i)}}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		for got := false; !got; {
			fetches := c.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				t.Fatalf("record %d: %v", i, err)
			}
			fetches.EachRecord(func(r *kgo.Record) {
				got = true
				if r.Partition != i%4 || r.Offset != int64(i/4) || r.Value[0] != byte(i) {
					t.Errorf("record %d: got partition %d, offset %d", i, r.Partition, r.Offset)
				}
			})
		}
	}
}

// TestFetch_Sendfile: eight consumers read one partition of large batches at the
// same time. Every byte is right, and none of them went through memory.
func TestFetch_Sendfile(t *testing.T) {
	const (
		consumers = 8
		batches   = 64
		size      = 512 << 10
	)
	b := startBroker(t)
	createTopic(t, b, "large", 1, "segment.bytes", "8388608")
	w := dial(t, b.addr)
	var sent []string
	for range batches {
		value := string(noise(size))
		sent = append(sent, value)
		w.mustProduce("large", 0, plain(value))
	}
	errs := make(chan error, consumers)
	began := time.Now()
	for range consumers {
		go func() { errs <- readAll(b, "large", sent) }()
	}
	for range consumers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d consumers read %d MiB each in %v", consumers, batches*size>>20, time.Since(began).Round(time.Millisecond))
	if got := b.metric(`sordini_fetch_bytes_total{path="sendfile"}`); got < consumers*batches*size {
		t.Errorf("%.0f bytes by sendfile, want at least %d", got, consumers*batches*size)
	}
	if got := b.metric(`sordini_fetch_bytes_total{path="copy"}`); got != 0 {
		t.Errorf("%.0f bytes copied through memory", got)
	}
}
