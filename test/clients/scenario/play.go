package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sordini/test/clients/check"
	"sordini/test/clients/event"
	"sordini/test/clients/member"
)

const (
	partitions = 12 // shared by 2, 3 and 4 members without a rest
	// patience is how long a change of the group may take: an old session must end
	// first, which a broker with default settings gives 45 s with the consumer
	// protocol, and a virtual machine must start.
	patience = 75 * time.Second
)

// Options are the same for all variants.
type Options struct {
	Address string
	Rate    int    // records a second
	Logs    string // directory that keeps what members print and the events
	Tools
}

// Result is how a variant did.
type Result struct {
	Variant
	check.Report
	Members int
	Seconds float64
}

// play is one variant at work.
type play struct {
	Variant
	Options
	config  member.Config
	dir     string
	board   *board
	commits *commits
	members []*process // all that ever were
	live    []*process
}

// Play plays a variant. What goes wrong is in the report's faults.
func Play(v Variant, o Options) Result {
	began := time.Now()
	p := &play{Variant: v, Options: o, board: newBoard()}
	report, err := p.run()
	if err != nil {
		report.Faults = append([]string{err.Error()}, report.Faults...)
	}
	for _, m := range p.live {
		m.kill()
	}
	return Result{Variant: v, Report: report, Members: len(p.members), Seconds: time.Since(began).Seconds()}
}

func (p *play) run() (check.Report, error) {
	if err := p.prepare(); err != nil {
		return check.Report{}, err
	}
	defer p.commits.admin.Close()
	records, err := produce(p.Address, p.config.Topic, partitions, p.Rate)
	if err != nil {
		return check.Report{}, err
	}
	watching, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.commits.watch(watching, p.board)
	}()
	storyErr := p.story()
	ends, err := records.finish()
	if err == nil && storyErr == nil {
		storyErr = p.ending(ends)
	} else if storyErr == nil {
		storyErr = err
	}
	cancel()
	<-ended
	committed, err := p.commits.tell(p.board, event.Event{Kind: event.Standing})
	if storyErr == nil {
		storyErr = err
	}
	if err := p.save(); err != nil && storyErr == nil {
		storyErr = err
	}
	return check.Check(check.Log{Rules: p.Rules, Events: p.board.all(), Ends: ends, Committed: committed}), storyErr
}

func (p *play) prepare() error {
	name := fmt.Sprintf("%s-%s-%s-%d", p.Library, p.Protocol, p.Strategy, time.Now().UnixMilli())
	p.config = member.Config{
		Address: p.Address, Topic: name, Partitions: partitions, Group: name, Protocol: p.Protocol, Strategy: p.Strategy,
	}
	p.dir = filepath.Join(p.Logs, name)
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return err
	}
	commits, err := openCommits(p.Address, name, name, partitions)
	p.commits = commits
	return err
}

// story is all up to the orderly end of the first members and the start of the last.
func (p *play) story() error {
	for range 3 {
		if err := p.start(""); err != nil {
			return err
		}
	}
	if err := p.settle("three members"); err != nil {
		return err
	}
	if err := p.killOne(); err != nil {
		return err
	}
	if err := p.start(""); err != nil {
		return err
	}
	if err := p.settle("a member joined"); err != nil {
		return err
	}
	if err := p.stopAll(); err != nil {
		return err
	}
	next := fmt.Sprintf("m%d", len(p.members)+1)
	if _, err := p.commits.tell(p.board, event.Event{Kind: event.Resumed, Member: next}); err != nil {
		return err
	}
	if err := p.start(""); err != nil {
		return err
	}
	return p.settle("one member resumed")
}

// ending waits until all that was produced is committed.
func (p *play) ending(ends []int64) error {
	err := p.wait("all to be committed", func() bool {
		offsets, err := p.commits.tell(p.board, event.Event{Kind: event.Standing})
		return err == nil && slices.Equal(offsets, ends)
	})
	if err != nil {
		return err
	}
	return p.stopAll()
}

