package cmd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// metricsServer answers with metrics.
func metricsServer(t *testing.T, text string) (address string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func TestDoctor(t *testing.T) {
	const well = "sordini_offline_logs 0\n" + `sordini_disk_used_ratio{dir="/d"} 0.5` + "\n" + `sordini_checkpoint_age_seconds{dir="/d"} 1` + "\n"
	address := metricsServer(t, well)
	gone := strings.Replace(address, "127.0.0.1:", "127.0.0.1:1", 1) // no such port
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--admin", address}, 0, "ok        logs        all partitions are online"},
		{[]string{"--admin", metricsServer(t, well+"sordini_journal_broken{dir=\"/d\"} 1\n")}, 1, "WARNING   journal"},
		{[]string{"--admin", metricsServer(t, well+"sordini_offline_logs 3\n")}, 2, "cure    look for disk errors"},
		{[]string{"--admin", gone}, 2, "CRITICAL  server      no answer"},
		{[]string{"--admin", address, "--data-dir", t.TempDir()}, 2, "no data directory"},
		{[]string{"--admin", address, "--window", "0s"}, 2, ""},
	} {
		p := newTestProcess(append([]string{"doctor", "--window", "1ms"}, c.args...)...)
		if code := p.run(); code != c.code || !strings.Contains(p.out.String(), c.says) {
			t.Errorf("%v: exit code %d, want %d\n%s%s", c.args, code, c.code, p.out.String(), p.err.String())
		}
	}
	p := newTestProcess("doctor", "--window", "1ms", "-o", "json", "--admin", address)
	if code := p.run(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	var printed struct {
		Worst    string
		Findings []struct{ Severity, Subject, What string }
	}
	if err := json.Unmarshal([]byte(p.out.String()), &printed); err != nil || printed.Worst != "ok" || len(printed.Findings) < 5 {
		t.Errorf("%v: %s", err, p.out.String())
	}
}

func TestAlerts(t *testing.T) {
	p := newTestProcess("alerts")
	if code := p.run(); code != 0 || !strings.Contains(p.out.String(), "alert: SordiniFlushLatencyHigh") {
		t.Errorf("exit code %d: %s", code, p.out.String())
	}
}
