package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Resource types, by their numbers.
const (
	topicResource   = int8(2)
	brokerResource  = int8(4)
	loggerResource  = int8(8)
	metricsResource = int8(16)
	groupResource   = int8(32)
)

func describeConfigsRequest(kind int8, name string, keys ...string) *kmsg.DescribeConfigsRequest {
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceType(kind), name, keys
	req.Resources = append(req.Resources, r)
	return req
}

func TestDescribeConfigs_EveryVersion(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1, "retention.ms", "1000")
	for _, v := range h.versions(describeConfigsRequest(topicResource, "a")) {
		req := describeConfigsRequest(topicResource, "a", "retention.ms", "nosuch", "segment.ms")
		req.IncludeSynonyms, req.IncludeDocumentation = true, true
		got := call[*kmsg.DescribeConfigsResponse](h, v, req).Resources[0]
		if got.ErrorCode != 0 || got.ErrorMessage == nil || *got.ErrorMessage != "" || len(got.Configs) != 2 {
			t.Fatalf("version %d: answer %+v", v, got)
		}
		own, other := got.Configs[0], got.Configs[1]
		if own.Name != "retention.ms" || text(own.Value) != "1000" || other.Name != "segment.ms" || text(other.Value) != "604800000" {
			t.Errorf("version %d: configs %+v", v, got.Configs)
		}
		if v == 0 && (own.IsDefault || !other.IsDefault) {
			t.Errorf("version 0: %+v", got.Configs)
		}
		if v >= 1 && (own.Source != 1 || other.Source != 5 || len(own.ConfigSynonyms) == 0 || own.ConfigSynonyms[0].Source != 1) {
			t.Errorf("version %d: sources or synonyms of %+v", v, got.Configs)
		}
		if v >= 3 && (own.ConfigType != 5 || own.Documentation == nil || *own.Documentation == "") {
			t.Errorf("version %d: type or documentation of %+v", v, own)
		}
	}
}

func TestDescribeConfigs_Table(t *testing.T) {
	h := newHarness(t, "num.partitions=7")
	h.createTopic("a", 1)
	h.alter(t, incrementalRequest(brokerResource, "", "log.cleaner.threads", 0, "2"), "0 <nil>")
	for _, tc := range []struct {
		kind  int8
		name  string
		keys  []string
		want  string // code, message, and the settings if keys are given
		count int    // of settings; -1: many
	}{
		{topicResource, "a", nil, "0 ", -1},
		{topicResource, "a", []string{}, "0 ", -1},
		{topicResource, "nosuch", nil, "3 The topic 'nosuch' does not exist.", 0},
		{topicResource, "a b", nil, "17 Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", 0},
		{topicResource, "", nil, "17 Topic name is invalid: the empty string is not allowed", 0},
		{brokerResource, "1", nil, "0 ", -1},
		{brokerResource, "01", []string{"num.partitions", "ssl.key.password"}, "0  num.partitions=7(4,read only) ssl.key.password=<nil>(5,read only,sensitive)", 2},
		{brokerResource, "1", []string{"log.cleaner.threads"}, "0  log.cleaner.threads=2(3)", 1},
		{brokerResource, "", nil, "0  log.cleaner.threads=2(3)", 1},
		{brokerResource, "", []string{"num.partitions"}, "0 ", 0},
		{brokerResource, "2", nil, "42 Unexpected broker id, expected 1 or empty string, but received 2", 0},
		{brokerResource, "x", nil, "42 Broker id must be an integer, but it is: x", 0},
		{loggerResource, "1", nil, "0 ", 0},
		{loggerResource, "2", nil, "42 Unexpected broker id, expected 1 but received 2", 0},
		{loggerResource, "", nil, "42 Broker id must not be empty", 0},
		{metricsResource, "m", nil, "0  interval.ms=300000(5) match=(5) metrics=(5)", 3},
		{metricsResource, "", nil, "42 Client metrics subscription name must not be empty", 0},
		{groupResource, "g", []string{"consumer.session.timeout.ms"}, "0  consumer.session.timeout.ms=45000(5)", 1},
		{groupResource, "", nil, "42 Group name must not be empty", 0},
		{99, "x", nil, "42 " + kerr.InvalidRequest.Description, 0},
	} {
		got := call[*kmsg.DescribeConfigsResponse](h, 4, describeConfigsRequest(tc.kind, tc.name, tc.keys...)).Resources
		if tc.keys != nil && len(tc.keys) == 0 {
			req := describeConfigsRequest(tc.kind, tc.name)
			req.Resources[0].ConfigNames = []string{}
			got = call[*kmsg.DescribeConfigsResponse](h, 4, req).Resources
		}
		line := fmt.Sprintf("%d %s", got[0].ErrorCode, text(got[0].ErrorMessage))
		if tc.count >= 0 {
			line += settingsOf(got[0].Configs)
		}
		if line != tc.want || tc.count < 0 && len(got[0].Configs) < 30 || tc.count >= 0 && len(got[0].Configs) != tc.count {
			t.Errorf("type %d %q %v: got %s and %d settings, want %s", tc.kind, tc.name, tc.keys, line, len(got[0].Configs), tc.want)
		}
		if got[0].ResourceType != kmsg.ConfigResourceType(tc.kind) || got[0].ResourceName != tc.name {
			t.Errorf("type %d %q: answer for %v %q", tc.kind, tc.name, got[0].ResourceType, got[0].ResourceName)
		}
	}
}

