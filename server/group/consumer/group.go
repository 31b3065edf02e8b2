package consumer

import (
	"maps"
	"slices"
	"time"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// Settings are what of the broker's configuration, or of the group's own, matters
// here.
type Settings struct {
	SessionTimeout    time.Duration // consumer.session.timeout.ms
	HeartbeatInterval time.Duration // consumer.heartbeat.interval.ms
	// AssignmentInterval is how much time lies between two assignments at least
	// (consumer.assignment.interval.ms).
	AssignmentInterval time.Duration
	MaxSize            int      // group.consumer.max.size
	Assignors          []string // group.consumer.assignors; the first is the default

	// Downgrade says that a group may turn into a classic one
	// (group.consumer.migration.policy), of at most ClassicMaxSize members
	// (group.max.size).
	Downgrade      bool
	ClassicMaxSize int
}

// Group is one group.
type Group struct {
	id string

	// What records say.
	epoch       int32
	hash        int64 // of the topics subscribed to, see [Group.topicsHash]
	members     map[string]*member
	targets     map[string][]record.TopicPartitions
	targetEpoch int32
	targetTime  int64 // when the targets were made, in ms since 1970; 0: unknown
	patterns    map[string]*record.PatternValue

	// What follows from it.
	byInstance map[string]*member
	owners     map[partition]*member // who has a partition, or is still giving it back
	topics     map[string]int        // by how many members and patterns each is subscribed to
	regexes    map[string]int        // by how many members each is subscribed to
	assignors  map[string]int        // how many members wish for each
	classics   int                   // how many members speak the classic protocol
	offered    map[string]int        // how many of these offer each protocol

	// What is only known here.
	checked    int64 // version of the topics that hash was last compared with; 0: never
	resolved   moment
	watch      step.Watch
	wake       time.Time  // no timer is due before; zero: none is set
	conversion *Downgrade // the last step leaves the group to the classic protocol
}

// moment is when patterns were last resolved.
type moment struct {
	version int64 // of the topics
	at      time.Time
}

// partition names one.
type partition struct {
	topic  record.TopicID
	number int32
}

// New is a group without members and records.
func New(id string) *Group {
	return &Group{
		id: id, epoch: 1, targetEpoch: 1,
		members: make(map[string]*member), targets: make(map[string][]record.TopicPartitions),
		patterns:   make(map[string]*record.PatternValue),
		byInstance: make(map[string]*member), owners: make(map[partition]*member),
		topics: make(map[string]int), regexes: make(map[string]int),
		assignors: make(map[string]int), offered: make(map[string]int),
	}
}

// ID is the group's name.
func (g *Group) ID() string { return g.id }

// Empty says that the group has no members.
func (g *Group) Empty() bool { return len(g.members) == 0 }

// Size is the number of members.
func (g *Group) Size() int { return len(g.members) }

// Epoch rises with every change that asks for another assignment.
func (g *Group) Epoch() int32 { return g.epoch }

// State is Empty, Assigning, Reconciling or Stable.
func (g *Group) State() string {
	switch {
	case g.Empty():
		return "Empty"
	case g.epoch > g.targetEpoch:
		return "Assigning"
	}
	for _, m := range g.members {
		if !m.reconciled(g.targetEpoch) {
			return "Reconciling"
		}
	}
	return "Stable"
}

// sorted are the members in the order of their ids.
func (g *Group) sorted() []*member {
	all := make([]*member, 0, len(g.members))
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		all = append(all, g.members[id])
	}
	return all
}

// write makes the change that a record says, and has it written.
func (g *Group) write(r record.Record, out *step.Output) {
	g.Replay(r)
	out.Write(r)
}
