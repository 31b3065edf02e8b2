package group

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/server/group/record"
	"sordini/server/group/shard"
	"sordini/server/group/step"
	"sordini/server/metrics"
	"sordini/server/partition"
)

// state is how far a runner has come.
type state int

const (
	loading state = iota
	active
	dropped // the shard failed, or the coordinator stops
)

// runner is one shard with its partition.
type runner struct {
	coordinator *Coordinator
	partition   *partition.Partition

	mu      sync.Mutex
	state   state
	shard   *shard.Shard // nil unless active
	seen    int64        // version of the metadata that the shard knows
	written int64        // end of what the shard has written
	waiting map[step.Token]*Pending
	out     step.Output // reused
	append  *log.Append // reused
	timer   *time.Timer
	due     time.Time // when timer goes off; zero: not set
}

func newRunner(c *Coordinator, p *partition.Partition) *runner {
	return &runner{coordinator: c, partition: p, waiting: make(map[step.Token]*Pending), append: log.NewAppend()}
}

// do runs the step of a request.
func (r *runner) do(c step.Call, req kmsg.Request) *Pending {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.state {
	case loading:
		return refused(kerr.CoordinatorLoadInProgress)
	case dropped:
		return refused(kerr.NotCoordinator)
	}
	p := &Pending{runner: r, token: c.Token, answered: make(chan struct{})}
	r.waiting[c.Token] = p
	r.shard.Do(c, r.coordinator.environment(), req, &r.out)
	r.settleLocked()
	return p
}

// settleLocked writes the records of a step, gives its answers, and sets the timer.
func (r *runner) settleLocked() {
	if err := r.writeLocked(); err != nil {
		r.dropLocked("group coordinator cannot write", err)
		return
	}
	for _, a := range r.out.Answers {
		p := r.waiting[a.Token]
		if p == nil {
			continue // cancelled
		}
		delete(r.waiting, a.Token)
		p.response, p.offset = a.Response, r.written
		close(p.answered)
	}
	r.coordinator.opt.Audit.Group(r.partition, r.written, r.out.Events)
	r.out.Events = nil
	clear(r.out.Answers)
	clear(r.out.Records)
	r.out.Answers, r.out.Records = r.out.Answers[:0], r.out.Records[:0]
	r.armLocked()
}

// writeLocked appends the records of a step as one batch.
func (r *runner) writeLocked() error {
	if len(r.out.Records) == 0 {
		return nil
	}
	var b batch.Builder
	now := r.coordinator.opt.Set.Now().UnixMilli()
	for _, rec := range r.out.Records {
		key, value, err := record.Encode(rec)
		if err != nil {
			return err
		}
		b.Add(now, key, value)
	}
	encoded, err := b.Bytes()
	if err != nil {
		return err
	}
	header, err := batch.Validate(encoded)
	if err != nil {
		return err
	}
	a := r.append
	a.Batch, a.Header = encoded, header
	r.partition.Append(a)
	a.Batch = nil
	if a.Err != nil {
		return a.Err
	}
	r.written = a.Next
	return nil
}

// armLocked sets the timer for the shard's next deadline.
func (r *runner) armLocked() {
	due, ok := r.shard.Deadline()
	if !ok || !r.due.IsZero() && !due.Before(r.due) {
		return // the timer is set, and will be set again when it goes off
	}
	r.due = due
	wait := max(0, due.Sub(r.coordinator.opt.Set.Now()))
	if r.timer == nil {
		r.timer = time.AfterFunc(wait, r.tick)
	} else {
		r.timer.Reset(wait)
	}
}

// tick does what is due.
func (r *runner) tick() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != active {
		return
	}
	r.due = time.Time{}
	r.shard.Tick(r.coordinator.opt.Set.Now(), r.coordinator.environment(), &r.out)
	r.settleLocked()
}

// topicsChanged tells the shard that there are other topics.
func (r *runner) topicsChanged() {
	r.mu.Lock()
	defer r.mu.Unlock()
	env := r.coordinator.environment()
	if r.state != active || r.seen == env.Topics.Version() {
		return
	}
	r.seen = env.Topics.Version()
	r.shard.TopicsChanged(env, &r.out)
	r.settleLocked()
}

// summaries tells the groups of the shard, none while it is not loaded.
func (r *runner) summaries() []metrics.KafkaGroup {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != active {
		return nil
	}
	return r.shard.Summaries()
}

// forget lets a request go whose answer nobody wants.
func (r *runner) forget(p *Pending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, p.token)
}

// fail drops the shard because what it has written is lost.
func (r *runner) fail(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == active {
		r.dropLocked("what the group coordinator has written is lost", cause)
	}
}

// end drops the shard because the coordinator stops.
func (r *runner) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropLocked("", nil)
}

func (r *runner) dropLocked(what string, cause error) {
	if cause != nil && !errors.Is(cause, partition.ErrGone) {
		r.coordinator.opt.Logger.Error(what, "partition", r.partition.Index, "err", cause)
	}
	r.state, r.shard = dropped, nil
	r.out = step.Output{}
	if r.timer != nil {
		r.timer.Stop()
	}
	for token, p := range r.waiting {
		delete(r.waiting, token)
		p.failure = kerr.NotCoordinator
		close(p.answered)
	}
}

// load makes the shard out of its partition.
func (r *runner) load(ctx context.Context) {
	c := r.coordinator
	began := time.Now()
	s := shard.New()
	l := loader{partition: r.partition, shard: s, chunk: int64(c.opt.Set.Broker().Int64("offsets.load.buffer.size"))}
	err := l.run(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != loading {
		return
	}
	if err != nil {
		r.dropLocked("groups of a partition are out of reach: its log cannot be read", err)
		return
	}
	r.state, r.shard, r.written = active, s, l.next
	env := c.environment()
	r.seen = env.Topics.Version()
	s.Loaded(c.opt.Set.Now(), env, &r.out)
	s.TopicsChanged(env, &r.out)
	r.settleLocked()
	if l.records > 0 {
		c.opt.Logger.Info("groups loaded", "partition", r.partition.Index, "records", l.records, "bytes", l.bytes,
			"unknown", l.unknown, "groups", s.Len(), "took", time.Since(began))
	}
}
