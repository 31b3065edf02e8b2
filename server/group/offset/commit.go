package offset

import (
	"math"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/audit"
	"sordini/server/group/record"
	"sordini/server/group/step"
	"sordini/server/meta"
)

// Rules are what a commit is held against.
type Rules struct {
	Topics step.Topics
	// MetadataMax is how long a commit's metadata may be, in Java's characters
	// (offset.metadata.max.bytes).
	MetadataMax int
	// Check is the group's say: the error code of a commit for a partition, 0 if it
	// is allowed. It is asked for each partition that exists before anything is
	// changed; not 0 refuses them all.
	Check func(topic record.TopicID, partition int32) int16
}

// From which version of OffsetCommit on topics are named by id.
const commitByID = 10

// Commit answers an OffsetCommit of version 0 to 10.
//
//	UNKNOWN_TOPIC_OR_PARTITION  there is no such partition
//	UNKNOWN_TOPIC_ID            no topic has this id (v10)
//	OFFSET_METADATA_TOO_LARGE   the metadata is longer than the limit
//	what Check says             for all partitions that exist
//
// The offset itself is not looked at: it may be negative, or beyond the log end.
func (o *Store) Commit(c step.Call, req *kmsg.OffsetCommitRequest, rules Rules, out *step.Output) *kmsg.OffsetCommitResponse {
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	known := make([]step.Topic, len(req.Topics))
	for i := range req.Topics {
		t := &req.Topics[i]
		known[i] = find(rules.Topics, t.Topic, t.TopicID, req.Version >= commitByID)
	}
	refused := rules.check(req, known)
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := kmsg.NewOffsetCommitResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for j := range t.Partitions {
			p := &t.Partitions[j]
			rp := kmsg.NewOffsetCommitResponseTopicPartition()
			rp.Partition = p.Partition
			switch {
			case !has(known[i], p.Partition):
				rp.ErrorCode = missing(known[i], req.Version >= commitByID)
			case refused != 0:
				rp.ErrorCode = refused
			case p.Metadata != nil && tooLong(*p.Metadata, rules.MetadataMax):
				rp.ErrorCode = kerr.OffsetMetadataTooLarge.Code
			default:
				v := value(c.Now, req, p, known[i].ID)
				out.Note(c, audit.GroupEvent{
					Kind: audit.OffsetCommitted, Group: req.Group, Topic: known[i].Name, TopicID: meta.TopicID(known[i].ID), Partition: p.Partition,
					Old: o.offset(req.Group, known[i].Name, p.Partition), New: v.Offset, Member: req.MemberID != "" || req.Generation >= 0,
				})
				o.write(&record.Offset{Group: req.Group, Topic: known[i].Name, Partition: p.Partition, Value: &v}, out)
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		if len(rt.Partitions) > 0 {
			resp.Topics = append(resp.Topics, rt)
		}
	}
	return resp
}

// check asks the group about each partition that exists.
func (r *Rules) check(req *kmsg.OffsetCommitRequest, known []step.Topic) int16 {
	for i := range req.Topics {
		for _, p := range req.Topics[i].Partitions {
			if !has(known[i], p.Partition) {
				continue
			}
			if code := r.Check(known[i].ID, p.Partition); code != 0 {
				return code
			}
		}
	}
	return 0
}

// find finds a topic by its id or its name. One that is not there has no partitions.
func find(topics step.Topics, name string, id record.TopicID, byID bool) step.Topic {
	if byID {
		t, _ := topics.ByID(id)
		return t
	}
	t, _ := topics.ByName(name)
	return t
}

func has(t step.Topic, partition int32) bool { return partition >= 0 && partition < t.Partitions }

// missing is the error code for a partition that is not there.
func missing(t step.Topic, byID bool) int16 {
	if byID && t.Partitions == 0 {
		return kerr.UnknownTopicID.Code
	}
	return kerr.UnknownTopicOrPartition.Code
}

// value is what is stored of a commit.
func value(now time.Time, req *kmsg.OffsetCommitRequest, p *kmsg.OffsetCommitRequestTopicPartition, id record.TopicID) record.OffsetValue {
	v := record.OffsetValue{
		Offset: p.Offset, LeaderEpoch: -1, CommitTimestamp: now.UnixMilli(), ExpireTimestamp: -1, TopicID: id,
	}
	if p.Metadata != nil {
		v.Metadata = *p.Metadata
	}
	if req.Version >= 6 {
		v.LeaderEpoch = max(-1, p.LeaderEpoch)
	}
	if req.Version == 1 && p.Timestamp != -1 {
		v.CommitTimestamp = p.Timestamp
	}
	if req.Version >= 2 && req.Version <= 4 && req.RetentionTimeMillis != -1 {
		v.ExpireTimestamp = expiry(v.CommitTimestamp, req.RetentionTimeMillis)
	}
	return v.Lasting()
}

// expiry is the time after a retention: now for a negative one, and the last there
// is for one that is too long.
func expiry(now, retention int64) int64 {
	if retention > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + max(0, retention)
}

// tooLong counts as Java does: 2 for a character beyond the first 65,536.
func tooLong(s string, most int) bool {
	if len(s) <= most {
		return false
	}
	n := utf8.RuneCountInString(s)
	for _, r := range s {
		if r > 0xffff {
			n++
		}
	}
	return n > most
}
