package meta

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// sample is an image with a topic 1, a deleted topic 2 and an identity.
func sample(t *testing.T) *Image {
	t.Helper()
	i := emptyImage()
	for _, r := range []Record{
		ClusterCreated{ClusterID: "c", DirectoryID: topicID(99).String(), NodeID: 1},
		ProcessStarted{BrokerEpoch: 5},
		TopicCreated{Name: "one", ID: topicID(1), Partitions: 3},
		TopicCreated{Name: "two", ID: topicID(2), Partitions: 3},
		TopicDeleted{ID: topicID(2)},
		ProducerIDsReserved{Next: 1000},
	} {
		next, err := i.apply(r)
		must(t, err)
		i = next
	}
	return i
}

func TestRecord_Refused(t *testing.T) {
	i := sample(t)
	before := dump(t, i)
	bad := "\xff"
	for _, c := range []struct {
		r    Record
		want error
	}{
		{ClusterCreated{ClusterID: "d", DirectoryID: topicID(98).String()}, ErrInvalid},
		{ProcessStarted{BrokerEpoch: 5}, ErrInvalid},
		{TopicCreated{Name: "one", ID: topicID(3), Partitions: 1}, ErrTopicExists},
		{TopicCreated{Name: "new", ID: topicID(1), Partitions: 1}, ErrTopicExists},
		{TopicCreated{Name: "new", ID: topicID(2), Partitions: 1}, ErrTopicExists},
		{TopicCreated{Name: "new", ID: TopicID{}, Partitions: 1}, ErrInvalid},
		{TopicCreated{Name: "new", ID: TopicID{15: 1}, Partitions: 1}, ErrInvalid},
		{TopicCreated{Name: "a/b", ID: topicID(3), Partitions: 1}, ErrInvalid},
		{TopicCreated{Name: "..", ID: topicID(3), Partitions: 1}, ErrInvalid},
		{TopicCreated{Name: "new", ID: topicID(3)}, ErrInvalid},
		{TopicCreated{Name: "new", ID: topicID(3), Partitions: 1, FirstEpoch: -1}, ErrInvalid},
		{TopicCreated{Name: "new", ID: topicID(3), Partitions: 1, Configs: map[string]string{"k": bad}}, ErrInvalid},
		{PartitionsAdded{ID: topicID(1), Partitions: 3}, ErrInvalid},
		{PartitionsAdded{ID: topicID(2), Partitions: 9}, ErrUnknownTopic},
		{TopicConfigsSet{ID: topicID(3)}, ErrUnknownTopic},
		{TopicConfigsSet{ID: topicID(1), Configs: map[string]string{"": "v"}}, ErrInvalid},
		{TopicDeleted{ID: topicID(2)}, ErrUnknownTopic},
		{TopicDeleted{}, ErrUnknownTopic},
		{TopicPurged{ID: topicID(1)}, ErrUnknownTopic},
		{BrokerConfigsSet{Broker: "x"}, ErrInvalid},
		{BrokerConfigsSet{Broker: "-1"}, ErrInvalid},
		{BrokerConfigsSet{Broker: "01"}, ErrInvalid},
		{BrokerConfigsSet{Configs: map[string]string{bad: "v"}}, ErrInvalid},
		{GroupConfigsSet{Configs: map[string]string{"k": "v"}}, ErrInvalid},
		{GroupConfigsSet{Group: bad}, ErrInvalid},
		{GroupConfigsSet{Group: "g", Configs: map[string]string{"k": bad}}, ErrInvalid},
		{ProducerIDsReserved{Next: 1000}, ErrInvalid},
		{ProducerIDsReserved{Next: -1}, ErrInvalid},
	} {
		next, err := i.apply(c.r)
		if next != nil || !errors.Is(err, c.want) {
			t.Errorf("%#v: %v, want %v", c.r, err, c.want)
		}
		if name := c.r.kind().String(); err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("error does not name %s: %v", name, err)
		}
	}
	if dump(t, i) != before {
		t.Error("a refused record changed the image")
	}
	s, _ := openStore(t, newDisk(t), Options{})
	for _, r := range []Record{nil, TopicCreated{Name: "new", ID: topicID(3), Partitions: 1, Configs: map[string]string{"k": bad}}} {
		if _, err := s.Apply(r); !errors.Is(err, ErrInvalid) {
			t.Errorf("Apply %#v: %v", r, err)
		}
	}
}

func TestClusterCreated_Refused(t *testing.T) {
	dir := topicID(9).String()
	for _, r := range []ClusterCreated{
		{"", dir, 1}, {"a b", dir, 1}, {"ä", dir, 1}, {strings.Repeat("x", 256), dir, 1},
		{"c", "", 1}, {"c", "AAAAAAAAAAAAAAAAAAAAAA", 1}, {"c", "x", 1}, {"c", dir, -1},
	} {
		if _, err := emptyImage().apply(r); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// One record raises the epoch of every partition, and a topic's first epoch counts
// from its creation.
func TestLeaderEpoch(t *testing.T) {
	i := sample(t)
	step := func(r Record) {
		t.Helper()
		next, err := i.apply(r)
		must(t, err)
		i = next
	}
	want := func(name string, epoch int32) {
		t.Helper()
		if got := i.LeaderEpoch(i.Topic(name)); got != epoch {
			t.Errorf("version %d: %s has epoch %d, want %d", i.Version(), name, got, epoch)
		}
	}
	want("one", 0)
	step(ProcessStarted{Clean: true, BrokerEpoch: 6})
	want("one", 0)
	step(ProcessStarted{Clean: false, BrokerEpoch: 9})
	want("one", 1)
	step(TopicCreated{Name: "late", ID: topicID(7), Partitions: 1})
	step(TopicCreated{Name: "taken", ID: topicID(8), Partitions: 1, FirstEpoch: 40})
	want("late", 0)
	want("taken", 40)
	step(ProcessStarted{Clean: false, BrokerEpoch: 10})
	want("one", 2)
	want("late", 1)
	want("taken", 41)
	step(TopicCreated{Name: "last", ID: topicID(10), Partitions: 1, FirstEpoch: math.MaxInt32})
	step(ProcessStarted{Clean: false, BrokerEpoch: 11})
	want("last", math.MaxInt32)
}

func TestDelete_NameIsFreeIdIsNot(t *testing.T) {
	i := sample(t)
	if i.Topic("two") != nil || i.TopicByID(topicID(2)) != nil {
		t.Error("a deleted topic is found")
	}
	i, err := i.apply(TopicCreated{Name: "two", ID: topicID(3), Partitions: 1})
	must(t, err)
	for topic := range i.Deleting() {
		if topic.ID != topicID(2) || topic.Name != "two" || topic.Partitions != 3 {
			t.Errorf("deleting %+v", topic)
		}
	}
	i, err = i.apply(TopicPurged{ID: topicID(2)})
	must(t, err)
	if i.deleting.size != 0 || i.Topic("two").ID != topicID(3) {
		t.Errorf("after purge: %s", dump(t, i))
	}
}
