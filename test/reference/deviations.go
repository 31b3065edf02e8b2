package reference

import (
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

func (d Deviation) covers(x answer.Difference) bool {
	for _, s := range d.Seen {
		if matches(s.Case, x.Case) && matches(s.Answer, x.Answer) && matches(s.Path, x.Path) && matches(s.Kafka, x.Kafka) && matches(s.Ours, x.Ours) {
			return true
		}
	}
	return false
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

// Deviations are all of them. A difference that none covers fails the test, and so
// does one that is Seen by no case.
var Deviations = []Deviation{}
