package classic

import (
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// Versions of JoinGroup from which on something is different.
const (
	rebalanceTimeoutVersion = 1 // before, the session timeout stands for both
	memberIDRequiredVersion = 4 // KIP-394
	skipAssignmentVersion   = 9 // KIP-814
)

// join is a JoinGroup request at hand.
type join struct {
	step.Call
	*kmsg.JoinGroupRequest
	offer []record.ClassicProtocol
}

func (j *join) rebalanceTimeout() int32 {
	if j.Version < rebalanceTimeoutVersion {
		return j.SessionTimeoutMillis
	}
	return j.RebalanceTimeoutMillis
}

func (j *join) request() *request { return &request{j.Token, j.Version} }

// refuse answers the request at hand.
func (j *join) refuse(memberID string, code int16, out *step.Output) {
	out.Answer(j.Token, joinError(j.Version, memberID, code))
}

func joinError(version int16, memberID string, code int16) *kmsg.JoinGroupResponse {
	r := kmsg.NewPtrJoinGroupResponse()
	r.Version, r.ErrorCode, r.MemberID = version, code, memberID
	return r
}

// Join handles JoinGroup, versions 0 to 9. The answer comes at once or when the
// rebalance ends that the join waits for. The first join of a new member gets the
// group its record, as in Kafka.
//
// The checks, in Kafka's order: group id, session timeout (see
// [Settings.CheckJoin]), size of the group, protocols, member id and instance id.
func (g *Group) Join(c step.Call, req *kmsg.JoinGroupRequest, out *step.Output) {
	j := &join{Call: c, JoinGroupRequest: req}
	if code := g.settings.CheckJoin(req); code != 0 {
		j.refuse(strings.Clone(req.MemberID), code, out)
		return
	}
	if !g.logged && req.MemberID == "" {
		g.write(g.record(), out)
	}
	j.offer = offerOf(req)
	switch {
	case !g.accepts(req.MemberID):
		g.expel(req.MemberID, out)
		j.refuse("", kerr.GroupMaxSizeReached.Code, out)
	case !g.supports(req.ProtocolType, j.offer):
		j.refuse(strings.Clone(req.MemberID), kerr.InconsistentGroupProtocol.Code, out)
	case req.MemberID == "":
		g.joinNew(j, out)
	default:
		g.joinKnown(j, out)
	}
	g.finish(out)
}

// accepts says whether the group has room. In Preparing those count that have
// joined: so the last to join are left out of a group that is too large.
func (g *Group) accepts(id string) bool {
	m := g.byID[id]
	switch g.state {
	case empty:
		return true
	case preparing:
		return m != nil && m.join != nil || g.waiting < g.settings.MaxSize
	default:
		return m != nil || len(g.members) < g.settings.MaxSize
	}
}

// expel removes a member, or forgets an id, for which there is no room.
func (g *Group) expel(id string, out *step.Output) {
	delete(g.pending, id)
	if m := g.byID[id]; m != nil {
		g.remove(m, out)
	}
}

func (g *Group) joinNew(j *join, out *step.Output) {
	if j.InstanceID != nil {
		id := *j.InstanceID + "-" + j.NewID()
		if m := g.byInstance[*j.InstanceID]; m != nil {
			g.replace(j, m, id, out)
			return
		}
		g.add(j, id, out)
		return
	}
	id := j.ClientID + "-" + j.NewID()
	if j.Version < memberIDRequiredVersion {
		g.add(j, id, out)
		return
	}
	ends := j.Now.Add(milliseconds(j.SessionTimeoutMillis))
	g.pending[id] = ends
	g.wakeBy(ends)
	j.refuse(id, kerr.MemberIDRequired.Code, out)
}

func (g *Group) joinKnown(j *join, out *step.Output) {
	id := strings.Clone(j.MemberID)
	if _, ok := g.pending[id]; ok {
		if j.InstanceID != nil { // ids are given to dynamic members only
			j.refuse("", kerr.UnknownServerError.Code, out)
			return
		}
		g.add(j, id, out)
		return
	}
	if code := g.check(id, j.InstanceID); code != 0 {
		j.refuse(id, code, out)
		return
	}
	m := g.byID[id]
	same := m.matches(j.offer)
	// In Completing the member may have missed the answer to its join. In Stable the
	// leader may have seen a change that its metadata does not show.
	if g.state == completing && same || g.state == stable && same && g.leader != id {
		out.Answer(j.Token, g.joined(m, j.Version))
		return
	}
	g.update(m, j, out)
	g.rebalance(j.Now, out)
}

// add makes who joins a member.
func (g *Group) add(j *join, id string, out *step.Output) {
	m := &member{fresh: true}
	m.Assignment = []byte{}
	m.ID, m.ClientID, m.ClientHost = strings.Clone(id), strings.Clone(j.ClientID), strings.Clone(j.ClientHost)
	if j.InstanceID != nil {
		instance := strings.Clone(*j.InstanceID)
		m.InstanceID = &instance
	}
	if len(g.members) == 0 {
		g.protocolType = strings.Clone(j.ProtocolType)
	}
	g.arrived = true
	g.insert(m)
	g.update(m, j, out)
	m.expires = j.Now.Add(newMemberTimeout)
	g.wakeBy(m.expires)
	g.rebalance(j.Now, out)
}

// update takes over what a join says of its member, and has it wait.
func (g *Group) update(m *member, j *join, out *step.Output) {
	g.count(m, -1)
	m.Protocols = j.offer
	g.count(m, +1)
	m.RebalanceTimeout, m.SessionTimeout = j.rebalanceTimeout(), j.SessionTimeoutMillis
	g.hear(m, j.Now)
	g.refuseJoin(m, m.ID, kerr.RebalanceInProgress.Code, out)
	m.join = j.request()
	g.waiting++
}

// replace lets a new incarnation of a static member take the place of m (KIP-345).
// A stable group goes on if it would agree on the same protocol again.
func (g *Group) replace(j *join, m *member, id string, out *step.Output) {
	leader := g.leader
	g.rename(m, id, out)
	g.update(m, j, out)
	g.touch(m, j.Now)
	if g.state != stable || choose(g.members) != g.Protocol() {
		g.rebalance(j.Now, out)
		return
	}
	g.write(g.record(), out)
	r := g.joined(m, j.Version)
	if j.Version >= skipAssignmentVersion {
		r.SkipAssignment = g.leader == id
	} else {
		// One that learned it leads would assign anew.
		r.LeaderID, r.Members = leader, nil
	}
	g.answerJoin(m, r, out)
}

// joined is the answer to a join of the current generation. Only the leader is told
// the members.
func (g *Group) joined(m *member, version int16) *kmsg.JoinGroupResponse {
	r := kmsg.NewPtrJoinGroupResponse()
	r.Version, r.MemberID = version, m.ID
	r.Generation, r.LeaderID, r.Protocol = g.generation, g.leader, g.protocol
	protocolType := g.protocolType
	r.ProtocolType = &protocolType
	if g.leader == m.ID {
		r.Members = g.joinedMembers()
	}
	return r
}

func (g *Group) joinedMembers() []kmsg.JoinGroupResponseMember {
	all := make([]kmsg.JoinGroupResponseMember, len(g.members))
	for i, m := range g.members {
		all[i].MemberID, all[i].InstanceID = m.ID, m.InstanceID
		all[i].ProtocolMetadata = m.metadata(g.Protocol())
	}
	return all
}

// answerJoin answers the join of m that waits.
func (g *Group) answerJoin(m *member, r *kmsg.JoinGroupResponse, out *step.Output) {
	out.Answer(m.join.token, r)
	m.join = nil
	g.waiting--
}

// refuseJoin answers the join of m, if one waits.
func (g *Group) refuseJoin(m *member, memberID string, code int16, out *step.Output) {
	if m.join != nil {
		g.answerJoin(m, joinError(m.join.version, memberID, code), out)
	}
}

// hear notes that a member was heard of.
func (g *Group) hear(m *member, now time.Time) {
	if g.watch.Hear(&m.silence, now); !g.watch.Due().IsZero() {
		g.wakeBy(g.watch.Due())
	}
	g.touch(m, now)
}

// touch starts a member's session anew. One that was not heard of since the load keeps
// what it has.
func (g *Group) touch(m *member, now time.Time) {
	if m.silence.Unheard() {
		return
	}
	m.expires = now.Add(milliseconds(m.SessionTimeout))
	g.wakeBy(m.expires)
}
