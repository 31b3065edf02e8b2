package consumer

import (
	"maps"
	"slices"
	"time"

	"sordini/server/group/record"
)

// Replay makes the change that a record says, when it is loaded and when it is written
// alike. The group keeps what the record refers to. Records of other groups and of
// other kinds change nothing, and neither does the tombstone of the group's epoch:
// whoever holds the group drops it then.
//
// The log may have been compacted, so records may come in any order that leaves the
// last of each key in its place.
func (g *Group) Replay(r record.Record) {
	switch r := r.(type) {
	case *record.Epoch:
		if r.Value != nil {
			g.epoch, g.hash = r.Value.Epoch, r.Value.MetadataHash
		}
	case *record.Member:
		g.replayMember(r)
	case *record.TargetEpoch:
		g.targetEpoch, g.targetTime = -1, 0
		if r.Value != nil {
			g.targetEpoch, g.targetTime = r.Value.Epoch, r.Value.Timestamp
		}
	case *record.TargetMember:
		if r.Value == nil {
			delete(g.targets, r.Member)
		} else {
			g.targets[r.Member] = normal(r.Value.Partitions, nil)
		}
	case *record.Current:
		g.replayCurrent(r)
	case *record.Pattern:
		g.replayPattern(r)
	}
}

// enter is the member with an id, which is made if there is none.
func (g *Group) enter(id string) *member {
	m := g.members[id]
	if m == nil {
		m = &member{id: id, told: untold, current: unheard}
		g.members[id] = m
	}
	return m
}

func (g *Group) replayMember(r *record.Member) {
	if r.Value == nil {
		if m := g.members[r.Member]; m != nil {
			g.tell(m, untold)
			g.own(m, unheard)
			delete(g.members, r.Member)
		}
		return
	}
	v := r.Value
	if !slices.IsSorted(v.Topics) || len(slices.Compact(slices.Clone(v.Topics))) != len(v.Topics) {
		sorted := *v
		sorted.Topics = slices.Compact(slices.Sorted(slices.Values(v.Topics)))
		v = &sorted
	}
	g.tell(g.enter(r.Member), v)
}

// tell changes what a member has told.
func (g *Group) tell(m *member, v *record.MemberValue) {
	g.count(m.told, -1)
	if i := m.told.InstanceID; i != nil && g.byInstance[*i] == m {
		delete(g.byInstance, *i)
	}
	m.told = v
	g.count(v, +1)
	if v.InstanceID != nil {
		g.byInstance[*v.InstanceID] = m
	}
}

func (g *Group) count(v *record.MemberValue, by int) {
	for _, t := range v.Topics {
		add(g.topics, t, by)
	}
	if r := regex(v); r != "" {
		add(g.regexes, r, by)
	}
	if v.Assignor != nil {
		add(g.assignors, *v.Assignor, by)
	}
	if v.Classic != nil {
		g.classics += by
		for _, p := range v.Classic.Protocols {
			add(g.offered, p.Name, by)
		}
	}
}

// add changes a count, which is not kept if it is 0.
func add(counts map[string]int, of string, by int) {
	counts[of] += by
	if counts[of] == 0 {
		delete(counts, of)
	}
}

func (g *Group) replayCurrent(r *record.Current) {
	if r.Value == nil {
		if m := g.members[r.Member]; m != nil {
			g.own(m, unheard)
		}
		return
	}
	v := *r.Value
	fill := max(v.Epoch, 0)
	v.Assigned, v.Revoking = normal(v.Assigned, &fill), normal(v.Revoking, &fill)
	g.own(g.enter(r.Member), &v)
}

// own changes what a member has. Of two that a log gives the same partition the later
// has it.
func (g *Group) own(m *member, v *record.CurrentValue) {
	release := func(p partition) {
		if g.owners[p] == m {
			delete(g.owners, p)
		}
	}
	each(m.current.Assigned, release)
	each(m.current.Revoking, release)
	m.current = v
	take := func(p partition) { g.owners[p] = m }
	each(v.Assigned, take)
	each(v.Revoking, take)
}

func (g *Group) replayPattern(r *record.Pattern) {
	if old := g.patterns[r.Regex]; old != nil {
		for _, t := range old.Topics {
			add(g.topics, t, -1)
		}
		delete(g.patterns, r.Regex)
	}
	if r.Value == nil {
		return
	}
	v := *r.Value
	v.Topics = slices.Compact(slices.Sorted(slices.Values(v.Topics)))
	for _, t := range v.Topics {
		add(g.topics, t, +1)
	}
	g.patterns[r.Regex] = &v
	g.resolved = moment{v.Version, time.UnixMilli(v.Timestamp)}
}

// Tombstones are the records that end the group, in Kafka's order.
func (g *Group) Tombstones() []record.Record {
	ids := make(map[string]struct{}, len(g.members))
	for id := range g.members {
		ids[id] = struct{}{}
	}
	for id := range g.targets {
		ids[id] = struct{}{}
	}
	sorted := slices.Sorted(maps.Keys(ids))
	var all []record.Record
	for _, id := range sorted {
		all = append(all, &record.Current{Group: g.id, Member: id})
	}
	for _, id := range sorted {
		all = append(all, &record.TargetMember{Group: g.id, Member: id})
	}
	all = append(all, &record.TargetEpoch{Group: g.id})
	for _, id := range sorted {
		all = append(all, &record.Member{Group: g.id, Member: id})
	}
	for _, r := range slices.Sorted(maps.Keys(g.patterns)) {
		all = append(all, &record.Pattern{Group: g.id, Regex: r})
	}
	return append(all, &record.Epoch{Group: g.id})
}
