package catalogue

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

// compaction are cases of a broker that compacts as soon as it can. A segment ends
// where the time of its records tells it to, so that segments are alike everywhere.
func compaction() []play.Case {
	return []play.Case{
		{Name: "compaction/places", Run: compactedPlaces},
		{Name: "compaction/delete", Run: compactedDelete},
		{Name: "compaction/tombstones", Run: tombstones},
		{Name: "compaction/producers", Run: compactedProducers},
		{Name: "compaction/epochs", Run: compactedEpochs},
	}
}

// segmentTime is how long a segment of compactable lasts, roundTime the time between
// two rounds of records, in ms.
const (
	segmentTime = "1000"
	roundTime   = 10_000
)

// compactable is a topic with short segments. Configs are names and values in turn.
func compactable(p *play.Play, policy string, configs ...string) play.Topic {
	return p.Topic(1, append(configs, "cleanup.policy", policy, "segment.ms", segmentTime)...)
}

// keys is a batch with a record of each key in round n, which begins a segment. A
// value tells key and round.
func keys(n int, names ...string) batch {
	b := batch{first: longAgo + int64(n)*roundTime, step: 1}
	for _, k := range names {
		b.records = append(b.records, kmsg.Record{Key: []byte(k), Value: []byte{byte('A' + n), k[0]}})
	}
	return b
}

// tombstone is a batch that deletes a key in round n.
func tombstone(n int, key string) batch {
	b := keys(n, key)
	b.records[0].Value = nil
	return b
}

// remaining are the offsets of the records that a topic has. An answer to a fetch ends
// with a segment, so it takes several.
func remaining(p *play.Play, t play.Topic) []int64 {
	var all []int64
	for next := startOf(p, t); ; {
		part := p.Quiet(12, fetchFrom(t, 0, next)).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		if part.ErrorCode != 0 {
			p.Fail("fetch from %d of %s: %d", next, t.Name, part.ErrorCode)
		}
		if len(part.RecordBatches) == 0 {
			return all
		}
		for b := part.RecordBatches; len(b) > 0; {
			var k kmsg.RecordBatch
			if err := k.ReadFrom(b); err != nil {
				p.Fail("a batch of %s: %w", t.Name, err)
			}
			b, next = b[12+k.Length:], k.FirstOffset+int64(k.LastOffsetDelta)+1
			all = append(all, offsetsIn(p, k)...)
		}
	}
}

// offsetsIn are the offsets of a batch's records.
func offsetsIn(p *play.Play, k kmsg.RecordBatch) (all []int64) {
	for rest := unpacked(p, k); len(rest) > 0; {
		var r kmsg.Record
		if err := r.ReadFrom(rest); err != nil {
			p.Fail("a record: %w", err)
		}
		rest = rest[len(r.AppendTo(nil)):]
		all = append(all, k.FirstOffset+int64(r.OffsetDelta))
	}
	return all
}

// unpacked are the records of a batch.
func unpacked(p *play.Play, k kmsg.RecordBatch) []byte {
	const codecBits = 7
	if k.Attributes&codecBits == 0 || k.NumRecords == 0 {
		return k.Records
	}
	records, err := kgo.DefaultDecompressor().Decompress(k.Records, kgo.CompressionCodecType(k.Attributes&codecBits))
	if err != nil {
		p.Fail("%w", err)
	}
	return records
}

func startOf(p *play.Play, t play.Topic) int64 {
	return p.Quiet(7, offsetAt(t, 0, -2)).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].Offset
}

// compactedTo waits until a topic has only the records at some offsets.
func compactedTo(p *play.Play, t play.Topic, offsets ...int64) {
	p.Until(t.Name+" is compacted", func() bool { return slices.Equal(remaining(p, t), offsets) })
}

