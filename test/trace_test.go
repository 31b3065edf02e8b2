package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// tracedMoment is when something happened, in an answer of /v1/topics/TOPIC/trace.
type tracedMoment struct {
	Recorded  bool
	At, Until *time.Time
	Why       string
	ClientID  string `json:"client_id"`
	Address   string
	Principal string
}

// traceAnswer is an answer of /v1/topics/TOPIC/trace.
type traceAnswer struct {
	Partition int32
	Offset    int64
	Record    *struct{ Key *string }
	Segment   struct {
		File     string
		Position int64
	}
	Batch struct {
		BaseOffset int64 `json:"base_offset"`
		LastOffset int64 `json:"last_offset"`
		CRC        string
		Codec      string
		ProducerID int64 `json:"producer_id"`
	}
	Appended tracedMoment
	Flushed  struct {
		tracedMoment
		Durable, Latest bool
		By              string
	}
	Changes []struct{ Action string }
	Groups  []struct {
		tracedMoment
		Group     string
		Passed    bool
		Offset    *int64
		Committed *int64
	}
}

// trace asks what became of a record by HTTP.
func (b *broker) trace(topic string, params ...string) traceAnswer {
	b.t.Helper()
	v := url.Values{}
	for i := 0; i < len(params); i += 2 {
		v.Set(params[i], params[i+1])
	}
	code, body := b.get("/v1/topics/" + topic + "/trace?" + v.Encode())
	var t traceAnswer
	if err := json.Unmarshal([]byte(body), &t); err != nil || code != 200 {
		b.t.Fatalf("trace of %s %v: %d %s", topic, params, code, body)
	}
	return t
}

