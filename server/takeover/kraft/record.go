package kraft

import "fmt"

// ID is the id of a topic.
type ID [16]byte

// Numbers of the types of records that are read.
const (
	typeTopic           = 2
	typePartition       = 3
	typeConfig          = 4
	typePartitionChange = 5
	typeTopicRemoved    = 9
	typeProducerIDs     = 15
	typeBegin           = 23
	typeEnd             = 24
	typeAbort           = 25
)

// resourceTopic is the resource type of a topic's settings.
const resourceTopic = 2

// frameVersion is the one that there is.
const frameVersion = 1

// leaderUnchanged stands for the leader that a partition had.
const leaderUnchanged = -2

// record is one record, decoded. Only the fields of its type are set.
type record struct {
	kind uint32

	topic     ID
	name      string
	partition int32
	leader    int32 // leaderUnchanged if so
	epoch     int32
	inSync    []int32 // nil: unchanged
	replicas  []int32

	resource   int8
	key, value string
	null       bool // value is null

	next int64
}

// decode reads a record's value. Of types that are not known only the kind is set.
func decode(b []byte) (record, error) {
	d := &decoder{b: b}
	if v := d.varint(); d.err == nil && v != frameVersion {
		return record{}, fmt.Errorf("metadata record: frame version %d, known is %d", v, frameVersion)
	}
	r := record{kind: d.varint(), leader: leaderUnchanged}
	version := d.varint()
	if d.err != nil {
		return r, fmt.Errorf("metadata record: %w", d.err)
	}
	r.fill(d)
	if d.err != nil {
		return r, fmt.Errorf("metadata record of type %d, version %d: %w", r.kind, version, d.err)
	}
	return r, nil
}

// fill reads the fields. Later versions add fields behind those that are read, so that
// the version does not matter.
func (r *record) fill(d *decoder) {
	switch r.kind {
	case typeTopic:
		r.name, _ = d.text()
		r.topic = d.id()
	case typePartition:
		r.partition, r.topic = d.int32(), d.id()
		r.replicas, r.inSync = d.int32s(), d.int32s()
		d.int32s()
		d.int32s()
		r.leader, r.epoch = d.int32(), d.int32()
	case typeConfig:
		var ok bool
		r.resource = d.int8()
		r.name, _ = d.text()
		r.key, _ = d.text()
		r.value, ok = d.text()
		r.null = !ok
	case typePartitionChange:
		r.partition, r.topic = d.int32(), d.id()
		d.tags(func(tag uint32, content *decoder) {
			switch tag {
			case 0:
				r.inSync = content.int32s()
			case 1:
				r.leader = content.int32()
			case 2:
				r.replicas = content.int32s()
			}
		})
	case typeTopicRemoved:
		r.topic = d.id()
	case typeProducerIDs:
		d.int32()
		d.int64()
		r.next = d.int64()
	}
}
