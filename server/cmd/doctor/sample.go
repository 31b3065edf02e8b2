package doctor

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Sample is the value of each series at one time, by its name and labels as they
// stand in the text.
type Sample map[string]float64

// maxSample bounds a sample, in bytes.
const maxSample = 64 << 20

// Parse reads Prometheus's text format. Lines that are no samples are passed over.
func Parse(r io.Reader) (Sample, error) {
	s := make(Sample)
	lines := bufio.NewScanner(io.LimitReader(r, maxSample))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			s[line[:at]] = v
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return s, nil
}

// byLabel returns the values of a metric with one label, by the label's value.
func (s Sample) byLabel(name, label string) map[string]float64 {
	found := make(map[string]float64)
	prefix := name + "{" + label + "="
	for series, v := range s {
		quoted, ok := strings.CutPrefix(series, prefix)
		if !ok {
			continue
		}
		if value, err := strconv.Unquote(strings.TrimSuffix(quoted, "}")); err == nil {
			found[value] = v
		}
	}
	return found
}

// bucket is one of a histogram: how many were at most le.
type bucket struct{ le, count float64 }

// window returns the buckets of what a histogram has counted between two samples. A
// server that was started anew in between has counted from zero.
func window(before, after Sample, name string) []bucket {
	old := before.byLabel(name+"_bucket", "le")
	if before[name+"_count"] > after[name+"_count"] {
		old = nil
	}
	var buckets []bucket
	for text, count := range after.byLabel(name+"_bucket", "le") {
		if le, err := strconv.ParseFloat(text, 64); err == nil {
			buckets = append(buckets, bucket{le, count - old[text]})
		}
	}
	slices.SortFunc(buckets, func(a, b bucket) int { return cmp.Compare(a.le, b.le) })
	return buckets
}

// quantile estimates as Prometheus does, evenly within a bucket. It is NaN if nothing
// was counted.
func quantile(q float64, buckets []bucket) float64 {
	if len(buckets) == 0 || buckets[len(buckets)-1].count <= 0 {
		return math.NaN()
	}
	rank := q * buckets[len(buckets)-1].count
	low := bucket{}
	for _, b := range buckets {
		switch {
		case b.count < rank:
			low = b
			continue
		case math.IsInf(b.le, 1) || b.count == low.count:
			return low.le
		}
		return low.le + (b.le-low.le)*(rank-low.count)/(b.count-low.count)
	}
	return low.le
}
