/*
Package metrics is the one list of what sordini measures.

Names begin with sordini_, times are in seconds and sizes in bytes, as Prometheus
advises. Hot paths count in plain atomics here, so that a request costs no lookup
of labels; Prometheus collects them when it asks.
*/
package metrics

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// maxKey bounds the API keys that are counted one by one.
const maxKey = 128

// Metrics is all of them. Fields may be used concurrently.
type Metrics struct {
	registry *prometheus.Registry

	FlushSeconds prometheus.Histogram // one flush of one log
	FlushErrors  prometheus.Counter
	OfflineLogs  prometheus.Gauge
	CorruptReads prometheus.Counter

	AppendedBytes   atomic.Int64
	AppendedBatches atomic.Int64
	AppendedRecords atomic.Int64
	Duplicates      atomic.Int64 // batches of idempotent producers that were stored before

	JournalRounds  atomic.Int64 // commits of the journal, each with one sync
	JournaledBytes atomic.Int64

	AuditEntries atomic.Int64 // written to __sordini_audit
	AuditBytes   atomic.Int64
	AuditDropped atomic.Int64

	SendfileBytes atomic.Int64
	CopiedBytes   atomic.Int64
	Sendfiles     atomic.Int64 // file ranges sent by sendfile
	Copies        atomic.Int64 // file ranges copied through memory

	CleanerReadBytes      atomic.Int64
	CleanerWrittenBytes   atomic.Int64
	CleanerDroppedRecords atomic.Int64
	KeyHits               atomic.Int64 // lookups of keys that found one
	KeyMisses             atomic.Int64
	BloomSkips            atomic.Int64 // segments that a bloom filter spared
	BloomPasses           atomic.Int64 // segments that one let pass rightly
	BloomFalsePositives   atomic.Int64
	KeyIndexBytes         atomic.Int64 // of key indexes and bloom filters written

	CleanSeconds          prometheus.Histogram // one compaction of one partition
	LastClean             prometheus.Gauge     // when one ended, seconds since 1970
	CleanerDirtiest       prometheus.Gauge     // dirty share of the dirtiest partition
	UncleanablePartitions prometheus.Gauge

	Connections      atomic.Int64 // open now
	ConnectionsTotal atomic.Int64
	RefusedRequests  atomic.Int64 // frames that closed their connection
	AnswerWrites     atomic.Int64 // times that answers were sent, one or several together
	InflightBytes    atomic.Int64 // request bytes held in memory

	requests [maxKey]request

	RecoveryScanned prometheus.Gauge
	RecoveryCut     prometheus.Gauge
	StartSeconds    prometheus.Gauge
}

type request struct {
	count atomic.Int64
	nanos atomic.Int64
}

