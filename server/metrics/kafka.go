package metrics

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// KafkaTopics are the broker and its topics. Its methods may be called concurrently.
type KafkaTopics interface {
	// Broker is the id of this broker and the address, host:port, that clients use.
	Broker() (id int32, address string)
	// Topics yields every topic once. No lock is held meanwhile.
	Topics() iter.Seq[KafkaTopic]
	// High is the high watermark of a partition; false if the partition is not there
	// or is offline.
	High(topic string, partition int32) (offset int64, ok bool)
}

// KafkaGroups are the groups. Its methods may be called concurrently.
type KafkaGroups interface {
	// Groups yields every group once: those with members, and those that have nothing
	// but offsets. No lock is held meanwhile, and what was yielded may be kept.
	Groups() iter.Seq[KafkaGroup]
}

// KafkaTopic is a topic.
type KafkaTopic struct {
	Name       string
	Partitions []KafkaPartition // by number
}

// KafkaPartition is what consumers may read of a partition.
type KafkaPartition struct {
	Start, High int64
	Offline     bool // it serves nobody; Start and High mean nothing
}

// KafkaGroup is a group. Its name may be any bytes.
type KafkaGroup struct {
	Name    string
	Members int
	Topics  []KafkaCommits // each topic once
}

// KafkaCommits are the offsets that a group has committed for one topic.
type KafkaCommits struct {
	Topic   string
	Offsets []KafkaCommit // each partition once
}

// KafkaCommit is the offset that a group has committed for one partition.
type KafkaCommit struct {
	Partition int32
	Offset    int64
}

// kafkaGroupText is about how many bytes of text the single partitions of all groups
// may take: what clients have committed is no reason to run out of memory.
const kafkaGroupText = 32 << 20

// Kafka returns metrics of topics and groups with the names and labels of
// kafka_exporter (github.com/danielqsj/kafka_exporter), so that its dashboards and
// alerts work without it. Each Gather reads topics and groups anew, one at a time,
// and tells them in that order. groups may be nil.
//
// What differs: A partition for which a group has committed nothing is left out,
// where the exporter tells -1 if the group has committed for another partition of the
// topic. Members of groups of every protocol are counted. A group whose name is not
// UTF-8 has the name in quotes, with Go's escapes. Of groups behind the first 32 MiB
// or so only sums and members are told; sordini_kafka_omitted_offsets says so.
//
// It is no collector in a registry, because a registry compares all samples with each
// other, which costs more than everything else here.
func Kafka(topics KafkaTopics, groups KafkaGroups) prometheus.Gatherer {
	return kafka{topics, groups, kafkaGroupText}
}

type kafka struct {
	topics    KafkaTopics
	groups    KafkaGroups
	groupText int
}

// Gather implements [prometheus.Gatherer]. It does not fail.
func (k kafka) Gather() ([]*dto.MetricFamily, error) {
	s := newKafkaScrape(k)
	for t := range k.topics.Topics() {
		s.addTopic(t)
	}
	if k.groups != nil {
		for g := range k.groups.Groups() {
			s.addGroup(g)
		}
	}
	s.omitted.add(s.omissions)
	var families []*dto.MetricFamily
	for _, f := range s.families {
		if len(f.Metric) > 0 { // the text format has no empty ones
			families = append(families, &f.MetricFamily)
		}
	}
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return families, nil
}

// kafkaScrape is what one Gather collects.
type kafkaScrape struct {
	topics    KafkaTopics
	broker    int32
	numbers   []*dto.LabelPair // of partitions; all topics and groups share them
	groupText int              // that is left
	omissions int64            // offsets for which nothing was left
	families  []*family

	partitions, current, oldest, leader          *family
	replicas, inSync, preferred, underReplicated *family
	members, offset, offsetSum, lag, lagSum      *family
	omitted                                      *family
}

