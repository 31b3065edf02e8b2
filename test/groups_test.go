package test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

const (
	commitTopic = "committed"
	committers  = 8
)

// commits are groups that commit one offset after the other, through kills.
type commits struct {
	addr   string
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	acked [committers]int64 // the last offset that was acknowledged; 0: none
	sent  [committers]int64
	total int
}

// byName has offsets committed and fetched in versions that name topics by their names.
func byName() kgo.Opt {
	v := kversion.Stable()
	v.SetMaxKeyVersion(int16(kmsg.OffsetCommit), 9)
	v.SetMaxKeyVersion(int16(kmsg.OffsetFetch), 9)
	return kgo.MaxVersions(v)
}

func groupName(i int) string { return fmt.Sprint("group-", i) }

func startCommits(t *testing.T, addr string) *commits {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := &commits{addr: addr, cancel: cancel}
	for i := range committers {
		c.done.Go(func() { c.run(ctx, t, i) })
	}
	return c
}

// run commits until ctx ends.
func (c *commits) run(ctx context.Context, t *testing.T, i int) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.addr), byName(), kgo.DialTimeout(time.Second), kgo.AlwaysRetryEOF(),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		t.Error(err)
		return
	}
	defer cl.Close()
	for offset := int64(1); ctx.Err() == nil; offset++ {
		c.mu.Lock()
		c.sent[i] = offset
		c.mu.Unlock()
		if err := commitOffset(ctx, cl, groupName(i), int32(i), offset); err != nil {
			continue // it may have come about all the same
		}
		c.mu.Lock()
		c.acked[i] = offset
		c.total++
		c.mu.Unlock()
	}
}

// commitOffset commits an offset of one partition; without an error it was
// acknowledged.
func commitOffset(ctx context.Context, cl *kgo.Client, group string, partition int32, offset int64) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = commitTopic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// committedOffset is the offset of one partition, -1 for none.
func committedOffset(ctx context.Context, cl *kgo.Client, group string, partition int32) (int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: commitTopic, Partitions: []int32{partition}})
	req.Groups = append(req.Groups, g)
	req.Group = group
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return 0, err
	}
	if len(resp.Groups) != 1 || len(resp.Groups[0].Topics) != 1 {
		return 0, fmt.Errorf("answer %+v", resp)
	}
	p := resp.Groups[0].Topics[0].Partitions[0]
	return p.Offset, kerr.ErrorForCode(p.ErrorCode)
}

// misplaced says which groups stand before what was acknowledged to them, or behind
// what they have sent.
func misplaced(t *testing.T, b *broker, acked, sent [committers]int64) []string {
	t.Helper()
	cl := client(t, b, byName(), kgo.AlwaysRetryEOF())
	var faults []string
	for i := range committers {
		var at int64
		eventually(t, "offset of "+groupName(i), func() (err error) {
			at, err = committedOffset(within(t, patience), cl, groupName(i), int32(i))
			return err
		})
		if at < acked[i] && !(acked[i] == 0 && at == -1) || at > sent[i] {
			faults = append(faults, fmt.Sprintf("%s stands at %d, acknowledged %d, sent %d", groupName(i), at, acked[i], sent[i]))
		}
	}
	return faults
}

func (c *commits) snapshot() (acked, sent [committers]int64, total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.acked, c.sent, c.total
}

// waitForMore waits until n more commits are acknowledged.
func (c *commits) waitForMore(t *testing.T, n int) {
	t.Helper()
	_, _, from := c.snapshot()
	eventually(t, "commits", func() error {
		if _, _, now := c.snapshot(); now-from < n {
			return fmt.Errorf("%d of %d", now-from, n)
		}
		return nil
	})
}

