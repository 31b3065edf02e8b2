package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The texts are Kafka's own answers.
func TestValidateTopic(t *testing.T) {
	v := Defaults()
	for _, test := range []struct{ name, value, want string }{
		{"segment.bytes", "200", "Invalid value 200 for configuration segment.bytes: Value must be at least 1048576"},
		{"segment.bytes", "abc", "Invalid value abc for configuration segment.bytes: Not a number of type INT"},
		{"segment.bytes", "", "Invalid value  for configuration segment.bytes: Not a number of type INT"},
		{"segment.bytes", " 2097152 ", ""},
		{"max.message.bytes", "99999999999", "Invalid value 99999999999 for configuration max.message.bytes: Not a number of type INT"},
		{"foo", "1", "Unknown topic config name: foo"},
		{"message.timestamp.difference.max.ms", "5", "Unknown topic config name: message.timestamp.difference.max.ms"},
		{"preallocate", "yes", "Invalid value yes for configuration preallocate: Expected value to be either true or false"},
		{"preallocate", "TRUE", ""},
		{"cleanup.policy", "foo", "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete"},
		{"cleanup.policy", "compact,compact", ""},
		{"cleanup.policy", "", ""},
		{"retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"},
		{"retention.ms", "+5", ""},
		{"retention.ms", "0", ""},
		{"retention.ms", "0x10", "Invalid value 0x10 for configuration retention.ms: Not a number of type LONG"},
		{"compression.type", "GZIP", "Invalid value GZIP for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"},
		{"compression.gzip.level", "0", "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"},
		{"compression.zstd.level", "23", "Invalid value 23 for configuration compression.zstd.level: Value must be no more than 22"},
		{"min.cleanable.dirty.ratio", "2", "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
		{"message.timestamp.type", "x", "Invalid value x for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime"},
		{"leader.replication.throttled.replicas", "0:1,1:2", ""},
		{"leader.replication.throttled.replicas", "x", "Invalid value [x] for configuration leader.replication.throttled.replicas: " +
			"Value must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."},
		{"max.compaction.lag.ms", "0", "Invalid value 0 for configuration max.compaction.lag.ms: Value must be at least 1"},
		{"max.compaction.lag.ms", "50", "conflict topic config setting min.compaction.lag.ms (100) > max.compaction.lag.ms (50)"},
		{"remote.storage.enable", "true", "Invalid value true for configuration remote.storage.enable: " +
			"Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."},
		{"flush.policy", "fsync", "Invalid value fsync for configuration flush.policy: String must be one of: sync, async, hybrid"},
	} {
		overrides := map[string]string{"min.compaction.lag.ms": "100", test.name: test.value}
		checkError(t, test.name+"="+test.value, v.ValidateTopic(overrides), test.want, ErrInvalidConfig)
	}
}

func checkError(t *testing.T, what string, err error, want string, class error) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	if err == nil || err.Error() != want || !errors.Is(err, class) {
		t.Errorf("%s: %v (%v: %v)\nwant %s", what, err, class, errors.Is(err, class), want)
	}
}

func TestValidateGroup(t *testing.T) {
	v := Defaults()
	for _, test := range []struct{ name, value, want string }{
		{"consumer.session.timeout.ms", "50000", ""},
		{"consumer.session.timeout.ms", "1", "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"},
		{"consumer.heartbeat.interval.ms", "60000", "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms"},
		{"foo", "50000", "Unknown group config name: foo"},
		{"share.isolation.level", "bad", "Invalid value bad for configuration share.isolation.level: String must be one of: read_committed, read_uncommitted"},
		{"share.auto.offset.reset", "by_duration:PT1H", ""},
		{"share.auto.offset.reset", "by_duration:P1DT2.5S", ""},
		{"share.auto.offset.reset", "by_duration:PT", "Invalid value by_duration:PT for configuration share.auto.offset.reset: " +
			"The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'"},
	} {
		checkError(t, test.name+"="+test.value, v.ValidateGroup(map[string]string{test.name: test.value}), test.want, ErrInvalidConfig)
	}
	checkError(t, "interval.ms", ValidateClientMetrics(map[string]string{"interval.ms": "99"}),
		"Invalid value 99 for configuration interval.ms: Value must be at least 100", ErrInvalidConfig)
	checkError(t, "foo", ValidateClientMetrics(map[string]string{"foo": ""}), "Unknown client metrics config name: foo", ErrInvalidConfig)
}

