package cmd

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestServerError_PrefersTheMessage(t *testing.T) {
	tests := []struct {
		err     error
		message string
		want    string
	}{
		{kerr.TopicAlreadyExists, "Topic 'a' already exists.", "TOPIC_ALREADY_EXISTS: Topic 'a' already exists."},
		{kerr.TopicAlreadyExists, "", "TOPIC_ALREADY_EXISTS: " + kerr.TopicAlreadyExists.Description},
		{errors.New("connection reset"), "ignored", "connection reset"},
	}
	for _, tt := range tests {
		if got := serverError(tt.err, tt.message).Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	if err := serverError(nil, "fine"); err != nil {
		t.Errorf("an error for none: %v", err)
	}
}

func TestConfigChanges(t *testing.T) {
	got, err := configChanges([]string{"b=1=2", "c="}, []string{"a"})
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got[0].Name != "a" || got[0].Op != kadm.DeleteConfig || got[0].Value != nil {
		t.Errorf("%+v", got[0])
	}
	if got[1].Name != "b" || got[1].Op != kadm.SetConfig || *got[1].Value != "1=2" || *got[2].Value != "" {
		t.Errorf("%+v", got[1:])
	}
	for _, bad := range []string{"b", "=1", " =1"} {
		if _, err := parseConfigs([]string{bad}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	if _, err := parseConfigs([]string{"a=1", " a=2"}); err == nil {
		t.Error("a setting given twice is accepted")
	}
}

func TestPrintResults(t *testing.T) {
	results := []topicResult{{Name: "a", ID: "id-a", Partitions: 3}, {Name: "b", Error: "INVALID_CONFIG: no"}}
	p := newTestProcess()
	flags := clientFlags{output: formatTable}
	err := flags.printResults(&p.Process, "created", results)
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != exitFailure {
		t.Errorf("error %v", err)
	}
	if got := p.out.String(); got != "created a, 3 partitions, id id-a\n" {
		t.Errorf("standard output %q", got)
	}
	if got := p.err.String(); got != "b: INVALID_CONFIG: no\n" {
		t.Errorf("standard error %q", got)
	}

	p = newTestProcess()
	flags.output = formatJSON
	if err := flags.printResults(&p.Process, "created", results[:1]); err != nil {
		t.Errorf("error %v", err)
	}
	if got := p.out.String(); !strings.Contains(got, `"_version": 1`) || !strings.Contains(got, `"name": "a"`) {
		t.Errorf("standard output %q", got)
	}
}

// testFacts is what a server tells of a topic with two partitions, of which the second has no leader.
func testFacts() topicFacts {
	value := "86400000"
	size := func(n int64) kadm.DescribedLogDirPartition {
		return kadm.DescribedLogDirPartition{Topic: "orders", Size: n}
	}
	return topicFacts{
		details: kadm.TopicDetails{
			"orders": {Topic: "orders", ID: kadm.TopicID{1, 2, 3}, Partitions: kadm.PartitionDetails{
				0: {Topic: "orders", Partition: 0, Leader: 1, LeaderEpoch: 4},
				1: {Topic: "orders", Partition: 1, Leader: -1, Err: kerr.LeaderNotAvailable},
			}},
			"gone": {Topic: "gone", Err: kerr.UnknownTopicOrPartition},
		},
		configs: kadm.ResourceConfigs{{Name: "orders", Configs: []kadm.Config{
			{Key: "retention.ms", Value: &value, Source: kmsg.ConfigSourceDynamicTopicConfig},
			{Key: "segment.bytes", Value: &value, Source: kmsg.ConfigSourceDefaultConfig},
		}}},
		start: kadm.ListedOffsets{"orders": {0: {Topic: "orders", Offset: 10}}},
		end:   kadm.ListedOffsets{"orders": {0: {Topic: "orders", Offset: 118203}}},
		sizes: kadm.DescribedAllLogDirs{1: {"/data": {Topics: kadm.DescribedLogDirTopics{"orders": {0: size(51 << 20)}}}}},
	}
}

func TestDescribe(t *testing.T) {
	facts := testFacts()
	topics := []topicDescription{facts.describe("orders"), facts.describe("gone")}
	p := newTestProcess()
	var exit *exitError
	if err := printDescriptions(&p.Process, formatTable, topics); !errors.As(err, &exit) || exit.code != exitFailure {
		t.Errorf("error %v", err)
	}
	golden(t, "topic_describe.txt", p.out.String())
	golden(t, "topic_describe.err.txt", p.err.String())

	p = newTestProcess()
	if err := printDescriptions(&p.Process, formatJSON, topics[:1]); !errors.As(err, &exit) {
		t.Errorf("error %v", err)
	}
	golden(t, "topic_describe.json", p.out.String())
}

func TestPrintTopics(t *testing.T) {
	details := kadm.TopicDetails{
		"orders":             {Topic: "orders", ID: kadm.TopicID{1}, Partitions: kadm.PartitionDetails{0: {}, 1: {}}},
		"__consumer_offsets": {Topic: "__consumer_offsets", IsInternal: true},
	}
	p := newTestProcess()
	if err := printTopics(&p.Process, formatTable, details, false); err != nil {
		t.Fatal(err)
	}
	if got := p.out.String(); strings.Contains(got, "__consumer_offsets") || !strings.Contains(got, "orders  2 ") {
		t.Errorf("%q", got)
	}
	p = newTestProcess()
	if err := printTopics(&p.Process, formatJSON, nil, true); err != nil {
		t.Fatal(err)
	}
	if got := p.out.String(); !strings.Contains(got, `"topics": []`) {
		t.Errorf("no topics: %q", got)
	}
}
