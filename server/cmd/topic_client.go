package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sordini/server/meta"
)

const defaultBootstrap = "127.0.0.1:9092"

// clientFlags are the flags of commands that speak to a server.
type clientFlags struct {
	bootstrap string
	timeout   time.Duration
	output    format
}

func (f *clientFlags) addTo(c *cobra.Command, p *Process) {
	address := p.env(bootstrapVariable)
	if address == "" {
		address = defaultBootstrap
	}
	c.Flags().StringVar(&f.bootstrap, "bootstrap", address, "address host:port of the server, several separated by commas; from "+bootstrapVariable)
	c.Flags().DurationVar(&f.timeout, "timeout", 15*time.Second, "longest time that the command may take")
	f.output.addTo(c)
}

// do connects to the server and calls command, which may take until the timeout.
func (f *clientFlags) do(command func(ctx context.Context, client *kadm.Client) error) error {
	return f.connect(func(ctx context.Context, client *kgo.Client) error {
		admin := kadm.NewClient(client)
		admin.SetTimeoutMillis(int32(min(f.timeout, time.Hour).Milliseconds()))
		return command(ctx, admin)
	})
}

// connect is do for requests that kadm does not make.
func (f *clientFlags) connect(command func(ctx context.Context, client *kgo.Client) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), f.timeout)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(f.bootstrap, ",")...), kgo.ClientID("sordini"))
	if err != nil {
		return usageErrorf("--bootstrap %s: %w", f.bootstrap, err)
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("no server at %s: %w", f.bootstrap, err)
	}
	return command(ctx, client)
}

// serverError joins the server's message to its error code: the message says what the code means here.
func serverError(err error, message string) error {
	var code *kerr.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &code):
		return err
	case message == "":
		return fmt.Errorf("%s: %s", code.Message, code.Description)
	default:
		return fmt.Errorf("%s: %s", code.Message, message)
	}
}

// parseConfigs reads the values of --config.
func parseConfigs(assignments []string) (map[string]*string, error) {
	configs := make(map[string]*string, len(assignments))
	for _, assignment := range assignments {
		key, value, found := strings.Cut(assignment, "=")
		key = strings.TrimSpace(key)
		if !found || key == "" {
			return nil, usageErrorf("--config %s: write key=value", assignment)
		}
		if _, twice := configs[key]; twice {
			return nil, usageErrorf("--config sets %s twice", key)
		}
		configs[key] = &value
	}
	return configs, nil
}

// topicResult is what became of one topic.
type topicResult struct {
	Name       string `json:"name"`
	ID         string `json:"id,omitempty"`
	Partitions int32  `json:"partitions,omitempty"` // 0 if unknown
	Error      string `json:"error,omitempty"`
}

// printResults prints what a command did to topics; done is its verb. The exit code is that of failure if one of
// them failed.
func (f *clientFlags) printResults(p *Process, done string, results []topicResult) error {
	failed := 0
	for _, r := range results {
		if r.Error != "" {
			failed++
		}
	}
	if f.output == formatJSON {
		err := printJSON(p.Stdout, struct {
			JSONVersion int           `json:"_version"`
			Topics      []topicResult `json:"topics"`
		}{jsonVersion, results})
		if err != nil {
			return err
		}
	} else {
		for _, r := range results {
			if err := r.print(p, done); err != nil {
				return err
			}
		}
	}
	if failed > 0 {
		return &exitError{code: exitFailure}
	}
	return nil
}

func (r topicResult) print(p *Process, done string) error {
	if r.Error != "" {
		_, err := fmt.Fprintf(p.Stderr, "%s: %s\n", r.Name, r.Error)
		return err
	}
	details := ""
	if r.Partitions > 0 {
		details += ", " + count(int(r.Partitions), "partition")
	}
	if r.ID != "" {
		details += ", id " + r.ID
	}
	_, err := fmt.Fprintf(p.Stdout, "%s %s%s\n", done, r.Name, details)
	return err
}

// formatID shows a topic id as Kafka does; kadm uses another alphabet of base64.
func formatID(id kadm.TopicID) string { return meta.TopicID(id).String() }

// resultOf is the result for a topic with the server's answer about it.
func resultOf(name string, id kadm.TopicID, err error, message string) topicResult {
	r := topicResult{Name: name}
	if id != (kadm.TopicID{}) {
		r.ID = formatID(id)
	}
	if err != nil {
		r.Error = serverError(err, message).Error()
	}
	return r
}
