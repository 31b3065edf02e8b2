//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"time"

	"sordini/test/bench/raw"
	"sordini/test/bench/report"
)

// policy is when records are forced to disk.
type policy int

const (
	flushNever  policy = iota // not while anything is measured
	flushAlways               // before acks=all is answered
)

// partitionCount is that of the topics of all scenarios that do not vary it.
const partitionCount = 8

// configs are the settings of a topic that make both sides do the same. Files of
// deleted topics go at once; for Kafka the broker's setting counts, see launchKafka.
func configs(side string, p policy) map[string]string {
	c := map[string]string{"file.delete.delay.ms": "0"}
	switch {
	case side == report.Kafka && p == flushAlways:
		c["flush.messages"] = "1"
	case side == report.Kafka: // never is its default
	case p == flushAlways:
		c["flush.policy"] = "sync"
	default:
		c["flush.policy"], c["flush.ms"] = "async", "3600000"
	}
	return c
}

// create makes a topic with a new name.
func (b *bench) create(s *server, partitions int32, p policy) (string, error) {
	name := b.name("topic")
	return name, raw.Create(s.addr, raw.Topic{Name: name, Partitions: partitions, Configs: configs(s.side, p)})
}

// remove deletes a topic and waits until its files are gone, so that it does not
// disturb what is measured next.
func (b *bench) remove(s *server, topic string) error {
	if err := raw.Delete(s.addr, topic); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		dirs, err := filepath.Glob(filepath.Join(s.data, topic+"-*"))
		if err != nil || len(dirs) == 0 {
			return err
		}
	}
	return fmt.Errorf("%s: the files of %s are still there", s.side, topic)
}

// load is a topic with data.
type load struct {
	topic      string
	partitions int32
	unit       int // bytes of a batch
	count      int // batches, spread evenly
}

const (
	sliceSize = 1 << 20 // bytes of one fetch
	inFlight  = 5       // produce requests, as Kafka's clients have
)

// fill writes about size bytes to a new topic, in batches of a size that divides
// that of a slice.
func (b *bench) fill(s *server, unit int, size int64, partitions int32, p policy) (load, error) {
	perSlice := sliceSize / unit
	slices := max(1, int(size/sliceSize)/int(partitions)) * int(partitions)
	l := load{partitions: partitions, unit: unit, count: slices * perSlice}
	var err error
	if l.topic, err = b.create(s, partitions, p); err != nil {
		return l, err
	}
	c, err := raw.Dial(s.addr)
	if err != nil {
		return l, err
	}
	defer c.Close()
	return l, c.Pipeline(raw.Produce(l.topic, partitions, raw.All, raw.Batch(unit)), l.count, inFlight, raw.Accepted)
}

// bytes is the size of all batches.
func (l load) bytes() int64 { return int64(l.unit) * int64(l.count) }

// slices tells how to fetch a partition from its start to its end.
func (l load) slices(partition int32) raw.Slices {
	perSlice := sliceSize / l.unit
	return raw.Slices{
		Topic: l.topic, Partition: partition, Size: sliceSize, Records: perSlice * raw.Records(l.unit),
		Count: l.count / perSlice / int(l.partitions), Depth: 2, // one is on its way while the other is made
	}
}

// fetchAll fetches all partitions, one after another, on one connection.
func (l load) fetchAll(s *server) error {
	c, err := raw.Dial(s.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range l.partitions {
		if err := c.Fetch(l.slices(i)); err != nil {
			return err
		}
	}
	return nil
}

// verify demands that nothing of the load is missing from a server.
func (l load) verify(addr string) error {
	c, err := raw.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	ends, err := c.Ends(l.topic, l.partitions)
	if err != nil {
		return err
	}
	var sum int64
	for _, end := range ends {
		sum += end
	}
	if want := int64(l.count) * int64(raw.Records(l.unit)); sum != want {
		return fmt.Errorf("%s holds %d records, want %d", l.topic, sum, want)
	}
	return nil
}
