package meta

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"strings"
)

// Topic describes a topic. Values that an [Image] hands out are shared and must
// not be changed, Configs included.
type Topic struct {
	Name       string            `json:"name"`
	ID         TopicID           `json:"id"`
	Partitions int32             `json:"partitions"`        // at least 1; partitions are numbered from 0
	Configs    map[string]string `json:"configs,omitempty"` // settings that differ from the broker's; nil if none

	// CreatedUnclean is the Image's UncleanStarts at the time of creation, less
	// the leader epoch that the topic began with. It may be negative.
	CreatedUnclean int64 `json:"createdUnclean"`

	// Internal topics belong to the broker: clients may read but not write them.
	Internal bool `json:"internal,omitempty"`
}

// Image is what exists, at one version. It never changes; all methods may be
// called concurrently.
type Image struct {
	version     int64
	clusterID   string
	directoryID string
	nodeID      int32

	brokerEpoch    int64
	uncleanStarts  int64
	nextProducerID int64

	byName   ordered[string, *Topic]
	byID     ordered[TopicID, *Topic]
	deleting ordered[TopicID, *Topic]

	brokerConfigs map[string]map[string]string // by broker; no entry is empty
	groupConfigs  ordered[string, *groupConfigs]
}

// groupConfigs are the settings of one group, of which there are some.
type groupConfigs struct {
	group   string
	configs map[string]string
}

// emptyImage is the image at version 0.
func emptyImage() *Image {
	id := func(t *Topic) TopicID { return t.ID }
	return &Image{
		byName:   ordered[string, *Topic]{keyOf: func(t *Topic) string { return t.Name }, compare: strings.Compare},
		byID:     ordered[TopicID, *Topic]{keyOf: id, compare: compareIDs},
		deleting: ordered[TopicID, *Topic]{keyOf: id, compare: compareIDs},
		groupConfigs: ordered[string, *groupConfigs]{
			keyOf: func(g *groupConfigs) string { return g.group }, compare: strings.Compare,
		},
	}
}

// Version is the number of records that led to this image.
func (i *Image) Version() int64 { return i.version }

// ClusterID is Kafka's cluster id, usually 22 characters; "" before ClusterCreated.
func (i *Image) ClusterID() string { return i.clusterID }

// DirectoryID is the id of the data directory (KIP-858) in the form of
// TopicID.String; "" before ClusterCreated.
func (i *Image) DirectoryID() string { return i.directoryID }

// NodeID is the id of this broker.
func (i *Image) NodeID() int32 { return i.nodeID }

// BrokerEpoch is that of the latest process start, from 1 up; 0 before the first.
func (i *Image) BrokerEpoch() int64 { return i.brokerEpoch }

// UncleanStarts counts the process starts that followed no clean shutdown.
func (i *Image) UncleanStarts() int64 { return i.uncleanStarts }

// NextProducerID is the first producer id that was never handed out.
func (i *Image) NextProducerID() int64 { return i.nextProducerID }

// Topic finds a topic by name; nil if there is none.
func (i *Image) Topic(name string) *Topic {
	t, _ := i.byName.get(name)
	return t
}

// TopicByID finds a topic by id; nil if there is none. Topics that are being
// deleted are not found.
func (i *Image) TopicByID(id TopicID) *Topic {
	t, _ := i.byID.get(id)
	return t
}

// Topics yields all topics in the order of their names.
func (i *Image) Topics() iter.Seq[*Topic] { return i.byName.all() }

// TopicCount is the number of topics that Topics yields.
func (i *Image) TopicCount() int { return i.byName.size }

// Deleting yields the topics that were deleted but whose directories may still be
// there, in the order of their ids. Their names may be in use again.
func (i *Image) Deleting() iter.Seq[*Topic] { return i.deleting.all() }

// LeaderEpoch is the leader epoch of each of the topic's partitions. It rises with
// every unclean start, so that a log that may have lost its end is never mistaken
// for the log before (KIP-101). It saturates at the largest int32.
func (i *Image) LeaderEpoch(t *Topic) int32 {
	return int32(min(i.uncleanStarts-t.CreatedUnclean, math.MaxInt32))
}

// BrokerConfigs returns the dynamic settings of a broker ("1"), or the cluster-wide
// ones (""); nil if there are none. The map must not be changed.
func (i *Image) BrokerConfigs(broker string) map[string]string { return i.brokerConfigs[broker] }

// GroupConfigs returns the settings of a group that differ from the broker's; nil if
// there are none. The map must not be changed.
func (i *Image) GroupConfigs(group string) map[string]string {
	if g, ok := i.groupConfigs.get(group); ok {
		return g.configs
	}
	return nil
}

// apply returns the image that follows i by one record. The new image may share
// the maps of r.
func (i *Image) apply(r Record) (*Image, error) {
	next := *i
	next.version++
	err := r.check()
	if err == nil {
		err = r.change(&next)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.kind(), err)
	}
	return &next, nil
}

// addTopic changes an image that is not shared yet.
func (i *Image) addTopic(t *Topic) error {
	if have := i.Topic(t.Name); have != nil {
		return fmt.Errorf("%w: name %s", ErrTopicExists, t.Name)
	}
	if _, deleting := i.deleting.get(t.ID); deleting || i.TopicByID(t.ID) != nil {
		return fmt.Errorf("%w: id %s", ErrTopicExists, t.ID)
	}
	i.putTopic(t)
	return nil
}

// putTopic adds or replaces a topic in an image that is not shared yet.
func (i *Image) putTopic(t *Topic) {
	i.byName, i.byID = i.byName.put(t), i.byID.put(t)
}

// setBrokerConfigs changes an image that is not shared yet.
func (i *Image) setBrokerConfigs(broker string, configs map[string]string) {
	all := maps.Clone(i.brokerConfigs)
	if all == nil {
		all = make(map[string]map[string]string, 1)
	}
	if len(configs) == 0 {
		delete(all, broker)
	} else {
		all[broker] = configs
	}
	i.brokerConfigs = all
}

// setGroupConfigs changes an image that is not shared yet.
func (i *Image) setGroupConfigs(group string, configs map[string]string) {
	if len(configs) == 0 {
		i.groupConfigs = i.groupConfigs.remove(group)
		return
	}
	i.groupConfigs = i.groupConfigs.put(&groupConfigs{group, configs})
}
