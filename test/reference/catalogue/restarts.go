package catalogue

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

// restarts are cases in which the broker ends and begins again.
func restarts() []play.Case {
	var all []play.Case
	for _, e := range []struct {
		name string
		how  play.Ending
	}{{"stopped", play.Stop}, {"killed", play.Kill}} {
		all = append(all,
			play.Case{Name: "restarts/" + e.name, Run: func(p *play.Play) { throughRestarts(p, e.how) }},
			play.Case{Name: "restarts/" + e.name + "-loading", Run: func(p *play.Play) { loading(p, e.how) }},
		)
	}
	return all
}

// part is what a case does until the broker is started again. It returns what comes
// after that, nil if nothing does.
type part func(p *play.Play) part

// throughRestarts plays parts side by side, as a broker takes its time to begin.
func throughRestarts(p *play.Play, how play.Ending) {
	parts := []part{
		sequencesOverRestarts, windowOverRestarts, oldRecordsOverRestarts, sessionOverRestarts, topicsOverRestarts, emptyOverRestarts,
		commitsOverRestarts, memberOverRestarts, staticOverRestarts, twoOverRestarts, joiningOverRestarts, deletedGroupOverRestarts,
		consumerOverRestarts, staticConsumerOverRestarts, givingOverRestarts, expressionOverRestarts,
	}
	if how == play.Stop { // what a kill leaves of deletions is chance in Kafka, which notes them from time to time
		parts = append(parts, startsOverRestarts, producersOfDeletedRecords, noEpochOverRestarts)
	} else { // a stop begins no leader epoch here
		parts = append(parts, epochsOverRestarts)
	}
	for {
		var next []part
		for _, run := range parts {
			if then := run(p); then != nil {
				next = append(next, then)
			}
		}
		if len(next) == 0 {
			return
		}
		parts = next
		p.Restart(how)
	}
}

// appender appends batches of one record of a producer.
type appender struct {
	p     *play.Play
	topic play.Topic
	id    int64
}

func newAppender(p *play.Play) appender { return appender{p, p.Topic(1), producer(p)} }

// request has records of today: of a producer whose records are old Kafka knows
// nothing after a restart.
func (a appender) request(v Version, n int, epoch int16, sequence int32) *kmsg.ProduceRequest {
	b := values(n).from(a.id, epoch, sequence)
	b.first = time.Now().UnixMilli()
	return produceTo(v, a.topic, 0, b.encode())
}

func (a appender) ask(note string, n int, epoch int16, sequence int32) {
	a.p.Ask(note, 13, a.request(13, n, epoch, sequence))
}

// again asks for what was appended before.
func (a appender) again(n int, epoch int16, sequence int32) {
	for _, v := range []Version{3, 8, 9, 13} {
		a.p.Ask("sequence again", v, a.request(v, n, epoch, sequence))
	}
}

// sequencesOverRestarts has duplicates, gaps and new epochs of one producer.
func sequencesOverRestarts(p *play.Play) part {
	a := newAppender(p)
	a.ask("sequence first", 3, 0, 0)
	a.ask("sequence next", 2, 0, 3)
	return func(p *play.Play) part {
		a.again(2, 0, 3)
		a.ask("sequence gap", 1, 0, 6)
		a.ask("sequence overlapping", 3, 0, 4)
		a.ask("sequence first again", 1, 0, 0)
		a.ask("sequence next after a restart", 1, 0, 5)
		a.ask("new epoch, not from zero", 1, 1, 6)
		a.ask("new epoch", 2, 1, 0)
		p.Ask("sequences", 12, fetchFrom(a.topic, 0, 0))
		return func(p *play.Play) part {
			a.again(2, 1, 0)
			a.ask("old epoch", 1, 0, 6)
			a.ask("gap in the new epoch", 1, 1, 3)
			a.ask("next in the new epoch", 1, 1, 2)
			a.ask("newer epoch", 1, 5, 0)
			p.Ask("sequences of epochs", 12, fetchFrom(a.topic, 0, 0))
			other := appender{p, a.topic, producer(p)}
			other.ask("another producer", 1, 0, 0)
			other.again(1, 0, 0)
			p.Ask("sequences of two producers", 12, fetchFrom(a.topic, 0, 0))
			return nil
		}
	}
}