// New returns metrics with nothing counted. apiName names an API key.
func New(version string, apiName func(key int16) string) *Metrics {
	r := prometheus.NewRegistry()
	m := &Metrics{registry: r}
	m.FlushSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "sordini_flush_duration_seconds", Help: "Time that one flush of one log took, fsync included.",
		Buckets: []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5},
	})
	m.FlushErrors = counter("sordini_flush_errors_total", "Flushes that failed; each took a log offline.")
	m.OfflineLogs = gauge("sordini_offline_logs", "Logs that take no more requests since a write or fsync failed.")
	m.CorruptReads = counter("sordini_corrupt_reads_total", "Reads refused because the stored bytes are damaged.")
	m.RecoveryScanned = gauge("sordini_recovery_scanned_bytes", "Bytes checked by recovery at start.")
	m.RecoveryCut = gauge("sordini_recovery_cut_bytes", "Bytes of torn writes cut by recovery at start.")
	m.StartSeconds = gauge("sordini_start_duration_seconds", "Time from the start of the process until it was ready.")
	m.CleanSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "sordini_cleaner_duration_seconds", Help: "Time that one compaction of one partition took.",
		Buckets: []float64{0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800},
	})
	m.LastClean = gauge("sordini_cleaner_last_timestamp_seconds", "When the last compaction of a partition ended, in seconds since 1970.")
	m.CleanerDirtiest = gauge("sordini_cleaner_max_dirty_ratio", "Share of bytes not compacted yet, in the partition where it is largest.")
	m.UncleanablePartitions = gauge("sordini_cleaner_uncleanable_partitions", "Partitions that are not compacted any more since it failed.")
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sordini_build_info", Help: "Constant 1, labelled with the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	r.MustRegister(m.FlushSeconds, m.FlushErrors, m.OfflineLogs, m.CorruptReads, m.RecoveryScanned, m.RecoveryCut, m.StartSeconds, info,
		m.CleanSeconds, m.LastClean, m.CleanerDirtiest, m.UncleanablePartitions,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registerCounts()
	r.MustRegister(requestCollector{m, apiName})
	return m
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

// registerCounts makes the atomics visible.
func (m *Metrics) registerCounts() {
	count := func(name, help string, labels prometheus.Labels, v *atomic.Int64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(
			prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels},
			func() float64 { return float64(v.Load()) }))
	}
	level := func(name, help string, v *atomic.Int64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(v.Load()) }))
	}
	count("sordini_append_bytes_total", "Bytes of batches appended.", nil, &m.AppendedBytes)
	count("sordini_append_batches_total", "Batches appended.", nil, &m.AppendedBatches)
	count("sordini_append_records_total", "Records appended.", nil, &m.AppendedRecords)
	count("sordini_append_duplicates_total", "Batches of idempotent producers that had been stored before.", nil, &m.Duplicates)
	count("sordini_journal_rounds_total", "Commits of the journal, each one write and one sync for all partitions that waited.", nil, &m.JournalRounds)
	count("sordini_journal_bytes_total", "Bytes written to the journal.", nil, &m.JournaledBytes)
	count("sordini_audit_entries_total", "Appends, flushes, commits and administrative changes written to the audit; neighbouring ones may be one entry.", nil, &m.AuditEntries)
	count("sordini_audit_bytes_total", "Bytes written to the audit.", nil, &m.AuditBytes)
	count("sordini_audit_dropped_total", "Entries that are missing in the audit because they came too fast or could not be written.", nil, &m.AuditDropped)
	const bytesHelp, sendsHelp = "Bytes of batches sent to consumers.", "File ranges sent to consumers."
	count("sordini_fetch_bytes_total", bytesHelp, prometheus.Labels{"path": "sendfile"}, &m.SendfileBytes)
	count("sordini_fetch_bytes_total", bytesHelp, prometheus.Labels{"path": "copy"}, &m.CopiedBytes)
	count("sordini_fetch_ranges_total", sendsHelp, prometheus.Labels{"path": "sendfile"}, &m.Sendfiles)
	count("sordini_fetch_ranges_total", sendsHelp, prometheus.Labels{"path": "copy"}, &m.Copies)
	count("sordini_cleaner_read_bytes_total", "Bytes read by compaction.", nil, &m.CleanerReadBytes)
	count("sordini_cleaner_written_bytes_total", "Bytes written by compaction.", nil, &m.CleanerWrittenBytes)
	count("sordini_cleaner_dropped_records_total", "Records dropped by compaction.", nil, &m.CleanerDroppedRecords)
	const lookups, checks = "Lookups of keys.", "Bloom filters asked for a key."
	count("sordini_key_lookups_total", lookups, prometheus.Labels{"result": "hit"}, &m.KeyHits)
	count("sordini_key_lookups_total", lookups, prometheus.Labels{"result": "miss"}, &m.KeyMisses)
	count("sordini_bloom_checks_total", checks, prometheus.Labels{"result": "skip"}, &m.BloomSkips)
	count("sordini_bloom_checks_total", checks, prometheus.Labels{"result": "pass"}, &m.BloomPasses)
	count("sordini_bloom_checks_total", checks, prometheus.Labels{"result": "false_positive"}, &m.BloomFalsePositives)
	count("sordini_key_index_written_bytes_total", "Bytes of key indexes and bloom filters written.", nil, &m.KeyIndexBytes)
	level("sordini_connections", "Open client connections.", &m.Connections)
	count("sordini_connections_total", "Client connections accepted.", nil, &m.ConnectionsTotal)
	count("sordini_refused_requests_total", "Requests that closed their connection: malformed, too large or unsupported.", nil, &m.RefusedRequests)
	count("sordini_answer_writes_total", "Times that answers were written to a connection, one or several together.", nil, &m.AnswerWrites)
	level("sordini_inflight_request_bytes", "Bytes of requests held in memory.", &m.InflightBytes)
}

// Request counts a request that was answered after a time.
func (m *Metrics) Request(key int16, took time.Duration) {
	if key >= 0 && key < maxKey {
		m.requests[key].count.Add(1)
		m.requests[key].nanos.Add(int64(took))
	}
}

// Register adds a collector, for values that live elsewhere.
func (m *Metrics) Register(c prometheus.Collector) { m.registry.MustRegister(c) }

// Gatherer is what the HTTP endpoint serves.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// requestCollector shows the requests that have been seen, by API.
type requestCollector struct {
	m    *Metrics
	name func(int16) string
}

var (
	requestCount = prometheus.NewDesc("sordini_requests_total", "Requests answered.", []string{"api"}, nil)
	requestTime  = prometheus.NewDesc("sordini_request_seconds_total", "Time from the last byte of a request until its answer was written, waits included.", []string{"api"}, nil)
)

func (c requestCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- requestCount
	ch <- requestTime
}

func (c requestCollector) Collect(ch chan<- prometheus.Metric) {
	for key := range c.m.requests {
		r := &c.m.requests[key]
		n := r.count.Load()
		if n == 0 {
			continue
		}
		name := c.name(int16(key))
		if name == "" {
			name = strconv.Itoa(key)
		}
		ch <- prometheus.MustNewConstMetric(requestCount, prometheus.CounterValue, float64(n), name)
		ch <- prometheus.MustNewConstMetric(requestTime, prometheus.CounterValue, time.Duration(r.nanos.Load()).Seconds(), name)
	}
}
