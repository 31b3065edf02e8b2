package config

import (
	"fmt"
	"strings"
	"testing"
)

// story writes what clients see of one setting: value, source, synonyms.
func story(t *testing.T, entries []Entry) string {
	t.Helper()
	if len(entries) != 1 {
		t.Fatalf("%d entries", len(entries))
	}
	show := func(s *string) string {
		if s == nil {
			return "null"
		}
		return *s
	}
	e := entries[0]
	text := fmt.Sprintf("%s@%d", show(e.Value), e.Source)
	for _, s := range e.Synonyms {
		text += fmt.Sprintf("; %s=%s@%d", s.Name, show(s.Value), s.Source)
	}
	return text
}

// The stories agree with Kafka's answers, but for the synonyms of hours and minutes (see Describe).
func TestDescribe_Stories(t *testing.T) {
	v := mustLoad(t, Input{Flags: []string{"num.io.threads=9", "log.roll.hours=2", "ssl.key.password=x", "log.dir=/d"}, Content: []byte("num.io.threads=10\nlog.roll.hours=3")})
	v, err := v.WithDynamic(map[string]string{"log.retention.ms": "360000", "num.io.threads": "12"}, map[string]string{"log.retention.ms": "370000", "log.flush.interval.ms": "1"})
	if err != nil {
		t.Fatal(err)
	}
	overrides := map[string]string{"cleanup.policy": " compact ,compact", "preallocate": "TRUE", "consumer.session.timeout.ms": "50000"}
	for _, test := range []struct {
		scope      Scope
		name, want string
	}{
		{TopicScope, "cleanup.policy", "compact@1; cleanup.policy=compact@1; log.cleanup.policy=delete@5"},
		{TopicScope, "preallocate", "true@1; preallocate=true@1; log.preallocate=false@5"},
		{TopicScope, "retention.ms", "370000@2; log.retention.ms=370000@2; log.retention.ms=360000@3; log.retention.hours=168@5"},
		{TopicScope, "segment.ms", "7200000@4; log.roll.hours=2@4; log.roll.hours=168@5"},
		{TopicScope, "flush.ms", "1@2; log.flush.interval.ms=1@2; log.flush.scheduler.interval.ms=9223372036854775807@5"},
		{TopicScope, "segment.bytes", "1073741824@5; log.segment.bytes=1073741824@5"},
		{TopicScope, "remote.storage.enable", "false@5"},
		{TopicScope, "leader.replication.throttled.replicas", "@5"},
		{BrokerScope, "log.retention.ms", "370000@2; log.retention.ms=370000@2; log.retention.ms=360000@3; log.retention.hours=168@5"},
		{BrokerScope, "log.retention.minutes", "null@5"},
		{BrokerScope, "log.roll.ms", "null@5"},
		{BrokerScope, "log.roll.hours", "2@4; log.roll.hours=2@4; log.roll.hours=168@5"},
		{BrokerScope, "num.io.threads", "12@3; num.io.threads=12@3; num.io.threads=9@4; num.io.threads=8@5"},
		{BrokerScope, "ssl.key.password", "null@4; ssl.key.password=null@4"},
		{BrokerScope, "node.id", "1@5; node.id=1@5"},
		{BrokerScope, "broker.id", "1@5; node.id=1@5"},
		{BrokerScope, "log.dirs", "/d@4; log.dir=/d@4; log.dirs=./data@5"},
		{GroupScope, "consumer.session.timeout.ms", "50000@8; consumer.session.timeout.ms=50000@8; group.consumer.session.timeout.ms=45000@5"},
		{GroupScope, "share.auto.offset.reset", "latest@5; share.auto.offset.reset=latest@5"},
		{ClientMetricsScope, "interval.ms", "300000@5"},
	} {
		if got := story(t, v.Describe(test.scope, overrides, []string{test.name})); got != test.want {
			t.Errorf("%s %s\n got %s\nwant %s", test.scope, test.name, got, test.want)
		}
	}
	if got := story(t, v.DescribeDefaults([]string{"log.retention.ms", "num.partitions"})); got != "360000@3; log.retention.ms=360000@3" {
		t.Errorf("defaults: %s", got)
	}
	if got := v.DescribeDefaults(nil); len(got) != 2 {
		t.Errorf("defaults: %v", got)
	}
}

func TestDescribe_IsComplete(t *testing.T) {
	v := Defaults()
	for _, scope := range scopes {
		entries := v.Describe(scope, nil, nil)
		if len(entries) != len(Settings(scope)) {
			t.Fatalf("%s: %d entries", scope, len(entries))
		}
		for _, e := range entries {
			s, _ := Lookup(scope, e.Name)
			if e.Kind != s.Kind || e.Sensitive != s.Secret() || e.Documentation == "" || e.Source != SourceDefault {
				t.Errorf("%+v", e)
			}
			if e.ReadOnly != (scope == BrokerScope && s.Dynamic == ReadOnly) || e.Sensitive && e.Value != nil {
				t.Errorf("%+v", e)
			}
			if strings.Contains(e.Documentation, "  ") {
				t.Errorf("%s: %q", e.Name, e.Documentation)
			}
		}
	}
	if got := v.Describe(TopicScope, nil, []string{"foo"}); got != nil {
		t.Errorf("unknown name: %v", got)
	}
}
