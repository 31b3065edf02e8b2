package server

import (
	"iter"

	"sordini/server/audit"
	"sordini/server/metrics"
	"sordini/server/partition"
)

// kafkaTopics tells /metrics/kafka of the broker and its topics.
type kafkaTopics struct {
	set     *partition.Set
	address string
}

func (k kafkaTopics) Broker() (id int32, address string) { return k.set.Image().NodeID(), k.address }

func (k kafkaTopics) Topics() iter.Seq[metrics.KafkaTopic] {
	return func(yield func(metrics.KafkaTopic) bool) {
		for t := range k.set.Image().Topics() {
			if t.Name == audit.Topic {
				continue // the exporter would not see it
			}
			partitions := k.set.Topic(t.Name)
			told := metrics.KafkaTopic{Name: t.Name, Partitions: make([]metrics.KafkaPartition, len(partitions))}
			for i, p := range partitions {
				o, err := p.Offsets()
				told.Partitions[i] = metrics.KafkaPartition{Start: o.Start, High: o.High.Offset, Offline: err != nil}
			}
			if !yield(told) {
				return
			}
		}
	}
}

func (k kafkaTopics) High(topic string, index int32) (int64, bool) {
	p := k.set.Get(topic, index)
	if p == nil {
		return 0, false
	}
	o, err := p.Offsets()
	return o.High.Offset, err == nil
}
