package main

import "sordini/test/javacheck/output"

// programs are checks of processes of their own: verifiable clients, Streams, Connect.
var programs = []check{
	{name: "a topic to verify", run: "topics --create --topic verified"},
	{name: "verifiable producer", run: "verifiable-producer --topic verified --max-messages 500 --acks -1", rules: sums, want: []string{`"sent":500,"acked":500`, "shutdown_complete"}},
	{name: "verifiable producer with keys and times", run: "verifiable-producer --topic verified --max-messages 50 --repeating-keys 5 --message-create-time 1000000000000", rules: sums, want: []string{`"sent":50,"acked":50`}},
	{name: "verifiable producer without idempotence", run: "verifiable-producer --topic verified --max-messages 20 --acks 1 --value-prefix 7", rules: sums, want: []string{`"sent":20,"acked":20`}},
	{name: "verifiable consumer", run: "verifiable-consumer --topic verified --group-id verifying --max-messages 570 --reset-policy earliest --verbose", rules: consumed570, want: []string{`"name":"record_data"`, "shutdown_complete"}},
	{name: "verifiable consumer of the consumer protocol", run: "verifiable-consumer --topic verified --group-id verifyingtoo --group-protocol consumer --max-messages 570 --reset-policy earliest --verbose", rules: consumed570, want: []string{`"name":"record_data"`, "shutdown_complete"}},
	{name: "what they have committed", run: "consumer-groups --describe --group verifying --group verifyingtoo", settle: true, rules: columns, want: []string{"verifying  verified  0  570  570  0"}},
	{name: "offsets by the times that were set", run: "get-offsets --topic verified --time 1000000000000", want: []string{"verified:0:0"}},

	{name: "topics for Streams", run: "topics --create --topic text"},
	{name: "topics for its counts", run: "topics --create --topic counts"},
	{name: "text", run: "console-producer --topic text", stdin: "all streams lead to kafka\nhello kafka streams\njoin kafka summit\nall of it\n"},
	{name: "word count", run: "streams-word-count {broker} {tmp}/streams words text counts 14", want: []string{"counted all", "state NOT_RUNNING"}},
	{name: "the counts", run: "console-consumer --topic counts --from-beginning --max-messages 14 --timeout-ms 20000 --formatter-property print.key=true", rules: []*output.Rule{output.Order}, want: []string{"kafka\t3"}},
	{name: "its topics", run: "topics --describe --topic 'words-.*'", rules: []*output.Rule{output.Order}, want: []string{"words-KSTREAM-AGGREGATE-STATE-STORE-0000000003-changelog"}},
	{name: "its group", run: "consumer-groups --describe --group words", settle: true, rules: columns, want: []string{"words  text  0  4"}},
	{name: "more text", run: "console-producer --topic text", stdin: "more kafka\nmore of it\n"},
	{name: "word count goes on", run: "streams-word-count {broker} {tmp}/streams words text counts 5", want: []string{"counted all"}},
	{name: "yet more text", run: "console-producer --topic text", stdin: "more streams\n"},
	{name: "word count from the changelog", run: "streams-word-count {broker} {tmp}/streams2 words text counts 2", want: []string{"counted all"}},
	{name: "the counts then", run: "console-consumer --topic counts --from-beginning --max-messages 21 --timeout-ms 20000 --formatter-property print.key=true", rules: []*output.Rule{output.Order}, want: []string{"kafka\t4", "more\t3"}},
	{name: "reset the application", run: "streams-resetter --application-id words --input-topics text --to-earliest", rules: []*output.Rule{output.Order}},
	{name: "its topics then", run: "topics --list --topic 'words-.*'", settle: true},

	{name: "connect a file to a topic to a file", run: "connect-standalone {tmp}/worker.properties {tmp}/source.properties {tmp}/sink.properties", files: connectors, until: &until{file: "out.txt", text: "the last line"}, status: 143},
	{name: "the file at the end", run: "cat {tmp}/out.txt", want: []string{"first line\nsecond line\nthe last line"}},
	{name: "the topic between", run: "console-consumer --topic connected --from-beginning --max-messages 3 --timeout-ms 20000", want: []string{"first line"}},
	{name: "the sink's group", run: "consumer-groups --describe --group connect-sink", settle: true, rules: columns, want: []string{"connect-sink  connected  0  3  3  0"}},
}

var (
	sums        = []*output.Rule{output.Millis, output.Throughput}
	consumed570 = []*output.Rule{output.Millis, output.Polls}
)

// connectors are the files of a Connect worker.
var connectors = map[string]string{
	"in.txt": "first line\nsecond line\nthe last line\n",
	"worker.properties": "bootstrap.servers={broker}\n" +
		"key.converter=org.apache.kafka.connect.storage.StringConverter\n" +
		"value.converter=org.apache.kafka.connect.storage.StringConverter\n" +
		"offset.storage.file.filename={tmp}/connect.offsets\n" +
		"offset.flush.interval.ms=500\n" +
		"plugin.discovery=service_load\n" +
		"listeners=http://127.0.0.1:0\n",
	"source.properties": "name=source\nconnector.class=org.apache.kafka.connect.file.FileStreamSourceConnector\ntasks.max=1\nfile={tmp}/in.txt\ntopic=connected\n",
	"sink.properties":   "name=sink\nconnector.class=org.apache.kafka.connect.file.FileStreamSinkConnector\ntasks.max=1\nfile={tmp}/out.txt\ntopics=connected\n",
}
