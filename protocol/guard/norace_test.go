//go:build !race

package guard

// An ordinary build; race_test.go says what these are.
const (
	growth   = 1
	slowness = 1
)
