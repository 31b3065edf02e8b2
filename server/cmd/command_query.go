package cmd

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"sordini/server/admin"
)

// queryFlags are those of "query".
type queryFlags struct {
	question
	output    format
	key       string
	from, to  string
	partition int32
	offset    int64
	limit     int
	last      bool
}

func newQueryCommand(p *Process) *cobra.Command {
	var f queryFlags
	c := &cobra.Command{
		Use:   "query TOPIC",
		Short: "Look records up by key, time or offset",
		Long: `Look records up by key, time or offset, oldest first. Of a topic with
index.key=true records of a key are found by its key index; of others the log is
read, as far as one query may.

  $ sordini query orders --key 4711 --last
  PARTITION  OFFSET  TIMESTAMP                 KEY   VALUE
  0          812     2026-01-31T12:00:00.000Z  4711  {"state":"paid"}

Times are written as 2026-01-31T12:00:00Z, as milliseconds since 1970, or as a time
ago, as in --from -1h. The server is asked by HTTP, at its admin listener.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			answer := new(admin.RecordsAnswer)
			if err := f.ask("/v1/topics/"+url.PathEscape(args[0])+"/records", f.params(c), answer); err != nil {
				return err
			}
			return f.print(p, answer)
		},
	}
	flags := c.Flags()
	f.addTo(flags, p)
	flags.StringVar(&f.key, "key", "", "only records with this key")
	flags.StringVar(&f.from, "from", "", "only records of this time or later")
	flags.StringVar(&f.to, "to", "", "only records before this time")
	flags.Int32Var(&f.partition, "partition", 0, "only this partition; all if not given")
	flags.Int64Var(&f.offset, "offset", 0, "begin at this offset")
	flags.IntVar(&f.limit, "limit", 100, "how many records, at most 10000; 1 with --last")
	flags.BoolVar(&f.last, "last", false, "the newest records, and those first")
	f.output.addTo(c)
	return c
}

// params are the flags that were given, as the server knows them.
func (f *queryFlags) params(c *cobra.Command) url.Values {
	v := url.Values{}
	for name, value := range map[string]string{
		"key": f.key, "from": f.from, "to": f.to, "partition": strconv.Itoa(int(f.partition)),
		"offset": strconv.FormatInt(f.offset, 10), "limit": strconv.Itoa(f.limit), "last": strconv.FormatBool(f.last),
	} {
		if c.Flags().Changed(name) {
			v.Set(name, value)
		}
	}
	return v
}

func (f *queryFlags) print(p *Process, a *admin.RecordsAnswer) error {
	if f.output == formatJSON {
		return printJSON(p.Stdout, a)
	}
	rows := [][]string{{"PARTITION", "OFFSET", "TIMESTAMP", "KEY", "VALUE"}}
	for _, r := range a.Records {
		rows = append(rows, []string{
			strconv.Itoa(int(r.Partition)), strconv.FormatInt(r.Offset, 10), formatTime(r.Timestamp),
			shown(r.Key, r.KeyBase64), shown(r.Value, r.ValueBase64),
		})
	}
	if err := printTable(p.Stdout, rows); err != nil {
		return err
	}
	if a.KeyIndex == "none" || a.KeyIndex == "partial" {
		fmt.Fprintf(p.Stderr, "%s of %s had no key index and had to be read\n", count(a.SegmentsScanned, "segment"), count(a.Segments, "segment"))
	}
	switch {
	case a.NextOffset != nil:
		fmt.Fprintf(p.Stderr, "there may be more: go on with --offset %d\n", *a.NextOffset)
	case a.More:
		fmt.Fprintln(p.Stderr, "there may be more")
	}
	return nil
}

// shown is a key or value on one line of a terminal.
func shown(text *string, inBase64 bool) string {
	switch {
	case text == nil:
		return "null"
	case inBase64:
		return "base64:" + *text
	}
	for _, r := range *text {
		if !strconv.IsPrint(r) {
			return strconv.Quote(*text)
		}
	}
	return *text
}
