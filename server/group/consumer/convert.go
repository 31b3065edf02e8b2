package consumer

import (
	"errors"
	"fmt"
	"time"

	"sordini/server/group/classic"
	"sordini/server/group/record"
	"sordini/server/group/step"
)

// Why a classic group cannot become a consumer group. A client is told so with
// GROUP_ID_NOT_FOUND.
var (
	errMalformedClassic = errors.New("the embedded consumer protocol is malformed")
	errUserData         = errors.New("an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade")
)

// FromClassic makes a consumer group of the members of a classic group, each with what
// it was last assigned, all at the epoch that was the group's generation. The records
// make the same group, after the tombstone of the classic one. Sessions are those of
// the members.
//
// The error is that members or their assignments cannot be understood, or that they
// have data of an assignor of their own, which would be lost.
func FromClassic(id string, generation int32, members []step.ClassicMember, now time.Time, topics step.Topics) (*Group, []record.Record, error) {
	fail := func(err error) (*Group, []record.Record, error) {
		return nil, nil, fmt.Errorf("Cannot upgrade classic group %s to consumer group because %w.", id, err)
	}
	var told, targets, current []record.Record
	for i := range members {
		m := &members[i]
		v, err := toldByClassic(m)
		if err != nil {
			return fail(err)
		}
		list, err := assignedToClassic(m, topics)
		if err != nil {
			return fail(err)
		}
		told = append(told, &record.Member{Group: id, Member: m.ID, Value: v})
		targets = append(targets, &record.TargetMember{Group: id, Member: m.ID, Value: &record.TargetValue{Partitions: list}})
		current = append(current, &record.Current{Group: id, Member: m.ID, Value: &record.CurrentValue{
			Epoch: generation, PreviousEpoch: generation, Assigned: normal(list, &generation),
		}})
	}
	g, out := New(id), &step.Output{}
	for _, r := range told {
		g.write(r, out)
	}
	// Which topics the last assignment knew is unknown: no hash, so that the next
	// heartbeat asks for another one even if it subscribes to nothing.
	g.write(&record.Epoch{Group: id, Value: &record.EpochValue{Epoch: generation}}, out)
	for _, r := range targets {
		g.write(r, out)
	}
	g.write(&record.TargetEpoch{Group: id, Value: &record.TargetEpochValue{Epoch: generation}}, out)
	for _, r := range current {
		g.write(r, out)
	}
	for _, m := range g.members {
		g.arm(&m.session, now.Add(milliseconds(m.told.Classic.SessionTimeout)))
	}
	return g, out.Records, nil
}

// toldByClassic is what a member of a classic group has told, in the terms of a
// consumer group.
func toldByClassic(m *step.ClassicMember) (*record.MemberValue, error) {
	s, err := parseSubscription(m.Subscription)
	if err != nil {
		return nil, errMalformedClassic
	}
	v := &record.MemberValue{
		InstanceID: m.InstanceID, ClientID: m.ClientID, ClientHost: m.ClientHost,
		Topics: names(s.topics), Regex: new(string), RebalanceTimeout: m.RebalanceTimeout,
		Classic: &record.ClassicProtocols{SessionTimeout: m.SessionTimeout, Protocols: m.Protocols},
	}
	if s.rack != "" {
		v.RackID = &s.rack
	}
	return v, nil
}

// assignedToClassic is what a member of a classic group was assigned. It is nothing if
// the member has never synced.
func assignedToClassic(m *step.ClassicMember, topics step.Topics) ([]record.TopicPartitions, error) {
	if len(m.Assignment) == 0 {
		return nil, nil
	}
	list, userData, err := parseAssignment(m.Assignment)
	switch {
	case err != nil:
		return nil, errMalformedClassic
	case userData:
		return nil, errUserData
	}
	return byID(list, topics), nil
}

// Downgrade is what a consumer group leaves to a classic one.
type Downgrade struct {
	Generation int32
	Protocol   string
	// Members are those of the group with their assignments, by id.
	Members []step.ClassicMember
	// Rebalance says that the classic group is to begin with a rebalance.
	Rebalance bool
}

// Downgraded is what to make of the group if its last step has left it to members of
// the classic protocol, nil if it has not. The group must be replaced then, in the same
// batch of records, after its Tombstones.
func (g *Group) Downgraded() *Downgrade { return g.conversion }

// convert notes that the group is to become a classic one if only members of the
// classic protocol are left and that is allowed.
func (g *Group) convert(rebalance bool, s *Settings, topics step.Topics) bool {
	if !s.Downgrade || g.Empty() || g.classics < len(g.members) || len(g.members) > s.ClassicMaxSize {
		return false
	}
	d := &Downgrade{Generation: g.epoch, Rebalance: rebalance}
	for _, m := range g.sorted() {
		d.Members = append(d.Members, step.ClassicMember{
			ClassicMember: record.ClassicMember{
				ID: m.id, InstanceID: m.told.InstanceID, ClientID: m.told.ClientID, ClientHost: m.told.ClientHost,
				RebalanceTimeout: m.told.RebalanceTimeout, SessionTimeout: m.told.Classic.SessionTimeout,
			},
			Protocols: m.told.Classic.Protocols,
		})
	}
	var ok bool
	if d.Protocol, ok = classic.Choose(d.Members); !ok {
		return false
	}
	for i := range d.Members {
		m := &d.Members[i]
		for _, p := range m.Protocols {
			if p.Name == d.Protocol {
				m.Subscription = p.Metadata
			}
		}
		m.Assignment = appendAssignment(versionOf(m.Subscription), g.targets[m.ID], topics)
	}
	g.conversion = d
	return true
}
