//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sordini/test/bench/floor"
	"sordini/test/bench/raw"
	"sordini/test/bench/report"
)

const (
	recordSize    = 1 << 10 // bytes of a record's value
	franzPatience = 10 * time.Minute
)

// franz: a client as people use it, franz-go with its defaults but for compression,
// writes records to 8 partitions and reads them, once with no fsync and once with an
// fsync before each acknowledgement, on all sides. A third row has each side as it is
// without settings: sordini with fsync, Kafka with none. On few cores the client takes
// most of the time, so that the server's CPU says more than the rate; beside them stands what
// the client reaches with a server that forgets all it is sent.
func (b *bench) franz() error {
	servers, err := b.servers()
	if err != nil {
		return err
	}
	silent, err := b.serveFloor(floor.MuteName, fmt.Sprint(partitionCount))
	if err != nil {
		return err
	}
	defer b.endFloor(silent.process)
	for _, p := range []policy{flushNever, flushAlways} {
		contenders := []contender{{mute, func() ([]report.Reading, error) { return b.muteTurn(silent, p) }}}
		for _, s := range servers {
			contenders = append(contenders, contender{s.side, func() ([]report.Reading, error) { return b.franzTurn(s, p) }})
		}
		if err := b.compete(franzNames[p], contenders); err != nil {
			return err
		}
	}
	return nil
}

var franzNames = map[policy]string{flushNever: "franz-go", flushAlways: "franz-go fsync"}

// defaultPolicies are those of a topic without settings.
var defaultPolicies = map[string]policy{sordini: flushAlways, report.Kafka: flushNever}

func (b *bench) franzTurn(s *server, p policy) (readings []report.Reading, err error) {
	topic, err := b.create(s, partitionCount, p)
	if err != nil {
		return nil, err
	}
	defer lastly(func() error { return b.remove(s, topic) }, &err)
	n := int(b.size / recordSize)
	if err := b.prime(b.size); err != nil {
		return nil, err
	}
	written, err := costOf(s.pid, func() error { return produceRecords(s.addr, topic, n) })
	if err != nil {
		return nil, err
	}
	name := franzNames[p]
	readings = written.perMillion(name+" produce", n)
	if p == defaultPolicies[s.side] {
		readings = append(readings, written.perMillion("franz-go produce, no settings", n)...)
	}
	if p == flushAlways {
		return readings, nil // the files that are read are the same
	}
	read, err := costOf(s.pid, func() error { return consumeRecords(s.addr, topic, n) })
	return append(readings, read.perMillion(name+" consume", n)...), err
}

// muteTurn has the client write to a server that forgets.
func (b *bench) muteTurn(silent *bare, p policy) ([]report.Reading, error) {
	n := int(b.size / recordSize)
	written, err := costOf(silent.process.Pid(), func() error { return produceRecords(silent.addr, floor.MuteTopic, n) })
	return written.perMillion(franzNames[p]+" produce", n), err
}

// perMillion are the readings of work on records.
func (c cost) perMillion(name string, n int) []report.Reading {
	return []report.Reading{
		{Name: name + ": rate", Unit: "records/s", Value: float64(n) / c.wall.Seconds()},
		{Name: name + ": CPU", Unit: "CPU-s/M records", Value: c.cpu.Seconds() / float64(n) * 1e6},
	}
}

// newClient makes a client whose connections use the same congestion control as
// all others.
func newClient(addr string, opts ...kgo.Opt) (*kgo.Client, error) {
	dial := func(_ context.Context, _, host string) (net.Conn, error) { return raw.Dial(host) }
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.Dialer(dial), kgo.ProducerBatchCompression(kgo.NoCompression())}, opts...)...)
}

func produceRecords(addr, topic string, n int, opts ...kgo.Opt) error {
	ctx, cancel := context.WithTimeout(context.Background(), franzPatience)
	defer cancel()
	c, err := newClient(addr, append(opts, kgo.DefaultProduceTopic(topic))...)
	if err != nil {
		return err
	}
	defer c.Close()
	var failed firstError
	value := raw.Batch(recordSize) // any bytes
	for range n {
		c.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) { failed.set(err) })
	}
	return errors.Join(c.Flush(ctx), failed.get())
}

// consumeRecords reads n records, all that the topic has.
func consumeRecords(addr, topic string, n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), franzPatience)
	defer cancel()
	partitions := make(map[int32]kgo.Offset)
	for i := range int32(partitionCount) {
		partitions[i] = kgo.NewOffset().AtStart()
	}
	c, err := newClient(addr, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: partitions}))
	if err != nil {
		return err
	}
	defer c.Close()
	got := 0
	for got < n {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if len(r.Value) == recordSize {
				got++
			}
		})
	}
	if got > n {
		return fmt.Errorf("%d records, want %d", got, n)
	}
	return nil
}

// latency: one record at a time, the next when the one before is acknowledged.
func (b *bench) latency() error {
	servers, err := b.servers()
	if err != nil {
		return err
	}
	silent, err := b.serveFloor(floor.MuteName, fmt.Sprint(partitionCount))
	if err != nil {
		return err
	}
	defer b.endFloor(silent.process)
	contenders := []contender{{mute, func() ([]report.Reading, error) {
		samples, err := oneAtATime(silent.addr, floor.MuteTopic, b.long(3*time.Second))
		return report.Latencies("one record at a time", samples), err
	}}}
	for _, s := range servers {
		contenders = append(contenders, contender{s.side, func() (readings []report.Reading, err error) {
			topic, err := b.create(s, partitionCount, flushNever)
			if err != nil {
				return nil, err
			}
			defer lastly(func() error { return b.remove(s, topic) }, &err)
			if err := b.prime(128 << 20); err != nil {
				return nil, err
			}
			samples, err := oneAtATime(s.addr, topic, b.long(3*time.Second))
			return report.Latencies("one record at a time", samples), err
		}})
	}
	return b.compete("latency", contenders)
}

// oneAtATime returns how long each record took after the first sixth of the time.
func oneAtATime(addr, topic string, long time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), franzPatience)
	defer cancel()
	c, err := newClient(addr, kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	value := raw.Batch(recordSize)
	var samples []time.Duration
	for began := time.Now(); time.Since(began) < long; {
		sent := time.Now()
		if err := c.ProduceSync(ctx, &kgo.Record{Value: value}).FirstErr(); err != nil {
			return nil, err
		}
		if sent.Sub(began) > long/6 {
			samples = append(samples, time.Since(sent))
		}
	}
	return samples, nil
}

// firstError keeps the first of the errors that are set. It may be used concurrently.
type firstError struct{ first atomic.Pointer[error] }

func (f *firstError) set(err error) {
	if err != nil {
		f.first.CompareAndSwap(nil, &err)
	}
}

func (f *firstError) get() error {
	if p := f.first.Load(); p != nil {
		return *p
	}
	return nil
}
