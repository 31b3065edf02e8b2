package report

import (
	"math"
	"slices"
	"time"
)

// median of the values, which are at least one, in any order.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if half := len(s) / 2; len(s)%2 == 0 {
		return (s[half-1] + s[half]) / 2
	}
	return s[len(s)/2]
}

// Latencies turns samples, which it sorts, into the readings p50, p99 and p99.9,
// in microseconds. A quantile is a sample: the least one that is not below the
// given part of all. Without samples there are no readings.
func Latencies(name string, samples []time.Duration) []Reading {
	if len(samples) == 0 {
		return nil
	}
	slices.Sort(samples)
	var all []Reading
	for _, q := range []struct {
		name string
		part float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}} {
		all = append(all, Reading{name + ", " + q.name, "us", float64(quantile(samples, q.part)) / 1e3})
	}
	return all
}

func quantile(sorted []time.Duration, part float64) time.Duration {
	at := int(math.Ceil(part*float64(len(sorted)))) - 1
	return sorted[min(max(at, 0), len(sorted)-1)]
}
