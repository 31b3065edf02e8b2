package server

import (
	"bytes"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sordini/protocol/batch"
	"sordini/server/partition"
)

// What the clients of the simulation were told, and what must be there therefore.

const (
	payment, trivial = "PAYMENT", "LOG" // kinds of records
	tableTopic       = "table"
)

// simRecord is a record that was read.
type simRecord struct {
	offset     int64
	key, value string
}

// contents reads all records below the high watermark.
func contents(p *partition.Partition) (all []simRecord, end int64, err error) {
	o, err := p.Offsets()
	if err != nil {
		return nil, 0, err
	}
	for offset := o.Start; offset < o.High.Offset; {
		r, _, err := p.Read(offset, 3000, true)
		if err != nil {
			return nil, 0, err
		}
		b := make([]byte, r.Len())
		_, err = r.ReadAt(b, 0)
		r.Release()
		if err == nil && len(b) == 0 && len(all) > 0 {
			break // compaction has left nothing behind it
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read %d: %w", offset, err)
		}
		for len(b) > 0 {
			var first []byte
			if first, b, err = batch.Split(b); err != nil {
				return nil, 0, err
			}
			h, err := batch.ParseHeader(first)
			if err != nil || h.LastOffset() < offset {
				return nil, 0, fmt.Errorf("read %d: batch at %d, %w", offset, h.BaseOffset, err)
			}
			for rec, err := range batch.Records(first, batch.Limits{}) {
				if err != nil {
					return nil, 0, fmt.Errorf("batch at %d: %w", h.BaseOffset, err)
				}
				all = append(all, simRecord{rec.Offset, string(rec.Key), string(rec.Value)})
			}
			offset = h.LastOffset() + 1
		}
	}
	return all, o.High.Offset, nil
}

// compare looks for everything that was promised.
func (s *sim) compare() error {
	for _, l := range s.logs {
		if err := l.compare(s); err != nil {
			return err
		}
	}
	if err := s.table.compare(s); err != nil {
		return err
	}
	for _, o := range s.offsets {
		if err := o.compare(s); err != nil {
			return err
		}
	}
	return nil
}

// newValue makes a value that is not there yet.
func (s *sim) newValue() string {
	s.values++
	return fmt.Sprintf("%d %s", s.values, bytes.Repeat([]byte{'x'}, s.rng.IntN(200)))
}

