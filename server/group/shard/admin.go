package shard

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/audit"
	"sordini/server/group/step"
)

// notFound is the text of GROUP_ID_NOT_FOUND.
func notFound(group string) *string {
	text := fmt.Sprintf("Group %s not found.", group)
	return &text
}

// wrongType is the text for a group of another protocol.
func wrongType(group, kind string) *string {
	text := fmt.Sprintf("Group %s is not a %s group.", group, kind)
	return &text
}

// describe tells of classic groups. What is none is dead, and from version 6 on an
// error (KIP-1043).
func (s *Shard) describe(req *kmsg.DescribeGroupsRequest) kmsg.Response {
	const errorVersion = 6
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	for _, id := range req.Groups {
		e := s.groups[id]
		if e != nil && e.classic != nil {
			resp.Groups = append(resp.Groups, e.classic.Describe())
			continue
		}
		g := kmsg.NewDescribeGroupsResponseGroup()
		g.Group, g.State = strings.Clone(id), "Dead"
		if req.Version >= errorVersion {
			g.ErrorCode, g.ErrorMessage = kerr.GroupIDNotFound.Code, notFound(id)
			if e != nil {
				g.ErrorMessage = wrongType(id, "classic")
			}
		}
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}

// describeConsumers tells of consumer groups.
func (s *Shard) describeConsumers(env *Env, req *kmsg.ConsumerGroupDescribeRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	for _, id := range req.Groups {
		e := s.groups[id]
		if e != nil && e.consumer != nil {
			resp.Groups = append(resp.Groups, e.consumer.Describe(env.consumerSettings(e.id), env.Topics))
			continue
		}
		g := kmsg.NewConsumerGroupDescribeResponseGroup()
		g.Group, g.ErrorCode, g.ErrorMessage = strings.Clone(id), kerr.GroupIDNotFound.Code, notFound(id)
		if e != nil {
			g.ErrorMessage = wrongType(id, "consumer")
		}
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}

// list tells of all groups whose state and type are asked for. Both filters ignore
// case (KIP-518, KIP-848).
func (s *Shard) list(req *kmsg.ListGroupsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	wanted := func(filter []string, value string) bool {
		return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(strings.TrimSpace(f), value) })
	}
	for _, id := range slices.Sorted(maps.Keys(s.groups)) {
		g := s.groups[id].listed()
		if wanted(req.StatesFilter, g.GroupState) && wanted(req.TypesFilter, g.GroupType) {
			resp.Groups = append(resp.Groups, g)
		}
	}
	return resp
}

func (e *entry) listed() kmsg.ListGroupsResponseGroup {
	g := kmsg.NewListGroupsResponseGroup()
	g.Group = e.id
	if e.classic != nil {
		g.GroupType, g.GroupState, g.ProtocolType = "classic", e.classic.State(), e.classic.ProtocolType()
	} else {
		g.GroupType, g.GroupState, g.ProtocolType = "consumer", e.consumer.State(), "consumer"
	}
	return g
}

// deleteGroups deletes groups without members, with their offsets.
func (s *Shard) deleteGroups(c step.Call, req *kmsg.DeleteGroupsRequest, out *step.Output) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	for _, id := range req.Groups {
		g := kmsg.NewDeleteGroupsResponseGroup()
		g.Group = strings.Clone(id)
		if e := s.groups[id]; e == nil {
			g.ErrorCode = kerr.GroupIDNotFound.Code
		} else if g.ErrorCode = e.checkDelete(); g.ErrorCode == 0 {
			out.Note(c, audit.GroupEvent{Kind: audit.GroupDeleted, Group: g.Group, Old: -1, New: -1})
			s.offsets.DropGroup(id, out)
			out.Write(e.tombstones()...)
			s.remove(e)
		}
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}
