package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/wire"
)

// OffsetFetch (key 9), versions 0 to 10.
//
//	v2   no topics mean all; error of the whole group
//	v5   leader epochs (KIP-320)
//	v6   flexible
//	v7   require stable offsets: those that no transaction may still change (KIP-447)
//	v8   many groups (KIP-709)
//	v9   member and its epoch (KIP-848)
//	v10  topics by id (KIP-848)
//
// A partition without an offset has -1 and no error, and so has a group that is not
// there.
func (a *API) offsetFetchRoute() wire.Route {
	return route(0, 10, a.offsetFetch)
}

func (a *API) offsetFetch(r *wire.Request, req *kmsg.OffsetFetchRequest) wire.Reply {
	const manyGroups = 8
	if req.Version < manyGroups {
		return a.askOne(r, req.Group, req)
	}
	g := &groupReply{whole: func(parts []kmsg.Response) wire.Appender {
		resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		for _, p := range parts {
			resp.Groups = append(resp.Groups, p.(*kmsg.OffsetFetchResponse).Groups...)
		}
		return resp
	}}
	for i := range req.Groups {
		part := kmsg.NewPtrOffsetFetchRequest()
		part.Version, part.RequireStable, part.Groups = req.Version, req.RequireStable, req.Groups[i:i+1:i+1]
		g.ask(a, r, req.Groups[i].Group, part)
	}
	return g
}
