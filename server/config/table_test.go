package config

import (
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var scopes = []Scope{TopicScope, BrokerScope, GroupScope, ClientMetricsScope}

func TestTable_RowsAreSound(t *testing.T) {
	for _, scope := range scopes {
		rows := Settings(scope)
		for i, s := range rows {
			if i > 0 && rows[i-1].Name >= s.Name {
				t.Errorf("%s %s: twice or out of order after %s", scope, s.Name, rows[i-1].Name)
			}
			if s.Kind < Boolean || s.Kind > Password {
				t.Errorf("%s %s: kind %d", scope, s.Name, s.Kind)
			}
			if s.Null && s.Default != "" {
				t.Errorf("%s %s: null, yet with default %q", scope, s.Name, s.Default)
			}
			if v, err := s.parse(s.Default); !s.Null && (err != nil || v.text != s.Default) {
				t.Errorf("%s %s: default %q reads as %q, %v", scope, s.Name, s.Default, v.text, err)
			}
			if doc := s.Doc; len(doc) < 20 || !strings.HasSuffix(doc, ".") || strings.Count(doc, ". ") > 4 {
				t.Errorf("%s %s: text %q", scope, s.Name, doc)
			}
			checkSynonyms(t, s)
		}
	}
}

func checkSynonyms(t *testing.T, s Setting) {
	if s.Scope != BrokerScope && (s.Alias != "" || s.Dynamic != ReadOnly) {
		t.Errorf("%s %s: alias and dynamic are for broker settings", s.Scope, s.Name)
	}
	if s.Alias != "" {
		if other, ok := Lookup(BrokerScope, s.Alias); !ok || other.Alias != s.Name || other.Kind != s.Kind {
			t.Errorf("%s: alias %s does not point back", s.Name, s.Alias)
		}
	}
	for _, synonym := range s.Synonyms {
		other, ok := Lookup(BrokerScope, synonym.Name)
		if !ok {
			t.Errorf("%s %s: no broker setting %s", s.Scope, s.Name, synonym.Name)
			continue
		}
		if synonym.Scale == 1 && s.Kind != other.Kind || synonym.Scale != 1 && other.Kind.bits() != 32 {
			t.Errorf("%s %s (%s): synonym %s has type %s and scale %d", s.Scope, s.Name, s.Kind, other.Name, other.Kind, synonym.Scale)
		}
		if s.Scope == TopicScope && s.Effect != other.Effect {
			t.Errorf("%s and %s differ in effect", s.Name, other.Name)
		}
	}
}

// deviations are the defaults that differ from Kafka's on purpose.
var deviations = map[string]string{
	"listeners":                        "binds the loopback interface until told otherwise",
	"log.dirs":                         "data lies below the working directory, not in /tmp",
	"log.dir":                          "log.dirs has the default",
	"node.id":                          "works without being told",
	"broker.id":                        "node.id has the default",
	"process.roles":                    "works without being told",
	"controller.listener.names":        "works without being told",
	"queued.max.request.bytes":         "memory is bounded",
	"socket.send.buffer.bytes":         "the system sizes buffers better",
	"socket.receive.buffer.bytes":      "the system sizes buffers better",
	"offsets.topic.replication.factor": "one broker",
	"transaction.state.log.replication.factor":         "one broker",
	"transaction.state.log.min.isr":                    "one broker",
	"share.coordinator.state.topic.replication.factor": "one broker",
	"share.coordinator.state.topic.min.isr":            "one broker",
	"principal.builder.class":                          "no Java classes",
	"metric.reporters":                                 "no Java classes",
	"remote.log.metadata.manager.class.name":           "no Java classes",
	"sasl.oauthbearer.jwt.retriever.class":             "no Java classes",
	"sasl.oauthbearer.jwt.validator.class":             "no Java classes",
}

func TestTable_AgreesWithKafka(t *testing.T) {
	data, err := os.ReadFile("testdata/kafka-4.3.0.tsv")
	if err != nil {
		t.Fatal(err)
	}
	words := make(map[string]Scope)
	for _, scope := range scopes {
		words[scope.String()] = scope
	}
	facts, differing := 0, make(map[string]bool)
	for line := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		facts++
		f := strings.Split(line, "\t")
		name, kind, preset, change := f[1], f[2], f[3], f[4]
		s, ok := Lookup(words[f[0]], name)
		if !ok {
			t.Errorf("%s %s is missing", f[0], name)
			continue
		}
		if s.Kind.String() != kind {
			t.Errorf("%s %s: type %s, Kafka has %s", f[0], name, s.Kind, kind)
		}
		if got := presetOf(s); got != preset {
			differing[name] = true
			if _, meant := deviations[name]; !meant {
				t.Errorf("%s %s: default %q, Kafka has %q", f[0], name, got, preset)
			}
		}
		// What Kafka changes for single brokers are addresses, files and classes, which stay read-only here.
		if s.Scope == BrokerScope && change == "read-only" != (s.Dynamic == ReadOnly) && change != "per-broker" && s.Kind != List {
			t.Errorf("%s: %s, Kafka has %s", name, s.Dynamic, change)
		}
	}
	if facts < 390 {
		t.Errorf("only %d facts", facts)
	}
	for name := range deviations {
		if !differing[name] {
			t.Errorf("%s does not differ from Kafka", name)
		}
	}
}

