package metrics

import (
	"flag"
	"fmt"
	"iter"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fakeKafka is topics and groups as a test wants them.
type fakeKafka struct {
	topics []KafkaTopic
	groups []KafkaGroup
}

func (f fakeKafka) Broker() (int32, string)      { return 1, "127.0.0.1:9092" }
func (f fakeKafka) Topics() iter.Seq[KafkaTopic] { return slices.Values(f.topics) }
func (f fakeKafka) Groups() iter.Seq[KafkaGroup] { return slices.Values(f.groups) }

func (f fakeKafka) High(topic string, partition int32) (int64, bool) {
	i := slices.IndexFunc(f.topics, func(t KafkaTopic) bool { return t.Name == topic })
	if i < 0 || partition < 0 || int(partition) >= len(f.topics[i].Partitions) {
		return 0, false
	}
	p := f.topics[i].Partitions[partition]
	return p.High, !p.Offline
}

// checked gathers with the checks of Prometheus: labels in order, UTF-8, no sample twice.
func checked(t *testing.T, topics KafkaTopics, groups KafkaGroups) []*dto.MetricFamily {
	t.Helper()
	families, err := prometheus.Gatherers{Kafka(topics, groups)}.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// text is what Prometheus gets to see.
func text(families []*dto.MetricFamily) string {
	w := httptest.NewRecorder()
	gathered := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
	promhttp.HandlerFor(gathered, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	return w.Body.String()
}

// twoTopics has one partition that is offline, and a group that has committed for it,
// for partitions that are not there, and for a topic that is gone.
var twoTopics = fakeKafka{
	topics: []KafkaTopic{
		{"clicks", []KafkaPartition{{Offline: true}, {Start: 7, High: 7}}},
		{"orders", []KafkaPartition{{Start: 10, High: 118203}, {High: 50}}},
	},
	groups: []KafkaGroup{
		{"billing", 2, []KafkaCommits{
			{"clicks", []KafkaCommit{{0, 3}}},
			{"gone", []KafkaCommit{{0, 3}}},
			{"orders", []KafkaCommit{{-1, 5}, {0, 118200}, {1, 50}, {1 << 30, 5}}},
		}},
		{"joined", 1, nil},
		{"ranges", 0, []KafkaCommits{{"orders", []KafkaCommit{{1, 60}}}}},
	},
}

func TestKafka(t *testing.T) {
	path := filepath.Join("testdata", "kafka.txt")
	got := text(checked(t, twoTopics, twoTopics))
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs.\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

func TestKafka_WithoutGroups(t *testing.T) {
	count := func(source KafkaTopics) (n int) {
		for _, f := range checked(t, source, nil) {
			n += len(f.Metric)
		}
		return n
	}
	if n := count(twoTopics); n != 2+2+2*3+5*4+1 {
		t.Errorf("%d samples", n)
	}
	if n := count(fakeKafka{}); n != 3 {
		t.Errorf("%d samples without topics", n)
	}
}

// TestKafka_HostileNames checks that clients may call their groups as they like.
func TestKafka_HostileNames(t *testing.T) {
	source := fakeKafka{topics: twoTopics.topics}
	for _, name := range []string{"", "a\"b\\c\nd", "\xff\xfe", "\xff\xfd", "é", "\x00", strings.Repeat("x", 1<<15)} {
		source.groups = append(source.groups, KafkaGroup{Name: name, Topics: twoTopics.groups[0].Topics})
	}
	got := text(checked(t, source, source))
	for _, want := range []string{`{consumergroup=""} 0`, `{consumergroup="a\"b\\c\nd"} 0`, `{consumergroup="\"\\xff\\xfe\""} 0`, `{consumergroup="é"} 0`} {
		if !strings.Contains(got, "kafka_consumergroup_members"+want+"\n") {
			t.Errorf("no members of %s", want)
		}
	}
}

func TestKafka_OmitsWhatIsTooMuch(t *testing.T) {
	families, err := kafka{twoTopics, twoTopics, 400}.Gather()
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]int{}
	omitted := -1.0
	for _, f := range families {
		samples[f.GetName()] = len(f.Metric)
		if f.GetName() == "sordini_kafka_omitted_offsets" {
			omitted = f.Metric[0].Gauge.GetValue()
		}
	}
	if samples["kafka_consumergroup_lag"] != 2 || samples["kafka_consumergroup_current_offset"] != 2 || omitted != 1 {
		t.Errorf("%d lags, %v omitted", samples["kafka_consumergroup_lag"], omitted)
	}
	if samples["kafka_consumergroup_lag_sum"] != 2 || samples["kafka_consumergroup_members"] != 3 {
		t.Errorf("sums or members are missing: %v", samples)
	}
}

// BenchmarkKafka scrapes 10,000 partitions and 1,000 groups that have committed 100 offsets each.
func BenchmarkKafka(b *testing.B) {
	var source fakeKafka
	for i := range 100 {
		source.topics = append(source.topics, KafkaTopic{fmt.Sprint("topic-", i), make([]KafkaPartition, 100)})
	}
	for i := range 1000 {
		c := KafkaCommits{Topic: fmt.Sprint("topic-", i%100)}
		for p := range int32(100) {
			c.Offsets = append(c.Offsets, KafkaCommit{p, 900})
		}
		source.groups = append(source.groups, KafkaGroup{fmt.Sprint("group-", i), 3, []KafkaCommits{c}})
	}
	gatherer := Kafka(source, source)
	b.ReportAllocs()
	for b.Loop() {
		families, err := gatherer.Gather()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(text(families))))
	}
}