// windowOverRestarts asks how many batches of a producer are still known.
func windowOverRestarts(p *play.Play) part {
	a := newAppender(p)
	for i := range int32(8) {
		a.ask("fill the window", 1, 0, i)
	}
	return func(p *play.Play) part {
		for i := range int32(8) {
			a.ask("in the window", 1, 0, i)
		}
		a.ask("after the window", 1, 0, 8)
		a.again(1, 0, 8)
		return nil
	}
}

// oldRecordsOverRestarts has a producer whose records have old times.
func oldRecordsOverRestarts(p *play.Play) part {
	t, id := p.Topic(1), producer(p)
	ask := func(note string, sequence int32) {
		p.Ask(note, 13, produceTo(13, t, 0, values(1).from(id, 0, sequence).encode()))
	}
	ask("old record", 0)
	ask("next old record", 1)
	return func(p *play.Play) part {
		ask("old record again", 1)
		return nil
	}
}

func producersOfDeletedRecords(p *play.Play) part {
	a := newAppender(p)
	a.ask("of records to be deleted", 3, 0, 0)
	p.Ask("records of a producer", 2, deleteBefore(a.topic, 0, -1))
	return func(p *play.Play) part {
		p.Ask("deleted records of a producer", 12, fetchFrom(a.topic, 0, 3))
		a.ask("gap after deleted records", 1, 0, 5)
		a.ask("next after deleted records", 1, 0, 3)
		return nil
	}
}

func sessionOverRestarts(p *play.Play) part {
	t := p.Topic(2)
	put(p, t, 0, values(2))
	ids := make(map[Version]int32)
	for _, v := range []Version{7, 12, 18} {
		ids[v] = opened(p, v, t, 0, 1)
		p.Ask("session goes on", v, session(ids[v], 1))
	}
	return func(p *play.Play) part {
		for _, v := range []Version{7, 12, 18} {
			p.Ask("session of before", v, session(ids[v], 2))
			p.Ask("session of before, closed", v, session(ids[v], -1))
			p.Ask("session in its place", v, session(ids[v], 0, fetchTopic(t, 0, 0)))
		}
		return nil
	}
}

// startsOverRestarts has records deleted, some and all.
func startsOverRestarts(p *play.Play) part {
	some, all := filled(p), filled(p)
	p.Ask("delete some", 2, deleteBefore(some, 0, 4))
	p.Ask("delete all", 2, deleteBefore(all, 0, -1))
	look := func(p *play.Play, note string) {
		for _, v := range []Version{1, 10} {
			everyPlace(p, v, note+" some deleted", some)
			everyPlace(p, v, note+" all deleted", all)
		}
		for _, v := range []Version{4, 12, 18} {
			for _, offset := range []int64{0, 3, 4, 5} {
				p.Ask(note+" some deleted", v, fetchFrom(some, 0, offset))
				p.Ask(note+" all deleted", v, fetchFrom(all, 0, offset))
			}
		}
		p.Ask(note+" some deleted", 4, epochEnd(some, 0, -1, 0))
		p.Ask(note+" all deleted", 4, epochEnd(all, 0, -1, 0))
	}
	return func(p *play.Play) part {
		look(p, "start")
		put(p, all, 0, values(2))
		p.Ask("delete one more", 2, deleteBefore(all, 0, 6))
		p.Ask("delete what is gone", 2, deleteBefore(some, 0, 1))
		return func(p *play.Play) part {
			look(p, "start again")
			return nil
		}
	}
}

