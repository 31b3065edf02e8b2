package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/group"
	"sordini/server/wire"
)

// OffsetCommit (key 8), versions 0 to 10.
//
//	v0   no generation and no member; kept in the coordinator's topic as all are
//	v1   generation, member, commit time of each partition
//	v2   retention of the whole request instead of the times; gone with v5 (KIP-211)
//	v6   leader epochs (KIP-320)
//	v7   static members (KIP-345)
//	v8   flexible
//	v9   member epochs (KIP-848): STALE_MEMBER_EPOCH, GROUP_ID_NOT_FOUND
//	v10  topics by id (KIP-848)
//
// The answer tells that the offsets are durable. Partitions that do not exist are
// refused alone; what a group refuses, it refuses for all partitions. While the disk
// is full nothing is committed: KAFKA_STORAGE_ERROR. Groups go on, so that their
// members can read.
func (a *API) offsetCommitRoute() wire.Route {
	return route(0, 10, a.offsetCommit)
}

func (a *API) offsetCommit(r *wire.Request, req *kmsg.OffsetCommitRequest) wire.Reply {
	if err := a.offsetsWritable(req.Group); err != nil {
		return refuse(req, kindOf(err))
	}
	return a.askOne(r, req.Group, req)
}

// offsetsWritable says why a group's offsets cannot be written.
func (a *API) offsetsWritable(groupID string) error {
	if all := a.set.Topic(group.Topic); len(all) > 0 {
		return all[group.Partition(groupID, len(all))].Writable()
	}
	return a.set.Writable()
}