func presetOf(s Setting) string {
	if s.Null {
		return "null"
	}
	return s.Default
}

// TestTable_EffectIsTrue changes every setting and looks whether anything resolved changes with it.
func TestTable_EffectIsTrue(t *testing.T) {
	bounds := make(map[string]bool)
	for _, s := range Settings(GroupScope) {
		low, high := boundsOf(&s)
		bounds[low], bounds[high] = true, true
	}
	for _, s := range Settings(BrokerScope) {
		// Bounds and protocols only decide which other values are accepted.
		if bounds[s.Name] || s.Name == "listener.security.protocol.map" || s.Rule() == "not set" || s.Rule() == "false" || s.Rule() == "broker,controller" {
			continue
		}
		context := contexts[s.Name]
		before, err := Load(Input{Flags: context})
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		after, err := Load(Input{Flags: append(slices.Clone(context), s.Name+"="+otherValue(t, s))})
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		if changed := !reflect.DeepEqual(everything(before), everything(after)); changed != (s.Effect == Honoured) {
			t.Errorf("%s: the server sees a change: %v, the table says %v", s.Name, changed, s.Effect == Honoured)
		}
	}
}

// contexts are the flags without which a setting says nothing.
var contexts = map[string][]string{
	"flush.async.interval.ms":   {"flush.policy=async"},
	"flush.low.interval.ms":     {"flush.policy=hybrid", "flush.priority=low"},
	"flush.priority":            {"flush.policy=hybrid"},
	"flush.priority.header":     {"flush.policy=hybrid"},
	"flush.priority.high":       {"flush.policy=hybrid"},
	"controller.listener.names": {"listeners=PLAINTEXT://:1,SSL://:2", "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:PLAINTEXT"},
}

// otherValue is a valid value that is not the default.
func otherValue(t *testing.T, s Setting) string {
	samples := []string{
		map[string]string{
			"listeners":                        "PLAINTEXT://:9999",
			"advertised.listeners":             "PLAINTEXT://example.org:9092",
			"controller.listener.names":        "SSL",
			"cordoned.log.dirs":                "*",
			"max.connections.per.ip.overrides": "127.0.0.1:7",
		}[s.Name],
		"range", "example.org:7", "/elsewhere", "elsewhere", "*", "earliest", "read_committed", "compact", "gzip", "segment", "low", "async", "LogAppendTime", "DEBUG", "upgrade", "SSL", "requested",
		"ES256", "classic", "0.25", "7", "1048577", strconv.FormatBool(s.Default != "true"),
	}
	if n, err := strconv.ParseInt(s.Default, 10, 64); err == nil {
		samples = append([]string{strconv.FormatInt(n+1, 10), strconv.FormatInt(n-1, 10)}, samples...)
	}
	for _, sample := range samples {
		if sample != "" && s.Validate(sample) == nil {
			return sample
		}
	}
	t.Fatalf("%s: no sample fits", s.Name)
	return ""
}

// everything is all that the server sees of the values, beside the values by name.
func everything(v Values) []any {
	b := v.Broker()
	topic, group := b.Topic(nil), b.Group(nil)
	b.Values = Values{}
	return []any{b, topic, group}
}

func TestTable_TopicAndGroupEffectIsTrue(t *testing.T) {
	b := Defaults().Broker()
	for _, scope := range []Scope{TopicScope, GroupScope} {
		for _, s := range Settings(scope) {
			if s.Rule() == "false" {
				continue
			}
			before, overrides := map[string]string{}, map[string]string{}
			for _, set := range contexts[s.Name] {
				name, v, _ := strings.Cut(set, "=")
				before[name], overrides[name] = v, v
			}
			overrides[s.Name] = otherValue(t, s)
			changed := !reflect.DeepEqual(b.Topic(before), b.Topic(overrides)) || b.Group(before) != b.Group(overrides)
			if changed != (s.Effect == Honoured) {
				t.Errorf("%s %s=%s: the server sees a change: %v", scope, s.Name, overrides[s.Name], changed)
			}
		}
	}
}

func TestMarkdown_HasEverySetting(t *testing.T) {
	for _, scope := range scopes {
		var text strings.Builder
		if err := WriteMarkdown(&text, scope); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Count(text.String(), "\n"), len(Settings(scope))+2; got != want {
			t.Errorf("%s: %d lines, want %d", scope, got, want)
		}
		for line := range strings.SplitSeq(strings.TrimSpace(text.String()), "\n") {
			if strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 6 {
				t.Errorf("not five cells: %s", line)
			}
		}
	}
}
