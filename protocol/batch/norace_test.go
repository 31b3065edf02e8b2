//go:build !race

package batch

// bombSize is how many bytes a bomb decompresses to.
const bombSize = 1 << 30
