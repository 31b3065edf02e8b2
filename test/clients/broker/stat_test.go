package broker

import (
	"testing"
	"time"
)

func TestCPU(t *testing.T) {
	for stat, want := range map[string]time.Duration{
		"": 0,
		"17 (odd) name) S 1 17 17 0 -1 4194304 800 0 0 0 120 30 0 0 20 0": 1500 * time.Millisecond,
		"17 (short) S 1 17": 0,
	} {
		if got := cpu(stat); got != want {
			t.Errorf("%q: %v, want %v", stat, got, want)
		}
	}
}
