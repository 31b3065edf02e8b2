package meta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"sordini/protocol"
)

// Record is one change of the [Image]. The types in this file are all there are.
//
// To add one: give it the next recordKind, a case in decodeRecord, and its
// methods. To add a field to one: raise recordVersion. Older programs refuse both,
// which is what keeps them from dropping what they do not know.
type Record interface {
	// kind is the type's number on disk.
	kind() recordKind
	// check validates the values for themselves.
	check() error
	// change validates a record that passed check against the image, and applies
	// it. The image is a copy that nobody else sees; what hangs off it is shared.
	change(*Image) error
}

// recordKind is a record type's number on disk. Numbers are never used again.
type recordKind uint16

const (
	kindClusterCreated      recordKind = 1
	kindProcessStarted      recordKind = 2
	kindTopicCreated        recordKind = 3
	kindPartitionsAdded     recordKind = 4
	kindTopicConfigsSet     recordKind = 5
	kindTopicDeleted        recordKind = 6
	kindTopicPurged         recordKind = 7
	kindBrokerConfigsSet    recordKind = 8
	kindProducerIDsReserved recordKind = 9
	kindGroupConfigsSet     recordKind = 10
)

// recordVersion is the version of all record types' fields.
const recordVersion uint16 = 1

// maxClusterID bounds the length of a cluster id, in bytes. Kafka's own have 22.
const maxClusterID = 255

// ClusterCreated gives the store its identity. There is exactly one.
type ClusterCreated struct {
	ClusterID   string `json:"clusterId"`   // 1 to 255 printable ASCII characters
	DirectoryID string `json:"directoryId"` // in the form of TopicID.String
	NodeID      int32  `json:"nodeId"`      // at least 0
}

// ProcessStarted is written once at every start of the process.
type ProcessStarted struct {
	Clean       bool  `json:"clean"`       // the process before was shut down in order
	BrokerEpoch int64 `json:"brokerEpoch"` // larger than the one before
}

// TopicCreated adds a topic.
type TopicCreated struct {
	Name       string            `json:"name"`
	ID         TopicID           `json:"id"`
	Partitions int32             `json:"partitions"` // at least 1
	Configs    map[string]string `json:"configs,omitempty"`
	Internal   bool              `json:"internal,omitempty"`

	// FirstEpoch is the leader epoch to begin with: 0, except for a topic whose
	// directories were taken over, which must not fall below the epochs in them.
	FirstEpoch int32 `json:"firstEpoch,omitempty"`
}

// PartitionsAdded raises a topic's number of partitions.
type PartitionsAdded struct {
	ID         TopicID `json:"id"`
	Partitions int32   `json:"partitions"` // the new total, more than before
}

// TopicConfigsSet replaces all settings of a topic.
type TopicConfigsSet struct {
	ID      TopicID           `json:"id"`
	Configs map[string]string `json:"configs,omitempty"`
}

// TopicDeleted moves a topic to the deleting ones. Its name is free at once.
type TopicDeleted struct {
	ID TopicID `json:"id"`
}

// TopicPurged says that nothing is left of a deleted topic on disk.
type TopicPurged struct {
	ID TopicID `json:"id"`
}

// BrokerConfigsSet replaces all dynamic settings of a broker.
type BrokerConfigsSet struct {
	Broker  string            `json:"broker"` // a node id in decimal, or "" for all of the cluster
	Configs map[string]string `json:"configs,omitempty"`
}

// ProducerIDsReserved says that all producer ids below Next may have been handed
// out. Reserving a block at a time keeps this off the path of most requests.
type ProducerIDsReserved struct {
	Next int64 `json:"next"` // larger than before
}

// GroupConfigsSet replaces all settings of a group of consumers or a share group.
// The group need not exist.
type GroupConfigsSet struct {
	Group   string            `json:"group"` // not empty; valid UTF-8
	Configs map[string]string `json:"configs,omitempty"`
}

func (ClusterCreated) kind() recordKind      { return kindClusterCreated }
func (ProcessStarted) kind() recordKind      { return kindProcessStarted }
func (TopicCreated) kind() recordKind        { return kindTopicCreated }
func (PartitionsAdded) kind() recordKind     { return kindPartitionsAdded }
func (TopicConfigsSet) kind() recordKind     { return kindTopicConfigsSet }
func (TopicDeleted) kind() recordKind        { return kindTopicDeleted }
func (TopicPurged) kind() recordKind         { return kindTopicPurged }
func (BrokerConfigsSet) kind() recordKind    { return kindBrokerConfigsSet }
func (ProducerIDsReserved) kind() recordKind { return kindProducerIDsReserved }
func (GroupConfigsSet) kind() recordKind     { return kindGroupConfigsSet }