// leader is the epoch that a partition has now.
func leader(p *play.Play, t play.Topic) int32 {
	resp := p.Quiet(12, metadataOf(t.Name)).(*kmsg.MetadataResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) == 0 {
		p.Fail("metadata of %s: %+v", t.Name, resp)
	}
	return resp.Topics[0].Partitions[0].LeaderEpoch
}

// epochsOverRestarts has records of three leader epochs, a topic that has none of the
// second, and one that has none any more.
func epochsOverRestarts(p *play.Play) part {
	t, gap, bare := p.Topic(1), p.Topic(1), p.Topic(1)
	put(p, t, 0, values(3))
	put(p, bare, 0, values(3))
	put(p, gap, 0, values(1))
	epochs := []int32{-1, leader(p, t)}
	look := func(p *play.Play, note string) {
		now := epochs[len(epochs)-1]
		for v := Version(7); v <= 13; v++ {
			p.Ask(note, v, metadataOf(t.Name, gap.Name))
		}
		p.Ask(note, 0, describeTopics(10, t.Name))
		for v := Version(4); v <= 10; v++ {
			p.Ask(note+" epoch", v, offsetAt(t, 0, -1))
		}
		for _, x := range []play.Topic{t, gap} {
			everyPlace(p, 7, note, x)
			p.Ask(note, 12, fetchFrom(x, 0, 0))
			for _, epoch := range append(epochs, now+1) {
				for v := Version(2); v <= 4; v++ {
					p.Ask(note+" end", v, epochEnd(x, 0, now, epoch))
				}
				for _, offset := range []int64{0, 1, 3, 5, 6} {
					p.Ask(note+" last fetched", 12, fetchedIn(x, offset, now, epoch))
					p.Ask(note+" last fetched", 18, fetchedIn(x, offset, now, epoch))
				}
			}
		}
		for _, current := range []int32{epochs[1], now, now + 1} {
			for v := Version(9); v <= 18; v++ {
				p.Ask(note+" current", v, fetchedIn(t, 0, current, -1))
			}
			p.Ask(note+" current", 4, epochEnd(t, 0, current, epochs[1]))
			req := offsetAt(t, 0, -1)
			req.Topics[0].Partitions[0].CurrentLeaderEpoch = current
			p.Ask(note+" current", 10, req)
		}
	}
	return func(p *play.Play) part {
		epochs = append(epochs, leader(p, t))
		put(p, t, 0, values(2))
		look(p, "second epoch")
		p.Quiet(2, deleteBefore(bare, 0, -1))
		everyPlace(p, 7, "second epoch, emptied", bare)
		everyPlace(p, 10, "second epoch, emptied", bare)
		return func(p *play.Play) part {
			epochs = append(epochs, leader(p, t))
			put(p, t, 0, values(1))
			put(p, gap, 0, values(2))
			look(p, "third epoch")
			p.Quiet(2, deleteBefore(t, 0, 4))
			look(p, "third epoch, cut")
			return nil
		}
	}
}

// noEpochOverRestarts asks for the end of a leader epoch after a stop.
func noEpochOverRestarts(p *play.Play) part {
	t := p.Topic(1)
	put(p, t, 0, values(3))
	return func(p *play.Play) part {
		put(p, t, 0, values(2))
		p.Ask("epoch before a stop", 4, epochEnd(t, 0, leader(p, t), 0))
		return nil
	}
}

// fetchedIn is a fetch by one who knows a leader epoch, and the epoch of what it has.
func fetchedIn(t play.Topic, offset int64, current, last int32) *kmsg.FetchRequest {
	req := fetchFrom(t, 0, offset)
	req.Topics[0].Partitions[0].CurrentLeaderEpoch, req.Topics[0].Partitions[0].LastFetchedEpoch = current, last
	return req
}

