package consumer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"sordini/server/group/consumer/assign"
	"sordini/server/group/record"
	"sordini/server/group/step"
)

// renew raises the epoch if it is asked to, or if topics that the group subscribes to
// have come, gone, or changed since the last time.
func (g *Group) renew(bump bool, topics step.Topics, out *step.Output) {
	if !bump && g.checked == topics.Version() {
		return
	}
	g.checked = topics.Version()
	if hash := g.topicsHash(topics); bump || hash != g.hash {
		g.write(&record.Epoch{Group: g.id, Value: &record.EpochValue{Epoch: g.epoch + 1, MetadataHash: hash}}, out)
	}
}

// topicsHash changes whenever one of the topics that the group subscribes to comes,
// goes, is made anew, or gets partitions; 0 if there are none. Only this group
// compares it with another, so it need not be the one that Kafka computes.
func (g *Group) topicsHash(topics step.Topics) int64 {
	h, any := sha256.New(), false
	for _, name := range slices.Sorted(maps.Keys(g.topics)) {
		if t, ok := topics.ByName(name); ok {
			h.Write(binary.BigEndian.AppendUint32(t.ID[:], uint32(t.Partitions)))
			any = true
		}
	}
	if !any {
		return 0
	}
	return int64(binary.BigEndian.Uint64(h.Sum(nil)))
}

// assign makes new targets if there are none of the present epoch and the last ones
// are old enough. If not, a later heartbeat will do it.
func (g *Group) assign(now time.Time, s *Settings, topics step.Topics, out *step.Output) {
	if g.targetEpoch >= g.epoch {
		return
	}
	age := now.Sub(time.UnixMilli(g.targetTime))
	if g.targetTime != 0 && age >= 0 && age < s.AssignmentInterval {
		return
	}
	members := g.sorted()
	for i, list := range g.compute(members, s, topics) {
		id := members[i].id
		if old, ok := g.targets[id]; !ok || !same(old, list) {
			g.write(&record.TargetMember{Group: g.id, Member: id, Value: &record.TargetValue{Partitions: list}}, out)
		}
	}
	g.write(&record.TargetEpoch{Group: g.id, Value: &record.TargetEpochValue{Epoch: g.epoch, Timestamp: now.UnixMilli()}}, out)
}

// assignor is the one that most members wish for. At a tie the earlier in the settings
// wins.
func (g *Group) assignor(s *Settings) string {
	best := ""
	if len(s.Assignors) > 0 {
		best = s.Assignors[0]
	}
	for _, name := range s.Assignors {
		if g.assignors[name] > g.assignors[best] {
			best = name
		}
	}
	return best
}

// compute is what each member is to have.
func (g *Group) compute(members []*member, s *Settings, topics step.Topics) [][]record.TopicPartitions {
	existing := g.existing(topics)
	spec := &assign.Group{Members: make([]assign.Member, len(members)), Partitions: make([]int32, len(existing))}
	byName, byID := make(map[string]int32, len(existing)), make(map[record.TopicID]int32, len(existing))
	for i, t := range existing {
		spec.Partitions[i] = t.Partitions
		byName[t.Name], byID[t.ID] = int32(i), int32(i)
	}
	now := spec.NewOwners()
	for i, m := range members {
		spec.Members[i] = assign.Member{ID: m.id, Instance: m.told.InstanceID}
		if i > 0 && sameSubscription(m.told, members[i-1].told) {
			spec.Members[i].Topics = spec.Members[i-1].Topics
		} else {
			spec.Members[i].Topics = g.topicIndexes(m.told, byName)
		}
		for _, t := range g.targets[m.id] {
			for _, p := range t.Partitions {
				if index, ok := byID[t.Topic]; ok && p >= 0 && p < spec.Partitions[index] {
					now[index][p] = int32(i)
				}
			}
		}
	}
	do, ok := assign.ByName(g.assignor(s))
	if !ok {
		do = assign.Uniform
	}
	lists := make([]builder, len(members))
	for t, owners := range do(spec, now) {
		for p, m := range owners {
			if m != assign.None {
				lists[m].target(existing[t].ID, int32(p))
			}
		}
	}
	targets := make([][]record.TopicPartitions, len(lists))
	for i := range lists {
		targets[i] = lists[i].list
	}
	return targets
}

// existing are the topics that the group subscribes to and that exist, by id.
func (g *Group) existing(topics step.Topics) []step.Topic {
	all := make([]step.Topic, 0, len(g.topics))
	for name := range g.topics {
		if t, ok := topics.ByName(name); ok {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b step.Topic) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return all
}

func sameSubscription(a, b *record.MemberValue) bool {
	return slices.Equal(a.Topics, b.Topics) && regex(a) == regex(b)
}

// topicIndexes are the topics that somebody subscribes to by name or pattern,
// ascending.
func (g *Group) topicIndexes(v *record.MemberValue, byName map[string]int32) []int32 {
	wanted := v.Topics
	if p := g.patterns[regex(v)]; p != nil {
		wanted = slices.Concat(wanted, p.Topics)
	}
	all := make([]int32, 0, len(wanted))
	for _, name := range wanted {
		if i, ok := byName[name]; ok {
			all = append(all, i)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
