package consumer

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"sordini/server/group/record"
	"sordini/server/group/step"
)

// Patterns come from clients, and matching one takes time in proportion to its size
// times the length of all topic names: with these limits at most 1.3 ms for a name of
// 242 bytes, and some microseconds for what people write.
const (
	maxRegexLength = 1024 // bytes
	// maxRegexSize bounds a pattern with its repetitions written out: "a{5}" counts as
	// five.
	maxRegexSize = 1024
	// resolveInterval lies between two resolutions at least, if there is anything
	// resolved yet, so that many members that come together cause one.
	resolveInterval = 10 * time.Second
)

var errRegexSize = fmt.Errorf("expression too large: more than %d bytes, or as many with its repetitions", maxRegexLength)

// compile makes a pattern that matches whole names only.
func compile(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxRegexLength {
		return nil, errRegexSize
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if regexSize(parsed) > maxRegexSize {
		return nil, errRegexSize
	}
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

// regexSize is about how many instructions a pattern compiles to.
func regexSize(r *syntax.Regexp) int {
	size := 1
	switch r.Op {
	case syntax.OpLiteral:
		size = len(r.Rune)
	case syntax.OpRepeat:
		size = 0
	}
	const enough = 1 << 20 // nothing overflows
	for _, sub := range r.Sub {
		size = min(size+regexSize(sub), enough)
	}
	if r.Op == syntax.OpRepeat {
		size *= max(r.Min, r.Max, 1)
	}
	return min(size, enough)
}

// checkRegex refuses a pattern that nobody subscribes to yet and that cannot be
// compiled, or is too large.
func (g *Group) checkRegex(was, is *record.MemberValue) *fault {
	pattern := regex(is)
	if pattern == "" || pattern == regex(was) || g.regexes[pattern] > 0 {
		return nil
	}
	_, err := compile(pattern)
	if err == nil {
		return nil
	}
	text := err.Error()
	var wrong *syntax.Error
	if errors.As(err, &wrong) {
		text = wrong.Code.String()
	}
	return refuse(kerr.InvalidRegularExpression, "SubscribedTopicRegex `%s` is not a valid regular expression: %s.", pattern, text)
}

// resolve finds the topics that patterns match, if a pattern is new or topics have
// changed, but not again at once. It says whether a pattern is new or matches other
// topics than before. Kafka does it on a thread of its own, so there the member that
// brings a pattern gets its topics with one of its next heartbeats; here it gets them
// at once. A new pattern that matches nothing counts, too, for who brings it may have
// had partitions by another one, which in Kafka nobody gets then.
func (g *Group) resolve(now time.Time, topics step.Topics, out *step.Output) (changed bool) {
	if len(g.regexes) == len(g.patterns) && (len(g.patterns) == 0 || g.resolved.version == topics.Version()) {
		return false
	}
	if age := now.Sub(g.resolved.at); len(g.patterns) > 0 && age >= 0 && age <= resolveInterval {
		return false
	}
	for _, r := range slices.Sorted(maps.Keys(g.patterns)) {
		if g.regexes[r] == 0 {
			g.write(&record.Pattern{Group: g.id, Regex: r}, out)
			changed = true
		}
	}
	matches := match(slices.Sorted(maps.Keys(g.regexes)), topics)
	for _, r := range slices.Sorted(maps.Keys(g.regexes)) {
		old := g.patterns[r]
		if old != nil && slices.Equal(old.Topics, matches[r]) {
			continue
		}
		changed = true
		v := &record.PatternValue{Topics: matches[r], Version: topics.Version(), Timestamp: now.UnixMilli()}
		g.write(&record.Pattern{Group: g.id, Regex: r, Value: v}, out)
	}
	g.resolved = moment{topics.Version(), now}
	return changed
}

// match is for each pattern what it matches. One that cannot be compiled, which must
// come from the log of another server, matches nothing.
func match(patterns []string, topics step.Topics) map[string][]string {
	matches := make(map[string][]string, len(patterns))
	compiled := make(map[string]*regexp.Regexp, len(patterns))
	for _, p := range patterns {
		if re, err := compile(p); err == nil {
			compiled[p] = re
		}
	}
	topics.Names(func(name string) bool {
		for p, re := range compiled {
			if re.MatchString(name) {
				matches[p] = append(matches[p], name)
			}
		}
		return true
	})
	return matches
}
