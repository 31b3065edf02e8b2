package member

import (
	"context"
	"errors"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"sordini/test/clients/event"
)

func confluentConfig(cfg Config) *kafka.ConfigMap {
	c := kafka.ConfigMap{
		"bootstrap.servers": cfg.Address, "group.id": cfg.Group, "auto.offset.reset": "earliest", "group.protocol": cfg.Protocol,
		"enable.auto.commit": false, "enable.auto.offset.store": false, "fetch.wait.max.ms": 200, "debug": "cgrp",
	}
	if cfg.Protocol == Classic {
		c["session.timeout.ms"] = int(SessionTimeout / time.Millisecond)
		c["heartbeat.interval.ms"] = int(HeartbeatInterval / time.Millisecond)
		c["partition.assignment.strategy"] = cfg.Strategy
	} else {
		c["group.remote.assignor"] = cfg.Strategy
	}
	if cfg.Instance != "" {
		c["group.instance.id"] = cfg.Instance
	}
	return &c
}

func runConfluent(ctx context.Context, cfg Config, out *event.Writer) error {
	consumer, err := kafka.NewConsumer(confluentConfig(cfg))
	if err != nil {
		return err
	}
	m := &confluent{out: out, runs: make(map[int32]*event.Run)}
	if err := consumer.Subscribe(cfg.Topic, m.rebalance); err != nil {
		return err
	}
	for ctx.Err() == nil {
		m.take(consumer.Poll(50))
		if time.Since(m.committed) >= CommitInterval {
			if err := m.commit(consumer); err != nil {
				m.out.Note("commit: %v", err)
			}
		}
	}
	return consumer.Close()
}

type confluent struct {
	out       *event.Writer
	runs      map[int32]*event.Run
	next      map[int32]kafka.TopicPartition // to commit
	committed time.Time
}

func (m *confluent) take(e kafka.Event) {
	switch e := e.(type) {
	case *kafka.Message:
		if e.TopicPartition.Error != nil {
			m.out.Fault("message: %v", e.TopicPartition)
			return
		}
		p := e.TopicPartition.Partition
		if m.runs[p] == nil {
			m.runs[p] = m.out.Run(p)
		}
		m.runs[p].Add(int64(e.TopicPartition.Offset), e.Value)
		if m.next == nil {
			m.next = make(map[int32]kafka.TopicPartition)
		}
		next := e.TopicPartition
		next.Offset++
		m.next[p] = next
	case kafka.Error:
		m.out.Note("%v", e)
	}
}

// commit tells what was processed and commits it. What could not be committed stays.
func (m *confluent) commit(consumer *kafka.Consumer) error {
	m.committed = time.Now()
	if len(m.next) == 0 {
		return nil
	}
	var offsets []kafka.TopicPartition
	for p, next := range m.next {
		m.runs[p].Flush()
		offsets = append(offsets, next)
	}
	done, err := consumer.CommitOffsets(offsets)
	for _, tp := range done {
		if tp.Error == nil && err == nil {
			delete(m.next, tp.Partition)
			m.out.Committed(tp.Partition, int64(tp.Offset))
		} else {
			err = errors.Join(err, tp.Error)
		}
	}
	return err
}

// rebalance leaves the assignment itself to the library.
func (m *confluent) rebalance(consumer *kafka.Consumer, e kafka.Event) error {
	switch e := e.(type) {
	case kafka.AssignedPartitions:
		m.out.Assigned(0, numbers(e.Partitions))
	case kafka.RevokedPartitions:
		if consumer.AssignmentLost() {
			m.out.Lost(numbers(e.Partitions))
			clear(m.next)
			return nil
		}
		if err := m.commit(consumer); err != nil {
			m.out.Fault("commit before partitions %v are given back: %v", numbers(e.Partitions), err)
		}
		m.out.Revoked(numbers(e.Partitions))
	}
	return nil
}

func numbers(partitions []kafka.TopicPartition) []int32 {
	list := make([]int32, 0, len(partitions))
	for _, tp := range partitions {
		list = append(list, tp.Partition)
	}
	return list
}
