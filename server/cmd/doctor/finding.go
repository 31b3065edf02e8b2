package doctor

import (
	"cmp"
	"slices"
)

// Severity says how bad something is. Its numbers are the exit codes of the command.
type Severity int

// The severities.
const (
	OK Severity = iota
	Warning
	Critical
)

func (s Severity) String() string { return [...]string{"ok", "warning", "critical"}[s] }

// MarshalText makes it a word in JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one thing that was looked at.
type Finding struct {
	Severity Severity `json:"severity"`
	Subject  string   `json:"subject"` // "disk", "flush", ...
	What     string   `json:"what"`
	Cause    string   `json:"cause,omitempty"` // none where all is well
	Cure     string   `json:"cure,omitempty"`
}

func fine(subject, what string) Finding { return Finding{OK, subject, what, "", ""} }

// Worst is the highest severity.
func Worst(findings []Finding) Severity {
	worst := OK
	for _, f := range findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

// Sort puts the worst first and keeps the order otherwise.
func Sort(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
}