// String is the name of the Go type.
func (k recordKind) String() string {
	if r, err := decodeRecord(k, recordVersion, []byte("{}")); err == nil {
		return fmt.Sprintf("%T", r)[len("meta."):]
	}
	return fmt.Sprintf("record type %d", uint16(k))
}

// decodeRecord reads a record's payload. Anything that this version of the
// program does not know is an error.
func decodeRecord(k recordKind, version uint16, payload []byte) (Record, error) {
	if version > recordVersion {
		return nil, fmt.Errorf("%w: record type %d has version %d, known is %d", ErrNewer, uint16(k), version, recordVersion)
	}
	switch k {
	case kindClusterCreated:
		return decodeAs[ClusterCreated](payload)
	case kindProcessStarted:
		return decodeAs[ProcessStarted](payload)
	case kindTopicCreated:
		return decodeAs[TopicCreated](payload)
	case kindPartitionsAdded:
		return decodeAs[PartitionsAdded](payload)
	case kindTopicConfigsSet:
		return decodeAs[TopicConfigsSet](payload)
	case kindTopicDeleted:
		return decodeAs[TopicDeleted](payload)
	case kindTopicPurged:
		return decodeAs[TopicPurged](payload)
	case kindBrokerConfigsSet:
		return decodeAs[BrokerConfigsSet](payload)
	case kindProducerIDsReserved:
		return decodeAs[ProducerIDsReserved](payload)
	case kindGroupConfigsSet:
		return decodeAs[GroupConfigsSet](payload)
	default:
		return nil, fmt.Errorf("%w: record type %d is unknown", ErrNewer, uint16(k))
	}
}

func decodeAs[R Record](payload []byte) (Record, error) {
	var r R
	if err := unmarshalStrict(payload, &r); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return r, nil
}

// unmarshalStrict refuses unknown fields and anything behind the value.
func unmarshalStrict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

func (r ClusterCreated) check() error { return validIdentity(r.ClusterID, r.DirectoryID, r.NodeID) }
func (ProcessStarted) check() error   { return nil }

func (r TopicCreated) check() error {
	if r.FirstEpoch < 0 {
		return fmt.Errorf("%w: leader epoch %d", ErrInvalid, r.FirstEpoch)
	}
	return validTopic(&Topic{Name: r.Name, ID: r.ID, Partitions: r.Partitions, Configs: r.Configs})
}

func (PartitionsAdded) check() error     { return nil }
func (r TopicConfigsSet) check() error   { return validConfigs(r.Configs) }
func (TopicDeleted) check() error        { return nil }
func (TopicPurged) check() error         { return nil }
func (ProducerIDsReserved) check() error { return nil }

func (r BrokerConfigsSet) check() error {
	if err := validBroker(r.Broker); err != nil {
		return err
	}
	return validConfigs(r.Configs)
}

func (r GroupConfigsSet) check() error { return validGroupConfigs(r.Group, r.Configs) }

func (r ClusterCreated) change(i *Image) error {
	if i.clusterID != "" {
		return fmt.Errorf("%w: cluster %s was created before", ErrInvalid, i.clusterID)
	}
	i.clusterID, i.directoryID, i.nodeID = r.ClusterID, r.DirectoryID, r.NodeID
	return nil
}

func (r ProcessStarted) change(i *Image) error {
	if r.BrokerEpoch <= i.brokerEpoch {
		return fmt.Errorf("%w: broker epoch %d is not above %d", ErrInvalid, r.BrokerEpoch, i.brokerEpoch)
	}
	i.brokerEpoch = r.BrokerEpoch
	if !r.Clean {
		i.uncleanStarts++
	}
	return nil
}

func (r TopicCreated) change(i *Image) error {
	return i.addTopic(&Topic{
		Name: r.Name, ID: r.ID, Partitions: r.Partitions, Configs: nilIfEmpty(r.Configs), Internal: r.Internal,
		CreatedUnclean: i.uncleanStarts - int64(r.FirstEpoch),
	})
}