// TestCommits_Kill kills the server over and over while groups commit: none ever
// stands before an offset whose commit was acknowledged.
func TestCommits_Kill(t *testing.T) {
	kills := number(t, "SORDINI_TEST_KILLS", usualKills())
	b := newBroker(t)
	b.addr = quietAddr(t)
	b.start()
	createTopic(t, b, commitTopic, committers)
	c := startCommits(t, b.addr)
	for range kills {
		c.waitForMore(t, 100)
		acked, _, _ := c.snapshot()
		b.crash()
		if faults := misplaced(t, b, acked, [committers]int64{1 << 60, 1 << 60, 1 << 60, 1 << 60, 1 << 60, 1 << 60, 1 << 60, 1 << 60}); faults != nil {
			t.Fatalf("after a kill: %s", strings.Join(faults, "; "))
		}
	}
	c.waitForMore(t, 1)
	c.cancel()
	c.done.Wait()
	acked, sent, total := c.snapshot()
	b.crash()
	if faults := misplaced(t, b, acked, sent); faults != nil {
		t.Error(strings.Join(faults, "; "))
	}
	t.Logf("%d kills, %d commits acknowledged", kills, total)
}

// TestCommits_KillControl: commits that are taken away behind the server's back are
// noticed.
func TestCommits_KillControl(t *testing.T) {
	b := newBroker(t, bySegment...) // a journal would bring them back
	b.addr = quietAddr(t)
	b.start()
	createTopic(t, b, commitTopic, committers)
	c := startCommits(t, b.addr)
	c.waitForMore(t, 50)
	c.cancel()
	c.done.Wait()
	acked, sent, _ := c.snapshot()
	b.kill()
	logs, err := filepath.Glob(filepath.Join(b.dir, "__consumer_offsets-*", "00000000000000000000.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range logs {
		if info, err := os.Stat(name); err == nil && info.Size() > 0 {
			if err := os.Truncate(name, info.Size()/2); err != nil { // the last commits may not have been acknowledged
				t.Fatal(err)
			}
		}
	}
	os.Remove(filepath.Join(b.dir, "sordini-flushed")) // which would tell
	b.start()
	if faults := misplaced(t, b, acked, sent); faults == nil {
		t.Error("nothing is noticed")
	}
}

// TestCommits_Bounded: however often the same groups commit, what is kept of it stays
// small, and is loaded soon. SORDINI_TEST_COMMITS is how many commits there are.
func TestCommits_Bounded(t *testing.T) {
	const keys, groups, limit = 100, 4, 3 << 20 // an active segment, a dirty one, and what is clean
	total := number(t, "SORDINI_TEST_COMMITS", 100_000)
	b := startBroker(t, "--set", "offsets.topic.segment.bytes=1048576", "--set", "log.cleaner.backoff.ms=100",
		"--set", "offsets.topic.num.partitions=1")
	createTopic(t, b, commitTopic, keys/groups)
	cl := client(t, b, byName())
	var commit sync.WaitGroup
	began := time.Now()
	for g := range groups {
		commit.Go(func() { commitAll(t, cl, groupName(g), keys/groups, total/groups) })
	}
	commit.Wait()
	took := time.Since(began)
	before := offsetsSize(t, b)
	eventually(t, "cleaning", func() error {
		if size := offsetsSize(t, b); size > limit {
			return fmt.Errorf("%d bytes", size)
		}
		return nil
	})
	b.restart()
	loaded := time.Now()
	cl = client(t, b, byName())
	for g := range groups {
		eventually(t, "load", func() error {
			at, err := committedOffset(within(t, patience), cl, groupName(g), 0)
			if want := int64(total / groups / (keys / groups)); err == nil && at != want {
				t.Fatalf("%s stands at %d, want %d", groupName(g), at, want)
			}
			return err
		})
	}
	t.Logf("%d commits in %v: %d bytes, %d when cleaned; told %v after the start", total, took, before, offsetsSize(t, b), time.Since(loaded))
}

// commitAll commits all partitions with each request, n commits in all.
func commitAll(t *testing.T, cl *kgo.Client, group string, partitions, n int) {
	for offset := int64(1); offset <= int64(n/partitions); offset++ {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation = group, -1
		rt := kmsg.NewOffsetCommitRequestTopic()
		rt.Topic = commitTopic
		for i := range partitions {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset = int32(i), offset
			rt.Partitions = append(rt.Partitions, p)
		}
		req.Topics = append(req.Topics, rt)
		resp, err := req.RequestWith(within(t, patience), cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// offsetsSize is the size of all files of the coordinator's topic.
func offsetsSize(t *testing.T, b *broker) int64 {
	t.Helper()
	var size int64
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "__consumer_offsets") {
			return nil // a file that is replaced meanwhile
		}
		if info, err := d.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}
