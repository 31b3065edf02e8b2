package shard

import (
	"time"

	"sordini/server/config"
	"sordini/server/group/classic"
	"sordini/server/group/consumer"
	"sordini/server/group/offset"
	"sordini/server/group/record"
	"sordini/server/group/step"
)

// Env is what a step may look at besides the shard. It does not change during a
// step.
type Env struct {
	Topics step.Topics
	Broker *config.Broker
	// GroupConfigs are the settings of a group that differ from the broker's.
	GroupConfigs func(group string) map[string]string
}

// entry is one group: classic or of consumers.
type entry struct {
	id       string
	classic  *classic.Group
	consumer *consumer.Group

	due   time.Time // when it is woken
	place int       // in the heap of deadlines; -1: it sleeps
}

func (e *entry) empty() bool {
	if e.classic != nil {
		return e.classic.Empty()
	}
	return e.consumer.Empty()
}

// deadline is when the group wants to be woken.
func (e *entry) deadline() (time.Time, bool) {
	if e.classic != nil {
		return e.classic.Deadline()
	}
	return e.consumer.Deadline()
}

// checkDelete is the error code of DeleteGroups.
func (e *entry) checkDelete() int16 {
	if e.classic != nil {
		return e.classic.CheckDelete()
	}
	return e.consumer.CheckDelete()
}

// subscribed says that members consume the topic.
func (e *entry) subscribed(topic string) bool {
	if e.classic != nil {
		return e.classic.Subscribed(topic)
	}
	return e.consumer.Subscribed(topic)
}

// tombstones end the group.
func (e *entry) tombstones() []record.Record {
	if e.classic != nil {
		return []record.Record{e.classic.Tombstone()}
	}
	return e.consumer.Tombstones()
}

// Shard is all groups of one partition.
type Shard struct {
	groups    map[string]*entry
	offsets   *offset.Store
	classics  classic.Settings // of all classic groups; renewed with each step
	deadlines deadlines
	expiry    time.Time // when offsets are looked through; zero: before Loaded
}

// New is a shard without groups.
func New() *Shard {
	return &Shard{groups: make(map[string]*entry), offsets: offset.New(), classics: classic.DefaultSettings()}
}

// Len is the number of groups.
func (s *Shard) Len() int { return len(s.groups) }

// begin renews what of the broker's settings the groups hold.
func (s *Shard) begin(env *Env) {
	g := &env.Broker.Groups
	s.classics = classic.Settings{
		MinSessionTimeout: g.MinSessionTimeout, MaxSessionTimeout: g.MaxSessionTimeout,
		InitialRebalanceDelay: g.InitialRebalanceDelay, MaxSize: g.MaxSize,
	}
}

// newClassic makes a group without members.
func (s *Shard) newClassic(id string, now time.Time) *entry {
	e := &entry{id: id, classic: classic.New(id, &s.classics, now), place: -1}
	s.groups[id] = e
	return e
}

// remove forgets a group; its offsets stay.
func (s *Shard) remove(e *entry) {
	s.deadlines.drop(e)
	delete(s.groups, e.id)
}

// settle notes when a group that took a step wants to be woken.
func (s *Shard) settle(e *entry) {
	if due, ok := e.deadline(); ok {
		s.deadlines.set(e, due)
	}
}

// Deadline is when Tick must be called next.
func (s *Shard) Deadline() (time.Time, bool) {
	due := s.expiry
	if len(s.deadlines) > 0 && (due.IsZero() || s.deadlines[0].due.Before(due)) {
		due = s.deadlines[0].due
	}
	return due, !due.IsZero()
}

// Tick does all that is due.
func (s *Shard) Tick(now time.Time, env *Env, out *step.Output) {
	s.begin(env)
	for e := s.deadlines.next(now); e != nil; e = s.deadlines.next(now) {
		s.tick(e, now, env, out)
	}
	if !s.expiry.IsZero() && !now.Before(s.expiry) {
		s.expire(now, env, out)
		s.expiry = now.Add(env.Broker.Offsets.RetentionInterval)
	}
}

func (s *Shard) tick(e *entry, now time.Time, env *Env, out *step.Output) {
	if e.classic != nil {
		e.classic.Tick(now, out)
		s.settle(e)
		return
	}
	e.consumer.Tick(now, env.consumerSettings(e.id), env.Topics, out)
	s.afterConsumers(e, now, out)
}