func (r PartitionsAdded) change(i *Image) error {
	old, err := i.mustTopic(r.ID)
	if err != nil {
		return err
	}
	if r.Partitions <= old.Partitions {
		return fmt.Errorf("%w: topic %s has %d partitions, not fewer than %d", ErrInvalid, old.Name, old.Partitions, r.Partitions)
	}
	t := *old
	t.Partitions = r.Partitions
	i.putTopic(&t)
	return nil
}

func (r TopicConfigsSet) change(i *Image) error {
	old, err := i.mustTopic(r.ID)
	if err != nil {
		return err
	}
	t := *old
	t.Configs = nilIfEmpty(r.Configs)
	i.putTopic(&t)
	return nil
}

func (r TopicDeleted) change(i *Image) error {
	t, err := i.mustTopic(r.ID)
	if err != nil {
		return err
	}
	i.byName, i.byID = i.byName.remove(t.Name), i.byID.remove(t.ID)
	i.deleting = i.deleting.put(t)
	return nil
}

func (r TopicPurged) change(i *Image) error {
	if _, ok := i.deleting.get(r.ID); !ok {
		return fmt.Errorf("%w: %s is not being deleted", ErrUnknownTopic, r.ID)
	}
	i.deleting = i.deleting.remove(r.ID)
	return nil
}

func (r BrokerConfigsSet) change(i *Image) error {
	i.setBrokerConfigs(r.Broker, r.Configs)
	return nil
}

func (r ProducerIDsReserved) change(i *Image) error {
	if r.Next <= i.nextProducerID {
		return fmt.Errorf("%w: next producer id %d is not above %d", ErrInvalid, r.Next, i.nextProducerID)
	}
	i.nextProducerID = r.Next
	return nil
}

func (r GroupConfigsSet) change(i *Image) error {
	i.setGroupConfigs(r.Group, r.Configs)
	return nil
}

func (i *Image) mustTopic(id TopicID) (*Topic, error) {
	t := i.TopicByID(id)
	if t == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownTopic, id)
	}
	return t, nil
}

func validTopic(t *Topic) error {
	if err := protocol.ValidTopicName(t.Name); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if t.ID.reserved() {
		return fmt.Errorf("%w: topic %s: id %s is reserved", ErrInvalid, t.Name, t.ID)
	}
	if t.Partitions < 1 {
		return fmt.Errorf("%w: topic %s: %d partitions", ErrInvalid, t.Name, t.Partitions)
	}
	if err := validConfigs(t.Configs); err != nil {
		return fmt.Errorf("topic %s: %w", t.Name, err)
	}
	return nil
}

// validConfigs refuses what JSON cannot hold unchanged. Whether a setting exists
// and its value makes sense is for package config to say.
func validConfigs(configs map[string]string) error {
	for k, v := range configs {
		if k == "" || !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fmt.Errorf("%w: setting %q: empty name or bytes that are not UTF-8", ErrInvalid, k)
		}
	}
	return nil
}

func validBroker(broker string) error {
	if broker == "" {
		return nil
	}
	id, err := strconv.ParseInt(broker, 10, 32)
	if err != nil || id < 0 || id > math.MaxInt32 || strconv.FormatInt(id, 10) != broker {
		return fmt.Errorf("%w: broker %.64q is not a node id", ErrInvalid, broker)
	}
	return nil
}

func validGroupConfigs(group string, configs map[string]string) error {
	if group == "" || !utf8.ValidString(group) {
		return fmt.Errorf("%w: group %.64q: empty name or bytes that are not UTF-8", ErrInvalid, group)
	}
	return validConfigs(configs)
}

func validIdentity(clusterID, directoryID string, nodeID int32) error {
	if clusterID == "" || len(clusterID) > maxClusterID {
		return fmt.Errorf("%w: cluster id of %d characters", ErrInvalid, len(clusterID))
	}
	for i := range len(clusterID) {
		if c := clusterID[i]; c <= ' ' || c > '~' {
			return fmt.Errorf("%w: cluster id %q", ErrInvalid, clusterID)
		}
	}
	if id, err := ParseTopicID(directoryID); err != nil || id.reserved() {
		return fmt.Errorf("%w: directory id %.64q", ErrInvalid, directoryID)
	}
	if nodeID < 0 {
		return fmt.Errorf("%w: node id %d", ErrInvalid, nodeID)
	}
	return nil
}

// nilIfEmpty makes equal what JSON cannot tell apart.
func nilIfEmpty(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}
