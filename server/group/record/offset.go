package record

// Versions of the value of an offset.
//
//	0, 2  offset int64, metadata string, commit timestamp int64
//	1     ... and expire timestamp int64; -1: by the broker's retention
//	3     offset int64, leader epoch int32, metadata string, commit timestamp int64
//	4     as 3, flexible; tag 0: topic id (KIP-848)
//
// An offset with an expire timestamp of its own is written with version 1, which
// loses the leader epoch and the topic id; all others with version 4.
const (
	offsetExpires  = 1
	offsetLatest   = 4
	offsetFlexible = 4
)

// Lasting is v as it is after it was written and read: an expire timestamp leaves
// no room for the leader epoch and the topic id.
func (v OffsetValue) Lasting() OffsetValue {
	if v.ExpireTimestamp != -1 {
		v.LeaderEpoch, v.TopicID = -1, TopicID{}
	}
	return v
}

func (v *OffsetValue) encode(e *encoder) {
	switch {
	case v == nil:
	case v.ExpireTimestamp != -1:
		e.begin(offsetExpires, offsetFlexible)
		e.int64(v.Offset)
		e.text(v.Metadata)
		e.int64(v.CommitTimestamp)
		e.int64(v.ExpireTimestamp)
	default:
		e.begin(offsetLatest, offsetFlexible)
		e.int64(v.Offset)
		e.int32(v.LeaderEpoch)
		e.text(v.Metadata)
		e.int64(v.CommitTimestamp)
		if v.TopicID == (TopicID{}) {
			e.noTags()
			return
		}
		e.tag(0, func(c *encoder) { c.id(v.TopicID) })
	}
}

func (d *decoder) offset() *OffsetValue {
	d.upTo(offsetLatest, offsetFlexible)
	v := &OffsetValue{LeaderEpoch: -1, ExpireTimestamp: -1}
	v.Offset = d.int64("offset")
	if d.version >= 3 {
		v.LeaderEpoch = d.int32("leader epoch")
	}
	v.Metadata = d.text("metadata")
	v.CommitTimestamp = d.int64("commit timestamp")
	if d.version == offsetExpires {
		v.ExpireTimestamp = d.int64("expire timestamp")
	}
	d.tags(func(tag uint32, content *decoder) bool {
		if tag == 0 {
			v.TopicID = content.id("topic id")
		}
		return tag == 0
	})
	return v
}
