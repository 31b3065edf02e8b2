//go:build linux

package main

import (
	"fmt"

	"sordini/test/bench/floor"
	"sordini/test/bench/raw"
	"sordini/test/bench/report"
)

// production is a way to write: one connection, batches of the same size to all
// partitions in turn.
type production struct {
	what  string
	unit  int // bytes of a batch
	count int
	depth int // requests in flight
	acks  int16
	policy
	readings func(name string, c cost, p production) []report.Reading
}

func bytesMoved(name string, c cost, p production) []report.Reading {
	return c.perGiB(name, int64(p.unit)*int64(p.count))
}

func requestsServed(name string, c cost, p production) []report.Reading {
	return c.perPiece(name, "request", p.count)
}

// produce: batches of 1 MiB and 16 KiB, 5 requests in flight, acknowledged when
// written. The floor has preallocated its files and answers nothing; floor+net
// answers.
func (b *bench) produce() error {
	for _, unit := range []int{1 << 20, 16 << 10} {
		err := b.competeFor(production{
			what: fmt.Sprintf("produce %s batches", sizeName(unit)), unit: unit, count: int(b.size) / unit,
			depth: inFlight, acks: 1, readings: bytesMoved,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// requests: one record of about 1 KiB a request, 32 in flight.
func (b *bench) requests() error {
	return b.competeFor(production{
		what: "produce 1 KiB requests", unit: 1 << 10, count: int(b.size / (5 << 10)),
		depth: 32, acks: 1, readings: requestsServed,
	})
}

// produceSync: as produce, a quarter of it, and acknowledged when forced to disk.
func (b *bench) produceSync() error {
	for _, unit := range []int{1 << 20, 16 << 10} {
		p := production{
			what: fmt.Sprintf("produce %s batches, fsync", sizeName(unit)), unit: unit, count: max(1, int(b.size)/4/unit),
			depth: inFlight, acks: raw.All, policy: flushAlways, readings: bytesMoved,
		}
		contenders, err := b.producers(p)
		if err != nil {
			return err
		}
		if err := b.compete(p.what, contenders); err != nil {
			return err
		}
	}
	return nil
}

// competeFor lets the servers compete with the floors.
func (b *bench) competeFor(p production) error {
	dir, err := b.newDir("floor")
	if err != nil {
		return err
	}
	f, err := b.serveFloor(floor.ReceiveName, dir)
	if err != nil {
		return err
	}
	defer b.endFloor(f.process)
	take := func(answer bool) func() ([]report.Reading, error) {
		return func() ([]report.Reading, error) {
			if err := b.prime(int64(p.unit) * int64(p.count)); err != nil {
				return nil, err
			}
			c, err := f.receive(floor.Delivery{Unit: p.unit, Count: p.count, Files: partitionCount, Answer: answer}, p.depth)
			return p.readings(p.what, c, p), err
		}
	}
	servers, err := b.producers(p)
	if err != nil {
		return err
	}
	return b.compete(p.what, append([]contender{{report.Floor, take(false)}, {floorNet, take(true)}}, servers...))
}

// producers are the contenders that write to servers.
func (b *bench) producers(p production) ([]contender, error) {
	servers, err := b.servers()
	var all []contender
	for _, s := range servers {
		all = append(all, contender{s.side, func() ([]report.Reading, error) {
			c, err := b.produceTo(s, p)
			return p.readings(p.what, c, p), err
		}})
	}
	return all, err
}

// produceTo writes to a new topic, checks that all of it is there and deletes it.
func (b *bench) produceTo(s *server, p production) (took cost, err error) {
	l := load{partitions: partitionCount, unit: p.unit, count: p.count}
	if l.topic, err = b.create(s, l.partitions, p.policy); err != nil {
		return took, err
	}
	defer lastly(func() error { return b.remove(s, l.topic) }, &err)
	c, err := raw.Dial(s.addr)
	if err != nil {
		return took, err
	}
	defer c.Close()
	frames := raw.Produce(l.topic, l.partitions, p.acks, raw.Batch(p.unit))
	if err := b.prime(l.bytes()); err != nil {
		return took, err
	}
	took, err = costOf(s.pid, func() error { return c.Pipeline(frames, p.count, p.depth, raw.Accepted) })
	if err != nil {
		return took, err
	}
	return took, l.verify(s.addr)
}
