package shard

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/step"
)

// maxName is the longest client id and instance id, in bytes: an id of a member that
// is made of it and a UUID has to fit in a string of a record.
const maxName = 32767 - 64

// Do runs the step of a request. Requests that may name several groups
// (DescribeGroups, DeleteGroups, ConsumerGroupDescribe, OffsetFetch) are answered for
// those that they name, which must all belong to the shard; ListGroups for all groups
// of the shard.
func (s *Shard) Do(c step.Call, env *Env, req kmsg.Request, out *step.Output) {
	s.begin(env)
	c.ClientID = c.ClientID[:min(len(c.ClientID), maxName)]
	switch req := req.(type) {
	case *kmsg.JoinGroupRequest:
		s.join(c, env, req, out)
	case *kmsg.SyncGroupRequest:
		s.sync(c, env, req, out)
	case *kmsg.HeartbeatRequest:
		s.heartbeat(c, env, req, out)
	case *kmsg.LeaveGroupRequest:
		s.leave(c, env, req, out)
	case *kmsg.ConsumerGroupHeartbeatRequest:
		s.consumerHeartbeat(c, env, req, out)
	case *kmsg.OffsetCommitRequest:
		out.Answer(c.Token, s.commit(c, env, req, out))
	case *kmsg.OffsetFetchRequest:
		out.Answer(c.Token, s.fetch(env, req))
	case *kmsg.OffsetDeleteRequest:
		out.Answer(c.Token, s.deleteOffsets(c, env, req, out))
	case *kmsg.DescribeGroupsRequest:
		out.Answer(c.Token, s.describe(req))
	case *kmsg.ConsumerGroupDescribeRequest:
		out.Answer(c.Token, s.describeConsumers(env, req))
	case *kmsg.ListGroupsRequest:
		out.Answer(c.Token, s.list(req))
	case *kmsg.DeleteGroupsRequest:
		out.Answer(c.Token, s.deleteGroups(c, req, out))
	default:
		panic(fmt.Sprintf("shard: a request of type %T", req)) // a route without a machine
	}
}

// join makes the group if a new member comes. A consumer group without members is
// replaced.
func (s *Shard) join(c step.Call, env *Env, req *kmsg.JoinGroupRequest, out *step.Output) {
	refuse := func(code int16) {
		r := req.ResponseKind().(*kmsg.JoinGroupResponse)
		r.MemberID, r.ErrorCode = strings.Clone(req.MemberID), code
		out.Answer(c.Token, r)
	}
	code := s.classics.CheckJoin(req)
	if code == 0 && req.InstanceID != nil && len(*req.InstanceID) > maxName {
		code = kerr.InvalidRequest.Code
	}
	if code != 0 {
		refuse(code)
		return
	}
	e := s.groups[req.Group]
	if e != nil && e.consumer != nil {
		if !e.consumer.Empty() {
			e.consumer.Join(c, req, env.consumerSettings(e.id), env.Topics, out)
			s.afterConsumers(e, c.Now, out)
			return
		}
		out.Write(e.tombstones()...)
		s.remove(e)
		e = nil
	}
	if e == nil {
		if req.MemberID != "" {
			refuse(kerr.UnknownMemberID.Code)
			return
		}
		e = s.newClassic(strings.Clone(req.Group), c.Now)
	}
	e.classic.Join(c, req, out)
	s.settle(e)
}

func (s *Shard) sync(c step.Call, env *Env, req *kmsg.SyncGroupRequest, out *step.Output) {
	e := s.groups[req.Group]
	if e == nil || e.empty() {
		r := req.ResponseKind().(*kmsg.SyncGroupResponse)
		r.ErrorCode = missing(req.Group)
		out.Answer(c.Token, r)
		return
	}
	if e.consumer != nil {
		e.consumer.Sync(c, req, env.Topics, out)
	} else {
		e.classic.Sync(c, req, out)
	}
	s.settle(e)
}

func (s *Shard) heartbeat(c step.Call, env *Env, req *kmsg.HeartbeatRequest, out *step.Output) {
	e := s.groups[req.Group]
	if e == nil {
		r := req.ResponseKind().(*kmsg.HeartbeatResponse)
		r.ErrorCode = missing(req.Group)
		out.Answer(c.Token, r)
		return
	}
	if e.consumer != nil {
		e.consumer.ClassicHeartbeat(c, req, env.consumerSettings(e.id), env.Topics, out)
	} else {
		e.classic.Heartbeat(c, req, out)
	}
	s.settle(e)
}

func (s *Shard) leave(c step.Call, env *Env, req *kmsg.LeaveGroupRequest, out *step.Output) {
	e := s.groups[req.Group]
	if e == nil {
		r := req.ResponseKind().(*kmsg.LeaveGroupResponse)
		missingLeave(req, r)
		out.Answer(c.Token, r)
		return
	}
	if e.consumer != nil {
		e.consumer.Leave(c, req, env.consumerSettings(e.id), env.Topics, out)
		s.afterConsumers(e, c.Now, out)
		return
	}
	e.classic.Leave(c, req, out)
	s.settle(e)
}

// missingLeave answers for members of a group that is not there. From version 3 on
// each member has its own error.
func missingLeave(req *kmsg.LeaveGroupRequest, resp *kmsg.LeaveGroupResponse) {
	code := missing(req.Group)
	if req.Version < 3 || code != kerr.UnknownMemberID.Code {
		resp.ErrorCode = code
		return
	}
	for i := range req.Members {
		m := kmsg.NewLeaveGroupResponseMember()
		m.MemberID, m.ErrorCode = strings.Clone(req.Members[i].MemberID), code
		if id := req.Members[i].InstanceID; id != nil {
			own := strings.Clone(*id)
			m.InstanceID = &own
		}
		resp.Members = append(resp.Members, m)
	}
}

// missing is the error code where a group is not there that must have members.
func missing(group string) int16 {
	if group == "" {
		return kerr.InvalidGroupID.Code
	}
	return kerr.UnknownMemberID.Code
}
