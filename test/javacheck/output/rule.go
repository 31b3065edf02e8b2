package output

import (
	"regexp"
	"slices"
	"strings"
)

// Rule takes one thing out of both texts before they are compared.
type Rule struct {
	What, Why string
	// Deviation is the row of test/reference's list that the rule stems from, empty if
	// the thing differs between two runs of Kafka too.
	Deviation string
	change    func(lines []string) []string
	used      bool // it has changed a text
}

// Apply changes a text by rules, in order.
func Apply(lines []string, rules ...*Rule) []string {
	for _, r := range rules {
		changed := r.change(slices.Clone(lines))
		r.used = r.used || !slices.Equal(changed, lines)
		lines = changed
	}
	return lines
}

// Unused are those of Rules that have changed nothing so far.
func Unused() []*Rule {
	var unused []*Rule
	for _, r := range Rules {
		if !r.used {
			unused = append(unused, r)
		}
	}
	return unused
}

// Rules are all of them.
var Rules []*Rule

func declare(r *Rule) *Rule {
	Rules = append(Rules, r)
	return r
}

// mask replaces what a pattern matches within a line.
func mask(what, why, pattern, with string) *Rule {
	re := regexp.MustCompile(pattern)
	return declare(&Rule{What: what, Why: why, change: func(lines []string) []string {
		for i, line := range lines {
			lines[i] = re.ReplaceAllString(line, with)
		}
		return lines
	}})
}

// drop leaves out lines that a pattern matches.
func drop(what, why, pattern string) *Rule {
	re := regexp.MustCompile(pattern)
	return declare(&Rule{What: what, Why: why, change: func(lines []string) []string {
		return slices.DeleteFunc(lines, re.MatchString)
	}})
}

// sorted sorts lines that a pattern matches; the others keep their places.
func sorted(what, why, pattern string) *Rule {
	re := regexp.MustCompile(pattern)
	return declare(&Rule{What: what, Why: why, change: func(lines []string) []string {
		var some []string
		for _, line := range lines {
			if re.MatchString(line) {
				some = append(some, line)
			}
		}
		slices.Sort(some)
		for i, line := range lines {
			if re.MatchString(line) {
				lines[i], some = some[0], some[1:]
			}
		}
		return lines
	}})
}

// inner sorts the items that the first group of a pattern holds within a line.
func inner(what, why, pattern, separator string) *Rule {
	re := regexp.MustCompile(pattern)
	return declare(&Rule{What: what, Why: why, change: func(lines []string) []string {
		for i, line := range lines {
			if at := re.FindStringSubmatchIndex(line); at != nil {
				items := strings.Split(line[at[2]:at[3]], separator)
				slices.Sort(items)
				lines[i] = line[:at[2]] + strings.Join(items, separator) + line[at[3]:]
			}
		}
		return lines
	}})
}

// cut cuts lines within what a pattern matches, behind so many bytes of it.
func cut(what, why, pattern string, behind int) *Rule {
	re := regexp.MustCompile(pattern)
	return declare(&Rule{What: what, Why: why, change: func(lines []string) []string {
		var pieces []string
		for _, line := range lines {
			from := 0
			for _, at := range re.FindAllStringIndex(line, -1) {
				pieces = append(pieces, line[from:at[0]+behind])
				from = at[0] + behind
			}
			pieces = append(pieces, line[from:])
		}
		return pieces
	}})
}

// last keeps, of lines for which the first group of a pattern is the same, the last.
func last(what, why, pattern string) *Rule {
	re := regexp.MustCompile(pattern)
	return declare(&Rule{What: what, Why: why, change: func(lines []string) []string {
		final := make(map[string]int)
		for i, line := range lines {
			if m := re.FindStringSubmatch(line); m != nil {
				final[m[1]] = i
			}
		}
		var kept []string
		for i, line := range lines {
			if m := re.FindStringSubmatch(line); m == nil || final[m[1]] == i {
				kept = append(kept, line)
			}
		}
		return kept
	}})
}

// by says which deviation of test/reference a rule stems from.
func (r *Rule) by(deviation string) *Rule {
	r.Deviation = deviation
	return r
}
