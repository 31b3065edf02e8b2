package test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// client returns a franz-go client of the broker.
func client(t testing.TB, b *broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	usual := []kgo.Opt{
		kgo.SeedBrokers(b.addr),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.MetadataMinAge(20 * time.Millisecond),
	}
	c, err := kgo.NewClient(append(usual, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// within is a context that ends when a test has waited too long.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// createTopic creates a topic; configs are pairs of name and value.
func createTopic(t testing.TB, b *broker, name string, partitions int32, configs ...string) {
	t.Helper()
	set := make(map[string]*string)
	for i := 0; i < len(configs); i += 2 {
		set[configs[i]] = &configs[i+1]
	}
	c := client(t, b)
	defer c.Close()
	r, err := kadm.NewClient(c).CreateTopic(within(t, patience), partitions, 1, set, name)
	if err != nil {
		t.Fatalf("create topic %s: %v: %s", name, err, r.ErrMessage)
	}
}

// deleteTopic deletes a topic.
func deleteTopic(t testing.TB, b *broker, name string) {
	t.Helper()
	c := client(t, b)
	defer c.Close()
	if _, err := kadm.NewClient(c).DeleteTopic(within(t, patience), name); err != nil {
		t.Fatalf("delete topic %s: %v", name, err)
	}
}

// endOffsets returns the end of each partition of a topic.
func endOffsets(t testing.TB, b *broker, topic string) map[int32]int64 {
	t.Helper()
	c := client(t, b)
	defer c.Close()
	listed, err := kadm.NewClient(c).ListEndOffsets(within(t, patience), topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		t.Fatalf("list end offsets of %s: %v", topic, err)
	}
	ends := make(map[int32]int64)
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends
}

// consume reads a topic from its start up to the ends that it has now and hands
// every record over, in the order of each partition.
func consume(t testing.TB, b *broker, topic string, each func(*kgo.Record)) {
	t.Helper()
	ends := endOffsets(t, b, topic)
	left := 0
	for _, end := range ends {
		if end > 0 {
			left++
		}
	}
	c := client(t, b, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	ctx := within(t, 5*patience)
	for left > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("consume %s, %d partitions left: %v", topic, left, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			each(r)
			if r.Offset == ends[r.Partition]-1 {
				left--
			}
		})
	}
}

// readAll reads partition 0 of a topic and compares the values with those sent.
func readAll(b *broker, topic string, sent []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(8<<20),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return err
	}
	defer c.Close()
	for next := 0; next < len(sent); {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			if r.Offset != int64(next) || string(r.Value) != sent[next] {
				return fmt.Errorf("record at offset %d is not the one sent as %d", r.Offset, next)
			}
			next++
		}
	}
	return nil
}
