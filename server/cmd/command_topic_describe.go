package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicDescription is what "topic describe" prints of one topic.
type topicDescription struct {
	Name       string                 `json:"name"`
	ID         string                 `json:"id,omitempty"`
	Internal   bool                   `json:"internal"`
	Error      string                 `json:"error,omitempty"`
	Configs    []topicConfig          `json:"configs"`
	Partitions []partitionDescription `json:"partitions"`
}

// topicConfig is a setting that differs from its default.
type topicConfig struct {
	Name   string  `json:"name"`
	Value  *string `json:"value"` // null for secrets
	Source string  `json:"source"`
}

// partitionDescription is one partition; numbers that the server did not tell are null.
type partitionDescription struct {
	Partition     int32  `json:"partition"`
	Leader        int32  `json:"leader"` // -1 for none
	LeaderEpoch   int32  `json:"leaderEpoch"`
	LogStart      *int64 `json:"logStartOffset"`
	HighWatermark *int64 `json:"highWatermark"`
	Bytes         *int64 `json:"bytes"` // on the disk
	Error         string `json:"error,omitempty"`
}

func newTopicDescribeCommand(p *Process) *cobra.Command {
	var flags clientFlags
	c := &cobra.Command{
		Use:   "describe NAME...",
		Short: "Show partitions and settings of topics",
		Long: `Show the partitions of topics, and those settings that differ from their
defaults.

  $ sordini topic describe orders
  orders  id 3T4NUyfTTwSnzqPkgjSEuA
    retention.ms=86400000  (topic)
  PARTITION  LEADER  EPOCH  LOG START  HIGH WATERMARK  SIZE
  0          1       0      0          118203          51 MiB
  1          1       0      0          0               0 B`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return flags.do(func(ctx context.Context, client *kadm.Client) error {
				topics, err := describeTopics(ctx, client, args)
				if err != nil {
					return err
				}
				return printDescriptions(p, flags.output, topics)
			})
		},
	}
	flags.addTo(c, p)
	return c
}

// topicFacts are the answers that a description is made of.
type topicFacts struct {
	details    kadm.TopicDetails
	configs    kadm.ResourceConfigs
	start, end kadm.ListedOffsets
	sizes      kadm.DescribedAllLogDirs
}

// describeTopics asks the server. What is wrong with a single topic is in its description.
func describeTopics(ctx context.Context, client *kadm.Client, names []string) ([]topicDescription, error) {
	metadata, err := client.Metadata(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", serverError(err, ""))
	}
	facts := topicFacts{details: metadata.Topics}
	var found []string
	for _, name := range names {
		if facts.details[name].Err == nil {
			found = append(found, name)
		}
	}
	if len(found) > 0 {
		if err := facts.ask(ctx, client, found); err != nil {
			return nil, err
		}
	}
	var topics []topicDescription
	for _, name := range names {
		topics = append(topics, facts.describe(name))
	}
	return topics, nil
}

// ask fills in what Metadata does not tell. A server without DescribeLogDirs tells no sizes.
func (f *topicFacts) ask(ctx context.Context, client *kadm.Client, names []string) error {
	var err error
	if f.configs, err = client.DescribeTopicConfigs(ctx, names...); err != nil {
		return fmt.Errorf("settings: %w", serverError(err, ""))
	}
	if f.start, err = client.ListStartOffsets(ctx, names...); err != nil {
		return fmt.Errorf("log start offsets: %w", serverError(err, ""))
	}
	if f.end, err = client.ListEndOffsets(ctx, names...); err != nil {
		return fmt.Errorf("high watermarks: %w", serverError(err, ""))
	}
	var set kadm.TopicsSet
	for _, name := range names {
		set.Add(name, f.details[name].Partitions.Numbers()...)
	}
	f.sizes, err = client.DescribeAllLogDirs(ctx, set)
	if err != nil && len(f.sizes) == 0 && ctx.Err() != nil {
		return fmt.Errorf("sizes: %w", err)
	}
	return nil
}