// send produces one batch to a partition. The error is the power cut, or wrong.
func (s *sim) send(topic string, index int32, acks int16, b *batch.Builder) (kmsg.ProduceResponseTopicPartition, error) {
	raw, err := b.Bytes()
	if err != nil {
		return kmsg.ProduceResponseTopicPartition{}, wrong("batch: %v", err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = acks, 60_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	t.Partitions = append(t.Partitions, kmsg.ProduceRequestTopicPartition{Partition: index, Records: raw})
	req.Topics = append(req.Topics, t)
	resp, err := s.ask(9, req)
	if err != nil {
		return kmsg.ProduceResponseTopicPartition{}, err
	}
	return resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0], nil
}

// simLog is a partition that idempotent producers write to.
type simLog struct {
	topic   string
	index   int32
	written map[int64]string // values by offset
	acked   int64            // below it nothing may be lost
	told    int64            // below it everything was answered or served

	producer *batch.Producer
	unsure   *simBatch // sent and not answered; it is sent again
	lost     bool      // of what this producer was told, something was rightly lost
}

type simBatch struct {
	values []string
	kinds  []string
	codec  batch.Codec
}

func newSimLog(topic string, index int32) *simLog {
	return &simLog{topic: topic, index: index, written: map[int64]string{}}
}

func (l *simLog) important(b *simBatch) bool {
	if l.topic != "mixed" {
		return true
	}
	for _, kind := range b.kinds {
		if kind == payment {
			return true
		}
	}
	return false
}

func (l *simLog) newBatch(s *sim) *simBatch {
	b := &simBatch{}
	if s.rng.IntN(4) == 0 {
		b.codec = batch.CodecSnappy
	}
	kind := []string{payment, trivial}[s.rng.IntN(2)]
	for range 1 + s.rng.IntN(3) {
		b.values, b.kinds = append(b.values, s.newValue()), append(b.kinds, kind)
	}
	if s.rng.IntN(4) == 0 {
		b.kinds[s.rng.IntN(len(b.kinds))] = payment
	}
	return b
}

func (l *simLog) produce(s *sim) error {
	if l.producer == nil {
		if err := l.newProducer(s); err != nil {
			return err
		}
	}
	b := l.unsure
	if b == nil {
		b = l.newBatch(s)
	}
	producer := *l.producer
	builder := batch.Builder{Producer: &producer, Codec: b.codec}
	for i, value := range b.values {
		builder.Add(time.Now().UnixMilli(), nil, []byte(value), batch.RecordHeader{Key: "type", Value: []byte(b.kinds[i])})
	}
	resent := l.unsure != nil
	if resent {
		s.done["again"]++
	}
	l.unsure = b
	acks := []int16{-1, -1, -1, 1}[s.rng.IntN(4)]
	got, err := s.send(l.topic, l.index, acks, &builder)
	if err != nil {
		return err
	}
	s.note("%s-%d: %v, sequence %d, again %v, acks %d: %d at %d", l.topic, l.index, b.kinds, producer.Sequence, resent, acks, got.ErrorCode, got.BaseOffset)
	if got.ErrorCode == kerr.OutOfOrderSequenceNumber.Code && l.lost {
		l.producer, l.unsure, l.lost = nil, nil, false // as clients do
		return nil
	}
	if err := s.check("produce", got.ErrorCode); err != nil {
		return err
	}
	return l.answered(s, b, got.BaseOffset, acks)
}

func (l *simLog) newProducer(s *sim) error {
	resp, err := s.ask(4, kmsg.NewPtrInitProducerIDRequest())
	if err != nil {
		return err
	}
	id := resp.(*kmsg.InitProducerIDResponse)
	if err := s.check("InitProducerId", id.ErrorCode); err != nil {
		return err
	}
	if s.producers[id.ProducerID] {
		return wrong("producer id %d was handed out before", id.ProducerID)
	}
	s.producers[id.ProducerID] = true
	l.producer = &batch.Producer{ID: id.ProducerID, Epoch: id.ProducerEpoch}
	return nil
}

func (l *simLog) answered(s *sim, b *simBatch, base int64, acks int16) error {
	for i, value := range b.values {
		offset := base + int64(i)
		have, ok := l.written[offset]
		if ok && have != value || !ok && offset < l.told {
			return wrong("%s-%d: %.8q is said to be at %d, where %.8q is", l.topic, l.index, value, offset, have)
		}
		l.written[offset] = value
	}
	next := base + int64(len(b.values))
	l.told = max(l.told, next)
	if acks == -1 && l.important(b) {
		l.acked = max(l.acked, next)
	}
	l.producer.Sequence += int32(len(b.values))
	s.done["batches"]++
	l.unsure = nil
	return nil
}

func (l *simLog) compare(s *sim) error {
	where := fmt.Sprintf("%s-%d", l.topic, l.index)
	all, end, err := contents(s.set.Get(l.topic, l.index))
	if err != nil {
		return s.orCut(where, err)
	}
	if end < l.acked {
		return wrong("%s ends at %d, %d was acknowledged", where, end, l.acked)
	}
	seen := map[string]bool{}
	unsure := 0
	for i, rec := range all {
		if rec.offset != int64(i) || seen[rec.value] {
			return wrong("%s: %.8q at %d, want offset %d; seen before: %v", where, rec.value, rec.offset, i, seen[rec.value])
		}
		seen[rec.value] = true
		want, ok := l.written[rec.offset]
		if !ok && l.unsure != nil && unsure < len(l.unsure.values) {
			want = l.unsure.values[unsure]
			unsure++
		}
		if rec.value != want {
			return wrong("%s: %.8q at %d, want %.8q", where, rec.value, rec.offset, want)
		}
		l.written[rec.offset] = rec.value
	}
	if int64(len(all)) != end || l.unsure != nil && unsure%len(l.unsure.values) != 0 {
		return wrong("%s: %d records, end %d, %d of a batch", where, len(all), end, unsure)
	}
	for offset := range l.written {
		if offset >= end {
			delete(l.written, offset)
			l.lost = true
			s.done["rightly lost"]++
		}
	}
	l.acked, l.told = end, end // what was served stays
	return nil
}

// simTable is a partition that is compacted.
type simTable struct {
	sent     map[string]string // keys by value, of all that was sent
	answered map[string]int64  // offsets by value
	acked    map[string]int64  // offset that the newest record of a key has at least
	end      int64
}

func (t *simTable) put(s *sim) error {
	builder := batch.Builder{}
	var keys, values []string
	for range 1 + s.rng.IntN(3) {
		key, value := fmt.Sprintf("k%d", s.rng.IntN(8)), s.newValue()
		builder.Add(time.Now().UnixMilli(), []byte(key), []byte(value))
		keys, values = append(keys, key), append(values, value)
		t.sent[value] = key
	}
	got, err := s.send(tableTopic, 0, -1, &builder)
	if err != nil {
		return err
	}
	s.note("table: %v: %d at %d", keys, got.ErrorCode, got.BaseOffset)
	if err := s.check("put", got.ErrorCode); err != nil {
		return err
	}
	if got.BaseOffset < t.end {
		return wrong("table: offset %d again, %d was the end", got.BaseOffset, t.end)
	}
	for i, key := range keys {
		t.acked[key] = got.BaseOffset + int64(i)
		t.answered[values[i]] = got.BaseOffset + int64(i)
		t.end = got.BaseOffset + int64(i) + 1
	}
	return nil
}

func (t *simTable) compare(s *sim) error {
	all, end, err := contents(s.set.Get(tableTopic, 0))
	if err != nil {
		return s.orCut(tableTopic, err)
	}
	if end < t.end {
		return wrong("table ends at %d, %d was acknowledged", end, t.end)
	}
	newest, seen := map[string]int64{}, map[string]bool{}
	for _, rec := range all {
		key, sent := t.sent[rec.value]
		if at, ok := t.answered[rec.value]; !sent || key != rec.key || ok && at != rec.offset || seen[rec.value] {
			return wrong("table: %s=%.8q at %d; sent for %q, answered %v at %d, seen before %v", rec.key, rec.value, rec.offset, key, ok, at, seen[rec.value])
		}
		seen[rec.value] = true
		t.answered[rec.value] = rec.offset
		newest[rec.key] = rec.offset
	}
	for key, offset := range t.acked {
		if at, ok := newest[key]; !ok || at < offset {
			return wrong("table: the newest record of %s is at %d, want %d or later", key, at, offset)
		}
	}
	t.acked, t.end = newest, end
	return nil
}

// simOffset is an offset that a group commits.
type simOffset struct {
	group     string
	partition int32
	may       map[int64]bool // what it may be; -1 for none
	next      int64
}

func (o *simOffset) commit(s *sim) error {
	if s.rng.IntN(8) == 0 {
		return o.remove(s)
	}
	o.next++
	o.may[o.next] = true
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = o.group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = "mixed"
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = o.partition, o.next
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := s.asked(8, req, func(resp kmsg.Response) int16 {
		return resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
	})
	if err != nil || resp == nil {
		return err
	}
	o.may = map[int64]bool{o.next: true}
	s.done["commits"]++
	return nil
}

func (o *simOffset) remove(s *sim) error {
	o.may[-1] = true
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = o.group
	t := kmsg.NewOffsetDeleteRequestTopic()
	t.Topic = "mixed"
	t.Partitions = append(t.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: o.partition})
	req.Topics = append(req.Topics, t)
	resp, err := s.asked(0, req, func(resp kmsg.Response) int16 {
		r := resp.(*kmsg.OffsetDeleteResponse)
		if r.ErrorCode != 0 {
			return r.ErrorCode
		}
		return r.Topics[0].Partitions[0].ErrorCode
	})
	if err == nil && resp == nil {
		return nil // no such group
	}
	if err == nil {
		o.may = map[int64]bool{-1: true}
	}
	return err
}