// settingsOf writes settings as name=value(source and properties).
func settingsOf(configs []kmsg.DescribeConfigsResponseResourceConfig) string {
	var b strings.Builder
	for _, c := range configs {
		fmt.Fprintf(&b, " %s=%s(%d", c.Name, text(c.Value), int8(c.Source))
		if c.ReadOnly {
			b.WriteString(",read only")
		}
		if c.IsSensitive {
			b.WriteString(",sensitive")
		}
		b.WriteString(")")
		if c.Documentation != nil || len(c.ConfigSynonyms) > 0 {
			b.WriteString(" unasked")
		}
	}
	return b.String()
}

// alterRequest replaces settings, which are name and value in turn.
func alterRequest(kind int8, name string, settings ...string) *kmsg.AlterConfigsRequest {
	req := kmsg.NewPtrAlterConfigsRequest()
	r := kmsg.NewAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceType(kind), name
	for i := 0; i < len(settings); i += 2 {
		c := kmsg.NewAlterConfigsRequestResourceConfig()
		c.Name, c.Value = settings[i], orNil(settings[i+1])
		r.Configs = append(r.Configs, c)
	}
	req.Resources = append(req.Resources, r)
	return req
}

// incrementalRequest changes settings: name, operation and value in turn.
func incrementalRequest(kind int8, name string, ops ...any) *kmsg.IncrementalAlterConfigsRequest {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceType(kind), name
	for i := 0; i < len(ops); i += 3 {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Op, c.Value = ops[i].(string), kmsg.IncrementalAlterConfigOp(ops[i+1].(int)), orNil(ops[i+2].(string))
		r.Configs = append(r.Configs, c)
	}
	req.Resources = append(req.Resources, r)
	return req
}

// alter sends a change in the newest version; want is code and message of each
// answer.
func (h *harness) alter(t *testing.T, req kmsg.Request, want ...string) {
	t.Helper()
	var got []string
	versions := h.versions(req)
	switch v := versions[len(versions)-1]; req := req.(type) {
	case *kmsg.AlterConfigsRequest:
		for _, r := range call[*kmsg.AlterConfigsResponse](h, v, req).Resources {
			got = append(got, fmt.Sprintf("%d %s", r.ErrorCode, text(r.ErrorMessage)))
		}
	case *kmsg.IncrementalAlterConfigsRequest:
		for _, r := range call[*kmsg.IncrementalAlterConfigsResponse](h, v, req).Resources {
			got = append(got, fmt.Sprintf("%d %s", r.ErrorCode, text(r.ErrorMessage)))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("answers %q, want %q", got, want)
	}
}

// own checks a topic's own settings, as name=value.
func (h *harness) own(t *testing.T, topic string, want ...string) {
	t.Helper()
	var got []string
	for name, value := range h.set.Image().Topic(topic).Configs {
		got = append(got, name+"="+value)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("topic %s has %q, want %q", topic, got, want)
	}
}

func TestAlterConfigs_EveryVersion(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1, "segment.ms", "9")
	for _, v := range h.versions(alterRequest(topicResource, "a")) {
		value := fmt.Sprint(1000 + v)
		got := call[*kmsg.AlterConfigsResponse](h, v, alterRequest(topicResource, "a", "retention.ms", value)).Resources[0]
		if got.ErrorCode != 0 || got.ErrorMessage != nil || got.ResourceName != "a" || int8(got.ResourceType) != topicResource {
			t.Errorf("version %d: answer %+v", v, got)
		}
		h.own(t, "a", "retention.ms="+value)
		if ms := h.set.Get("a", 0).Settings().RetentionMs; ms != 1000+int64(v) {
			t.Errorf("version %d: %d ms in force", v, ms)
		}
	}
}

