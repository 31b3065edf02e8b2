package catalogue

import (
	"bytes"
	"encoding/binary"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/test/reference/play"
)

func produce() []play.Case {
	return []play.Case{
		{Name: "produce/acks", Run: produceAcks},
		{Name: "produce/targets", Run: produceTargets},
		{Name: "produce/batches", Run: produceBatches},
		{Name: "produce/twice", Run: produceTwice},
		{Name: "produce/limits", Run: produceLimits},
		{Name: "produce/times", Run: produceTimes},
		{Name: "produce/compacted", Run: produceCompacted},
		{Name: "produce/codecs", Run: produceCodecs},
		{Name: "produce/recompressed", Run: produceRecompressed},
		{Name: "produce/transactional", Run: produceTransactional},
		{Name: "idempotence/sequences", Run: sequences},
		{Name: "idempotence/window", Run: sequenceWindow},
		{Name: "idempotence/epochs", Run: producerEpochs},
		{Name: "idempotence/start", Run: firstSequences},
		{Name: "idempotence/wrap", Run: sequenceWrap},
		{Name: "idempotence/ids", Run: producerIDs},
	}
}

func produceAcks(p *play.Play) {
	t := p.Topic(1)
	for v := Version(3); v <= 13; v++ {
		for _, acks := range []int16{1, 2, -2} {
			req := produceTo(v, t, 0, values(1).encode())
			req.Acks = acks
			p.Ask(map[int16]string{1: "leader", 2: "two", -2: "less than none"}[acks], v, req)
		}
		req := produceTo(v, t, 0, values(1).encode())
		req.Acks = 0
		p.Client("").SendUnanswered(v, req)
		p.Ask("after one that is not answered", v, produceTo(v, t, 0, values(1).encode()))
	}
	for v := Version(3); v <= 13; v++ {
		req := produceTo(v, play.Topic{Name: "no-such", ID: [16]byte{9, 9}}, 0, values(1).encode())
		req.Acks = 0
		p.Client("").SendUnanswered(v, req)
		p.Ask("after a failed one that is not answered", v, produceTo(v, t, 0, values(1).encode()))
	}
}

// produceTargets asks for several partitions at once, some of them wrong.
func produceTargets(p *play.Play) {
	t, other := p.Topic(2), p.Topic(1)
	for v := Version(3); v <= 13; v++ {
		req := produceTo(v, t, 0, values(2).encode())
		add := func(to *kmsg.ProduceRequestTopic, partition int32) {
			q := kmsg.NewProduceRequestTopicPartition()
			q.Partition, q.Records = partition, values(1).encode()
			to.Partitions = append(to.Partitions, q)
		}
		add(&req.Topics[0], 1)
		add(&req.Topics[0], 2)
		add(&req.Topics[0], -1)
		req.Topics = append(req.Topics, produceTo(v, other, 0, values(3).encode()).Topics...)
		req.Topics = append(req.Topics, produceTo(v, play.Topic{Name: p.Name("none"), ID: [16]byte{1, 2, 3}}, 0, values(1).encode()).Topics...)
		p.Ask("", v, req)
	}
	req := produceTo(9, t, 0, values(1).encode())
	req.Topics = nil
	p.Ask("nothing", 9, req)
}

