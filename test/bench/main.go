//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"sordini/test/bench/floor"
	"sordini/test/bench/proc"
	"sordini/test/bench/report"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit code: 0 measured, 1 failed, 2 wrong command line.
func run(args []string, out, log io.Writer) int {
	if len(args) > 0 && floor.Is(args[0]) {
		return code(floor.Run(args[0], args[1:], out), log)
	}
	o, err := parse(args, log)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(log, "bench:", err)
		return 2
	}
	return code(measure(o, out, log), log)
}

func code(err error, log io.Writer) int {
	if err != nil {
		fmt.Fprintln(log, "bench:", err)
		return 1
	}
	return 0
}

// options are what the command line tells.
type options struct {
	server string   // path of sordini's binary
	kafka  string   // path of the script that serves Kafka, "" for none
	only   []string // names of scenarios, none for all
	dir    string   // for all data
	format string   // table or json
	rounds int
	tries  int   // of a turn, if others disturb it
	size   int64 // bytes of one measurement
	spread int   // partitions of the recovery
	quick  bool
}

const (
	usualSize = 512 << 20 // see the package comment
	quickSize = 16 << 20
	leastSize = 1 << 20
	maxSpread = 10_000
)

func parse(args []string, log io.Writer) (options, error) {
	var o options
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(log)
	f.StringVar(&o.server, "server", "", "path of sordini's binary (required)")
	f.StringVar(&o.kafka, "kafka", "", "path of a script: SCRIPT serve DIR PORT key=value... runs Kafka in the foreground")
	f.StringVar(&only, "only", "", "comma-separated scenarios (default all): "+strings.Join(names(), ", "))
	f.StringVar(&o.dir, "dir", os.TempDir(), "directory for all data")
	f.StringVar(&o.format, "o", "table", "output: table or json")
	f.IntVar(&o.rounds, "rounds", 3, "turns of each side")
	f.IntVar(&o.tries, "tries", 3, "how often a turn is tried if others keep the machine busy")
	f.Int64Var(&o.size, "size", usualSize, "bytes of one measurement")
	f.IntVar(&o.spread, "recovery-partitions", partitionCount, "partitions over which the data of the recovery are spread")
	f.BoolVar(&o.quick, "quick", false, "one round of small measurements: proves that the benchmark works, not how fast anything is")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	set := make(map[string]bool)
	f.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if o.quick && !set["size"] {
		o.size = quickSize
	}
	if o.quick && !set["rounds"] {
		o.rounds = 1
	}
	if o.quick && !set["tries"] {
		o.tries = 1
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	return o, o.check(f.Args())
}

func (o options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case o.server == "":
		return errors.New("--server is missing")
	case o.format != "table" && o.format != "json":
		return fmt.Errorf("-o %s: want table or json", o.format)
	case o.rounds < 1:
		return fmt.Errorf("--rounds %d: want at least 1", o.rounds)
	case o.tries < 1:
		return fmt.Errorf("--tries %d: want at least 1", o.tries)
	case o.spread < 1 || o.spread > maxSpread:
		return fmt.Errorf("--recovery-partitions %d: want 1 to %d", o.spread, maxSpread)
	case o.size < leastSize:
		return fmt.Errorf("--size %d: want at least %d", o.size, leastSize)
	}
	for _, name := range o.only {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("--only %s: no such scenario; there are %s", name, strings.Join(names(), ", "))
		}
	}
	return nil
}

// scenario is one thing to measure.
type scenario struct {
	name string
	run  func(b *bench) error
}

func scenarios() []scenario {
	return []scenario{
		{"fetch", (*bench).fetch},
		{"produce", (*bench).produce},
		{"requests", (*bench).requests},
		{"produce-sync", (*bench).produceSync},
		{"franz", (*bench).franz},
		{"latency", (*bench).latency},
		{"open-loop", (*bench).openLoop},
		{"flush", (*bench).flush},
		{"policies", (*bench).policies},
		{"features", (*bench).features},
		{"memory", (*bench).memory},
		{"connections", (*bench).connections},
		{"start", (*bench).start},
		{"partitions", (*bench).partitions},
		{"recovery", (*bench).recovery},
	}
}

func names() []string {
	var all []string
	for _, s := range scenarios() {
		all = append(all, s.name)
	}
	return all
}

// measure runs the scenarios and prints the table, of what there is if one failed.
func measure(o options, out, log io.Writer) error {
	b, err := newBench(o, log)
	if err != nil {
		return err
	}
	defer b.close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, b.close)() // what goes on then fails, and what there is gets printed
	facts, err := proc.Machine(b.dir)
	if err != nil {
		return err
	}
	var failed error
	for _, s := range scenarios() {
		if len(o.only) > 0 && !slices.Contains(o.only, s.name) {
			continue
		}
		if err := s.run(b); err != nil {
			failed = fmt.Errorf("%s: %w", s.name, err)
			break
		}
	}
	return errors.Join(failed, b.print(out, facts))
}

func (b *bench) print(out io.Writer, facts proc.Facts) error {
	verdicts := b.table.Judge(targets())
	if b.format == "json" {
		return b.table.WriteJSON(out, facts, verdicts)
	}
	fmt.Fprintf(out, "%s: %d cores (%s), Linux %s, %s, %s; congestion control %s, %s where it can be pinned; %d MiB a turn, %d rounds\n\n",
		facts.Time, facts.Cores, facts.Processor, facts.Kernel, facts.FileSystem, facts.Go,
		facts.Congestion, pinned, b.size>>20, b.rounds)
	err := b.table.WriteText(out)
	if len(verdicts) > 0 {
		fmt.Fprintln(out)
		err = errors.Join(err, report.WriteVerdicts(out, verdicts))
	}
	return err
}
