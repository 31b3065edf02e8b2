package audit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sordini/segment/vfs"
	"sordini/server/meta"
	"sordini/server/partition"
	"sordini/server/wire"
)

func TestTrace_ClientsAndFlushes(t *testing.T) {
	w := open(t, vfs.NewMem())
	defer w.end()
	p := w.create("t")
	clients := []*wire.Client{clientOf("a"), clientOf("b"), clientOf("c")}
	for i := range 300 {
		w.append(p, clients[i%3], 2)
	}
	w.durable(p, 600)
	for _, offset := range []int64{0, 1, 2, 299, 598, 599} {
		got := w.trace(p, offset)
		want := clients[offset/2%3]
		if got.Appended == nil || got.Appended.Client != (Client{want.ID, "10.1.2.3:4567", "PLAINTEXT"}) {
			t.Fatalf("offset %d: %+v, want %s", offset, got.Appended, want.ID)
		}
		if f := got.Flushed; f == nil || f.By != partition.ByJournal && f.By != partition.BySegment || f.Late || f.From < got.Appended.From {
			t.Errorf("offset %d: %+v after %+v", offset, f, got.Appended)
		}
	}
}

func TestRing_MergesNeighbours(t *testing.T) {
	p, other := new(partition.Partition), new(partition.Partition)
	a, b := clientOf("a"), clientOf("b")
	var r ring
	put := func(p *partition.Partition, c *wire.Client, from, at int64) {
		r.put(&entry{partition: p, client: c, span: span{from, from + 10, at, at}})
	}
	put(p, a, 0, 1000)
	put(p, a, 10, 1000+mergeSpan)
	put(p, a, 20, 1001+mergeSpan) // too late
	put(p, b, 30, 1001+mergeSpan) // another client
	put(p, b, 50, 1001+mergeSpan) // not behind it
	put(other, b, 60, 1001+mergeSpan)
	put(other, b, 70, 1000+mergeSpan) // the clock went back
	got, gap := r.take()
	if len(got) != 6 || got[0].span != (span{0, 20, 1000, 1000 + mergeSpan}) || !gap.empty() {
		t.Errorf("%+v %+v", got, gap)
	}
	if again, _ := r.take(); again != nil {
		t.Errorf("taken twice: %+v", again)
	}
	r.give(got)

	// Appends and flushes that come in turn become one each on a page.
	page := page{appended: -1, flushed: -1}
	for i := range int64(100) {
		page.add(&entry{partition: p, client: a, span: span{i, i + 1, i, i}})
		page.add(&entry{partition: p, by: partition.ByJournal, span: span{i, i + 1, i, i}})
	}
	if len(page.entries) != 2 || page.entries[1].span != (span{0, 100, 0, 99}) {
		t.Errorf("%+v", page.entries)
	}
}

func TestTrace_OverflowIsAGap(t *testing.T) {
	w := open(t, vfs.NewMem())
	p := w.create("t")
	w.halt() // the worker does not come
	clients := []*wire.Client{clientOf("a"), clientOf("b")}
	const n = ringSize + 100
	for i := range n {
		w.append(p, clients[i%2], 1)
	}
	if got := w.trace(p, 1000); got.Appended == nil || got.Appended.Client.ID != "a" {
		t.Errorf("before the ring was full: %+v", got.Appended)
	}
	got := w.trace(p, n-1)
	if got.Appended != nil || len(got.Gaps) != 1 || got.Gaps[0].Appends == 0 || got.Gaps[0].From > got.Gaps[0].To {
		t.Fatalf("%+v", got)
	}
	if d := w.m.AuditDropped.Load(); d < 100 {
		t.Errorf("%d dropped", d)
	}
	w.append(p, clients[0], 1)
	if got := w.trace(p, n); got.Appended == nil || got.Gaps != nil {
		t.Errorf("after the gap: %+v", got)
	}
}

