package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func newConsumerGroupCommand(p *Process) *cobra.Command {
	return newGroupCommand("group", "List, describe, seek and delete consumer groups",
		`Work with the consumer groups of a running server, sordini or any other that
speaks the Kafka protocol.`,
		newGroupListCommand(p), newGroupDescribeCommand(p), newGroupSeekCommand(p), newGroupDeleteCommand(p))
}

// listedGroup is one line of "group list". What an old server does not tell is "".
type listedGroup struct {
	Name         string `json:"name"`
	Type         string `json:"type"`
	State        string `json:"state"`
	ProtocolType string `json:"protocolType"` // "" if there are only offsets
}

// What --state and --type may be, as Kafka names them.
var (
	groupStates = []string{"PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty", "Assigning", "Reconciling", "NotReady"}
	groupTypes  = []string{"classic", "consumer", "share", "streams"}
)

func newGroupListCommand(p *Process) *cobra.Command {
	var flags clientFlags
	var states, types []string
	c := &cobra.Command{
		Use:   "list",
		Short: "List groups",
		Long: `List groups by name. A group without protocol has nothing but offsets.

  $ sordini group list
  GROUP    TYPE      STATE   PROTOCOL
  billing  consumer  Stable  consumer
  mirror   classic   Empty   connect
  ranges   classic   Empty   -

  $ sordini group list --state stable,empty --type classic`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := checkNames("--state", states, groupStates); err != nil {
				return err
			}
			if err := checkNames("--type", types, groupTypes); err != nil {
				return err
			}
			return flags.connect(func(ctx context.Context, client *kgo.Client) error {
				groups, err := listGroups(ctx, client)
				if err != nil {
					return err
				}
				return printListedGroups(p, flags.output, filterGroups(groups, states, types))
			})
		},
	}
	flags.addTo(c, p)
	c.Flags().StringSliceVar(&states, "state", nil, "list only groups in these states: "+strings.Join(groupStates, ", "))
	c.Flags().StringSliceVar(&types, "type", nil, "list only groups of these types: "+strings.Join(groupTypes, ", "))
	return c
}

// checkNames refuses names that are not known. Case does not matter.
func checkNames(flag string, names, known []string) error {
	for _, name := range names {
		if !containsFold(known, name) {
			return usageErrorf("%s %s: must be one of %s", flag, name, strings.Join(known, ", "))
		}
	}
	return nil
}

func containsFold(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}

// listGroups returns all groups by name.
func listGroups(ctx context.Context, client *kgo.Client) ([]listedGroup, error) {
	answer, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(answer.ErrorCode)
	}
	if err != nil {
		return nil, serverError(err, "")
	}
	groups := []listedGroup{}
	for _, g := range answer.Groups {
		groups = append(groups, listedGroup{g.Group, strings.ToLower(g.GroupType), g.GroupState, g.ProtocolType})
	}
	slices.SortFunc(groups, func(a, b listedGroup) int { return strings.Compare(a.Name, b.Name) })
	return groups, nil
}

// filterGroups keeps the groups of these states and types; none means all. The server could do it as well, but old
// ones do not.
func filterGroups(groups []listedGroup, states, types []string) []listedGroup {
	return slices.DeleteFunc(groups, func(g listedGroup) bool {
		return len(states) > 0 && !containsFold(states, g.State) || len(types) > 0 && !containsFold(types, g.Type)
	})
}

func printListedGroups(p *Process, output format, groups []listedGroup) error {
	if output == formatJSON {
		return printJSON(p.Stdout, struct {
			JSONVersion int           `json:"_version"`
			Groups      []listedGroup `json:"groups"`
		}{jsonVersion, groups})
	}
	rows := [][]string{{"GROUP", "TYPE", "STATE", "PROTOCOL"}}
	for _, g := range groups {
		rows = append(rows, []string{printable(g.Name), orDash(g.Type), orDash(g.State), orDash(g.ProtocolType)})
	}
	return printTable(p.Stdout, rows)
}

// groupResult is what became of one group, or of its offset for one partition.
type groupResult struct {
	Name      string `json:"name"`
	Topic     string `json:"topic,omitempty"`
	Partition *int32 `json:"partition,omitempty"` // nil: the whole group, or the whole topic
	Error     string `json:"error,omitempty"`
}

func (r groupResult) String() string {
	switch {
	case r.Topic == "":
		return printable(r.Name)
	case r.Partition == nil:
		return printable(r.Name) + " " + r.Topic
	default:
		return printable(r.Name) + " " + partitionKey{r.Topic, *r.Partition}.String()
	}
}

