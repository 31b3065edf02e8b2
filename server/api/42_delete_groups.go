package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/wire"
)

// DeleteGroups (key 42), versions 0 to 2 (KIP-229).
//
//	v2  flexible
//
// A group that the request names twice is deleted, and answered, once.
func (a *API) deleteGroupsRoute() wire.Route {
	return route(0, 2, a.deleteGroups)
}

func (a *API) deleteGroups(r *wire.Request, req *kmsg.DeleteGroupsRequest) wire.Reply {
	g := &groupReply{whole: func(parts []kmsg.Response) wire.Appender {
		resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
		for _, p := range parts {
			resp.Groups = append(resp.Groups, p.(*kmsg.DeleteGroupsResponse).Groups...)
		}
		return resp
	}}
	seen := make(map[string]bool, len(req.Groups))
	for i, name := range req.Groups {
		if seen[name] {
			continue
		}
		seen[name] = true
		part := kmsg.NewPtrDeleteGroupsRequest()
		part.Version, part.Groups = req.Version, req.Groups[i:i+1:i+1]
		g.ask(a, r, name, part)
	}
	return g
}
