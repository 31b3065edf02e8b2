package main

import (
	"encoding/json"

	"sordini/test/javacheck/output"
)

// records are checks of kafka-get-offsets, kafka-delete-records, kafka-log-dirs and
// the performance tools.
var records = []check{
	{name: "a topic for them", run: "topics --create --topic many --partitions 3"},
	{name: "produce", run: "console-producer --topic many --reader-property parse.key=true --reader-property key.separator=:", stdin: "a:1\nb:2\nc:3\nd:4\ne:5\nf:6\ng:7\nh:8\ni:9\nj:10\nk:11\nl:12\n"},
	{name: "latest offsets", run: "get-offsets --topic many", want: []string{"many:2:"}},
	{name: "earliest offsets", run: "get-offsets --topic many --time earliest", want: []string{"many:0:0"}},
	{name: "offsets of the highest timestamp", run: "get-offsets --topic lines --time max-timestamp", want: []string{"lines:0:10"}},
	{name: "offsets by time", run: "get-offsets --topic many --time 1000000000000", want: []string{"many:0:0"}},
	{name: "offsets by a time to come", run: "get-offsets --topic many --time 4000000000000"},
	{name: "offsets of partitions", run: "get-offsets --topic many --partitions 0,2"},
	{name: "offsets by pattern", run: "get-offsets --topic-partitions many:1-,lines:0"},
	{name: "offsets of all topics", run: "get-offsets --exclude-internal-topics", want: []string{"many:0:"}},
	{name: "local offsets", run: "get-offsets --topic many --time earliest-local"},
	{name: "tiered offsets", run: "get-offsets --topic many --time latest-tiered"},
	{name: "offsets of no topic", run: "get-offsets --topic nowhere", status: 1},
	{name: "offsets at no time", run: "get-offsets --topic many --time soon", status: 1},
	{name: "delete records", run: "delete-records --offset-json-file {tmp}/delete.json", files: deletion("many", 0, 2), rules: []*output.Rule{output.Order}, want: []string{"low_watermark: 2"}},
	{name: "delete records up to the end", run: "delete-records --offset-json-file {tmp}/delete.json", files: deletion("many", 1, -1), want: []string{"many-1"}},
	{name: "delete records beyond the end", run: "delete-records --offset-json-file {tmp}/delete.json", files: deletion("many", 2, 1000)},
	{name: "delete records of no partition", run: "delete-records --offset-json-file {tmp}/delete.json --command-config {tmp}/hasty.properties", rules: []*output.Rule{output.Attempts}, files: deletion("many", 9, 1), want: []string{"TimeoutException"}},
	{name: "delete records of a compacted topic", run: "delete-records --offset-json-file {tmp}/delete.json", files: deletion("compact", 0, 0)},
	{name: "delete records, a bad file", run: "delete-records --offset-json-file {tmp}/delete.json", files: map[string]string{"delete.json": "{}"}, status: 1},
	{name: "earliest offsets then", run: "get-offsets --topic many --time earliest", settle: true, want: []string{"many:0:2"}},
	{name: "what is left", run: "console-consumer --topic many --partition 0 --offset 0 --timeout-ms 2000", settle: true},
	{name: "log directories", run: "log-dirs --describe --topic-list many,lines", rules: []*output.Rule{output.LogSizes}, want: []string{`"partition":"many-1"`}},
	{name: "log directories of a broker", run: "log-dirs --describe --broker-list 1 --topic-list many", rules: []*output.Rule{output.LogSizes}},
	{name: "log directories of no broker", run: "log-dirs --describe --broker-list 7", status: 1},
	{name: "log directories of no topic", run: "log-dirs --describe --topic-list nowhere"},
	{name: "produce for speed", run: "producer-perf-test --topic fast --num-records 50000 --record-size 200 --throughput -1" + full, rules: speed, want: []string{"50000 records sent"}},
	{name: "produce for speed, compressed", run: "producer-perf-test --topic fast --num-records 20000 --record-size 200 --throughput -1 --command-property acks=1 compression.type=lz4 batch.size=200000 --reporting-interval 600000", rules: speed, want: []string{"20000 records sent"}},
	{name: "produce for speed, counting", run: "producer-perf-test --topic counted --num-records 1000 --payload-monotonic --throughput -1" + full, rules: speed, want: []string{"1000 records sent"}},
	{name: "offsets of what was produced", run: "get-offsets --topic-partitions fast,counted", want: []string{"counted:0:1000", "fast:0:70000"}},
	{name: "consume for speed", run: "consumer-perf-test --topic fast --num-records 70000 --group perf --hide-header --timeout 20000", rules: []*output.Rule{output.PerfLine}, want: []string{", 70000, "}},
	{name: "consume the numbers", run: "console-consumer --topic counted --partition 0 --offset 990 --max-messages 10 --timeout-ms 20000", want: []string{"990\n991"}},
	{name: "a topic of small segments", run: "topics --create --topic rolled --config segment.bytes=1048576"},
	{name: "fill segments", run: "producer-perf-test --topic rolled --num-records 5000 --record-size 1000 --throughput -1" + full, rules: speed, want: []string{"5000 records sent"}},
	{name: "a topic for latency", run: "topics --create --topic e2e"},
	{name: "latency from end to end", run: "e2e-latency --topic e2e --num-records 50 --producer-acks all --record-size 100", rules: []*output.Rule{output.Speed}, want: []string{"Percentiles: 50th"}},
	{name: "the records of that", run: "get-offsets --topic e2e", want: []string{"e2e:0:50"}},
}

// full makes the performance tool send full batches only, and report nothing on the way.
const full = " --reporting-interval 600000 --command-property linger.ms=60000 acks=all"

var speed = []*output.Rule{output.Speed}

// deletion is a file for kafka-delete-records.
func deletion(topic string, partition, offset int) map[string]string {
	text, err := json.Marshal(map[string]any{
		"version": 1, "partitions": []any{map[string]any{"topic": topic, "partition": partition, "offset": offset}},
	})
	if err != nil {
		panic(err) // strings and numbers have JSON
	}
	return map[string]string{"delete.json": string(text), "hasty.properties": hasty["hasty.properties"]}
}
