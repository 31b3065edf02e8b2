//go:build linux

package raw

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topic is what to create.
type Topic struct {
	Name       string
	Partitions int32
	Configs    map[string]string
}

// Create creates a topic, waits until all its partitions take requests, and closes
// the connection.
func Create(addr string, t Topic) error {
	c, err := Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Create(t); err != nil {
		return err
	}
	return c.Await(t.Name, t.Partitions)
}

// Create creates a topic and does not wait for its partitions.
func (c *Conn) Create(t Topic) error {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = t.Name, t.Partitions, 1
	for name, value := range t.Configs {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = name, &value
		topic.Configs = append(topic.Configs, config)
	}
	req := versioned(kmsg.NewPtrCreateTopicsRequest(), 4)
	req.Topics, req.TimeoutMillis = []kmsg.CreateTopicsRequestTopic{topic}, 120_000
	resp, err := c.Ask(req)
	if err != nil {
		return err
	}
	for _, r := range resp.(*kmsg.CreateTopicsResponse).Topics {
		if r.ErrorCode != 0 {
			return fmt.Errorf("create topic %s: error %d", r.Topic, r.ErrorCode)
		}
	}
	return nil
}

// Delete deletes a topic, on a connection of its own.
func Delete(addr, topic string) error {
	c, err := Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	req := versioned(kmsg.NewPtrDeleteTopicsRequest(), 4)
	req.TopicNames, req.TimeoutMillis = []string{topic}, 120_000
	resp, err := c.Ask(req)
	if err != nil {
		return err
	}
	for _, r := range resp.(*kmsg.DeleteTopicsResponse).Topics {
		if r.ErrorCode != 0 {
			return fmt.Errorf("delete topic %s: error %d", topic, r.ErrorCode)
		}
	}
	return nil
}

// Await waits until the partitions 0 to n-1 of a topic tell their ends.
func (c *Conn) Await(topic string, n int32) error {
	deadline := time.Now().Add(2 * time.Minute)
	for {
		ends, err := c.Ends(topic, n)
		if err == nil && int32(len(ends)) == n {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("topic %s: %d of %d partitions answer: %w", topic, len(ends), n, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// Ends returns the end offsets of the partitions 0 to n-1 of a topic, or the first
// error that one of them tells.
func (c *Conn) Ends(topic string, n int32) ([]int64, error) {
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for i := range n {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = i, -1 // latest
		t.Partitions = append(t.Partitions, p)
	}
	req := versioned(kmsg.NewPtrListOffsetsRequest(), 5)
	req.ReplicaID, req.Topics = -1, []kmsg.ListOffsetsRequestTopic{t}
	resp, err := c.Ask(req)
	if err != nil {
		return nil, err
	}
	ends := make([]int64, 0, n)
	for _, t := range resp.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return ends, fmt.Errorf("ListOffsets of %s-%d: error %d", topic, p.Partition, p.ErrorCode)
			}
			ends = append(ends, p.Offset)
		}
	}
	return ends, nil
}