// topicsOverRestarts changes topics and settings.
func topicsOverRestarts(p *play.Play) part {
	t := p.Topic(1, "retention.bytes", "1000000")
	more, again, gone := p.Topic(1), filled(p), filled(p)
	p.Quiet(3, morePartitions(more.Name, 3))
	p.Served(more.Name, 3)
	p.Quiet(4, deleteTopic(again.Name))
	p.Gone(again.Name)
	old := again
	again = p.TopicNamed(again.Name, 2)
	p.Quiet(4, deleteTopic(gone.Name))
	p.Gone(gone.Name)
	value := "7654321"
	p.Quiet(1, alter(kmsg.ConfigResourceTypeTopic, t.Name, "segment.bytes", kmsg.IncrementalAlterConfigOpSet, &value))
	p.Quiet(1, alter(kmsg.ConfigResourceTypeBroker, "1", "log.retention.bytes", kmsg.IncrementalAlterConfigOpSet, &value))
	p.Quiet(1, alter(kmsg.ConfigResourceTypeBroker, "", "log.segment.bytes", kmsg.IncrementalAlterConfigOpSet, &value))
	p.Quiet(1, alter(kmsg.ConfigResourceTypeGroupConfig, p.Name("group"), "consumer.session.timeout.ms", kmsg.IncrementalAlterConfigOpSet, &value))
	look := func(p *play.Play, note string) {
		for v := Version(1); v <= 4; v++ {
			req := configsOf(kmsg.ConfigResourceTypeTopic, t.Name, "retention.bytes", "segment.bytes", "cleanup.policy")
			req.IncludeSynonyms = true
			p.Ask(note+" topic", v, req)
		}
		req := configsOf(kmsg.ConfigResourceTypeBroker, "1", "log.retention.bytes", "log.segment.bytes")
		req.IncludeSynonyms = true
		p.Ask(note+" broker", 4, req)
		p.Ask(note+" brokers", 4, configsOf(kmsg.ConfigResourceTypeBroker, ""))
		p.Ask(note+" group", 4, configsOf(kmsg.ConfigResourceTypeGroupConfig, p.Name("group"), "consumer.session.timeout.ms"))
		for _, v := range []Version{1, 6, 12} {
			p.Ask(note, v, metadataOf(t.Name, more.Name, again.Name, gone.Name))
		}
		p.Ask(note+" by the old id", 13, fetchFrom(old, 0, 0))
		p.Ask(note+" by the new id", 13, fetchFrom(again, 0, 0))
		p.Ask(note+" of a deleted topic", 13, fetchFrom(gone, 0, 0))
		p.Ask(note+" more partitions", 10, offsetAt(more, 2, -1))
	}
	return func(p *play.Play) part {
		look(p, "changed")
		p.Quiet(1, alter(kmsg.ConfigResourceTypeTopic, t.Name, "segment.bytes", kmsg.IncrementalAlterConfigOpDelete, nil))
		p.Quiet(1, alter(kmsg.ConfigResourceTypeBroker, "1", "log.retention.bytes", kmsg.IncrementalAlterConfigOpDelete, nil))
		p.Quiet(1, alter(kmsg.ConfigResourceTypeBroker, "", "log.segment.bytes", kmsg.IncrementalAlterConfigOpDelete, nil))
		return func(p *play.Play) part {
			look(p, "changed back")
			return nil
		}
	}
}

// emptyOverRestarts has a topic that nothing was ever written to.
func emptyOverRestarts(p *play.Play) part {
	t := p.Topic(1)
	return func(p *play.Play) part {
		everyPlace(p, 10, "empty", t)
		p.Ask("empty", 12, fetchFrom(t, 0, 0))
		p.Ask("empty, one more", 12, fetchFrom(t, 0, 1))
		p.Ask("empty", 4, epochEnd(t, 0, -1, 0))
		p.Ask("empty, now", 4, epochEnd(t, 0, -1, leader(p, t)))
		p.Ask("empty, first", 9, produceTo(9, t, 0, values(1).encode()))
		return nil
	}
}
