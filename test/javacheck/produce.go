package main

import "sordini/test/javacheck/output"

// lines are what console producers get, with keys and headers.
const (
	plainLines  = "one\ntwo\nthree, with a comma\nfünf und sechs\n\nseven\n"
	keyedLines  = "k1\tone\nk2\ttwo\nk1\tthree\nk3\tNULL\n"
	headedLines = "h1:v1,h2:v2\tk1\tone\nh1:\tk2\ttwo\nNULL\tk3\tthree\n"
)

// producing are checks of kafka-console-producer, and of the consumer reading it back.
var producing = []check{
	{name: "a topic for it", run: "topics --create --topic lines"},
	{name: "produce", run: "console-producer --topic lines", stdin: plainLines},
	{name: "consume", run: "console-consumer --topic lines --from-beginning --max-messages 6 --timeout-ms 20000", want: []string{"fünf und sechs", "Processed a total of 6 messages"}},
	{name: "produce with keys", run: "console-producer --topic keyed --reader-property parse.key=true --reader-property null.marker=NULL", stdin: keyedLines},
	{name: "consume with all of it", run: "console-consumer --topic keyed --from-beginning --max-messages 4 --timeout-ms 20000 " + printAll, rules: []*output.Rule{output.Millis}, want: []string{"CreateTime:<ms>\tPartition:0\tOffset:0\tEpoch:NOT_PRESENT\tNO_HEADERS\tk1\tone", "k3\tnull"}},
	{name: "the topic that it made", run: "topics --describe --topic keyed", want: []string{"PartitionCount: 1"}},
	{name: "produce with headers", run: "console-producer --topic headed --reader-property parse.key=true --reader-property parse.headers=true --reader-property null.marker=NULL", stdin: headedLines},
	{name: "consume with headers", run: "console-consumer --topic headed --from-beginning --max-messages 3 --timeout-ms 20000 " + printAll, rules: []*output.Rule{output.Millis}, want: []string{"h1:v1,h2:v2\tk1\tone"}},
	{name: "produce with none", run: compressed("none"), stdin: plainLines},
	{name: "produce with gzip", run: compressed("gzip"), stdin: plainLines},
	{name: "produce with snappy", run: compressed("snappy"), stdin: plainLines},
	{name: "produce with lz4", run: compressed("lz4"), stdin: plainLines},
	{name: "produce with zstd", run: compressed("zstd"), stdin: plainLines},
	{name: "consume with gzip", run: consumed("gzip"), want: six},
	{name: "consume with snappy", run: consumed("snappy"), want: six},
	{name: "consume with lz4", run: consumed("lz4"), want: six},
	{name: "consume with zstd", run: consumed("zstd"), want: six},
	{name: "consume with none", run: consumed("none"), want: six},
	{name: "topics that compress", run: "topics --create --topic packed --config compression.type=zstd"},
	{name: "produce to be compressed", run: "console-producer --topic packed --compression-codec gzip", stdin: plainLines},
	{name: "consume what was compressed", run: consumed("packed"), want: []string{}},
	{name: "produce without acks", run: "console-producer --topic lines --request-required-acks 0", stdin: "no acks\n"},
	{name: "produce with the leader's acks", run: "console-producer --topic lines --request-required-acks 1", stdin: "one ack\n"},
	{name: "produce synchronously", run: "console-producer --topic lines --sync", stdin: "sync one\nsync two\n"},
	{name: "produce without idempotence", run: "console-producer --topic lines --command-property enable.idempotence=false", stdin: "not idempotent\n"},
	{name: "offsets then", run: "get-offsets --topic lines", settle: true, want: []string{"lines:0:11"}},
	{name: "produce to a bad name", run: "console-producer --topic a/b --max-block-ms 3000", stdin: "lost\n", want: []string{"Invalid topics: [a/b]"}},
	{name: "a topic for small messages", run: "topics --create --topic small --config max.message.bytes=100"},
	{name: "produce what is too large", run: "console-producer --topic small --sync", stdin: longLine + "\n", status: 1, rules: []*output.Rule{output.TooLarge}, want: []string{"RecordTooLargeException"}},
	{name: "a compacted topic", run: "topics --create --topic compact --config cleanup.policy=compact"},
	{name: "produce without keys to it", run: "console-producer --topic compact --sync", stdin: "no key\n", status: 1, want: []string{"InvalidRecordException"}},
	{name: "a topic with the broker's time", run: "topics --create --topic stamped --config message.timestamp.type=LogAppendTime"},
	{name: "produce to be stamped", run: "console-producer --topic stamped", stdin: "one\ntwo\n"},
	{name: "consume what was stamped", run: "console-consumer --topic stamped --from-beginning --max-messages 2 --timeout-ms 20000 " + printAll, rules: []*output.Rule{output.Millis}, want: []string{"LogAppendTime:<ms>"}},
	{name: "a topic that refuses old times", run: "topics --create --topic narrow --config message.timestamp.before.max.ms=1 --config message.timestamp.after.max.ms=1"},
	{name: "one with replicas that are not there", run: "topics --create --topic strict --config min.insync.replicas=2"},
	{name: "produce with too few replicas", run: "console-producer --topic strict --sync --message-send-max-retries 1 --command-property delivery.timeout.ms=3000 --command-property linger.ms=0 --request-timeout-ms 2000", stdin: "lost\n"},
}

