package main

// tool is a program of Kafka.
type tool struct {
	main   string // class
	server string // option for the address, empty if the check gives it
	alone  bool   // it ends by System.exit, or at a signal: a process of its own
}

const tools = "org.apache.kafka.tools."

// byName are the tools by the names that checks use; Kafka's own scripts for them
// have "kafka-" before.
var byName = map[string]tool{
	"topics":               {main: tools + "TopicCommand", server: "--bootstrap-server"},
	"configs":              {main: "kafka.admin.ConfigCommand", server: "--bootstrap-server"},
	"console-producer":     {main: tools + "ConsoleProducer", server: "--bootstrap-server"},
	"console-consumer":     {main: tools + "consumer.ConsoleConsumer", server: "--bootstrap-server"},
	"consumer-groups":      {main: tools + "consumer.group.ConsumerGroupCommand", server: "--bootstrap-server"},
	"groups":               {main: tools + "GroupsCommand", server: "--bootstrap-server"},
	"get-offsets":          {main: tools + "GetOffsetShell", server: "--bootstrap-server"},
	"delete-records":       {main: tools + "DeleteRecordsCommand", server: "--bootstrap-server"},
	"log-dirs":             {main: tools + "LogDirsCommand", server: "--bootstrap-server"},
	"broker-api-versions":  {main: tools + "BrokerApiVersionsCommand", server: "--bootstrap-server"},
	"cluster":              {main: tools + "ClusterTool"},
	"features":             {main: tools + "FeatureCommand"},
	"dump-log":             {main: tools + "DumpLogSegments"},
	"producer-perf-test":   {main: tools + "ProducerPerformance", server: "--bootstrap-server"},
	"consumer-perf-test":   {main: tools + "ConsumerPerformance", server: "--bootstrap-server"},
	"e2e-latency":          {main: tools + "EndToEndLatency", server: "--bootstrap-server"},
	"streams-resetter":     {main: tools + "StreamsResetter", server: "--bootstrap-server"},
	"client-compatibility": {main: tools + "ClientCompatibilityTest", server: "--bootstrap-server"},
	"verifiable-producer":  {main: tools + "VerifiableProducer", server: "--bootstrap-server", alone: true},
	"verifiable-consumer":  {main: tools + "VerifiableConsumer", server: "--bootstrap-server", alone: true},
	"connect-standalone":   {main: "org.apache.kafka.connect.cli.ConnectStandalone", alone: true},
	"streams-word-count":   {main: "WordCount.java", alone: true},
}

// arguments are those of a call at a side.
func (t tool) arguments(words []string, s *side) []string {
	if t.server == "" {
		return words
	}
	return append([]string{t.server, s.broker.address}, words...)
}
