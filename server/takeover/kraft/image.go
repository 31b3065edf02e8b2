package kraft

import "fmt"

// Partition is what the metadata says of one partition.
type Partition struct {
	Leader      int32 // node id; -1: none
	LeaderEpoch int32
	Replicas    []int32 // node ids
	InSync      []int32
}

// Topic is a topic. Partitions are numbered from 0 on; all of them are there.
type Topic struct {
	Name       string
	ID         ID
	Configs    map[string]string
	Partitions []Partition
}

// topic is a topic whose records are still coming.
type topic struct {
	name       string
	partitions map[int32]*Partition
}

// Image is what the metadata says of topics.
type Image struct {
	// NextProducerID is the first producer id that was not handed out.
	NextProducerID int64
	// Others counts the records of things that are not read, by what they are about.
	Others map[string]int
	// End is the offset behind the last record.
	End int64

	topics  map[ID]*topic
	configs map[string]map[string]string // of topics, by name: a setting may come before its topic
	pending []record                     // of a transaction that is not done
	open    bool
}

func newImage() *Image {
	return &Image{Others: make(map[string]int), topics: make(map[ID]*topic), configs: make(map[string]map[string]string)}
}

// others are the types of records that mean something which is not read.
var others = map[uint32]string{
	11: "SCRAM credentials", 14: "client quotas", 18: "access control entries", 10: "delegation tokens",
}

// Topics returns all topics by name. The error names one whose partitions are not all
// there.
func (i *Image) Topics() (map[string]*Topic, error) {
	all := make(map[string]*Topic, len(i.topics))
	for id, t := range i.topics {
		shown := &Topic{Name: t.name, ID: id, Configs: i.configs[t.name]}
		for n := range int32(len(t.partitions)) {
			p := t.partitions[n]
			if p == nil {
				return nil, fmt.Errorf("topic %.249q has %d partitions and none with the number %d", t.name, len(t.partitions), n)
			}
			shown.Partitions = append(shown.Partitions, *p)
		}
		if all[t.name] != nil {
			return nil, fmt.Errorf("topic %.249q is there twice", t.name)
		}
		all[t.name] = shown
	}
	return all, nil
}

// apply takes in a record.
func (i *Image) apply(r record) error {
	switch r.kind {
	case typeBegin:
		i.pending, i.open = nil, true
		return nil
	case typeAbort:
		i.pending, i.open = nil, false
		return nil
	case typeEnd:
		done := i.pending
		i.pending, i.open = nil, false
		for _, p := range done {
			if err := i.change(p); err != nil {
				return err
			}
		}
		return nil
	}
	if i.open {
		i.pending = append(i.pending, r)
		return nil
	}
	return i.change(r)
}

func (i *Image) change(r record) error {
	switch r.kind {
	case typeTopic:
		i.topics[r.topic] = &topic{name: r.name, partitions: make(map[int32]*Partition)}
	case typePartition:
		return i.addPartition(r)
	case typePartitionChange:
		return i.changePartition(r)
	case typeTopicRemoved:
		if t := i.topics[r.topic]; t != nil {
			delete(i.configs, t.name)
		}
		delete(i.topics, r.topic)
	case typeConfig:
		i.configure(r)
	case typeProducerIDs:
		i.NextProducerID = max(i.NextProducerID, r.next)
	default:
		if what, ok := others[r.kind]; ok {
			i.Others[what]++
		}
	}
	return nil
}

func (i *Image) configure(r record) {
	switch {
	case r.resource != resourceTopic:
		i.Others["settings of brokers, groups and client metrics"]++
	case r.null:
		delete(i.configs[r.name], r.key)
	default:
		if i.configs[r.name] == nil {
			i.configs[r.name] = make(map[string]string)
		}
		i.configs[r.name][r.key] = r.value
	}
}

func (i *Image) addPartition(r record) error {
	t := i.topics[r.topic]
	if t == nil {
		return fmt.Errorf("partition %d of a topic that is not there", r.partition)
	}
	if r.partition < 0 {
		return fmt.Errorf("partition %d of topic %.249q", r.partition, t.name)
	}
	t.partitions[r.partition] = &Partition{Leader: r.leader, LeaderEpoch: r.epoch, Replicas: r.replicas, InSync: r.inSync}
	return nil
}

func (i *Image) changePartition(r record) error {
	t := i.topics[r.topic]
	if t == nil || t.partitions[r.partition] == nil {
		return fmt.Errorf("change of partition %d, which is not there", r.partition)
	}
	p := t.partitions[r.partition]
	if r.leader != leaderUnchanged {
		p.Leader = r.leader
		p.LeaderEpoch++
	}
	if r.inSync != nil {
		p.InSync = r.inSync
	}
	if r.replicas != nil {
		p.Replicas = r.replicas
	}
	return nil
}
