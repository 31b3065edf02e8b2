//go:build race

package api

// raceEnabled says that the race detector runs.
const raceEnabled = true
