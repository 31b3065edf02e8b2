package member

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sordini/test/clients/event"
)

func runFranz(ctx context.Context, cfg Config, out *event.Writer) error {
	m := &franz{topic: cfg.Topic, out: out}
	options := []kgo.Opt{
		kgo.SeedBrokers(cfg.Address), kgo.ConsumerGroup(cfg.Group), kgo.ConsumeTopics(cfg.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200 * time.Millisecond),
		kgo.SessionTimeout(SessionTimeout), kgo.HeartbeatInterval(HeartbeatInterval), kgo.RebalanceTimeout(RebalanceTimeout),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.WithLogger(kgo.BasicLogger(os.Stderr, kgo.LogLevelInfo, nil)),
		kgo.OnPartitionsAssigned(m.assigned), kgo.OnPartitionsRevoked(m.revoked), kgo.OnPartitionsLost(m.lost),
	}
	switch cfg.Strategy {
	case Range:
		options = append(options, kgo.Balancers(kgo.RangeBalancer()))
	case Cooperative:
		options = append(options, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	case Uniform:
		options = append(options, kgo.Balancers(kgo.StickyBalancer())) // the name that kgo gives it
	}
	if cfg.Protocol == Consumer {
		options = append(options, kgo.ServerSideBalancer())
	}
	if cfg.Instance != "" {
		options = append(options, kgo.InstanceID(cfg.Instance))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	return m.loop(ctx, client)
}

type franz struct {
	topic string
	out   *event.Writer
}

func (m *franz) loop(ctx context.Context, client *kgo.Client) error {
	committed := time.Now()
	for {
		poll, cancel := context.WithTimeout(ctx, CommitInterval)
		fetches := client.PollRecords(poll, 1000)
		cancel()
		for _, failed := range fetches.Errors() {
			if !errors.Is(failed.Err, context.DeadlineExceeded) && !errors.Is(failed.Err, context.Canceled) {
				m.out.Fault("poll: %v", failed.Err)
			}
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			run := m.out.Run(p.Partition)
			for _, r := range p.Records {
				run.Add(r.Offset, r.Value)
			}
			run.Flush()
		})
		if time.Since(committed) >= CommitInterval || ctx.Err() != nil {
			committed = time.Now()
			if err := m.commit(context.WithoutCancel(ctx), client); err != nil {
				m.out.Note("commit: %v", err)
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		client.AllowRebalance()
	}
}

func (m *franz) commit(ctx context.Context, client *kgo.Client) error {
	uncommitted := client.UncommittedOffsets()[m.topic]
	if len(uncommitted) == 0 {
		return nil
	}
	if err := client.CommitUncommittedOffsets(ctx); err != nil {
		return fmt.Errorf("%v: %w", uncommitted, err)
	}
	for p, o := range uncommitted {
		m.out.Committed(p, o.Offset)
	}
	return nil
}

func (m *franz) assigned(_ context.Context, client *kgo.Client, p map[string][]int32) {
	_, generation := client.GroupMetadata()
	m.out.Assigned(generation, p[m.topic])
}

func (m *franz) revoked(ctx context.Context, client *kgo.Client, p map[string][]int32) {
	if err := m.commit(ctx, client); err != nil {
		m.out.Fault("commit before partitions %v are given back: %v", p[m.topic], err)
	}
	m.out.Revoked(p[m.topic])
}

func (m *franz) lost(_ context.Context, _ *kgo.Client, p map[string][]int32) {
	m.out.Lost(p[m.topic])
}
