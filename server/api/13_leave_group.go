package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/wire"
)

// LeaveGroup (key 13), versions 0 to 5.
//
//	v3  many members, by member or instance id (KIP-345)
//	v4  flexible
//	v5  reason, for the log of a broker
func (a *API) leaveGroupRoute() wire.Route {
	return route(0, 5, a.leaveGroup)
}

func (a *API) leaveGroup(r *wire.Request, req *kmsg.LeaveGroupRequest) wire.Reply {
	return a.askOne(r, req.Group, req)
}
