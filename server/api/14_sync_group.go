package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/wire"
)

// SyncGroup (key 14), versions 0 to 5.
//
//	v3  static members (KIP-345)
//	v4  flexible
//	v5  protocol type and name, in the request and in the answer (KIP-559)
//
// The answer of a follower may take as long as the leader needs for the assignment.
// It is given up when the client disconnects.
func (a *API) syncGroupRoute() wire.Route {
	return route(0, 5, a.syncGroup)
}

func (a *API) syncGroup(r *wire.Request, req *kmsg.SyncGroupRequest) wire.Reply {
	return a.askOne(r, req.Group, req)
}
