package config

import (
	"math"
	"time"
)

// Broker is what the broker's settings say, resolved for use. It is an immutable snapshot; after a change of the
// dynamic configuration there is a new one.
type Broker struct {
	Values // all settings by name

	NodeID  int32
	Rack    string   // "" for none
	LogDirs []LogDir // at least one
	// MetadataDir is the directory of the metadata: one of LogDirs, or another.
	MetadataDir string

	AutoCreateTopics         bool
	DeleteTopics             bool
	NumPartitions            int32
	DefaultReplicationFactor int16

	Network     Network
	Fetch       Fetch
	Log         Log
	Cleaner     Cleaner
	Audit       Audit
	Offsets     Offsets
	Groups      Groups
	ShareState  ShareState
	Transaction Transaction
}

// Network is how clients reach the server and what their connections may use.
type Network struct {
	// Listeners are the addresses to listen on, at least one; those for controllers are left out.
	Listeners []Listener
	// Advertised are the addresses to tell to clients. A listener that is missing here advertises the local
	// address that the client connected to.
	Advertised  []Listener
	AdminListen string // host:port of the HTTP server, "" for none
	Congestion  string // TCP congestion control, "" for the system's

	SendBufferBytes    int // -1 for the system's choice
	ReceiveBufferBytes int // -1 for the system's choice

	MaxRequestBytes       int64          // of one request
	MaxQueuedRequestBytes int64          // of all requests in progress; -1 for no bound
	MaxConnections        int            // at the same time
	MaxConnectionsPerIP   int            // at the same time from one address
	MaxConnectionsByHost  map[string]int // instead of MaxConnectionsPerIP, by address or host name; not to be changed
	MaxConnectionsRate    int            // new ones per second
	MaxIdle               time.Duration
}

// Fetch bounds what fetch and describe answers may hold.
type Fetch struct {
	MaxBytes              int64
	MaxSessions           int
	MaxDescribePartitions int // in one DescribeTopicPartitions answer (KIP-966)
}

// Log is what concerns all logs together; Topic has what concerns one.
type Log struct {
	FlushMethod                     FlushMethod
	JournalBytes                    int64 // on disk, at most
	Warm                            bool
	RetentionCheckInterval          time.Duration
	RecoveryPointInterval           time.Duration // between checkpoints of what is on disk; 0: whenever it moves
	LogStartCheckpointInterval      time.Duration // between checkpoints of the first offsets; 0: whenever they move
	HighWatermarkCheckpointInterval time.Duration
	RecoveryThreadsPerDir           int
	DiskWarnRatio, DiskFullRatio    float64 // of the file system; 1: never
	ProducerIDExpiration            time.Duration
}

// Cleaner is how compaction runs.
type Cleaner struct {
	Enabled           bool
	Threads           int // 0 pauses compaction
	Backoff           time.Duration
	MaxBytesPerSecond float64 // read and written
	DedupeBufferBytes int64   // of all threads together
	LoadFactor        float64 // how full the map of keys may become
}

// Offsets is how committed offsets are kept.
type Offsets struct {
	Partitions        int32 // of __consumer_offsets when it is created
	SegmentBytes      int64
	CommitTimeout     time.Duration
	Retention         time.Duration
	RetentionInterval time.Duration // between looks for stale offsets
	MaxMetadataBytes  int
}

// Groups bounds groups of all kinds. Broker.Group has what may differ between groups.
type Groups struct {
	MinSessionTimeout     time.Duration // of classic groups
	MaxSessionTimeout     time.Duration // of classic groups
	InitialRebalanceDelay time.Duration // of classic groups
	MaxSize               int           // of classic groups

	ConsumerMaxSize   int
	ConsumerAssignors []string // the first one is the default
	ConsumerMigration string   // bidirectional, upgrade, downgrade or disabled, in lower or upper case

	ShareMaxSize     int
	ShareMaxSessions int
}

// Audit is how long __sordini_audit keeps what it has.
type Audit struct {
	RetentionMs    int64 // -1: for ever
	RetentionBytes int64 // of each partition; -1: no limit
}

// ShareState is how the state of share groups is kept.
type ShareState struct {
	Partitions         int32 // of __share_group_state when it is created
	SegmentBytes       int64
	UpdatesPerSnapshot int
	WriteTimeout       time.Duration
}

// Transaction is how transactions run.
type Transaction struct {
	Partitions        int32 // of __transaction_state when it is created
	SegmentBytes      int64
	MaxTimeout        time.Duration
	AbortInterval     time.Duration // between looks for transactions past their timeout
	IDExpiration      time.Duration
	IDCleanupInterval time.Duration // between looks for expired transactional ids
	VerifyPartitions  bool
}

