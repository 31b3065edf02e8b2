package answer

import (
	"fmt"
	"strings"
)

// Answer is what came back for one request.
type Answer struct {
	Case    string
	API     string // as kmsg names it
	Version int16
	Note    string // tells requests of one API in one case apart
	Fields  []Field
}

// Field is one value of an answer.
type Field struct {
	Path  string // as Topics[0].Partitions[1].ErrorCode; that of an element ends with its index
	Value string // "" for an element
}

// Fields that stand for a whole answer.
const (
	Closed   = "closed"   // the connection was closed instead
	Unending = "unending" // the answer is longer or shorter than its fields
	Broken   = "broken"   // the answer cannot be decoded
)

// Name is the heading of an answer within its case.
func (a Answer) Name() string {
	name := fmt.Sprintf("%s %d", a.API, a.Version)
	if a.Note != "" {
		name += " " + a.Note
	}
	return name
}

// ErrorCodes returns the names of the codes in the answer other than success.
func (a Answer) ErrorCodes() []string {
	var codes []string
	for _, f := range a.Fields {
		if strings.HasSuffix(f.Path, "ErrorCode") {
			codes = append(codes, f.Value)
		}
	}
	return codes
}

// Difference is one field that two brokers answer differently.
type Difference struct {
	Case, Answer string
	Path         string
	Kafka, Ours  string // absent if the field is missing
}

// Absent is the value of a field that is missing on one side: it has the protocol's
// default, or its element does not exist.
const Absent = "-"

func (d Difference) String() string {
	return fmt.Sprintf("%s: %s: %s: Kafka %s, here %s", d.Case, d.Answer, d.Path, d.Kafka, d.Ours)
}

// Compare lists the differences between two answers to the same request.
func Compare(kafka, ours Answer) []Difference {
	var all []Difference
	add := func(path, k, o string) {
		if k != o {
			all = append(all, Difference{Case: kafka.Case, Answer: kafka.Name(), Path: path, Kafka: k, Ours: o})
		}
	}
	theirs := make(map[string]string)
	for _, f := range kafka.Fields {
		theirs[f.Path] = f.Value
	}
	seen := make(map[string]bool)
	missing := "" // an element that one side lacks; what it holds goes without saying
	for _, f := range ours.Fields {
		if missing != "" && strings.HasPrefix(f.Path, missing) {
			seen[f.Path] = true
			continue
		}

		seen[f.Path] = true
		if k, ok := theirs[f.Path]; ok {
			add(f.Path, k, f.Value)
		} else {
			add(f.Path, Absent, shown(f.Value))
			missing = within(f)
		}
	}
	missing = ""
	for _, f := range kafka.Fields {
		if seen[f.Path] || missing != "" && strings.HasPrefix(f.Path, missing) {
			continue
		}
		add(f.Path, shown(f.Value), Absent)
		missing = within(f)
	}
	return all
}

// within is how the paths of what an element holds begin, "" if f is no element.
func within(f Field) string {
	if f.Value != "" {
		return ""
	}
	return f.Path + "."
}

// shown is the value of a field that the other side lacks.
func shown(value string) string {
	if value == "" {
		return "present"
	}
	return value
}
