package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/wire"
)

// DescribeGroups (key 15), versions 0 to 6: groups of the classic protocol.
//
//	v3  authorized operations, when asked for (KIP-430)
//	v4  instance ids of static members (KIP-345)
//	v5  flexible
//	v6  GROUP_ID_NOT_FOUND with a message; before, such a group is Dead (KIP-1043)
//
// Groups are told in the order in which they are asked for.
func (a *API) describeGroupsRoute() wire.Route {
	return route(0, 6, a.describeGroups)
}

func (a *API) describeGroups(r *wire.Request, req *kmsg.DescribeGroupsRequest) wire.Reply {
	g := &groupReply{whole: func(parts []kmsg.Response) wire.Appender { return describedGroups(req, parts) }}
	for i, name := range req.Groups {
		part := kmsg.NewPtrDescribeGroupsRequest()
		part.Version, part.Groups = req.Version, req.Groups[i:i+1:i+1]
		g.ask(a, r, name, part)
	}
	return g
}

func describedGroups(req *kmsg.DescribeGroupsRequest, parts []kmsg.Response) *kmsg.DescribeGroupsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	for _, p := range parts {
		for _, g := range p.(*kmsg.DescribeGroupsResponse).Groups {
			g.AuthorizedOperations = unasked
			if req.IncludeAuthorizedOperations && g.ErrorCode == 0 {
				g.AuthorizedOperations = groupOperations
			}
			resp.Groups = append(resp.Groups, g)
		}
	}
	return resp
}
