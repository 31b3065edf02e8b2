package metrics

import (
	"os/exec"
	"regexp"
	"testing"
)

// TestAlerts_NamesExist: the rules ask for metrics that there are.
func TestAlerts_NamesExist(t *testing.T) {
	m := New("test", func(int16) string { return "" })
	m.ObserveStorage(func() []Storage { return []Storage{{Dir: "data"}} })
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, f := range families {
		known[f.GetName()] = true
		known[f.GetName()+"_bucket"] = f.GetType().String() == "HISTOGRAM"
	}
	names := regexp.MustCompile(`sordini_[a-z0-9_]+`).FindAllString(Alerts, -1)
	if len(names) < 10 {
		t.Errorf("only %d names", len(names))
	}
	for _, name := range names {
		if !known[name] {
			t.Errorf("no metric %s", name)
		}
	}
}

// TestAlerts_Rules runs the unit tests of the rules with Prometheus's own tool.
func TestAlerts_Rules(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "testdata/alerts_test.yml"}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
