package shard

import (
	"time"

	"sordini/server/group/consumer"
	"sordini/server/group/record"
	"sordini/server/group/step"
)

// Replay makes the change that a record of the log tells. Records come in the order
// of the log, before Loaded.
func (s *Shard) Replay(r record.Record) {
	switch r := r.(type) {
	case *record.Offset:
		s.offsets.Replay(r)
		if r.Value != nil && s.groups[r.Group] == nil {
			s.newClassic(r.Group, time.Time{})
		}
	case *record.Classic:
		s.replayClassic(r)
	default:
		s.replayConsumer(r)
	}
}

func (s *Shard) replayClassic(r *record.Classic) {
	e := s.groups[r.Group]
	if r.Value == nil {
		if e != nil && e.classic != nil {
			s.remove(e)
		}
		return
	}
	if e == nil || e.classic == nil {
		e = s.newClassic(r.Group, time.Time{})
	}
	e.classic.Replay(r.Value)
}

// replayConsumer feeds a record to its consumer group. The group is there from its
// first record on to the tombstone of its epoch. A classic group gives way: either it
// only held offsets, or the log has dropped its tombstone.
func (s *Shard) replayConsumer(r record.Record) {
	e := s.groups[r.GroupID()]
	epoch, ends := r.(*record.Epoch)
	ends = ends && epoch.Value == nil
	if e == nil || e.consumer == nil {
		if tombstone(r) {
			return
		}
		if e != nil {
			s.remove(e)
		}
		e = &entry{id: r.GroupID(), consumer: consumer.New(r.GroupID()), place: -1}
		s.groups[e.id] = e
	}
	e.consumer.Replay(r)
	if ends {
		s.remove(e)
		s.keepOffsets(r.GroupID())
	}
}

// keepOffsets sees to it that a group that still has offsets is there.
func (s *Shard) keepOffsets(group string) {
	if s.offsets.Has(group) {
		s.newClassic(group, time.Time{})
	}
}

// tombstone says whether a record of a consumer group deletes something.
func tombstone(r record.Record) bool {
	switch r := r.(type) {
	case *record.Epoch:
		return r.Value == nil
	case *record.Member:
		return r.Value == nil
	case *record.TargetEpoch:
		return r.Value == nil
	case *record.TargetMember:
		return r.Value == nil
	case *record.Current:
		return r.Value == nil
	case *record.Pattern:
		return r.Value == nil
	}
	return false
}

// Loaded ends the replay: sessions of members begin, and groups that hold nothing go.
func (s *Shard) Loaded(now time.Time, env *Env, out *step.Output) {
	s.begin(env)
	for id, e := range s.groups {
		if e.classic != nil {
			e.classic.Loaded(now, out)
		} else {
			e.consumer.Loaded(now, env.consumerSettings(id))
		}
		s.settle(e)
	}
	s.expiry = now.Add(env.Broker.Offsets.RetentionInterval)
}

// TopicsChanged deletes the offsets of topics that are gone. Consumer groups notice
// with the next heartbeat.
func (s *Shard) TopicsChanged(env *Env, out *step.Output) {
	s.offsets.Prune(env.Topics, out)
}
