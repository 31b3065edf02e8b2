package scenario

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sordini/test/clients/event"
)

// producer writes numbered records to all partitions in turn, so many a second.
type producer struct {
	cancel context.CancelFunc
	done   chan struct{}
	ends   []int64 // of the partitions, once done

	mu  sync.Mutex
	err error
}

func produce(address, topic string, partitions, rate int) (*producer, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(10*time.Millisecond),
		kgo.ProducerBatchCompression(kgo.NoCompression())) // which all clients can read
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &producer{cancel: cancel, done: make(chan struct{}), ends: make([]int64, partitions)}
	go func() {
		defer close(p.done)
		defer client.Close()
		p.loop(ctx, client, rate)
	}()
	return p, nil
}

func (p *producer) loop(ctx context.Context, client *kgo.Client, rate int) {
	const steps = 50 // a second
	beat := time.NewTicker(time.Second / steps)
	defer beat.Stop()
	for number := int64(0); ctx.Err() == nil; <-beat.C {
		for range rate / steps {
			partition, offset := event.Place(len(p.ends), number)
			client.Produce(context.Background(), &kgo.Record{
				Partition: partition, Value: []byte(event.Value(len(p.ends), partition, offset)),
			}, func(r *kgo.Record, err error) { p.acknowledged(r, offset, err) })
			p.ends[partition] = offset + 1
			number++
		}
	}
	if err := client.Flush(context.Background()); err != nil {
		p.fail(err)
	}
}

func (p *producer) acknowledged(r *kgo.Record, want int64, err error) {
	if err == nil && r.Offset != want {
		err = fmt.Errorf("a record of partition %d got offset %d, want %d", r.Partition, r.Offset, want)
	}
	if err != nil {
		p.fail(err)
	}
}

func (p *producer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = fmt.Errorf("producer: %w", err)
	}
}

// finish ends producing and returns the ends of the partitions.
func (p *producer) finish() ([]int64, error) {
	p.cancel()
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		return nil, errors.New("producer: records stay unacknowledged")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ends, p.err
}
