package consumer

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/record"
)

// epochVersion is the version of OffsetCommit from which on it knows member epochs.
const epochVersion = 9

// CommitCheck is what the group says of a commit: the error code for each partition, 0
// if it is allowed. A member commits with the epoch that it was last told, or with an
// older one, but not older than the assignment of the partition to it (KIP-1251).
//
//	UNKNOWN_MEMBER_ID    not a member; who is none may commit to an empty group only
//	UNSUPPORTED_VERSION  a member of the consumer protocol, with a version below 9
//	STALE_MEMBER_EPOCH   the epoch is too old or too new
//	ILLEGAL_GENERATION   the same of a member of the classic protocol
func (g *Group) CommitCheck(req *kmsg.OffsetCommitRequest) func(topic record.TopicID, number int32) int16 {
	if req.Generation < 0 && g.Empty() {
		return always(0)
	}
	m := g.members[req.MemberID]
	switch {
	case m == nil:
		return always(kerr.UnknownMemberID.Code)
	case !m.classic() && req.Version < epochVersion:
		return always(kerr.UnsupportedVersion.Code)
	case m.current.Epoch < req.Generation:
		return always(m.stale())
	}
	return m.checkEpoch(req.Generation)
}

// TxnCommitCheck is the same for TxnOffsetCommit, where who names no member need not
// be one, and a member of whichever protocol is told ILLEGAL_GENERATION.
func (g *Group) TxnCommitCheck(req *kmsg.TxnOffsetCommitRequest) func(topic record.TopicID, number int32) int16 {
	if req.Generation < 0 && g.Empty() || req.Generation == -1 && req.MemberID == "" && req.InstanceID == nil {
		return always(0)
	}
	m := g.members[req.MemberID]
	switch {
	case m == nil:
		return always(kerr.UnknownMemberID.Code)
	case m.current.Epoch < req.Generation:
		return always(kerr.IllegalGeneration.Code)
	}
	check := m.checkEpoch(req.Generation)
	return func(topic record.TopicID, number int32) int16 {
		if check(topic, number) != 0 {
			return kerr.IllegalGeneration.Code
		}
		return 0
	}
}

func always(code int16) func(record.TopicID, int32) int16 {
	return func(record.TopicID, int32) int16 { return code }
}

// checkEpoch checks an epoch that is not newer than the member's.
func (m *member) checkEpoch(epoch int32) func(record.TopicID, int32) int16 {
	if epoch == m.current.Epoch {
		return always(0)
	}
	return func(topic record.TopicID, number int32) int16 {
		since, ok := epochOf(m.current.Assigned, topic, number)
		if !ok {
			since, ok = epochOf(m.current.Revoking, topic, number)
		}
		if !ok || epoch < since {
			return m.stale()
		}
		return 0
	}
}

// stale is the error code of a wrong epoch.
func (m *member) stale() int16 {
	if m.classic() {
		return kerr.IllegalGeneration.Code
	}
	return kerr.StaleMemberEpoch.Code
}

// CheckFetch is the error code of OffsetFetch, 0 if it is allowed. Who names neither a
// member nor an epoch may always fetch.
func (g *Group) CheckFetch(id *string, epoch int32) int16 {
	if id == nil && epoch < 0 {
		return 0
	}
	if id == nil {
		return kerr.UnknownMemberID.Code
	}
	m := g.members[*id]
	switch {
	case m == nil:
		return kerr.UnknownMemberID.Code
	case epoch != m.current.Epoch:
		return m.stale()
	}
	return 0
}

// CheckDelete is the error code of DeleteGroups, 0 if the group may be deleted.
func (g *Group) CheckDelete() int16 {
	if !g.Empty() {
		return kerr.NonEmptyGroup.Code
	}
	return 0
}

// Subscribed says that a member subscribes to the topic, by name or pattern. Offsets of
// such a topic are neither deleted nor do they expire.
func (g *Group) Subscribed(topic string) bool { return g.topics[topic] > 0 }

// RetainedFrom is the time, in ms since 1970, from which on the retention of an offset
// counts: that of its commit, in every state of the group.
func (g *Group) RetainedFrom(committed int64) (int64, bool) { return committed, true }