func (o *simOffset) compare(s *sim) error {
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = o.group
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.Partitions = "mixed", []int32{o.partition}
	g.Topics = append(g.Topics, t)
	req.Groups = append(req.Groups, g)
	resp, err := s.asked(8, req, func(resp kmsg.Response) int16 {
		return resp.(*kmsg.OffsetFetchResponse).Groups[0].ErrorCode
	})
	if err != nil {
		return err
	}
	answer := resp.(*kmsg.OffsetFetchResponse).Groups[0]
	if len(answer.Topics) != 1 {
		return wrong("OffsetFetch: %+v", answer)
	}
	p := answer.Topics[0].Partitions[0]
	if err := s.check("OffsetFetch", p.ErrorCode); err != nil {
		return err
	}
	if !o.may[p.Offset] {
		return wrong("group %s has committed %d for mixed-%d, want one of %v", o.group, p.Offset, o.partition, o.may)
	}
	o.may = map[int64]bool{p.Offset: true}
	return nil
}

// asked asks the coordinator, again while it loads. No answer and no error: the group
// does not exist.
func (s *sim) asked(version int16, req kmsg.Request, code func(kmsg.Response) int16) (kmsg.Response, error) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Microsecond) {
		resp, err := s.ask(version, req)
		if err != nil {
			return nil, err
		}
		c := code(resp)
		s.note("%T: %d", resp, c)
		switch {
		case c == kerr.GroupIDNotFound.Code:
			return nil, nil
		case c == kerr.CoordinatorLoadInProgress.Code && !s.out() && time.Now().Before(end):
			continue
		}
		return resp, s.check(fmt.Sprintf("%T", resp), c)
	}
}

// simMember is the static member of a group of its own.
type simMember struct {
	group      string
	generation int32 // the last that it was told
}

func (m *simMember) join(s *sim) error {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.InstanceID, req.ProtocolType = m.group, kmsg.StringPtr("instance"), "test"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 600_000, 600_000
	req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: "p", Metadata: []byte{1}})
	resp, err := s.asked(5, req, func(resp kmsg.Response) int16 { return resp.(*kmsg.JoinGroupResponse).ErrorCode })
	if err != nil {
		return err
	}
	joined := resp.(*kmsg.JoinGroupResponse)
	if joined.Generation < m.generation {
		return wrong("group %s: generation %d after %d", m.group, joined.Generation, m.generation)
	}
	m.generation = joined.Generation
	s.done["generations"]++
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.Generation, sync.MemberID, sync.InstanceID = m.group, joined.Generation, joined.MemberID, req.InstanceID
	if joined.LeaderID == joined.MemberID {
		sync.GroupAssignment = append(sync.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: joined.MemberID, MemberAssignment: []byte{2}})
	}
	_, err = s.asked(3, sync, func(resp kmsg.Response) int16 { return resp.(*kmsg.SyncGroupResponse).ErrorCode })
	return err
}
