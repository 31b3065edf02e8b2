//go:build linux

package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"sordini/test/bench/proc"
	"sordini/test/bench/raw"
	"sordini/test/bench/report"
)

// memory: what a server that was just started holds in RAM at most while it is
// written to by 16 connections with 5 requests of 16 KiB in flight each, then by 4
// with 5 of 1 MiB, and read by 4 connections at once.
func (b *bench) memory() error {
	if err := b.alone(); err != nil {
		return err
	}
	var contenders []contender
	for _, side := range b.sides() {
		contenders = append(contenders, contender{side, func() ([]report.Reading, error) { return b.memoryTurn(side) }})
	}
	return b.compete("memory", contenders)
}

func (b *bench) memoryTurn(side string) (readings []report.Reading, err error) {
	s, err := b.openNew(side)
	if err != nil {
		return nil, err
	}
	defer lastly(func() error { return b.discard(s) }, &err)
	for _, w := range []struct{ unit, conns int }{{16 << 10, 16}, {1 << 20, 4}} {
		if err := b.writeFrom(s, w.unit, w.conns); err != nil {
			return nil, err
		}
	}
	l, err := b.fill(s, 16<<10, b.size/4, 4, flushNever)
	if err != nil {
		return nil, err
	}
	err = atOnce(4, func(i int) error {
		c, err := raw.Dial(s.addr)
		if err != nil {
			return err
		}
		defer c.Close()
		return c.Fetch(l.slices(int32(i)))
	})
	if err != nil {
		return nil, err
	}
	_, peak, err := proc.Memory(s.pid)
	return []report.Reading{{Name: "memory under load, at most", Unit: "MiB", Value: float64(peak) / (1 << 20)}}, err
}

// writeFrom writes half of a measurement's size from several connections at once.
func (b *bench) writeFrom(s *server, unit, conns int) error {
	topic, err := b.create(s, partitionCount, flushNever)
	if err != nil {
		return err
	}
	frames := raw.Produce(topic, partitionCount, raw.All, raw.Batch(unit))
	return atOnce(conns, func(int) error {
		c, err := raw.Dial(s.addr)
		if err != nil {
			return err
		}
		defer c.Close()
		return c.Pipeline(frames, max(1, int(b.size)/2/unit/conns), inFlight, raw.Accepted)
	})
}

// atOnce runs n workers and waits for all.
func atOnce(n int, work func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = work(i) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// connections: how much memory a connection takes that asked for the API versions
// and then nothing.
func (b *bench) connections() error {
	if err := b.alone(); err != nil {
		return err
	}
	var contenders []contender
	for _, side := range b.sides() {
		contenders = append(contenders, contender{side, func() ([]report.Reading, error) { return b.connectionsTurn(side) }})
	}
	return b.compete("connections", contenders)
}

func (b *bench) connectionsTurn(side string) (readings []report.Reading, err error) {
	counts := []int{1000, 10_000}
	if b.quick {
		counts = []int{100}
	}
	s, err := b.openNew(side)
	if err != nil {
		return nil, err
	}
	defer lastly(func() error { return b.discard(s) }, &err)
	empty, err := b.settled(s)
	if err != nil {
		return nil, err
	}
	var conns []*raw.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for _, n := range counts {
		for len(conns) < n {
			c, err := raw.Dial(s.addr)
			if err != nil {
				return nil, err
			}
			conns = append(conns, c)
			if err := c.Greet(); err != nil {
				return nil, err
			}
		}
		held, err := b.settled(s)
		if err != nil {
			return nil, err
		}
		readings = append(readings, report.Reading{
			Name: fmt.Sprintf("memory of an idle connection, of %d", n), Unit: "KiB", Value: float64(held-empty) / 1024 / float64(n),
		})
	}
	return readings, nil
}

// settled is what a server holds in RAM after it had time to tidy up.
func (b *bench) settled(s *server) (int64, error) {
	time.Sleep(b.long(3 * time.Second))
	now, _, err := proc.Memory(s.pid)
	return now, err
}
