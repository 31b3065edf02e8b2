package cmd

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sordini/index"
	"sordini/segment"
	"sordini/server/cmd/inspect"
)

type segmentDumpOptions struct {
	output  format
	records bool
	cut     int
}

// defaultCut is how many bytes of a key or value are shown.
const defaultCut = 80

func newSegmentDumpCommand(p *Process) *cobra.Command {
	var opt segmentDumpOptions
	c := &cobra.Command{
		Use:   "dump PATH...",
		Short: "Print the batches, index entries or producers in files",
		Long: `Print what is in the files of a partition: the batches of .log files (all of them
in a directory), the entries of .index and .timeindex files, the producers of
.snapshot and .producers files. With -o json each thing is an object on a line of
its own.

The columns of batches: POSITION and SIZE in bytes, OFFSETS from first to last,
TIME of the latest record, PRODUCER as id/epoch/first sequence, EPOCH of the leader,
FLAGS t transactional, c control, a append time.

  $ sordini segment dump data/greetings-0 --records
  data/greetings-0/00000000000000000000.log
    POSITION    SIZE       OFFSETS  RECORDS                      TIME   CODEC    PRODUCER  EPOCH  FLAGS  CRC
           0      73             0        1  2026-01-02T03:04:05.678Z    none           -      0      -  ok
      offset 0  2026-01-02T03:04:05.678Z  key null  value "hello"`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if opt.cut < 0 {
				return usageErrorf("--cut %d: must not be negative", opt.cut)
			}
			return opt.run(p.Stdout, args)
		},
	}
	opt.output.addTo(c)
	c.Flags().BoolVar(&opt.records, "records", false, "print the records in the batches too")
	c.Flags().IntVar(&opt.cut, "cut", defaultCut, "bytes of keys and values to print; 0 for all")
	return c
}

func (o *segmentDumpOptions) run(w io.Writer, paths []string) error {
	out := bufio.NewWriterSize(w, 64<<10)
	d := &dumper{opt: o, out: out, lines: json.NewEncoder(out)}
	d.lines.SetEscapeHTML(false)
	for _, path := range paths {
		if err := d.path(path); err != nil {
			out.Flush() // what was read is worth seeing
			return err
		}
	}
	return out.Flush()
}

// dumper prints files.
type dumper struct {
	opt   *segmentDumpOptions
	out   *bufio.Writer
	lines *json.Encoder
}

// path prints a file, or the segments of a partition directory.
func (d *dumper) path(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return d.file(path)
	}
	bases, err := inspect.Bases(path)
	if err != nil {
		return err
	}
	if len(bases) == 0 {
		return fmt.Errorf("%s: %w", path, inspect.ErrNoSegments)
	}
	for _, base := range bases {
		if err := d.file(filepath.Join(path, segment.FileName(base, segment.LogSuffix))); err != nil {
			return err
		}
	}
	return nil
}

func (d *dumper) file(path string) error {
	suffix := filepath.Ext(path)
	dump, ok := map[string]func(path string, base int64) error{
		segment.LogSuffix:       d.log,
		segment.IndexSuffix:     d.offsetIndex,
		segment.TimeIndexSuffix: d.timeIndex,
		inspect.SnapshotSuffix:  d.producers,
		inspect.ProducersSuffix: d.producers,
	}[suffix]
	base, named := segment.ParseFileName(filepath.Base(path), suffix)
	if !ok || !named {
		return fmt.Errorf("%s: the name is not that of a file of a segment: 20 digits and .log, .index, .timeindex, .snapshot or .producers", path)
	}
	if d.opt.output == formatTable {
		fmt.Fprintln(d.out, path)
	}
	if err := dump(path, base); err != nil {
		return fmt.Errorf("dump %s: %w", path, err)
	}
	return nil
}

// dumpedEntry is an index entry as JSON.
type dumpedEntry struct {
	JSONVersion int    `json:"_version"`
	Type        string `json:"type"` // "offsetEntry" or "timeEntry"
	File        string `json:"file"`
	Offset      int64  `json:"offset"`
	Position    *int64 `json:"position,omitempty"`
	TimestampMs *int64 `json:"timestampMs,omitempty"`
}

