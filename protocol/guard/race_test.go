//go:build race

package guard

const (
	// growth is how much more the decoder allocates than in an ordinary build:
	// the race detector keeps the compiler from appending a made slice in place.
	growth = 2

	// slowness is how much longer everything may take.
	slowness = 20
)
