package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// errNoGroup: the server knows no such group.
var errNoGroup = errors.New("no such group")

// groupDescription is what is known of a group.
type groupDescription struct {
	Name            string            `json:"name"`
	Type            string            `json:"type,omitempty"` // "classic" or "consumer" (KIP-848)
	State           string            `json:"state,omitempty"`
	ProtocolType    string            `json:"protocolType,omitempty"` // "" if there are only offsets
	Assignor        string            `json:"assignor,omitempty"`     // of the classic protocol: what the members have agreed on
	Epoch           *int32            `json:"epoch,omitempty"`        // of consumer groups
	AssignmentEpoch *int32            `json:"assignmentEpoch,omitempty"`
	Coordinator     *groupCoordinator `json:"coordinator,omitempty"`
	Lag             *int64            `json:"lag"` // sum of all that are known; null if none is
	Members         []groupMember     `json:"members"`
	Partitions      []groupPartition  `json:"partitions"`
	Error           string            `json:"error,omitempty"`
}

type groupCoordinator struct {
	ID      int32  `json:"id"`
	Address string `json:"address"`
}

type groupMember struct {
	ID         string            `json:"id"`
	ClientID   string            `json:"clientId"`
	Host       string            `json:"host"`
	InstanceID *string           `json:"instanceId,omitempty"` // of static members
	Epoch      *int32            `json:"epoch,omitempty"`      // of members of consumer groups
	Assigned   []topicPartitions `json:"assigned"`
}

// topicPartitions are partitions of one topic.
type topicPartitions struct {
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions"`
}

// String is the form that --topic takes.
func (t topicPartitions) String() string {
	numbers := make([]string, len(t.Partitions))
	for i, n := range t.Partitions {
		numbers[i] = strconv.Itoa(int(n))
	}
	return t.Topic + ":" + strings.Join(numbers, ",")
}

// groupPartition is a partition for which a group has committed an offset or has an owner. What the server did
// not tell is null.
type groupPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    *int64 `json:"offset"` // that the group has committed
	LogEnd    *int64 `json:"logEndOffset"`
	Lag       *int64 `json:"lag"`
	Member    string `json:"member,omitempty"` // that owns the partition
	Metadata  string `json:"metadata,omitempty"`
	Gone      bool   `json:"gone,omitempty"` // there is no such partition any more
	Error     string `json:"error,omitempty"`
}

// partitionKey names a partition of a topic.
type partitionKey struct {
	topic string
	index int32
}

func (k partitionKey) String() string { return fmt.Sprintf("%s-%d", k.topic, k.index) }

func comparePartitions(a, b partitionKey) int {
	return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.index, b.index))
}

// describeGroup asks the server about a group and its members: of either protocol, because a group's name does
// not tell which it speaks. The error is errNoGroup if there is none.
func describeGroup(ctx context.Context, client *kadm.Client, name string) (groupDescription, error) {
	consumers, err := client.DescribeConsumerGroups(ctx, name)
	consumer := consumers[name]
	if err == nil {
		err = consumer.Err
	}
	if err == nil {
		return describeConsumer(consumer), nil
	}
	// A classic group is not found, and an old server, or kgo for it, does not know the question.
	var code *kerr.Error
	if ctx.Err() != nil || errors.As(err, &code) && code != kerr.GroupIDNotFound && code != kerr.UnsupportedVersion {
		return groupDescription{}, serverError(err, "")
	}
	classics, err := client.DescribeGroups(ctx, name)
	if err != nil {
		return groupDescription{}, serverError(err, "")
	}
	classic := classics[name]
	switch {
	case classic.Err == kerr.GroupIDNotFound && classic.ErrMessage != "":
		return groupDescription{}, fmt.Errorf("%w: %s", errNoGroup, strings.TrimSuffix(classic.ErrMessage, "."))
	case classic.Err == kerr.GroupIDNotFound, classic.State == "Dead":
		return groupDescription{}, errNoGroup
	case classic.Err != nil:
		return groupDescription{}, serverError(classic.Err, classic.ErrMessage)
	}
	return describeClassic(classic), nil
}

func describeConsumer(d kadm.DescribedConsumerGroup) groupDescription {
	g := groupDescription{
		Name: d.Group, Type: "consumer", State: d.State, ProtocolType: "consumer", Assignor: d.AssignorName,
		Epoch: &d.Epoch, AssignmentEpoch: &d.AssignmentEpoch, Coordinator: coordinatorOf(d.Coordinator),
		Members: []groupMember{}, Partitions: []groupPartition{},
	}
	for _, m := range d.Members {
		g.Members = append(g.Members, groupMember{
			ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost, InstanceID: m.InstanceID, Epoch: &m.MemberEpoch,
			Assigned: assignment(m.Assignment),
		})
	}
	return g
}

func describeClassic(d kadm.DescribedGroup) groupDescription {
	g := groupDescription{
		Name: d.Group, Type: "classic", State: d.State, ProtocolType: d.ProtocolType, Assignor: d.Protocol,
		Coordinator: coordinatorOf(d.Coordinator), Members: []groupMember{}, Partitions: []groupPartition{},
	}
	for _, m := range d.Members {
		var assigned kadm.TopicsSet
		if a, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range a.Topics {
				assigned.Add(t.Topic, t.Partitions...)
			}
		}
		g.Members = append(g.Members, groupMember{
			ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost, InstanceID: m.InstanceID, Assigned: assignment(assigned),
		})
	}
	return g
}

func coordinatorOf(b kadm.BrokerDetail) *groupCoordinator {
	return &groupCoordinator{b.NodeID, net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))}
}

// assignment is a set of partitions in order.
func assignment(set kadm.TopicsSet) []topicPartitions {
	assigned := []topicPartitions{}
	set.EachPartitions(func(topic string, partitions []int32) {
		slices.Sort(partitions)
		assigned = append(assigned, topicPartitions{topic, partitions})
	})
	slices.SortFunc(assigned, func(a, b topicPartitions) int { return strings.Compare(a.Topic, b.Topic) })
	return assigned
}

// owners tells which member owns a partition.
func (g *groupDescription) owners() map[partitionKey]string {
	owners := make(map[partitionKey]string)
	for _, m := range g.Members {
		for _, t := range m.Assigned {
			for _, index := range t.Partitions {
				owners[partitionKey{t.Topic, index}] = m.ID
			}
		}
	}
	return owners
}

// parseTopics reads the values of --topic, TOPIC or TOPIC:0,2. A topic without partitions is in the set without.
func parseTopics(args []string) (kadm.TopicsSet, error) {
	var set kadm.TopicsSet
	for _, arg := range args {
		topic, list, some := strings.Cut(arg, ":")
		if topic == "" {
			return nil, usageErrorf("--topic %q: write TOPIC or TOPIC:0,2", arg)
		}
		if _, twice := set[topic]; twice {
			return nil, usageErrorf("--topic names %s twice", topic)
		}
		set.Add(topic)
		if !some {
			continue
		}
		for number := range strings.SplitSeq(list, ",") {
			index, err := strconv.ParseUint(number, 10, 31)
			if err != nil {
				return nil, usageErrorf("--topic %s: %q is not the number of a partition", arg, number)
			}
			set.Add(topic, int32(index))
		}
	}
	return set, nil
}

// printable shows text of other clients, which may be any bytes: in quotes, unless it is plain.
func printable(s string) string {
	if s == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// orDash is printable for what may be missing.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s)
}
