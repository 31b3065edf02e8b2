package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// seekFlags say where a group is to go on.
type seekFlags struct {
	client         clientFlags
	toStart, toEnd bool
	toOffset, by   int64
	toTime         string
	fromFile       string
	topics         []string
	dryRun         bool
}

func newGroupSeekCommand(p *Process) *cobra.Command {
	var flags seekFlags
	c := &cobra.Command{
		Use:   "seek GROUP",
		Short: "Set the offsets from which a group goes on",
		Long: `Set the offsets from which a group goes on, for some topics, or for all that it
has committed for. An offset beyond the log is moved to its start or end. The
group must have no members. A group that does not exist yet needs --topic.

  $ sordini group seek billing --to-start --topic orders --dry-run
  TOPIC   PARTITION  OLD     NEW
  orders  0          118200  10
  orders  1          50      0
  nothing was changed

  $ sordini group seek billing --to-time 2026-11-23T08:00:00Z
  $ sordini group seek billing --to-time 90m                 # 90 minutes ago; d is a day
  $ sordini group seek billing --by -100 --topic orders:0

  $ sordini group describe billing -o json > saved.json
  $ sordini group seek billing --from-file saved.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			target, err := flags.target(c, args[0], time.Now())
			if err != nil {
				return err
			}
			topics, err := parseTopics(flags.topics)
			if err != nil {
				return err
			}
			return flags.client.do(func(ctx context.Context, client *kadm.Client) error {
				moves, err := seekGroup(ctx, client, args[0], target, topics, flags.dryRun)
				if err != nil {
					return err
				}
				return printMoves(p, flags.client.output, args[0], moves, flags.dryRun)
			})
		},
	}
	flags.client.addTo(c, p)
	c.Flags().BoolVar(&flags.toStart, "to-start", false, "go to the first record of each log")
	c.Flags().BoolVar(&flags.toEnd, "to-end", false, "go to the end of each log, to read new records only")
	c.Flags().Int64Var(&flags.toOffset, "to-offset", 0, "go to this offset in each log")
	c.Flags().Int64Var(&flags.by, "by", 0, "go forward by so many offsets, or back if negative")
	c.Flags().StringVar(&flags.toTime, "to-time", "", "go to the first record of this time or later: as in RFC 3339, in ms since 1970, or so long ago")
	c.Flags().StringVar(&flags.fromFile, "from-file", "", "go to the offsets that \"group describe -o json\" has printed of this group, or of another if it is the only one")
	c.Flags().StringArrayVar(&flags.topics, "topic", nil, "TOPIC, or TOPIC:0,2 for some of its partitions, repeatable; all that the group has committed for if not given")
	c.Flags().BoolVar(&flags.dryRun, "dry-run", false, "only show what would change")
	return c
}

// seekTarget is where to go.
type seekTarget struct {
	flag   string // that says so, without dashes
	number int64  // of to-offset and by; ms since 1970 of to-time
	// saved is what a file says.
	saved map[partitionKey]savedOffset
}

type savedOffset struct {
	offset   int64
	metadata string
}

// target checks the flags that say where to go.
func (f *seekFlags) target(c *cobra.Command, group string, now time.Time) (seekTarget, error) {
	targets := []string{"to-start", "to-end", "to-offset", "by", "to-time", "from-file"}
	given := slices.DeleteFunc(slices.Clone(targets), func(name string) bool { return !c.Flags().Changed(name) })
	if len(given) != 1 {
		return seekTarget{}, usageErrorf("give one of --%s", strings.Join(targets, ", --"))
	}
	t := seekTarget{flag: given[0]}
	var err error
	switch t.flag {
	case "to-offset":
		if t.number = f.toOffset; t.number < 0 {
			err = usageErrorf("--to-offset %d: must not be negative", f.toOffset)
		}
	case "by":
		t.number = f.by
	case "to-time":
		t.number, err = parseTime(f.toTime, now)
	case "from-file":
		if len(f.topics) > 0 {
			return t, usageErrorf("--from-file and --topic do not go together: the file names the topics")
		}
		t.saved, err = readOffsets(f.fromFile, group)
	}
	return t, err
}

// parseTime reads a time as RFC 3339 has it, in ms since 1970, or as a duration before now. It returns ms since 1970.
func parseTime(s string, now time.Time) (int64, error) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && ms >= 0 {
		return ms, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil && t.UnixMilli() >= 0 {
		return t.UnixMilli(), nil
	}
	ago, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		ago = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || ago < 0 {
		return 0, usageErrorf("--to-time %s: write a time as 2026-11-23T08:00:00Z, milliseconds since 1970, or how long ago as 90m or 7d", s)
	}
	return max(0, now.Add(-ago).UnixMilli()), nil
}

// readOffsets reads the offsets of a group from a file that "group describe" has printed.
func readOffsets(path, group string) (map[partitionKey]savedOffset, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--from-file: %w", err)
	}
	var file groupFile
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, fmt.Errorf("--from-file %s: %w", path, err)
	}
	if file.JSONVersion != jsonVersion {
		return nil, fmt.Errorf("--from-file %s: _version is %d, must be %d", path, file.JSONVersion, jsonVersion)
	}
	i := slices.IndexFunc(file.Groups, func(g groupDescription) bool { return g.Name == group })
	if len(file.Groups) == 1 {
		i = 0
	}
	if i < 0 {
		return nil, fmt.Errorf("--from-file %s: %s is not one of its %s", path, printable(group), count(len(file.Groups), "group"))
	}
	saved := make(map[partitionKey]savedOffset)
	for _, p := range file.Groups[i].Partitions {
		if p.Partition < 0 || p.Offset != nil && *p.Offset < 0 {
			return nil, fmt.Errorf("--from-file %s: a number of %s-%d is negative", path, p.Topic, p.Partition)
		}
		if p.Offset != nil {
			saved[partitionKey{p.Topic, p.Partition}] = savedOffset{*p.Offset, p.Metadata}
		}
	}
	if len(saved) == 0 {
		return nil, fmt.Errorf("--from-file %s: there are no offsets of the group in it", path)
	}
	return saved, nil
}

// seekMove is the change of one offset.
type seekMove struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Old       *int64 `json:"oldOffset"`        // null: nothing was committed
	New       *int64 `json:"newOffset"`        // null: it cannot be known, and nothing was changed
	Beyond    *int64 `json:"beyond,omitempty"` // the offset asked for, where the log has no such offset
	Error     string `json:"error,omitempty"`

	metadata string
}

// seekFacts are the answers of the server that moves are made of.
type seekFacts struct {
	committed kadm.OffsetResponses
	start     kadm.ListedOffsets
	end       kadm.ListedOffsets
	times     kadm.ListedOffsets // offsets of the time to go to; nil unless there is one
}

// seekGroup moves the offsets of a group. What is wrong with a single partition is in its move.
func seekGroup(ctx context.Context, client *kadm.Client, group string, target seekTarget, topics kadm.TopicsSet, dryRun bool) ([]seekMove, error) {
	g, err := describeGroup(ctx, client, group)
	named := len(topics) > 0 || target.saved != nil
	switch {
	case errors.Is(err, errNoGroup) && !named:
		return nil, fmt.Errorf("%w; a new group needs --topic", err)
	case errors.Is(err, errNoGroup):
	case err != nil:
		return nil, err
	case g.State != "Empty":
		return nil, fmt.Errorf("%s has %s and is in state %s: stop them first, or they would go on from where they are", printable(group), count(len(g.Members), "member"), g.State)
	}
	var facts seekFacts
	if facts.committed, err = client.FetchOffsets(ctx, group); err != nil {
		return nil, fmt.Errorf("offsets: %w", serverError(err, ""))
	}
	if !named {
		facts.committed.Each(func(r kadm.OffsetResponse) { topics.Add(r.Topic, r.Partition) })
	}
	for k := range target.saved {
		topics.Add(k.topic, k.index)
	}
	if len(topics) == 0 {
		return nil, fmt.Errorf("%s has no offsets: name topics with --topic", printable(group))
	}
	if err := facts.ask(ctx, client, target, keys(topics)); err != nil {
		return nil, err
	}
	partitions, err := facts.partitions(topics)
	if err != nil {
		return nil, err
	}
	moves := make([]seekMove, len(partitions))
	for i, k := range partitions {
		moves[i] = facts.move(k, target)
	}
	if !dryRun {
		err = commitMoves(ctx, client, group, moves)
	}
	return moves, err
}

// ask asks where the logs begin and end.
func (f *seekFacts) ask(ctx context.Context, client *kadm.Client, target seekTarget, topics []string) error {
	var err error
	if f.start, err = client.ListStartOffsets(ctx, topics...); err != nil {
		return fmt.Errorf("log start offsets: %w", serverError(err, ""))
	}
	if f.end, err = client.ListEndOffsets(ctx, topics...); err != nil {
		return fmt.Errorf("log ends: %w", serverError(err, ""))
	}
	if target.flag == "to-time" {
		if f.times, err = client.ListOffsetsAfterMilli(ctx, target.number, topics...); err != nil {
			return fmt.Errorf("offsets of the time: %w", serverError(err, ""))
		}
	}
	return nil
}

// partitions are those of a set in order. A topic without partitions means all that it has.
func (f *seekFacts) partitions(topics kadm.TopicsSet) ([]partitionKey, error) {
	var all []partitionKey
	var failure error
	topics.EachPartitions(func(topic string, partitions []int32) {
		if len(partitions) == 0 {
			if err := topicError(f.end, topic); err != nil {
				failure = fmt.Errorf("topic %s: %w", topic, serverError(err, ""))
				return
			}
			for index := range f.end[topic] {
				partitions = append(partitions, index)
			}
		}
		for _, index := range partitions {
			all = append(all, partitionKey{topic, index})
		}
	})
	slices.SortFunc(all, comparePartitions)
	return all, failure
}

// move says what is to change for a partition.
func (f *seekFacts) move(k partitionKey, target seekTarget) seekMove {
	m := seekMove{Topic: k.topic, Partition: k.index}
	if r, ok := f.committed.Lookup(k.topic, k.index); ok && r.Err == nil && r.At >= 0 {
		m.Old = &r.At
	}
	to, err := f.offset(k, target, m.Old)
	start, serr := listed(f.start, k)
	end, eerr := listed(f.end, k)
	if err := cmp.Or(serr, eerr, err); err != nil {
		m.Error = serverError(err, "").Error()
		return m
	}
	within := min(max(to, start), end)
	m.New = &within
	if within != to {
		m.Beyond = &to
	} else {
		m.metadata = target.saved[k].metadata // tells of this very offset
	}
	return m
}

// offset is where to go in a partition, wherever the log begins and ends.
func (f *seekFacts) offset(k partitionKey, target seekTarget, old *int64) (int64, error) {
	switch target.flag {
	case "to-start":
		return listed(f.start, k)
	case "to-end":
		return listed(f.end, k)
	case "to-offset":
		return target.number, nil
	case "by":
		if old == nil {
			return 0, errors.New("nothing is committed from which to go on")
		}
		return addOffset(*old, target.number), nil
	case "to-time":
		return listed(f.times, k)
	default:
		return target.saved[k].offset, nil
	}
}

// addOffset adds without overflow; offset is not negative.
func addOffset(offset, by int64) int64 {
	if by > math.MaxInt64-offset {
		return math.MaxInt64
	}
	return offset + by
}

// commitMoves makes the changes.
func commitMoves(ctx context.Context, client *kadm.Client, group string, moves []seekMove) error {
	var offsets kadm.Offsets
	for _, m := range moves {
		if m.New != nil {
			offsets.Add(kadm.Offset{Topic: m.Topic, Partition: m.Partition, At: *m.New, LeaderEpoch: -1, Metadata: m.metadata})
		}
	}
	if len(offsets) == 0 {
		return nil
	}
	answers, err := client.CommitOffsets(ctx, group, offsets)
	if err != nil {
		return serverError(err, "")
	}
	for i := range moves {
		m := &moves[i]
		if answer, ok := answers.Lookup(m.Topic, m.Partition); ok && answer.Err != nil {
			m.New, m.Error = nil, commitError(answer.Err).Error()
		}
	}
	return nil
}

// commitError says what the error of a commit means for one who is no member.
func commitError(err error) error {
	if err == kerr.UnknownMemberID || err == kerr.IllegalGeneration {
		return serverError(err, "members have joined the group meanwhile")
	}
	return serverError(err, "")
}

// printMoves prints what has changed. The exit code is that of failure if something could not.
func printMoves(p *Process, output format, group string, moves []seekMove, dryRun bool) error {
	rows := [][]string{{"TOPIC", "PARTITION", "OLD", "NEW"}}
	failed := false
	for _, m := range moves {
		failed = failed || m.Error != ""
		rows = append(rows, []string{printable(m.Topic), formatInt(int64(m.Partition)), optional(m.Old), optional(m.New)})
	}
	if output == formatJSON {
		err := printJSON(p.Stdout, struct {
			JSONVersion int        `json:"_version"`
			Group       string     `json:"group"`
			DryRun      bool       `json:"dryRun"`
			Partitions  []seekMove `json:"partitions"`
		}{jsonVersion, group, dryRun, moves})
		if err != nil {
			return err
		}
	} else {
		if err := printTable(p.Stdout, rows); err != nil {
			return err
		}
		if dryRun {
			fmt.Fprintln(p.Stdout, "nothing was changed")
		}
		for _, m := range moves {
			m.printNote(p.Stderr)
		}
	}
	if failed {
		return &exitError{code: exitFailure}
	}
	return nil
}

func (m seekMove) printNote(errs io.Writer) {
	name := partitionKey{m.Topic, m.Partition}
	switch {
	case m.Error != "":
		fmt.Fprintf(errs, "%s: %s\n", name, m.Error)
	case m.Beyond != nil && *m.Beyond < *m.New:
		fmt.Fprintf(errs, "%s: offset %d is before the log's start at %d\n", name, *m.Beyond, *m.New)
	case m.Beyond != nil:
		fmt.Fprintf(errs, "%s: offset %d is behind the log's end at %d\n", name, *m.Beyond, *m.New)
	}
}
