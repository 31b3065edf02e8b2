// Package admin is the HTTP side of the server: metrics, health, readiness and profiles.
//
//	/               what there is, as text
//	/metrics        all metrics of the server itself, for Prometheus
//	/metrics/kafka  topics and groups, under the names of kafka_exporter; only where Options.Kafka is set
//	/healthz        200 while the process can do its work, else 503
//	/readyz         200 while the server takes requests of clients, else 503
//	/debug/pprof    profiles of net/http/pprof; only where Options.Profiling is set
//
// It knows nothing of Kafka, and nothing of the server but the functions it is given. It opens no listener.
//
// # Access
//
// Nothing here asks who the caller is. Metrics and health tell no secrets but the names of topics and groups.
// Profiles do, and cost processor time, so they are for listeners on a loopback address, which Loopback recognizes.
//
// # Concurrency
//
// Handlers run concurrently, and so call the functions and the Gatherers of Options concurrently.
//
// # Errors
//
// An error of Ready or Healthy is answered with status 503 and its text. A Gatherer that fails is answered with
// status 500.
package admin