func (f *topicFacts) describe(name string) topicDescription {
	detail := f.details[name]
	t := topicDescription{Name: name, Configs: []topicConfig{}, Partitions: []partitionDescription{}}
	if detail.Err != nil {
		t.Error = serverError(detail.Err, "").Error()
		return t
	}
	t.ID, t.Internal = formatID(detail.ID), detail.IsInternal
	resource, err := f.configs.On(name, nil)
	if err == nil {
		err = serverError(resource.Err, resource.ErrMessage)
	}
	if err != nil {
		t.Error = "settings: " + err.Error()
	}
	for _, c := range resource.Configs {
		if c.Source != kmsg.ConfigSourceDefaultConfig {
			t.Configs = append(t.Configs, topicConfig{c.Key, c.Value, sourceName(c.Source)})
		}
	}
	for _, d := range detail.Partitions.Sorted() {
		t.Partitions = append(t.Partitions, f.describePartition(d))
	}
	return t
}

func (f *topicFacts) describePartition(d kadm.PartitionDetail) partitionDescription {
	p := partitionDescription{Partition: d.Partition, Leader: d.Leader, LeaderEpoch: d.LeaderEpoch}
	err := d.Err
	offset := func(list kadm.ListedOffsets) *int64 {
		listed, ok := list.Lookup(d.Topic, d.Partition)
		if !ok {
			return nil
		}
		err = errors.Join(err, listed.Err)
		if listed.Err != nil {
			return nil
		}
		return &listed.Offset
	}
	p.LogStart, p.HighWatermark = offset(f.start), offset(f.end)
	if listed, ok := f.sizes[d.Leader].LookupPartition(d.Topic, d.Partition); ok {
		p.Bytes = &listed.Size
	}
	if err != nil {
		p.Error = serverError(err, "").Error()
	}
	return p
}

// sourceName is where a setting was set.
func sourceName(source kmsg.ConfigSource) string {
	switch source {
	case kmsg.ConfigSourceDynamicTopicConfig:
		return "topic"
	case kmsg.ConfigSourceDynamicBrokerConfig:
		return "broker, while it ran"
	case kmsg.ConfigSourceDynamicDefaultBrokerConfig:
		return "all brokers, while they ran"
	case kmsg.ConfigSourceStaticBrokerConfig:
		return "broker, at start"
	default:
		return strings.ToLower(source.String())
	}
}

func printDescriptions(p *Process, output format, topics []topicDescription) error {
	if output == formatJSON {
		err := printJSON(p.Stdout, struct {
			JSONVersion int                `json:"_version"`
			Topics      []topicDescription `json:"topics"`
		}{jsonVersion, topics})
		if err != nil {
			return err
		}
	}
	failed := false
	for i, t := range topics {
		failed = failed || t.failed()
		if output == formatJSON {
			continue
		}
		if i > 0 {
			fmt.Fprintln(p.Stdout)
		}
		if err := t.print(p.Stdout, p.Stderr); err != nil {
			return err
		}
	}
	if failed {
		return &exitError{code: exitFailure}
	}
	return nil
}

func (t *topicDescription) failed() bool {
	for _, p := range t.Partitions {
		if p.Error != "" {
			return true
		}
	}
	return t.Error != ""
}

func (t *topicDescription) print(out, errs io.Writer) error {
	if t.Error != "" {
		fmt.Fprintf(errs, "%s: %s\n", t.Name, t.Error)
	}
	if t.ID == "" {
		return nil
	}
	internal := ""
	if t.Internal {
		internal = "  internal"
	}
	fmt.Fprintf(out, "%s  id %s%s\n", t.Name, t.ID, internal)
	for _, c := range t.Configs {
		value := hidden
		if c.Value != nil {
			value = *c.Value
		}
		fmt.Fprintf(out, "  %s=%s  (%s)\n", c.Name, value, c.Source)
	}
	rows := [][]string{{"PARTITION", "LEADER", "EPOCH", "LOG START", "HIGH WATERMARK", "SIZE"}}
	for _, p := range t.Partitions {
		size := "-"
		if p.Bytes != nil {
			size = formatBytes(*p.Bytes)
		}
		rows = append(rows, []string{
			formatInt(int64(p.Partition)), formatInt(int64(p.Leader)), formatInt(int64(p.LeaderEpoch)),
			optional(p.LogStart), optional(p.HighWatermark), size,
		})
		if p.Error != "" {
			fmt.Fprintf(errs, "%s-%d: %s\n", t.Name, p.Partition, p.Error)
		}
	}
	return printTable(out, rows)
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }

// optional shows a number that may be unknown.
func optional(n *int64) string {
	if n == nil {
		return "-"
	}
	return formatInt(*n)
}
