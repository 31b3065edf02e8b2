package main

import "sordini/test/javacheck/output"

// files are checks of what the servers have left on disk: Kafka's reader of segments and
// indexes, and the small files in text.
var files = []check{
	{name: "a log", run: dump("lines-0/00000000000000000000.log", "--deep-iteration --print-data-log"), rules: batches, want: []string{"fünf und sechs"}},
	{name: "a log, batches only", run: dump("lines-0/00000000000000000000.log", ""), rules: batches, want: []string{"baseOffset: 0"}},
	{name: "a log with keys", run: dump("keyed-0/00000000000000000000.log", "--deep-iteration --print-data-log"), rules: batches, want: []string{"k1"}},
	{name: "a log with headers", run: dump("headed-0/00000000000000000000.log", "--deep-iteration --print-data-log"), rules: batches, want: []string{"h1"}},
	{name: "a log in gzip", run: dump("gzip-0/00000000000000000000.log", "--deep-iteration --print-data-log"), rules: batches, want: []string{"compresscodec: gzip"}},
	{name: "a log in snappy", run: dump("snappy-0/00000000000000000000.log", "--deep-iteration --print-data-log"), rules: batches, want: []string{"compresscodec: snappy"}},
	{name: "a log in lz4", run: dump("lz4-0/00000000000000000000.log", "--deep-iteration --print-data-log"), rules: batches, want: []string{"compresscodec: lz4"}},
	{name: "a log in zstd", run: dump("zstd-0/00000000000000000000.log", "--deep-iteration --print-data-log"), rules: batches, want: []string{"compresscodec: zstd"}},
	{name: "a log that the broker compressed", run: dump("packed-0/00000000000000000000.log", "--deep-iteration --print-data-log"), rules: batches, want: []string{"compresscodec: zstd"}},
	{name: "a log with the broker's times", run: dump("stamped-0/00000000000000000000.log", "--deep-iteration --print-data-log"), rules: batches, want: []string{"LogAppendTime: <ms>"}},
	{name: "a log of a thousand records", run: dump("counted-0/00000000000000000000.log", "--deep-iteration --print-data-log --skip-record-metadata"), rules: []*output.Rule{output.Batches}, want: []string{"999"}},
	{name: "a log of records in batches by chance", run: dump("fast-0/00000000000000000000.log", "--deep-iteration"), rules: []*output.Rule{output.Sound}},
	{name: "its index", run: dump("fast-0/00000000000000000000.index", ""), rules: []*output.Rule{output.Sound}},
	{name: "its index is sane", run: dump("fast-0/00000000000000000000.index", "--index-sanity-check"), want: []string{"passed sanity check"}},
	{name: "its index alone", run: dump("fast-0/00000000000000000000.index", "--verify-index-only"), rules: []*output.Rule{output.Sound}},
	{name: "its time index", run: dump("fast-0/00000000000000000000.timeindex", ""), rules: []*output.Rule{output.Sound}},
	{name: "its time index is sane", run: dump("fast-0/00000000000000000000.timeindex", "--index-sanity-check"), want: []string{"passed sanity check"}},
	{name: "all segments of a log", run: "dump-log --deep-iteration --files {data}/rolled-0/*.log", rules: []*output.Rule{output.Sound, output.Bases, output.Order}},
	{name: "all its indexes", run: "dump-log --files {data}/rolled-0/*.index", rules: []*output.Rule{output.Sound}},
	{name: "all its time indexes", run: "dump-log --files {data}/rolled-0/*.timeindex", rules: []*output.Rule{output.Sound}},
	{name: "a small log's index", run: dump("lines-0/00000000000000000000.index", "")},
	{name: "a small log's time index", run: dump("lines-0/00000000000000000000.timeindex", ""), rules: batches},
	{name: "producers of a log", run: "dump-log --files {data}/lines-0/*.snapshot", rules: []*output.Rule{output.Producers, output.Millis, output.Order}, want: []string{"producerEpoch: 0"}},
	{name: "committed offsets", run: "dump-log --offsets-decoder --files {data}/__consumer_offsets-*/*.log", rules: []*output.Rule{output.Payloads, output.Sound}},
	{name: "leader epochs", run: "cat {data}/lines-0/leader-epoch-checkpoint", rules: []*output.Rule{output.Blanks}, want: []string{"0 0"}},
	{name: "topic id", run: "cat {data}/lines-0/partition.metadata", rules: []*output.Rule{output.Sum}, want: []string{"topic_id: <id>"}},
	{name: "log starts", run: "cat {data}/log-start-offset-checkpoint", rules: []*output.Rule{output.Starts, output.Order}, want: []string{"many 0 2"}},
	{name: "high watermarks", run: "cat {data}/replication-offset-checkpoint", rules: []*output.Rule{output.OfGroups, output.Audit, output.Order}, want: []string{"lines 0 11"}},
	{name: "recovery points", run: "cat {data}/recovery-point-offset-checkpoint", rules: []*output.Rule{output.OfGroups, output.Audit, output.Order}, want: []string{"lines 0 11"}},
	{name: "properties of the directory", run: "cat {data}/meta.properties", rules: []*output.Rule{output.Directory, output.Order}},
}

// batches are rules for what differs of batches with the same records.
var batches = []*output.Rule{output.Millis, output.Checksums, output.Producers, output.Sizes}

func dump(file, how string) string {
	run := "dump-log --files {data}/" + file
	if how != "" {
		run += " " + how
	}
	return run
}
