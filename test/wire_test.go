package test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wire is a connection for requests of any version, each answered before the next.
type wire struct {
	t    testing.TB
	conn net.Conn
	next int32 // correlation id
}

// dial connects to the broker.
func dial(t testing.TB, addr string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &wire{t: t, conn: conn}
}

// errClosed: the server has closed the connection instead of answering.
var errClosed = errors.New("connection closed")

// send writes a request and returns its correlation id.
func (w *wire) send(req kmsg.Request) (int32, error) {
	w.next++
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, w.next)
	_, err := w.conn.Write(frame)
	return w.next, err
}

// receive reads one answer and returns its correlation id and what follows.
func (w *wire) receive() (int32, []byte, error) {
	w.conn.SetReadDeadline(time.Now().Add(patience))
	var head [8]byte
	if _, err := io.ReadFull(w.conn, head[:]); err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return 0, nil, err
		}
		return 0, nil, errClosed
	}
	size := int32(binary.BigEndian.Uint32(head[:]))
	if size < 4 || size > 256<<20 {
		return 0, nil, fmt.Errorf("answer of %d bytes", size)
	}
	body := make([]byte, size-4)
	_, err := io.ReadFull(w.conn, body)
	return int32(binary.BigEndian.Uint32(head[4:])), body, err
}

// try sends a request and decodes the answer into resp. The answer has to decode
// to the last byte: it is encoded again and compared.
func (w *wire) try(req kmsg.Request, resp kmsg.Response) error {
	id, err := w.send(req)
	if err != nil {
		return err
	}
	got, body, err := w.receive()
	if err != nil {
		return err
	}
	if got != id {
		return fmt.Errorf("answer has correlation id %d, want %d", got, id)
	}
	if resp.IsFlexible() && resp.Key() != apiVersionsKey {
		if len(body) == 0 || body[0] != 0 {
			return errors.New("flexible answer without an empty tag section in its header")
		}
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		return fmt.Errorf("decode %x: %w", body[:min(len(body), 256)], err)
	}
	if again := resp.AppendTo(nil); !bytes.Equal(again, body) {
		return fmt.Errorf("answer %x is %x when encoded again", body[:min(len(body), 256)], again[:min(len(again), 256)])
	}
	return nil
}

const apiVersionsKey = 18

// ask sends a request of a version and returns the answer.
func ask[S kmsg.Response](w *wire, version int16, req kmsg.Request) S {
	w.t.Helper()
	req.SetVersion(version)
	resp := req.ResponseKind()
	if err := w.try(req, resp); err != nil {
		w.t.Fatalf("%s version %d: %v", kmsg.NameForKey(req.Key()), version, err)
	}
	return resp.(S)
}

// wantClosed demands that the server closes the connection after a request.
func (w *wire) wantClosed(req kmsg.Request, version int16) {
	w.t.Helper()
	req.SetVersion(version)
	if err := w.try(req, req.ResponseKind()); err != errClosed {
		w.t.Errorf("%s version %d: got %v, want the connection closed", kmsg.NameForKey(req.Key()), version, err)
	}
}

// rec is a record to be sent; a nil key or value is null.
type rec struct {
	key, value []byte
	timestamp  int64 // ms
}

// batchOf describes a record batch.
type batchOf struct {
	records  []rec
	producer int64 // -1: none
	epoch    int16
	sequence int32
	codec    kgo.CompressionCodec // zero: none
}

// plain is a batch of records with a value each and no producer.
func plain(values ...string) batchOf {
	b := batchOf{producer: -1, epoch: -1, sequence: -1}
	for _, v := range values {
		b.records = append(b.records, rec{value: []byte(v), timestamp: time.Now().UnixMilli()})
	}
	return b
}

// from makes b a batch of an idempotent producer.
func (b batchOf) from(producer int64, epoch int16, sequence int32) batchOf {
	b.producer, b.epoch, b.sequence = producer, epoch, sequence
	return b
}

