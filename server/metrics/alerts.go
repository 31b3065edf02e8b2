package metrics

import _ "embed"

// Alerts are alerting rules for Prometheus, in its YAML.
//
//go:embed alerts.yml
var Alerts string