// TestTrace_BisectsManyCheckpoints has a hundred checkpoints, and finds what is far back
// without reading all.
func TestTrace_BisectsManyCheckpoints(t *testing.T) {
	w := open(t, vfs.NewMem(), "log.segment.bytes=1048576")
	defer w.end()
	p, noise := w.create("t"), w.create("noise", "flush.policy", "async")
	client := clientOf("a")
	var others []*wire.Client
	for i := range 64 {
		others = append(others, clientOf(fmt.Sprint(i, strings.Repeat("x", 200))))
	}
	var offsets []int64
	next := int64(0)
	for round := range 100 {
		offsets = append(offsets, w.append(p, client, 1))
		for range 5 {
			for _, c := range others {
				w.Appended(noise, c, next, next+1, time.Now())
				next++
			}
			w.Collect()
		}
		w.checkpoint()
		if round == 50 {
			w.append(p, others[0], 1)
			offsets = append(offsets, -1)
		}
	}
	w.durable(p, 101)
	for i, offset := range offsets {
		if offset < 0 || i%9 != 0 && i != len(offsets)-1 {
			continue
		}
		got := w.trace(p, offset)
		if got.Appended == nil || got.Appended.Client.ID != "a" || got.Flushed == nil || got.Flushed.Late {
			t.Fatalf("%d: offset %d: %+v %+v", i, offset, got.Appended, got.Flushed)
		}
	}
	tape, err := newTape(t.Context(), w.partition(pagesPartition), maxPagesRead)
	w.must(err)
	s := search{Query: Query{Epoch: p.Log().LeaderEpoch(), Offset: 2}, place: place{p.ID, 0}, trace: &Trace{}}
	w.must(s.appended(tape))
	if read := maxPagesRead - tape.budget; s.trace.Appended == nil || read > w.partition(pagesPartition).Log().Size()*4 {
		t.Errorf("read %d of %d bytes: %+v", read, w.partition(pagesPartition).Log().Size(), s.trace.Appended)
	}
}

func TestTrace_Commits(t *testing.T) {
	w := open(t, vfs.NewMem())
	defer w.end()
	p, plain, log := w.create("t"), w.create("plain", "audit.enable", "false"), w.create("log", "flush.policy", "async")
	a, b := clientOf("a"), clientOf("b")
	for range 10 {
		w.append(p, a, 1)
	}
	commit := func(p *partition.Partition, group string, offset int64, c *wire.Client) {
		until := w.append(log, c, 1) + 1
		w.Group(log, until, []GroupEvent{{Group: group, Topic: p.Topic, TopicID: p.ID, New: offset, Old: -1, Member: true, Client: c, At: time.Now()}})
	}
	commit(p, "g", 3, a)
	commit(p, "h", 9, b)
	commit(p, "g", 6, b)
	commit(plain, "g", 6, b)
	commit(p, "g", 8, a)
	got := w.trace(p, 5, "g", "h")
	if len(got.Passed) != 2 || got.Passed["g"].Offset != 6 || got.Passed["g"].Client.ID != "b" || got.Passed["h"].Offset != 9 || got.Partial {
		t.Errorf("%+v", got)
	}
	if got := w.trace(p, 8, "h"); len(got.Passed) != 1 || got.Passed["h"].Offset != 9 {
		t.Errorf("%+v", got.Passed)
	}
	if got := w.traceOf(plain, 0, 5, "g"); len(got.Passed) != 0 || got.Appended != nil {
		t.Errorf("without audit: %+v", got)
	}
	// What is not durable yet is not told.
	w.Group(p, 1<<40, []GroupEvent{{Group: "never", Topic: "t", TopicID: p.ID, New: 9, Member: true, Client: a, At: time.Now()}})
	if got := w.trace(p, 5, "g", "h", "never"); len(got.Passed) != 2 || len(w.groups) != 1 {
		t.Errorf("not durable: %+v", got.Passed)
	}
}

// TestTrace_PowerCut: records that a power cut has taken were appended by one client,
// those that have their offsets now by another.
func TestTrace_PowerCut(t *testing.T) {
	disk := vfs.NewMem()
	w := open(t, disk)
	p := w.create("t", "flush.policy", "async", "flush.ms", "3600000", "flush.messages", "1000000")
	kept := w.create("kept")
	w.append(p, clientOf("first"), 3)
	w.append(kept, clientOf("kept"), 1)
	w.durable(kept, 1)
	w.Collect()
	_, err := w.partition(pagesPartition).Log().Flush() // the audit survives, the records do not
	w.must(err)
	w.halt()
	crashed := disk.Crash(1, vfs.CrashDropAll)

	w = open(t, crashed)
	defer w.end()
	p, kept = w.set.Get("t", 0), w.set.Get("kept", 0)
	if end := p.Log().State().End.Offset; end != 0 {
		t.Fatalf("the power cut took nothing: %d", end)
	}
	for range 3 {
		w.append(p, clientOf("second"), 1)
	}
	got := w.trace(p, 1)
	if got.Appended == nil || got.Appended.Client.ID != "second" || got.Flushed != nil {
		t.Errorf("%+v %+v", got.Appended, got.Flushed)
	}
	if got := w.traceOf(p, p.Log().LeaderEpoch()-1, 1); got.Appended == nil || got.Appended.Client.ID != "first" {
		t.Errorf("control: what was lost is not in the audit: %+v", got.Appended)
	}
	if got := w.trace(kept, 0); got.Appended == nil || got.Appended.Client.ID != "kept" || got.Flushed == nil {
		t.Errorf("%+v", got)
	}
}

