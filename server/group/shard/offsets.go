package shard

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/classic"
	"sordini/server/group/offset"
	"sordini/server/group/record"
	"sordini/server/group/step"
)

// notFoundVersion is the version of OffsetCommit from which on a group that is not
// there is GROUP_ID_NOT_FOUND (KIP-848); before it is ILLEGAL_GENERATION.
const notFoundVersion = 9

// commit stores offsets. A client that is no member makes the group by it.
func (s *Shard) commit(c step.Call, env *Env, req *kmsg.OffsetCommitRequest, out *step.Output) kmsg.Response {
	e := s.groups[req.Group]
	rules := offset.Rules{Topics: env.Topics, MetadataMax: env.Broker.Offsets.MaxMetadataBytes}
	switch {
	case e == nil && req.Generation >= 0:
		rules.Check = always(kerr.IllegalGeneration.Code)
		if req.Version >= notFoundVersion {
			rules.Check = always(kerr.GroupIDNotFound.Code)
		}
	case e == nil:
		rules.Check = always(0)
	case e.consumer != nil:
		rules.Check = e.consumer.CommitCheck(req)
	default:
		rules.Check = always(e.classic.CheckCommit(classic.Committer{
			MemberID: req.MemberID, InstanceID: req.InstanceID, Generation: req.Generation,
		}, c.Now))
	}
	before := len(out.Records)
	resp := s.offsets.Commit(c, req, rules, out)
	if e == nil && len(out.Records) > before {
		s.newClassic(strings.Clone(req.Group), c.Now)
	}
	return resp
}

// always refuses all partitions alike, or none.
func always(code int16) func(record.TopicID, int32) int16 {
	return func(record.TopicID, int32) int16 { return code }
}

// fetchMany is the version of OffsetFetch from which on it names several groups.
const fetchMany = 8

// fetch tells offsets, of one group or of several.
func (s *Shard) fetch(env *Env, req *kmsg.OffsetFetchRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version >= fetchMany {
		for i := range req.Groups {
			resp.Groups = append(resp.Groups, s.fetchGroup(env, req.Version, &req.Groups[i], req.RequireStable))
		}
		return resp
	}
	one := kmsg.NewOffsetFetchRequestGroup()
	one.Group = req.Group
	if req.Topics != nil {
		one.Topics = make([]kmsg.OffsetFetchRequestGroupTopic, 0, len(req.Topics)) // none is not all
	}
	for _, t := range req.Topics {
		gt := kmsg.NewOffsetFetchRequestGroupTopic()
		gt.Topic, gt.Partitions = t.Topic, t.Partitions
		one.Topics = append(one.Topics, gt)
	}
	g := s.fetchGroup(env, req.Version, &one, req.RequireStable)
	resp.ErrorCode = g.ErrorCode
	for _, t := range g.Topics {
		rt := kmsg.NewOffsetFetchResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetFetchResponseTopicPartition()
			rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata, rp.ErrorCode = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// fetchGroup tells the offsets of one group. One that is not there has none.
func (s *Shard) fetchGroup(env *Env, version int16, req *kmsg.OffsetFetchRequestGroup, stable bool) kmsg.OffsetFetchResponseGroup {
	if e := s.groups[req.Group]; e != nil && e.consumer != nil {
		if code := e.consumer.CheckFetch(req.MemberID, req.MemberEpoch); code != 0 {
			resp := kmsg.NewOffsetFetchResponseGroup()
			resp.Group, resp.ErrorCode = req.Group, code
			return resp
		}
	}
	return s.offsets.Fetch(version, req, stable, env.Topics)
}

func (s *Shard) deleteOffsets(c step.Call, env *Env, req *kmsg.OffsetDeleteRequest, out *step.Output) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	e := s.groups[req.Group]
	if e == nil {
		resp.ErrorCode = kerr.GroupIDNotFound.Code
		return resp
	}
	if resp.ErrorCode = e.checkOffsetDelete(); resp.ErrorCode != 0 {
		return resp
	}
	return s.offsets.Delete(c, req, env.Topics, e.retention(), out)
}

// checkOffsetDelete is the error code of OffsetDelete for the whole group.
func (e *entry) checkOffsetDelete() int16 {
	if e.classic != nil {
		return e.classic.CheckOffsetDelete()
	}
	return 0 // what members consume is refused topic by topic
}

// retention is what the group says of how long its offsets are kept.
func (e *entry) retention() offset.Retention {
	if e.classic != nil {
		return e.classic
	}
	return e.consumer
}

// expire deletes offsets whose time has come, and groups that have neither members
// nor offsets any more.
func (s *Shard) expire(now time.Time, env *Env, out *step.Output) {
	retention := env.Broker.Offsets.Retention.Milliseconds()
	for _, id := range slices.Sorted(maps.Keys(s.groups)) {
		e := s.groups[id]
		s.offsets.Expire(e.id, e.retention(), now.UnixMilli(), retention, out)
		s.removeUnused(e, out)
	}
}

// removeUnused deletes a group that has neither members nor offsets.
func (s *Shard) removeUnused(e *entry, out *step.Output) {
	if !e.empty() || s.offsets.Has(e.id) {
		return
	}
	out.Write(e.tombstones()...)
	s.remove(e)
}
