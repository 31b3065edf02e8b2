package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sordini/segment/vfs"
	"sordini/server/takeover"
)

type importOptions struct {
	settingsFlags
	topics      []string
	groups      bool
	dryRun      bool
	damaged     bool
	uncommitted bool
	output      format
}

func newImportCommand(p *Process) *cobra.Command {
	var opt importOptions
	c := &cobra.Command{
		Use:   "import KAFKA_LOG_DIR...",
		Short: "Take over topics from directories of Apache Kafka",
		Long: `Copy topics from the log directories (log.dirs) of a stopped Apache Kafka broker,
4.3 or another in KRaft mode, into the data directory, on which no server may run.
It is made if it is not there. Kafka's files are never changed.

Records keep their offsets, timestamps, headers and compression; topics keep their
ids, partitions and settings, which come from Kafka's metadata log: if that is in a
directory of its own (metadata.log.dir), name it too. Groups and the offsets that
they have committed come along into a data directory that has none. Settings that
sordini does not have are left out and named; those of the broker, such as
log.retention.ms, are to be given to this server as they were to Kafka.

Every batch is checked while it is copied. After a crash of the broker the copy of a
log ends where a write was torn, as Kafka's own recovery would cut it. A topic that
is damaged is refused, unless --damaged takes it without the lost offsets. Topics
with transactions that were aborted or never ended are refused too, because
consumers would get their records; --uncommitted takes them.

A topic is there whole or not at all. An import that was interrupted can be repeated:
topics that are there already are passed over, and directories that it has left are
removed if the topic has all that is in them.

Exit codes: 0 done, 1 failed or a topic was refused, 2 wrong command line or
damage.

  $ sordini import /var/lib/kafka/data --data-dir data
  TOPIC               PARTITIONS  RECORDS  BYTES    RESULT
  __consumer_offsets  50          214      31 KiB   imported
  orders              3           1048576  1.0 GiB  imported`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return opt.run(c, p, args) },
	}
	flags := c.Flags()
	flags.StringVar(&opt.dataDir, "data-dir", "", "directory of the data; sets log.dirs (default ./data)")
	flags.StringVar(&opt.config, "config", "", "configuration file with Kafka's properties")
	flags.StringArrayVar(&opt.set, "set", nil, "one setting as key=value, repeatable")
	flags.StringArrayVar(&opt.topics, "topic", nil, "topics to take, with * and ? as in file names, repeatable (default all but Kafka's internal ones)")
	flags.BoolVar(&opt.groups, "groups", true, "take groups and their offsets (__consumer_offsets)")
	flags.BoolVar(&opt.dryRun, "dry-run", false, "read and check everything, copy nothing")
	flags.BoolVar(&opt.damaged, "damaged", false, "take damaged topics too, without what is lost")
	flags.BoolVar(&opt.uncommitted, "uncommitted", false, "take topics with aborted or unfinished transactions too")
	opt.output.addTo(c)
	return c
}

