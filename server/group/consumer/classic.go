package consumer

import (
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/classic"
	"sordini/server/group/record"
	"sordini/server/group/step"
)

// Versions from which on requests of the classic protocol are as they are now.
const (
	knownIDVersion    = 4 // of JoinGroup: the first one only asks for an id (KIP-394)
	leaveBatchVersion = 3 // of LeaveGroup (KIP-345)
)

// joining is a JoinGroup on its way.
type joining struct {
	step.Call
	*kmsg.JoinGroupRequest
	subscription *subscription
	protocols    []record.ClassicProtocol
}

// Join handles JoinGroup, versions 0 to 9, of a group that is not empty. No join waits
// for others: the member gets what it can have now, as from a heartbeat, and learns
// it with its sync. Its generation is its epoch.
//
//	GROUP_MAX_SIZE_REACHED       there is no room for another member
//	INCONSISTENT_GROUP_PROTOCOL  not of consumers, or with nothing in common with the
//	                             other members of the classic protocol
//	UNKNOWN_SERVER_ERROR         the subscription is malformed
//	MEMBER_ID_REQUIRED           join again with the id given
//	UNKNOWN_MEMBER_ID            nobody has that instance id; or nobody has that id and
//	                             it says that it has partitions, so it does not know
//	                             that it was taken out. Kafka lets it in, and for a
//	                             while it has what others have.
//	FENCED_INSTANCE_ID           another member has that instance id
//
// Group id and session timeout are looked at by whoever calls.
func (g *Group) Join(c step.Call, req *kmsg.JoinGroupRequest, s *Settings, topics step.Topics, out *step.Output) {
	r := req.ResponseKind().(*kmsg.JoinGroupResponse)
	j := &joining{Call: c, JoinGroupRequest: req}
	a, code := g.arriveClassic(j, s)
	if code != 0 {
		r.ErrorCode, r.MemberID = code, strings.Clone(req.MemberID)
		if code == kerr.MemberIDRequired.Code {
			r.MemberID = c.ShortID()
		}
		out.Answer(c.Token, r)
		return
	}
	m := g.join(j, a, s, topics, out)
	protocolType, protocol := classic.ConsumerType, j.protocols[0].Name
	r.MemberID, r.Generation = m.id, m.current.Epoch
	r.ProtocolType, r.Protocol = &protocolType, &protocol
	out.Answer(c.Token, r)
}

// arriveClassic finds out who sends a join and whether it may.
func (g *Group) arriveClassic(j *joining, s *Settings) (*arrival, int16) {
	if f := g.checkRoom(j.MemberID, s); f != nil {
		return nil, f.code
	}
	j.protocols = offerOf(j.Protocols)
	if j.ProtocolType != classic.ConsumerType || !g.supports(j.protocols) {
		return nil, kerr.InconsistentGroupProtocol.Code
	}
	var err error
	if j.subscription, err = parseSubscription(j.protocols[0].Metadata); err != nil {
		return nil, kerr.UnknownServerError.Code
	}
	id := j.MemberID
	if id == "" && j.InstanceID == nil && j.Version >= knownIDVersion {
		return nil, kerr.MemberIDRequired.Code
	}
	if j.InstanceID != nil && id != "" {
		m, f := g.static(id, *j.InstanceID)
		if f != nil {
			return nil, f.code
		}
		return g.by(m.id), 0
	}
	if id == "" {
		id = j.ShortID()
	} else if g.members[id] == nil && len(j.subscription.owned) > 0 {
		return nil, kerr.UnknownMemberID.Code
	}
	if j.InstanceID != nil {
		if holder := g.byInstance[*j.InstanceID]; holder != nil {
			return instead(id, holder), 0
		}
	}
	return g.by(id), 0
}

// offerOf is what a request offers, in memory of its own. Only the first of protocols
// of one name counts.
func offerOf(protocols []kmsg.JoinGroupRequestProtocol) []record.ClassicProtocol {
	offer, seen := make([]record.ClassicProtocol, 0, len(protocols)), make(map[string]struct{}, len(protocols))
	for _, p := range protocols {
		if _, again := seen[p.Name]; !again {
			seen[p.Name] = struct{}{}
			offer = append(offer, record.ClassicProtocol{Name: strings.Clone(p.Name), Metadata: append([]byte{}, p.Metadata...)})
		}
	}
	return offer
}

