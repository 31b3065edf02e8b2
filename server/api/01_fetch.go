package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/server/meta"
	"sordini/server/partition"
	"sordini/server/wire"
)

// Fetch (key 1), versions 4 to 18.
//
//	v4   isolation level, last stable offset, record batches
//	v5   log start offset
//	v7   sessions (KIP-227)
//	v9   current leader epoch (KIP-320)
//	v11  rack and preferred read replica (KIP-392)
//	v12  flexible, last fetched epoch (KIP-595)
//	v13  topics by id (KIP-516)
//	v15  replica state, v17 directory id, v18 high watermark: of followers
//
// A fetch is answered when min bytes are there, when max wait has passed, or at
// once if a partition has an error. Batches are whole always: the first partition
// that has any gets at least one, however large it is (KIP-74).
//
// There are no followers: a request with a replica id gets NOT_LEADER_OR_FOLLOWER
// for its partitions, as an unknown replica does in Kafka.
func (a *API) fetchRoute() wire.Route {
	return route(4, 18, a.fetch)
}

// fetchItem is one partition that is asked for.
type fetchItem struct {
	topic        string
	id           meta.TopicID
	index        int32
	offset       int64
	maxBytes     int64
	currentEpoch int32 // -1: not checked
	lastEpoch    int32 // -1: not checked
	cached       *cachedPartition
}

func (a *API) fetch(r *wire.Request, req *kmsg.FetchRequest) wire.Reply {
	f := fetchReplies.Get().(*fetchReply)
	f.api, f.version, f.received, f.byID = a, req.Version, r.Received, req.Version >= 13
	f.wait = time.Duration(max(0, req.MaxWaitMillis)) * time.Millisecond
	f.minBytes = int64(req.MinBytes)
	f.maxBytes = min(int64(req.MaxBytes), a.set.Broker().Fetch.MaxBytes)
	f.committed = req.IsolationLevel == 1
	f.follower = req.ReplicaID >= 0 || req.ReplicaState.ID >= 0
	if err := a.openSession(f, req); err != nil {
		f.err = err.Code
		return f
	}
	f.read()
	return f
}

// openSession finds out which partitions are asked for: those of the request, or
// with a session also those that earlier requests named.
func (a *API) openSession(f *fetchReply, req *kmsg.FetchRequest) *kerr.Error {
	const full, final = 0, -1
	if req.Version < 7 || req.SessionEpoch == final || req.SessionEpoch == full {
		if req.Version >= 7 && req.SessionID != 0 {
			a.sessions.drop(req.SessionID)
		}
		f.items = withoutRepeats(appendItems(f.items, req))
		if req.Version >= 7 && req.SessionEpoch == full && f.allExist() {
			f.session = a.sessions.create(f.items, f.byID, a.set.Now())
		}
		f.full = true
		return nil
	}
	s, err := a.sessions.use(req.SessionID, req.SessionEpoch, f.byID, a.set.Now())
	if err != nil {
		return err
	}
	f.items = appendItems(f.items, req)
	if !f.allExist() || !a.sessions.admit(len(f.items)) {
		a.sessions.drop(s.id) // the client begins anew, and hears then what is wrong
		return kerr.FetchSessionIDNotFound
	}
	f.session = s
	f.items = s.update(f.items, req.ForgottenTopics)
	return nil
}

// allExist says whether all partitions exist that the request names. Sessions do
// not remember others: there is no end to them.
func (f *fetchReply) allExist() bool {
	for i := range f.items {
		it := &f.items[i]
		if f.byID && f.api.set.GetByID(it.id, it.index) == nil || !f.byID && f.api.set.Get(it.topic, it.index) == nil {
			return false
		}
	}
	return true
}

// withoutRepeats keeps one item for each partition: the place of the first and the
// content of the last, as Kafka does.
func withoutRepeats(items []fetchItem) []fetchItem {
	if len(items) < 2 {
		return items
	}
	seen := make(map[cachedKey]int, len(items))
	kept := items[:0]
	for _, it := range items {
		key := cachedKey{topic: it.topic, id: it.id, index: it.index}
		if at, ok := seen[key]; ok {
			kept[at] = it
			continue
		}
		seen[key] = len(kept)
		kept = append(kept, it)
	}
	return kept
}

// appendItems appends what the request names.
func appendItems(items []fetchItem, req *kmsg.FetchRequest) []fetchItem {
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			it := fetchItem{
				topic: t.Topic, id: t.TopicID, index: p.Partition, offset: p.FetchOffset,
				maxBytes: int64(p.PartitionMaxBytes), currentEpoch: -1, lastEpoch: -1,
			}
			if req.Version >= 9 {
				it.currentEpoch = max(-1, p.CurrentLeaderEpoch)
			}
			if req.Version >= 12 {
				it.lastEpoch = p.LastFetchedEpoch
			}
			items = append(items, it)
		}
	}
	return items
}

// partition finds what an item names.
func (f *fetchReply) partition(it *fetchItem) (*partition.Partition, error) {
	var p *partition.Partition
	if f.byID {
		if p = f.api.set.GetByID(it.id, it.index); p == nil && f.api.set.GetByID(it.id, 0) == nil {
			return nil, kerr.UnknownTopicID
		}
	} else {
		p = f.api.set.Get(it.topic, it.index)
	}
	switch {
	case p == nil:
		return nil, kerr.UnknownTopicOrPartition
	case f.follower:
		return nil, kerr.NotLeaderForPartition
	}
	return p, checkEpoch(p, it.currentEpoch)
}
