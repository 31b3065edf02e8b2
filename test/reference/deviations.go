package reference

import (
	"fmt"
	"strings"

	"sordini/test/reference/answer"
)

// Deviation is an answer, or a behaviour, that is on purpose not Kafka's.
type Deviation struct {
	What, Here, Why string // the row of README.md
	// Seen tells the differences by which the cases meet it; none if answers alone
	// cannot show it.
	Seen []Sight
}

// Sight is a pattern for differences. A star stands for any text, an empty pattern
// for all.
type Sight struct {
	Case, Answer, Path string
	Kafka, Ours        string
}

func (s *Sight) covers(x answer.Difference) bool {
	return matches(s.Case, x.Case) && matches(s.Answer, x.Answer) && matches(s.Path, x.Path) &&
		matches(s.Kafka, x.Kafka) && matches(s.Ours, x.Ours)
}

// Declared returns what covers a difference, nil if nothing does.
func Declared(x answer.Difference) *Sight {
	for i := range Deviations {
		for j := range Deviations[i].Seen {
			if s := &Deviations[i].Seen[j]; s.covers(x) {
				return s
			}
		}
	}
	return nil
}

// matches tells whether a text is one of a pattern's.
func matches(pattern, text string) bool {
	if pattern == "" {
		return true
	}
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return text == pattern
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return len(rest) >= len(parts[last]) && strings.HasSuffix(rest, parts[last])
}

// Table is the list as README.md shows it.
func Table() string {
	var b strings.Builder
	b.WriteString("| what | here | why |\n|---|---|---|\n")
	for _, d := range Deviations {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", d.What, d.Here, d.Why)
	}
	return b.String()
}