func TestValidateDynamic(t *testing.T) {
	v := Defaults()
	for _, test := range []struct {
		cluster   bool
		set, want string
		wantClass error
	}{
		{false, "log.retention.hours=5 num.partitions=5", "Cannot update these configs dynamically: [log.retention.hours, num.partitions]", ErrInvalidRequest},
		{false, "ssl.keystore.location=/x", "Cannot update these configs dynamically: [ssl.keystore.location]", ErrInvalidRequest},
		{false, "metric.reporters=a.B", "Cannot update these configs dynamically: [metric.reporters]", ErrInvalidRequest},
		{true, "socket.tcp.congestion=cubic", "Cannot update these configs at default cluster level, broker id must be specified: [socket.tcp.congestion]", ErrInvalidRequest},
		{false, "socket.tcp.congestion=cubic", "", nil},
		{true, "foo.bar=1", "Unknown broker config name: foo.bar", ErrInvalidConfig},
		{false, "log.segment.bytes=1", "Invalid value 1 for configuration log.segment.bytes: Value must be at least 1048576", ErrInvalidRequest},
		{true, "num.io.threads=x", "Invalid value x for configuration num.io.threads: Not a number of type INT", ErrInvalidRequest},
		{true, "log.retention.ms=360000 flush.policy=async", "", nil},
		{true, "log.cleaner.min.compaction.lag.ms=9 log.cleaner.max.compaction.lag.ms=8",
			"log.cleaner.min.compaction.lag.ms (9) must be less than or equal to log.cleaner.max.compaction.lag.ms (8)", ErrInvalidRequest},
	} {
		configs := make(map[string]string)
		for pair := range strings.FieldsSeq(test.set) {
			name, value, _ := strings.Cut(pair, "=")
			configs[name] = value
		}
		checkError(t, test.set, v.ValidateDynamic(test.cluster, configs), test.want, test.wantClass)
	}
}

func TestTable_DynamicSettingsNameNoFilesOrClasses(t *testing.T) {
	for _, s := range Settings(BrokerScope) {
		if s.Dynamic != ReadOnly && (s.Kind == Class || s.Kind == Password ||
			strings.Contains(s.Name, "class") || strings.HasSuffix(s.Name, ".location") || strings.HasSuffix(s.Name, ".url") ||
			strings.Contains(s.Name, "dir") && s.Kind == List || strings.HasPrefix(s.Name, "ssl.") || strings.HasPrefix(s.Name, "sasl.")) {
			t.Errorf("%s may be changed by clients", s.Name)
		}
	}
}

func TestApplyIncremental(t *testing.T) {
	text := func(s string) *string { return &s }
	current := map[string]string{"retention.ms": "5", "gone": "1"}
	for _, test := range []struct {
		ops  []Op
		want string
	}{
		{[]Op{{OpSet, "retention.ms", text("7")}}, "gone=1 retention.ms=7"},
		{[]Op{{OpDelete, "retention.ms", nil}, {OpDelete, "gone", nil}, {OpDelete, "never", text("x")}}, ""},
		{[]Op{{OpAppend, "cleanup.policy", text("compact")}}, "cleanup.policy=delete,compact gone=1 retention.ms=5"},
		{[]Op{{OpAppend, "cleanup.policy", text("delete")}}, "cleanup.policy=delete gone=1 retention.ms=5"},
		{[]Op{{OpSubtract, "cleanup.policy", text("delete, compact")}}, "cleanup.policy= gone=1 retention.ms=5"},
		{[]Op{{OpAppend, "leader.replication.throttled.replicas", text("0:1, 1:1")}}, "gone=1 leader.replication.throttled.replicas=0:1,1:1 retention.ms=5"},
		{[]Op{{OpAppend, "retention.ms", text("1")}}, "Can't APPEND to key retention.ms because its type is not LIST."},
		{[]Op{{OpSubtract, "retention.ms", text("1")}}, "Can't SUBTRACT to key retention.ms because its type is not LIST."},
		{[]Op{{OpSet, "foo", text("1")}}, "Unknown topic config name: foo"},
		{[]Op{{OpSet, "retention.ms", nil}}, "Null value not supported for : retention.ms"},
		{[]Op{{OpSet, "retention.ms", text("1")}, {OpDelete, "retention.ms", nil}}, "Error due to duplicate config keys: retention.ms"},
		{[]Op{{9, "retention.ms", text("1")}}, "Unknown operation 9 for config retention.ms"},
	} {
		next, err := ApplyIncremental(TopicScope, current, test.ops)
		var got []string
		for _, name := range slices.Sorted(maps.Keys(next)) {
			got = append(got, name+"="+next[name])
		}
		result := strings.Join(got, " ")
		if err != nil {
			result = err.Error()
		}
		if result != test.want {
			t.Errorf("%v\n got %s\nwant %s", test.ops, result, test.want)
		}
		if fmt.Sprint(current) != "map[gone:1 retention.ms:5]" {
			t.Fatalf("current was changed: %v", current)
		}
	}
}
