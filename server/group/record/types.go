package record

// TopicID is a topic's id (KIP-516).
type TopicID = [16]byte

// Record is one change of the state of a group: a key and a value of
// __consumer_offsets. A record whose Value is nil is a tombstone: what the key
// names is gone.
type Record interface {
	// GroupID is the group whose state it changes.
	GroupID() string
}

// Offset is what a group has committed for one partition.
type Offset struct {
	Group     string
	Topic     string
	Partition int32
	Value     *OffsetValue
}

// OffsetValue is a committed offset.
type OffsetValue struct {
	Offset          int64
	LeaderEpoch     int32 // -1: unknown
	Metadata        string
	CommitTimestamp int64 // ms since 1970
	ExpireTimestamp int64 // ms since 1970; -1: by the retention of the broker
	// TopicID is the id of the topic at the time of the commit; zero: unknown.
	TopicID TopicID
}

// Classic is a group of the classic protocol.
type Classic struct {
	Group string
	Value *ClassicValue
}

// ClassicValue is a classic group after a rebalance.
type ClassicValue struct {
	ProtocolType string
	Generation   int32
	Protocol     *string // nil: none is chosen
	Leader       *string // nil: the group is empty
	// StateTimestamp is when the group entered its state, in ms since 1970; -1:
	// unknown.
	StateTimestamp int64
	Members        []ClassicMember
}

// ClassicMember is a member of a classic group.
type ClassicMember struct {
	ID               string
	InstanceID       *string // nil: not a static member
	ClientID         string
	ClientHost       string
	RebalanceTimeout int32 // ms; -1: unknown
	SessionTimeout   int32 // ms
	Subscription     []byte
	Assignment       []byte
	Silent           int32 // ms for which it was not heard of
}

// Epoch is the epoch of a consumer group (KIP-848). Its first record makes the
// group, its tombstone is the group's last.
type Epoch struct {
	Group string
	Value *EpochValue
}

// EpochValue is a consumer group's epoch.
type EpochValue struct {
	Epoch        int32
	MetadataHash int64 // of the topics that the group subscribes to; 0: unknown
}

// Member is what a member of a consumer group has told of itself.
type Member struct {
	Group  string
	Member string
	Value  *MemberValue
}

// MemberValue is what a member of a consumer group has told of itself.
type MemberValue struct {
	InstanceID       *string // nil: not a static member
	RackID           *string
	ClientID         string
	ClientHost       string
	Topics           []string // that it subscribes to by name
	Regex            *string  // that it subscribes to by pattern
	RebalanceTimeout int32    // ms
	Assignor         *string  // nil: the group's default
	// Classic is set if the member speaks the classic protocol.
	Classic *ClassicProtocols
}

// ClassicProtocols is what a member of the classic protocol has offered.
type ClassicProtocols struct {
	SessionTimeout int32 // ms
	Protocols      []ClassicProtocol
}

// ClassicProtocol is a protocol of a classic member with its metadata.
type ClassicProtocol struct {
	Name     string
	Metadata []byte
}

// TargetEpoch is the group epoch for which the target assignment was made.
type TargetEpoch struct {
	Group string
	Value *TargetEpochValue
}

// TargetEpochValue is the epoch of a target assignment.
type TargetEpochValue struct {
	Epoch int32
	// Timestamp is when the assignment was made, in ms since 1970; 0: unknown.
	Timestamp int64
}

// TargetMember is what a member is to have.
type TargetMember struct {
	Group  string
	Member string
	Value  *TargetValue
}

// TargetValue is what a member is to have.
type TargetValue struct {
	Partitions []TopicPartitions
}

// TopicPartitions are partitions of one topic.
type TopicPartitions struct {
	Topic      TopicID
	Partitions []int32
	// Epochs is for each of Partitions the member epoch at which it was assigned; nil:
	// unknown. Only [CurrentValue] has it; what a member is revoking has it too.
	Epochs []int32
}

// Current is what a member has, and how far it has come.
type Current struct {
	Group  string
	Member string
	Value  *CurrentValue
}

// CurrentValue is what a member has, and how far it has come.
type CurrentValue struct {
	Epoch         int32
	PreviousEpoch int32
	State         MemberState
	Assigned      []TopicPartitions
	Revoking      []TopicPartitions
	Silent        int32 // ms for which the member was not heard of
}

// MemberState is how far a member of a consumer group has come with its
// assignment. The numbers are Kafka's.
type MemberState int8

// The states of a member.
const (
	// Stable: it has the assignment of its epoch, or will with its next heartbeat.
	Stable MemberState = iota
	// UnrevokedPartitions: it has to give partitions back before it may go on.
	UnrevokedPartitions
	// UnreleasedPartitions: others have to give back what it is to have.
	UnreleasedPartitions
	// Unknown is of a later version of the format.
	Unknown MemberState = 127
)

// Pattern is what a regular expression, to which members subscribe, was resolved
// to.
type Pattern struct {
	Group string
	Regex string
	Value *PatternValue
}

// PatternValue is what a regular expression matches.
type PatternValue struct {
	Topics    []string // sorted
	Version   int64    // of the metadata that it was resolved with
	Timestamp int64    // ms since 1970
}

// Other is a record of a kind that is not used here. It changes nothing and is
// kept as it is.
type Other struct {
	Type       int16
	Key, Value []byte
}

// GroupID is the group's name.
func (r *Offset) GroupID() string       { return r.Group }
func (r *Classic) GroupID() string      { return r.Group }
func (r *Epoch) GroupID() string        { return r.Group }
func (r *Member) GroupID() string       { return r.Group }
func (r *TargetEpoch) GroupID() string  { return r.Group }
func (r *TargetMember) GroupID() string { return r.Group }
func (r *Current) GroupID() string      { return r.Group }
func (r *Pattern) GroupID() string      { return r.Group }

// GroupID is "": the key is not understood.
func (r *Other) GroupID() string { return "" }