// encode returns the batch as it is sent, with base offset 0.
func (b batchOf) encode(t testing.TB) []byte {
	t.Helper()
	var records []byte
	first, last := b.records[0].timestamp, b.records[0].timestamp
	for i, r := range b.records {
		last = max(last, r.timestamp)
		k := kmsg.Record{TimestampDelta64: r.timestamp - first, OffsetDelta: int32(i), Key: r.key, Value: r.value}
		k.Length = int32(len(k.AppendTo(nil)) - 1) // a length of 0 takes one byte
		records = k.AppendTo(records)
	}
	var attributes int16
	if b.codec != (kgo.CompressionCodec{}) {
		c, err := kgo.DefaultCompressor(b.codec)
		if err != nil {
			t.Fatal(err)
		}
		out, codec := c.Compress(new(bytes.Buffer), records)
		records, attributes = bytes.Clone(out), int16(codec)
	}
	k := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: attributes, LastOffsetDelta: int32(len(b.records) - 1),
		FirstTimestamp: first, MaxTimestamp: last, ProducerID: b.producer, ProducerEpoch: b.epoch,
		FirstSequence: b.sequence, NumRecords: int32(len(b.records)), Records: records,
	}
	return seal(k.AppendTo(nil))
}

// Places in a record batch.
const (
	lengthAt = 8  // of all that follows
	magicAt  = 16 // after the leader epoch
	crcAt    = 17 // of all that follows
)

// seal sets the length and the checksum of an encoded batch.
func seal(b []byte) []byte {
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-lengthAt-4))
	binary.BigEndian.PutUint32(b[crcAt:], crc32.Checksum(b[crcAt+4:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// produceVersion is the last that names topics.
const produceVersion = 12

func produceRequest(topic string, partition int32, acks int16, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = acks, 30_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// produce sends one batch with acks=all and returns the result.
func (w *wire) produce(topic string, partition int32, records []byte) kmsg.ProduceResponseTopicPartition {
	w.t.Helper()
	return w.produceAcks(topic, partition, -1, records)
}

func (w *wire) produceAcks(topic string, partition int32, acks int16, records []byte) kmsg.ProduceResponseTopicPartition {
	w.t.Helper()
	resp := ask[*kmsg.ProduceResponse](w, produceVersion, produceRequest(topic, partition, acks, records))
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		w.t.Fatalf("one batch sent, got results %+v", resp.Topics)
	}
	return resp.Topics[0].Partitions[0]
}

// mustProduce sends one batch and returns its base offset.
func (w *wire) mustProduce(topic string, partition int32, b batchOf) int64 {
	w.t.Helper()
	p := w.produce(topic, partition, b.encode(w.t))
	if p.ErrorCode != 0 {
		w.t.Fatalf("produce to %s-%d: error %d, %v", topic, partition, p.ErrorCode, p.ErrorMessage)
	}
	return p.BaseOffset
}

// fetchVersion is the last that names topics.
const fetchVersion = 12

// fetchRequest asks for one partition without a session.
func fetchRequest(topic string, partition int32, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MinBytes, req.MaxBytes, req.SessionEpoch = -1, 1, 64<<20, -1
	req.Topics = []kmsg.FetchRequestTopic{fetchTopic(topic, partition, offset)}
	return req
}

func fetchTopic(topic string, partition int32, offset int64) kmsg.FetchRequestTopic {
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 64<<20
	t.Partitions = append(t.Partitions, p)
	return t
}

// fetch sends a request for one partition and returns its result.
func (w *wire) fetch(req *kmsg.FetchRequest) kmsg.FetchResponseTopicPartition {
	w.t.Helper()
	resp := ask[*kmsg.FetchResponse](w, fetchVersion, req)
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		w.t.Fatalf("one partition asked for, got error %d, %+v", resp.ErrorCode, resp.Topics)
	}
	return resp.Topics[0].Partitions[0]
}

// heads decodes the batches of a fetch answer; none may be cut.
func heads(t testing.TB, records []byte) []kmsg.RecordBatch {
	t.Helper()
	var all []kmsg.RecordBatch
	for len(records) > 0 {
		if len(records) < lengthAt+4 {
			t.Fatalf("%d bytes are no batch", len(records))
		}
		size := lengthAt + 4 + int(binary.BigEndian.Uint32(records[lengthAt:]))
		if size > len(records) {
			t.Fatalf("batch of %d bytes is cut after %d", size, len(records))
		}
		var b kmsg.RecordBatch
		if err := b.ReadFrom(records[:size]); err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
		records = records[size:]
	}
	return all
}
