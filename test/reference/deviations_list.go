package reference

// Deviations are all of them, as README.md shows them. A difference that none covers
// fails the test, and so does one that is Seen by no case.
var Deviations = []Deviation{
	{
		What: "acks=all",
		Here: "waits for fsync under the default policy",
		Why:  "one node has no replicas to lean on",
	},
	{
		What: "old versions",
		Here: "CreateTopics 0, ListOffsets 0 and others that Kafka 4 dropped are served",
		Why:  "old clients exist",
		Seen: []Sight{
			{Answer: "ApiVersions *", Path: "ApiKeys[*].MinVersion"},
		},
	},
	{
		What: "topics that a Metadata request creates",
		Here: "complete in the same answer",
		Why:  "old clients take the first LEADER_NOT_AVAILABLE for a failure",
		Seen: []Sight{
			{Case: "auto/metadata", Answer: "Metadata * first"},
			{Case: "auto/metadata", Answer: "Metadata * allowed"},
		},
	},
	{
		What: "partition after a failed fsync",
		Here: "offline, the others go on",
		Why:  "Kafka stops the whole log directory",
	},
	{
		What: "a data directory whose journal or checkpoint fails",
		Here: "offline with its partitions; that of the metadata goes on as far as it can",
		Why:  "Kafka exits when the directory of the metadata fails",
	},
	{
		What: "an empty data directory beside others",
		Here: "offline while partitions are missing that may be on its disk",
		Why:  "it may be the mount point of a disk that is not mounted; Kafka begins with it, and has replicas",
	},
	{
		What: "entries of `log.dirs`",
		Here: "may have a class before a colon",
		Why:  "topics are placed by it",
	},
	{
		What: "rot below the recovery point, and in batch headers",
		Here: "the range is refused with CORRUPT_MESSAGE, nothing is cut",
		Why:  "there is no replica to fetch it from again",
	},
	{
		What: "the records inside a batch, and its `max timestamp`",
		Here: "not looked at, unless the topic demands it; the time is taken from the header",
		Why:  "Kafka walks over all records of every batch",
		Seen: []Sight{
			{Case: "produce/batches", Answer: "* gzip that is none*"},
			{Case: "produce/batches", Answer: "* records cut*"},
			{Case: "produce/batches", Answer: "* records with more*"},
			{Case: "produce/batches", Answer: "* no records*"},
			{Case: "produce/times", Answer: "Fetch 12 fetched", Path: "*.RecordBatches"},
		},
	},
	{
		What: "batches with trailing bytes, with a producer id but no epoch, with the log-append-time bit",
		Here: "refused",
		Why:  "they can only be mistakes",
		Seen: []Sight{
			{Case: "produce/batches", Answer: "* append time*"},
			{Case: "produce/batches", Answer: "* trailing byte*"},
			{Case: "idempotence/epochs", Answer: "Produce 9 negative epoch", Ours: "INVALID_RECORD"},
		},
	},
	{
		What: "codec numbers 5 to 7",
		Here: "UNSUPPORTED_COMPRESSION_TYPE",
		Why:  "Kafka answers UNKNOWN_SERVER_ERROR",
		Seen: []Sight{
			{Case: "produce/batches", Answer: "* codec 5"},
			{Case: "produce/batches", Answer: "* codec 7"},
		},
	},
	{
		What: "transactional batches and ids",
		Here: "INVALID_TXN_STATE, TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
		Why:  "not served yet",
		Seen: []Sight{
			{Case: "produce/transactional", Path: "*.ErrorCode", Ours: "INVALID_TXN_STATE"},
		},
	},
	{
		What: "requests with more than 64 tags in a section, or whose decoding would cost more than eight times their size",
		Here: "the connection is closed",
		Why:  "they are attacks",
	},
	{
		What: "the first request of a connection",
		Here: "at most 64 KiB, unless it is Produce",
		Why:  "nothing is known of the client yet",
	},
	{
		What: "checksums in small files",
		Here: "`partition.metadata` ends with one, `leader-epoch-checkpoint` has one in white space; Kafka's readers pass over them",
		Why:  "Kafka's have none",
	},
	{
		What: "checkpoints of log starts",
		Here: "list every log",
		Why:  "Kafka lists logs that DeleteRecords was used on, and takes others to start with their first segment, as here",
	},
	{
		What: "unknown broker settings",
		Here: "refused with a suggestion, in files and in AlterConfigs",
		Why:  "Kafka keeps them, typing errors included",
		Seen: []Sight{
			{Case: "bounds-broker/no.such.config"},
		},
	},
	{
		What: "`retention.ms` and other settings with several broker names",
		Here: "DescribeConfigs shows the true source and all synonyms in force",
		Why:  "Kafka leaves out `log.retention.hours`",
		Seen: []Sight{
			{Answer: "DescribeConfigs *", Path: "*.ConfigSynonyms[*]", Kafka: "-", Ours: "present"},
			{Case: "fresh/configs", Answer: "DescribeConfigs 4 broker", Path: "*Configs[*].ConfigSynonyms[*].*"},
		},
	},
	{
		What: "settings of client metrics and loggers",
		Here: "can be described, not changed",
		Why:  "there is nothing that they would change yet",
	},
	{
		What: "AlterConfigs with one resource twice",
		Here: "INVALID_REQUEST",
		Why:  "Kafka's broker exits",
	},
	{
		What: "errors without a message",
		Here: "the message says what is wrong",
		Why:  "Kafka's is null or empty",
		Seen: []Sight{
			{Path: "*ErrorMessage", Kafka: "-", Ours: "text"},
			{Path: "*ErrorMessage", Kafka: `""`, Ours: "text"},
		},
	},
	{
		What: "CreatePartitions beyond 10,000",
		Here: "POLICY_VIOLATION",
		Why:  "Kafka answers UNKNOWN_SERVER_ERROR",
		Seen: []Sight{
			{Answer: "CreatePartitions * Topics.Count highest", Ours: "POLICY_VIOLATION"},
		},
	},
	{
		What: "the number of array elements in one request",
		Here: "at most 50,000 and four for each partition there is, else the connection is closed",
		Why:  "answering costs more than asking",
	},
	{
		What: "FindCoordinator",
		Here: "creates `__consumer_offsets` before it answers",
		Why:  "Kafka's first answer is COORDINATOR_NOT_AVAILABLE",
	},
	{
		What: "two joins or syncs of one member that wait",
		Here: "the earlier one is answered REBALANCE_IN_PROGRESS",
		Why:  "Kafka never answers it",
	},
	{
		What: "a classic group's members",
		Here: "its record is written at each generation and each end of a member too, in Kafka's format: members, no leader, the generation to come; a load begins a rebalance then",
		Why:  "Kafka writes it at the leader's sync: killed before, it brings back who has left, and syncs fail with UNKNOWN_MEMBER_ID",
		Seen: []Sight{
			{Case: "fresh/dirs", Path: "Dirs[0].Topics[0].Partitions[*].Size"}, // of the topic that keeps the record
		},
	},
	{
		What: "sessions after a restart",
		Here: "what was left of them: how long members were not heard of while a server ran is noted from 3.5 s after the load on, in a tagged field of Kafka's records; 3 s at least",
		Why:  "Kafka begins them anew: a member that is gone keeps its partitions while the server dies again and again",
	},
	{
		What: "a classic group's next leader, ties in the vote on a protocol",
		Here: "the oldest member's",
		Why:  "Kafka takes Java's order of hashes",
	},
	{
		What: "a regular expression of more than 1,024 bytes, or as many with its repetitions",
		Here: "INVALID_REGULAR_EXPRESSION",
		Why:  "matching costs in proportion, and it may come from anybody",
	},
	{
		What: "the disk is full by `log.disk.full.ratio`",
		Here: "OffsetCommit, CreateTopics and Metadata of a new topic answer KAFKA_STORAGE_ERROR too",
		Why:  "Kafka writes until the disk fails, then stops the directory",
	},
	{
		What: "the records of a group cannot be written or read",
		Here: "NOT_COORDINATOR for the groups of that partition",
		Why:  "as for any failed partition",
	},
	{
		What: "max.compaction.lag.ms",
		Here: "rolls an idle active segment too",
		Why:  "Kafka rolls with the next append only",
	},
	{
		What: "the base timestamp of a compacted batch",
		Here: "stays",
		Why:  "Kafka takes the first record's that is left; the records' times are the same",
		Seen: []Sight{
			{Case: "compaction/tombstones", Answer: "Fetch 12 kept", Path: "*.RecordBatches", Kafka: "{base:0,*"},
			{Case: "compaction/tombstones", Answer: "Fetch 12 gone", Path: "*.RecordBatches", Kafka: "{base:0,*"},
		},
	},
	{
		What: "one fetch answer",
		Here: "at most 128 file ranges above 16 KiB; other partitions come with the next fetch",
		Why:  "file handles",
	},
	{
		What: "requests of APIs that are not served yet, and versions that the protocol library does not know",
		Here: "left out of ApiVersions",
		Why:  "the ranges tell exactly what works",
		Seen: []Sight{
			{Answer: "ApiVersions *", Path: "ApiKeys[*]", Ours: "-"},
			{Answer: "ApiVersions *", Path: "ApiKeys[*].MaxVersion"},
		},
	},
	{
		What: "features in ApiVersions",
		Here: "none",
		Why:  "there is nothing to be upgraded in steps yet",
		Seen: []Sight{
			{Answer: "ApiVersions *", Path: "SupportedFeatures[*]", Ours: "-"},
			{Answer: "ApiVersions *", Path: "FinalizedFeatures[*]", Ours: "-"},
		},
	},
	{
		What: "`flush.policy` and settings of this server alone",
		Here: "among those described",
		Why:  "they can be set",
		Seen: []Sight{
			{Path: "*Configs[flush.policy]", Kafka: "-"},
			{Path: "*Configs[flush.priority*]", Kafka: "-"},
			{Path: "*Configs[index.key]", Kafka: "-"},
			{Path: "*Configs[storage.class]", Kafka: "-"},
			{Path: "*Configs[audit.enable]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[audit.retention.*]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[log.disk.*]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[flush.method]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[flush.journal.bytes]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[segment.warm]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[flush.low.interval.ms]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[flush.async.interval.ms]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[admin.listen]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[socket.tcp.congestion]", Kafka: "-"},
		},
	},
	{
		What: "`__sordini_audit`",
		Here: "left out of answers about all topics; clients may read it by name, and not change it",
		Why:  "it comes into being by itself with the first administrative change",
	},
	{
		What: "`min.insync.replicas`",
		Here: "a default like others",
		Why:  "Kafka sets it for all brokers by itself, for elections that a single node does not hold",
		Seen: []Sight{
			{Path: "*Configs[min.insync.replicas]*"},
		},
	},
	{
		What: "settings that Kafka hides or has dropped",
		Here: "described",
		Why:  "tools read them",
		Seen: []Sight{
			{Case: "fresh/configs", Path: "*Configs[allow.everyone.if.no.acl.found]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[super.users]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[inter.broker.protocol.version]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[follower.replication.throttled.rate]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[leader.replication.throttled.rate]", Kafka: "-"},
			{Case: "fresh/configs", Path: "*Configs[replica.alter.log.dirs.io.max.bytes.per.second]", Kafka: "-"},
		},
	},
	{
		What: "settings of the JVM, of controllers and of what is not served",
		Here: "other values, sources, and read-only",
		Why:  "there is no JVM and no controller, and they change nothing",
		Seen: []Sight{
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[advertised.listeners]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[config.providers]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[controller.*]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[cordoned.log.dirs]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[inter.broker.listener.name]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[listener.security.protocol.map]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[listeners]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[log.dir]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[metric.reporters]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[principal.builder.class]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[process.roles]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[queued.max.request.bytes]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[sasl.*]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[ssl.*]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[socket.*.buffer.bytes]*"},
			{Case: "fresh/configs", Answer: "DescribeConfigs * broker*", Path: "*Configs[remote.log.metadata.manager.class.name]*"},
		},
	},
	{
		What: "thread counts, and `max.connections.per.ip` of 0",
		Here: "any valid value is taken",
		Why:  "they change nothing here; a pool in Kafka at most doubles at a time",
		Seen: []Sight{
			{Case: "bounds-broker/*threads", Path: "Resources[*].Error*", Ours: "-"},
			{Case: "bounds-broker/max.connections.per.ip", Path: "Resources[*].Error*", Ours: "-"},
		},
	},
	{
		What: "`log.retention.ms` below -1",
		Here: "INVALID_REQUEST",
		Why:  "it means nothing",
		Seen: []Sight{
			{Case: "bounds-broker/log.retention.ms", Path: "Resources[*].ErrorCode", Kafka: "-", Ours: "INVALID_REQUEST"},
		},
	},
	{
		What: "numbers out of range: sizes below 0 and isolation levels in Fetch and ListOffsets, operations in IncrementalAlterConfigs, a topic without name and id in Metadata",
		Here: "taken as the nearest, or a code that tells",
		Why:  "Kafka fails with UNKNOWN_SERVER_ERROR",
		Seen: []Sight{
			{Case: "mutations-Fetch/*", Answer: "* MaxBytes *"},
			{Case: "mutations-Fetch/*", Answer: "* Topics.Partitions.PartitionMaxBytes *"},
			{Case: "mutations-Fetch/*", Answer: "* IsolationLevel *"},
			{Case: "mutations-ListOffsets/*", Answer: "* IsolationLevel *"},
			{Case: "mutations-IncrementalAlterConfigs/*", Answer: "* Resources.Configs.Op *", Ours: "INVALID_REQUEST"},
			{Case: "mutations-Metadata/13", Answer: "Metadata 13 Topics.Topic null"},
		},
	},
	{
		What: "a topic or a partition twice in one request",
		Here: "Produce, ListOffsets, DeleteRecords answer both, DescribeConfigs one",
		Why:  "Kafka loses one of two batches; answers cost more than questions",
		Seen: []Sight{
			{Case: "produce/twice"},
			{Case: "mutations-ListOffsets/*", Answer: "* doubled", Kafka: "-", Ours: "present"},
			{Case: "offsets/targets", Answer: "* partition twice", Kafka: "-", Ours: "present"},
			{Case: "mutations-DeleteRecords/*", Answer: "* doubled", Kafka: "-", Ours: "present"},
			{Case: "mutations-DescribeConfigs/*", Answer: "* Resources doubled", Ours: "-"},
		},
	},
	{
		What: "a topic that is only validated",
		Here: "has no id",
		Why:  "Kafka invents one",
		Seen: []Sight{
			{Case: "topics/validate", Path: "Topics[*].TopicID"},
			{Case: "mutations-CreateTopics/7", Answer: "* ValidateOnly flipped", Path: "Topics[*].TopicID"},
		},
	},
	{
		What: "a cursor of DescribeTopicPartitions beyond the last partition",
		Here: "the next topic follows, if any",
		Why:  "Kafka sends the client round in circles",
		Seen: []Sight{
			{Case: "mutations-DescribeTopicPartitions/0", Answer: "* Cursor.Partition highest"},
		},
	},
	{
		What: "fetch answers",
		Here: "end with a whole batch",
		Why:  "the rest of one is of no use",
		Seen: []Sight{
			{Case: "fetch/sizes", Path: "*.RecordBatches", Kafka: "*cut:*"},
		},
	},
	{
		What: "a fetch session that is to take in a partition that does not exist",
		Here: "ends with FETCH_SESSION_ID_NOT_FOUND",
		Why:  "the client begins anew and hears what is wrong; unknown names have no end",
		Seen: []Sight{
			{Case: "fetch/session-*", Path: "ErrorCode", Ours: "FETCH_SESSION_ID_NOT_FOUND"},
			{Case: "fetch/session-*", Path: "SessionID", Ours: "-"},
			{Case: "fetch/session-*", Path: "Topics[*]", Ours: "-"},
			{Case: "fetch/session-topics", Answer: "Fetch 18 open", Path: "Topics[*].TopicID"},
		},
	},
	{
		What: "fetching as a follower, or in a leader epoch that is over",
		Here: "NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH without a leader to go to",
		Why:  "there is one node",
		Seen: []Sight{
			{Answer: "Fetch *", Path: "*.CurrentLeader", Ours: "-"},
			{Case: "restarts/killed", Answer: "Fetch *", Path: "Brokers[0]", Ours: "-"},
		},
	},
	{
		What: "a leader epoch",
		Here: "begins when the server was not stopped",
		Why:  "a stop loses nothing; Kafka counts up when a broker goes and when it comes",
		Seen: []Sight{
			{Case: "restarts/stopped", Answer: "OffsetForLeaderEpoch 4 epoch before a stop", Path: "*.EndOffset"},
			{Case: "restarts/stopped", Answer: "OffsetForLeaderEpoch 4 start again all deleted", Path: "*.EndOffset"},
		},
	},
	{
		What: "idempotent producers after a restart",
		Here: "the last five batches of each are known, also of old and of deleted records",
		Why:  "Kafka knows the last batch, and none of a producer whose records are old or deleted: what is sent again fails, or is there twice",
		Seen: []Sight{
			{Case: "restarts/*", Answer: "Produce 13 in the window*"},
			{Case: "restarts/*", Answer: "Produce 13 old record again"},
			{Case: "restarts/stopped", Answer: "Produce 13 * after deleted records"},
		},
	},
	{
		What: "the highest timestamp, after records were deleted",
		Here: "of those that can be read",
		Why:  "Kafka's may be that of a record that is gone",
		Seen: []Sight{
			{Case: "offsets/places", Answer: "* deleted highest time"},
			{Case: "offsets/places", Answer: "* cut highest time"},
			{Case: "restarts/stopped", Answer: "* deleted highest time*"},
			{Case: "restarts/killed", Answer: "* emptied highest time"},
			{Case: "restarts/killed", Answer: "* cut highest time"},
		},
	},
}
