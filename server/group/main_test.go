package group

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/segment/vfs"
	"sordini/server/config"
	"sordini/server/group/step"
	"sordini/server/meta"
	"sordini/server/metrics"
	"sordini/server/partition"
	"sordini/server/wire"
)

const dataDir = "data"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// broker is a coordinator over a disk.
type broker struct {
	testing.TB
	*Coordinator
	set   *partition.Set
	store *meta.Store
}

// open starts a broker whose groups have 4 shards.
func open(t testing.TB, disk vfs.FS, flags ...string) *broker {
	t.Helper()
	b := &broker{TB: t}
	b.must(disk.MkdirAll(dataDir))
	b.must(disk.SyncDir("."))
	values, err := config.Load(config.Input{Flags: append([]string{
		"offsets.topic.num.partitions=4", "group.initial.rebalance.delay.ms=0",
	}, flags...)})
	b.must(err)
	random := rand.NewChaCha8([32]byte{1})
	b.store, _, err = meta.Open(disk, dataDir+"/metadata", meta.Options{Log: quiet})
	b.must(err)
	_, err = b.store.Identify(dataDir, 1, random)
	b.must(err)
	dir := partition.Dir{Path: dataDir, Metadata: true}
	dir.Clean, err = b.store.EndedClean(dataDir)
	b.must(err)
	_, err = b.store.Start(dir.Clean)
	b.must(err)
	b.set, _, err = partition.Open(partition.Options{
		FS: disk, Dirs: []partition.Dir{dir}, Store: b.store, Values: values, Logger: quiet, Random: random,
		Metrics: metrics.New("test", func(int16) string { return "" }), Now: time.Now,
	})
	b.must(err)
	b.Coordinator = Start(Options{Set: b.set, Store: b.store, Logger: quiet, Random: random})
	return b
}

// close ends a broker in order.
func (b *broker) close() {
	b.Helper()
	b.Stop()
	_ = b.set.Close() // fails where a test has broken the disk
	_ = b.store.Close()
}

func (b *broker) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *broker) create(topic string, partitions int32) {
	b.Helper()
	_, errs := b.set.CreateTopics([]partition.Topic{{Name: topic, Partitions: partitions}})
	b.must(errs[0])
}

// loaded waits until all shards are.
func (b *broker) loaded() *broker {
	b.Helper()
	b.eventually("all shards are loaded", func() bool {
		for _, r := range b.all() {
			r.mu.Lock()
			state := r.state
			r.mu.Unlock()
			if state == loading {
				return false
			}
		}
		return true
	})
	return b
}

func (b *broker) eventually(what string, ok func() bool) {
	b.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("not in time: %s", what)
		}
	}
}

// ask waits for the answer.
func (b *broker) ask(group string, req kmsg.Request) (kmsg.Response, *kerr.Error) {
	b.Helper()
	return wait(b.Do(step.Call{ClientID: "client", ClientHost: "/127.0.0.1"}, group, req))
}

func wait(p *Pending) (kmsg.Response, *kerr.Error) {
	if !p.Ready() {
		p.Wait(&wire.Waiter{})
	}
	return p.Response()
}

// commit commits an offset as a client that is no member.
func (b *broker) commit(group, topic string, partition int32, offset int64) int16 {
	b.Helper()
	resp, refusal := b.ask(group, commitRequest(group, topic, partition, offset))
	if refusal != nil {
		return refusal.Code
	}
	return resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
}

func commitRequest(group, topic string, partition int32, offset int64) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = 8, group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// committed is the offset that a group has committed, -1 for none.
func (b *broker) committed(group, topic string, partition int32) int64 {
	b.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version = 8
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.Partitions = topic, []int32{partition}
	g.Topics = append(g.Topics, t)
	req.Groups = append(req.Groups, g)
	resp, refusal := b.ask(group, req)
	if refusal != nil {
		b.Fatal(refusal)
	}
	return resp.(*kmsg.OffsetFetchResponse).Groups[0].Topics[0].Partitions[0].Offset
}

// join joins a group, asking again with the id that a new member is given. It
// returns what may still wait.
func (b *broker) join(group string, timeout time.Duration) *Pending {
	b.Helper()
	return b.rejoin(group, &kmsg.JoinGroupResponse{}, timeout)
}

// rejoin joins as the member that an earlier join has made.
func (b *broker) rejoin(group string, as *kmsg.JoinGroupResponse, timeout time.Duration) *Pending {
	b.Helper()
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.ProtocolType, req.MemberID = 3, group, "test", as.MemberID
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(timeout.Milliseconds()), int32(timeout.Milliseconds())
	req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: "p", Metadata: []byte{1}})
	return b.Do(step.Call{ClientID: "client", ClientHost: "/127.0.0.1"}, group, req)
}