// Broker resolves the values for use.
func (v Values) Broker() *Broker {
	return &Broker{
		Values:                   v,
		NodeID:                   int32(v.Int64("node.id")),
		Rack:                     v.String("broker.rack"),
		LogDirs:                  v.logDirs(),
		MetadataDir:              v.metadataDir(),
		AutoCreateTopics:         v.Bool("auto.create.topics.enable"),
		DeleteTopics:             v.Bool("delete.topic.enable"),
		NumPartitions:            int32(v.Int64("num.partitions")),
		DefaultReplicationFactor: int16(min(v.Int64("default.replication.factor"), math.MaxInt16)),
		Network:                  v.network(),
		Fetch: Fetch{
			MaxBytes:              v.Int64("fetch.max.bytes"),
			MaxSessions:           int(v.Int64("max.incremental.fetch.session.cache.slots")),
			MaxDescribePartitions: int(v.Int64("max.request.partition.size.limit")),
		},
		Log: Log{
			RetentionCheckInterval:          v.millis("log.retention.check.interval.ms"),
			FlushMethod:                     v.flushMethod(),
			JournalBytes:                    v.Int64("flush.journal.bytes"),
			Warm:                            v.Bool("segment.warm"),
			RecoveryPointInterval:           v.millis("log.flush.offset.checkpoint.interval.ms"),
			LogStartCheckpointInterval:      v.millis("log.flush.start.offset.checkpoint.interval.ms"),
			HighWatermarkCheckpointInterval: v.millis("replica.high.watermark.checkpoint.interval.ms"),
			RecoveryThreadsPerDir:           int(v.Int64("num.recovery.threads.per.data.dir")),
			ProducerIDExpiration:            v.millis("producer.id.expiration.ms"),
			DiskWarnRatio:                   v.Float64("log.disk.warn.ratio"),
			DiskFullRatio:                   v.Float64("log.disk.full.ratio"),
		},
		Cleaner: Cleaner{
			Enabled:           v.Bool("log.cleaner.enable"),
			Threads:           int(v.Int64("log.cleaner.threads")),
			Backoff:           v.millis("log.cleaner.backoff.ms"),
			MaxBytesPerSecond: v.Float64("log.cleaner.io.max.bytes.per.second"),
			DedupeBufferBytes: v.Int64("log.cleaner.dedupe.buffer.size"),
			LoadFactor:        v.Float64("log.cleaner.io.buffer.load.factor"),
		},
		Audit:       Audit{RetentionMs: v.Int64("audit.retention.ms"), RetentionBytes: v.Int64("audit.retention.bytes")},
		Offsets:     v.offsets(),
		Groups:      v.groups(),
		ShareState:  v.shareState(),
		Transaction: v.transaction(),
	}
}

func (v Values) network() Network {
	// The check of the setting has accepted the text.
	byHost, _ := parseOverrides(v.String("max.connections.per.ip.overrides"))
	return Network{
		Listeners:             v.listeners,
		Advertised:            v.advertised,
		AdminListen:           v.String("admin.listen"),
		Congestion:            v.String("socket.tcp.congestion"),
		SendBufferBytes:       int(v.Int64("socket.send.buffer.bytes")),
		ReceiveBufferBytes:    int(v.Int64("socket.receive.buffer.bytes")),
		MaxRequestBytes:       v.Int64("socket.request.max.bytes"),
		MaxQueuedRequestBytes: v.Int64("queued.max.request.bytes"),
		MaxConnections:        int(v.Int64("max.connections")),
		MaxConnectionsPerIP:   int(v.Int64("max.connections.per.ip")),
		MaxConnectionsByHost:  byHost,
		MaxConnectionsRate:    int(v.Int64("max.connection.creation.rate")),
		MaxIdle:               v.millis("connections.max.idle.ms"),
	}
}

func (v Values) offsets() Offsets {
	return Offsets{
		Partitions:        int32(v.Int64("offsets.topic.num.partitions")),
		SegmentBytes:      v.Int64("offsets.topic.segment.bytes"),
		CommitTimeout:     v.millis("offsets.commit.timeout.ms"),
		Retention:         time.Duration(v.Int64("offsets.retention.minutes")) * time.Minute,
		RetentionInterval: v.millis("offsets.retention.check.interval.ms"),
		MaxMetadataBytes:  int(v.Int64("offset.metadata.max.bytes")),
	}
}

func (v Values) groups() Groups {
	return Groups{
		MinSessionTimeout:     v.millis("group.min.session.timeout.ms"),
		MaxSessionTimeout:     v.millis("group.max.session.timeout.ms"),
		InitialRebalanceDelay: v.millis("group.initial.rebalance.delay.ms"),
		MaxSize:               int(v.Int64("group.max.size")),
		ConsumerMaxSize:       int(v.Int64("group.consumer.max.size")),
		ConsumerAssignors:     v.List("group.consumer.assignors"),
		ConsumerMigration:     v.String("group.consumer.migration.policy"),
		ShareMaxSize:          int(v.Int64("group.share.max.size")),
		ShareMaxSessions:      int(v.Int64("group.share.max.share.sessions")),
	}
}

func (v Values) shareState() ShareState {
	return ShareState{
		Partitions:         int32(v.Int64("share.coordinator.state.topic.num.partitions")),
		SegmentBytes:       v.Int64("share.coordinator.state.topic.segment.bytes"),
		UpdatesPerSnapshot: int(v.Int64("share.coordinator.snapshot.update.records.per.snapshot")),
		WriteTimeout:       v.millis("share.coordinator.write.timeout.ms"),
	}
}

func (v Values) transaction() Transaction {
	return Transaction{
		Partitions:        int32(v.Int64("transaction.state.log.num.partitions")),
		SegmentBytes:      v.Int64("transaction.state.log.segment.bytes"),
		MaxTimeout:        v.millis("transaction.max.timeout.ms"),
		AbortInterval:     v.millis("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
		IDExpiration:      v.millis("transactional.id.expiration.ms"),
		IDCleanupInterval: v.millis("transaction.remove.expired.transaction.cleanup.interval.ms"),
		VerifyPartitions:  v.Bool("transaction.partition.verification.enable"),
	}
}

// millis is a setting of milliseconds as a duration; what a duration cannot hold (292 years) becomes the longest
// one.
func (v Values) millis(name string) time.Duration {
	ms := v.Int64(name)
	if ms > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}
