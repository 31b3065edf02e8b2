package api

import (
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/protocol"
	"sordini/server/audit"
	"sordini/server/meta"
	"sordini/server/partition"
	"sordini/server/wire"
)

// Metadata (key 3), versions 0 to 13.
//
//	v0   no topics means all; from v1 on null means all, and none means none
//	v1   controller, racks, internal topics
//	v2   cluster id
//	v4   whether to create missing topics; older requests mean yes (KIP-361)
//	v5   offline replicas
//	v7   leader epoch
//	v8   authorized operations, when asked for (KIP-430)
//	v9   flexible
//	v10  topic ids; v12 lookup by id (KIP-516)
//	v13  error of the whole request (KIP-1102), never set
//
// A topic that is created on the way is complete in the same answer: a client
// need not ask again.
func (a *API) metadataRoute() wire.Route {
	return serve(0, 13, a.metadata)
}

func (a *API) metadata(r *wire.Request, req *kmsg.MetadataRequest, resp *kmsg.MetadataResponse) {
	image := a.set.Image()
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID = image.NodeID()
	b.Host, b.Port = a.brokerAddress(r.Conn)
	if rack := a.set.Broker().Rack; rack != "" {
		b.Rack = &rack
	}
	resp.Brokers = append(resp.Brokers, b)
	cluster := image.ClusterID()
	resp.ClusterID, resp.ControllerID = &cluster, image.NodeID()
	resp.AuthorizedOperations = unasked
	if req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = clusterOperations
	}
	resp.Topics = []kmsg.MetadataResponseTopic{}
	if byID := namesIDs(req); byID && req.Version < firstMetadataByID {
		*resp = refusedMetadata(req)
		return
	} else if byID {
		a.topicsByID(req, resp)
		return
	}
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		for t := range listedTopics(image) {
			resp.Topics = append(resp.Topics, a.metadataTopic(req, t))
		}
		return
	}
	a.namedTopics(r, req, resp)
}

// firstMetadataByID is the version that looks topics up by id; older ones have the
// field and refuse it.
const firstMetadataByID = 12

// namesIDs says whether a request names a topic by id. It then names none otherwise:
// names without one are passed over.
func namesIDs(req *kmsg.MetadataRequest) bool {
	return slices.ContainsFunc(req.Topics, func(q kmsg.MetadataRequestTopic) bool { return !meta.TopicID(q.TopicID).IsZero() })
}

