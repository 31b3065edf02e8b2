package offset

import (
	"cmp"
	"slices"
	"unique"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// Store is the committed offsets of all groups of a shard.
type Store struct {
	groups map[string]topics
	uses   map[string]*use // by topic
	count  int
}

// use is what there is of one topic.
type use struct {
	groups int // that have offsets
	// pruned is the id of the topic at the time of the last Prune: there is no offset
	// of another.
	pruned record.TopicID
}

// topics are a group's offsets by topic. None is empty.
type topics map[string]*partitions

// partitions are the offsets of one topic, by number of the partition.
type partitions []committed

type committed struct {
	partition int32
	value     record.OffsetValue
}

// New returns a Store without any.
func New() *Store { return &Store{groups: make(map[string]topics), uses: make(map[string]*use)} }

// Len is how many offsets there are.
func (o *Store) Len() int { return o.count }

// Has says whether a group has offsets.
func (o *Store) Has(group string) bool { return len(o.groups[group]) > 0 }

// Replay makes the change that a record tells.
func (o *Store) Replay(r *record.Offset) {
	if r.Value == nil {
		o.remove(r)
		return
	}
	g := o.groups[r.Group]
	if g == nil {
		g = make(topics)
		o.groups[r.Group] = g
	}
	p := g[r.Topic]
	if p == nil {
		p = new(partitions)
		name := unique.Make(r.Topic).Value()
		g[name] = p
		if o.uses[name] == nil {
			o.uses[name] = &use{}
		}
		o.uses[name].groups++
	}
	i, found := p.find(r.Partition)
	if found {
		(*p)[i].value = *r.Value
		return
	}
	*p = slices.Insert(*p, i, committed{r.Partition, *r.Value})
	o.count++
}

// remove forgets an offset, and with the last one its topic and its group.
func (o *Store) remove(r *record.Offset) {
	g := o.groups[r.Group]
	p := g[r.Topic]
	if p == nil {
		return
	}
	i, found := p.find(r.Partition)
	if !found {
		return
	}
	o.count--
	*p = slices.Delete(*p, i, i+1)
	if len(*p) == 0 {
		delete(g, r.Topic)
		if u := o.uses[r.Topic]; u.groups > 1 {
			u.groups--
		} else {
			delete(o.uses, r.Topic)
		}
	}
	if len(g) == 0 {
		delete(o.groups, r.Group)
	}
}

func (p *partitions) find(partition int32) (int, bool) {
	return slices.BinarySearchFunc(*p, partition, func(c committed, n int32) int { return cmp.Compare(c.partition, n) })
}

// at is the offset of a partition, nil if there is none.
func (o *Store) at(group, topic string, partition int32) *record.OffsetValue {
	p := o.groups[group][topic]
	if p == nil {
		return nil
	}
	i, found := p.find(partition)
	if !found {
		return nil
	}
	return &(*p)[i].value
}

// Get is what a group has committed for a partition.
func (o *Store) Get(group, topic string, partition int32) (record.OffsetValue, bool) {
	if v := o.at(group, topic, partition); v != nil {
		return *v, true
	}
	return record.OffsetValue{}, false
}

// offset is the offset of a partition, -1 if there is none.
func (o *Store) offset(group, topic string, partition int32) int64 {
	if v := o.at(group, topic, partition); v != nil {
		return v.Offset
	}
	return -1
}

// sorted are the names of a group's topics, in order.
func (t topics) sorted() []string {
	names := make([]string, 0, len(t))
	for name := range t {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// write makes a change and writes its record.
func (o *Store) write(r *record.Offset, out *step.Output) {
	o.Replay(r)
	out.Write(r)
}

// drop deletes those offsets of a topic of a group that gone says are to go. It
// returns how many went.
func (o *Store) drop(group, topic string, gone func(*record.OffsetValue) bool, out *step.Output) int {
	p := o.groups[group][topic]
	if p == nil {
		return 0
	}
	before := o.count
	for _, c := range slices.Clone(*p) { // what remains moves while others go
		if gone(&c.value) {
			o.write(&record.Offset{Group: group, Topic: topic, Partition: c.partition}, out)
		}
	}
	return before - o.count
}

// Each calls f with each offset of a group, by topic and partition.
func (o *Store) Each(group string, f func(topic string, partition int32, v *record.OffsetValue)) {
	g := o.groups[group]
	for _, topic := range g.sorted() {
		for i := range *g[topic] {
			c := &(*g[topic])[i]
			f(topic, c.partition, &c.value)
		}
	}
}
