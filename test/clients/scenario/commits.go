package scenario

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sordini/test/clients/event"
)

// commits reads what a group has committed.
type commits struct {
	admin      *kadm.Client
	group      string
	topic      string
	partitions int

	mu sync.Mutex // an older answer must not be told after a newer one
}

func openCommits(address, group, topic string, partitions int) (*commits, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		return nil, err
	}
	admin := kadm.NewClient(client)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err = admin.CreateTopic(ctx, int32(partitions), 1, nil, topic)
	return &commits{admin: admin, group: group, topic: topic, partitions: partitions}, err
}

// tell reads the commits and gives them to board in an event.
func (c *commits) tell(b *board, e event.Event) ([]int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	fetched, err := c.admin.FetchOffsets(ctx, c.group)
	if err != nil {
		return nil, fmt.Errorf("commits of %s: %w", c.group, err)
	}
	e.Offsets = make([]int64, c.partitions)
	for p := range e.Offsets {
		if o, ok := fetched.Lookup(c.topic, int32(p)); ok && o.Err != nil {
			return nil, fmt.Errorf("commits of %s, partition %d: %w", c.group, p, o.Err)
		} else if ok && o.At > 0 {
			e.Offsets[p] = o.At
		}
	}
	e.At = time.Now().UnixNano()
	b.tell(e)
	return e.Offsets, nil
}

// watch tells the commits every now and then until ctx ends.
func (c *commits) watch(ctx context.Context, b *board) {
	for ctx.Err() == nil {
		if _, err := c.tell(b, event.Event{Kind: event.Standing}); err != nil && ctx.Err() == nil {
			b.tell(event.Event{At: time.Now().UnixNano(), Kind: event.Note, Text: err.Error()})
		}
		select {
		case <-ctx.Done():
		case <-time.After(250 * time.Millisecond):
		}
	}
}
