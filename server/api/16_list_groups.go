package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/wire"
)

// ListGroups (key 16), versions 0 to 5.
//
//	v3  flexible
//	v4  states, in the answer and to filter by (KIP-518)
//	v5  types of groups, likewise (KIP-848)
//
// While some of the groups are being loaded the answer is
// COORDINATOR_LOAD_IN_PROGRESS, and no group. Those that are out of reach are left
// out.
func (a *API) listGroupsRoute() wire.Route {
	return route(0, 5, a.listGroups)
}

func (a *API) listGroups(r *wire.Request, req *kmsg.ListGroupsRequest) wire.Reply {
	g := &groupReply{whole: func(parts []kmsg.Response) wire.Appender { return listedGroups(req, parts) }}
	each := func() kmsg.Request {
		own := *req
		return &own
	}
	for _, p := range a.groups.DoAll(caller(r), each) {
		g.parts = append(g.parts, groupPart{req, p})
	}
	return g
}

func listedGroups(req *kmsg.ListGroupsRequest, parts []kmsg.Response) *kmsg.ListGroupsResponse {
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	for _, p := range parts {
		part := p.(*kmsg.ListGroupsResponse)
		switch part.ErrorCode {
		case 0:
			resp.Groups = append(resp.Groups, part.Groups...)
		case kerr.NotCoordinator.Code:
		default:
			resp.ErrorCode, resp.Groups = part.ErrorCode, nil
			return resp
		}
	}
	return resp
}