var six = []string{"Processed a total of 6 messages"}

const (
	printAll = "--formatter-property print.timestamp=true --formatter-property print.partition=true --formatter-property print.offset=true " +
		"--formatter-property print.epoch=true --formatter-property print.headers=true --formatter-property print.key=true"
	longLine = "a line of more than a hundred bytes, so that it does not fit into a message of at most a hundred of them, however short its header"
)

func compressed(codec string) string {
	return "console-producer --topic " + codec + " --compression-codec " + codec
}

func consumed(topic string) string {
	return "console-consumer --topic " + topic + " --from-beginning --max-messages 6 --timeout-ms 20000"
}

// kept are rules for what a compacted topic of groups holds in the end.
var kept = []*output.Rule{output.Objects, output.Generated, output.Processed, output.Millis, output.Members, output.Last, output.Order}

// consuming are checks of kafka-console-consumer.
var consuming = []check{
	{name: "a topic for it", run: "topics --create --topic numbers --partitions 2"},
	{name: "produce", run: "console-producer --topic numbers --reader-property parse.key=true --reader-property key.separator=:", stdin: "a:1\nb:2\nc:3\nd:4\ne:5\nf:6\ng:7\nh:8\n"},
	{name: "one partition", run: "console-consumer --topic numbers --partition 0 --offset earliest --timeout-ms 2000", settle: true},
	{name: "the other partition", run: "console-consumer --topic numbers --partition 1 --offset earliest --timeout-ms 2000", settle: true},
	{name: "from an offset", run: "console-consumer --topic lines --partition 0 --offset 7 --timeout-ms 2000", settle: true, want: []string{"one ack\nsync one"}},
	{name: "from the end", run: "console-consumer --topic lines --partition 0 --offset latest --timeout-ms 1000", settle: true, want: []string{"Processed a total of 0 messages"}},
	{name: "from beyond the end", run: "console-consumer --topic lines --partition 0 --offset 99 --timeout-ms 2000", settle: true},
	{name: "no such partition", run: "console-consumer --topic lines --partition 5 --offset 0 --timeout-ms 1000", settle: true},
	{name: "several topics", run: "console-consumer --include 'lines|numbers' --from-beginning --max-messages 19 --timeout-ms 20000", rules: []*output.Rule{output.Order}, want: []string{"Processed a total of 19 messages"}},
	{name: "some of a topic", run: "console-consumer --topic lines --from-beginning --max-messages 3 --timeout-ms 20000", want: []string{"Processed a total of 3 messages"}},
	{name: "read committed", run: "console-consumer --topic lines --from-beginning --max-messages 11 --timeout-ms 20000 --isolation-level read_committed", want: []string{"Processed a total of 11 messages"}},
	{name: "one byte a fetch", run: "console-consumer --topic lines --from-beginning --max-messages 11 --timeout-ms 20000 --command-property max.partition.fetch.bytes=1 --command-property fetch.max.bytes=1", want: []string{"Processed a total of 11 messages"}},
	{name: "in a group", run: "console-consumer --topic numbers --group readers --from-beginning --max-messages 8 --timeout-ms 20000 --formatter-property print.key=true", rules: []*output.Rule{output.Order}, want: []string{"Processed a total of 8 messages"}},
	{name: "in the group again", run: "console-consumer --topic numbers --group readers --from-beginning --timeout-ms 3000", want: []string{"Processed a total of 0 messages"}},
	{name: "what it has committed", run: "consumer-groups --describe --group readers", settle: true, rules: []*output.Rule{output.Spaces, output.Order}, want: []string{"readers  numbers"}},
	{name: "in a group of the consumer protocol", run: "console-consumer --topic numbers --group modern --command-property group.protocol=consumer --command-property auto.offset.reset=earliest --max-messages 8 --timeout-ms 20000", rules: []*output.Rule{output.Order}, want: []string{"Processed a total of 8 messages"}},
	{name: "a pattern in the consumer protocol", run: "console-consumer --include 'num.*' --group modernpattern --command-property group.protocol=consumer --command-property auto.offset.reset=earliest --max-messages 8 --timeout-ms 20000", rules: []*output.Rule{output.Order}, want: []string{"Processed a total of 8 messages"}},
	{name: "a topic of a bad name", run: "console-consumer --topic 'a b' --timeout-ms 2000", want: []string{"InvalidTopicException"}},
	{name: "the offsets topic", run: "console-consumer --topic __consumer_offsets --from-beginning --timeout-ms 3000 --formatter org.apache.kafka.tools.consumer.OffsetsMessageFormatter", settle: true, rules: kept, want: []string{`"group":"readers"`}},
	{name: "the groups in the offsets topic", run: "console-consumer --topic __consumer_offsets --from-beginning --timeout-ms 3000 --formatter org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter", settle: true, rules: kept, want: []string{`"group":"readers"`}},
}