// refusedMetadata is the answer to a request that the version does not allow.
func refusedMetadata(req *kmsg.MetadataRequest) kmsg.MetadataResponse {
	resp := kmsg.NewMetadataResponse()
	resp.Version, resp.ControllerID, resp.AuthorizedOperations = req.Version, -1, unasked
	for _, q := range req.Topics {
		t := missingTopic(kerr.InvalidRequest)
		t.Topic, t.TopicID = q.Topic, q.TopicID
		if t.Topic == nil {
			t.Topic = kmsg.StringPtr("")
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// topicsByID answers for the ids that the request names, each once.
func (a *API) topicsByID(req *kmsg.MetadataRequest, resp *kmsg.MetadataResponse) {
	seen := make(map[meta.TopicID]bool)
	for _, q := range req.Topics {
		if id := meta.TopicID(q.TopicID); !id.IsZero() && !seen[id] {
			seen[id] = true
			resp.Topics = append(resp.Topics, a.metadataByID(req, id))
		}
	}
}

// namedTopics answers for the topics that the request names, each once.
func (a *API) namedTopics(r *wire.Request, req *kmsg.MetadataRequest, resp *kmsg.MetadataResponse) {
	failed := a.createMissing(r, req)
	image := a.set.Image()
	seen := make(map[string]bool, len(req.Topics))
	seenID := make(map[meta.TopicID]bool)
	for _, q := range req.Topics {
		if q.Topic == nil {
			if !seenID[q.TopicID] {
				resp.Topics = append(resp.Topics, a.metadataByID(req, q.TopicID))
			}
			seenID[q.TopicID] = true
			continue
		}
		name := *q.Topic
		if seen[name] {
			continue
		}
		seen[name] = true
		if t := image.Topic(name); t != nil {
			resp.Topics = append(resp.Topics, a.metadataTopic(req, t))
			continue
		}
		err := failed[name]
		if err == nil {
			err = kerr.UnknownTopicOrPartition
		}
		if protocol.ValidTopicName(name) != nil {
			err = kerr.InvalidTopicException
		}
		mt := missingTopic(err)
		mt.Topic = q.Topic
		if req.IncludeTopicAuthorizedOperations {
			mt.AuthorizedOperations = topicOperations
		}
		resp.Topics = append(resp.Topics, mt)
	}
}

func (a *API) metadataByID(req *kmsg.MetadataRequest, id meta.TopicID) kmsg.MetadataResponseTopic {
	if t := a.set.Image().TopicByID(id); t != nil && !id.IsZero() {
		return a.metadataTopic(req, t)
	}
	mt := missingTopic(kerr.UnknownTopicID)
	mt.TopicID = id
	return mt
}

func missingTopic(err error) kmsg.MetadataResponseTopic {
	t := kmsg.NewMetadataResponseTopic()
	t.ErrorCode = code(err)
	t.Partitions = []kmsg.MetadataResponseTopicPartition{}
	t.AuthorizedOperations = unasked
	return t
}

// maxAutoCreated is how many partitions one request creates at most, or one topic.
// Clients ask again for those that they miss, and get the next.
const maxAutoCreated = 1000

// createMissing creates the topics that the request names and that are missing, if
// that is what it wants, all at once. It returns the errors of those that failed.
func (a *API) createMissing(r *wire.Request, req *kmsg.MetadataRequest) map[string]error {
	broker := a.set.Broker()
	if !broker.AutoCreateTopics || req.Version >= 4 && !req.AllowAutoTopicCreation {
		return nil
	}
	image := a.set.Image()
	others := &collisions{image: image}
	failed, wanted := make(map[string]error), make(map[string]bool)
	var topics []partition.Topic
	room := maxAutoCreated
	for _, q := range req.Topics {
		if q.Topic == nil || wanted[*q.Topic] || image.Topic(*q.Topic) != nil {
			continue
		}
		name := *q.Topic
		switch {
		case protocol.ValidTopicName(name) != nil, reservedTopic(name):
		case others.find(name) != "":
			failed[name] = kerr.InvalidTopicException
		case len(topics) == 0 || room >= int(broker.NumPartitions):
			room -= int(broker.NumPartitions)
			wanted[name] = true
			others.add(name)
			topics = append(topics, partition.Topic{Name: name, Partitions: broker.NumPartitions})
		}
	}
	if len(topics) == 0 {
		return failed
	}
	created, errs := a.set.CreateTopics(topics)
	for i, err := range errs {
		if err == nil {
			a.noteCreated(r, created[i], true)
		}
		if err != nil && !errors.Is(err, meta.ErrTopicExists) { // or somebody else was faster
			_, _ = a.codeMessage(err)
			failed[topics[i].Name] = err
		}
	}
	return failed
}

// reservedTopic says whether a name belongs to the broker: clients never create
// such a topic by accident.
func reservedTopic(name string) bool {
	return name == "__consumer_offsets" || name == "__transaction_state" || name == "__share_group_state" || name == audit.Topic
}

func (a *API) metadataTopic(req *kmsg.MetadataRequest, t *meta.Topic) kmsg.MetadataResponseTopic {
	mt := kmsg.NewMetadataResponseTopic()
	name := t.Name
	mt.Topic, mt.TopicID, mt.IsInternal = &name, t.ID, t.Internal
	mt.AuthorizedOperations = unasked
	if req.IncludeTopicAuthorizedOperations {
		mt.AuthorizedOperations = topicOperations
	}
	image := a.set.Image()
	epoch, node := image.LeaderEpoch(t), []int32{image.NodeID()}
	mt.Partitions = make([]kmsg.MetadataResponseTopicPartition, t.Partitions)
	for i := range mt.Partitions {
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Partition, p.Leader, p.LeaderEpoch = int32(i), image.NodeID(), epoch
		p.Replicas, p.ISR, p.OfflineReplicas = node, node, []int32{}
		mt.Partitions[i] = p
	}
	return mt
}
