package member

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"sordini/test/clients/event"
)

// runKafkaGo uses the Reader, which hides the group: what it has been assigned shows
// in its log alone.
func runKafkaGo(ctx context.Context, cfg Config, out *event.Writer) error {
	watch := &kafkaGoLog{out: out}
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{cfg.Address}, GroupID: cfg.Group, Topic: cfg.Topic, StartOffset: kafka.FirstOffset,
		HeartbeatInterval: HeartbeatInterval, SessionTimeout: SessionTimeout, RebalanceTimeout: RebalanceTimeout,
		MaxWait: 200 * time.Millisecond, JoinGroupBackoff: 500 * time.Millisecond, CommitInterval: CommitInterval,
		GroupBalancers: []kafka.GroupBalancer{kafka.RangeGroupBalancer{}},
		Logger:         kafka.LoggerFunc(watch.print), ErrorLogger: kafka.LoggerFunc(stderr),
	})
	runs := make(map[int32]*event.Run)
	flush := func() {
		for _, run := range runs {
			run.Flush()
		}
	}
	var waiting []kafka.Message
	for ctx.Err() == nil {
		fetch, cancel := context.WithTimeout(ctx, CommitInterval)
		message, err := reader.FetchMessage(fetch)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			out.Note("fetch: %v", err)
		}
		if err == nil {
			p := int32(message.Partition)
			if runs[p] == nil {
				runs[p] = out.Run(p)
			}
			runs[p].Add(message.Offset, message.Value)
			waiting = append(waiting, message)
		}
		if len(waiting) > 0 && (err != nil || len(waiting) >= 200) {
			flush()
			if err := reader.CommitMessages(context.WithoutCancel(ctx), waiting...); err != nil {
				out.Note("commit: %v", err)
			}
			waiting = waiting[:0]
		}
	}
	return reader.Close()
}

func stderr(format string, args ...any) {
	fmt.Fprintln(os.Stderr, time.Now().Format(time.StampMicro), strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// kafkaGoLog makes events of what the Reader logs.
type kafkaGoLog struct {
	out *event.Writer

	mu         sync.Mutex
	generation int32
	partitions []int32
}

var partitionText = regexp.MustCompile(`partition:(\d+)`)

func (l *kafkaGoLog) print(format string, args ...any) {
	stderr(format, args...)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case strings.HasPrefix(format, "joined group %s as member %s in generation"):
		l.generation, _ = args[2].(int32)
	case strings.HasPrefix(format, "subscribed to topics and partitions"):
		l.partitions = nil
		for _, match := range partitionText.FindAllStringSubmatch(fmt.Sprintf(format, args...), -1) {
			n, _ := strconv.Atoi(match[1]) // the expression took digits only
			l.partitions = append(l.partitions, int32(n))
		}
		l.out.Assigned(l.generation, l.partitions)
	case strings.HasPrefix(format, "stopped commit for group"):
		l.out.Revoked(l.partitions)
		l.partitions = nil
	}
}
