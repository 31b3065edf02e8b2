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
	met        map[*Sight]bool
}

func (v *verdict) compare(t *testing.T, w catalogue.World, kafka, ours []answer.Answer) {
	t.Helper()
	deviating := make(map[string]bool)
	for _, d := range pair(t, kafka, ours) {
		sight := Declared(d)
		if sight == nil {
			v.undeclared++
			t.Errorf("%s", d)
			continue
		}
		v.met[sight] = true
		deviating[d.Case+d.Answer] = true
	}
	v.answers += len(ours)
	v.deviating += len(deviating)
}

// unmet reports deviations that were declared and not met.
func (v *verdict) unmet(t *testing.T) {
	t.Helper()
	if *only != "" {
		return
	}
	for i := range Deviations {
		for j := range Deviations[i].Seen {
			if s := &Deviations[i].Seen[j]; !v.met[s] {
				t.Errorf("no case meets %+v of the deviation %q", *s, Deviations[i].What)
			}
		}
	}
}