// start runs one more member. A static one without an instance gets a new one.
func (p *play) start(instance string) error {
	name := fmt.Sprintf("m%d", len(p.members)+1)
	cfg := p.config
	if cfg.Instance = instance; p.Static && instance == "" {
		cfg.Instance = name
	}
	c, err := p.command(p.Tools, p.dir, cfg)
	if err != nil {
		return err
	}
	m, err := start(c, name, cfg.Instance, p.dir, p.board.tell)
	if err != nil {
		return err
	}
	p.members = append(p.members, m)
	p.live = append(p.live, m)
	return nil
}

// killOne kills the third member and waits for its share to find new owners. A static
// member of the classic protocol comes back in time instead. With the consumer
// protocol it can do so only if it ended in order, which comes before the kill.
func (p *play) killOne() error {
	if p.Static && p.Protocol == member.Consumer && !p.Stays {
		if err := p.comeBack(p.stop); err != nil {
			return err
		}
	}
	if p.Static && p.Protocol == member.Classic {
		return p.comeBack(p.kill)
	}
	dead := p.live[2]
	p.live = slices.Delete(p.live, 2, 3)
	if err := p.kill(dead); err != nil {
		return err
	}
	return p.settle("a member was killed")
}

// comeBack ends a static member and starts it again before its session ends: it gets
// what it had, and the others must not notice.
func (p *play) comeBack(end func(*process) error) error {
	gone, others := p.live[2], slices.Clone(p.live[:2])
	p.live = slices.Delete(p.live, 2, 3)
	before := p.board.changed(others[0]) + p.board.changed(others[1])
	if err := end(gone); err != nil {
		return err
	}
	if err := p.start(gone.instance); err != nil {
		return err
	}
	if err := p.settle("a static member came back"); err != nil {
		return err
	}
	if after := p.board.changed(others[0]) + p.board.changed(others[1]); after != before {
		p.board.tell(event.Event{At: time.Now().UnixNano(), Member: gone.name, Kind: event.Fault,
			Text: "the return of a static member changed what others have"})
	}
	return nil
}

func (p *play) kill(m *process) error {
	m.kill()
	_, err := p.commits.tell(p.board, event.Event{Kind: event.Killed, Member: m.name})
	return err
}

func (p *play) stop(m *process) error {
	err := m.stop()
	p.board.tell(event.Event{At: time.Now().UnixNano(), Member: m.name, Kind: event.Exited})
	return err
}

// settle waits until the live members share all partitions and each has read on.
func (p *play) settle(what string) error {
	err := p.wait("shares to be equal: "+what, func() bool { return p.board.balanced(p.live, partitions) })
	if err != nil {
		return err
	}
	before := p.board.read(p.live)
	return p.wait("all members to read: "+what, func() bool {
		now := p.board.read(p.live)
		for i := range now {
			if now[i] < before[i]+int64(3*p.Rate/len(p.live)) { // of three seconds
				return false
			}
		}
		return p.board.balanced(p.live, partitions)
	})
}

func (p *play) stopAll() error {
	stopped := make(chan error)
	for _, m := range p.live {
		go func() { stopped <- p.stop(m) }()
	}
	var err error
	for range p.live {
		if e := <-stopped; err == nil {
			err = e
		}
	}
	p.live = nil
	return err
}

// wait waits for a condition, and no longer if a member ends by itself.
func (p *play) wait(what string, is func() bool) error {
	for began := time.Now(); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > patience {
			return fmt.Errorf("waited %v in vain for %s", patience, what)
		}
		for _, m := range p.live {
			select {
			case <-m.done:
				return fmt.Errorf("%s ended by itself (%s), while waiting for %s", m.name, m.cmd.ProcessState, what)
			default:
			}
		}
	}
	return nil
}

func (p *play) save() error {
	file, err := os.Create(filepath.Join(p.dir, "events"))
	if err != nil {
		return err
	}
	out := json.NewEncoder(file)
	for _, e := range p.board.all() {
		if err := out.Encode(e); err != nil {
			return err
		}
	}
	return file.Close()
}