// produceAs appends records with the keys given, one batch each, to partition 0.
func produceAs(t *testing.T, b *broker, id, topic string, keys ...string) {
	t.Helper()
	c := client(t, b, kgo.ClientID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer c.Close()
	for _, key := range keys {
		if err := c.ProduceSync(within(t, patience), &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// consumeAs has a member of a group read n records and commit them.
func consumeAs(t *testing.T, b *broker, id, group, topic string, n int) {
	t.Helper()
	c := client(t, b, kgo.ClientID(id), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	ctx := within(t, patience)
	for n > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		n -= fetches.NumRecords()
		if err := c.CommitRecords(ctx, fetches.Records()...); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTrace_EveryStep(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "t", 2, "audit.enable", "true", "index.key", "true")
	before := time.Now().Add(-time.Millisecond)
	produceAs(t, b, "shop", "t", "a", "b", "c")
	produceAs(t, b, "till", "t", "d", "e")
	consumeAs(t, b, "billing-1", "billing", "t", 5)
	consumeAs(t, b, "mail-1", "mail", "t", 5)
	produceAs(t, b, "till", "t", "f")

	first := b.trace("t", "partition", "0", "offset", "1")
	first.Changes = nil
	checkTraced(t, first, "shop", before)
	if first.Record == nil || *first.Record.Key != "b" || first.Batch.BaseOffset != 1 || first.Segment.File != "t-0/00000000000000000000.log" || first.Segment.Position == 0 || first.Batch.ProducerID < 0 {
		t.Errorf("%+v", first)
	}
	if by := first.Flushed.By; by != "journal" && by != "segment" || first.Flushed.Latest {
		t.Errorf("flushed: %+v", first.Flushed)
	}
	for i, group := range []string{"billing", "mail"} {
		g := first.Groups[i]
		if g.Group != group || !g.Passed || !g.Recorded || g.ClientID != group+"-1" || *g.Committed != 5 || g.At.Before(*first.Flushed.At) {
			t.Errorf("group %s: %+v", group, g)
		}
	}
	byKey := b.trace("t", "key", "d")
	checkTraced(t, byKey, "till", before)
	if byKey.Offset != 3 || byKey.Partition != 0 {
		t.Errorf("by key: %+v", byKey)
	}
	last := b.trace("t", "key", "f")
	if len(last.Groups) != 2 || last.Groups[0].Passed || *last.Groups[0].Committed != 5 {
		t.Errorf("of a record that nobody has read: %+v", last.Groups)
	}
	for _, again := range []struct {
		what string
		how  func()
	}{{"a restart", b.restart}, {"a kill", func() { b.kill(); b.start() }}, {"a second kill", func() { b.kill(); b.start() }}} {
		again.how()
		waitLoaded(t, b, "t", 2)
		now := b.trace("t", "partition", "0", "offset", "1")
		if last := len(now.Changes) - 1; last < 0 || now.Changes[last].Action != "server_started" {
			t.Errorf("after %s: %+v", again.what, now.Changes)
		}
		if now.Changes = nil; !reflect.DeepEqual(now, first) {
			t.Errorf("after %s: %+v\nwas %+v", again.what, now, first)
		}
	}
	if got := fmt.Sprint(b.trace("t", "partition", "0", "offset", "1").Changes); got != "[{server_stopped} {server_started} {server_started} {server_started}]" {
		t.Errorf("stops and starts: %s", got)
	}
	produceAs(t, b, "shop", "t", "g")
	checkTraced(t, b.trace("t", "key", "g"), "shop", before)
	checkTraced(t, b.trace("t", "partition", "0", "offset", "1"), "shop", before)
}

// waitLoaded waits until n groups are known that have read a partition.
func waitLoaded(t *testing.T, b *broker, topic string, n int) {
	t.Helper()
	eventually(t, "groups loaded", func() error {
		if got := b.trace(topic, "partition", "0", "offset", "1"); len(got.Groups) < n || got.Groups[0].Committed == nil || got.Groups[1].Committed == nil {
			return fmt.Errorf("%+v", got.Groups)
		}
		return nil
	})
}

func checkTraced(t *testing.T, a traceAnswer, id string, since time.Time) {
	t.Helper()
	if !a.Appended.Recorded || a.Appended.ClientID != id || !strings.HasPrefix(a.Appended.Address, "127.0.0.1:") || a.Appended.Principal != "User:ANONYMOUS" ||
		a.Appended.At.Before(since) || a.Appended.At.After(time.Now()) {
		t.Errorf("appended: %+v, want by %s", a.Appended, id)
	}
	if !a.Flushed.Recorded || !a.Flushed.Durable || a.Flushed.At.Before(*a.Appended.At) {
		t.Errorf("flushed: %+v", a.Flushed)
	}
}

func TestTrace_Flushes(t *testing.T) {
	b := startBroker(t)
	for topic, ms := range map[string]string{"later": "300", "never": "9223372036854775807"} {
		createTopic(t, b, topic, 1, "audit.enable", "true", "flush.policy", "async", "flush.ms", ms, "flush.messages", "1000000")
		produceAs(t, b, "c", topic, "a", "b")
	}
	eventually(t, "the flush", func() error {
		if f := b.trace("later", "offset", "1").Flushed; !f.Recorded || f.By != "segment" {
			return fmt.Errorf("%+v", f)
		}
		return nil
	})
	if f := b.trace("never", "offset", "1").Flushed; f.Durable || f.Recorded {
		t.Errorf("before the stop: %+v", f)
	}
	b.restart()
	if f := b.trace("never", "offset", "1").Flushed; !f.Durable || !f.Recorded || f.By != "stop" || f.Latest {
		t.Errorf("after the stop: %+v", f)
	}
	produceAs(t, b, "c", "never", "c")
	b.trace("never", "offset", "2") // what was heard is written with it
	b.kill()
	b.start()
	if f := b.trace("never", "offset", "2").Flushed; !f.Durable || !f.Recorded || f.By != "recovery" || !f.Latest {
		t.Errorf("after the kill: %+v", f)
	}
	if a := b.trace("never", "offset", "2").Appended; !a.Recorded || a.ClientID != "c" {
		t.Errorf("after the kill: %+v", a)
	}
}

func TestTrace_NotRecorded(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "t", 1)
	produceAs(t, b, "c", "t", "a")
	a := b.trace("t", "offset", "0")
	if a.Appended.Recorded || !strings.Contains(a.Appended.Why, "audit.enable") || a.Flushed.Recorded || !a.Flushed.Durable {
		t.Errorf("without audit: %+v", a)
	}
	admin := kadm.NewClient(client(t, b))
	if _, err := admin.AlterTopicConfigs(within(t, patience), []kadm.AlterConfig{{Name: "audit.enable", Value: kadm.StringPtr("true")}}, "t"); err != nil {
		t.Fatal(err)
	}
	produceAs(t, b, "c", "t", "b")
	if a = b.trace("t", "offset", "0"); a.Appended.Recorded || a.Appended.Why == "" {
		t.Errorf("before audit: %+v", a.Appended)
	}
	if a = b.trace("t", "offset", "1"); !a.Appended.Recorded {
		t.Errorf("with audit: %+v", a.Appended)
	}
	deleteTopic(t, b, "t")
	createTopic(t, b, "t", 1)
	produceAs(t, b, "other", "t", "a", "b")
	if a = b.trace("t", "offset", "1"); a.Appended.Recorded || a.Flushed.Recorded {
		t.Errorf("what was kept of a deleted topic is told of another: %+v", a)
	}
	for path, want := range map[string]int{
		"/v1/topics/none/trace?offset=0":            404,
		"/v1/topics/t/trace":                        400,
		"/v1/topics/t/trace?offset=0&key=a":         400,
		"/v1/topics/t/trace?offset=-1":              400,
		"/v1/topics/t/trace?offset=0&from=1":        400,
		"/v1/topics/t/trace?offset=2":               416,
		"/v1/topics/t/trace?partition=1&offset=0":   404,
		"/v1/topics/t/trace?key=none":               404,
		"/v1/topics/t/trace?key_base64=YQ%3D%3D":    200,
		"/v1/topics/t/trace?partition=0&key=b":      200,
		"/v1/topics/t/trace?key_base64=YQ&offset=1": 400,
	} {
		if code, body := b.get(path); code != want {
			t.Errorf("%s: %d %s, want %d", path, code, body, want)
		}
	}
}

func TestTrace_Command(t *testing.T) {
	b := startBroker(t)
	createTopic(t, b, "t", 1, "audit.enable", "true")
	produceAs(t, b, "shop", "t", "a", "b")
	consumeAs(t, b, "billing-1", "billing", "t", 2)
	run := func(args ...string) (string, string, int) {
		cmd := exec.Command(server, append([]string{"trace", "t", "--admin", b.admin}, args...)...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errs, environment()
		if err := cmd.Run(); cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return out.String(), errs.String(), cmd.ProcessState.ExitCode()
	}
	out, errs, code := run("--partition", "0", "--offset", "1")
	for _, want := range []string{
		"t partition 0 offset 1", "t-0/00000000000000000000.log at position", "sequence 1", `by client "shop" at 127.0.0.1:`,
		"by a sync of the ", `group billing committed 2, client "billing-1" at 127.0.0.1`, "User:ANONYMOUS",
	} {
		if code != 0 || !strings.Contains(out, want) {
			t.Fatalf("%d, no %q in\n%s%s", code, want, out, errs)
		}
	}
	out, _, code = run("--key", "a", "-o", "json")
	var a traceAnswer
	if err := json.Unmarshal([]byte(out), &a); err != nil || code != 0 || a.Offset != 0 || a.Appended.ClientID != "shop" {
		t.Errorf("json: %d %s", code, out)
	}
	if out, errs, code := run(); code != 2 || out != "" || !strings.Contains(errs, "offset") {
		t.Errorf("without a record: %d %s%s", code, out, errs)
	}
}

// change is a record of partition 0 of the audit.
type change struct {
	Action, Principal, Topic, Group, Address string
	ClientID                                 string `json:"client_id"`
	TopicID                                  string `json:"topic_id"`
	Partition                                *int32
	Partitions                               int32
	Automatic                                bool
	Broker                                   *string
	OldOffset                                *int64 `json:"old_offset"`
	NewOffset                                *int64 `json:"new_offset"`
	Configs                                  []struct {
		Name     string
		Old, New *string
	}
}

// changes reads all administrative changes until there are n.
func changes(t *testing.T, b *broker, n int) []change {
	t.Helper()
	c := client(t, b, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"__sordini_audit": {0: kgo.NewOffset().AtStart()}}))
	defer c.Close()
	ctx := within(t, patience)
	var all []change
	for len(all) < n {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%v after %+v", err, all)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var x change
			if err := json.Unmarshal(r.Value, &x); err != nil {
				t.Fatalf("%v: %s", err, r.Value)
			}
			all = append(all, x)
		})
	}
	return all
}

func TestTrace_Changes(t *testing.T) {
	b := startBroker(t)
	c := client(t, b, kgo.ClientID("root"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.AllowAutoTopicCreation())
	admin, ctx := kadm.NewClient(c), within(t, patience)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := admin.CreateTopic(ctx, 1, 1, map[string]*string{"retention.ms": kadm.StringPtr("1000000")}, "t")
	must(err)
	_, err = admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: kadm.StringPtr("2000000")}}, "t")
	must(err)
	_, err = admin.UpdatePartitions(ctx, 3, "t")
	must(err)
	for range 4 {
		must(c.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr())
	}
	_, err = admin.DeleteRecords(ctx, kadm.OffsetsFromRecords(kgo.Record{Topic: "t", Offset: 1}))
	must(err)
	consumeAs(t, b, "member", "g", "t", 2)
	_, err = admin.CommitOffsets(ctx, "g", kadm.OffsetsFromRecords(kgo.Record{Topic: "t", Offset: 2}))
	must(err)
	_, err = admin.DeleteGroup(ctx, "g")
	must(err)
	_, err = admin.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Name: "flush.policy", Value: kadm.StringPtr("async")}})
	must(err)
	must(c.ProduceSync(ctx, &kgo.Record{Topic: "auto", Value: []byte("v")}).FirstErr())
	_, err = admin.DeleteTopic(ctx, "t")
	must(err)
	checkChanges(t, changes(t, b, 9))
	b.kill()
	b.start()
	checkChanges(t, changes(t, b, 9))
	auditIsTheBrokers(t, b)
}

