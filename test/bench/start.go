//go:build linux

package main

import (
	"fmt"
	"os"
	"time"

	"sordini/test/bench/proc"
	"sordini/test/bench/raw"
	"sordini/test/bench/report"
)

// start: from exec until ApiVersions is answered, on an empty data directory that
// an earlier start has made.
func (b *bench) start() error {
	if err := b.alone(); err != nil {
		return err
	}
	var contenders []contender
	for _, side := range b.sides() {
		s, err := b.openNew(side)
		if err != nil {
			return err
		}
		if err := b.stop(s); err != nil {
			return err
		}
		contenders = append(contenders, contender{side, func() ([]report.Reading, error) {
			took, s, err := b.restart(side, s.dir, raw.Ready)
			if err != nil {
				return nil, err
			}
			now, _, err := proc.Memory(s.pid)
			if err != nil {
				return nil, err
			}
			return []report.Reading{
				{Name: "start", Unit: "ms", Value: took.Seconds() * 1e3},
				{Name: "memory after start", Unit: "MiB", Value: float64(now) / (1 << 20)},
			}, b.stop(s)
		}})
	}
	return b.compete("start", contenders)
}

// restart starts a server on data that there is, and tells how long it took.
func (b *bench) restart(side, dir string, ready func(addr string) error) (time.Duration, *server, error) {
	s, err := b.launch(side, dir)
	if err != nil {
		return 0, nil, err
	}
	took, err := b.await(s, ready)
	return took, s, err
}

// partitions: start with 10,000 partitions after an orderly end, until one of those
// created last tells its end.
func (b *bench) partitions() error {
	if err := b.alone(); err != nil {
		return err
	}
	topics, each := 10, int32(1000)
	if b.quick {
		topics, each = 2, 10
	}
	what := fmt.Sprintf("start with %d partitions", topics*int(each))
	var contenders []contender
	for _, side := range b.sides() {
		dir, last, err := b.manyPartitions(side, topics, each)
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		contenders = append(contenders, contender{side, func() ([]report.Reading, error) {
			took, s, err := b.restart(side, dir, func(addr string) error { return answers(addr, last, each) })
			if err != nil {
				return nil, err
			}
			files, err := proc.OpenFiles(s.pid)
			if err != nil {
				return nil, err
			}
			now, _, err := proc.Memory(s.pid)
			if err != nil {
				return nil, err
			}
			return []report.Reading{
				{Name: what, Unit: "s", Value: took.Seconds()},
				{Name: what + ": open files", Unit: "files", Value: float64(files)},
				{Name: what + ": memory", Unit: "MiB", Value: float64(now) / (1 << 20)},
			}, b.stop(s)
		}})
	}
	return b.compete("partitions", contenders)
}

// manyPartitions makes topics, one a request, ends the server in order and returns
// its directory and the name of the last topic.
func (b *bench) manyPartitions(side string, topics int, each int32) (dir, last string, err error) {
	b.say("%s: creating %d topics of %d partitions", side, topics, each)
	s, err := b.openNew(side)
	if err != nil {
		return "", "", err
	}
	c, err := raw.Dial(s.addr)
	if err != nil {
		return "", "", err
	}
	defer c.Close()
	began := time.Now()
	for range topics {
		last = b.name("many")
		if err := c.Create(raw.Topic{Name: last, Partitions: each}); err != nil {
			return "", "", err
		}
		if err := c.Await(last, each); err != nil {
			return "", "", err
		}
	}
	b.say("%s: created in %.1f s", side, time.Since(began).Seconds())
	return s.dir, last, b.stop(s)
}

// answers demands that all partitions of a topic tell their ends.
func answers(addr, topic string, partitions int32) error {
	c, err := raw.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Ends(topic, partitions)
	return err
}
