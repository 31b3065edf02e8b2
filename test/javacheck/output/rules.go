package output

// Always are applied to every text.
var Always = []*Rule{
	mask("times of log lines", "each run has its own", `^stderr: \[\d{4}-\d\d-\d\d [\d:,]+\] `, "stderr: [time] "),
	drop("warnings in the log of a client", "it warns of what it repeats, a new topic's metadata for one: a matter of moments", `^stderr: \[time\] WARN `),
	drop("stack traces", "they name lines of Java, not what happened", `^stderr: (\tat |\t\.\.\. \d+ more)`),
	mask("topic ids", "made at random", `(?i)(topic_?id: |"topicId":")[A-Za-z0-9_-]{22}`, "${1}<id>"),
	mask("min.insync.replicas in the configs of a topic", "Kafka has it as a dynamic setting of all brokers",
		`(Configs: .*)min\.insync\.replicas=1,?`, "$1").by("`min.insync.replicas`"),
	inner("order of configs of a topic", "that of a Java hash map", `Configs: (\S+)$`, ","),
	mask("numbers of clients", "counters of the process", `(clientId|groupId)=([a-z-]+)-\d+\b`, "$1=$2-<n>"),
}

// Rules that a check names if its output holds the thing.
var (
	Spaces = mask("width of columns", "as wide as the longest cell, an id of changing length among them", `[ \t]{2,}`, "  ")
	Order  = sorted("order of lines", "that of a Java hash map, or of partitions as they answer", `.`)
	// Overrides is for topics described because something is set for them.
	Overrides = drop("topics of which nothing is set but min.insync.replicas", "to Kafka that is a setting of theirs", `Configs: $`).
			by("`min.insync.replicas`")
	TooLarge = mask("text about what is too large", "the client has a text of its own if the server sends none",
		`RecordTooLargeException: .*`, "RecordTooLargeException: <text>").by("errors without a message")
	Features  = drop("features", "there are none", `^Feature: `).by("features in ApiVersions")
	Millis    = mask("timestamps", "the moment of the run", `\b1[789]\d{11}\b`, "<ms>")
	Checksums = mask("checksums of batches", "they cover timestamps and producer ids", `(?i)crc: \d+`, "crc: <crc>")
	Producers = mask("producer ids", "a counter of the whole server", `(?i)producerId: \d+`, "producerId: <id>")
	ClusterID = mask("cluster ids", "each server has its own", `Cluster ID: [A-Za-z0-9_-]{22}$`, "Cluster ID: <id>")
	Directory = mask("ids of a directory", "each server has its own", `^(cluster\.id|directory\.id)=.*|^#.*`, "$1")
	Generated = drop("groups that tools make", "names made at random, or of the time", `(console-consumer|test-group)-\d+`)
	Members   = mask("member ids", "made at random", `[\w-]*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[A-Za-z0-9_-]{22}\b`, "<member>")
	Attempts  = mask("attempts of a client", "as many as there is time for", `TimeoutException: (Call|Timed out waiting).*`, "TimeoutException: <call>")
)

// Rules for what is kept in __consumer_offsets.
var (
	Objects   = cut("objects on one line", "the formatter ends none", `}{"key":`, 1)
	Processed = drop("numbers of records", "of commits by time, and of a group's generations", `^stderr: Processed a total of`).by("a classic group's members")
	Last      = last("records of a key before its last", "commits by time, and a group's generations", `^\{"key":(.*),"value":`).by("a classic group's members")
	Payloads  = mask("records of groups", "members, times, topic ids", `(payload|key): .*`, "$1: <...>")
)

// Rules for measurements.
var (
	PerfLine   = mask("times of the consumer's test", "measured", `^[\d-]+ [\d:]+, [\d-]+ [\d:]+, ([\d.]+), [\d.]+, (\d+), .*$`, "<from>, <to>, $1, <measured>, $2, <measured>")
	Speed      = mask("speed and latency", "measured", `\d+\.\d+|\d+ ms|NaN|= \d+`, "<measured>")
	Throughput = mask("throughput of the verifiable producer", "measured", `"avg_throughput":[\d.]+`, `"avg_throughput":<measured>`)
	Polls      = drop("records by poll", "as many as a fetch happens to bring", `"name":"(records_consumed|offsets_committed)"`)
)

// Rules for files.
var (
	Sizes    = mask("sizes and positions of batches", "times in them are differences, of one byte or two", `\b(size|position): \d+`, "$1: <n>")
	LogSizes = mask("sizes of logs", "those of their batches", `"size":[1-9]\d*`, `"size":<n>`)
	Bases    = mask("base offsets of segments", "batches are as large as they happened to be, by the differences of times in them", `\d{20}\.|followed by \d+`, "<base>")
	Blanks   = mask("white space at the end of lines", "a checksum that Kafka's reader passes over", `[ \t]+$`, "").by("checksums in small files")
	Sum      = drop("the line of a checksum", "Kafka's reader passes over it", `^crc32c: `).by("checksums in small files")
	Starts   = drop("logs that start at 0, and the number of logs", "Kafka lists logs with deleted records alone", `^\S+ \d+ 0$|^\d+$`).by("checkpoints of log starts")
	OfGroups = drop("numbers of records of groups", "of commits by time, and of a group's generations", `^__consumer_offsets `).by("a classic group's members")
	Audit    = drop("logs of the audit, and the number of logs", "Kafka has no such topic", `^__sordini_audit |^\d+$`).by("`__sordini_audit`")
	Batches  = drop("batches", "as large as they happened to be", `^baseOffset: `)
	Sound    = drop("what is sound", "batches are as large as they happened to be", `^(baseOffset: |\| offset: |offset: |timestamp: |Dumping |Log starting offset: )`)
)
