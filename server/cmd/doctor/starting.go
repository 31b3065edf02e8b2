package doctor

import "fmt"

// judgeStart tells of a server that has not started yet; false of any other. Nothing else
// can be said of it.
func judgeStart(after Sample) (Finding, bool) {
	partitions := after.byLabel("sordini_recovery_partitions", "state")
	if _, told := partitions["planned"]; !told || after["sordini_start_duration_seconds"] > 0 {
		return Finding{}, false
	}
	bytes := after.byLabel("sordini_recovery_bytes", "state")
	return Finding{
		Severity: Warning, Subject: "server",
		What: fmt.Sprintf("it is starting: %.0f of %.0f partitions are open, %.0f of %.0f MiB of logs scanned",
			partitions["done"], partitions["planned"], bytes["done"]/(1<<20), bytes["planned"]/(1<<20)),
		Cause: "the process before did not end in order, so that logs are scanned from where they are known to be synced, or the start has just begun",
		Cure:  "wait: /readyz tells how long it may take; stop the server with SIGTERM and not with SIGKILL, and give it the time it needs",
	}, true
}
