// Package admin is the HTTP side of the server: metrics, health, readiness, records and profiles.
//
//	/               what there is, as text
//	/metrics        all metrics of the server itself, for Prometheus
//	/metrics/kafka  topics and groups, under the names of kafka_exporter; only where Options.Kafka is set
//	/healthz        200 while the process can do its work, else 503
//	/readyz         200 while the server takes requests of clients, else 503; as JSON also what Options.State says
//	/v1/topics/TOPIC/records
//	                records by key, key_base64, partition, from, to, offset, limit, last, as JSON;
//	                only where Options.Records is set
//	/debug/pprof    profiles of net/http/pprof; only where Options.Profiling is set
//
// It knows nothing of Kafka, and nothing of the server but the functions it is given. It opens no listener.
//
// # Access
//
// Nothing here asks who the caller is. Metrics and health tell no secrets but the names of topics and groups.
// Profiles and records do, and cost processor time, so they are for listeners on a loopback address, which Loopback
// recognizes. Records are answered only if the request names the server by a loopback address too, so that no web
// page can have a browser fetch them under a name of its own.
//
// # Concurrency
//
// Handlers run concurrently, and so call the functions and the Gatherers of Options concurrently.
//
// # Errors
//
// Until Options.Started says yes, /metrics/kafka and records are answered with 503.
//
// An error of a records request is JSON, {"error": text}: 400 for its parameters, 403 where records are not served,
// 404 for what does not exist, 416 for an offset out of range, 500 for damaged data, 503 for a partition that is
// offline and for too many queries at a time. An error of Ready or Healthy is answered with status 503 and its text,
// a *Degraded with 200 and its text. A Gatherer that fails is answered with status 500.
package admin
