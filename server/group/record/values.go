package record

// Versions of the value of a classic group. Members are an array of structures.
//
//	0  protocol type string, generation int32, protocol and leader nullable string,
//	   members (id, client id, client host string, session timeout int32,
//	   subscription and assignment bytes)
//	1  members: rebalance timeout int32 before the session timeout
//	2  state timestamp int64 before the members
//	3  members: instance id nullable string after the id (KIP-345)
//	4  flexible
//
// Kafka 4.3 writes version 3, and reads version 4, which is written here if a member has
// a tagged field of our own.
const (
	classicWritten  = 3
	classicLatest   = 4
	classicFlexible = 4
)

// silentTag is the number of a tagged field of our own, of members of both protocols: the
// milliseconds, int32, for which a member was not heard of, left out if 0. Kafka skips
// what it does not know, and gives out numbers from 0 on.
const silentTag = 10_000

func (v *ClassicValue) encode(e *encoder) {
	if v == nil {
		return
	}
	version := int16(classicWritten)
	for i := range v.Members {
		if v.Members[i].Silent != 0 {
			version = classicLatest
		}
	}
	e.begin(version, classicFlexible)
	e.text(v.ProtocolType)
	e.int32(v.Generation)
	e.nullableText(v.Protocol)
	e.nullableText(v.Leader)
	e.int64(v.StateTimestamp)
	e.count(len(v.Members))
	for i := range v.Members {
		m := &v.Members[i]
		e.text(m.ID)
		e.nullableText(m.InstanceID)
		e.text(m.ClientID)
		e.text(m.ClientHost)
		e.int32(m.RebalanceTimeout)
		e.int32(m.SessionTimeout)
		e.bytes(m.Subscription)
		e.bytes(m.Assignment)
		e.silent(m.Silent)
	}
	e.noTags()
}

// silent ends a structure that may have the tagged field silentTag only.
func (e *encoder) silent(ms int32) {
	if ms == 0 {
		e.noTags()
		return
	}
	e.tag(silentTag, func(c *encoder) { c.int32(ms) })
}

// silent reads tagged fields of which silentTag is known.
func (d *decoder) silent(ms *int32) {
	d.tags(func(tag uint32, content *decoder) bool {
		if tag == silentTag {
			*ms = content.int32("silence")
		}
		return tag == silentTag
	})
}

func (d *decoder) classic() *ClassicValue {
	d.upTo(classicLatest, classicFlexible)
	v := &ClassicValue{StateTimestamp: -1}
	v.ProtocolType = d.text("protocol type")
	v.Generation = d.int32("generation")
	v.Protocol = d.nullableText("protocol")
	v.Leader = d.nullableText("leader")
	if d.version >= 2 {
		v.StateTimestamp = d.int64("state timestamp")
	}
	const smallest = 12 // of a member, of any version
	n := d.count("members", smallest)
	for range n {
		v.Members = append(v.Members, d.classicMember())
	}
	d.tags(noTags)
	return v
}

func (d *decoder) classicMember() ClassicMember {
	m := ClassicMember{RebalanceTimeout: -1}
	m.ID = d.text("id of a member")
	if d.version >= 3 {
		m.InstanceID = d.nullableText("instance id")
	}
	m.ClientID = d.text("client id")
	m.ClientHost = d.text("client host")
	if d.version >= 1 {
		m.RebalanceTimeout = d.int32("rebalance timeout")
	}
	m.SessionTimeout = d.int32("session timeout")
	m.Subscription = d.bytes("subscription")
	m.Assignment = d.bytes("assignment")
	d.silent(&m.Silent)
	return m
}

// All values below have version 0 only, and are flexible.
const consumerVersion = 0

// The value of a consumer group's epoch: epoch int32; tag 0: metadata hash int64
// (not of Kafka 4.0), left out if 0.
func (v *EpochValue) encode(e *encoder) {
	if v == nil {
		return
	}
	e.begin(consumerVersion, consumerVersion)
	e.int32(v.Epoch)
	e.tagInt64(v.MetadataHash)
}

func (d *decoder) epoch() *EpochValue {
	d.upTo(consumerVersion, consumerVersion)
	v := &EpochValue{Epoch: d.int32("epoch")}
	d.taggedInt64("metadata hash", &v.MetadataHash)
	return v
}

// The value of the target assignment's epoch: epoch int32; tag 0: timestamp int64,
// left out if 0.
func (v *TargetEpochValue) encode(e *encoder) {
	if v == nil {
		return
	}
	e.begin(consumerVersion, consumerVersion)
	e.int32(v.Epoch)
	e.tagInt64(v.Timestamp)
}

func (d *decoder) targetEpoch() *TargetEpochValue {
	d.upTo(consumerVersion, consumerVersion)
	v := &TargetEpochValue{Epoch: d.int32("epoch")}
	d.taggedInt64("timestamp", &v.Timestamp)
	return v
}

func (d *decoder) taggedInt64(field string, v *int64) {
	d.tags(func(tag uint32, content *decoder) bool {
		if tag == 0 {
			*v = content.int64(field)
		}
		return tag == 0
	})
}

// The value of a member of a consumer group: instance id and rack id nullable
// string, client id and client host string, topics array of string, regular
// expression nullable string, rebalance timeout int32, assignor nullable string;
// tag 0: 0, or 1 and a structure of the session timeout int32 and an array of name
// string and metadata bytes.
func (v *MemberValue) encode(e *encoder) {
	if v == nil {
		return
	}
	e.begin(consumerVersion, consumerVersion)
	e.nullableText(v.InstanceID)
	e.nullableText(v.RackID)
	e.text(v.ClientID)
	e.text(v.ClientHost)
	e.texts(v.Topics)
	e.nullableText(v.Regex)
	e.int32(v.RebalanceTimeout)
	e.nullableText(v.Assignor)
	e.tag(0, v.Classic.encode)
}

