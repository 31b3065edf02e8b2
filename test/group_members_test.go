package test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	sharedTopic      = "shared"
	sharedPartitions = 12
	sharedRecords    = 3000
)

// ledger is what the members of a group have done.
type ledger struct {
	t  *testing.T
	mu sync.Mutex

	owner map[int32]string // of each partition that a member has
	seen  map[place]int    // how often each record was read
}

func (l *ledger) assigned(member string, partitions []int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range partitions {
		if other := l.owner[p]; other != "" {
			l.t.Errorf("partition %d goes to %s while %s has it", p, member, other)
		}
		l.owner[p] = member
	}
}

func (l *ledger) revoked(member string, partitions []int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range partitions {
		if l.owner[p] == member {
			l.owner[p] = ""
		}
	}
}

func (l *ledger) read(r *kgo.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[place{r.Partition, r.Offset}]++
}

func (l *ledger) distinct() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen)
}

// groupMember is one member of a group.
type groupMember struct {
	name string
	cl   *kgo.Client
	stop context.CancelFunc
	done sync.WaitGroup
}

// joinGroup starts a member, which commits what it has read before it gives
// partitions back, and when it leaves.
func joinGroup(l *ledger, b *broker, group, name string, next bool) *groupMember {
	l.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	m := &groupMember{name: name, stop: stop}
	lost := func(ctx context.Context, cl *kgo.Client, lost map[string][]int32) {
		if err := cl.CommitUncommittedOffsets(ctx); err != nil && ctx.Err() == nil {
			l.t.Errorf("%s: commit: %v", name, err)
		}
		l.revoked(name, lost[sharedTopic])
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(b.addr), kgo.ConsumerGroup(group), kgo.ConsumeTopics(sharedTopic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.BlockRebalanceOnPoll(), kgo.SessionTimeout(10 * time.Second),
		kgo.HeartbeatInterval(100 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) { l.assigned(name, got[sharedTopic]) }),
		kgo.OnPartitionsRevoked(lost), kgo.OnPartitionsLost(lost),
	}
	if next {
		// The client's way of opting in to KIP-848.
		opts = append(opts, kgo.WithContext(context.WithValue(context.Background(), "opt_in_kafka_next_gen_balancer_beta", true))) //nolint:staticcheck // the key is a string there
	}
	var err error
	if m.cl, err = kgo.NewClient(opts...); err != nil {
		l.t.Fatal(err)
	}
	m.done.Go(func() {
		for ctx.Err() == nil {
			m.cl.PollRecords(ctx, 50).EachRecord(l.read)
			m.cl.AllowRebalance()
		}
		m.cl.CloseAllowingRebalance()
	})
	return m
}

func (m *groupMember) leave() {
	m.stop()
	m.done.Wait()
}

// TestGroup_Members: members come and go; each record is read, no partition has two
// owners, and as everybody commits what he has read, none is read twice. A member
// that comes when all is read gets nothing.
func TestGroup_Members(t *testing.T) {
	for name, next := range map[string]bool{"classic": false, "consumer": true} {
		t.Run(name, func(t *testing.T) {
			b := startBroker(t, "--set", "group.initial.rebalance.delay.ms=0",
				"--set", "group.consumer.min.heartbeat.interval.ms=50", "--set", "group.consumer.heartbeat.interval.ms=50")
			createTopic(t, b, sharedTopic, sharedPartitions)
			l := &ledger{t: t, owner: make(map[int32]string), seen: make(map[place]int)}
			produceShared(t, b, 0, sharedRecords/2)
			first, second := joinGroup(l, b, name, "first", next), joinGroup(l, b, name, "second", next)
			owners := func(members ...string) func() error {
				return func() error { return l.fair(members) }
			}
			eventually(t, "two members share", owners("first", "second"))
			third := joinGroup(l, b, name, "third", next)
			eventually(t, "three members share", owners("first", "second", "third"))
			produceShared(t, b, sharedRecords/2, sharedRecords)
			first.leave()
			eventually(t, "the two that are left share", owners("second", "third"))
			eventually(t, "all is read", func() error {
				if n := l.distinct(); n != sharedRecords {
					return fmt.Errorf("%d of %d", n, sharedRecords)
				}
				return nil
			})
			second.leave()
			third.leave()
			last := joinGroup(l, b, name, "last", next)
			eventually(t, "the last member has all", owners("last"))
			last.leave()
			for at, n := range l.seen {
				if n != 1 {
					t.Errorf("record %+v was read %d times", at, n)
				}
			}
		})
	}
}

// fair says whether the members have all partitions, each as many as the others.
func (l *ledger) fair(members []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	count := make(map[string]int)
	for p := range int32(sharedPartitions) {
		count[l.owner[p]]++
	}
	for _, m := range members {
		if count[m] != sharedPartitions/len(members) {
			return fmt.Errorf("%v", count)
		}
	}
	return nil
}

// produceShared produces numbered records to all partitions in turn.
func produceShared(t *testing.T, b *broker, from, to int) {
	t.Helper()
	cl := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	var records []*kgo.Record
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{Topic: sharedTopic, Partition: int32(i % sharedPartitions), Value: fmt.Append(nil, i)})
	}
	if err := cl.ProduceSync(within(t, patience), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
