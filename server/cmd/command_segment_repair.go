package cmd

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sordini/log"
	"sordini/segment"
	"sordini/segment/vfs"
	"sordini/server"
	"sordini/server/cmd/inspect"
	"sordini/server/partition"
)

// repairOptions are those of repair and of reindex.
type repairOptions struct {
	output   format
	interval int64
	reindex  bool
	yes      bool
}

// defaultIndexInterval is Kafka's index.interval.bytes.
const defaultIndexInterval = 4096

func (o *repairOptions) addTo(c *cobra.Command) {
	o.output.addTo(c)
	c.Flags().Int64Var(&o.interval, "index-interval", defaultIndexInterval, "bytes of batches between two entries of an index (index.interval.bytes)")
}

func newSegmentRepairCommand(p *Process) *cobra.Command {
	var opt repairOptions
	c := &cobra.Command{
		Use:   "repair PATH...",
		Short: "Put right what can be, fence off what cannot",
		Long: `Examine .log files, partition directories or data directories, and tell what is
wrong with them and what would be done; with --yes do it. No server may hold the
data directory.

RESTORED are batches whose header is wrong where their checksum does not cover it
(base offset, length, leader epoch, version), and for which the batches around them
or the checksums of the headers leave no other values: they are written back.
FENCED are batches that cannot be put right. They stay where they are; reading them
is refused, and everything else is served. CUT is the torn end of the last segment
of a log, which is taken off.

Nothing is thrown away: the bytes of all three, as they were, are copied into files
*.torn beside the segment first. Interrupted, the command can be run again.

The exit code is 2 if something is wrong and --yes was not given.

  $ sordini segment repair data/orders-2
  SEGMENT                        BATCHES  RECORDS  RESTORED  FENCED  CUT
  orders-2/00000000000000065536  811      52601    1         1       -

  data/orders-2/00000000000000065536.log: restore the header of the batch @ 16384 (offset 65801)
  data/orders-2/00000000000000065536.log: fence 16384 bytes @ 52039456 (offsets 104231..104330): checksum 1b2c3d4e, the header says 5f607182
  nothing was changed; --yes does it`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return opt.run(p, args) },
	}
	opt.addTo(c)
	c.Flags().BoolVar(&opt.yes, "yes", false, "do it")
	return c
}

