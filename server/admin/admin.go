package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options say what the handler shows.
type Options struct {
	Gatherer prometheus.Gatherer // of /metrics
	Kafka    prometheus.Gatherer // of /metrics/kafka; nil: there is no such path
	Ready    func() error        // nil while the server takes requests; a nil function is always ready
	Healthy  func() error        // nil while the process can do its work; a nil function is always healthy
	// Started says whether Kafka and Records may be asked; their paths are answered with
	// 503 until then. A nil function says so always.
	Started func() bool
	// State is a word for what the server is at, and what /readyz tells of its start,
	// which becomes JSON. nil: it tells nothing more than Ready.
	State func() (word string, recovery any)
	// Records answers GET /v1/topics/TOPIC/records; nil: there is no such path. Its errors
	// may be a *StatusError. Without Profiling it is not asked.
	Records func(RecordsQuery) (RecordsAnswer, error)
	// Trace answers GET /v1/topics/TOPIC/trace, as Records does.
	Trace func(context.Context, TraceQuery) (TraceAnswer, error)
	// Profiling serves net/http/pprof, and records. Set it only for listeners that are Loopback.
	Profiling bool
}

const (
	maxScrapes    = 4 // at the same time; more are answered with 503
	scrapeTimeout = 10 * time.Second

	// maxKafkaScrapes is smaller because the answer may be large. A timeout would hold
	// it in memory as text, too.
	maxKafkaScrapes = 2
)

// NewHandler returns the handler of all paths. Methods other than GET and HEAD are answered with 405, except for
// the symbol lookup of the profiler, which may be a POST.
func NewHandler(opt Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(opt.Gatherer, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes,
		Timeout:             scrapeTimeout,
	}))
	if opt.Kafka != nil {
		mux.Handle("GET /metrics/kafka", opt.onceStarted(promhttp.HandlerFor(opt.Kafka, promhttp.HandlerOpts{MaxRequestsInFlight: maxKafkaScrapes})))
	}
	mux.Handle("GET /healthz", probe(opt.Healthy, nil))
	mux.Handle("GET /readyz", probe(opt.Ready, opt.State))
	if opt.Records != nil {
		mux.Handle("GET /v1/topics/{topic}/records", opt.onceStarted(records(opt)))
	}
	if opt.Trace != nil {
		mux.Handle("GET /v1/topics/{topic}/trace", opt.onceStarted(traces(opt)))
	}
	mux.Handle("GET /{$}", index(opt))
	if opt.Profiling {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// Degraded is an error of a probe that is answered with status 200 all the same: a part
// of what is to be served is missing, and a restart would not bring it back.
type Degraded struct{ Err error }

func (d *Degraded) Error() string { return d.Err.Error() }
func (d *Degraded) Unwrap() error { return d.Err }

// onceStarted refuses requests until the server has started.
func (o *Options) onceStarted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.Started != nil && !o.Started() {
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "the server is starting; /readyz tells how far it is", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// status is the answer of a probe.
type status struct {
	Status   string `json:"status"` // "ok", "degraded" or "unavailable"
	Error    string `json:"error,omitempty"`
	State    string `json:"state,omitempty"`
	Recovery any    `json:"recovery,omitempty"`
}

// probe answers with what check says, and with the state if there is a function for it.
func probe(check func() error, state func() (string, any)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer, code := status{Status: "ok"}, http.StatusOK
		if check != nil {
			if err := check(); err != nil {
				answer, code = status{Status: "unavailable", Error: err.Error()}, http.StatusServiceUnavailable
				if degraded := (*Degraded)(nil); errors.As(err, &degraded) {
					answer.Status, code = "degraded", http.StatusOK
				}
			}
		}
		if state != nil {
			answer.State, answer.Recovery = state()
		}
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Cache-Control", "no-store")
		w.WriteHeader(code)
		// Whoever asked may be gone; there is nobody else to tell.
		_ = json.NewEncoder(w).Encode(answer)
	})
}

// index lists the paths.
func index(opt Options) http.Handler {
	text := "sordini\n\n" +
		"/metrics        metrics for Prometheus\n"
	if opt.Kafka != nil {
		text += "/metrics/kafka  topics and groups, with the names of kafka_exporter\n"
	}
	text += "/healthz        200 while the process can do its work\n" +
		"/readyz         200 while clients are served\n"
	if opt.Records != nil {
		text += "/v1/topics/TOPIC/records  records by key, time or offset\n"
	}
	if opt.Trace != nil {
		text += "/v1/topics/TOPIC/trace    what became of a record, by offset or key\n"
	}
	if opt.Profiling {
		text += "/debug/pprof/   profiles\n"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, text)
	})
}

// Times and sizes that a caller may take. The write timeout is above the 30 seconds that a CPU profile takes
// unless told otherwise.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 90 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
)

// NewServer returns a server for the handler that slow or silent callers cannot hold up. The caller serves and
// closes it, and may set its ErrorLog.
func NewServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
}

// Loopback tells whether an address, host:port as configured or as bound, can be reached from this machine only.
// Of names it knows only localhost; it resolves none.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
