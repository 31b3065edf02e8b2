package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/step"
	"sordini/server/wire"
)

// OffsetDelete (key 47), version 0 (KIP-496).
//
// The answer tells that the offsets are gone for good. Offsets of topics that members
// consume are kept: GROUP_SUBSCRIBED_TO_TOPIC.
func (a *API) offsetDeleteRoute() wire.Route {
	return route(0, 0, a.offsetDelete)
}

func (a *API) offsetDelete(r *wire.Request, req *kmsg.OffsetDeleteRequest) wire.Reply {
	if req.Group == "" {
		return wire.Now(step.Refuse(req, kerr.InvalidGroupID))
	}
	return a.askOne(r, req.Group, req)
}