func (d *dumper) offsetIndex(path string, base int64) error {
	b, err := inspect.ReadSide(path)
	if err != nil {
		return err
	}
	const noBound = 1 << 32 // the log is not looked at
	entries, err := index.DecodeOffsets(inspect.TrimIndex(b, index.OffsetEntrySize), noBound)
	if err != nil {
		return err
	}
	d.row("%12s  %12s", "OFFSET", "POSITION")
	for _, e := range entries {
		offset, pos := base+int64(e.Rel), int64(e.Pos)
		if err := d.entry(dumpedEntry{Type: "offsetEntry", File: path, Offset: offset, Position: &pos}); err != nil {
			return err
		}
		d.row("%12d  %12d", offset, pos)
	}
	return nil
}

func (d *dumper) timeIndex(path string, base int64) error {
	b, err := inspect.ReadSide(path)
	if err != nil {
		return err
	}
	entries, err := index.DecodeTimes(inspect.TrimIndex(b, index.TimeEntrySize))
	if err != nil {
		return err
	}
	d.row("%12s  %24s", "OFFSET", "TIME")
	for _, e := range entries {
		offset := base + int64(e.Rel)
		if err := d.entry(dumpedEntry{Type: "timeEntry", File: path, Offset: offset, TimestampMs: &e.Timestamp}); err != nil {
			return err
		}
		d.row("%12d  %24s", offset, formatTime(e.Timestamp))
	}
	return nil
}

// row prints a line of a table, and nothing where the output is JSON.
func (d *dumper) row(format string, args ...any) {
	if d.opt.output == formatTable {
		fmt.Fprintf(d.out, "  "+format+"\n", args...)
	}
}

// entry prints a line of JSON, and nothing where the output is a table.
func (d *dumper) entry(e dumpedEntry) error {
	e.JSONVersion = jsonVersion
	return d.json(e)
}

func (d *dumper) json(v any) error {
	if d.opt.output != formatJSON {
		return nil
	}
	return d.lines.Encode(v)
}

// dumpedProducer is the state of a producer as JSON.
type dumpedProducer struct {
	JSONVersion      int           `json:"_version"`
	Type             string        `json:"type"` // "producer"
	File             string        `json:"file"`
	ProducerID       int64         `json:"producerId"`
	Epoch            int16         `json:"producerEpoch"`
	CoordinatorEpoch int32         `json:"coordinatorEpoch"`
	TxnFirstOffset   int64         `json:"transactionFirstOffset"` // -1 if none is open
	Batches          []dumpedRange `json:"batches"`
}

// dumpedRange is a batch that a producer is remembered for.
type dumpedRange struct {
	FirstSequence int32 `json:"firstSequence"`
	LastSequence  int32 `json:"lastSequence"`
	FirstOffset   int64 `json:"firstOffset"`
	LastOffset    int64 `json:"lastOffset"`
	TimestampMs   int64 `json:"timestampMs"`
}

func (d *dumper) producers(path string, _ int64) error {
	b, err := inspect.ReadSide(path)
	if err != nil {
		return err
	}
	state, err := inspect.ParseSnapshot(filepath.Ext(path), b)
	if err != nil {
		return err
	}
	d.row("%12s  %5s  %14s  %21s  %24s  %s", "PRODUCER", "EPOCH", "SEQUENCES", "OFFSETS", "TIME", "TRANSACTION")
	for _, id := range inspect.ProducerIDs(state) {
		e := state.Get(id)
		out := dumpedProducer{
			JSONVersion: jsonVersion, Type: "producer", File: path, ProducerID: id, Epoch: e.Epoch,
			CoordinatorEpoch: e.CoordinatorEpoch, TxnFirstOffset: e.TxnFirstOffset, Batches: []dumpedRange{},
		}
		transaction := "-"
		if e.TxnFirstOffset >= 0 {
			transaction = fmt.Sprintf("open since offset %d", e.TxnFirstOffset)
		}
		for _, b := range e.Batches() {
			out.Batches = append(out.Batches, dumpedRange{b.FirstSequence, b.LastSequence, b.FirstOffset(), b.LastOffset, b.Timestamp})
			d.row("%12d  %5d  %14s  %21s  %24s  %s", id, e.Epoch, span(int64(b.FirstSequence), int64(b.LastSequence)),
				span(b.FirstOffset(), b.LastOffset), formatTime(b.Timestamp), transaction)
		}
		if err := d.json(out); err != nil {
			return err
		}
	}
	return nil
}

// span shows a range of numbers, one number if it is one.
func span(first, last int64) string {
	if first == last {
		return formatInt(first)
	}
	return formatInt(first) + ".." + formatInt(last)
}
