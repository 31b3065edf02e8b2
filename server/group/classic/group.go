package classic

import (
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group/step"
)

// ConsumerType is the protocol type of consumers. Of groups of this type the
// metadata is understood as far as the topics go.
const ConsumerType = "consumer"

// newMemberTimeout is how long the first join of a member may wait.
const newMemberTimeout = 5 * time.Minute

// Settings are what of the broker's configuration matters here. A group reads them
// anew in each step; their owner may change them between steps.
type Settings struct {
	MinSessionTimeout     time.Duration // group.min.session.timeout.ms
	MaxSessionTimeout     time.Duration // group.max.session.timeout.ms
	InitialRebalanceDelay time.Duration // group.initial.rebalance.delay.ms
	MaxSize               int           // group.max.size; at least 1
}

// DefaultSettings are Kafka's.
func DefaultSettings() Settings {
	return Settings{
		MinSessionTimeout:     6 * time.Second,
		MaxSessionTimeout:     30 * time.Minute,
		InitialRebalanceDelay: 3 * time.Second,
		MaxSize:               math.MaxInt32,
	}
}

// CheckJoin is the error code of a join that no group accepts, 0 if there is none.
// A join that fails it must not make a group.
func (s *Settings) CheckJoin(req *kmsg.JoinGroupRequest) int16 {
	session := milliseconds(req.SessionTimeoutMillis)
	switch {
	case req.Group == "":
		return kerr.InvalidGroupID.Code
	case session < s.MinSessionTimeout || session > s.MaxSessionTimeout:
		return kerr.InvalidSessionTimeout.Code
	}
	return 0
}

type state int8

const (
	empty state = iota
	preparing
	completing
	stable
)

// String is the state as Kafka names it.
func (s state) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable"}[s]
}

// Group is one group.
type Group struct {
	id       string
	settings *Settings
	logged   bool // there is a record of it
	outdated bool // its last record names who is not a member any more
	due      bool // as its last record says, it is between two generations: see Loaded

	state state
	since int64 // when it entered the state, ms since 1970; -1: unknown

	generation   int32
	protocolType string  // "": none yet, the group only holds offsets
	protocol     *string // what the members agreed on; nil: nothing
	leader       string  // "": no members

	members    []*member // the oldest first
	byID       map[string]*member
	byInstance map[string]*member
	waiting    int                  // members whose join waits
	offered    map[string]int       // how many members offer each protocol
	pending    map[string]time.Time // ids given and not yet used, and when they end
	topics     map[string]struct{}  // that consumers subscribe to; nil: unknown

	initial   bool          // Preparing followed on Empty
	arrived   bool          // a member was added since delay began
	delay     time.Duration // the initial delay that joinDue ends
	remaining time.Duration // how much longer the initial delay may get

	joinDue, syncDue time.Time // zero: not set
	watch            step.Watch
	wake             time.Time // no timer is due before; zero: none is set
}

// New is a group without members and without a record.
func New(id string, settings *Settings, now time.Time) *Group {
	g := &Group{id: id, settings: settings}
	g.clear()
	g.enter(empty, now)
	return g
}

func (g *Group) clear() {
	g.members, g.waiting, g.leader = nil, 0, ""
	g.byID, g.byInstance = make(map[string]*member), make(map[string]*member)
	g.offered, g.pending = make(map[string]int), make(map[string]time.Time)
	g.joinDue, g.syncDue, g.wake = time.Time{}, time.Time{}, time.Time{}
	g.initial, g.arrived = false, false
	g.outdated, g.due, g.watch = false, false, step.Watch{}
}

func (g *Group) enter(s state, now time.Time) { g.state, g.since = s, now.UnixMilli() }

// ID is the group's name.
func (g *Group) ID() string { return g.id }

// State is Empty, PreparingRebalance, CompletingRebalance or Stable.
func (g *Group) State() string { return g.state.String() }

// Empty says that the group has no members. It may have given out ids to members
// who are about to join.
func (g *Group) Empty() bool { return g.state == empty }

// Size is the number of members.
func (g *Group) Size() int { return len(g.members) }

// Generation rises with every rebalance.
func (g *Group) Generation() int32 { return g.generation }

// ProtocolType is the type of the members, or of the last that there were; "" if
// there never were any.
func (g *Group) ProtocolType() string { return g.protocolType }

// Protocol is what the members agreed on; "" for nothing.
func (g *Group) Protocol() string {
	if g.protocol == nil {
		return ""
	}
	return *g.protocol
}

// Describe is the group as DescribeGroups shows it. The metadata of the members is
// shown in Stable only.
func (g *Group) Describe() kmsg.DescribeGroupsResponseGroup {
	d := kmsg.NewDescribeGroupsResponseGroup()
	d.Group, d.State, d.ProtocolType = g.id, g.State(), g.protocolType
	if g.state == stable {
		d.Protocol = g.Protocol()
	}
	for _, m := range g.members {
		r := kmsg.NewDescribeGroupsResponseGroupMember()
		r.MemberID, r.InstanceID = m.ID, m.InstanceID
		r.ClientID, r.ClientHost = m.ClientID, m.ClientHost
		r.MemberAssignment = m.Assignment
		if g.state == stable {
			r.ProtocolMetadata = m.metadata(g.Protocol())
		}
		d.Members = append(d.Members, r)
	}
	return d
}

// Members are the members with all they offer, the oldest first.
func (g *Group) Members() []step.ClassicMember {
	all := make([]step.ClassicMember, len(g.members))
	for i, m := range g.members {
		all[i] = m.ClassicMember
		all[i].Subscription = m.metadata(g.Protocol())
	}
	return all
}

func milliseconds(n int32) time.Duration { return time.Duration(n) * time.Millisecond }
