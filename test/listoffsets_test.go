package test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Timestamps with a meaning of their own.
const (
	latest       = -1
	earliest     = -2
	maxTimestamp = -3
)

// listOffset asks for one partition and returns offset and timestamp.
func listOffset(w *wire, topic string, timestamp int64) (offset, at int64) {
	w.t.Helper()
	p := tryListOffset(w, topic, 0, timestamp)
	if p.ErrorCode != 0 {
		w.t.Fatalf("ListOffsets at %d: error %d", timestamp, p.ErrorCode)
	}
	return p.Offset, p.Timestamp
}

func tryListOffset(w *wire, topic string, partition int32, timestamp int64) kmsg.ListOffsetsResponseTopicPartition {
	w.t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Partition, rp.Timestamp = partition, timestamp
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return ask[*kmsg.ListOffsetsResponse](w, 7, req).Topics[0].Partitions[0]
}

// TestListOffsets compares lookups by timestamp with a model: the first offset
// whose record has a timestamp at or after the one asked for.
func TestListOffsets(t *testing.T) {
	const seed = 7
	b := startBroker(t)
	const topic = "times"
	createTopic(t, b, topic, 1, "segment.bytes", "1048576", "index.interval.bytes", "1024")
	w := dial(t, b.addr)
	if offset, at := listOffset(w, topic, maxTimestamp); offset != -1 || at != -1 {
		t.Errorf("empty log: largest timestamp is at offset %d, time %d", offset, at)
	}
	rnd := rand.New(rand.NewPCG(seed, seed))
	base := time.Now().Add(-time.Hour).UnixMilli()
	var model []int64 // timestamps by offset
	for i := range 300 {
		batch := plain()
		for range 1 + rnd.IntN(8) {
			// Time rises on the whole, and records are out of order by up to 20 batches.
			at := base + int64(i)*100 + rnd.Int64N(2000)
			value := make([]byte, 2048)
			for j := range value {
				value[j] = byte(rnd.Uint32())
			}
			batch.records = append(batch.records, rec{value: value, timestamp: at})
			model = append(model, at)
		}
		batch.codec = codecs[i%len(codecs)].codec
		w.mustProduce(topic, 0, batch)
	}
	for _, when := range []struct {
		name string
		do   func()
	}{{"at once", func() {}}, {"after a restart", b.restart}, {"after kill -9", b.crash}} {
		t.Run(when.name, func(t *testing.T) {
			when.do()
			compareTimes(t, dial(t, b.addr), topic, model, base)
		})
	}
}

func compareTimes(t *testing.T, w *wire, topic string, model []int64, base int64) {
	if offset, _ := listOffset(w, topic, earliest); offset != 0 {
		t.Errorf("earliest offset is %d", offset)
	}
	if offset, _ := listOffset(w, topic, latest); offset != int64(len(model)) {
		t.Errorf("latest offset is %d, want %d", offset, len(model))
	}
	first, last := int64(0), int64(0)
	for i, at := range model {
		if at > last {
			first, last = int64(i), at
		}
	}
	if offset, at := listOffset(w, topic, maxTimestamp); offset != first || at != last {
		t.Errorf("largest timestamp is %d at offset %d, want %d at %d", at, offset, last, first)
	}
	for ts := base - 100; ts <= last+100; ts += 37 {
		offset, at := listOffset(w, topic, ts)
		if err := wantTime(model, ts, offset, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, ts := range []int64{0, base - 1, last, last + 1, 1 << 60} {
		offset, at := listOffset(w, topic, ts)
		if err := wantTime(model, ts, offset, at); err != nil {
			t.Error(err)
		}
	}
}

func wantTime(model []int64, ts, offset, at int64) error {
	wantOffset, wantAt := int64(-1), int64(-1)
	for i, m := range model {
		if m >= ts {
			wantOffset, wantAt = int64(i), m
			break
		}
	}
	if offset != wantOffset || at != wantAt {
		return fmt.Errorf("time %d: offset %d with time %d, want %d with %d", ts, offset, at, wantOffset, wantAt)
	}
	return nil
}