func TestIncrementalAlterConfigs_EveryVersion(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1, "segment.ms", "9")
	for _, v := range h.versions(incrementalRequest(topicResource, "a")) {
		value := fmt.Sprint(1000 + v)
		got := call[*kmsg.IncrementalAlterConfigsResponse](h, v, incrementalRequest(topicResource, "a", "retention.ms", 0, value)).Resources[0]
		if got.ErrorCode != 0 || got.ErrorMessage != nil || got.ResourceName != "a" || int8(got.ResourceType) != topicResource {
			t.Errorf("version %d: answer %+v", v, got)
		}
		h.own(t, "a", "retention.ms="+value, "segment.ms=9")
	}
}

const (
	badName     = "17 Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
	notANumber  = "40 Invalid value x for configuration retention.ms: Not a number of type LONG"
	onceOnly    = "42 Each resource must appear at most once."
	notDynamic  = "42 Cannot update these configs dynamically: [log.dirs, num.partitions]"
	wrongNode   = "42 Unexpected broker id, expected 1, but received 2"
	notANode    = "42 Node id must be an integer, but it is: x"
	noThreads   = "42 Invalid value x for configuration log.cleaner.threads: Not a number of type INT"
	unknownName = "40 Unknown topic config name: nosuch"
)

func TestAlterConfigs_Refused(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1, "retention.ms", "7")
	for _, tc := range []struct {
		req  *kmsg.AlterConfigsRequest
		want string
	}{
		{alterRequest(topicResource, "a", "retention.ms", "x"), notANumber},
		{alterRequest(topicResource, "a", "nosuch", "x"), unknownName},
		{alterRequest(topicResource, "a", "retention.ms", "<nil>", "nosuch", "<nil>"), "42 Null value not supported for : retention.ms, nosuch"},
		{alterRequest(topicResource, "a", "retention.ms", "5", "retention.ms", "6"), "42 Error due to duplicate config keys"},
		{alterRequest(topicResource, "nosuch", "retention.ms", "5"), "3 The topic 'nosuch' does not exist."},
		{alterRequest(topicResource, "a b", "retention.ms", "5"), badName},
		{alterRequest(topicResource, "", "retention.ms", "5"), "42 Default topic resources are not allowed."},
		{alterRequest(brokerResource, "1", "num.partitions", "2", "log.dirs", "/x"), notDynamic},
		{alterRequest(brokerResource, "1", "log.cleaner.threads", "x"), noThreads},
		{alterRequest(brokerResource, "1", "nosuch", "x"), "40 Unknown broker config name: nosuch"},
		{alterRequest(brokerResource, "2", "log.cleaner.threads", "2"), wrongNode},
		{alterRequest(brokerResource, "x", "log.cleaner.threads", "2"), notANode},
		{alterRequest(loggerResource, "1", "root", "INFO"), "42 Unknown resource type 8"},
		{alterRequest(metricsResource, "m", "interval.ms", "1000"), "42 Subscriptions to client metrics are not supported."},
		{alterRequest(groupResource, "", "consumer.session.timeout.ms", "46000"), "42 Default group resources are not allowed."},
		{alterRequest(groupResource, "\xff", "consumer.session.timeout.ms", "46000"), "42 The name of a group must be valid UTF-8."},
		{alterRequest(groupResource, "g", "nosuch", "1"), "40 Unknown group config name: nosuch"},
		{alterRequest(groupResource, "g", "consumer.session.timeout.ms", "x"), "40 Invalid value x for configuration consumer.session.timeout.ms: Not a number of type INT"},
		{alterRequest(groupResource, "g", "consumer.session.timeout.ms", "1"), "40 consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"},
		{alterRequest(99, "x"), "42 Unknown resource type 99"},
	} {
		h.alter(t, tc.req, tc.want)
	}
	h.own(t, "a", "retention.ms=7")
	twice := alterRequest(topicResource, "a", "retention.ms", "5")
	twice.Resources = append(twice.Resources, twice.Resources[0], alterRequest(topicResource, "nosuch").Resources[0])
	h.alter(t, twice, onceOnly, onceOnly, "3 The topic 'nosuch' does not exist.")
	h.own(t, "a", "retention.ms=7")
}