func (o *importOptions) run(c *cobra.Command, p *Process, dirs []string) error {
	values, err := o.load(c, p.Environ)
	if err != nil {
		return err
	}
	into, home := values.Broker().LogDirs, values.Broker().MetadataDir
	if len(into) != 1 {
		return usageErrorf("log.dirs (%s) names %d directories; say by --data-dir into which one: that of the metadata", values.Origin("log.dirs"), len(into))
	}
	if into[0].Path != home {
		return usageErrorf("metadata.log.dir (%s) is %s: say by --data-dir that topics go there", values.Origin("metadata.log.dir"), home)
	}
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	signals, stopSignals := p.Signals()
	defer stopSignals()
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	in := takeover.Options{
		FS: vfs.OS(), Source: vfs.OS(), Dirs: dirs, DataDir: home, Values: values, Topics: o.topics, Groups: o.groups,
		DryRun: o.dryRun, Damaged: o.damaged, Uncommitted: o.uncommitted,
		Logger: slog.New(slog.NewTextHandler(p.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Now:    time.Now, Random: rand.Reader, LockSource: takeover.LockKafka,
	}
	if p.Terminal {
		in.Progress = (&progressLine{w: p.Stderr}).show
	}
	report, err := takeover.Run(ctx, in)
	if in.Progress != nil {
		io.WriteString(p.Stderr, eraseLine)
	}
	if report != nil {
		if perr := printImport(p, o.output, report); err == nil {
			err = perr
		}
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted; topics that were imported stay, and the import can be repeated")
	}
	if err != nil {
		return err
	}
	switch refused, damage := report.Failed(); {
	case damage:
		return &exitError{code: exitDamage}
	case refused > 0:
		return &exitError{code: exitFailure}
	}
	return nil
}

// eraseLine goes to the begin of a terminal's line and erases it.
const eraseLine = "\r\x1b[K"

// progressLine shows progress in one line of a terminal.
type progressLine struct {
	w     io.Writer
	began time.Time
}

func (l *progressLine) show(now takeover.Progress) {
	if l.began.IsZero() {
		l.began = time.Now()
	}
	rate := "-"
	if took := time.Since(l.began).Seconds(); took > 0 {
		rate = formatBytes(int64(float64(now.Bytes)/took)) + "/s"
	}
	const widest = 40
	name := now.Topic
	if len(name) > widest {
		name = name[:widest-3] + "..."
	}
	fmt.Fprintf(l.w, "%s%d/%d topics  %s of %s  %s  %s", eraseLine, now.Topics, now.All, formatBytes(now.Bytes), formatBytes(now.Total), rate, name)
}

// printImport prints what was done.
func printImport(p *Process, output format, r *takeover.Report) error {
	if output == formatJSON {
		return printJSON(p.Stdout, struct {
			JSONVersion int `json:"_version"`
			*takeover.Report
		}{jsonVersion, r})
	}
	rows := [][]string{{"TOPIC", "PARTITIONS", "RECORDS", "BYTES", "RESULT"}}
	for _, t := range r.Topics {
		rows = append(rows, []string{t.Name, formatInt(int64(len(t.Partitions))), formatInt(t.Records), formatBytes(t.Bytes), string(t.Result)})
	}
	if err := printTable(p.Stdout, rows); err != nil {
		return err
	}
	lines := importLines(r)
	if len(lines) == 0 {
		return nil
	}
	_, err := io.WriteString(p.Stdout, "\n"+strings.Join(lines, "\n")+"\n")
	return err
}

// importLines tell what is not as it was in Kafka.
func importLines(r *takeover.Report) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, s := range r.Sources {
		if !s.Clean {
			add("%s: Kafka was not stopped in order", s.Dir)
		}
	}
	for _, t := range r.Topics {
		if t.Result == takeover.Refused {
			add("%s: refused: %s", t.Name, t.Reason)
		}
		for _, s := range t.LeftOut {
			add("%s: setting %s=%s left out: %s", t.Name, s.Name, s.Value, s.Reason)
		}
		for _, one := range t.Partitions {
			if one.Cut > 0 {
				add("%s-%d: %s behind offset %d left out, which a crash of Kafka's tore", t.Name, one.Partition, count(int(one.Cut), "byte"), one.End-1)
			}
			for _, d := range one.Damaged {
				add("%s-%d: offsets %d to %d are lost", t.Name, one.Partition, d.From, d.To-1)
			}
			if n := one.Aborted + one.Unfinished; n > 0 && t.Result != takeover.Refused {
				add("%s-%d: %s aborted, %d never ended; consumers get their records", t.Name, one.Partition, count(one.Aborted, "transaction"), one.Unfinished)
			}
		}
	}
	for _, s := range r.Skipped {
		add("%s: skipped: %s", s.Dir, s.Reason)
	}
	return append(lines, r.Notes...)
}
