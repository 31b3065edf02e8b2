package consumer

import (
	"bytes"
	"cmp"
	"slices"

	"sordini/server/group/record"
)

// Lists of partitions are kept in normal order: by topic id, each topic once and with
// at least one partition, the partitions ascending, each once. Epochs are there for
// all partitions of a list or, in targets and what members report, for none.

// normal is the list in normal order. If fill is not nil, partitions without an epoch
// get it.
func normal(list []record.TopicPartitions, fill *int32) []record.TopicPartitions {
	if isNormal(list, fill != nil) {
		return list
	}
	type place struct {
		partition
		epoch int32
	}
	var all []place
	for _, t := range list {
		for i, p := range t.Partitions {
			e := place{partition: partition{t.Topic, p}}
			switch {
			case fill == nil:
			case len(t.Epochs) == len(t.Partitions):
				e.epoch = t.Epochs[i]
			default:
				e.epoch = *fill
			}
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b place) int {
		return cmp.Or(bytes.Compare(a.topic[:], b.topic[:]), cmp.Compare(a.number, b.number))
	})
	all = slices.CompactFunc(all, func(a, b place) bool { return a.partition == b.partition })
	var b builder
	for _, e := range all {
		if fill == nil {
			b.target(e.topic, e.number)
		} else {
			b.add(e.topic, e.number, e.epoch)
		}
	}
	return b.list
}

func isNormal(list []record.TopicPartitions, epochs bool) bool {
	for i, t := range list {
		switch {
		case len(t.Partitions) == 0:
			return false
		case epochs && len(t.Epochs) != len(t.Partitions), !epochs && t.Epochs != nil:
			return false
		case i > 0 && bytes.Compare(list[i-1].Topic[:], t.Topic[:]) >= 0:
			return false
		}
		for j := 1; j < len(t.Partitions); j++ {
			if t.Partitions[j-1] >= t.Partitions[j] {
				return false
			}
		}
	}
	return true
}

// builder makes a list from partitions in normal order.
type builder struct{ list []record.TopicPartitions }

func (b *builder) last(topic record.TopicID) *record.TopicPartitions {
	if n := len(b.list); n > 0 && b.list[n-1].Topic == topic {
		return &b.list[n-1]
	}
	b.list = append(b.list, record.TopicPartitions{Topic: topic})
	return &b.list[len(b.list)-1]
}

func (b *builder) add(topic record.TopicID, number, epoch int32) {
	t := b.last(topic)
	t.Partitions, t.Epochs = append(t.Partitions, number), append(t.Epochs, epoch)
}

// target adds a partition without an epoch.
func (b *builder) target(topic record.TopicID, number int32) {
	t := b.last(topic)
	t.Partitions = append(t.Partitions, number)
}

// of is what a list has of one topic.
func of(list []record.TopicPartitions, topic record.TopicID) record.TopicPartitions {
	i, ok := slices.BinarySearchFunc(list, topic, func(t record.TopicPartitions, id record.TopicID) int {
		return bytes.Compare(t.Topic[:], id[:])
	})
	if !ok {
		return record.TopicPartitions{Topic: topic}
	}
	return list[i]
}

// epochOf is the epoch of a partition in a list.
func epochOf(list []record.TopicPartitions, topic record.TopicID, number int32) (epoch int32, ok bool) {
	t := of(list, topic)
	i, ok := slices.BinarySearch(t.Partitions, number)
	if !ok {
		return 0, false
	}
	return t.Epochs[i], true
}

// topicsOf are the topics of two lists, in order.
func topicsOf(a, b []record.TopicPartitions) []record.TopicID {
	all := make([]record.TopicID, 0, len(a)+len(b))
	for i := range a {
		all = append(all, a[i].Topic)
	}
	for i := range b {
		all = append(all, b[i].Topic)
	}
	slices.SortFunc(all, func(a, b record.TopicID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(all)
}

// union is what either of two lists has, with the epochs of a before those of b.
func union(a, b []record.TopicPartitions) []record.TopicPartitions {
	if len(a) == 0 {
		return b
	}
	return normal(slices.Concat(a, b), new(int32))
}

// overlap says that two lists have a partition in common. The first need not be in
// normal order.
func overlap(any, list []record.TopicPartitions) bool {
	for _, t := range any {
		have := of(list, t.Topic).Partitions
		for _, p := range t.Partitions {
			if _, ok := slices.BinarySearch(have, p); ok {
				return true
			}
		}
	}
	return false
}

// within says that a list has all partitions of another, which need not be in normal
// order, and its topics even if no partitions of them are named.
func within(some, list []record.TopicPartitions) bool {
	for _, t := range some {
		have := of(list, t.Topic).Partitions
		if len(have) == 0 {
			return false
		}
		for _, p := range t.Partitions {
			if _, ok := slices.BinarySearch(have, p); !ok {
				return false
			}
		}
	}
	return true
}

func same(a, b []record.TopicPartitions) bool {
	return slices.EqualFunc(a, b, func(a, b record.TopicPartitions) bool {
		return a.Topic == b.Topic && slices.Equal(a.Partitions, b.Partitions) && slices.Equal(a.Epochs, b.Epochs)
	})
}

// each calls do for every partition of a list.
func each(list []record.TopicPartitions, do func(partition)) {
	for _, t := range list {
		for _, p := range t.Partitions {
			do(partition{t.Topic, p})
		}
	}
}
