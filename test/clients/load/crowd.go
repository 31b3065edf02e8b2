package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Crowd is what Join and Storm report.
type Crowd struct {
	Settled time.Duration // until all groups had converged
	Members int           // that ever lived
	Changes int           // assignments that were taken
	Faults  []string
}

// crowd is all members of a run.
type crowd struct {
	address string
	topic   string
	topicID [16]byte
	faults  faults
	doors   chan struct{} // bounds connections that have no answer yet
	wg      sync.WaitGroup
	born    int
}

func newCrowd(ctx context.Context, address string, partitions int) (*crowd, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	c := &crowd{address: address, topic: fmt.Sprintf("load-%d", time.Now().UnixMilli()), doors: make(chan struct{}, 20)}
	created, err := kadm.NewClient(client).CreateTopic(ctx, int32(partitions), 1, nil, c.topic)
	if err != nil {
		return nil, fmt.Errorf("topic of %d partitions: %w", partitions, err)
	}
	c.topicID = created.ID
	return c, find(ctx, address)
}

// add starts a member. It leaves when the first function is called, and dies with
// the second.
func (c *crowd) add(group string, consumer bool, t timing, l *ledger) (leave, die func()) {
	c.born++
	m := &member{
		name: fmt.Sprintf("m%d", c.born), group: group, topic: c.topic, topicID: c.topicID, address: c.address,
		consumer: consumer, timing: t, ledger: l, faults: &c.faults, doors: c.doors,
	}
	ctx, cancel := context.WithCancel(context.Background())
	dead := make(chan struct{})
	c.wg.Go(func() { m.run(ctx, dead) })
	return cancel, func() { close(dead) }
}

func (c *crowd) report(settled time.Duration, ledgers []*ledger) Crowd {
	r := Crowd{Settled: settled, Members: c.born}
	if n := c.faults.count.Load(); n > 0 {
		r.Faults = append(r.Faults, fmt.Sprintf("%d answers were wrong, the first: %s", n, *c.faults.first.Load()))
	}
	for _, l := range ledgers {
		r.Changes += l.changes
		r.Faults = append(r.Faults, l.faults...)
	}
	return r
}

// Join has groups of members join at once and waits until each group has converged,
// no longer than limit. All leave at the end.
func Join(ctx context.Context, address string, consumer bool, groups, members int, limit time.Duration) (Crowd, error) {
	c, err := newCrowd(ctx, address, members)
	if err != nil {
		return Crowd{}, err
	}
	t := timing{session: 30 * time.Second, rebalance: 30 * time.Second, heartbeat: 3 * time.Second}
	began := time.Now()
	ledgers := make([]*ledger, groups)
	var leave []func()
	for g := range ledgers {
		ledgers[g] = newLedger(members)
		for range members {
			l, _ := c.add(fmt.Sprintf("%s-%d", c.topic, g), consumer, t, ledgers[g])
			leave = append(leave, l)
		}
	}
	why := settle(ledgers, members, began.Add(limit))
	settled := time.Since(began)
	for _, l := range leave {
		l()
	}
	c.wg.Wait()
	r := c.report(settled, ledgers)
	if why != "" {
		r.Faults = append(r.Faults, fmt.Sprintf("not converged after %v: %s", limit, why))
	}
	return r, nil
}

// settle waits for all groups to converge and says which has not at the deadline.
func settle(ledgers []*ledger, members int, deadline time.Time) string {
	for {
		left := 0
		var why string
		for g, l := range ledgers {
			if text := l.unsettled(members); text != "" {
				left++
				why = fmt.Sprintf("group %d: %s", g, text)
			}
		}
		if left == 0 {
			return ""
		}
		if time.Now().After(deadline) {
			return fmt.Sprintf("%d groups; %s", left, why)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Storm has up to so many members of one group join, leave and die at random for a
// time, then waits for those that live to converge, no longer than two sessions.
func Storm(ctx context.Context, address string, consumer bool, members int, lasts time.Duration, seed uint64) (Crowd, error) {
	c, err := newCrowd(ctx, address, 2*members)
	if err != nil {
		return Crowd{}, err
	}
	t := timing{session: 6 * time.Second, rebalance: 6 * time.Second, heartbeat: time.Second}
	random := rand.New(rand.NewPCG(seed, 0))
	l := newLedger(2 * members)
	type life struct{ leave, die func() }
	var live []life
	for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond) {
		if len(live) < members/2 || len(live) < members && random.IntN(2) == 0 {
			leave, die := c.add(c.topic, consumer, t, l)
			live = append(live, life{leave, die})
			continue
		}
		i := random.IntN(len(live))
		gone := live[i]
		live[i] = live[len(live)-1]
		live = live[:len(live)-1]
		if random.IntN(2) == 0 {
			gone.leave()
		} else {
			gone.die()
		}
	}
	began := time.Now()
	why := settle([]*ledger{l}, len(live), began.Add(2*t.session))
	settled := time.Since(began)
	for _, m := range live {
		m.leave()
	}
	c.wg.Wait()
	r := c.report(settled, []*ledger{l})
	if why != "" {
		r.Faults = append(r.Faults, fmt.Sprintf("not converged two sessions after the storm: %s", why))
	}
	return r, nil
}
