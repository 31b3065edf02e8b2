package cmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"sordini/log"
	"sordini/server"
	"sordini/server/partition"
)

type recoverOptions struct {
	serveOptions
	output format
	dryRun bool
}

func newRecoverCommand(p *Process) *cobra.Command {
	var opt recoverOptions
	c := &cobra.Command{
		Use:   "recover",
		Short: "Recover a data directory without serving it, or tell what that would do",
		Long: `Open a data directory as "serve" does, with everything that this repairs, tell what
was found, and close it in order: the next start finds nothing to do. No server may
hold the directory.

With --dry-run nothing on the disk changes: all that opening would write goes to a
temporary file. What is told is what the next start, or recover without it, will
find and do.

The table has the partitions that are not as an orderly shutdown left them: FROM is
the offset where scanning began, JOURNAL the entries of the journal that were
written back, CUT the bytes of torn writes, which are kept in files beside the log,
DAMAGED the ranges of offsets that are lost. -o json has all partitions.

The exit code is 2 if records are damaged or a partition cannot be opened.

  $ sordini recover --data-dir data --dry-run
  PARTITION  FROM   SCANNED  BATCHES  RECORDS  BYTES    JOURNAL  CUT    DAMAGED
  orders-0   0      1        812      52601    51 MiB   3        688 B  -
  dry run, nothing was changed: after an unclean end, from the checkpoint; ...`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return opt.run(c, p) },
	}
	opt.addTo(c)
	opt.output.addTo(c)
	flags := c.Flags()
	flags.BoolVar(&opt.dryRun, "dry-run", false, "change nothing, tell what would be done")
	flags.StringVar(&opt.logFormat, "log-format", "", "text or json (default text on a terminal, json otherwise)")
	flags.StringVar(&opt.logLevel, "log-level", "warn", "debug, info, warn or error")
	return c
}

func (o *recoverOptions) run(c *cobra.Command, p *Process) error {
	stderr, logger, err := o.loggerFor(p)
	if err != nil {
		return err
	}
	values, err := o.load(c, p.Environ)
	if err != nil {
		return err
	}
	if o.dryRun {
		logger = logger.With("dry_run", true)
	}
	progress := new(partition.Progress)
	stop := newWatcher(progress, logger, stderr).start()
	r, err := server.Recover(server.Options{
		Values: values, Version: thisBuild().Version, Logger: logger, Started: p.Started, Progress: progress,
	}, o.dryRun)
	stop()
	if err != nil {
		return err
	}
	if err := o.print(p.Stdout, &r); err != nil {
		return err
	}
	if r.Report.Damaged > 0 || r.Report.Offline > 0 {
		return &exitError{code: exitDamage}
	}
	return nil
}

func (o *recoverOptions) print(w io.Writer, r *server.Recovered) error {
	if o.output == formatJSON {
		return printJSON(w, struct {
			JSONVersion int                `json:"_version"`
			DryRun      bool               `json:"dryRun"`
			Report      partition.Report   `json:"report"`
			Partitions  []partition.Detail `json:"partitions"`
			Aside       []string           `json:"directoriesSetAside"`
			Removed     []string           `json:"deletionsFinished"`
		}{jsonVersion, o.dryRun, r.Report, append([]partition.Detail{}, r.Partitions...), append([]string{}, r.Aside...), append([]string{}, r.Removed...)})
	}
	rows := [][]string{{"PARTITION", "FROM", "SCANNED", "BATCHES", "RECORDS", "BYTES", "JOURNAL", "CUT", "DAMAGED"}}
	for _, d := range r.Partitions {
		if !d.Clean || d.Scanned > 0 || d.Error != "" {
			rows = append(rows, recoveredRow(d))
		}
	}
	if len(rows) > 1 {
		if err := printTable(w, rows); err != nil {
			return err
		}
	}
	for _, d := range r.Partitions {
		if d.Error != "" {
			fmt.Fprintf(w, "%s is offline: %s\n", log.DirName(d.Topic, d.Partition), d.Error)
		}
	}
	for _, name := range r.Aside {
		fmt.Fprintf(w, "%s belongs to no topic: set aside\n", name)
	}
	for _, name := range r.Removed {
		fmt.Fprintf(w, "%s: its deletion was finished\n", name)
	}
	if o.dryRun {
		fmt.Fprint(w, "dry run, nothing was changed: ")
	}
	_, err := fmt.Fprintln(w, describeRecovery(r.Report))
	return err
}

func recoveredRow(d partition.Detail) []string {
	cut := "-"
	if d.Cut > 0 {
		cut = formatBytes(d.Cut)
	}
	return []string{
		log.DirName(d.Topic, d.Partition), formatInt(d.From), formatInt(int64(d.Scanned)), formatInt(d.Batches), formatInt(d.Records),
		formatBytes(d.Bytes), formatInt(d.JournalEntries), cut, damagedCell(d.Damaged),
	}
}

// damagedCell shows ranges of offsets as first-last.
func damagedCell(spans []log.Span) string {
	if len(spans) == 0 {
		return "-"
	}
	var texts []string
	for _, s := range spans {
		texts = append(texts, span(s.From, s.To-1))
	}
	return strings.Join(texts, ",")
}
