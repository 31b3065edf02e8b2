package main

import (
	"context"
	"fmt"
	"time"

	"sordini/test/clients/broker"
	"sordini/test/clients/load"
)

// joinLimit is how long all groups of --join may take to converge.
const joinLimit = 60 * time.Second

// protocolNames are both protocols, and whether they are that of KIP-848.
var protocolNames = []struct {
	name     string
	consumer bool
}{{"classic", false}, {"consumer", true}}

// runJoin has crowds of groups join, and tells what that costs a server that was
// started here.
func (s *settings) runJoin(server *broker.Broker) error {
	members := s.members
	if members == 0 {
		members = 10
	}
	faults := 0
	for _, p := range protocolNames {
		var before time.Duration
		if server != nil {
			before = server.CPU()
		}
		r, err := load.Join(context.Background(), s.address, p.consumer, s.groups, members, joinLimit)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %d groups of %d members converged in %.1f s after %d assignments", p.name, s.groups, members, r.Settled.Seconds(), r.Changes)
		if server != nil {
			fmt.Printf("; server CPU %.1f s", (server.CPU() - before).Seconds())
		}
		fmt.Println()
		faults += tell(r)
	}
	return failed(faults)
}

// runStorm has one group go through a storm.
func (s *settings) runStorm() error {
	members := s.members
	if members == 0 {
		members = 100
	}
	faults := 0
	for _, p := range protocolNames {
		seed := uint64(time.Now().UnixNano())
		r, err := load.Storm(context.Background(), s.address, p.consumer, members, time.Duration(s.duration)*time.Second, seed)
		if err != nil {
			return err
		}
		fmt.Printf("%s: storm of %d s, %d members in all, %d assignments; converged %.1f s after it; seed %d\n",
			p.name, s.duration, r.Members, r.Changes, r.Settled.Seconds(), seed)
		faults += tell(r)
	}
	return failed(faults)
}

func tell(r load.Crowd) int {
	for i, f := range r.Faults {
		if i == 20 {
			fmt.Printf("    and %d more\n", len(r.Faults)-i)
			break
		}
		fmt.Println("   ", f)
	}
	return len(r.Faults)
}

func failed(faults int) error {
	if faults > 0 {
		return fmt.Errorf("%d faults", faults)
	}
	return nil
}
