package test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// codecs are all compression codecs, by the names that users give.
var codecs = []struct {
	name  string
	codec kgo.CompressionCodec
}{
	{"none", kgo.NoCompression()},
	{"gzip", kgo.GzipCompression()},
	{"snappy", kgo.SnappyCompression()},
	{"lz4", kgo.Lz4Compression()},
	{"zstd", kgo.ZstdCompression()},
}

// usualRecords is how many records the round trip has.
func usualRecords() int {
	switch {
	case raceEnabled:
		return 100_000
	case testing.Short():
		return 50_000
	}
	return 1_000_000
}

// TestRoundTrip produces with franz-go, idempotent and thus with up to five
// requests in flight, in all codecs over 16 partitions, and reads everything back in order,
// complete and once: at once, after a restart and after kill -9.
func TestRoundTrip(t *testing.T) {
	const partitions = 16
	b := startBroker(t)
	each := number(t, "SORDINI_TEST_RECORDS", usualRecords()) / len(codecs) / partitions
	total := each * partitions * len(codecs)
	began := time.Now()
	for _, c := range codecs {
		createTopic(t, b, c.name, partitions)
		produceNumbered(t, b, c.name, c.codec, partitions, each)
	}
	took := time.Since(began)
	t.Logf("%d records produced in %v: %.0f records/s", total, took.Round(time.Millisecond), float64(total)/took.Seconds())
	for _, when := range []struct {
		name string
		do   func()
	}{{"at once", func() {}}, {"after a restart", b.restart}, {"after kill -9", b.crash}} {
		when.do()
		began := time.Now()
		for _, c := range codecs {
			verifyNumbered(t, b, c.name, partitions, each)
		}
		took := time.Since(began)
		t.Logf("%d records read %s in %v: %.0f records/s", total, when.name, took.Round(time.Millisecond), float64(total)/took.Seconds())
	}
}

// produceNumbered writes each records to every partition, numbered from 0.
func produceNumbered(t *testing.T, b *broker, topic string, codec kgo.CompressionCodec, partitions, each int) {
	t.Helper()
	c := client(t, b, kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(2*time.Millisecond))
	defer c.Close()
	ctx := within(t, 5*patience)
	var failed atomic.Pointer[error]
	for i := range each {
		for p := range partitions {
			r := &kgo.Record{Partition: int32(p), Key: numberKey(p, i), Value: numberValue(p, i)}
			c.Produce(ctx, r, func(r *kgo.Record, err error) {
				if err == nil && r.Offset != int64(i) {
					err = fmt.Errorf("record %d of partition %d was acknowledged at offset %d", i, p, r.Offset)
				}
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			})
		}
	}
	if err := c.Flush(ctx); err != nil {
		t.Fatalf("produce to %s: %v", topic, err)
	}
	if err := failed.Load(); err != nil {
		t.Fatalf("produce to %s: %v", topic, *err)
	}
}

func verifyNumbered(t *testing.T, b *broker, topic string, partitions, each int) {
	t.Helper()
	next := make([]int, partitions)
	consume(t, b, topic, func(r *kgo.Record) {
		p := int(r.Partition)
		i := next[p]
		if r.Offset != int64(i) || string(r.Key) != string(numberKey(p, i)) || string(r.Value) != string(numberValue(p, i)) {
			t.Fatalf("%s-%d: record at offset %d with key %x is not the one of %d", topic, p, r.Offset, r.Key, i)
		}
		next[p]++
	})
	for p, n := range next {
		if n != each {
			t.Errorf("%s-%d: %d records, want %d", topic, p, n, each)
		}
	}
}

func numberKey(partition, i int) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(partition)<<32|uint64(i))
}

// numberValue is 20 to 147 bytes that compress by about half.
func numberValue(partition, i int) []byte {
	r := rand.NewPCG(uint64(partition), uint64(i))
	v := make([]byte, 20+i%128)
	for j := 0; j+8 <= len(v); j += 16 {
		binary.BigEndian.PutUint64(v[j:], r.Uint64())
	}
	return v
}
