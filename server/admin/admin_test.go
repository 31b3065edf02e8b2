package admin

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"sordini/server/metrics"
)

func get(t *testing.T, h http.Handler, method, path string) (code int, header http.Header, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Header(), w.Body.String()
}

func TestProbes(t *testing.T) {
	var ready, healthy error
	h := NewHandler(Options{
		Gatherer: prometheus.NewRegistry(),
		Ready:    func() error { return ready },
		Healthy:  func() error { return healthy },
	})
	check := func(path string, wantCode int, wantBody string) {
		t.Helper()
		code, header, body := get(t, h, http.MethodGet, path)
		if code != wantCode || body != wantBody {
			t.Errorf("%s: %d %q, want %d %q", path, code, body, wantCode, wantBody)
		}
		if got := header.Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: content type %q", path, got)
		}
	}
	check("/readyz", 200, `{"status":"ok"}`+"\n")
	check("/healthz", 200, `{"status":"ok"}`+"\n")
	ready = errors.New("stopping")
	check("/readyz", 503, `{"status":"unavailable","error":"stopping"}`+"\n")
	check("/healthz", 200, `{"status":"ok"}`+"\n")
	healthy = errors.New("disk failed")
	check("/healthz", 503, `{"status":"unavailable","error":"disk failed"}`+"\n")
	healthy = &Degraded{errors.New("one of two disks failed")}
	check("/healthz", 200, `{"status":"degraded","error":"one of two disks failed"}`+"\n")
}

func TestProbes_NilFunctionsAreFine(t *testing.T) {
	h := NewHandler(Options{Gatherer: prometheus.NewRegistry()})
	for _, path := range []string{"/readyz", "/healthz"} {
		if code, _, _ := get(t, h, http.MethodGet, path); code != 200 {
			t.Errorf("%s: %d", path, code)
		}
	}
}

func TestHandler_Paths(t *testing.T) {
	with := NewHandler(Options{Gatherer: prometheus.NewRegistry(), Kafka: prometheus.NewRegistry(), Profiling: true})
	without := NewHandler(Options{Gatherer: prometheus.NewRegistry()})
	tests := []struct {
		method, path  string
		with, without int
	}{
		{"GET", "/", 200, 200},
		{"HEAD", "/healthz", 200, 200},
		{"GET", "/nowhere", 404, 404},
		{"POST", "/readyz", 405, 405},
		{"DELETE", "/metrics", 405, 405},
		{"GET", "/metrics/kafka", 200, 404},
		{"POST", "/metrics/kafka", 405, 404},
		{"GET", "/debug/pprof/", 200, 404},
		{"GET", "/debug/pprof/cmdline", 200, 404},
		{"GET", "/debug/pprof/heap", 200, 404},
	}
	for _, tt := range tests {
		if code, _, _ := get(t, with, tt.method, tt.path); code != tt.with {
			t.Errorf("with everything: %s %s: %d, want %d", tt.method, tt.path, code, tt.with)
		}
		if code, _, _ := get(t, without, tt.method, tt.path); code != tt.without {
			t.Errorf("without options: %s %s: %d, want %d", tt.method, tt.path, code, tt.without)
		}
	}
	if _, _, body := get(t, without, "GET", "/"); strings.Contains(body, "pprof") || strings.Contains(body, "kafka") {
		t.Errorf("index names what is not there:\n%s", body)
	}
}

func TestMetrics(t *testing.T) {
	m := metrics.New("1.2.3", func(int16) string { return "Produce" })
	m.AppendedRecords.Store(7)
	m.Request(0, time.Second)
	m.ObserveStorage(func() []metrics.Storage { return []metrics.Storage{{Dir: "data"}} })
	code, _, body := get(t, NewHandler(Options{Gatherer: m.Gatherer()}), "GET", "/metrics")
	if code != 200 {
		t.Fatalf("status %d: %s", code, body)
	}
	for _, want := range []string{
		"sordini_append_records_total 7\n",
		`sordini_build_info{version="1.2.3"} 1` + "\n",
		`sordini_requests_total{api="Produce"} 1` + "\n",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in the answer", want)
		}
	}
}

func TestMetrics_FailingGatherer(t *testing.T) {
	failing := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		return nil, errors.New("collector failed")
	})
	code, _, body := get(t, NewHandler(Options{Gatherer: failing}), "GET", "/metrics")
	if code != 500 || !strings.Contains(body, "collector failed") {
		t.Errorf("%d %q", code, body)
	}
}

// TestMetrics_Names holds the names and help texts against the rules of Prometheus.
func TestMetrics_Names(t *testing.T) {
	m := metrics.New("1.2.3", func(int16) string { return "Produce" })
	m.Request(0, time.Second)
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestLoopback(t *testing.T) {
	tests := map[string]bool{
		"127.0.0.1:9644":   true,
		"127.8.9.1:0":      true,
		"[::1]:9644":       true,
		"localhost:9644":   true,
		"0.0.0.0:9644":     false,
		":9644":            false,
		"[::]:9644":        false,
		"192.168.1.7:9644": false,
		"example.com:9644": false,
		"127.0.0.1":        false,
		"":                 false,
	}
	for address, want := range tests {
		if got := Loopback(address); got != want {
			t.Errorf("Loopback(%q) = %t, want %t", address, got, want)
		}
	}
}

func TestNewServer_BoundsEverything(t *testing.T) {
	s := NewServer(http.NotFoundHandler())
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 30*time.Second || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 {
		t.Errorf("a bound is missing, or too short for a CPU profile: %+v", s)
	}
}