func TestTrace_AnotherTopicOfTheName(t *testing.T) {
	w := open(t, vfs.NewMem())
	defer w.end()
	p := w.create("t")
	w.append(p, clientOf("old"), 3)
	w.durable(p, 3)
	w.Collect()
	w.must(w.set.DeleteTopic(p.ID))
	p = w.create("t", "audit.enable", "false")
	w.append(p, clientOf("new"), 1)
	w.Collect() // heard all the same, and of this id
	got := w.traceOf(p, 0, 1)
	if got.Appended != nil || got.Flushed != nil {
		t.Errorf("%+v", got)
	}
}

// TestTrace_AuditFails: produce goes on, what is missing is counted and told.
func TestTrace_AuditFails(t *testing.T) {
	disk := vfs.NewFaulty(vfs.NewMem(), nil)
	w := open(t, disk)
	p := w.create("t")
	w.append(p, clientOf("a"), 1)
	w.durable(p, 1)
	w.Collect()
	disk.SetRule(func(op vfs.Op) vfs.Fault {
		if strings.Contains(op.Path, Topic) && op.Kind == vfs.OpWrite {
			return vfs.Fault{Err: errors.New("no disk")}
		}
		return vfs.Fault{}
	})
	for range 3 {
		w.append(p, clientOf("a"), 1)
		w.Collect()
	}
	w.durable(p, 4)
	w.Collect()
	w.Change(clientOf("a"), Change{Action: ActionTopicCreated})
	w.work.Lock()
	if dropped := w.m.AuditDropped.Load(); dropped < 4 || w.writer.gap.Appends < 3 {
		t.Errorf("%d dropped, gap %+v", dropped, w.writer.gap)
	}
	w.work.Unlock()
	disk.SetRule(nil)
	w.halt()
	w = open(t, disk)
	defer w.end()
	p = w.set.Get("t", 0)
	w.append(p, clientOf("b"), 1)
	for offset, want := range []bool{true, false, false, false, true} {
		if got := w.trace(p, int64(offset)); (got.Appended != nil) != want {
			t.Errorf("offset %d: %+v", offset, got.Appended)
		}
	}
}

func TestTopic_SettingsAndRetention(t *testing.T) {
	disk := vfs.NewMem()
	w := open(t, disk)
	if w.set.Topic(Topic) != nil {
		t.Error("the topic is there before it is needed")
	}
	if got := w.traceOf(w.create("t"), 0, 0); got.Appended != nil || w.set.Topic(Topic) != nil {
		t.Error("a question makes the topic")
	}
	w.Change(clientOf("root"), Change{Action: ActionTopicCreated, Topic: "t"})
	if len(w.set.Topic(Topic)) != topicPartitions || !w.set.Image().Topic(Topic).Internal {
		t.Fatal("no topic")
	}
	w.end()
	w = open(t, disk, "audit.retention.bytes=8388608", "audit.retention.ms=1000", "audit.enable=true")
	defer w.end()
	s := w.set.Topic(Topic)[0].Settings()
	if s.RetentionBytes != 8<<20 || s.RetentionMs != 1000 || s.SegmentBytes != 1<<20 || !s.CleanupDelete {
		t.Errorf("%+v", s)
	}
	if w.set.Topic(Topic)[pagesPartition].Audited() {
		t.Error("the audit audits itself")
	}
}

func TestRecorder_NilHearsNothing(t *testing.T) {
	var r *Recorder
	r.Group(nil, 0, []GroupEvent{{}})
	r.Change(nil, Change{})
	r.Collect()
	r.Stop()
	if got, err := r.Trace(t.Context(), Query{TopicID: meta.TopicID{1}}); err != nil || got.Appended != nil {
		t.Error(got, err)
	}
}

// TestRecorder_AllocatesNothing: hearing never allocates, and writing only at first.
func TestRecorder_AllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	w := open(t, vfs.NewMem())
	p := w.create("t")
	w.halt()
	clients := []*wire.Client{clientOf("a"), clientOf("b")}
	next := int64(0)
	hear := func() {
		w.Appended(p, clients[next%2], next, next+1, time.Now())
		w.Durable(p, next, next+1, partition.ByJournal)
		next++
	}
	hear()
	if n := testing.AllocsPerRun(ringSize/4, hear); n > 0 {
		t.Errorf("%v allocations for a batch and its flush", n)
	}
	w.Collect()
	round := func() {
		for range 1000 {
			hear()
		}
		w.Collect()
	}
	round()
	if n := testing.AllocsPerRun(20, round); n > 50 { // of flushes in the background, and the disk in memory
		t.Errorf("%v allocations for a round of a thousand batches", n)
	}
}
