package audit

import (
	"time"

	"sordini/server/meta"
	"sordini/server/partition"
	"sordini/server/wire"
)

// GroupKind is what has happened to a group.
type GroupKind int8

// The kinds.
const (
	OffsetCommitted GroupKind = iota
	OffsetDeleted             // by OffsetDelete
	GroupDeleted              // by DeleteGroups
)

// GroupEvent is what a client has done to a group.
type GroupEvent struct {
	Kind      GroupKind
	Group     string
	Topic     string // "" where it concerns none, as Partition and the offsets
	TopicID   meta.TopicID
	Partition int32
	Old, New  int64 // committed offsets; -1: none
	Member    bool  // the client is a member of the group
	Client    *wire.Client
	At        time.Time
}

// groupCall is the events of one request, which count once the log of the coordinator
// is durable up to an offset.
type groupCall struct {
	log    *partition.Partition
	until  int64
	events []GroupEvent
}

// Group hears what a request has done to a group. It counts once the high watermark of
// a partition of __consumer_offsets has reached an offset. The slice is kept.
func (r *Recorder) Group(coordinator *partition.Partition, until int64, events []GroupEvent) {
	if r == nil || len(events) == 0 {
		return
	}
	r.groupsMu.Lock()
	defer r.groupsMu.Unlock()
	if r.events+len(events) > maxCommits {
		at := events[0].At.UnixMicro()
		r.dropped.add(Gap{From: at, To: at, Commits: int64(len(events))})
		return
	}
	r.events += len(events)
	r.groups = append(r.groups, groupCall{coordinator, until, events})
}

// settled takes the calls whose records are durable. Those of a coordinator's log that
// has failed are forgotten: nobody was told that they succeeded.
func (r *Recorder) settled() ([]groupCall, Gap) {
	r.groupsMu.Lock()
	defer r.groupsMu.Unlock()
	gap := r.dropped
	r.dropped = Gap{}
	var done []groupCall
	rest := r.groups[:0]
	for _, c := range r.groups {
		switch o, err := c.log.Offsets(); {
		case o.High.Offset >= c.until:
			done = append(done, c)
		case err != nil:
			r.events -= len(c.events)
			continue
		default:
			rest = append(rest, c)
			continue
		}
		r.events -= len(c.events)
	}
	clear(r.groups[len(rest):])
	r.groups = rest
	return done, gap
}

// standing is a client that has committed for a group without being a member.
type standing struct {
	client *wire.Client
	group  string
}

// maxStanding bounds how many of them are remembered.
const maxStanding = 4096

// judge writes the changes that administrators have made. A commit of a client that is
// no member of the group is one if it is the client's first over its connection, as of
// tools that reset offsets, or if it goes back: consumers without a group commit this
// way all the time.
func (r *Recorder) judge(calls []groupCall) {
	for i := range calls {
		first := false
		for j := range calls[i].events {
			e := &calls[i].events[j]
			if e.Kind == OffsetCommitted {
				if e.Member {
					continue
				}
				if s := (standing{e.Client, e.Group}); j == 0 && !r.recent[s] {
					if len(r.recent) >= maxStanding {
						clear(r.recent)
					}
					r.recent[s], first = true, true
				}
				if !first && e.New >= e.Old {
					continue
				}
			}
			r.changeGroup(e)
		}
	}
}

func (r *Recorder) changeGroup(e *GroupEvent) {
	c := Change{Group: e.Group, Topic: e.Topic}
	if e.Topic != "" {
		c.TopicID, c.Partition = e.TopicID.String(), &e.Partition
		c.OldOffset = offsetOf(e.Old)
	}
	switch e.Kind {
	case OffsetCommitted:
		c.Action, c.NewOffset = ActionOffsetAltered, offsetOf(e.New)
	case OffsetDeleted:
		c.Action = ActionOffsetDeleted
	case GroupDeleted:
		c.Action = ActionGroupDeleted
	}
	r.change(e.Client, e.At, c)
}

func offsetOf(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}
