package meta

import (
	"slices"
	"testing"
	"time"
)

const manyTopics = 10_000

// With 10,000 topics, an Apply and Open take some milliseconds at most, the disk's own
// time apart. The bounds are far above what a busy machine makes of that; the median and
// the best of three keep its worst moments out of the result. The benchmarks tell more.
func TestScale_TenThousandTopics(t *testing.T) {
	disk := newDisk(t)
	s, _ := openStore(t, disk, Options{SnapshotRecords: manyTopics * 3 / 4})
	times := make([]time.Duration, manyTopics)
	for n := range manyTopics {
		start := time.Now()
		apply(t, s, topicCreated(n))
		times[n] = time.Since(start)
	}
	slices.Sort(times)
	if median := times[len(times)/2]; median >= 20*time.Millisecond {
		t.Errorf("median Apply took %v", median)
	}
	t.Logf("Apply: median %v, p99 %v, max %v", times[len(times)/2], times[len(times)*99/100], times[len(times)-1])
	want := dump(t, s.Image())
	must(t, s.Close())

	best := time.Hour
	for range 3 {
		start := time.Now()
		s, r := openStore(t, disk, Options{})
		took := time.Since(start)
		best = min(best, took)
		t.Logf("Open: %v, %+v", took, r)
		if dump(t, s.Image()) != want {
			t.Fatal("reopened image differs")
		}
		must(t, s.Close())
	}
	if best >= 10*time.Second {
		t.Errorf("Open took %v", best)
	}
}

func BenchmarkApply(b *testing.B) {
	s, _ := openStore(b, newDisk(b), Options{SnapshotRecords: 1 << 40, SnapshotBytes: 1 << 40})
	for n := range manyTopics {
		apply(b, s, topicCreated(n))
	}
	for n := 0; b.Loop(); n++ {
		apply(b, s, TopicConfigsSet{ID: topicID(n % manyTopics), Configs: map[string]string{"retention.ms": "1000"}})
	}
}

func BenchmarkImage_Topic(b *testing.B) {
	i := emptyImage()
	names := make([]string, manyTopics)
	for n := range manyTopics {
		next, err := i.apply(topicCreated(n))
		must(b, err)
		i, names[n] = next, topicCreated(n).Name
	}
	for n := 0; b.Loop(); n++ {
		if i.Topic(names[n%manyTopics]) == nil {
			b.Fatal("not found")
		}
	}
}
