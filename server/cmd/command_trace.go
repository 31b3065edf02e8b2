package cmd

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sordini/server/admin"
	"sordini/server/audit"
)

// traceFlags are those of "trace".
type traceFlags struct {
	question
	output    format
	key       string
	partition int32
	offset    int64
}

func newTraceCommand(p *Process) *cobra.Command {
	var f traceFlags
	c := &cobra.Command{
		Use:   "trace TOPIC (--partition P --offset N | --key K)",
		Short: "Tell what became of a record",
		Long: `Tell what became of a record: where it stands, who appended it and when, when it
became durable and by what, and which groups have committed offsets behind it. With
--key, of the newest record with the key.

Who and when are known for topics with audit.enable=true, from then on, for as long
as audit.retention.ms and audit.retention.bytes keep it.

  $ sordini trace orders --partition 0 --offset 812
  STEP      TIME                         WHAT
  produced  2026-01-31T12:00:00.000Z     by the record's timestamp (CreateTime), key 4711
  appended  2026-01-31T12:00:00.001302Z  by client "shop" at 10.0.0.7:51342, User:ANONYMOUS, listener PLAINTEXT
  durable   2026-01-31T12:00:00.002911Z  by a sync of the journal
  consumed  2026-01-31T12:00:00.104377Z  group billing committed 813, client "billing-1" at 10.0.0.9:40112; now at 900
  started   2026-01-31T18:30:01.207390Z  the server, after an orderly stop

The server is asked by HTTP, at its admin listener.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			answer := new(admin.TraceAnswer)
			if err := f.ask("/v1/topics/"+url.PathEscape(args[0])+"/trace", f.params(c), answer); err != nil {
				return err
			}
			return f.print(p, answer)
		},
	}
	flags := c.Flags()
	f.addTo(flags, p)
	flags.StringVar(&f.key, "key", "", "the newest record with this key")
	flags.Int32Var(&f.partition, "partition", 0, "the partition; may be left out if there is one, or with --key")
	flags.Int64Var(&f.offset, "offset", 0, "the record's offset")
	f.output.addTo(c)
	return c
}

// params are the flags that were given, as the server knows them.
func (f *traceFlags) params(c *cobra.Command) url.Values {
	v := url.Values{}
	for name, value := range map[string]string{
		"key": f.key, "partition": strconv.Itoa(int(f.partition)), "offset": strconv.FormatInt(f.offset, 10),
	} {
		if c.Flags().Changed(name) {
			v.Set(name, value)
		}
	}
	return v
}

func (f *traceFlags) print(p *Process, a *admin.TraceAnswer) error {
	if f.output == formatJSON {
		return printJSON(p.Stdout, a)
	}
	b := &a.Batch
	fmt.Fprintf(p.Stdout, "%s partition %d offset %d (topic id %s)\n\n", a.Topic, a.Partition, a.Offset, a.TopicID)
	facts := [][]string{
		{"segment", fmt.Sprintf("%s at position %d", a.Segment.File, a.Segment.Position)},
		{"batch", fmt.Sprintf("offsets %d to %d, %s, %s, codec %s, CRC %s, leader epoch %d",
			b.BaseOffset, b.LastOffset, count(int(b.Records), "record"), formatBytes(b.Bytes), b.Codec, b.CRC, b.LeaderEpoch)},
		{"producer", "not idempotent"},
	}
	if b.ProducerID >= 0 {
		facts[2][1] = fmt.Sprintf("id %d, epoch %d, sequence %d", b.ProducerID, b.ProducerEpoch, b.BaseSequence)
		if b.BaseSequence >= 0 {
			facts[2][1] += fmt.Sprintf(" (of the record: %d)", (int64(b.BaseSequence)+a.Offset-b.BaseOffset)&(1<<31-1))
		}
	}
	if err := printTable(p.Stdout, facts); err != nil {
		return err
	}
	fmt.Fprintln(p.Stdout)
	if err := printTable(p.Stdout, steps(a)); err != nil {
		return err
	}
	for _, n := range a.Notes {
		fmt.Fprintln(p.Stderr, n)
	}
	return nil
}

// step is a row of the table; the time is zero if it was not recorded.
type step struct {
	at         time.Time
	name, what string
}

// steps are what became of the record, by time, with what has none behind the rest.
func steps(a *admin.TraceAnswer) [][]string {
	how := map[string]string{
		"journal": "by a sync of the journal", "segment": "by a sync of the segment",
		"recovery": "by recovery at a start", "stop": "by a flush at an orderly stop",
	}[a.Flushed.By]
	if a.Flushed.Latest {
		how += ", at the latest"
	}
	if a.Flushed.Durable && !a.Flushed.Recorded {
		a.Flushed.Why = "it is; " + a.Flushed.Why
	}
	all := []step{
		stepOf("appended", a.Appended.Moment, "by "+client(a.Appended.TracedClient)),
		stepOf("durable", a.Flushed.Moment, how),
	}
	for i := range a.Groups {
		all = append(all, groupStep(&a.Groups[i]))
	}
	for i := range a.Changes {
		all = append(all, changeStep(&a.Changes[i]))
	}
	slices.SortStableFunc(all, func(x, y step) int {
		if x.at.IsZero() || y.at.IsZero() {
			return cmp.Compare(x.rank(), y.rank())
		}
		return x.at.Compare(y.at)
	})
	rows := [][]string{{"STEP", "TIME", "WHAT"}}
	if r := a.Record; r != nil {
		rows = append(rows, []string{"produced", formatTime(r.Timestamp), fmt.Sprintf("by the record's timestamp (%s), key %s", a.Batch.TimestampType, shown(r.Key, r.KeyBase64))})
	}
	for _, s := range all {
		at := s.unknown()
		if at == "" {
			at = formatMoment(s.at)
		}
		rows = append(rows, []string{s.name, at, s.what})
	}
	return rows
}

// waiting names the step of a group that has not come to the record.
const waiting = "waiting"

// rank orders steps whose time is known before those for which it was not recorded, and
// those that have not come last.
func (s *step) rank() int {
	switch s.unknown() {
	case "":
		return 0
	case "-":
		return 2
	}
	return 1
}

// unknown stands for a time that is not there, "" if it is.
func (s *step) unknown() string {
	switch {
	case !s.at.IsZero():
		return ""
	case s.name == waiting:
		return "-"
	}
	return "not recorded"
}

func stepOf(name string, m admin.Moment, what string) step {
	if !m.Recorded {
		return step{name: name, what: m.Why}
	}
	if m.Until != nil {
		what += ", between then and " + formatMoment(*m.Until)
	}
	return step{*m.At, name, what}
}

func groupStep(g *admin.TracedGroup) step {
	name, now := shown(&g.Group, false), "it has no offset any more"
	if g.Committed != nil {
		now = fmt.Sprintf("now at %d since %s", *g.Committed, formatMoment(*g.CommittedAt))
	}
	switch {
	case !g.Passed:
		return step{name: waiting, what: fmt.Sprintf("group %s: %s", name, now)}
	case !g.Recorded:
		return step{name: "consumed", what: fmt.Sprintf("group %s: %s; %s", name, g.Why, now)}
	}
	return stepOf("consumed", g.Moment, fmt.Sprintf("group %s committed %d, %s; %s", name, *g.Offset, client(g.TracedClient), now))
}

// changeStep tells of an administrative change, or of a start or stop.
func changeStep(c *audit.Change) step {
	switch c.Action {
	case audit.ActionServerStopped:
		return step{c.At, "stopped", "the server, in order"}
	case audit.ActionServerStarted:
		how := "after an orderly stop"
		if c.Recovered {
			how = "after a kill or a crash, with recovery"
		}
		return step{c.At, "started", "the server, " + how}
	}
	what := []string{strings.ReplaceAll(string(c.Action), "_", " ")}
	for i := range c.Configs {
		s := &c.Configs[i]
		if s.Secret {
			what = append(what, s.Name)
		} else {
			what = append(what, fmt.Sprintf("%s from %s to %s", s.Name, shown(s.Old, false), shown(s.New, false)))
		}
	}
	if c.Group != "" {
		what = append(what, "group "+shown(&c.Group, false))
	}
	if c.Partitions > 0 {
		what = append(what, count(int(c.Partitions), "partition"))
	}
	if c.OldOffset != nil {
		what = append(what, fmt.Sprintf("from offset %d", *c.OldOffset))
	}
	if c.NewOffset != nil {
		what = append(what, fmt.Sprintf("to offset %d", *c.NewOffset))
	}
	who := admin.TracedClient{Principal: c.Principal, ClientID: c.ClientID, Address: c.Address, Listener: c.Listener}
	return step{c.At, "changed", strings.Join(what, ", ") + ", by " + client(who)}
}

// formatMoment shows a time to the microsecond.
func formatMoment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// client is one on one line of a terminal.
func client(c admin.TracedClient) string {
	parts := []string{"client " + strconv.Quote(c.ClientID)}
	if c.Address != "" {
		parts[0] += " at " + c.Address
	}
	if c.Principal != "" {
		parts = append(parts, c.Principal)
	}
	if c.Listener != "" {
		parts = append(parts, "listener "+c.Listener)
	}
	return strings.Join(parts, ", ")
}
