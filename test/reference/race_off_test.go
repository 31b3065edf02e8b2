//go:build !race

package reference

// raceEnabled says that the race detector runs here, and so in the server too.
const raceEnabled = false
