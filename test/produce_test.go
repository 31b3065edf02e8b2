package test

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// noise is n bytes that do not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func altered(b []byte, change func([]byte)) []byte {
	b = bytes.Clone(b)
	change(b)
	return b
}

// TestProduce_Refused sends what may not be stored. Each gets its error, and
// nothing of it is in the log afterwards.
func TestProduce_Refused(t *testing.T) {
	b := startBroker(t, "--set", "auto.create.topics.enable=false")
	createTopic(t, b, "plain", 1)
	createTopic(t, b, "compacted", 1, "cleanup.policy", "compact")
	w := dial(t, b.addr)
	good := plain("a", "b").encode(t)
	late := plain("a")
	late.records[0].timestamp = time.Now().Add(3 * time.Hour).UnixMilli()
	for _, c := range []struct {
		name      string
		topic     string
		partition int32
		acks      int16
		records   []byte
		want      *kerr.Error
	}{
		{"unknown topic", "none", 0, -1, good, kerr.UnknownTopicOrPartition},
		{"unknown partition", "plain", 1, -1, good, kerr.UnknownTopicOrPartition},
		{"negative partition", "plain", -1, -1, good, kerr.UnknownTopicOrPartition},
		{"acks 2", "plain", 0, 2, good, kerr.InvalidRequiredAcks},
		{"acks -2", "plain", 0, -2, good, kerr.InvalidRequiredAcks},
		{"too large", "plain", 0, -1, plain(string(noise(1100 << 10))).encode(t), kerr.MessageTooLarge},
		{"bad checksum", "plain", 0, -1, altered(good, func(b []byte) { b[len(b)-1]++ }), kerr.CorruptMessage},
		{"length too long", "plain", 0, -1, altered(good, func(b []byte) { b[lengthAt+3]++ }), kerr.InvalidRecord},
		{"length negative", "plain", 0, -1, altered(good, func(b []byte) { b[lengthAt] = 0xff }), kerr.CorruptMessage},
		{"magic 1", "plain", 0, -1, altered(good, func(b []byte) { b[magicAt] = 1 }), kerr.InvalidRecord},
		{"two batches", "plain", 0, -1, append(bytes.Clone(good), good...), kerr.InvalidRecord},
		{"empty records", "plain", 0, -1, []byte{}, kerr.InvalidRecord},
		{"no key on a compacted topic", "compacted", 0, -1, good, kerr.InvalidRecord},
		{"time in the future", "plain", 0, -1, late.encode(t), kerr.InvalidTimestamp},
		{"codec 7", "plain", 0, -1, seal(altered(good, func(b []byte) { b[crcAt+5] |= 7 })), kerr.UnsupportedCompressionType},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &wire{t: t, conn: w.conn, next: w.next}
			p := w.produceAcks(c.topic, c.partition, c.acks, c.records)
			if p.ErrorCode != c.want.Code {
				t.Errorf("got error %d %v, want %v", p.ErrorCode, kerr.ErrorForCode(p.ErrorCode), c.want)
			}
			if p.BaseOffset != -1 {
				t.Errorf("base offset %d of what was refused", p.BaseOffset)
			}
		})
	}
	for _, topic := range []string{"plain", "compacted"} {
		if end := endOffsets(t, b, topic)[0]; end != 0 {
			t.Errorf("%s ends at %d after refused requests only", topic, end)
		}
	}
}

// TestProduce_NullRecords: null stands for no batch; nothing may be stored.
func TestProduce_NullRecords(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 1)
	w := dial(t, b.addr)
	if p := w.produce("plain", 0, nil); p.ErrorCode == 0 {
		t.Errorf("null records were taken at offset %d", p.BaseOffset)
	}
	if base := w.mustProduce("plain", 0, plain("a")); base != 0 {
		t.Errorf("base offset %d after null records, want 0", base)
	}
}

// TestProduce_RecordErrors: the records at fault are named (KIP-467).
func TestProduce_RecordErrors(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "compacted", 1, "cleanup.policy", "compact")
	batch := plain("a", "b", "c")
	batch.records[0].key = []byte("k")
	batch.records[2].key = []byte("k")
	p := dial(t, b.addr).produce("compacted", 0, batch.encode(t))
	if p.ErrorCode != kerr.InvalidRecord.Code || len(p.ErrorRecords) != 1 || p.ErrorRecords[0].RelativeOffset != 1 {
		t.Errorf("got error %d and records %+v, want INVALID_RECORD and record 1", p.ErrorCode, p.ErrorRecords)
	}
	if p.ErrorMessage == nil || *p.ErrorMessage == "" {
		t.Error("no message for the batch")
	}
}

// TestProduce_NoAcks: a request that wants no answer gets none, and the end of
// the connection if it fails.
func TestProduce_NoAcks(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 1)
	w := dial(t, b.addr)
	req := produceRequest("plain", 0, 0, plain("a").encode(t))
	req.SetVersion(produceVersion)
	if _, err := w.send(req); err != nil {
		t.Fatal(err)
	}
	if base := w.mustProduce("plain", 0, plain("b")); base != 1 {
		t.Errorf("base offset %d after a request with acks=0, want 1", base)
	}
	bad := plain("a").encode(t)
	bad[len(bad)-1]++
	w.wantClosed(produceRequest("plain", 0, 0, bad), produceVersion)
	if end := endOffsets(t, b, "plain")[0]; end != 2 {
		t.Errorf("log ends at %d, want 2", end)
	}
}

