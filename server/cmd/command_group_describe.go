package cmd

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// groupView is what "group describe" prints besides the heading. JSON always has all.
type groupView struct{ members, offsets bool }

func newGroupDescribeCommand(p *Process) *cobra.Command {
	var flags clientFlags
	var view groupView
	c := &cobra.Command{
		Use:   "describe GROUP...",
		Short: "Show members, offsets and lag of groups",
		Long: `Show the members of groups, what they have committed, and how far they lag
behind. "gone" is a topic or partition that was deleted.

  $ sordini group describe billing
  billing  type consumer  state Stable  assignor uniform  epoch 3  coordinator 1 at 127.0.0.1:9092  lag 3
  MEMBER                  CLIENT  HOST        EPOCH  PARTITIONS
  jRH9mZOaRNu8Mka_MNFGzQ  worker  /127.0.0.1  3      orders:0,1
  TOPIC   PARTITION  OFFSET  LOG END  LAG  MEMBER
  orders  0          118200  118203   3    jRH9mZOaRNu8Mka_MNFGzQ
  orders  1          50      50       0    jRH9mZOaRNu8Mka_MNFGzQ

With -o json the result is also what "group seek --from-file" reads.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if !view.members && !view.offsets {
				view = groupView{true, true}
			}
			return flags.do(func(ctx context.Context, client *kadm.Client) error {
				groups := make([]groupDescription, len(args))
				for i, name := range args {
					groups[i] = describeGroupWithOffsets(ctx, client, name)
				}
				return printGroups(p, flags.output, view, groups)
			})
		},
	}
	flags.addTo(c, p)
	c.Flags().BoolVar(&view.members, "members", false, "show members only")
	c.Flags().BoolVar(&view.offsets, "offsets", false, "show offsets only")
	return c
}

// describeGroupWithOffsets asks all there is about a group. What is wrong is in its Error.
func describeGroupWithOffsets(ctx context.Context, client *kadm.Client, name string) groupDescription {
	g, err := describeGroup(ctx, client, name)
	if err != nil {
		return groupDescription{Name: name, Members: []groupMember{}, Partitions: []groupPartition{}, Error: err.Error()}
	}
	committed, err := client.FetchOffsets(ctx, name)
	if err != nil {
		g.Error = "offsets: " + serverError(err, "").Error()
		return g
	}
	topics := make(map[string]bool)
	for topic := range committed {
		topics[topic] = true
	}
	for owned := range g.owners() {
		topics[owned.topic] = true
	}
	var ends kadm.ListedOffsets
	if len(topics) > 0 {
		ends, err = client.ListEndOffsets(ctx, keys(topics)...)
		if err != nil {
			g.Error, ends = "log ends: "+serverError(err, "").Error(), nil
		}
	}
	g.addPartitions(committed, ends)
	return g
}

func keys[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// addPartitions adds all that have an offset or an owner.
func (g *groupDescription) addPartitions(committed kadm.OffsetResponses, ends kadm.ListedOffsets) {
	owners := g.owners()
	var all []partitionKey
	for k := range owners {
		if _, ok := committed.Lookup(k.topic, k.index); !ok {
			all = append(all, k)
		}
	}
	committed.Each(func(r kadm.OffsetResponse) { all = append(all, partitionKey{r.Topic, r.Partition}) })
	slices.SortFunc(all, comparePartitions)
	for _, k := range all {
		p := groupPartition{Topic: k.topic, Partition: k.index, Member: owners[k]}
		if r, ok := committed.Lookup(k.topic, k.index); ok {
			p.setOffset(r)
		}
		p.setEnd(ends)
		g.addLag(p.Lag)
		g.Partitions = append(g.Partitions, p)
	}
}

// addLag adds what a partition lags behind. One that is ahead of its log makes up for no other.
func (g *groupDescription) addLag(lag *int64) {
	if lag == nil {
		return
	}
	if g.Lag == nil {
		g.Lag = new(int64)
	}
	*g.Lag += max(0, *lag)
}

func (p *groupPartition) setOffset(r kadm.OffsetResponse) {
	if r.Err != nil {
		p.Error = serverError(r.Err, "").Error()
		return
	}
	p.Metadata = r.Metadata
	if r.At >= 0 {
		p.Offset = &r.At
	}
}

func (p *groupPartition) setEnd(ends kadm.ListedOffsets) {
	end, err := listed(ends, partitionKey{p.Topic, p.Partition})
	switch {
	case ends == nil:
	case err == kerr.UnknownTopicOrPartition:
		p.Gone = true
	case err != nil:
		p.Error = serverError(err, "").Error()
	default:
		p.LogEnd = &end
		if p.Offset != nil {
			lag := end - *p.Offset
			p.Lag = &lag
		}
	}
}

// listed is the offset that the server told of a partition, or what it told of the topic or the partition instead.
func listed(list kadm.ListedOffsets, k partitionKey) (int64, error) {
	if err := topicError(list, k.topic); err != nil {
		return 0, err
	}
	l, ok := list.Lookup(k.topic, k.index)
	switch {
	case !ok:
		return 0, kerr.UnknownTopicOrPartition
	case l.Err != nil:
		return 0, l.Err
	}
	return l.Offset, nil
}

// topicError says why a list has no offsets of a topic. Its error stands where a partition -1 would.
func topicError(list kadm.ListedOffsets, topic string) error {
	if list[topic] == nil {
		return kerr.UnknownTopicOrPartition
	}
	return list[topic][-1].Err
}

func printGroups(p *Process, output format, view groupView, groups []groupDescription) error {
	if output == formatJSON {
		err := printJSON(p.Stdout, groupFile{jsonVersion, groups})
		if err != nil {
			return err
		}
	}
	failed := false
	for i, g := range groups {
		failed = failed || g.failed()
		if output == formatJSON {
			continue
		}
		if i > 0 && g.Type != "" {
			fmt.Fprintln(p.Stdout)
		}
		if err := g.print(p.Stdout, p.Stderr, view); err != nil {
			return err
		}
	}
	if failed {
		return &exitError{code: exitFailure}
	}
	return nil
}

// groupFile is the JSON of "group describe".
type groupFile struct {
	JSONVersion int                `json:"_version"`
	Groups      []groupDescription `json:"groups"`
}

func (g *groupDescription) failed() bool {
	return g.Error != "" || slices.ContainsFunc(g.Partitions, func(p groupPartition) bool { return p.Error != "" })
}

func (g *groupDescription) print(out, errs io.Writer, view groupView) error {
	if g.Error != "" {
		fmt.Fprintf(errs, "%s: %s\n", printable(g.Name), g.Error)
	}
	if g.Type == "" {
		return nil
	}
	fmt.Fprintln(out, g.heading())
	if view.members && len(g.Members) > 0 {
		if err := printTable(out, g.memberRows()); err != nil {
			return err
		}
	}
	for _, p := range g.Partitions {
		if p.Error != "" {
			fmt.Fprintf(errs, "%s-%d: %s\n", p.Topic, p.Partition, p.Error)
		}
	}
	if view.offsets && len(g.Partitions) > 0 {
		return printTable(out, g.partitionRows())
	}
	return nil
}

func (g *groupDescription) heading() string {
	h := fmt.Sprintf("%s  type %s  state %s", printable(g.Name), g.Type, g.State)
	if g.ProtocolType != "consumer" {
		h += "  protocol " + orDash(g.ProtocolType)
	}
	if g.Assignor != "" {
		h += "  assignor " + printable(g.Assignor)
	}
	if g.Epoch != nil {
		h += "  epoch " + formatInt(int64(*g.Epoch))
	}
	return h + fmt.Sprintf("  coordinator %d at %s  lag %s", g.Coordinator.ID, g.Coordinator.Address, optional(g.Lag))
}

// memberRows is a table. Instance ids and epochs have a column only if there are any.
func (g *groupDescription) memberRows() [][]string {
	instances := slices.ContainsFunc(g.Members, func(m groupMember) bool { return m.InstanceID != nil })
	heading := []string{"MEMBER", "CLIENT", "HOST"}
	if instances {
		heading = append(heading, "INSTANCE")
	}
	if g.Epoch != nil {
		heading = append(heading, "EPOCH")
	}
	rows := [][]string{append(heading, "PARTITIONS")}
	for _, m := range g.Members {
		row := []string{printable(m.ID), orDash(m.ClientID), orDash(m.Host)}
		if instances {
			instance := ""
			if m.InstanceID != nil {
				instance = *m.InstanceID
			}
			row = append(row, orDash(instance))
		}
		if m.Epoch != nil {
			row = append(row, formatInt(int64(*m.Epoch)))
		}
		var assigned []string
		for _, t := range m.Assigned {
			assigned = append(assigned, printable(t.String()))
		}
		rows = append(rows, append(row, orDash(strings.Join(assigned, " "))))
	}
	return rows
}

// partitionRows is a table. Owners and metadata have a column only if there are any.
func (g *groupDescription) partitionRows() [][]string {
	owned := slices.ContainsFunc(g.Partitions, func(p groupPartition) bool { return p.Member != "" })
	described := slices.ContainsFunc(g.Partitions, func(p groupPartition) bool { return p.Metadata != "" })
	heading := []string{"TOPIC", "PARTITION", "OFFSET", "LOG END", "LAG"}
	if owned {
		heading = append(heading, "MEMBER")
	}
	if described {
		heading = append(heading, "METADATA")
	}
	rows := [][]string{heading}
	for _, p := range g.Partitions {
		end := optional(p.LogEnd)
		if p.Gone {
			end = "gone"
		}
		row := []string{printable(p.Topic), formatInt(int64(p.Partition)), optional(p.Offset), end, optional(p.Lag)}
		if owned {
			row = append(row, orDash(p.Member))
		}
		if described {
			row = append(row, orDash(p.Metadata))
		}
		rows = append(rows, row)
	}
	return rows
}
