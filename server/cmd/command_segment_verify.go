package cmd

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sordini/segment"
	"sordini/server/cmd/inspect"
)

func newSegmentVerifyCommand(p *Process) *cobra.Command {
	var output format
	c := &cobra.Command{
		Use:   "verify DIR...",
		Short: "Check that segments hold what was written",
		Long: `Check the segments of partition directories, or of all partitions in data
directories: each batch's checksum and order, and whether indexes and producer
snapshots fit. Missing indexes and snapshots are no fault, they are made again from
the log; the last segment of a running server has none.

A segment whose last batch is cut short is TORN: that is what a crash in the middle
of a write leaves, and the next start cuts it off. Anything else is BAD. The exit
code is 2 if there is either.

  $ sordini segment verify data/orders-2
  SEGMENT                        BATCHES  RECORDS  BYTES    CRC  OFFSET-INDEX  TIME-INDEX  SNAPSHOT
  orders-2/00000000000000000000  1024     65536    64 MiB   ok   ok            ok          missing
  orders-2/00000000000000065536  811      52601    51 MiB   BAD  ok            ok          ok

  data/orders-2/00000000000000065536.log: BAD @ 52039456 (offset 104231): checksum 1b2c3d4e, the header says 5f607182
  1 fault in 1 of 2 segments`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			reports, err := verifyAll(args)
			if err != nil {
				return err
			}
			return printReports(p, output, reports)
		},
	}
	output.addTo(c)
	return c
}

// verifyAll checks all partitions that the directories stand for.
func verifyAll(dirs []string) ([]*inspect.Report, error) {
	var reports []*inspect.Report
	for _, dir := range dirs {
		partitions, err := inspect.Partitions(dir)
		if err != nil {
			return nil, err
		}
		for _, partition := range partitions {
			err := inspect.Verify(partition, func(r *inspect.Report) error {
				reports = append(reports, r)
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return reports, nil
}

// printReports prints all reports; the exit code is that of damage if one of them has a fault.
func printReports(p *Process, output format, reports []*inspect.Report) error {
	var faults int64
	damaged := 0
	for _, r := range reports {
		faults += r.FaultCount
		if r.Damaged() {
			damaged++
		}
	}
	var err error
	if output == formatJSON {
		err = printJSON(p.Stdout, struct {
			JSONVersion int               `json:"_version"`
			Faults      int64             `json:"faults"`
			Segments    []*inspect.Report `json:"segments"`
		}{jsonVersion, faults, reports})
	} else {
		err = printReportTable(p, reports)
	}
	if err != nil {
		return err
	}
	if damaged == 0 {
		return nil
	}
	if output == formatTable {
		fmt.Fprintf(p.Stdout, "%s in %d of %s\n", count(int(faults), "fault"), damaged, count(len(reports), "segment"))
	}
	return &exitError{code: exitDamage}
}

func printReportTable(p *Process, reports []*inspect.Report) error {
	rows := [][]string{{"SEGMENT", "BATCHES", "RECORDS", "BYTES", "CRC", "OFFSET-INDEX", "TIME-INDEX", "SNAPSHOT"}}
	for _, r := range reports {
		rows = append(rows, []string{
			segmentName(r.Path), formatInt(r.Batches), formatInt(r.Records), formatBytes(r.Bytes),
			checksumCell(r), string(r.OffsetIndex), string(r.TimeIndex), string(r.Snapshot),
		})
	}
	if err := printTable(p.Stdout, rows); err != nil {
		return err
	}
	first := true
	for _, r := range reports {
		for _, f := range r.Faults {
			if first {
				fmt.Fprintln(p.Stdout)
				first = false
			}
			if _, err := fmt.Fprintln(p.Stdout, describeFault(f)); err != nil {
				return err
			}
		}
		if more := r.FaultCount - int64(len(r.Faults)); more > 0 {
			fmt.Fprintf(p.Stdout, "%s: %d more\n", r.Path, more)
		}
	}
	return nil
}

// checksumCell says TORN where the only fault of the .log file is a cut at its end.
func checksumCell(r *inspect.Report) string {
	if r.CRC == inspect.OK {
		return string(r.CRC)
	}
	for _, f := range r.Faults {
		if f.File == r.Path && !f.Torn {
			return string(inspect.Bad)
		}
	}
	return "TORN"
}

// segmentName is the directory and the base offset of a segment.
func segmentName(path string) string {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return path
	}
	return filepath.Base(dir) + "/" + strings.TrimSuffix(filepath.Base(path), segment.LogSuffix)
}

func describeFault(f inspect.Fault) string {
	word := string(inspect.Bad)
	if f.Torn {
		word = "TORN"
	}
	where := ""
	if f.Pos >= 0 {
		where = fmt.Sprintf(" @ %d", f.Pos)
	}
	if f.Offset >= 0 {
		where += fmt.Sprintf(" (offset %d)", f.Offset)
	}
	return fmt.Sprintf("%s: %s%s: %s", f.File, word, where, f.Reason)
}