// producerID gets an id for an idempotent producer.
func producerID(w *wire) int64 {
	w.t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = 60_000, -1, -1
	resp := ask[*kmsg.InitProducerIDResponse](w, 4, req)
	if resp.ErrorCode != 0 || resp.ProducerID < 0 || resp.ProducerEpoch != 0 {
		w.t.Fatalf("InitProducerId: %+v", resp)
	}
	return resp.ProducerID
}

// TestProduce_Idempotent: repeated batches are answered and not stored again,
// gaps and producers of the past are refused; also after restart and kill -9.
func TestProduce_Idempotent(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 1)
	w := dial(t, b.addr)
	first, second := producerID(w), producerID(w)
	if first == second {
		t.Fatalf("producer id %d given twice", first)
	}
	w.mustProduce("plain", 0, plain("before"))
	var stored []batchOf
	for i := range int32(5) {
		stored = append(stored, plain("a", "b").from(first, 0, i*2))
	}
	for i, batch := range stored {
		if base := w.mustProduce("plain", 0, batch); base != int64(1+i*2) {
			t.Fatalf("batch %d got base offset %d", i, base)
		}
	}
	check := func(t *testing.T) {
		w := dial(t, b.addr)
		for i, batch := range stored {
			if base := w.mustProduce("plain", 0, batch); base != int64(1+i*2) {
				t.Errorf("duplicate of batch %d: base offset %d, want %d", i, base, 1+i*2)
			}
		}
		for name, c := range map[string]struct {
			batch batchOf
			want  *kerr.Error
		}{
			"gap":              {plain("c").from(first, 0, 11), kerr.OutOfOrderSequenceNumber},
			"repeated in part": {plain("c").from(first, 0, 9), kerr.OutOfOrderSequenceNumber},
			"epoch not at 0":   {plain("c").from(first, 1, 10), kerr.OutOfOrderSequenceNumber},
		} {
			if p := w.produce("plain", 0, c.batch.encode(t)); p.ErrorCode != c.want.Code {
				t.Errorf("%s: got error %d, want %v", name, p.ErrorCode, c.want)
			}
		}
		if end := endOffsets(t, b, "plain")[0]; end != 11 {
			t.Errorf("log ends at %d, want 11", end)
		}
	}
	t.Run("at once", check)
	b.restart()
	t.Run("after a restart", check)
	b.crash()
	t.Run("after kill -9", check)
	w = dial(t, b.addr)
	if third := producerID(w); third == first || third == second {
		t.Errorf("producer id %d given again after kill -9", third)
	}
	w.mustProduce("plain", 0, plain("d").from(first, 1, 0))
	if p := w.produce("plain", 0, plain("e").from(first, 0, 10).encode(t)); p.ErrorCode != kerr.InvalidProducerEpoch.Code {
		t.Errorf("old epoch: got error %d, want %v", p.ErrorCode, kerr.InvalidProducerEpoch)
	}
}

// TestProduce_LogAppendTime: the server's time is told and stored.
func TestProduce_LogAppendTime(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "stamped", 1, "message.timestamp.type", "LogAppendTime")
	before := time.Now().UnixMilli()
	batch := plain("a", "b")
	batch.records[0].timestamp, batch.records[1].timestamp = 1, 2
	p := dial(t, b.addr).produce("stamped", 0, batch.encode(t))
	after := time.Now().UnixMilli()
	if p.ErrorCode != 0 || p.LogAppendTime < before || p.LogAppendTime > after {
		t.Fatalf("append time %d (error %d), want %d to %d", p.LogAppendTime, p.ErrorCode, before, after)
	}
	n := 0
	consume(t, b, "stamped", func(r *kgo.Record) {
		n++
		if at := r.Timestamp.UnixMilli(); at != p.LogAppendTime {
			t.Errorf("record %d has time %d, want %d", r.Offset, at, p.LogAppendTime)
		}
	})
	if n != 2 {
		t.Errorf("%d records, want 2", n)
	}
}

// TestProduce_Pipelined sends many requests before it reads an answer: they come
// in order, and so do the offsets.
func TestProduce_Pipelined(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "plain", 1)
	w := dial(t, b.addr)
	const requests = 500
	sent := make(chan error, 1)
	go func() {
		for i := range requests {
			req := produceRequest("plain", 0, -1, plain(strings.Repeat("x", i)).encode(t))
			req.SetVersion(produceVersion)
			if _, err := w.send(req); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range requests {
		id, body, err := w.receive()
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		resp := kmsg.NewPtrProduceResponse()
		resp.Version = produceVersion
		if err := resp.ReadFrom(body[1:]); err != nil {
			t.Fatal(err)
		}
		p := resp.Topics[0].Partitions[0]
		if id != int32(i+1) || p.ErrorCode != 0 || p.BaseOffset != int64(i) {
			t.Fatalf("answer %d: correlation id %d, error %d, offset %d", i, id, p.ErrorCode, p.BaseOffset)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}