// supports says that all members of the classic protocol offer one of the protocols.
func (g *Group) supports(offer []record.ClassicProtocol) bool {
	return slices.ContainsFunc(offer, func(p record.ClassicProtocol) bool { return g.offered[p.Name] == g.classics })
}

// join makes a member of who joins. If it takes the place of the last member of the
// consumer protocol, the group is to be converted.
func (g *Group) join(j *joining, a *arrival, s *Settings, topics step.Topics, out *step.Output) *member {
	last := a.replaces != nil && !a.replaces.classic()
	m, changed := g.admit(j.Now, a, j.told(a.told), topics, out)
	anew, owned := changed.subscription, byID(j.subscription.owned, topics)
	if last {
		stale := anew || g.targetEpoch < g.epoch || g.hash != g.topicsHash(topics)
		if g.convert(stale, s, topics) {
			if !stale {
				g.reconcile(j.Now, m, false, owned, topics, out)
			}
			return m
		}
	}
	g.renew(anew || changed.bump, topics, out)
	g.assign(j.Now, s, topics, out)
	g.reconcile(j.Now, m, anew, owned, topics, out)
	m.join, m.revocation = time.Time{}, time.Time{}
	g.hear(m, j.Now, m.sessionTimeout(s))
	g.arm(&m.sync, j.Now.Add(milliseconds(m.told.RebalanceTimeout)))
	return m
}

// told is what a member has told with a join, after what it had told before.
func (j *joining) told(before *record.MemberValue) *record.MemberValue {
	v := *before
	v.ClientID, v.ClientHost = j.ClientID, j.ClientHost
	update(&v.InstanceID, j.InstanceID)
	if j.subscription.rack != "" {
		v.RackID = &j.subscription.rack
	}
	v.RebalanceTimeout = j.RebalanceTimeoutMillis
	if v.RebalanceTimeout < 0 { // version 0
		v.RebalanceTimeout = j.SessionTimeoutMillis
	}
	v.Topics, v.Regex = names(j.subscription.topics), new(string)
	v.Classic = &record.ClassicProtocols{SessionTimeout: j.SessionTimeoutMillis, Protocols: j.protocols}
	return news(&v, before)
}

// Sync handles SyncGroup, versions 0 to 5: the member learns what it got with its
// join. What it sends itself is ignored.
//
//	UNKNOWN_MEMBER_ID            nobody has that id, or not in the classic protocol
//	FENCED_INSTANCE_ID           another member has that instance id
//	ILLEGAL_GENERATION           not the member's epoch
//	INCONSISTENT_GROUP_PROTOCOL  not what the join was answered
//	REBALANCE_IN_PROGRESS        there is a new assignment: join again
func (g *Group) Sync(c step.Call, req *kmsg.SyncGroupRequest, topics step.Topics, out *step.Output) {
	r := req.ResponseKind().(*kmsg.SyncGroupResponse)
	m, code := g.findClassic(req.MemberID, req.InstanceID, req.Generation)
	if code == 0 {
		code = g.checkSync(c.Now, m, req)
	}
	if code != 0 {
		r.ErrorCode = code
		out.Answer(c.Token, r)
		return
	}
	m.sync = time.Time{}
	g.hear(m, c.Now, milliseconds(m.told.Classic.SessionTimeout))
	r.ProtocolType, r.Protocol = own(req.ProtocolType), own(req.Protocol)
	r.MemberAssignment = appendAssignment(versionOf(m.told.Classic.Protocols[0].Metadata), m.current.Assigned, topics)
	out.Answer(c.Token, r)
}

