//go:build race

package audit

// raceEnabled says that the race detector runs.
const raceEnabled = true