func TestAlterConfigs_ReplacesAll(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1, "retention.ms", "7")
	validate := alterRequest(topicResource, "a")
	validate.ValidateOnly = true
	h.alter(t, validate, "0 <nil>")
	h.own(t, "a", "retention.ms=7")
	h.alter(t, alterRequest(topicResource, "a", "segment.ms", "8"), "0 <nil>")
	h.own(t, "a", "segment.ms=8")
	h.alter(t, alterRequest(topicResource, "a"), "0 <nil>")
	h.own(t, "a")

	h.alter(t, alterRequest(brokerResource, "01", "log.cleaner.threads", "2"), "0 <nil>")
	h.alter(t, alterRequest(brokerResource, "", "log.cleaner.threads", "3"), "0 <nil>")
	if n := h.set.Broker().Cleaner.Threads; n != 2 {
		t.Errorf("%d threads in force, want those of the broker, 2", n)
	}
	validate = alterRequest(brokerResource, "1", "log.cleaner.threads", "4")
	validate.ValidateOnly = true
	h.alter(t, validate, "0 <nil>")
	h.alter(t, alterRequest(brokerResource, "1"), "0 <nil>")
	if n := h.set.Broker().Cleaner.Threads; n != 3 {
		t.Errorf("%d threads in force, want those of the cluster, 3", n)
	}
}

func TestIncrementalAlterConfigs_Refused(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1, "retention.ms", "7")
	for _, tc := range []struct {
		req  *kmsg.IncrementalAlterConfigsRequest
		want string
	}{
		{incrementalRequest(topicResource, "a", "retention.ms", 0, "x"), notANumber},
		{incrementalRequest(topicResource, "a", "nosuch", 0, "x"), unknownName},
		{incrementalRequest(topicResource, "a", "cleanup.policy", 2, "<nil>", "retention.ms", 0, "<nil>"), "42 Null value not supported for : cleanup.policy, retention.ms"},
		{incrementalRequest(topicResource, "a", "retention.ms", 0, "5", "retention.ms", 1, "<nil>"), "42 Error due to duplicate config keys"},
		{incrementalRequest(topicResource, "a", "retention.ms", 2, "5"), "40 Can't APPEND to key retention.ms because its type is not LIST."},
		{incrementalRequest(topicResource, "a", "retention.ms", 3, "5"), "40 Can't SUBTRACT to key retention.ms because its type is not LIST."},
		{incrementalRequest(topicResource, "a", "retention.ms", 9, "5"), "42 Unknown operation 9 for config retention.ms"},
		{incrementalRequest(topicResource, "nosuch", "retention.ms", 0, "5"), "3 The topic 'nosuch' does not exist."},
		{incrementalRequest(topicResource, "a b", "retention.ms", 0, "5"), badName},
		{incrementalRequest(brokerResource, "1", "num.partitions", 0, "2", "log.dirs", 0, "/x"), notDynamic},
		{incrementalRequest(brokerResource, "2", "log.cleaner.threads", 0, "2"), wrongNode},
		{incrementalRequest(brokerResource, "x", "log.cleaner.threads", 0, "2"), notANode},
		{incrementalRequest(loggerResource, "1", "root", 0, "INFO"), "40 Logger root does not exist!"},
		{incrementalRequest(loggerResource, "2", "root", 0, "INFO"), "42 Unexpected node id. Expected 1, but received 2"},
		{incrementalRequest(99, "x"), "42 Unknown resource type 99"},
	} {
		h.alter(t, tc.req, tc.want)
	}
	twice := incrementalRequest(brokerResource, "1", "log.cleaner.threads", 0, "2")
	twice.Resources = append(twice.Resources, twice.Resources[0])
	h.alter(t, twice, onceOnly, onceOnly)
	h.own(t, "a", "retention.ms=7")
}