// crooked batches are wrong in one place each; those that keep their seal have a
// checksum that does not fit.
var crooked = []struct {
	name  string
	bend  func(k *kmsg.RecordBatch)
	after func(b []byte) []byte
}{
	{"checksum", nil, func(b []byte) []byte { b[17]++; return b }},
	{"record flipped", nil, func(b []byte) []byte { b[len(b)-2]++; return b }},
	{"magic 0", func(k *kmsg.RecordBatch) { k.Magic = 0 }, nil},
	{"magic 1", func(k *kmsg.RecordBatch) { k.Magic = 1 }, nil},
	{"magic 3", func(k *kmsg.RecordBatch) { k.Magic = 3 }, nil},
	{"count too high", func(k *kmsg.RecordBatch) { k.NumRecords++ }, nil},
	{"count too low", func(k *kmsg.RecordBatch) { k.NumRecords-- }, nil},
	{"count zero", func(k *kmsg.RecordBatch) { k.NumRecords = 0 }, nil},
	{"count negative", func(k *kmsg.RecordBatch) { k.NumRecords = -1 }, nil},
	{"last delta too high", func(k *kmsg.RecordBatch) { k.LastOffsetDelta++ }, nil},
	{"last delta too low", func(k *kmsg.RecordBatch) { k.LastOffsetDelta-- }, nil},
	{"last delta negative", func(k *kmsg.RecordBatch) { k.LastOffsetDelta = -1 }, nil},
	{"base offset", func(k *kmsg.RecordBatch) { k.FirstOffset = 77 }, nil},
	{"leader epoch", func(k *kmsg.RecordBatch) { k.PartitionLeaderEpoch = 12 }, nil},
	{"control", func(k *kmsg.RecordBatch) { k.Attributes = 1 << 5 }, nil},
	{"unused attributes", func(k *kmsg.RecordBatch) { k.Attributes = 1 << 9 }, nil},
	{"delete horizon", func(k *kmsg.RecordBatch) { k.Attributes = 1 << 6 }, nil},
	{"append time", func(k *kmsg.RecordBatch) { k.Attributes = 1 << 3 }, nil},
	{"codec 5", func(k *kmsg.RecordBatch) { k.Attributes = 5 }, nil},
	{"codec 7", func(k *kmsg.RecordBatch) { k.Attributes = 7 }, nil},
	{"gzip that is none", func(k *kmsg.RecordBatch) { k.Attributes = 1 }, nil},
	{"cut", nil, func(b []byte) []byte { return b[:len(b)-1] }},
	{"cut in the head", nil, func(b []byte) []byte { return b[:40] }},
	{"trailing byte", nil, func(b []byte) []byte { return append(b, 0) }},
	{"two batches", nil, func(b []byte) []byte { return append(b, b...) }},
	{"length negative", nil, func(b []byte) []byte { binary.BigEndian.PutUint32(b[8:], 1<<31); return b }},
	{"length too low", nil, func(b []byte) []byte { binary.BigEndian.PutUint32(b[8:], 40); return b }},
	{"length too high", nil, func(b []byte) []byte { binary.BigEndian.PutUint32(b[8:], uint32(len(b))); return b }},
	{"producer without epoch", func(k *kmsg.RecordBatch) { k.ProducerID = 5 }, nil},
	{"producer without sequence", func(k *kmsg.RecordBatch) { k.ProducerID, k.ProducerEpoch = 5, 0 }, nil},
	{"sequence without producer", func(k *kmsg.RecordBatch) { k.FirstSequence = 0 }, nil},
	{"records cut", func(k *kmsg.RecordBatch) { k.Records = k.Records[:len(k.Records)-1] }, nil},
	{"records with more", func(k *kmsg.RecordBatch) { k.Records = append(k.Records, 0) }, nil},
	{"no records", func(k *kmsg.RecordBatch) { k.Records = nil }, nil},
}

func produceBatches(p *play.Play) {
	for _, c := range crooked {
		t := p.Topic(1)
		k := values(3).head()
		if c.bend != nil {
			c.bend(&k)
		}
		b := seal(k)
		if c.after != nil {
			b = c.after(b)
		}
		for _, v := range []Version{3, 9, 13} {
			p.Ask(c.name, v, produceTo(v, t, 0, bytes.Clone(b)))
		}
		p.Ask(c.name+", fetched", 12, fetchFrom(t, 0, 0))
	}
}

// produceTwice names a topic or a partition twice.
func produceTwice(p *play.Play) {
	t := p.Topic(1)
	for _, v := range []Version{3, 9, 13} {
		req := produceTo(v, t, 0, values(1).encode())
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, req.Topics[0].Partitions[0])
		p.Ask("partition", v, req)
		req = produceTo(v, t, 0, values(1).encode())
		req.Topics = append(req.Topics, req.Topics[0])
		p.Ask("topic", v, req)
	}
}

func produceLimits(p *play.Play) {
	t := p.Topic(1, "max.message.bytes", "200")
	for v := Version(3); v <= 13; v++ {
		p.Ask("small enough", v, produceTo(v, t, 0, values(1).encode()))
		p.Ask("too large", v, produceTo(v, t, 0, values(50).encode()))
	}
	small, large := p.Topic(1, "segment.bytes", "1048576", "max.message.bytes", "3000000"), values(1)
	large.records[0].Value = make([]byte, 1<<20)
	many := p.Topic(1, "min.insync.replicas", "2")
	for _, v := range []Version{3, 9, 13} {
		p.Ask("larger than a segment", v, produceTo(v, small, 0, large.encode()))
		p.Ask("fewer replicas than are to be in sync", v, produceTo(v, many, 0, values(1).encode()))
	}
	exact := p.Topic(1, "max.message.bytes", "79")
	p.Ask("to the byte", 9, produceTo(9, exact, 0, values(1).encode()))
	long := values(1)
	long.records[0].Value = []byte(strings.Repeat("v", 8))
	p.Ask("one byte more", 9, produceTo(9, exact, 0, long.encode()))
}

