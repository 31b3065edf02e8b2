//go:build linux

package main

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sordini/test/bench/raw"
	"sordini/test/bench/report"
)

// openLoop: records are due at fixed times, whatever became of those before, and
// latency counts from when a record was due, so that a server which stalls does not
// hide the records it kept waiting. The rate is half of what the side itself can
// take at most, and in a second comparison half of what the slowest side can.
func (b *bench) openLoop() error {
	servers, err := b.servers()
	if err != nil {
		return err
	}
	slowest := math.Inf(1)
	most := make(map[string]float64)
	for _, s := range servers {
		for range 2 { // the first may find a client or server that is not warm
			rate, err := b.mostRecords(s)
			if err != nil {
				return err
			}
			most[s.side] = max(most[s.side], rate)
		}
		slowest = min(slowest, most[s.side])
	}
	var own, same []contender
	for _, s := range servers {
		own = append(own, contender{s.side, func() ([]report.Reading, error) {
			return b.openLoopTurn(s, "open loop, half of the own maximum", most[s.side]/2)
		}})
		same = append(same, contender{s.side, func() ([]report.Reading, error) {
			return b.openLoopTurn(s, "open loop, half of the slowest side's maximum", slowest/2)
		}})
	}
	if err := b.compete("open loop, own maximum", own); err != nil || len(servers) == 1 {
		return err
	}
	return b.compete("open loop, same rate", same)
}

// mostRecords measures how many records a second a side takes.
func (b *bench) mostRecords(s *server) (rate float64, err error) {
	topic, err := b.create(s, partitionCount, flushNever)
	if err != nil {
		return 0, err
	}
	defer lastly(func() error { return b.remove(s, topic) }, &err)
	n := int(b.size / recordSize)
	if err := b.prime(b.size); err != nil {
		return 0, err
	}
	took, err := costOf(s.pid, func() error { return produceRecords(s.addr, topic, n, kgo.ProducerLinger(0)) })
	return float64(n) / took.wall.Seconds(), err
}

func (b *bench) openLoopTurn(s *server, name string, rate float64) (readings []report.Reading, err error) {
	topic, err := b.create(s, partitionCount, flushNever)
	if err != nil {
		return nil, err
	}
	defer lastly(func() error { return b.remove(s, topic) }, &err)
	long := b.long(2 * time.Second)
	if err := b.prime(int64(rate*long.Seconds()) * recordSize); err != nil {
		return nil, err
	}
	samples, err := paced(s.addr, topic, rate, long)
	if err != nil {
		return nil, err
	}
	return append([]report.Reading{{Name: name + ": rate", Unit: "records/s", Value: rate}}, report.Latencies(name, samples)...), nil
}

// paced sends records at a rate and returns how late each was acknowledged, after
// the first sixth of the time.
func paced(addr, topic string, rate float64, long time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), franzPatience)
	defer cancel()
	c, err := newClient(addr, kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	value := raw.Batch(recordSize)
	if err := c.ProduceSync(ctx, &kgo.Record{Value: value}).FirstErr(); err != nil { // connects
		return nil, err
	}
	var failed firstError
	took := make([]time.Duration, max(1, int(rate*long.Seconds())))
	began := time.Now()
	for i := 0; i < len(took); {
		for due := min(len(took), int(time.Since(began).Seconds()*rate)); i < due; i++ {
			at := began.Add(time.Duration(float64(i) / rate * float64(time.Second)))
			mine := &took[i]
			c.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
				*mine = time.Since(at)
				failed.set(err)
			})
		}
		time.Sleep(50 * time.Microsecond)
	}
	return took[len(took)/6:], errors.Join(c.Flush(ctx), failed.get())
}
