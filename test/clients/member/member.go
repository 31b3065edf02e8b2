package member

import (
	"context"
	"fmt"
	"time"

	"sordini/test/clients/event"
)

// CommitInterval is how long what was processed stays uncommitted at most.
const CommitInterval = 300 * time.Millisecond

// Timing of the group that all members ask for, as short as a broker allows. The
// consumer protocol leaves it to the broker.
const (
	SessionTimeout    = 6 * time.Second
	HeartbeatInterval = time.Second
	RebalanceTimeout  = 15 * time.Second
)

// Protocols of groups.
const (
	Classic  = "classic"
	Consumer = "consumer" // KIP-848
)

// Strategies of assignment.
const (
	Range       = "range"
	Cooperative = "cooperative-sticky"
	Uniform     = "uniform" // the broker's own, of the consumer protocol
)

// Config is what a member is to be.
type Config struct {
	Address    string // host:port
	Topic      string
	Partitions int // of Topic
	Group      string
	Protocol   string
	Strategy   string
	Instance   string // of a static member, else ""
}

// libraries are the names that Run knows.
var libraries = map[string]func(context.Context, Config, *event.Writer) error{
	"franz-go":  runFranz,
	"sarama":    runSarama,
	"kafka-go":  runKafkaGo,
	"confluent": runConfluent,
}

// Run is a member made with a library until ctx ends.
func Run(ctx context.Context, library string, cfg Config, out *event.Writer) error {
	run, ok := libraries[library]
	if !ok {
		return fmt.Errorf("no client library %q", library)
	}
	return run(ctx, cfg, out)
}