func produceTimes(p *play.Play) {
	hour := time.Hour.Milliseconds()
	b := values(2)
	b.first = time.Now().UnixMilli() + 3*hour
	future := b.encode()
	b.first = time.Now().UnixMilli()
	present := b.encode()
	usual, before, stamped := p.Topic(1), p.Topic(1, "message.timestamp.before.max.ms", "3600000"), p.Topic(1, "message.timestamp.type", "LogAppendTime")
	after := p.Topic(1, "message.timestamp.after.max.ms", "36000000")
	for v := Version(3); v <= 13; v++ {
		p.Ask("future", v, produceTo(v, usual, 0, future))
		p.Ask("past", v, produceTo(v, usual, 0, values(2).encode()))
		p.Ask("past refused", v, produceTo(v, before, 0, values(2).encode()))
		p.Ask("present", v, produceTo(v, before, 0, present))
		p.Ask("future allowed", v, produceTo(v, after, 0, future))
		p.Ask("stamped", v, produceTo(v, stamped, 0, values(2).encode()))
	}
	negative := values(1)
	negative.first = -1
	p.Ask("no time", 9, produceTo(9, usual, 0, negative.encode()))
	negative.first = -5
	p.Ask("negative", 9, produceTo(9, usual, 0, negative.encode()))
	falling := values(3)
	falling.step = -5
	p.Ask("falling", 9, produceTo(9, usual, 0, falling.encode()))
	p.Ask("fetched", 12, fetchFrom(usual, 0, 22))
	p.Ask("stamped, fetched", 12, fetchFrom(stamped, 0, 18))
}

func produceCompacted(p *play.Play) {
	t := p.Topic(1, "cleanup.policy", "compact")
	both := p.Topic(1, "cleanup.policy", "compact,delete")
	mixed := keyed(4)
	mixed.records[1].Key, mixed.records[3].Key = nil, nil
	tombstone := keyed(1)
	tombstone.records[0].Value = nil
	for v := Version(3); v <= 13; v++ {
		p.Ask("keys", v, produceTo(v, t, 0, keyed(2).encode()))
		p.Ask("no keys", v, produceTo(v, t, 0, values(2).encode()))
		p.Ask("some keys", v, produceTo(v, both, 0, mixed.encode()))
		p.Ask("tombstone", v, produceTo(v, t, 0, tombstone.encode()))
	}
	p.Ask("fetched", 12, fetchFrom(t, 0, 0))
}

// compressed is the batch by a codec.
func (b batch) compressed(p *play.Play, codec kgo.CompressionCodec) batch {
	c, err := kgo.DefaultCompressor(codec)
	if err != nil {
		p.Fail("%w", err)
	}
	b.squeeze = func(records []byte) ([]byte, int16) {
		out, kind := c.Compress(new(bytes.Buffer), records)
		return bytes.Clone(out), int16(kind)
	}
	return b
}

// codecs are all that there are.
func codecs() map[string]kgo.CompressionCodec {
	return map[string]kgo.CompressionCodec{
		"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
}

var codecNames = []string{"gzip", "snappy", "lz4", "zstd"}

func produceCodecs(p *play.Play) {
	t := p.Topic(1)
	for _, name := range codecNames {
		for v := Version(3); v <= 13; v++ {
			p.Ask(name, v, produceTo(v, t, 0, values(20).compressed(p, codecs()[name]).encode()))
		}
	}
	for v := Version(4); v <= 18; v++ {
		p.Ask("all", v, fetchFrom(t, 0, 0))
		p.Ask("from zstd", v, fetchFrom(t, 0, 700))
	}
}

func produceRecompressed(p *play.Play) {
	for _, want := range append([]string{"uncompressed"}, codecNames...) {
		t := p.Topic(1, "compression.type", want)
		p.Ask(want+" from none", 9, produceTo(9, t, 0, values(20).encode()))
		for _, name := range codecNames {
			p.Ask(want+" from "+name, 9, produceTo(9, t, 0, values(20).compressed(p, codecs()[name]).encode()))
		}
		p.Ask(want+", fetched", 12, fetchFrom(t, 0, 0))
		p.Ask(want+", latest time", 7, offsetAt(t, 0, -3))
	}
}

// produceTransactional has transactional batches of no transaction.
func produceTransactional(p *play.Play) {
	t := p.Topic(1)
	b := values(1).from(7, 0, 0)
	b.attributes = 1 << 4
	for v := Version(3); v <= 13; v++ {
		p.Ask("without an id", v, produceTo(v, t, 0, b.encode()))
	}
}
