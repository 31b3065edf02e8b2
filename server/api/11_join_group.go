package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/wire"
)

// JoinGroup (key 11), versions 0 to 9.
//
//	v1  rebalance timeout apart from the session timeout
//	v4  MEMBER_ID_REQUIRED for new members (KIP-394)
//	v5  static members (KIP-345)
//	v6  flexible
//	v7  protocol type in the answer
//	v8  reason, for the log of a broker
//	v9  the leader may be told to skip the assignment (KIP-814)
//
// The answer may take as long as the members' rebalance timeout. It is given up when
// the client disconnects; the member stays until its session ends.
func (a *API) joinGroupRoute() wire.Route {
	return route(0, 9, a.joinGroup)
}

func (a *API) joinGroup(r *wire.Request, req *kmsg.JoinGroupRequest) wire.Reply {
	return a.askOne(r, req.Group, req)
}
