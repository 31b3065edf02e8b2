package classic

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/step"
)

// leaveBatchVersion is the version of LeaveGroup from which on it names many
// members (KIP-345).
const leaveBatchVersion = 3

// Heartbeat handles Heartbeat, versions 0 to 4. It keeps the session in Preparing
// too, where the member learns that it has to join again.
func (g *Group) Heartbeat(c step.Call, req *kmsg.HeartbeatRequest, out *step.Output) {
	r := kmsg.NewPtrHeartbeatResponse()
	r.Version, r.ErrorCode = req.Version, g.checkHeartbeat(req)
	if r.ErrorCode == 0 {
		g.hear(g.byID[req.MemberID], c.Now)
		if g.state == preparing {
			r.ErrorCode = kerr.RebalanceInProgress.Code
		}
	}
	out.Answer(c.Token, r)
}

func (g *Group) checkHeartbeat(req *kmsg.HeartbeatRequest) int16 {
	if req.Group == "" {
		return kerr.InvalidGroupID.Code
	}
	if code := g.check(req.MemberID, req.InstanceID); code != 0 {
		return code
	}
	if req.Generation != g.generation {
		return kerr.IllegalGeneration.Code
	}
	return 0
}

// Leave handles LeaveGroup, versions 0 to 5. A member is named by its id, or, if it
// is static, by its instance id alone, which is how administrators remove it. Each
// one that is named has an error code of its own; before version 3 there is one
// only.
func (g *Group) Leave(c step.Call, req *kmsg.LeaveGroupRequest, out *step.Output) {
	r := kmsg.NewPtrLeaveGroupResponse()
	r.Version = req.Version
	switch {
	case req.Group == "":
		r.ErrorCode = kerr.InvalidGroupID.Code
	case req.Version < leaveBatchVersion:
		r.ErrorCode = g.leave(req.MemberID, nil, out)
		g.afterLeave(c, r.ErrorCode == 0, out)
	default:
		left := false
		for _, who := range req.Members {
			m := kmsg.NewLeaveGroupResponseMember()
			m.MemberID = strings.Clone(who.MemberID)
			if who.InstanceID != nil {
				instance := strings.Clone(*who.InstanceID)
				m.InstanceID = &instance
			}
			m.ErrorCode = g.leave(who.MemberID, who.InstanceID, out)
			left = left || m.ErrorCode == 0
			r.Members = append(r.Members, m)
		}
		g.afterLeave(c, left, out)
	}
	g.finish(out)
	out.Answer(c.Token, r)
}

// leave takes one member out.
func (g *Group) leave(id string, instance *string, out *step.Output) int16 {
	if _, ok := g.pending[id]; ok {
		delete(g.pending, id)
		return 0
	}
	if id == "" {
		if instance == nil || g.byInstance[*instance] == nil {
			return kerr.UnknownMemberID.Code
		}
		id = g.byInstance[*instance].ID
	} else if code := g.check(id, instance); code != 0 {
		return code
	}
	g.remove(g.byID[id], out)
	return 0
}

// afterLeave rebalances what is left. As in Kafka that is so even if only an id was
// given back that had not joined.
func (g *Group) afterLeave(c step.Call, left bool, out *step.Output) {
	if left && g.state != empty {
		g.rebalance(c.Now, out)
	}
}
