package member

import (
	"context"
	"errors"
	"log"
	"os"

	"github.com/IBM/sarama"

	"sordini/test/clients/event"
)

func runSarama(ctx context.Context, cfg Config, out *event.Writer) error {
	sarama.Logger = log.New(os.Stderr, "", log.LstdFlags|log.Lmicroseconds)
	c := sarama.NewConfig()
	c.Version = sarama.V4_3_0_0
	c.Consumer.Return.Errors = true
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Interval = CommitInterval
	c.Consumer.Group.Session.Timeout = SessionTimeout
	c.Consumer.Group.Heartbeat.Interval = HeartbeatInterval
	c.Consumer.Group.Rebalance.Timeout = RebalanceTimeout
	c.Consumer.Group.InstanceId = cfg.Instance
	strategy := sarama.NewBalanceStrategyRange()
	if cfg.Strategy == Cooperative {
		strategy = sarama.NewBalanceStrategyCooperativeSticky()
	}
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	group, err := sarama.NewConsumerGroup([]string{cfg.Address}, cfg.Group, c)
	if err != nil {
		return err
	}
	go func() {
		for err := range group.Errors() {
			out.Note("%v", err)
		}
	}()
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{cfg.Topic}, saramaHandler{out}); err != nil && !errors.Is(err, context.Canceled) {
			out.Fault("consume: %v", err)
			break
		}
	}
	return group.Close()
}

// saramaHandler tells of claims one by one: with the cooperative strategy they come
// and go while the session lasts.
type saramaHandler struct{ out *event.Writer }

func (saramaHandler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (saramaHandler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h saramaHandler) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	run := h.out.Run(claim.Partition())
	h.out.Assigned(s.GenerationID(), []int32{claim.Partition()})
	for message := range claim.Messages() {
		run.Add(message.Offset, message.Value)
		if len(claim.Messages()) == 0 {
			run.Flush()
		}
		s.MarkMessage(message, "")
	}
	run.Flush()
	s.Commit()
	h.out.Revoked([]int32{claim.Partition()})
	return nil
}