// holed is a compacted topic whose records are at 0, 5, 7, 8 and 11 to 13: of the
// batches at 0 to 2, 5 to 7 and 8 to 10 some are left, that at 3 and 4 is gone.
func holed(p *play.Play, policy string) play.Topic {
	t := compactable(p, policy)
	put(p, t, 0, keys(0, "x", "a", "c"))
	put(p, t, 0, keys(1, "a", "d"))
	put(p, t, 0, keys(2, "a", "b", "c"))
	put(p, t, 0, keys(3, "e", "b", "b"))
	put(p, t, 0, keys(4, "d").compressed(p, codecs()["gzip"]))
	put(p, t, 0, keys(5, "b"))
	put(p, t, 0, keys(6, "z"))
	compactedTo(p, t, 0, 5, 7, 8, 11, 12, 13)
	return t
}

// oneBatch fetches a single batch: how many come depends on where segments end, of which
// compaction makes fewer.
func oneBatch(t play.Topic, offset int64) *kmsg.FetchRequest {
	req := fetchFrom(t, 0, offset)
	req.Topics[0].Partitions[0].PartitionMaxBytes, req.MaxBytes = 1, 1
	return req
}

func compactedPlaces(p *play.Play) {
	t := holed(p, "compact")
	for v := Version(1); v <= 10; v++ {
		everyPlace(p, v, "compacted", t)
	}
	for round := range int64(8) {
		for _, after := range []int64{-1, 0, 1, 2, 3} {
			for _, v := range []Version{1, 2, 3, 4, 10} {
				p.Ask("compacted, by time", v, offsetAt(t, 0, longAgo+round*roundTime+after))
			}
		}
	}
	for offset := range int64(16) {
		for _, v := range []Version{4, 11, 12, 13, 18} {
			p.Ask("compacted", v, oneBatch(t, offset))
		}
	}
	for v := Version(2); v <= 4; v++ {
		for _, epoch := range []int32{-1, 0, 1} {
			p.Ask("compacted", v, epochEnd(t, 0, -1, epoch))
		}
	}
	for v := Version(0); v <= 2; v++ {
		p.Ask("compacted", v, deleteBefore(t, 0, 3))
		p.Ask("compacted, all", v, deleteBefore(t, 0, -1))
	}
	id := p.Ask("open", 12, session(0, 0, oneBatch(t, 0).Topics...)).(*kmsg.FetchResponse).SessionID
	p.Ask("session into a hole", 12, session(id, 1, oneBatch(t, 3).Topics...))
	p.Ask("session", 12, session(id, 2))
	put(p, t, 0, keys(7, "z"))
	compactedTo(p, t, 0, 5, 7, 8, 11, 12, 13, 14)
	put(p, t, 0, keys(8, "y"))
	compactedTo(p, t, 0, 5, 7, 8, 11, 12, 14, 15)
	p.Ask("compacted again", 12, oneBatch(t, 12))
	everyPlace(p, 10, "compacted again", t)
}

// compactedDelete deletes up to offsets whose records are gone.
func compactedDelete(p *play.Play) {
	for v := Version(0); v <= 2; v++ {
		t := holed(p, "compact,delete")
		for _, offset := range []int64{0, 1, 2, 3, 4, 6, 9, 13, 14, 15, -1} {
			p.Ask("delete", v, deleteBefore(t, 0, offset))
			p.Ask("start", 10, offsetAt(t, 0, -2))
			if offset <= 12 { // else Kafka finds none, until it has deleted the segment
				p.Ask("first time", 10, offsetAt(t, 0, longAgo))
			}
			start := startOf(p, t)
			p.Ask("from the start", 12, oneBatch(t, start))
			p.Ask("before the start", 12, oneBatch(t, start-1))
			p.Ask("end", 4, epochEnd(t, 0, -1, 0))
		}
	}
	t := holed(p, "compact,delete")
	p.Ask("into a hole", 2, deleteBefore(t, 0, 4))
	p.Restart(play.Stop)
	everyPlace(p, 10, "after a restart", t)
	p.Ask("after a restart", 12, oneBatch(t, 4))
	p.Ask("before the start after a restart", 12, oneBatch(t, 3))
}

