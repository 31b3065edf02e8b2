package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/wire"
)

// Heartbeat (key 12), versions 0 to 4.
//
//	v3  static members (KIP-345)
//	v4  flexible
//
// While the group is being loaded there is no error, so that its members stay.
func (a *API) heartbeatRoute() wire.Route {
	return route(0, 4, a.heartbeat)
}

func (a *API) heartbeat(r *wire.Request, req *kmsg.HeartbeatRequest) wire.Reply {
	return a.askOne(r, req.Group, req)
}
