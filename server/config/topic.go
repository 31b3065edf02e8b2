package config

import (
	"maps"
	"math"
	"slices"
)

// FlushPolicy says when a record counts as written.
type FlushPolicy int8

// The flush policies.
const (
	FlushSync   FlushPolicy = iota // once it was forced to disk
	FlushAsync                     // at once
	FlushHybrid                    // as FlushSync if it is important, as FlushAsync otherwise
)

// Priority says which records are important under FlushHybrid.
type Priority struct {
	All bool // flush.priority=high
	// Header is the record header that tells, "" if the producer's acks do; High are
	// its values that make a record important.
	Header string
	High   []string
}

// FlushMethod says how records are forced to disk that an acknowledgement waits for.
type FlushMethod int8

// The flush methods.
const (
	FlushByJournal FlushMethod = iota // all partitions by one file
	FlushBySegment                    // each partition by itself
)

func (v Values) flushMethod() FlushMethod {
	if v.String("flush.method") == "segment" {
		return FlushBySegment
	}
	return FlushByJournal
}

// TimestampType says whose time a record carries. Its numbers are those of the record batch's attribute.
type TimestampType int8

// The timestamp types.
const (
	CreateTime    TimestampType = 0 // the producer's
	LogAppendTime TimestampType = 1 // the server's
)

// Topic is what a topic's settings say, resolved for use. Times are in milliseconds and sizes in bytes
// as in Kafka; math.MaxInt64 means never.
type Topic struct {
	RetentionMs    int64 // -1: no limit
	RetentionBytes int64 // of one partition; -1: no limit

	SegmentBytes       int64 // 1 MiB to 2 GiB
	SegmentMs          int64
	SegmentJitterMs    int64
	SegmentIndexBytes  int64
	IndexIntervalBytes int64
	FileDeleteDelayMs  int64
	IndexKey           bool
	Audit              bool // audit.enable
	Preallocate        bool

	FlushPolicy FlushPolicy
	// FlushMs and FlushMessages say when to flush under FlushAsync and FlushHybrid. If neither was set,
	// FlushMs is flush.async.interval.ms, or flush.low.interval.ms, so one of them is finite there.
	FlushMs       int64
	FlushMessages int64
	Priority      Priority

	MaxMessageBytes      int64
	TimestampType        TimestampType
	TimestampBeforeMaxMs int64
	TimestampAfterMaxMs  int64

	CompressionType string // producer, uncompressed, gzip, snappy, lz4 or zstd
	GzipLevel       int    // -1 for the usual one, or 1 to 9
	LZ4Level        int    // 1 to 17
	ZstdLevel       int    // -131072 to 22

	CleanupCompact         bool
	CleanupDelete          bool
	DeleteRetentionMs      int64
	MinCompactionLagMs     int64
	MaxCompactionLagMs     int64
	MinCleanableDirtyRatio float64 // 0 to 1
}

// Topic resolves a topic's settings: its own ones, which ValidateTopic has accepted, over the broker's. Names
// and values that this version does not accept are passed over.
func (b *Broker) Topic(overrides map[string]string) Topic {
	get := func(name string) value { return b.scoped(TopicScope, name, overrides).value }
	cleanup := get("cleanup.policy").list
	t := Topic{
		RetentionMs:            get("retention.ms").integer,
		RetentionBytes:         get("retention.bytes").integer,
		SegmentBytes:           get("segment.bytes").integer,
		SegmentMs:              get("segment.ms").integer,
		SegmentJitterMs:        get("segment.jitter.ms").integer,
		SegmentIndexBytes:      get("segment.index.bytes").integer,
		IndexIntervalBytes:     get("index.interval.bytes").integer,
		FileDeleteDelayMs:      get("file.delete.delay.ms").integer,
		IndexKey:               get("index.key").yes,
		Audit:                  get("audit.enable").yes,
		Preallocate:            get("preallocate").yes,
		FlushMs:                get("flush.ms").integer,
		FlushMessages:          get("flush.messages").integer,
		MaxMessageBytes:        get("max.message.bytes").integer,
		TimestampBeforeMaxMs:   get("message.timestamp.before.max.ms").integer,
		TimestampAfterMaxMs:    get("message.timestamp.after.max.ms").integer,
		CompressionType:        get("compression.type").text,
		GzipLevel:              int(get("compression.gzip.level").integer),
		LZ4Level:               int(get("compression.lz4.level").integer),
		ZstdLevel:              int(get("compression.zstd.level").integer),
		CleanupCompact:         slices.Contains(cleanup, "compact"),
		CleanupDelete:          slices.Contains(cleanup, "delete"),
		DeleteRetentionMs:      get("delete.retention.ms").integer,
		MinCompactionLagMs:     get("min.compaction.lag.ms").integer,
		MaxCompactionLagMs:     get("max.compaction.lag.ms").integer,
		MinCleanableDirtyRatio: get("min.cleanable.dirty.ratio").number,
	}
	if get("message.timestamp.type").text == "LogAppendTime" {
		t.TimestampType = LogAppendTime
	}
	interval := "flush.async.interval.ms"
	switch get("flush.policy").text {
	case "async":
		t.FlushPolicy = FlushAsync
	case "hybrid":
		t.FlushPolicy = FlushHybrid
		priority := get("flush.priority").text
		if priority == "low" {
			interval = "flush.low.interval.ms"
		}
		t.Priority = Priority{All: priority == "high", Header: get("flush.priority.header").text, High: get("flush.priority.high").list}
	default:
		return t
	}
	if t.FlushMs == math.MaxInt64 && t.FlushMessages == math.MaxInt64 {
		t.FlushMs = b.Int64(interval)
	}
	return t
}

