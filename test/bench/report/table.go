package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// The sides with which others are compared.
const (
	Floor = "floor" // the bare system calls of the same work
	Kafka = "kafka"
)

// Reading is one measured number.
type Reading struct {
	Name  string // of what was measured; with the side it names a row
	Unit  string
	Value float64
}

// Row is all that was measured of one thing on one side.
type Row struct {
	Name      string    `json:"name"`
	Side      string    `json:"side"`
	Unit      string    `json:"unit"`
	Median    float64   `json:"median"`
	Min       float64   `json:"min"`
	Max       float64   `json:"max"`
	OfFloor   float64   `json:"ratio_to_floor,omitempty"` // median by median, 0 if there is no floor
	OfKafka   float64   `json:"ratio_to_kafka,omitempty"` // the same
	Disturbed int       `json:"disturbed"`                // how many of the values were measured on a busy machine
	Values    []float64 `json:"values"`
}

// Table holds the rows in the order of their first reading. The zero value is empty.
type Table struct {
	rows []*Row
}

// Add takes one reading of a side. Disturbed tells that others kept the machine
// busy meanwhile.
func (t *Table) Add(side string, disturbed bool, r Reading) {
	row := t.find(r.Name, side)
	if row == nil {
		row = &Row{Name: r.Name, Side: side, Unit: r.Unit}
		t.rows = append(t.rows, row)
	}
	row.Values = append(row.Values, r.Value)
	if disturbed {
		row.Disturbed++
	}
}

// Median of a row; false if there is no such row.
func (t *Table) Median(name, side string) (float64, bool) {
	row := t.find(name, side)
	if row == nil {
		return 0, false
	}
	return median(row.Values), true
}

// Rows returns all rows, complete, those of one name together.
func (t *Table) Rows() []Row {
	var names []string
	for _, r := range t.rows {
		if !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	all := make([]Row, 0, len(t.rows))
	for _, name := range names {
		for _, r := range t.rows {
			if r.Name == name {
				all = append(all, t.complete(*r))
			}
		}
	}
	return all
}

func (t *Table) complete(r Row) Row {
	r.Median, r.Min, r.Max = median(r.Values), slices.Min(r.Values), slices.Max(r.Values)
	if m, ok := t.Median(r.Name, Floor); ok && m != 0 && r.Side != Floor {
		r.OfFloor = r.Median / m
	}
	if m, ok := t.Median(r.Name, Kafka); ok && m != 0 && r.Side != Kafka {
		r.OfKafka = r.Median / m
	}
	return r
}

func (t *Table) find(name, side string) *Row {
	for _, r := range t.rows {
		if r.Name == name && r.Side == side {
			return r
		}
	}
	return nil
}

// WriteText prints the rows in columns. A star marks a row of which a value was
// measured on a busy machine.
func (t *Table) WriteText(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NAME\tSIDE\tMEDIAN [MIN,MAX]\tUNIT\tOF FLOOR\tOF KAFKA")
	for _, r := range t.Rows() {
		star := ""
		if r.Disturbed > 0 {
			star = "*"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s%s [%s,%s]\t%s\t%s\t%s\n", r.Name, r.Side, number(r.Median), star,
			number(r.Min), number(r.Max), r.Unit, ratio(r.OfFloor), ratio(r.OfKafka))
	}
	return tw.Flush()
}

// WriteJSON prints facts about the machine and the run, the rows, and verdicts.
func (t *Table) WriteJSON(w io.Writer, facts any, verdicts []Verdict) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Facts   any       `json:"facts"`
		Rows    []Row     `json:"rows"`
		Targets []Verdict `json:"targets"`
	}{facts, t.Rows(), verdicts})
}

// number prints three significant digits, and all digits before the point.
func number(v float64) string {
	if v == 0 {
		return "0"
	}
	return fmt.Sprintf("%.*f", max(0, 2-int(math.Floor(math.Log10(math.Abs(v))))), v)
}

func ratio(v float64) string {
	if v == 0 {
		return "-"
	}
	return number(v) + "x"
}
