package cmd

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

func newTopicCommand(p *Process) *cobra.Command {
	return newGroupCommand("topic", "Create, list, describe, alter and delete topics",
		`Work with the topics of a running server, sordini or any other that speaks the
Kafka protocol.`,
		newTopicCreateCommand(p), newTopicListCommand(p), newTopicDescribeCommand(p), newTopicAlterCommand(p), newTopicDeleteCommand(p))
}

func newTopicCreateCommand(p *Process) *cobra.Command {
	var flags clientFlags
	var partitions int32
	var assignments []string
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a topic",
		Long: `Create a topic.

  $ sordini topic create orders --partitions 3 --config retention.ms=86400000
  created orders, 3 partitions, id 3T4NUyfTTwSnzqPkgjSEuA`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			configs, err := parseConfigs(assignments)
			if err != nil {
				return err
			}
			if partitions == 0 || partitions < -1 {
				return usageErrorf("--partitions %d: must be at least 1, or -1 for the server's default", partitions)
			}
			return flags.do(func(ctx context.Context, client *kadm.Client) error {
				answers, err := client.CreateTopics(ctx, partitions, -1, configs, args[0])
				if err != nil {
					return serverError(err, "")
				}
				answer := answers[args[0]]
				result := resultOf(args[0], answer.ID, answer.Err, answer.ErrMessage)
				if answer.Err == nil {
					result.Partitions = max(answer.NumPartitions, 0)
				}
				return flags.printResults(p, "created", []topicResult{result})
			})
		},
	}
	flags.addTo(c, p)
	c.Flags().Int32Var(&partitions, "partitions", -1, "number of partitions; -1 for the server's default")
	c.Flags().StringArrayVar(&assignments, "config", nil, "one setting of the topic as key=value, repeatable")
	return c
}

// listedTopic is one line of "topic list".
type listedTopic struct {
	Name       string `json:"name"`
	Partitions int    `json:"partitions"`
	ID         string `json:"id"`
	Internal   bool   `json:"internal"`
}

func newTopicListCommand(p *Process) *cobra.Command {
	var flags clientFlags
	var internal bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List topics",
		Long: `List topics by name.

  $ sordini topic list
  TOPIC      PARTITIONS  ID
  greetings  1           DzUBCUuoS2GbUHVd1aXUVQ
  orders     3           3T4NUyfTTwSnzqPkgjSEuA`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return flags.do(func(ctx context.Context, client *kadm.Client) error {
				details, err := client.ListTopicsWithInternal(ctx)
				if err != nil {
					return serverError(err, "")
				}
				return printTopics(p, flags.output, details, internal)
			})
		},
	}
	flags.addTo(c, p)
	c.Flags().BoolVar(&internal, "internal", false, "list the server's own topics too")
	return c
}

func printTopics(p *Process, output format, details kadm.TopicDetails, internal bool) error {
	topics := []listedTopic{}
	rows := [][]string{{"TOPIC", "PARTITIONS", "ID"}}
	for _, d := range details.Sorted() {
		if d.IsInternal && !internal {
			continue
		}
		t := listedTopic{d.Topic, len(d.Partitions), formatID(d.ID), d.IsInternal}
		topics = append(topics, t)
		rows = append(rows, []string{t.Name, strconv.Itoa(t.Partitions), t.ID})
	}
	if output == formatJSON {
		return printJSON(p.Stdout, struct {
			JSONVersion int           `json:"_version"`
			Topics      []listedTopic `json:"topics"`
		}{jsonVersion, topics})
	}
	return printTable(p.Stdout, rows)
}

func newTopicAlterCommand(p *Process) *cobra.Command {
	var flags clientFlags
	var partitions int
	var assignments, deletions []string
	c := &cobra.Command{
		Use:   "alter NAME",
		Short: "Change settings or the number of partitions of a topic",
		Long: `Change settings of a topic, or raise its number of partitions. Settings change
first; partitions are left alone if that fails.

  $ sordini topic alter orders --partitions 6 --config flush.policy=async --delete-config retention.ms
  altered orders`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			changes, err := configChanges(assignments, deletions)
			if err != nil {
				return err
			}
			grow := c.Flags().Changed("partitions")
			if len(changes) == 0 && !grow {
				return usageErrorf("nothing to change: give --partitions, --config or --delete-config")
			}
			if grow && partitions < 1 {
				return usageErrorf("--partitions %d: must be at least 1", partitions)
			}
			return flags.do(func(ctx context.Context, client *kadm.Client) error {
				err := alterTopic(ctx, client, args[0], changes, partitions)
				result := topicResult{Name: args[0]}
				if err != nil {
					result.Error = err.Error()
				}
				return flags.printResults(p, "altered", []topicResult{result})
			})
		},
	}
	flags.addTo(c, p)
	c.Flags().IntVar(&partitions, "partitions", 0, "new number of partitions, above the present one")
	c.Flags().StringArrayVar(&assignments, "config", nil, "one setting to set, as key=value, repeatable")
	c.Flags().StringArrayVar(&deletions, "delete-config", nil, "one setting to set back to its default, repeatable")
	return c
}

// configChanges makes one change of each flag.
func configChanges(assignments, deletions []string) ([]kadm.AlterConfig, error) {
	set, err := parseConfigs(assignments)
	if err != nil {
		return nil, err
	}
	var changes []kadm.AlterConfig
	for name, value := range set {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: value})
	}
	for _, name := range deletions {
		if _, both := set[name]; both {
			return nil, usageErrorf("--config and --delete-config both name %s", name)
		}
		changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name})
	}
	slices.SortFunc(changes, func(a, b kadm.AlterConfig) int { return strings.Compare(a.Name, b.Name) })
	return changes, nil
}

// alterTopic makes the changes, then raises the number of partitions unless that is 0.
func alterTopic(ctx context.Context, client *kadm.Client, name string, changes []kadm.AlterConfig, partitions int) error {
	if len(changes) > 0 {
		answers, err := client.AlterTopicConfigs(ctx, changes, name)
		if err != nil {
			return serverError(err, "")
		}
		for _, answer := range answers {
			if answer.Err != nil {
				return serverError(answer.Err, answer.ErrMessage)
			}
		}
	}
	if partitions > 0 {
		answers, err := client.UpdatePartitions(ctx, partitions, name)
		if err != nil {
			return serverError(err, "")
		}
		if answer := answers[name]; answer.Err != nil {
			return serverError(answer.Err, answer.ErrMessage)
		}
	}
	return nil
}

func newTopicDeleteCommand(p *Process) *cobra.Command {
	var flags clientFlags
	c := &cobra.Command{
		Use:   "delete NAME...",
		Short: "Delete topics with all their records",
		Long: `Delete topics with all their records. Each is deleted or fails on its own.

  $ sordini topic delete orders greetings
  deleted orders, id 3T4NUyfTTwSnzqPkgjSEuA
  deleted greetings, id DzUBCUuoS2GbUHVd1aXUVQ`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return flags.do(func(ctx context.Context, client *kadm.Client) error {
				answers, err := client.DeleteTopics(ctx, args...)
				if err != nil {
					return serverError(err, "")
				}
				var results []topicResult
				for _, answer := range answers.Sorted() {
					results = append(results, resultOf(answer.Topic, answer.ID, answer.Err, answer.ErrMessage))
				}
				return flags.printResults(p, "deleted", results)
			})
		},
	}
	flags.addTo(c, p)
	return c
}