// Group is what a group's settings say, resolved for use. Times are in milliseconds.
type Group struct {
	ConsumerSessionTimeoutMs     int64
	ConsumerHeartbeatIntervalMs  int64
	ConsumerAssignmentIntervalMs int64

	ShareSessionTimeoutMs        int64
	ShareHeartbeatIntervalMs     int64
	ShareAssignmentIntervalMs    int64
	ShareRecordLockDurationMs    int64
	ShareDeliveryCountLimit      int
	SharePartitionMaxRecordLocks int
	ShareAutoOffsetReset         string // earliest, latest or by_duration:<ISO 8601 duration>
	ShareReadCommitted           bool
	ShareRenewAcknowledge        bool
}

// Group resolves a group's settings: its own ones, which ValidateGroup has accepted, over the broker's. Names
// and values that this version does not accept are passed over.
func (b *Broker) Group(overrides map[string]string) Group {
	get := func(name string) value { return b.scoped(GroupScope, name, overrides).value }
	return Group{
		ConsumerSessionTimeoutMs:     get("consumer.session.timeout.ms").integer,
		ConsumerHeartbeatIntervalMs:  get("consumer.heartbeat.interval.ms").integer,
		ConsumerAssignmentIntervalMs: get("consumer.assignment.interval.ms").integer,
		ShareSessionTimeoutMs:        get("share.session.timeout.ms").integer,
		ShareHeartbeatIntervalMs:     get("share.heartbeat.interval.ms").integer,
		ShareAssignmentIntervalMs:    get("share.assignment.interval.ms").integer,
		ShareRecordLockDurationMs:    get("share.record.lock.duration.ms").integer,
		ShareDeliveryCountLimit:      int(get("share.delivery.count.limit").integer),
		SharePartitionMaxRecordLocks: int(get("share.partition.max.record.locks").integer),
		ShareAutoOffsetReset:         get("share.auto.offset.reset").text,
		ShareReadCommitted:           get("share.isolation.level").text == "read_committed",
		ShareRenewAcknowledge:        get("share.renew.acknowledge.enable").yes,
	}
}

// ownSource is the source of a resource's own settings.
func (s Scope) ownSource() Source {
	switch s {
	case TopicScope:
		return SourceDynamicTopic
	case GroupScope:
		return SourceDynamicGroup
	default:
		return SourceDynamicClientMetrics
	}
}

// scoped is the value in force of a setting of a topic, group or subscription: its own one if it is valid, else
// the broker's that stands in for it, else the default. A broker setting's value already has its own synonyms
// resolved, in the unit of the setting.
func (v Values) scoped(scope Scope, name string, overrides map[string]string) resolved {
	s := table.find(scope, name)
	if s == nil {
		panic("config: no " + scope.String() + " setting " + name)
	}
	if raw, ok := overrides[name]; ok {
		if parsed, err := s.parse(raw); err == nil {
			return resolved{parsed, scope.ownSource(), "", name}
		}
	}
	if len(s.Synonyms) > 0 {
		return v.resolved[s.Synonyms[0].Name]
	}
	return resolved{s.defaultValue(), SourceDefault, "default", name}
}

// ValidateTopic checks a topic's whole set of own settings. The error is ErrInvalidConfig with Kafka's text;
// of several faults it names the first by name.
func (v Values) ValidateTopic(overrides map[string]string) error {
	if err := validateAll(TopicScope, overrides); err != nil {
		return err
	}
	low := v.scoped(TopicScope, "min.compaction.lag.ms", overrides).value
	high := v.scoped(TopicScope, "max.compaction.lag.ms", overrides).value
	if low.integer > high.integer {
		return invalidConfig("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)",
			low.integer, high.integer)
	}
	return nil
}

// ValidateGroup checks a group's whole set of own settings, with the broker's bounds. The error is
// ErrInvalidConfig with Kafka's text.
func (v Values) ValidateGroup(overrides map[string]string) error {
	if err := validateAll(GroupScope, overrides); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		low, high := boundsOf(table.find(GroupScope, name))
		n := v.scoped(GroupScope, name, overrides).integer
		if low != "" && n < v.Int64(low) {
			return invalidConfig("%s must be greater than or equal to %s", name, low)
		}
		if high != "" && n > v.Int64(high) {
			return invalidConfig("%s must be less than or equal to %s", name, high)
		}
	}
	return nil
}

// ValidateClientMetrics checks the whole set of settings of a subscription to client metrics. The error is
// ErrInvalidConfig.
func ValidateClientMetrics(overrides map[string]string) error {
	return validateAll(ClientMetricsScope, overrides)
}

func validateAll(scope Scope, overrides map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		s := table.find(scope, name)
		if s == nil {
			return unknownConfig(scope, name)
		}
		if err := s.Validate(overrides[name]); err != nil {
			return err
		}
	}
	return nil
}

func unknownConfig(scope Scope, name string) error {
	return invalidConfig("Unknown %s config name: %s", scope, name)
}
