package report

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Target is what a median should reach.
type Target struct {
	Name  string  // of the row
	Side  string  // of the row
	Of    string  // side to compare with, "" for the value itself
	Most  float64 // the value or ratio is at most this, or
	Least float64 // at least this; the one that is not 0 counts
}

// Verdict is a target, held against the table.
type Verdict struct {
	Target string  `json:"target"`
	Value  float64 `json:"value"`
	Met    bool    `json:"met"`
}

// Judge holds targets against the table. Those whose rows are missing are left out.
func (t *Table) Judge(targets []Target) []Verdict {
	var all []Verdict
	for _, g := range targets {
		v, ok := t.Median(g.Name, g.Side)
		unit := ""
		if row := t.find(g.Name, g.Side); row != nil {
			unit = " " + row.Unit
		}
		if g.Of != "" {
			of, there := t.Median(g.Name, g.Of)
			v, ok, unit = v/of, ok && there && of != 0, "x "+g.Of
		}
		if !ok {
			continue
		}
		sign, limit, met := "<=", g.Most, v <= g.Most
		if g.Least != 0 {
			sign, limit, met = ">=", g.Least, v >= g.Least
		}
		all = append(all, Verdict{fmt.Sprintf("%s %s %s%s", g.Name, sign, number(limit), unit), v, met})
	}
	return all
}

// WriteVerdicts prints the verdicts in columns.
func WriteVerdicts(w io.Writer, all []Verdict) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "TARGET\tVALUE\tMET")
	for _, v := range all {
		met := "no"
		if v.Met {
			met = "yes"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", v.Target, number(v.Value), met)
	}
	return tw.Flush()
}