func newKafkaScrape(k kafka) *kafkaScrape {
	id, address := k.topics.Broker()
	s := &kafkaScrape{topics: k.topics, broker: id, groupText: k.groupText}
	s.family("kafka_brokers", "Number of brokers in the cluster.").add(1)
	s.family("kafka_broker_info", "Constant 1, labelled with the id and the address of the broker.").
		add(1, label("address", address), label("id", strconv.Itoa(int(id))))

	s.partitions = s.family("kafka_topic_partitions", "Number of partitions of the topic.")
	s.current = s.family("kafka_topic_partition_current_offset", "High watermark of the partition.")
	s.oldest = s.family("kafka_topic_partition_oldest_offset", "Log start offset of the partition.")
	s.leader = s.family("kafka_topic_partition_leader", "Id of the broker that leads the partition.")
	s.replicas = s.family("kafka_topic_partition_replicas", "Number of replicas of the partition.")
	s.inSync = s.family("kafka_topic_partition_in_sync_replica", "Number of replicas of the partition that are in sync.")
	s.preferred = s.family("kafka_topic_partition_leader_is_preferred", "1 if the preferred broker leads the partition.")
	s.underReplicated = s.family("kafka_topic_partition_under_replicated_partition", "1 if not all replicas of the partition are in sync.")

	s.members = s.family("kafka_consumergroup_members", "Number of members of the group.")
	s.offset = s.family("kafka_consumergroup_current_offset", "Offset that the group has committed for the partition.")
	s.offsetSum = s.family("kafka_consumergroup_current_offset_sum", "Sum of the offsets that the group has committed for the topic.")
	s.lag = s.family("kafka_consumergroup_lag", "Offsets from the one that the group has committed to the high watermark of the partition.")
	s.lagSum = s.family("kafka_consumergroup_lag_sum", "Sum of the lags of the group in the partitions of the topic.")
	s.omitted = s.family("sordini_kafka_omitted_offsets", "Committed offsets that are only in the sums, because there are too many.")
	return s
}

func (s *kafkaScrape) family(name, help string) *family {
	gauge := dto.MetricType_GAUGE
	f := &family{dto.MetricFamily{Name: &name, Help: &help, Type: &gauge}}
	s.families = append(s.families, f)
	return f
}

func (s *kafkaScrape) addTopic(t KafkaTopic) {
	topic := label("topic", t.Name)
	s.partitions.add(int64(len(t.Partitions)), topic)
	for i, p := range t.Partitions {
		number := s.number(int32(i))
		serving := int64(1)
		if p.Offline {
			serving = 0
		} else {
			s.current.add(p.High, number, topic)
			s.oldest.add(p.Start, number, topic)
		}
		s.leader.add(int64(s.broker), number, topic)
		s.preferred.add(1, number, topic)
		s.replicas.add(1, number, topic)
		s.inSync.add(serving, number, topic)
		s.underReplicated.add(1-serving, number, topic)
	}
}

func (s *kafkaScrape) addGroup(g KafkaGroup) {
	group := label("consumergroup", g.Name)
	s.members.add(int64(g.Members), group)
	for _, t := range g.Topics {
		s.addCommits(group, t)
	}
}

// addCommits tells the offsets of a group in one topic. Those of partitions that are
// not there or offline are left out, also of the sums.
func (s *kafkaScrape) addCommits(group *dto.LabelPair, t KafkaCommits) {
	const names = len("kafka_consumergroup_current_offset kafka_consumergroup_lag") + 2*len(`{consumergroup="",partition="",topic=""}`)
	topic := label("topic", t.Topic)
	text := names + 2*(len(group.GetValue())+len(topic.GetValue()))
	var offsets, lags int64
	known := false
	for _, c := range t.Offsets {
		high, ok := s.topics.High(t.Topic, c.Partition)
		if !ok {
			continue
		}
		lag := high - c.Offset
		offsets, lags, known = offsets+c.Offset, lags+lag, true
		if s.groupText < text {
			s.omissions++
			continue
		}
		s.groupText -= text
		number := s.number(c.Partition)
		s.offset.add(c.Offset, group, number, topic)
		s.lag.add(lag, group, number, topic)
	}
	if known {
		s.offsetSum.add(offsets, group, topic)
		s.lagSum.add(lags, group, topic)
	}
}

// number is the label of a partition that exists: there are not many numbers.
func (s *kafkaScrape) number(partition int32) *dto.LabelPair {
	for i := len(s.numbers); i <= int(partition); i++ {
		s.numbers = append(s.numbers, label("partition", strconv.Itoa(i)))
	}
	return s.numbers[partition]
}

// label gives a name to a value. One that is not UTF-8 would spoil the whole scrape.
func label(name, value string) *dto.LabelPair {
	if !utf8.ValidString(value) {
		value = strconv.Quote(value)
	}
	return &dto.LabelPair{Name: &name, Value: &value}
}

// family are the samples of one metric.
type family struct{ dto.MetricFamily }

// add adds a sample. The labels are in the order of their names.
func (f *family) add(value int64, labels ...*dto.LabelPair) {
	s := &sample{value: float64(value)} // one allocation for all parts
	s.gauge.Value = &s.value
	s.metric.Gauge, s.metric.Label = &s.gauge, s.labels[:copy(s.labels[:], labels)]
	f.Metric = append(f.Metric, &s.metric)
}

// sample is a metric with all that it points to.
type sample struct {
	metric dto.Metric
	gauge  dto.Gauge
	value  float64
	labels [3]*dto.LabelPair
}