func checkChanges(t *testing.T, all []change) {
	t.Helper()
	found := make(map[string]change)
	for _, x := range all {
		if strings.HasPrefix(x.Action, "server_") {
			continue
		}
		if x.Principal != "User:ANONYMOUS" || x.ClientID != "root" || !strings.HasPrefix(x.Address, "127.0.0.1:") {
			t.Errorf("by whom: %+v", x)
		}
		found[x.Action+" "+x.Topic+x.Group] = x
	}
	check := func(name string, ok func(x change) bool) {
		t.Helper()
		if x, there := found[name]; !there || !ok(x) {
			t.Errorf("%s: %+v of %+v", name, x, found)
		}
	}
	check("topic_created t", func(x change) bool {
		return x.Partitions == 1 && len(x.Configs) == 1 && *x.Configs[0].New == "1000000" && x.TopicID != "" && !x.Automatic
	})
	check("topic_created auto", func(x change) bool { return x.Automatic })
	check("configs_altered t", func(x change) bool {
		return len(x.Configs) == 1 && *x.Configs[0].Old == "1000000" && *x.Configs[0].New == "2000000"
	})
	check("partitions_added t", func(x change) bool { return x.Partitions == 3 })
	check("records_deleted t", func(x change) bool { return *x.Partition == 0 && *x.OldOffset == 0 && *x.NewOffset == 2 })
	check("offset_altered tg", func(x change) bool { return *x.OldOffset == 4 && *x.NewOffset == 3 })
	check("group_deleted g", func(x change) bool { return true })
	check("configs_altered ", func(x change) bool { return *x.Broker == "" && x.Configs[0].Name == "flush.policy" })
	check("topic_deleted t", func(x change) bool { return x.TopicID == found["topic_created t"].TopicID })
}

