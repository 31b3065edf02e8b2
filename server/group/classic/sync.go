package classic

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/step"
)

// protocolVersion is the version of SyncGroup from which on it says which protocol
// it is for (KIP-559).
const protocolVersion = 5

// Sync handles SyncGroup, versions 0 to 5. The sync of the leader makes the group
// stable and is answered together with those of the others, which wait for it.
func (g *Group) Sync(c step.Call, req *kmsg.SyncGroupRequest, out *step.Output) {
	r := request{c.Token, req.Version}
	code := g.checkSync(req)
	if code == 0 && g.state == preparing {
		code = kerr.RebalanceInProgress.Code
	}
	if code != 0 {
		out.Answer(r.token, syncError(r.version, code))
		return
	}
	m := g.byID[req.MemberID]
	m.unsynced = false
	g.hear(m, c.Now)
	if g.state == stable {
		out.Answer(r.token, g.synced(m, r.version))
		return
	}
	refuseSync(m, kerr.RebalanceInProgress.Code, out)
	m.sync = &r
	if g.leader == m.ID {
		g.assign(req, c.Now, out)
	}
}

func (g *Group) checkSync(req *kmsg.SyncGroupRequest) int16 {
	if req.Group == "" {
		return kerr.InvalidGroupID.Code
	}
	if req.Version >= protocolVersion && (req.ProtocolType == nil || req.Protocol == nil) {
		return kerr.InconsistentGroupProtocol.Code
	}
	if code := g.check(req.MemberID, req.InstanceID); code != 0 {
		return code
	}
	switch {
	case req.Generation != g.generation:
		return kerr.IllegalGeneration.Code
	case req.ProtocolType != nil && g.protocolType != "" && *req.ProtocolType != g.protocolType,
		req.Protocol != nil && g.protocol != nil && *req.Protocol != *g.protocol:
		return kerr.InconsistentGroupProtocol.Code
	}
	return 0
}

// assign gives each member what the leader says, and nothing to those it does not
// name.
func (g *Group) assign(req *kmsg.SyncGroupRequest, now time.Time, out *step.Output) {
	given := make(map[string][]byte, len(req.GroupAssignment))
	for _, a := range req.GroupAssignment {
		given[a.MemberID] = a.MemberAssignment
	}
	for _, m := range g.members {
		m.Assignment = own(given[m.ID])
	}
	g.enter(stable, now)
	g.write(g.record(), out)
	for _, m := range g.members {
		if m.sync != nil {
			out.Answer(m.sync.token, g.synced(m, m.sync.version))
			m.sync = nil
			g.touch(m, now)
		}
	}
}

// synced is the answer to a sync in Stable.
func (g *Group) synced(m *member, version int16) *kmsg.SyncGroupResponse {
	r := kmsg.NewPtrSyncGroupResponse()
	protocolType := g.protocolType
	r.Version, r.ProtocolType, r.Protocol = version, &protocolType, g.protocol
	r.MemberAssignment = m.Assignment
	return r
}

func syncError(version, code int16) *kmsg.SyncGroupResponse {
	r := kmsg.NewPtrSyncGroupResponse()
	r.Version, r.ErrorCode = version, code
	return r
}

// refuseSync answers the sync of m, if one waits.
func refuseSync(m *member, code int16, out *step.Output) {
	if m.sync != nil {
		out.Answer(m.sync.token, syncError(m.sync.version, code))
		m.sync = nil
	}
}
