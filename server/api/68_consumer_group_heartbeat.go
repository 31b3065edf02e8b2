package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/wire"
)

// ConsumerGroupHeartbeat (key 68), versions 0 to 1 (KIP-848).
//
//	v1  the client makes its member id (KIP-1082); subscription by regular expression
//
// It joins, reports, leaves and assigns: the whole protocol is this request.
func (a *API) consumerGroupHeartbeatRoute() wire.Route {
	return route(0, 1, a.consumerGroupHeartbeat)
}

func (a *API) consumerGroupHeartbeat(r *wire.Request, req *kmsg.ConsumerGroupHeartbeatRequest) wire.Reply {
	return a.askOne(r, req.Group, req)
}
