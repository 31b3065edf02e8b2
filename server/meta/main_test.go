package meta

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"sordini/segment/vfs"
)

const (
	testData = "data"      // data directory
	testDir  = "data/meta" // the store's directory
)

// newDisk is an empty file system with a durable data directory.
func newDisk(t testing.TB) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem()
	must(t, m.MkdirAll(testData))
	must(t, m.SyncDir("."))
	return m
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openStore(t testing.TB, fsys vfs.FS, opts Options) (*Store, Report) {
	t.Helper()
	s, r, err := Open(fsys, testDir, opts)
	must(t, err)
	return s, r
}

func apply(t testing.TB, s *Store, records ...Record) *Image {
	t.Helper()
	i, err := s.Apply(records...)
	must(t, err)
	return i
}

// topicID is a valid id with number n.
func topicID(n int) TopicID {
	return TopicID{6: 0x40, 8: 0x80, 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
}

func topicCreated(n int) TopicCreated {
	return TopicCreated{Name: fmt.Sprintf("topic-%06d", n), ID: topicID(n), Partitions: 1 + int32(n%7)}
}

// seeded is a source of random bytes that repeats with its seed.
func seeded(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

// dump is all of an image as text, after a check of its invariants.
func dump(t testing.TB, i *Image) string {
	t.Helper()
	names := slices.Collect(i.Topics())
	if len(names) != i.TopicCount() || i.byID.size != i.byName.size {
		t.Fatalf("%d topics, counts say %d by name and %d by id", len(names), i.byName.size, i.byID.size)
	}
	for n, topic := range names {
		if i.Topic(topic.Name) != topic || i.TopicByID(topic.ID) != topic {
			t.Fatalf("topic %s is not found by name and id", topic.Name)
		}
		if n > 0 && names[n-1].Name >= topic.Name {
			t.Fatalf("topic %s is not behind %s", topic.Name, names[n-1].Name)
		}
	}
	_, payload, err := encodeSnapshot(i)
	must(t, err)
	return fmt.Sprintf("%d %s", i.Version(), payload)
}

// model is an image kept in the most obvious way.
type model struct {
	version       int64
	unclean       int64
	epoch, nextID int64
	topics        map[TopicID]Topic
	deleting      map[TopicID]Topic
	configs       map[string]map[string]string
	groups        map[string]map[string]string
}

func newModel() *model {
	return &model{topics: map[TopicID]Topic{}, deleting: map[TopicID]Topic{}, configs: map[string]map[string]string{}, groups: map[string]map[string]string{}}
}

func (m *model) apply(records []Record) {
	for _, r := range records {
		m.version++
		switch r := r.(type) {
		case ProcessStarted:
			m.epoch = r.BrokerEpoch
			if !r.Clean {
				m.unclean++
			}
		case TopicCreated:
			m.topics[r.ID] = Topic{Name: r.Name, ID: r.ID, Partitions: r.Partitions, Configs: maps.Clone(r.Configs),
				Internal: r.Internal, CreatedUnclean: m.unclean - int64(r.FirstEpoch)}
		case PartitionsAdded:
			topic := m.topics[r.ID]
			topic.Partitions = r.Partitions
			m.topics[r.ID] = topic
		case TopicConfigsSet:
			topic := m.topics[r.ID]
			topic.Configs = maps.Clone(r.Configs)
			m.topics[r.ID] = topic
		case TopicDeleted:
			m.deleting[r.ID] = m.topics[r.ID]
			delete(m.topics, r.ID)
		case TopicPurged:
			delete(m.deleting, r.ID)
		case BrokerConfigsSet:
			m.configs[r.Broker] = maps.Clone(r.Configs)
		case ProducerIDsReserved:
			m.nextID = r.Next
		case GroupConfigsSet:
			m.groups[r.Group] = maps.Clone(r.Configs)
		}
	}
}

// check compares the image with the model.
func (m *model) check(t testing.TB, i *Image) {
	t.Helper()
	dump(t, i)
	if i.Version() != m.version || i.UncleanStarts() != m.unclean || i.BrokerEpoch() != m.epoch || i.NextProducerID() != m.nextID {
		t.Fatalf("image has version %d, unclean starts %d, epoch %d, next producer %d; model %+v",
			i.Version(), i.UncleanStarts(), i.BrokerEpoch(), i.NextProducerID(), m)
	}
	if i.TopicCount() != len(m.topics) {
		t.Fatalf("%d topics, model has %d", i.TopicCount(), len(m.topics))
	}
	same := func(got *Topic, want Topic) {
		t.Helper()
		equal := got != nil && got.Name == want.Name && got.ID == want.ID && got.Partitions == want.Partitions &&
			got.CreatedUnclean == want.CreatedUnclean && got.Internal == want.Internal && maps.Equal(got.Configs, want.Configs)
		if !equal {
			t.Fatalf("topic is %+v, model has %+v", got, want)
		}
	}
	for id, want := range m.topics {
		same(i.TopicByID(id), want)
		same(i.Topic(want.Name), want)
	}
	deleting := slices.Collect(i.Deleting())
	if len(deleting) != len(m.deleting) {
		t.Fatalf("%d deleting, model has %d", len(deleting), len(m.deleting))
	}
	for _, got := range deleting {
		same(got, m.deleting[got.ID])
	}
	for broker, want := range m.configs {
		if !maps.Equal(i.BrokerConfigs(broker), want) {
			t.Fatalf("broker %q has %v, model %v", broker, i.BrokerConfigs(broker), want)
		}
	}
	for group, want := range m.groups {
		if !maps.Equal(i.GroupConfigs(group), want) {
			t.Fatalf("group %q has %v, model %v", group, i.GroupConfigs(group), want)
		}
	}
}

// randomRecord draws a record that is valid for the image.
func randomRecord(rng *rand.Rand, i *Image) Record {
	configs := map[string]string{}
	for n := rng.IntN(3); n > 0; n-- {
		configs[fmt.Sprintf("key.%d", rng.IntN(5))] = fmt.Sprintf("ü<%d>", rng.IntN(1000))
	}
	topics, deleting := slices.Collect(i.Topics()), slices.Collect(i.Deleting())
	for {
		switch k := rng.IntN(13); {
		case k < 4:
			r := topicCreated(rng.IntN(1 << 20))
			r.Configs, r.Internal, r.FirstEpoch = configs, rng.IntN(4) == 0, rng.Int32N(3)
			r.Name = fmt.Sprintf("t%d", rng.IntN(40))
			if _, err := i.apply(r); err == nil {
				return r
			}
		case k < 6 && len(topics) > 0:
			return TopicConfigsSet{ID: topics[rng.IntN(len(topics))].ID, Configs: configs}
		case k == 6 && len(topics) > 0:
			topic := topics[rng.IntN(len(topics))]
			return PartitionsAdded{ID: topic.ID, Partitions: topic.Partitions + 1 + rng.Int32N(3)}
		case k == 7 && len(topics) > 0:
			return TopicDeleted{ID: topics[rng.IntN(len(topics))].ID}
		case k == 8 && len(deleting) > 0:
			return TopicPurged{ID: deleting[rng.IntN(len(deleting))].ID}
		case k == 9:
			return BrokerConfigsSet{Broker: []string{"", "1", "2"}[rng.IntN(3)], Configs: configs}
		case k == 10:
			return ProducerIDsReserved{Next: i.NextProducerID() + 1000}
		case k == 12:
			return GroupConfigsSet{Group: fmt.Sprintf("g ü%d", rng.IntN(5)), Configs: configs}
		case k == 11:
			return ProcessStarted{Clean: rng.IntN(2) == 0, BrokerEpoch: i.BrokerEpoch() + 1}
		}
	}
}

// randomRecords draws up to 4 records that are valid one after the other.
func randomRecords(t testing.TB, rng *rand.Rand, i *Image) []Record {
	t.Helper()
	var records []Record
	for n := 1 + rng.IntN(4); n > 0; n-- {
		r := randomRecord(rng, i)
		next, err := i.apply(r)
		must(t, err)
		i, records = next, append(records, r)
	}
	return records
}