func TestIncrementalAlterConfigs_Operations(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1)
	h.alter(t, incrementalRequest(topicResource, "a", "retention.ms", 0, "5", "cleanup.policy", 2, "compact"), "0 <nil>")
	h.own(t, "a", "cleanup.policy=delete,compact", "retention.ms=5")
	validate := incrementalRequest(topicResource, "a", "retention.ms", 0, "6")
	validate.ValidateOnly = true
	h.alter(t, validate, "0 <nil>")
	h.own(t, "a", "cleanup.policy=delete,compact", "retention.ms=5")
	h.alter(t, incrementalRequest(topicResource, "a", "retention.ms", 1, "<nil>", "nosuch", 1, "<nil>", "cleanup.policy", 3, "delete"), "0 <nil>")
	h.own(t, "a", "cleanup.policy=compact")
	h.alter(t, incrementalRequest(topicResource, "a"), "0 <nil>")
	h.own(t, "a", "cleanup.policy=compact")

	h.alter(t, incrementalRequest(brokerResource, "1", "log.cleaner.threads", 0, "2"), "0 <nil>")
	if n := h.set.Broker().Cleaner.Threads; n != 2 {
		t.Errorf("%d threads in force, want 2", n)
	}
	h.alter(t, incrementalRequest(brokerResource, "1", "log.cleaner.threads", 1, "<nil>", "num.partitions", 1, "<nil>"), "0 <nil>")
	if n := h.set.Broker().Cleaner.Threads; n != 1 {
		t.Errorf("%d threads in force, want the default, 1", n)
	}
}

// Settings of groups, which need not exist (KIP-848).
// A class that the directories had when the topic was made may stay, as long as it is not
// changed.
func TestAlterConfigs_StorageClassThatIsGone(t *testing.T) {
	h := newHarness(t)
	h.createTopic("a", 1)
	h.must(h.set.SetTopicConfigs("a", map[string]string{"storage.class": "ssd"}))
	const noClass = "40 Invalid value hdd for configuration storage.class: no data directory has a class"
	h.alter(t, incrementalRequest(topicResource, "a", "retention.ms", 0, "5"), "0 <nil>")
	h.own(t, "a", "retention.ms=5", "storage.class=ssd")
	h.alter(t, alterRequest(topicResource, "a", "storage.class", "ssd", "retention.ms", "6"), "0 <nil>")
	h.own(t, "a", "retention.ms=6", "storage.class=ssd")
	h.alter(t, incrementalRequest(topicResource, "a", "storage.class", 0, "hdd"), noClass)
	h.alter(t, alterRequest(topicResource, "a", "storage.class", "hdd"), noClass)
	h.own(t, "a", "retention.ms=6", "storage.class=ssd")
	h.alter(t, incrementalRequest(topicResource, "a", "storage.class", 1, "<nil>"), "0 <nil>")
	h.own(t, "a", "retention.ms=6")
	h.alter(t, incrementalRequest(topicResource, "a", "storage.class", 0, "ssd"), strings.Replace(noClass, "hdd", "ssd", 1))
}

func TestAlterConfigs_Groups(t *testing.T) {
	const session, heartbeat = "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"
	h := newHarness(t)
	own := func(group, want string) {
		t.Helper()
		if got := fmt.Sprint(h.set.Image().GroupConfigs(group)); got != want {
			t.Errorf("group %q has %s, want %s", group, got, want)
		}
	}
	validate := incrementalRequest(groupResource, "g/ü", session, 0, "50000")
	validate.ValidateOnly = true
	h.alter(t, validate, "0 <nil>")
	own("g/ü", "map[]")
	h.alter(t, incrementalRequest(groupResource, "g/ü", session, 0, "50000"), "0 <nil>")
	h.alter(t, incrementalRequest(groupResource, "g/ü", heartbeat, 0, "6000"), "0 <nil>")
	h.alter(t, incrementalRequest(groupResource, "other", session, 0, "46000"), "0 <nil>")
	own("g/ü", "map[consumer.heartbeat.interval.ms:6000 consumer.session.timeout.ms:50000]")
	c := call[*kmsg.DescribeConfigsResponse](h, 4, describeConfigsRequest(groupResource, "g/ü", session)).Resources[0].Configs[0]
	if text(c.Value) != "50000" || c.Source != 8 || c.IsDefault {
		t.Errorf("described as %+v", c)
	}
	h.alter(t, incrementalRequest(groupResource, "g/ü", session, 2, "1"), "40 Can't APPEND to key consumer.session.timeout.ms because its type is not LIST.")
	h.alter(t, incrementalRequest(groupResource, "g/ü", session, 1, "<nil>", "consumer.assignment.interval.ms", 1, "<nil>"), "0 <nil>")
	own("g/ü", "map[consumer.heartbeat.interval.ms:6000]")
	h.alter(t, alterRequest(groupResource, "g/ü", session, "47000"), "0 <nil>")
	own("g/ü", "map[consumer.session.timeout.ms:47000]")
	h.alter(t, alterRequest(groupResource, "g/ü"), "0 <nil>")
	own("g/ü", "map[]")
	own("other", "map[consumer.session.timeout.ms:46000]")
}