func (v *ClassicProtocols) encode(e *encoder) {
	if v == nil {
		e.int8(0)
		return
	}
	e.int8(1)
	e.int32(v.SessionTimeout)
	e.count(len(v.Protocols))
	for _, p := range v.Protocols {
		e.text(p.Name)
		e.bytes(p.Metadata)
		e.noTags()
	}
	e.noTags()
}

func (d *decoder) member() *MemberValue {
	d.upTo(consumerVersion, consumerVersion)
	v := &MemberValue{}
	v.InstanceID = d.nullableText("instance id")
	v.RackID = d.nullableText("rack id")
	v.ClientID = d.text("client id")
	v.ClientHost = d.text("client host")
	v.Topics = d.texts("topics")
	v.Regex = d.nullableText("regular expression")
	v.RebalanceTimeout = d.int32("rebalance timeout")
	v.Assignor = d.nullableText("assignor")
	d.tags(func(tag uint32, content *decoder) bool {
		if tag == 0 {
			v.Classic = content.classicProtocols()
		}
		return tag == 0
	})
	return v
}

func (d *decoder) classicProtocols() *ClassicProtocols {
	if d.int8("classic protocols") == 0 {
		return nil
	}
	v := &ClassicProtocols{SessionTimeout: d.int32("session timeout")}
	const smallest = 3 // of a protocol
	for range d.count("protocols", smallest) {
		p := ClassicProtocol{Name: d.text("name of a protocol"), Metadata: d.bytes("metadata of a protocol")}
		d.tags(noTags)
		v.Protocols = append(v.Protocols, p)
	}
	d.tags(noTags)
	return v
}

// The value of a member's target: an array of topic id uuid and partitions, an
// array of int32.
func (v *TargetValue) encode(e *encoder) {
	if v == nil {
		return
	}
	e.begin(consumerVersion, consumerVersion)
	e.count(len(v.Partitions))
	for i := range v.Partitions {
		v.Partitions[i].encode(e)
		e.noTags()
	}
	e.noTags()
}

func (d *decoder) target() *TargetValue {
	d.upTo(consumerVersion, consumerVersion)
	v := &TargetValue{Partitions: d.topicPartitions("partitions")}
	d.tags(noTags)
	return v
}

// encode writes the topic and the partitions without the tags.
func (t *TopicPartitions) encode(e *encoder) {
	e.id(t.Topic)
	e.int32s(t.Partitions)
}

// topicPartitions reads an array of topics and partitions; tag 0 of each is the
// epochs, for those that have it.
func (d *decoder) topicPartitions(field string) []TopicPartitions {
	const smallest = 18 // of a topic
	n := d.count(field, smallest)
	list := make([]TopicPartitions, 0, n)
	for range n {
		t := TopicPartitions{Topic: d.id("topic id")}
		t.Partitions = d.int32s(field, d.count(field, 4))
		d.tags(func(tag uint32, content *decoder) bool {
			if tag == 0 {
				t.Epochs = content.int32s("epochs", content.nullableCount("epochs", 4))
			}
			return tag == 0
		})
		list = append(list, t)
	}
	return list
}

// The value of a member's assignment: epoch and previous epoch int32, state int8,
// assigned and revoking: arrays of topic id uuid and partitions, an array of int32;
// tag 0 of each: an array of as many epochs int32.
func (v *CurrentValue) encode(e *encoder) {
	if v == nil {
		return
	}
	e.begin(consumerVersion, consumerVersion)
	e.int32(v.Epoch)
	e.int32(v.PreviousEpoch)
	e.int8(int8(v.State))
	e.withEpochs(v.Assigned)
	e.withEpochs(v.Revoking)
	e.silent(v.Silent)
}

func (e *encoder) withEpochs(list []TopicPartitions) {
	e.count(len(list))
	for i := range list {
		t := &list[i]
		t.encode(e)
		if t.Epochs == nil {
			e.noTags()
		} else {
			e.tag(0, func(c *encoder) { c.int32s(t.Epochs) })
		}
	}
}

func (d *decoder) current() *CurrentValue {
	d.upTo(consumerVersion, consumerVersion)
	v := &CurrentValue{Epoch: d.int32("epoch"), PreviousEpoch: d.int32("previous epoch")}
	v.State = MemberState(d.int8("state"))
	if v.State < Stable || v.State > UnreleasedPartitions {
		v.State = Unknown
	}
	v.Assigned = d.topicPartitions("assigned")
	v.Revoking = d.topicPartitions("revoking")
	d.silent(&v.Silent)
	return v
}

// The value of a resolved regular expression: topics array of string, version and
// timestamp int64.
func (v *PatternValue) encode(e *encoder) {
	if v == nil {
		return
	}
	e.begin(consumerVersion, consumerVersion)
	e.texts(v.Topics)
	e.int64(v.Version)
	e.int64(v.Timestamp)
	e.noTags()
}

func (d *decoder) pattern() *PatternValue {
	d.upTo(consumerVersion, consumerVersion)
	v := &PatternValue{Topics: d.texts("topics"), Version: d.int64("version"), Timestamp: d.int64("timestamp")}
	d.tags(noTags)
	return v
}
