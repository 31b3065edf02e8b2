//go:build !race

package api

// raceFactor loosens bounds on counts under the race detector, which makes
// sync.Pool drop a part of what it is given.
const raceFactor = 1
