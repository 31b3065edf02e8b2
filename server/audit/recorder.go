package audit

import (
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/server/meta"
	"sordini/server/metrics"
	"sordini/server/partition"
	"sordini/server/wire"
)

// Topic is where all of it is kept.
const Topic = "__sordini_audit"

// Partitions of the topic.
const (
	changesPartition = iota
	pagesPartition
	commitsPartition
	topicPartitions
)

const (
	// interval is how often the rings are collected.
	interval = 200 * time.Millisecond
	// maxCommits is how many events of groups wait at most.
	maxCommits = 64 << 10
	// retryDelay is the time between attempts to make the topic.
	retryDelay = 5 * time.Second
)

// Options of a Recorder. All fields are required.
type Options struct {
	Metrics *metrics.Metrics
	Logger  *slog.Logger
	Now     func() time.Time
}

// Recorder keeps the audit. It hears from the moment that it is made on, and writes
// from Start on. A nil Recorder hears and writes nothing. All methods but Start and
// Stop may be called concurrently.
type Recorder struct {
	opt   Options
	set   *partition.Set
	rings [rings]ring
	kick  chan struct{}
	stop  chan struct{}
	done  sync.WaitGroup

	topic    atomic.Pointer[[]*partition.Partition]
	creating sync.Mutex // held while the topic is made
	refused  time.Time  // when making it failed last

	groupsMu sync.Mutex
	groups   []groupCall // that wait for their records to become durable
	events   int         // of groups
	dropped  Gap         // commits

	changeMu  sync.Mutex // held while a change is appended
	changeLog *log.Append

	work   sync.Mutex // held while rings are collected
	writer writer
	recent map[standing]bool
}

// New returns a Recorder that hears.
func New(opt Options) *Recorder {
	return &Recorder{
		opt: opt, kick: make(chan struct{}, 1), stop: make(chan struct{}),
		changeLog: log.NewAppend(), recent: make(map[standing]bool),
	}
}

// Start begins to write. clean says that the process before has stopped in order;
// otherwise what is in the logs now has become durable by recovery.
func (r *Recorder) Start(set *partition.Set, clean bool) {
	r.set = set
	r.writer.init(r)
	if r.adopt() {
		r.change(nil, r.opt.Now(), Change{Action: ActionServerStarted, Recovered: !clean})
	}
	if !clean {
		now := r.opt.Now().UnixMicro()
		for _, p := range set.All() {
			start, durable := p.Log().State().Start, p.DurableTo()
			if p.Audited() && durable > start {
				r.writer.found = append(r.writer.found, entry{partition: p, by: partition.ByRecovery, span: span{start, durable, now, now}})
			}
		}
	}
	r.done.Go(r.run)
}

// Stop makes durable what is in the logs of audited topics, and writes all that was
// heard. Nobody appends to them any more.
func (r *Recorder) Stop() {
	if r == nil || r.set == nil {
		return
	}
	close(r.stop)
	r.done.Wait()
	var settling sync.WaitGroup
	slots := make(chan struct{}, 32)
	for _, p := range r.set.All() {
		if !p.Audited() {
			continue
		}
		slots <- struct{}{}
		settling.Go(func() {
			defer func() { <-slots }()
			if err := p.Settle(); err != nil {
				r.opt.Logger.Error("flush before the stop", "topic", p.Topic, "partition", p.Index, "err", err)
			}
		})
	}
	settling.Wait()
	r.Collect()
	if r.topic.Load() != nil {
		r.change(nil, r.opt.Now(), Change{Action: ActionServerStopped})
	}
}

func (r *Recorder) run() {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-tick.C:
		case <-r.kick:
		}
		r.Collect()
	}
}

// hurry has the worker come before its time.
func (r *Recorder) hurry() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// Appended hears that a client has appended records to a partition with audit.enable,
// from one offset up to another, exclusive, at a time.
func (r *Recorder) Appended(p *partition.Partition, client *wire.Client, from, to int64, at time.Time) {
	t := at.UnixMicro()
	r.put(&entry{partition: p, client: client, span: span{from, to, t, t}})
}

// Durable implements [partition.Observer].
func (r *Recorder) Durable(p *partition.Partition, from, to int64, by partition.Durability) {
	t := r.opt.Now().UnixMicro()
	r.put(&entry{partition: p, by: by, span: span{from, to, t, t}})
}

func (r *Recorder) put(e *entry) {
	if r.rings[ringOf(e.partition)].put(e) {
		r.hurry()
	}
}

// Collect writes all that was heard until now.
func (r *Recorder) Collect() {
	if r == nil || r.set == nil {
		return
	}
	r.work.Lock()
	defer r.work.Unlock()
	calls, gap := r.settled()
	r.judge(calls)
	r.writer.run(calls, gap)
}

// adopt takes the topic that exists into use, with the retention that the settings
// want.
func (r *Recorder) adopt() bool {
	partitions := r.set.Topic(Topic)
	if len(partitions) < topicPartitions {
		return false
	}
	if want := r.configs(); !maps.Equal(r.set.Image().Topic(Topic).Configs, want) {
		if err := r.set.SetTopicConfigs(Topic, want); err != nil {
			r.opt.Logger.Warn("retention of the audit not set", "err", err)
		}
	}
	r.topic.Store(&partitions)
	return true
}

// ensure makes the topic if it is not there. It says false if it can't be used now.
func (r *Recorder) ensure() bool {
	if r.topic.Load() != nil {
		return true
	}
	r.creating.Lock()
	defer r.creating.Unlock()
	if r.topic.Load() != nil {
		return true
	}
	if now := r.opt.Now(); now.Sub(r.refused) < retryDelay {
		return false
	}
	if len(r.set.Topic(Topic)) == 0 {
		_, errs := r.set.CreateTopics([]partition.Topic{{Name: Topic, Partitions: topicPartitions, Internal: true, Configs: r.configs()}})
		if errs[0] != nil {
			r.refused = r.opt.Now()
			r.opt.Logger.Error("audit topic not made; it will be tried again", "err", errs[0])
			return false
		}
	}
	return r.adopt()
}

// partition is a partition of the topic, nil if it can't be used now.
func (r *Recorder) partition(index int) *partition.Partition {
	if !r.ensure() {
		return nil
	}
	return (*r.topic.Load())[index]
}

// appendTo appends a batch to a partition of the topic.
func (r *Recorder) appendTo(index int, a *log.Append, b *batch.Builder) error {
	p := r.partition(index)
	if p == nil {
		return meta.ErrUnknownTopic
	}
	encoded, err := b.AppendTo(a.Batch[:0])
	if err != nil {
		return err
	}
	if a.Header, err = batch.ParseHeader(encoded); err != nil {
		return err
	}
	a.Batch = encoded
	p.Append(a)
	if a.Err == nil {
		r.opt.Metrics.AuditBytes.Add(int64(len(encoded)))
	}
	return a.Err
}
