package main

import "sordini/test/javacheck/output"

// configs are checks of kafka-configs.
var configs = []check{
	{name: "a topic for them", run: "topics --create --topic settings --config cleanup.policy=compact,delete"},
	{name: "describe topic", run: "configs --describe --topic settings", reader: topicConfigs, want: []string{"cleanup.policy=compact,delete"}},
	{name: "describe topic by entity", run: "configs --describe --entity-type topics --entity-name settings", reader: topicConfigs, want: []string{"cleanup.policy=compact,delete"}},
	{name: "describe all of a topic", run: "configs --describe --topic settings --all", reader: topicConfigs, want: []string{"  max.message.bytes=1048588 "}},
	{name: "describe all topics", run: "configs --describe --entity-type topics", reader: topicConfigs},
	{name: "describe unknown topic", run: "configs --describe --topic nowhere", want: []string{"doesn't exist"}},
	{name: "set for a topic", run: "configs --alter --topic settings --add-config retention.ms=60000,max.message.bytes=2000000", want: []string{"Completed updating config for topic settings."}},
	{name: "describe what is set", run: "configs --describe --topic settings", settle: true, reader: topicConfigs, want: []string{"retention.ms=60000", "max.message.bytes=2000000"}},
	{name: "describe the topic with what is set", run: "topics --describe --topic settings", settle: true, want: []string{"retention.ms=60000"}},
	{name: "set a list", run: "configs --alter --topic settings --add-config 'cleanup.policy=[delete,compact],min.insync.replicas=1'"},
	{name: "describe a list", run: "configs --describe --topic settings", settle: true, reader: topicConfigs, want: []string{"cleanup.policy=delete,compact"}},
	{name: "set from a file", run: "configs --alter --topic settings --add-config-file {tmp}/topic.properties", files: map[string]string{"topic.properties": "segment.ms=3600000\nflush.messages=9\n"}},
	{name: "describe from a file", run: "configs --describe --topic settings", settle: true, reader: topicConfigs, want: []string{"segment.ms=3600000"}},
	{name: "unset", run: "configs --alter --topic settings --delete-config retention.ms,segment.ms", want: []string{"Completed updating"}},
	{name: "set and unset at once", run: "configs --alter --topic settings --add-config segment.bytes=2097152 --delete-config flush.messages"},
	{name: "describe what is left", run: "configs --describe --topic settings", settle: true, reader: topicConfigs, want: []string{"segment.bytes=2097152"}},
	{name: "unset what is not set", run: "configs --alter --topic settings --delete-config retention.bytes"},
	{name: "set unknown", run: "configs --alter --topic settings --add-config no.such=1", status: 1, want: []string{"no.such"}},
	{name: "set bad", run: "configs --alter --topic settings --add-config retention.ms=soon", status: 1, want: []string{"retention.ms"}},
	{name: "set out of range", run: "configs --alter --topic settings --add-config segment.bytes=1", status: 1, want: []string{"segment.bytes"}},
	{name: "set bad policy", run: "configs --alter --topic settings --add-config cleanup.policy=shred", status: 1, want: []string{"cleanup.policy"}},
	{name: "set for unknown topic", run: "configs --alter --topic nowhere --add-config retention.ms=1", status: 1},
	{name: "describe broker", run: "configs --describe --broker 1", reader: brokerConfigs},
	{name: "describe all of a broker", run: "configs --describe --broker 1 --all", reader: brokerConfigs, want: []string{"  log.retention.hours=168 "}},
	{name: "describe unknown broker", run: "configs --describe --broker 8 --all --command-config {tmp}/hasty.properties", files: hasty, status: 1, want: []string{"TimeoutException"}},
	{name: "set for a broker", run: "configs --alter --broker 1 --add-config log.retention.ms=900000000,message.max.bytes=2000000", want: []string{"Completed updating config for broker 1."}},
	{name: "describe what the broker has set", run: "configs --describe --broker 1", settle: true, reader: brokerConfigs, want: []string{"message.max.bytes=2000000"}},
	{name: "describe what a topic has of it", run: "configs --describe --topic settings --all", settle: true, reader: topicConfigs, want: []string{"retention.ms=900000000"}},
	{name: "set for all brokers", run: "configs --alter --broker-defaults --add-config log.flush.interval.messages=77777", want: []string{"Completed updating default config for brokers"}},
	{name: "describe what all brokers have set", run: "configs --describe --broker-defaults", settle: true, reader: brokerConfigs, want: []string{"log.flush.interval.messages=77777"}},
	{name: "unset for a broker", run: "configs --alter --broker 1 --delete-config log.retention.ms,message.max.bytes"},
	{name: "unset for all brokers", run: "configs --alter --broker-defaults --delete-config log.flush.interval.messages"},
	{name: "describe what is unset", run: "configs --describe --entity-type brokers --entity-default", settle: true, reader: brokerConfigs},
	{name: "set what is read-only", run: "configs --alter --broker 1 --add-config node.id=4", status: 1, want: []string{"node.id"}},
	{name: "set a bad number", run: "configs --alter --broker 1 --add-config message.max.bytes=lots", status: 1, want: []string{"message.max.bytes"}},
	{name: "set for a broker with a bad name", run: "configs --alter --entity-type brokers --entity-name one --add-config message.max.bytes=1000000", status: 1},
	{name: "set for a group", run: "configs --alter --group gs --add-config consumer.session.timeout.ms=50000"},
	{name: "describe a group", run: "configs --describe --group gs", settle: true, reader: topicConfigs, want: []string{"consumer.session.timeout.ms=50000"}},
	{name: "set a group's out of range", run: "configs --alter --group gs --add-config consumer.session.timeout.ms=1", status: 1},
}

// hasty is a file for clients that would wait long for a broker that does not exist.
var hasty = map[string]string{"hasty.properties": "request.timeout.ms=1000\ndefault.api.timeout.ms=2000\n"}

var (
	topicConfigs  = output.Configs("topics/configs", "DescribeConfigs 4 topic")
	brokerConfigs = output.Configs("fresh/configs", "DescribeConfigs 4 broker")
)
