package reference

import (
	"testing"

	"sordini/test/reference/answer"
	"sordini/test/reference/catalogue"
)

// verdict counts what the comparison has found.
type verdict struct {
	answers    int
	deviating  int
	undeclared int
	met        map[int]int // by index in Deviations
}

func (v *verdict) compare(t *testing.T, w catalogue.World, kafka, ours []answer.Answer) {
	t.Helper()
	deviating := make(map[string]bool)
	for _, d := range pair(t, kafka, ours) {
		i := declared(d)
		if i < 0 {
			v.undeclared++
			t.Errorf("%s", d)
			continue
		}
		v.met[i]++
		deviating[d.Case+d.Answer] = true
	}
	v.answers += len(ours)
	v.deviating += len(deviating)
}

// declared is the index of the deviation that a difference is, -1 if there is none.
func declared(d answer.Difference) int {
	for i, dev := range Deviations {
		if dev.covers(d) {
			return i
		}
	}
	return -1
}

// unmet reports deviations that were declared and not met.
func (v *verdict) unmet(t *testing.T) {
	t.Helper()
	if *only != "" {
		return
	}
	for i, d := range Deviations {
		if len(d.Seen) > 0 && v.met[i] == 0 {
			t.Errorf("no case meets the deviation %q", d.What)
		}
	}
}
