//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"sordini/test/bench/floor"
	"sordini/test/bench/proc"
	"sordini/test/bench/raw"
)

// bare is the process of a floor that serves connections.
type bare struct {
	process *proc.Process
	addr    string
}

// serveFloor starts a floor: this program under another name.
func (b *bench) serveFloor(args ...string) (*bare, error) {
	p, err := b.runFloor(args)
	if err != nil {
		return nil, err
	}
	line, err := p.Out.ReadString('\n')
	if err != nil {
		b.endFloor(p)
		return nil, fmt.Errorf("%s: %w\n%s", args[0], err, p.Log())
	}
	return &bare{p, strings.TrimSpace(line)}, nil
}

// askFloor runs a floor to its end and decodes what it says.
func (b *bench) askFloor(result any, args ...string) error {
	p, err := b.runFloor(args)
	if err != nil {
		return err
	}
	defer b.endFloor(p)
	err = json.NewDecoder(p.Out).Decode(result)
	<-p.Exited()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", args[0], err, p.Log())
	}
	return nil
}

func (b *bench) runFloor(args []string) (*proc.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return b.run(true, nil, self, args...)
}

func (b *bench) endFloor(p *proc.Process) {
	b.forget(p)
	p.Kill()
}

// receive has a floor take a delivery of equal units and tells what that cost.
func (f *bare) receive(d floor.Delivery, depth int) (cost, error) {
	c, err := raw.Dial(f.addr)
	if err != nil {
		return cost{}, err
	}
	defer c.Close()
	if err := floor.Announce(c, d); err != nil {
		return cost{}, err
	}
	unit := raw.Batch(d.Unit)
	return costOf(f.process.Pid(), func() error {
		if d.Answer {
			return c.Pipeline([][]byte{unit}, d.Count, depth, func([]byte) error { return nil })
		}
		for range d.Count {
			if _, err := c.Write(unit); err != nil {
				return err
			}
		}
		return floor.Done(c)
	})
}