func newGroupDeleteCommand(p *Process) *cobra.Command {
	var flags clientFlags
	var offsets bool
	var topics []string
	c := &cobra.Command{
		Use:   "delete GROUP...",
		Short: "Delete groups, or offsets of theirs",
		Long: `Delete groups with all their offsets, or only the offsets of some topics. A group
with members is not deleted, nor the offset of a topic that its members consume.
Each is deleted or fails on its own.

  $ sordini group delete billing mirror
  deleted billing
  mirror: NON_EMPTY_GROUP: The group is not empty.

  $ sordini group delete billing --offsets --topic orders --topic clicks:0,1
  deleted billing clicks-0
  deleted billing clicks-1
  deleted billing orders-0`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if offsets != (len(topics) > 0) {
				return usageErrorf("--offsets and --topic go together")
			}
			set, err := parseTopics(topics)
			if err != nil {
				return err
			}
			return flags.do(func(ctx context.Context, client *kadm.Client) error {
				if !offsets {
					return printGroupResults(p, flags.output, deleteGroups(ctx, client, args))
				}
				var results []groupResult
				for _, name := range args {
					results = append(results, deleteOffsets(ctx, client, name, set)...)
				}
				return printGroupResults(p, flags.output, results)
			})
		},
	}
	flags.addTo(c, p)
	c.Flags().BoolVar(&offsets, "offsets", false, "delete offsets only, those of --topic")
	c.Flags().StringArrayVar(&topics, "topic", nil, "TOPIC, or TOPIC:0,2 for some of its partitions, repeatable")
	return c
}

func deleteGroups(ctx context.Context, client *kadm.Client, names []string) []groupResult {
	answers, err := client.DeleteGroups(ctx, names...)
	var results []groupResult
	for _, name := range names {
		r := groupResult{Name: name}
		switch answer, ok := answers[name]; {
		case ok && answer.Err != nil:
			r.Error = serverError(answer.Err, answer.ErrMessage).Error()
		case !ok && err != nil:
			r.Error = serverError(err, "").Error()
		case !ok:
			r.Error = "the server did not answer for this group"
		}
		results = append(results, r)
	}
	return results
}

// deleteOffsets deletes what a group has committed. A topic without partitions means all that have offsets.
func deleteOffsets(ctx context.Context, client *kadm.Client, name string, topics kadm.TopicsSet) []groupResult {
	fail := func(err error) []groupResult {
		return []groupResult{{Name: name, Error: serverError(err, "").Error()}}
	}
	committed, err := client.FetchOffsets(ctx, name)
	if err != nil {
		return fail(err)
	}
	var results []groupResult
	var set kadm.TopicsSet
	topics.EachPartitions(func(topic string, partitions []int32) {
		if len(partitions) == 0 {
			for index := range committed[topic] {
				partitions = append(partitions, index)
			}
		}
		if len(partitions) == 0 {
			results = append(results, groupResult{Name: name, Topic: topic, Error: "nothing is committed for this topic"})
			return
		}
		set.Add(topic, partitions...)
	})
	answers, err := client.DeleteOffsets(ctx, name, set)
	if err != nil {
		return fail(err)
	}
	for topic, partitions := range answers {
		for index, err := range partitions {
			r := groupResult{Name: name, Topic: topic, Partition: &index}
			if err != nil {
				r.Error = serverError(err, "").Error()
			}
			results = append(results, r)
		}
	}
	slices.SortFunc(results, func(a, b groupResult) int { return comparePartitions(a.key(), b.key()) })
	return results
}

func (r groupResult) key() partitionKey {
	if r.Partition == nil {
		return partitionKey{r.Topic, -1}
	}
	return partitionKey{r.Topic, *r.Partition}
}

// printGroupResults prints what was deleted. The exit code is that of failure if something was not.
func printGroupResults(p *Process, output format, results []groupResult) error {
	failed := false
	for _, r := range results {
		failed = failed || r.Error != ""
		switch {
		case output == formatJSON:
		case r.Error != "":
			fmt.Fprintf(p.Stderr, "%s: %s\n", r, r.Error)
		default:
			fmt.Fprintf(p.Stdout, "deleted %s\n", r)
		}
	}
	if output == formatJSON {
		err := printJSON(p.Stdout, struct {
			JSONVersion int           `json:"_version"`
			Groups      []groupResult `json:"groups"`
		}{jsonVersion, results})
		if err != nil {
			return err
		}
	}
	if failed {
		return &exitError{code: exitFailure}
	}
	return nil
}
