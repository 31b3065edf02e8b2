//go:build linux

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"sordini/test/bench/floor"
	"sordini/test/bench/proc"
	"sordini/test/bench/raw"
	"sordini/test/bench/report"
)

// cell is a number of producers, each with a connection and one record of about
// 1 KiB in flight, over a number of partitions.
type cell struct {
	producers  int
	partitions int32
}

func (c cell) String() string {
	return fmt.Sprintf("fsync before ack, %d producers, %d partitions", c.producers, c.partitions)
}

// flush: how many records a second are forced to disk before they are acknowledged.
// The floor is a group commit to one file without a network, whatever the number of
// partitions. floor+net takes the records from as many connections; floor+net+files
// also has a file for each partition, with a group commit of its own.
// sordini-segment is the server without its journal, so that it syncs each partition.
func (b *bench) flush() error {
	cells := []cell{
		{1, 1}, {8, 1}, {64, 1}, {512, 1},
		{1, 8}, {8, 8}, {64, 8}, {512, 8},
		{1, 256}, {8, 256}, {64, 256}, {512, 256}, {64, 1024},
	}
	if b.quick {
		cells = []cell{{1, 1}, {8, 8}}
	}
	for _, c := range cells {
		if err := b.flushOf(c); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) flushOf(c cell) error {
	dir, err := b.newDir("floor")
	if err != nil {
		return err
	}
	unit := raw.Batch(floor.CommitSize)
	contenders := []contender{
		{report.Floor, func() ([]report.Reading, error) {
			if err := b.prime(128 << 20); err != nil {
				return nil, err
			}
			var r floor.CommitResult
			err := b.askFloor(&r, floor.CommitName, dir, fmt.Sprint(c.producers), b.flushTime().String())
			return c.readings(r.Rate, r.Latencies), err
		}},
	}
	sides := map[string]int32{floorNet: 1, floorFiles: c.partitions}
	if c.partitions == 1 {
		delete(sides, floorFiles)
	}
	for _, side := range slices.Sorted(maps.Keys(sides)) {
		netDir, err := b.newDir("floor")
		if err != nil {
			return err
		}
		f, err := b.serveFloor(floor.AnswerName, netDir, fmt.Sprint(len(unit)), fmt.Sprint(sides[side]))
		if err != nil {
			return err
		}
		defer b.endFloor(f.process)
		contenders = append(contenders, contender{side, func() ([]report.Reading, error) {
			return b.storm(c, f.addr, f.process.Pid(), [][]byte{unit}, func([]byte) error { return nil })
		}})
	}
	servers, err := b.servers()
	if err != nil {
		return err
	}
	each, err := b.openNew(bySegment)
	if err != nil {
		return err
	}
	defer b.discard(each) // best effort: the directory goes at the end
	for _, s := range append(slices.Clone(servers), each) {
		topic, err := b.create(s, c.partitions, flushAlways)
		if err != nil {
			return err
		}
		defer b.remove(s, topic) // best effort: the directory goes at the end
		frames := raw.Produce(topic, c.partitions, raw.All, unit)
		contenders = append(contenders, contender{s.side, func() ([]report.Reading, error) {
			return b.storm(c, s.addr, s.pid, frames, raw.Accepted)
		}})
	}
	return b.compete(c.String(), contenders)
}

func (b *bench) flushTime() time.Duration { return b.long(1500 * time.Millisecond) }

func (c cell) readings(rate float64, took []time.Duration) []report.Reading {
	all := []report.Reading{{Name: c.String() + ": rate", Unit: "acks/s", Value: rate}}
	if l := report.Latencies(c.String(), took); len(l) > 1 {
		all = append(all, l[1]) // p99
	}
	return all
}

// storm lets all producers send frames, each the one of its number, and counts the
// answers after the first fifth of the time.
func (b *bench) storm(c cell, addr string, pid int, frames [][]byte, check func([]byte) error) ([]report.Reading, error) {
	conns := make([]*raw.Conn, 0, c.producers)
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	for range c.producers {
		conn, err := raw.Dial(addr)
		if err != nil {
			return nil, err
		}
		conns = append(conns, conn)
	}
	if err := b.prime(128 << 20); err != nil {
		return nil, err
	}
	window := b.flushTime()
	begin := time.Now().Add(window / 4)
	end := begin.Add(window)
	took, errs := make([][]time.Duration, c.producers), make([]error, c.producers)
	var all sync.WaitGroup
	for i, conn := range conns {
		all.Go(func() { took[i], errs[i] = conn.Repeat(frames[i%len(frames)], begin, end, check) })
	}
	cpu, err := between(pid, begin, end)
	all.Wait()
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	var samples []time.Duration
	for _, t := range took {
		samples = append(samples, t...)
	}
	n := len(samples)
	if n == 0 {
		return nil, fmt.Errorf("no answer in %v", window)
	}
	r := c.readings(float64(n)/window.Seconds(), samples)
	return append(r, report.Reading{Name: c.String() + ": CPU", Unit: "us/ack", Value: float64(cpu.Nanoseconds()) / 1e3 / float64(n)}), nil
}

// between is the processor time of a process between two moments to come.
func between(pid int, begin, end time.Time) (time.Duration, error) {
	time.Sleep(time.Until(begin))
	before, err := proc.CPU(pid)
	if err != nil {
		return 0, err
	}
	time.Sleep(time.Until(end))
	after, err := proc.CPU(pid)
	return after - before, err
}
