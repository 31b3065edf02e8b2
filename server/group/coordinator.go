package group

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/audit"
	"sordini/server/group/shard"
	"sordini/server/group/step"
	"sordini/server/meta"
	"sordini/server/metrics"
	"sordini/server/partition"
)

// Topic is where the state of all groups is kept.
const Topic = "__consumer_offsets"

// Options of a Coordinator. All fields but Audit are required.
type Options struct {
	Set    *partition.Set
	Store  *meta.Store
	Logger *slog.Logger
	Random io.Reader // for ids of members
	Audit  *audit.Recorder
}

// Coordinator is the coordinator of all groups.
type Coordinator struct {
	opt Options

	// runners are the shards by partition of the topic; none before the topic
	// exists.
	runners atomic.Pointer[[]*runner]
	tokens  atomic.Uint64

	creating sync.Mutex // held while the topic is created and runners are made
	stop     context.CancelFunc
	stopped  context.Context
	running  sync.WaitGroup
}

// Start returns a coordinator, which loads what there is in the background.
func Start(opt Options) *Coordinator {
	c := &Coordinator{opt: opt}
	c.stopped, c.stop = context.WithCancel(context.Background())
	c.creating.Lock()
	c.adopt()
	c.creating.Unlock()
	c.running.Go(c.watch)
	return c
}

// Stop ends everything that runs. Requests that wait are answered NOT_COORDINATOR.
func (c *Coordinator) Stop() {
	c.creating.Lock() // nothing is begun any more
	c.stop()
	c.creating.Unlock()
	c.running.Wait()
	for _, r := range c.all() {
		r.end()
	}
}

func (c *Coordinator) all() []*runner {
	if p := c.runners.Load(); p != nil {
		return *p
	}
	return nil
}

// Ensure makes sure that the topic of the coordinator exists, creating it with the
// settings of the broker.
func (c *Coordinator) Ensure() error {
	if len(c.all()) > 0 {
		return nil
	}
	c.creating.Lock()
	defer c.creating.Unlock()
	if len(c.all()) > 0 || c.stopped.Err() != nil {
		return nil
	}
	if c.opt.Set.Image().Topic(Topic) == nil {
		o := c.opt.Set.Broker().Offsets
		_, errs := c.opt.Set.CreateTopics([]partition.Topic{{
			Name: Topic, Partitions: o.Partitions, Internal: true,
			Configs: map[string]string{
				"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": fmt.Sprint(o.SegmentBytes),
			},
		}})
		if errs[0] != nil && !errors.Is(errs[0], meta.ErrTopicExists) {
			return fmt.Errorf("create %s: %w", Topic, errs[0])
		}
	}
	c.adopt()
	return nil
}

// adopt makes a runner for each partition of the topic and has it loaded. The
// caller holds creating.
func (c *Coordinator) adopt() {
	partitions := c.opt.Set.Topic(Topic)
	if len(partitions) == 0 {
		return
	}
	runners := make([]*runner, len(partitions))
	for i, p := range partitions {
		runners[i] = newRunner(c, p)
	}
	c.runners.Store(&runners)
	const loaders = 2
	todo := make(chan *runner, len(runners))
	for _, r := range runners {
		todo <- r
	}
	close(todo)
	for range loaders {
		c.running.Go(func() {
			for r := range todo {
				r.load(c.stopped)
			}
		})
	}
}

// watch tells the shards of changes of the metadata, and lets them go when their
// topic is deleted.
func (c *Coordinator) watch() {
	for {
		changed := c.opt.Store.Changed()
		for _, r := range c.all() {
			r.topicsChanged()
		}
		c.leave()
		select {
		case <-changed:
		case <-c.stopped.Done():
			return
		}
	}
}

// leave lets the shards go if their topic is not there any more.
func (c *Coordinator) leave() {
	c.creating.Lock()
	defer c.creating.Unlock()
	all := c.all()
	if len(all) == 0 || c.opt.Set.GetByID(all[0].partition.ID, 0) != nil {
		return
	}
	c.runners.Store(nil)
	for _, r := range all {
		r.end()
	}
	c.adopt()
}

// Do runs the step of a request in the shard of its group. The request must not be
// used by the caller afterwards. Of the call, the token, the time and NewID are set
// here.
func (c *Coordinator) Do(call step.Call, groupID string, req kmsg.Request) *Pending {
	all := c.all()
	if len(all) == 0 {
		return refused(kerr.CoordinatorNotAvailable)
	}
	return all[Partition(groupID, len(all))].do(c.complete(call), req)
}

// DoAll runs the step of a request that concerns no single group in every shard.
// newRequest makes the request for each.
func (c *Coordinator) DoAll(call step.Call, newRequest func() kmsg.Request) []*Pending {
	all := c.all()
	pending := make([]*Pending, len(all))
	for i, r := range all {
		pending[i] = r.do(c.complete(call), newRequest())
	}
	return pending
}

// Groups tells all groups of the shards that are loaded, one shard at a time.
func (c *Coordinator) Groups() iter.Seq[metrics.KafkaGroup] {
	return func(yield func(metrics.KafkaGroup) bool) {
		for _, r := range c.all() {
			for _, g := range r.summaries() {
				if !yield(g) {
					return
				}
			}
		}
	}
}

func (c *Coordinator) complete(call step.Call) step.Call {
	call.Token, call.Now, call.NewID = step.Token(c.tokens.Add(1)), c.opt.Set.Now(), c.newID
	return call
}

// newID is a random UUID (RFC 9562, version 4).
func (c *Coordinator) newID() string {
	var b [16]byte
	if _, err := io.ReadFull(c.opt.Random, b[:]); err != nil {
		panic("group: the source of randomness failed: " + err.Error())
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// environment is what a step may look at besides its shard.
func (c *Coordinator) environment() *shard.Env {
	image := c.opt.Set.Image()
	return &shard.Env{Topics: topics{image}, Broker: c.opt.Set.Broker(), GroupConfigs: image.GroupConfigs}
}

// Partition is the partition, of n, of the coordinator's topic that a group
// belongs to: Java's hash of the name.
func Partition(groupID string, n int) int {
	var h int32
	for _, u := range utf16.Encode([]rune(groupID)) {
		h = 31*h + int32(u)
	}
	if h < 0 {
		h = -h
	}
	return int(max(0, h)) % n // the smallest int32 has no opposite
}

// commitTimeout is how long an answer waits for what it tells to become durable.
func (c *Coordinator) commitTimeout() time.Duration { return c.opt.Set.Broker().Offsets.CommitTimeout }