func newSegmentReindexCommand(p *Process) *cobra.Command {
	opt := repairOptions{reindex: true, yes: true}
	c := &cobra.Command{
		Use:   "reindex PATH...",
		Short: "Make indexes and header checksums anew from the .log files",
		Long: `Write the files beside .log files anew that are made from them: offset index, time
index, header checksums (.check), and key index and bloom filter where there are
any. Paths are .log files, partition directories or data directories; no server may
hold the data directory. The .log files stay as they are.

Batches that are damaged, and headers that the old checksums call wrong, stay
refused: "segment repair" puts right what can be. The exit code is 2 if there are
any.

  $ sordini segment reindex data/orders-2
  SEGMENT                        BATCHES  RECORDS  RESTORED  FENCED  CUT
  orders-2/00000000000000065536  812      52601    0         0       -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return opt.run(p, args) },
	}
	opt.addTo(c)
	return c
}

func (o *repairOptions) run(p *Process, paths []string) error {
	if o.interval < 0 {
		return usageErrorf("--index-interval %d: must not be negative", o.interval)
	}
	locked := make(map[string]func())
	defer func() {
		for _, release := range locked {
			release()
		}
	}()
	var all []*segment.Repair
	for _, path := range paths {
		dirs, only, err := partitionsOf(path)
		if err != nil {
			return err
		}
		for _, dir := range dirs {
			if err := lockFor(dir, locked); err != nil {
				return err
			}
			found, err := o.examine(p, dir, only)
			if err != nil {
				return err
			}
			all = append(all, found...)
		}
	}
	if o.yes {
		for _, r := range all {
			if err := o.do(r); err != nil {
				return err
			}
		}
	}
	return o.print(p.Stdout, all)
}

// partitionsOf are the partition directories that a path stands for, and the segment that
// is meant of them, -1 for all.
func partitionsOf(path string) (dirs []string, only int64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if info.IsDir() {
		dirs, err = inspect.Partitions(path)
		return dirs, -1, err
	}
	base, ok := segment.ParseFileName(filepath.Base(path), segment.LogSuffix)
	if !ok {
		return nil, 0, fmt.Errorf("%s: the name is not that of a segment, 20 digits and %s", path, segment.LogSuffix)
	}
	return []string{filepath.Dir(path)}, base, nil
}

// lockFor takes the lock of the data directory that a partition's directory lies in.
func lockFor(dir string, locked map[string]func()) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	data := filepath.Dir(abs)
	if locked[data] != nil {
		return nil
	}
	locked[data], err = server.LockData(data)
	if err != nil {
		delete(locked, data)
	}
	return err
}

func (o *repairOptions) examine(p *Process, dir string, only int64) ([]*segment.Repair, error) {
	logger, err := (&serveOptions{logLevel: "warn"}).newLogger(p.Stderr, p.Terminal)
	if err != nil {
		return nil, err
	}
	fsys := vfs.OS()
	return log.Examine(log.Options{
		FS: fsys, Dir: dir, Handles: segment.NewHandles(fsys, 8), Logger: logger, IndexInterval: o.interval,
	}, only, !o.reindex)
}

// do carries out what was found. What is fenced at the end of a log must not be taken for
// a torn write by the next start.
func (o *repairOptions) do(r *segment.Repair) error {
	if o.reindex {
		return r.Reindex()
	}
	if !r.Wrong() {
		return nil
	}
	if err := r.Apply(); err != nil {
		return err
	}
	dir, err := filepath.Abs(filepath.Dir(r.File)) // its name tells the topic
	if err != nil || !r.HoldsBack() || !server.IsData(filepath.Dir(dir)) {
		return err
	}
	return partition.RaiseRecovery(vfs.OS(), dir, r.Next)
}

// repaired is a segment as JSON.
type repaired struct {
	Path     string          `json:"path"`
	Base     int64           `json:"baseOffset"`
	Bytes    int64           `json:"bytes"`
	Batches  int64           `json:"batches"`
	Records  int64           `json:"records"`
	Restored []repairedBatch `json:"restored"`
	Fenced   []repairedFence `json:"fenced"`
	Cut      int64           `json:"cutBytes"`
	Aside    []string        `json:"aside"`
	Wrong    bool            `json:"wrong"` // there was something to repair
}

type repairedBatch struct {
	Pos    int64 `json:"position"`
	Offset int64 `json:"offset"`
}

type repairedFence struct {
	Pos    int64  `json:"position"`
	Bytes  int64  `json:"bytes"`
	From   int64  `json:"from"`
	To     int64  `json:"to"` // first readable offset behind
	Reason string `json:"reason"`
}

func (o *repairOptions) print(w io.Writer, all []*segment.Repair) error {
	wrong := false
	for _, r := range all {
		wrong = wrong || r.Wrong() || o.reindex && len(r.Fenced) > 0
	}
	err := o.printAll(w, all, wrong)
	if err == nil && wrong && (o.reindex || !o.yes) {
		err = &exitError{code: exitDamage}
	}
	return err
}

func (o *repairOptions) printAll(w io.Writer, all []*segment.Repair, wrong bool) error {
	if o.output == formatJSON {
		list := make([]repaired, len(all))
		for i, r := range all {
			list[i] = repairedOf(r)
		}
		return printJSON(w, struct {
			JSONVersion int        `json:"_version"`
			Done        bool       `json:"done"`
			Segments    []repaired `json:"segments"`
		}{jsonVersion, o.yes, list})
	}
	rows := [][]string{{"SEGMENT", "BATCHES", "RECORDS", "RESTORED", "FENCED", "CUT"}}
	for _, r := range all {
		cut := "-"
		if r.Cut > 0 {
			cut = formatBytes(r.Cut)
		}
		rows = append(rows, []string{
			segmentName(r.File), formatInt(r.Batches), formatInt(r.Records), formatInt(int64(len(r.Restored))), formatInt(int64(len(r.Fenced))), cut,
		})
	}
	if err := printTable(w, rows); err != nil {
		return err
	}
	if wrong {
		fmt.Fprintln(w)
	}
	for _, r := range all {
		describeRepair(w, r)
	}
	if wrong && !o.yes {
		fmt.Fprintln(w, "nothing was changed; --yes does it")
	}
	return nil
}

func repairedOf(r *segment.Repair) repaired {
	out := repaired{
		Path: r.File, Base: r.Base, Bytes: r.Size, Batches: r.Batches, Records: r.Records, Restored: []repairedBatch{},
		Fenced: []repairedFence{}, Cut: r.Cut, Aside: append([]string{}, r.Aside...), Wrong: r.Wrong(),
	}
	for _, b := range r.Restored {
		out.Restored = append(out.Restored, repairedBatch{b.Pos, b.Offset})
	}
	for _, d := range r.Fenced {
		out.Fenced = append(out.Fenced, repairedFence{d.Pos, d.EndPos - d.Pos, d.Offset, d.NextOffset, d.Reason})
	}
	return out
}

// describeRepair prints what there is to do in a segment, a line each.
func describeRepair(w io.Writer, r *segment.Repair) {
	for _, b := range r.Restored {
		fmt.Fprintf(w, "%s: restore the header of the batch @ %d (offset %d)\n", r.File, b.Pos, b.Offset)
	}
	for _, d := range r.Fenced {
		fmt.Fprintf(w, "%s: fence %d bytes @ %d (offsets %s): %s\n", r.File, d.EndPos-d.Pos, d.Pos, span(d.Offset, d.NextOffset-1), d.Reason)
	}
	if r.Cut > 0 {
		fmt.Fprintf(w, "%s: cut %d bytes @ %d\n", r.File, r.Cut, r.Size-r.Cut)
	}
	for _, name := range r.Aside {
		fmt.Fprintf(w, "%s: kept in %s\n", r.File, filepath.Base(name))
	}
}
