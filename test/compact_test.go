package test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const compactTopic = "compacted"

// compactWriter appends records of which each knows its offset, and remembers the
// last one of each key.
type compactWriter struct {
	t    *testing.T
	c    *kgo.Client
	next int64
	last map[string]int64 // by key; negative for a tombstone

	segment int // segment.bytes
}

func (w *compactWriter) send(key string, tombstone bool) {
	offset := w.next
	w.next++
	r := &kgo.Record{Key: []byte(key)}
	w.last[key] = offset
	if tombstone {
		w.last[key] = -1
	} else {
		r.Value = compactValue(offset)
	}
	w.c.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		if err == nil && r.Offset != offset {
			err = fmt.Errorf("acknowledged at %d", r.Offset)
		}
		if err != nil {
			w.t.Errorf("record %d: %v", offset, err)
		}
	})
}

func (w *compactWriter) flush() {
	w.t.Helper()
	if err := w.c.Flush(within(w.t, 5*patience)); err != nil {
		w.t.Fatal(err)
	}
}

// fill appends more than a segment of records, so that all before them can be
// compacted.
func (w *compactWriter) fill() {
	for i := range w.segment / 60 {
		w.send(fmt.Sprintf("filler-%d", i), false)
	}
	w.flush()
}

// compactValue tells its offset, is of a length of its own, and does not compress.
func compactValue(offset int64) []byte {
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 120), uint64(offset))
	r := rand.NewPCG(uint64(offset), 0)
	for len(v) < 60+int(offset%40) {
		v = binary.BigEndian.AppendUint64(v, r.Uint64())
	}
	return v
}

// checkCompacted says what is wrong with a record, if anything.
func checkCompacted(r *kgo.Record) error {
	if r.Value != nil && string(r.Value) != string(compactValue(r.Offset)) {
		return fmt.Errorf("record %d holds what was written at %x", r.Offset, r.Value[:8])
	}
	return nil
}

// compacted is what a reader has found.
type compacted struct {
	records, tombstones int
	last                map[string]int64
}

func readCompacted(t *testing.T, b *broker) compacted {
	t.Helper()
	found := compacted{last: map[string]int64{}}
	next := int64(0)
	consume(t, b, compactTopic, func(r *kgo.Record) {
		if err := checkCompacted(r); err != nil {
			t.Fatal(err)
		}
		if r.Offset < next {
			t.Fatalf("record %d after %d", r.Offset, next-1)
		}
		next = r.Offset + 1
		found.records++
		found.last[string(r.Key)] = r.Offset
		if r.Value == nil {
			found.tombstones++
			found.last[string(r.Key)] = -1
		}
	})
	return found
}

// check compares what was found with what was written.
func (w *compactWriter) check(found compacted) {
	w.t.Helper()
	for key, offset := range w.last {
		got, ok := found.last[key]
		if offset < 0 && !ok {
			continue // a tombstone that has expired
		}
		if got != offset {
			w.t.Fatalf("key %s: last record at %d (%v), want %d", key, got, ok, offset)
		}
	}
}

// TestCompaction writes many records of few keys while the server compacts and
// consumers read, and looks for the last record of each key, unchanged offsets, and
// the end of tombstones; also after kill -9.
func TestCompaction(t *testing.T) {
	usual := 1_000_000
	if raceEnabled || testing.Short() {
		usual = 200_000
	}
	records := number(t, "SORDINI_TEST_RECORDS", usual)
	keys, segment := max(records/100, 10), max(1<<20, records)
	b := startBroker(t, "--set", "log.cleaner.backoff.ms=100")
	createTopic(t, b, compactTopic, 1, "cleanup.policy", "compact", "segment.bytes", fmt.Sprint(segment),
		"delete.retention.ms", "500", "min.cleanable.dirty.ratio", "0.2", "flush.policy", "async")
	refuseKeyless(t, b)
	w := &compactWriter{t: t, segment: segment, last: map[string]int64{}, c: client(t, b, kgo.DefaultProduceTopic(compactTopic),
		kgo.ProducerLinger(2*time.Millisecond), kgo.MaxBufferedRecords(50_000))}
	readers := readAlong(t, b, 2)
	began := time.Now()
	for i := range records {
		w.send(fmt.Sprintf("key-%d", (i*7919)%keys), false)
	}
	for i := range keys / 10 {
		w.send(fmt.Sprintf("key-%d", i*10), true)
	}
	w.fill()
	t.Logf("%d records of %d keys written in %v", w.next, keys, time.Since(began).Round(time.Millisecond))
	var found compacted
	eventually(t, "compaction", func() error {
		if found = readCompacted(t, b); found.records > 4*len(w.last) {
			return fmt.Errorf("%d records of %d keys", found.records, len(w.last))
		}
		return nil
	})
	w.check(found)
	b.crash()
	w.check(readCompacted(t, b))
	eventually(t, "the end of tombstones", func() error {
		w.fill()
		found = readCompacted(t, b)
		if found.tombstones > 0 {
			return fmt.Errorf("%d tombstones", found.tombstones)
		}
		return nil
	})
	w.check(found)
	readers()
	t.Logf("%v in all; %d records left, %v bytes read and %v written by compaction since the kill", time.Since(began).Round(time.Millisecond), found.records,
		b.metric("sordini_cleaner_read_bytes_total"), b.metric("sordini_cleaner_written_bytes_total"))
	if n := b.metric("sordini_cleaner_uncleanable_partitions"); n != 0 {
		t.Errorf("%v partitions are uncleanable", n)
	}
}

// refuseKeyless: a compacted topic takes no record without a key.
func refuseKeyless(t *testing.T, b *broker) {
	t.Helper()
	c := client(t, b, kgo.DefaultProduceTopic(compactTopic))
	defer c.Close()
	err := c.ProduceSync(within(t, patience), &kgo.Record{Value: []byte("x")}).FirstErr()
	if !errors.Is(err, kerr.InvalidRecord) {
		t.Errorf("a record without a key: %v, want INVALID_RECORD", err)
	}
}

// readAlong reads the topic from its start, again and again, until the returned
// function is called.
func readAlong(t *testing.T, b *broker, n int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var read atomic.Int64
	for range n {
		running.Go(func() {
			for ctx.Err() == nil {
				c := client(t, b, kgo.ConsumeTopics(compactTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
				next := int64(0)
				for idle := 0; idle < 2 && ctx.Err() == nil; {
					poll, done := context.WithTimeout(ctx, 200*time.Millisecond)
					fetches := c.PollFetches(poll)
					done()
					fetches.EachError(func(_ string, _ int32, err error) {
						var code *kerr.Error
						if errors.As(err, &code) {
							t.Errorf("consumer: %v", err)
						}
					})
					if fetches.NumRecords() == 0 {
						idle++
					}
					fetches.EachRecord(func(r *kgo.Record) {
						if err := checkCompacted(r); err != nil || r.Offset < next {
							t.Errorf("consumer after %d: record %d, %v", next-1, r.Offset, err)
						}
						next = r.Offset + 1
						read.Add(1)
					})
				}
				c.Close()
			}
		})
	}
	return func() {
		cancel()
		running.Wait()
		t.Logf("%d records read along", read.Load())
	}
}
