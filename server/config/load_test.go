package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func mustLoad(t *testing.T, in Input) Values {
	t.Helper()
	v, err := Load(in)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDefaults(t *testing.T) {
	loaded := mustLoad(t, Input{})
	if !reflect.DeepEqual(loaded, Defaults()) {
		t.Error("Defaults and an empty Load differ")
	}
	b := loaded.Broker()
	want := []Listener{{"PLAINTEXT", "PLAINTEXT", "127.0.0.1", 9092}}
	if !reflect.DeepEqual(b.Network.Listeners, want) || b.Network.Advertised != nil {
		t.Errorf("listeners %v, advertised %v", b.Network.Listeners, b.Network.Advertised)
	}
	if !b.AutoCreateTopics || b.NodeID != 1 || b.LogDirs[0].Path != "./data" || b.MetadataDir != "./data" || b.Network.AdminListen != "127.0.0.1:9644" {
		t.Errorf("%+v", b)
	}
	if b.Offsets.Retention != 7*24*time.Hour || b.Network.MaxQueuedRequestBytes != 256<<20 {
		t.Errorf("offsets %+v, network %+v", b.Offsets, b.Network)
	}
	topic := b.Topic(nil)
	if topic.RetentionMs != 604800000 || topic.SegmentMs != 604800000 || topic.FlushPolicy != FlushSync || topic.FlushMs != math.MaxInt64 {
		t.Errorf("%+v", topic)
	}
	if got, _ := loaded.Text("inter.broker.protocol.version"); got != "4.3" {
		t.Errorf("inter.broker.protocol.version is %q", got)
	}
}

func TestLoad_HigherLayersWin(t *testing.T) {
	in := Input{File: "server.properties", Content: []byte("# comment\nnum.partitions = 2\nlog.retention.ms=1000\n"), Environ: []string{"PATH=/bin"}}
	check := func(v Values, name, text, origin string) {
		t.Helper()
		if got, _ := v.Text(name); got != text || v.Origin(name) != origin {
			t.Errorf("%s is %s from %s, want %s from %s", name, got, v.Origin(name), text, origin)
		}
	}
	v := mustLoad(t, in)
	check(v, "num.partitions", "2", "server.properties:2")
	check(v, "log.dirs", "./data", "default")
	in.Environ = append(in.Environ, "SORDINI_NUM_PARTITIONS=4", "KAFKA_NUM_PARTITIONS=3")
	check(mustLoad(t, in), "num.partitions", "4", "environment SORDINI_NUM_PARTITIONS")
	in.Flags = []string{"num.partitions=5", "log.retention.hours=2"}
	v = mustLoad(t, in)
	check(v, "num.partitions", "5", "--set")
	check(v, "log.retention.ms", "7200000", "--set (log.retention.hours)")

	v, err := v.WithDynamic(map[string]string{"log.retention.ms": "300", "message.max.bytes": "9"}, map[string]string{"log.retention.ms": "400"})
	if err != nil {
		t.Fatal(err)
	}
	check(v, "log.retention.ms", "400", "dynamic broker")
	check(v, "message.max.bytes", "9", "dynamic default")
	if topic := v.Broker().Topic(map[string]string{"max.message.bytes": "77"}); topic.RetentionMs != 400 || topic.MaxMessageBytes != 77 {
		t.Errorf("%+v", topic)
	}
	if v, err = v.WithDynamic(nil, nil); err != nil {
		t.Fatal(err)
	}
	check(v, "log.retention.ms", "7200000", "--set (log.retention.hours)")
}

func TestLoad_UnitsOfSynonyms(t *testing.T) {
	for text, want := range map[string]int64{
		"log.retention.hours=-1":                         -1,
		"log.retention.minutes=3\nlog.retention.hours=1": 180000,
		"log.retention.hours=2147483647":                 2147483647 * 3600000,
		"log.retention.ms=-1\nlog.retention.minutes=3":   -1,
	} {
		if got := mustLoad(t, Input{Content: []byte(text)}).Broker().Topic(nil).RetentionMs; got != want {
			t.Errorf("%q: retention.ms is %d, want %d", text, got, want)
		}
	}
	if got := mustLoad(t, Input{Flags: []string{"log.flush.scheduler.interval.ms=5"}}).Broker().Topic(nil).FlushMs; got != 5 {
		t.Errorf("flush.ms is %d", got)
	}
}

func TestLoad_ReportsAllFaults(t *testing.T) {
	_, err := Load(Input{
		File:    "s.properties",
		Content: []byte("log.retension.ms=5\nretention.ms=1\n\nnum.partitions=\\\n  0\nx=\\u12\nlistener.name.a.b=1\n"),
		Environ: []string{"KAFKA_NUM_PARTITION=x", "KAFKA_HEAP_OPTS=-Xmx1g", "SORDINI_PORT_9092_TCP=tcp://10.0.0.1:9092", "KAFKA_LOG4J_LOGGERS=a=b"},
		Flags:   []string{"log.segment.bytes=200", "novalue", "group.min.session.timeout.ms=99999999", "authorizer.class.name=a.B"},
	})
	want := []string{
		`s.properties:6: malformed \u escape: "\\u12"`,
		"s.properties:1: unknown setting log.retension.ms; did you mean log.retention.ms?",
		"s.properties:2: retention.ms is a setting of topics; the broker's setting for topics that lack it is log.retention.ms",
		"s.properties:4: Invalid value 0 for configuration num.partitions: Value must be at least 1",
		"s.properties:7: unknown setting listener.name.a.b; settings of single listeners are not supported",
		"environment KAFKA_NUM_PARTITION: unknown setting num.partition; did you mean num.partitions?",
		"--set: Invalid value 200 for configuration log.segment.bytes: Value must be at least 1048576",
		"--set novalue: value is missing; write key=value",
		"--set: Invalid value a.B for configuration authorizer.class.name: Authorization is not supported; every client may do everything",
		"group.min.session.timeout.ms (99999999) must be less than or equal to group.max.session.timeout.ms (1800000)",
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
	var faults Faults
	if !errors.As(err, &faults) || !errors.Is(err, ErrInvalidConfig) {
		t.Errorf("%T", err)
	}
}

func TestLoad_Combinations(t *testing.T) {
	for flags, want := range map[string]string{
		"node.id=1 broker.id=2":            "node.id (1) and broker.id (2) are names of one number",
		"log.dirs=":                        "log.dirs names no directory",
		"log.dirs=a,,b":                    "log.dirs names no directory",
		"group.share.session.timeout.ms=1": "group.share.min.session.timeout.ms (45000) must be less than or equal to group.share.session.timeout.ms (1)",
		"log.cleaner.min.compaction.lag.ms=9 log.cleaner.max.compaction.lag.ms=8": "must be less than or equal to",
		"listeners=":                                "listeners names no address",
		"listeners=PLAINTEXT//x":                    "is not NAME://host:port",
		"listeners=PLAINTEXT://:70000":              "above 65535",
		"listeners=PLAINTEXT://[::g]:1":             "no IPv6 address",
		"listeners=PLAINTEXT://::1:1":               "needs brackets",
		"listeners=PLAINTEXT://a:1,PLAINTEXT://b:1": "the name PLAINTEXT occurs twice",
		"listeners=SSL://a:1":                       "SSL speaks SSL, which is not supported",
		"listeners=EXTERNAL://a:1":                  "add EXTERNAL:PLAINTEXT to listener.security.protocol.map",
		"listeners=A://a:1,B://a:1 listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT":                "the address a:1 occurs twice",
		"listener.security.protocol.map=A":                                                                "is not NAME:PROTOCOL",
		"listener.security.protocol.map=A:B":                                                              `no security protocol "B"`,
		"advertised.listeners=PLAINTEXT://0.0.0.0:9092":                                                   "no host that clients could connect to",
		"advertised.listeners=PLAINTEXT://:9092":                                                          "no host that clients could connect to",
		"advertised.listeners=PLAINTEXT://a:0":                                                            "names no port",
		"advertised.listeners=SSL://a:1 listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:PLAINTEXT": "has no listener of its name",
	} {
		_, err := Load(Input{Flags: strings.Fields(flags)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", flags, err, want)
		}
	}
}

func TestLoad_KafkaContainerEnvironment(t *testing.T) {
	v := mustLoad(t, Input{Environ: []string{
		"KAFKA_NODE_ID=7",
		"KAFKA_PROCESS_ROLES=broker,controller",
		"KAFKA_LISTENERS=PLAINTEXT://:9092,CONTROLLER://localhost:9093,internal://[::1]:0",
		"KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://kafka.example:9092",
		"KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER",
		"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT",
		"KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9093",
		"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1",
		"KAFKA_SERVICE_HOST=10.0.0.1",
		"KAFKA_PORT=tcp://10.0.0.1:9092",
	}}).Broker()
	got := fmt.Sprint(v.NodeID, v.Network.Listeners, v.Network.Advertised)
	if want := "7 [PLAINTEXT://:9092 INTERNAL://[::1]:0] [PLAINTEXT://kafka.example:9092]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEnvironment_Names(t *testing.T) {
	for _, setting := range []string{"log.retention.ms", "a_b.c-d"} {
		name := EnvironmentName(setting)
		if got := settingName(strings.TrimPrefix(name, "SORDINI_")); got != setting {
			t.Errorf("%s became %s became %s", setting, name, got)
		}
	}
	for _, s := range Settings(BrokerScope) {
		name := EnvironmentName(s.Name)
		if found := settingsOf([]string{name + "=x"}); len(found) != 1 || found[0].setting != s.Name {
			t.Errorf("%s reads as %v", name, found)
		}
	}
	for _, name := range IgnoredVariables() {
		if found := settingsOf([]string{strings.TrimSuffix(name, "*") + "=x"}); len(found) != 0 {
			t.Errorf("%s is not ignored: %v", name, found)
		}
	}
}

func TestValues_WithDynamicPassesOverWhatItCannotUse(t *testing.T) {
	v, err := Defaults().WithDynamic(
		map[string]string{"foo": "1", "num.partitions": "3", "log.segment.bytes": "1", "socket.tcp.congestion": "cubic", "log.retention.bytes": "5"}, nil)
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("faults: %v", err)
	}
	if v.Int64("log.retention.bytes") != 5 || v.Int64("num.partitions") != 1 || v.String("socket.tcp.congestion") != "" {
		t.Error("values do not fit")
	}
}

func TestValues_NeverPrintSecrets(t *testing.T) {
	v := mustLoad(t, Input{Flags: []string{"ssl.keystore.password=hunter2"}})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if text := fmt.Sprintf(verb, v) + fmt.Sprintf(verb, v.Broker()); strings.Contains(text, "hunter2") {
			t.Errorf("%s shows the password: %s", verb, text)
		}
	}
	if got := v.String("ssl.keystore.password"); got != "hunter2" {
		t.Errorf("password is %q", got)
	}
}

func TestTopic_AsyncFlushHasALimit(t *testing.T) {
	b := Defaults().Broker()
	never := "9223372036854775807"
	for _, test := range []struct {
		overrides        map[string]string
		wantMs, wantMsgs int64
	}{
		{map[string]string{"flush.policy": "async"}, 1000, math.MaxInt64},
		{map[string]string{"flush.policy": "async", "flush.ms": never}, 1000, math.MaxInt64},
		{map[string]string{"flush.policy": "async", "flush.ms": "5"}, 5, math.MaxInt64},
		{map[string]string{"flush.policy": "async", "flush.messages": "5"}, math.MaxInt64, 5},
		{map[string]string{"flush.policy": "sync"}, math.MaxInt64, math.MaxInt64},
		{map[string]string{"flush.policy": "nonsense"}, math.MaxInt64, math.MaxInt64},
	} {
		if got := b.Topic(test.overrides); got.FlushMs != test.wantMs || got.FlushMessages != test.wantMsgs {
			t.Errorf("%v: %d ms, %d messages", test.overrides, got.FlushMs, got.FlushMessages)
		}
	}
}

func TestKind_Parse(t *testing.T) {
	for _, test := range []struct {
		kind      Kind
		raw, want string
		ok        bool
	}{
		{Boolean, " TRUE ", "true", true}, {Boolean, "yes", "", false},
		{Int, " +5 ", "5", true}, {Int, "2147483648", "", false}, {Int, "0x10", "", false}, {Int, "", "", false}, {Int, "1_0", "", false},
		{Short, "32768", "", false}, {Long, "9223372036854775807", "9223372036854775807", true},
		{Double, "2", "2.0", true}, {Double, "1e7", "1.0E7", true}, {Double, "0.0005", "5.0E-4", true}, {Double, "NaN", "", false},
		{Double, "1.7976931348623157E308", "1.7976931348623157E308", true}, {Double, "x", "", false},
		{List, " a , b,a", "a,b", true}, {List, " ", "", true}, {Password, " x ", " x ", true}, {String, " x ", "x", true},
	} {
		v, reason := test.kind.parse(test.raw)
		if v.text != test.want || (reason == "") != test.ok {
			t.Errorf("%s %q: %q, %q", test.kind, test.raw, v.text, reason)
		}
	}
}

func TestSuggest(t *testing.T) {
	for name, want := range map[string]string{
		"log.retension.ms": "log.retention.ms", "nump.artitions": "num.partitions", "zzz": "", "": "",
		strings.Repeat("log.retention.ms", 100): "",
	} {
		if got := suggest(name); got != want {
			t.Errorf("%.20q: %q, want %q", name, got, want)
		}
	}
	if got := editDistance("kitten", "sitting"); got != 3 {
		t.Errorf("distance %d", got)
	}
}

func TestValues_GettersPanicOnFaultsOfTheProgram(t *testing.T) {
	v := Defaults()
	for name, get := range map[string]func(){
		"unknown name": func() { v.Int64("no.such.setting") },
		"other type":   func() { v.Bool("num.partitions") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			get()
		}()
	}
	if _, ok := v.Text("no.such.setting"); ok || v.Origin("no.such.setting") != "" {
		t.Error("an unknown name has a value")
	}
}

func TestLoad_HidesSecretsInFaults(t *testing.T) {
	secret := Setting{Name: "p", Kind: Password, check: refused("never")}
	if err := secret.Validate("hunter2"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