func tombstones(p *play.Play) {
	kept := compactable(p, "compact", "delete.retention.ms", "3600000")
	gone := compactable(p, "compact", "delete.retention.ms", "0")
	for _, t := range []play.Topic{kept, gone} {
		put(p, t, 0, keys(0, "a", "b"))
		put(p, t, 0, tombstone(1, "a"))
		put(p, t, 0, keys(2, "c"))
		put(p, t, 0, keys(3, "z"))
	}
	compactedTo(p, kept, 1, 2, 3, 4)
	p.Ask("kept", 12, oneBatch(kept, 0))
	p.Ask("kept, itself", 12, oneBatch(kept, 2))
	everyPlace(p, 10, "kept", kept)
	p.Ask("kept, by time", 10, offsetAt(kept, 0, longAgo+roundTime))
	p.Until("the deleted record is gone", func() bool { return !slices.Contains(remaining(p, gone), 0) })
	put(p, gone, 0, keys(4, "z"))
	compactedTo(p, gone, 1, 3, 4, 5)
	p.Ask("gone", 12, oneBatch(gone, 0))
	p.Ask("gone, itself", 12, oneBatch(gone, 2))
	everyPlace(p, 10, "gone", gone)
	p.Ask("gone, by time", 10, offsetAt(gone, 0, longAgo+roundTime))
	p.Ask("gone", 4, epochEnd(gone, 0, -1, 0))
}

// compactedProducers has producers whose last records are gone.
func compactedProducers(p *play.Play) {
	a := appender{p, compactable(p, "compact"), producer(p)}
	other := producer(p)
	now := time.Now().UnixMilli()
	today := func(b batch) batch { // lest the producers expire over a restart
		b.first += now - longAgo
		return b
	}
	put(p, a.topic, 0, today(keys(0, "a", "b").from(a.id, 0, 0)))
	put(p, a.topic, 0, today(keys(1, "a").from(other, 2, 0)))
	put(p, a.topic, 0, today(keys(2, "a", "b")))
	put(p, a.topic, 0, today(keys(3, "z")))
	compactedTo(p, a.topic, 3, 4, 5)
	ask := func(note string, b batch) { p.Ask(note, 13, produceTo(13, a.topic, 0, today(b).encode())) }
	look := func(note string) {
		for offset := range int64(4) {
			p.Ask(note, 12, oneBatch(a.topic, offset))
		}
		everyPlace(p, 10, note, a.topic)
		p.Ask(note+", by time", 10, offsetAt(a.topic, 0, now+roundTime))
		ask(note+", duplicate", keys(0, "a", "b").from(a.id, 0, 0))
		ask(note+", other's duplicate", keys(1, "a").from(other, 2, 0))
		ask(note+", gap", keys(6, "a").from(a.id, 0, 5))
		ask(note+", other's old epoch", keys(6, "a").from(other, 1, 1))
	}
	look("before a restart")
	for _, how := range []play.Ending{play.Stop, play.Kill} {
		p.Restart(how)
		look("after a restart")
	}
	ask("next", keys(4, "y").from(a.id, 0, 2))
	ask("other's next", keys(5, "y").from(other, 2, 1))
	ask("end", keys(6, "z"))
	compactedTo(p, a.topic, 3, 4, 5, 7, 8)
	look("compacted again")
}

// compactedEpochs has leader epochs whose records are gone.
func compactedEpochs(p *play.Play) {
	t := compactable(p, "compact")
	epochs := []int32{-1, leader(p, t)}
	put(p, t, 0, keys(0, "a", "b"))
	p.Restart(play.Kill)
	epochs = append(epochs, leader(p, t))
	put(p, t, 0, keys(1, "a", "c"))
	p.Restart(play.Kill)
	epochs = append(epochs, leader(p, t))
	put(p, t, 0, keys(2, "a", "b", "c"))
	put(p, t, 0, keys(3, "z"))
	compactedTo(p, t, 4, 5, 6, 7)
	look := func(note string) {
		now := leader(p, t)
		p.Ask(note, 12, oneBatch(t, 0))
		everyPlace(p, 10, note, t)
		for _, epoch := range append(epochs, now+1) {
			p.Ask(note, 4, epochEnd(t, 0, now, epoch))
			p.Ask(note, 12, fetchedIn(t, 4, now, epoch))
		}
	}
	look("compacted")
	p.Restart(play.Stop)
	look("after a restart")
}