func (g *Group) checkSync(now time.Time, m *member, req *kmsg.SyncGroupRequest) int16 {
	switch {
	case len(m.told.Classic.Protocols) == 0,
		req.ProtocolType != nil && *req.ProtocolType != classic.ConsumerType,
		req.Protocol != nil && *req.Protocol != m.told.Classic.Protocols[0].Name:
		return kerr.InconsistentGroupProtocol.Code
	case g.targetEpoch > m.current.Epoch && m.current.State != record.UnrevokedPartitions:
		g.recall(now, m)
		return kerr.RebalanceInProgress.Code
	}
	return 0
}

// recall gives a member time to join again.
func (g *Group) recall(now time.Time, m *member) {
	if m.join.IsZero() {
		g.arm(&m.join, now.Add(milliseconds(m.told.RebalanceTimeout)))
	}
}

// findClassic is the member of the classic protocol that a request names.
func (g *Group) findClassic(id string, instance *string, generation int32) (*member, int16) {
	m, f := g.find(id, instance)
	switch {
	case f != nil:
		return nil, f.code
	case !m.classic():
		return nil, kerr.UnknownMemberID.Code
	case m.current.Epoch != generation:
		return nil, kerr.IllegalGeneration.Code
	}
	return m, 0
}

// ClassicHeartbeat handles Heartbeat, versions 0 to 4. A member is told
// REBALANCE_IN_PROGRESS, to make it join again, when there is a new assignment, when
// it has to give partitions back, and when what it waits for is free. The other errors
// are as for [Group.Sync].
//
// It makes a new assignment if one is due, as the heartbeats of other members do. In
// Kafka it does not, so a group that has only members of the classic protocol would
// wait for one until somebody joins.
func (g *Group) ClassicHeartbeat(c step.Call, req *kmsg.HeartbeatRequest, s *Settings, topics step.Topics, out *step.Output) {
	r := req.ResponseKind().(*kmsg.HeartbeatResponse)
	m, code := g.findClassic(req.MemberID, req.InstanceID, req.Generation)
	r.ErrorCode = code
	if code == 0 {
		g.renew(false, topics, out)
		g.assign(c.Now, s, topics, out)
		g.hear(m, c.Now, m.sessionTimeout(s))
		if g.mayProceed(m) {
			g.recall(c.Now, m)
			r.ErrorCode = kerr.RebalanceInProgress.Code
		}
	}
	out.Answer(c.Token, r)
}

// mayProceed says that a join would change what a member has.
func (g *Group) mayProceed(m *member) bool {
	return m.current.Epoch < g.targetEpoch || m.current.State == record.UnrevokedPartitions ||
		m.current.State == record.UnreleasedPartitions && !g.blocked(m)
}

// blocked says that others have not given back all that a member waits for.
func (g *Group) blocked(m *member) bool {
	for _, t := range g.targets[m.id] {
		have := of(m.current.Assigned, t.Topic).Partitions
		for _, p := range t.Partitions {
			if _, has := slices.BinarySearch(have, p); !has && g.owners[partition{t.Topic, p}] != nil {
				return true
			}
		}
	}
	return false
}

// Leave handles LeaveGroup, versions 0 to 5, of members of either protocol. A static
// member may be named by its instance id alone, which is how administrators remove it.
func (g *Group) Leave(c step.Call, req *kmsg.LeaveGroupRequest, s *Settings, topics step.Topics, out *step.Output) {
	r := req.ResponseKind().(*kmsg.LeaveGroupResponse)
	var gone []*member
	leave := func(id string, instance *string) int16 {
		if instance != nil && id == "" {
			if m := g.byInstance[*instance]; m != nil {
				id = m.id
			}
		}
		m, f := g.find(id, instance)
		if f != nil {
			return f.code
		}
		if !slices.Contains(gone, m) {
			gone = append(gone, m)
		}
		return 0
	}
	if req.Version < leaveBatchVersion {
		r.ErrorCode = leave(req.MemberID, nil)
	} else {
		for _, who := range req.Members {
			m := kmsg.NewLeaveGroupResponseMember()
			m.MemberID, m.InstanceID = strings.Clone(who.MemberID), own(who.InstanceID)
			m.ErrorCode = leave(who.MemberID, who.InstanceID)
			r.Members = append(r.Members, m)
		}
	}
	g.fence(gone, s, topics, out)
	out.Answer(c.Token, r)
}
