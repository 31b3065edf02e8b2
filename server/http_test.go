package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sordini/segment/vfs"
	"sordini/server/api"
	"sordini/server/metrics"
	"sordini/server/partition"
)

func ask(t *testing.T, s *Server, path string) (code int, body string) {
	t.Helper()
	r, err := http.Get("http://" + s.admin.Addr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// While the logs are not open HTTP tells how far they are, and what needs them is refused.
func TestHTTP_WhileLogsAreOpened(t *testing.T) {
	opt := options(t, t.TempDir())
	opt.Progress = new(partition.Progress)
	s := &Server{opt: opt, fs: vfs.OS(), failed: make(chan error, 8)}
	if err := s.lockData(); err != nil {
		t.Fatal(err)
	}
	defer s.closeAll()
	s.metrics = metrics.New("1.2.3", api.Name)
	s.metrics.ObserveRecovery(opt.Progress.Recovery)
	if err := s.startHTTP(context.Background()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/readyz": 503, "/healthz": 200, "/metrics": 200, "/metrics/kafka": 503, "/v1/topics/a/records": 503, "/v1/topics/a/trace": 503} {
		if code, body := ask(t, s, path); code != want {
			t.Errorf("%s: %d, want %d: %s", path, code, want, body)
		}
	}
	_, body := ask(t, s, "/readyz")
	var told struct {
		Status, State string
		Recovery      partition.Stage
	}
	if err := json.Unmarshal([]byte(body), &told); err != nil || told.Status != "unavailable" || told.State != "recovering" || told.Recovery.Name != "starting" {
		t.Errorf("%s: %v", body, err)
	}
	if _, body := ask(t, s, "/metrics"); !strings.Contains(body, `sordini_recovery_partitions{state="planned"} 0`) {
		t.Error("no metrics of recovery")
	}
}

// Once all is open /readyz tells what the start found.
func TestHTTP_Ready(t *testing.T) {
	s, err := Start(context.Background(), options(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	}()
	code, body := ask(t, s, "/readyz")
	var told struct {
		Status, State string
		Recovery      struct {
			Phase  string
			Report *struct {
				Clean      bool
				Partitions *int
				Seconds    float64
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &told); err != nil || code != 200 || told.Status != "ok" || told.State != "ready" ||
		told.Recovery.Phase != "opened" || told.Recovery.Report == nil || told.Recovery.Report.Partitions == nil || told.Recovery.Report.Seconds <= 0 {
		t.Errorf("%d %s: %v", code, body, err)
	}
	if code, body := ask(t, s, "/metrics/kafka"); code != 200 || !strings.Contains(body, "kafka_brokers") {
		t.Errorf("%d %s", code, body)
	}
}
