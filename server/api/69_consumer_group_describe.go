package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/wire"
)

// ConsumerGroupDescribe (key 69), versions 0 to 1 (KIP-848): groups of the consumer
// protocol. Those of the classic one are GROUP_ID_NOT_FOUND here.
//
//	v1  types of members (KIP-1099)
//
// Groups are told in the order in which they are asked for.
func (a *API) consumerGroupDescribeRoute() wire.Route {
	return route(0, 1, a.consumerGroupDescribe)
}

func (a *API) consumerGroupDescribe(r *wire.Request, req *kmsg.ConsumerGroupDescribeRequest) wire.Reply {
	g := &groupReply{whole: func(parts []kmsg.Response) wire.Appender { return describedConsumerGroups(req, parts) }}
	for i, name := range req.Groups {
		part := kmsg.NewPtrConsumerGroupDescribeRequest()
		part.Version, part.Groups = req.Version, req.Groups[i:i+1:i+1]
		if name == "" {
			g.parts = append(g.parts, groupPart{part, refused{kerr.InvalidGroupID}})
			continue
		}
		g.ask(a, r, name, part)
	}
	return g
}

func describedConsumerGroups(req *kmsg.ConsumerGroupDescribeRequest, parts []kmsg.Response) *kmsg.ConsumerGroupDescribeResponse {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	for _, p := range parts {
		for _, g := range p.(*kmsg.ConsumerGroupDescribeResponse).Groups {
			g.AuthorizedOperations = unasked
			if req.IncludeAuthorizedOperations && g.ErrorCode == 0 {
				g.AuthorizedOperations = groupOperations
			}
			resp.Groups = append(resp.Groups, g)
		}
	}
	return resp
}