// auditIsTheBrokers: clients see the topic only if they name it, and do not change it.
func auditIsTheBrokers(t *testing.T, b *broker) {
	t.Helper()
	const topic = "__sordini_audit"
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	admin, ctx := kadm.NewClient(c), within(t, patience)
	all, err := admin.ListTopicsWithInternal(ctx)
	if err != nil || all.Has(topic) {
		t.Errorf("among all topics: %v, %v", all.Names(), err)
	}
	named, err := admin.ListTopicsWithInternal(ctx, topic)
	if err != nil || !named.Has(topic) || !named[topic].IsInternal || len(named[topic].Partitions) != 3 {
		t.Errorf("named: %+v, %v", named, err)
	}
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, kerr.InvalidTopicException) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("produce", c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr())
	_, err = admin.DeleteTopic(ctx, topic)
	refused("delete", err)
	altered, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: kadm.StringPtr("1")}}, topic)
	if err != nil {
		t.Fatal(err)
	}
	refused("alter", altered[0].Err)
	grown, err := admin.UpdatePartitions(ctx, 5, topic)
	if err != nil {
		t.Fatal(err)
	}
	refused("grow", grown[topic].Err)
	deleted, err := admin.DeleteRecords(ctx, kadm.OffsetsFromRecords(kgo.Record{Topic: topic, Offset: 1}))
	if err != nil {
		t.Fatal(err)
	}
	r, _ := deleted.Lookup(topic, 0)
	refused("delete records", r.Err)
}
