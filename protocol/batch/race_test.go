//go:build race

package batch

// bombSize is how many bytes a bomb decompresses to. The race detector makes
// decompression some twenty times slower.
const bombSize = 1 << 26
