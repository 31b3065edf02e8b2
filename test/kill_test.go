package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// usualKills is how often the server is killed.
func usualKills() int {
	if testing.Short() {
		return 3
	}
	return 8
}

const (
	loadTopic      = "load"
	loadPartitions = 4
	loadProducers  = 8
)

// load is idempotent producers with acks=all that go on through kills.
type load struct {
	addr   string
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	acked  map[note]place
	sent   []int // by producer
	failed []error
}

// startLoad starts all producers against an address.
func startLoad(addr string) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{addr: addr, cancel: cancel, acked: make(map[note]place), sent: make([]int, loadProducers)}
	for p := range loadProducers {
		l.done.Go(func() { l.run(ctx, p) })
	}
	return l
}

// run produces until ctx ends, and then until all is acknowledged.
func (l *load) run(ctx context.Context, producer int) {
	c, err := kgo.NewClient(
		kgo.SeedBrokers(l.addr), kgo.DefaultProduceTopic(loadTopic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(time.Millisecond), kgo.MaxBufferedRecords(400), kgo.DialTimeout(time.Second),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }),
		kgo.MetadataMinAge(10*time.Millisecond), kgo.ProduceRequestTimeout(10*time.Second),
		kgo.AlwaysRetryEOF(), // or a kill right after the accept looks to the client like missing TLS
	)
	if err != nil {
		l.fail(err)
		return
	}
	defer c.Close()
	for number := 0; ctx.Err() == nil; number++ {
		n := note{producer, number}
		l.mu.Lock()
		l.sent[producer]++
		l.mu.Unlock()
		r := &kgo.Record{Partition: int32(number % loadPartitions), Value: fmt.Appendf(nil, "%d %d", producer, number)}
		c.Produce(context.Background(), r, func(r *kgo.Record, err error) {
			if err != nil {
				l.fail(fmt.Errorf("producer %d, record %d: %w", producer, number, err))
				return
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.acked[n] = place{r.Partition, r.Offset}
		})
	}
	end, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Flush(end); err != nil {
		l.fail(err)
	}
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, err)
}

func (l *load) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// stop ends the load and returns what became of it; the server has to run.
func (l *load) stop() (acked map[note]place, sent []int, failed []error) {
	l.cancel()
	l.done.Wait()
	return l.acked, l.sent, l.failed
}

// waitForMore waits until n more records than now are acknowledged.
func (l *load) waitForMore(t *testing.T, n int) {
	t.Helper()
	from := l.acknowledged()
	eventually(t, "acknowledgements", func() error {
		if got := l.acknowledged() - from; got < n {
			return fmt.Errorf("%d of %d", got, n)
		}
		return nil
	})
}

// readLoad reads all that a load has left.
func readLoad(t *testing.T, b *broker) []entry {
	t.Helper()
	var log []entry
	consume(t, b, loadTopic, func(r *kgo.Record) {
		e := entry{at: place{r.Partition, r.Offset}}
		if n, err := fmt.Sscanf(string(r.Value), "%d %d", &e.producer, &e.number); n != 2 {
			t.Fatalf("record %+v has value %q: %v", e.at, r.Value, err)
		}
		log = append(log, e)
	})
	return log
}

// TestKill kills the server over and over while producers write. Nothing that
// was acknowledged is lost or twice, and the order of each producer is kept.
func TestKill(t *testing.T) {
	kills := number(t, "SORDINI_TEST_KILLS", usualKills())
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, seed))
	b := newBroker(t)
	b.addr = quietAddr(t)
	b.start()
	createTopic(t, b, loadTopic, loadPartitions, "segment.bytes", "1048576")
	l := startLoad(b.addr)
	began := time.Now()
	for range kills {
		l.waitForMore(t, 1+rnd.IntN(2000))
		time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond) // anywhere between two appends
		if rnd.IntN(4) == 0 {
			b.crashTwice(time.Duration(rnd.IntN(20)) * time.Millisecond) // in recovery, or just behind it
		} else {
			b.crash()
		}
	}
	l.waitForMore(t, 100)
	took := time.Since(began)
	acked, sent, failed := l.stop()
	if len(failed) > 0 {
		t.Errorf("%d records failed, such as: %v", len(failed), failed[0])
	}
	for _, when := range []string{"at the end", "after one more kill"} {
		v := check(acked, sent, readLoad(t, b))
		t.Logf("%s: %d kills in %v, %d acknowledged, %d read", when, kills, took.Round(time.Millisecond), len(acked), v.read)
		if faults := v.faults(); faults != "" {
			t.Errorf("%s:\n%s", when, faults)
		}
		b.crash()
	}
}

// TestKill_Control proves that TestKill can fail: a proxy acknowledges for a
// while what it does not pass on, then the server is killed. That is how a server
// looks to its clients that acknowledges before it writes.
func TestKill_Control(t *testing.T) {
	p := newLiar(t)
	b := newBroker(t, "--set", "advertised.listeners=PLAINTEXT://"+p.addr())
	b.addr = quietAddr(t)
	p.server = b.addr
	go p.serve()
	b.start()
	createTopic(t, b, loadTopic, loadPartitions)
	l := startLoad(p.addr())
	l.waitForMore(t, 1000)
	p.lie.Store(true)
	l.waitForMore(t, 200)
	b.kill()
	p.lie.Store(false)
	b.start()
	l.waitForMore(t, 1000)
	acked, sent, _ := l.stop()
	v, lies := check(acked, sent, readLoad(t, b)), int(p.lies.Load())
	if len(v.lost) == 0 || len(v.lost) > lies {
		t.Errorf("%d records were acknowledged falsely, %d are reported as lost", lies, len(v.lost))
	}
	t.Logf("%d false acknowledgements, reported:\n%s", lies, v.faults())
}
