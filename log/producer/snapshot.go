package producer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sort"
)

// ErrSnapshot: the bytes are not a snapshot that can be trusted.
var ErrSnapshot = errors.New("producer snapshot is damaged")

const (
	kafkaVersion   = 1
	kafkaHeader    = 2 + 4 + 4
	kafkaEntrySize = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8

	fullMagic     = "SPRD"
	fullVersion   = 1
	fullHeader    = 4 + 2 + 4 + 4
	fullEntrySize = 8 + 2 + 4 + 8 + 1
	fullBatchSize = 4 + 4 + 8 + 4 + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s *State) ids() []int64 {
	ids := make([]int64, 0, len(s.entries))
	for id := range s.entries {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	return ids
}

// KafkaSnapshot encodes the state in Kafka's format: one batch of each producer.
func (s *State) KafkaSnapshot() []byte {
	be := binary.BigEndian
	b := make([]byte, 6, kafkaHeader+len(s.entries)*kafkaEntrySize)
	be.PutUint16(b, kafkaVersion)
	b = be.AppendUint32(b, uint32(len(s.entries)))
	for _, id := range s.ids() {
		e := s.entries[id]
		last, ok := e.last()
		if !ok {
			last = Batch{LastSequence: -1, LastOffset: -1, Timestamp: -1}
		}
		b = be.AppendUint64(b, uint64(id))
		b = be.AppendUint16(b, uint16(e.Epoch))
		b = be.AppendUint32(b, uint32(last.LastSequence))
		b = be.AppendUint64(b, uint64(last.LastOffset))
		b = be.AppendUint32(b, uint32(last.OffsetDelta))
		b = be.AppendUint64(b, uint64(last.Timestamp))
		b = be.AppendUint32(b, uint32(e.CoordinatorEpoch))
		b = be.AppendUint64(b, uint64(e.TxnFirstOffset))
	}
	be.PutUint32(b[2:], crc32.Checksum(b[6:], castagnoli))
	return b
}

// ParseKafkaSnapshot is the inverse of KafkaSnapshot.
func ParseKafkaSnapshot(b []byte) (*State, error) {
	be := binary.BigEndian
	if len(b) < kafkaHeader {
		return nil, fmt.Errorf("%w: %d bytes", ErrSnapshot, len(b))
	}
	if v := be.Uint16(b); v != kafkaVersion {
		return nil, fmt.Errorf("%w: version %d", ErrSnapshot, v)
	}
	if crc32.Checksum(b[6:], castagnoli) != be.Uint32(b[2:]) {
		return nil, fmt.Errorf("%w: checksum", ErrSnapshot)
	}
	count := int64(be.Uint32(b[6:]))
	if int64(len(b)-kafkaHeader) != count*kafkaEntrySize {
		return nil, fmt.Errorf("%w: %d bytes for %d producers", ErrSnapshot, len(b), count)
	}
	s := NewState()
	for p := b[kafkaHeader:]; len(p) > 0; p = p[kafkaEntrySize:] {
		e := &Entry{Epoch: int16(be.Uint16(p[8:]))}
		last := Batch{
			LastSequence: int32(be.Uint32(p[10:])), LastOffset: int64(be.Uint64(p[14:])),
			OffsetDelta: int32(be.Uint32(p[22:])), Timestamp: int64(be.Uint64(p[26:])),
		}
		e.CoordinatorEpoch = int32(be.Uint32(p[34:]))
		e.TxnFirstOffset = int64(be.Uint64(p[38:]))
		if last.LastOffset >= 0 {
			last.FirstSequence = back(last.LastSequence, last.OffsetDelta)
			e.push(last)
		}
		s.entries[int64(be.Uint64(p))] = e
	}
	return s, nil
}

// back is the sequence n before seq; sequences wrap at the largest int32.
func back(seq, n int32) int32 {
	if seq >= n {
		return seq - n
	}
	return int32(int64(seq) - int64(n) + 1<<31)
}

// Snapshot encodes the whole state in sordini's own format.
func (s *State) Snapshot() []byte {
	be := binary.BigEndian
	b := make([]byte, 10, fullHeader+len(s.entries)*(fullEntrySize+fullBatchSize))
	copy(b, fullMagic)
	be.PutUint16(b[4:], fullVersion)
	b = be.AppendUint32(b, uint32(len(s.entries)))
	for _, id := range s.ids() {
		e := s.entries[id]
		b = be.AppendUint64(b, uint64(id))
		b = be.AppendUint16(b, uint16(e.Epoch))
		b = be.AppendUint32(b, uint32(e.CoordinatorEpoch))
		b = be.AppendUint64(b, uint64(e.TxnFirstOffset))
		b = append(b, byte(e.count))
		for _, x := range e.Batches() {
			b = be.AppendUint32(b, uint32(x.FirstSequence))
			b = be.AppendUint32(b, uint32(x.LastSequence))
			b = be.AppendUint64(b, uint64(x.LastOffset))
			b = be.AppendUint32(b, uint32(x.OffsetDelta))
			b = be.AppendUint64(b, uint64(x.Timestamp))
		}
	}
	be.PutUint32(b[6:], crc32.Checksum(b[10:], castagnoli))
	return b
}

// ParseSnapshot is the inverse of Snapshot.
func ParseSnapshot(b []byte) (*State, error) {
	be := binary.BigEndian
	if len(b) < fullHeader || string(b[:4]) != fullMagic {
		return nil, fmt.Errorf("%w: no header", ErrSnapshot)
	}
	if v := be.Uint16(b[4:]); v != fullVersion {
		return nil, fmt.Errorf("%w: version %d", ErrSnapshot, v)
	}
	if crc32.Checksum(b[10:], castagnoli) != be.Uint32(b[6:]) {
		return nil, fmt.Errorf("%w: checksum", ErrSnapshot)
	}
	count, p := be.Uint32(b[10:]), b[fullHeader:]
	s := NewState()
	for range count {
		id, e, rest, err := parseProducer(p)
		if err != nil {
			return nil, err
		}
		s.entries[id], p = e, rest
	}
	if len(p) != 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", ErrSnapshot, len(p))
	}
	return s, nil
}

func parseProducer(p []byte) (id int64, e *Entry, rest []byte, err error) {
	be := binary.BigEndian
	if len(p) < fullEntrySize {
		return 0, nil, nil, fmt.Errorf("%w: ends inside a producer", ErrSnapshot)
	}
	e = &Entry{
		Epoch: int16(be.Uint16(p[8:])), CoordinatorEpoch: int32(be.Uint32(p[10:])), TxnFirstOffset: int64(be.Uint64(p[14:])),
	}
	id, n := int64(be.Uint64(p)), int(p[22])
	p = p[fullEntrySize:]
	if n > Retained || len(p) < n*fullBatchSize {
		return 0, nil, nil, fmt.Errorf("%w: %d batches of a producer", ErrSnapshot, n)
	}
	for ; n > 0; n-- {
		e.push(Batch{
			FirstSequence: int32(be.Uint32(p)), LastSequence: int32(be.Uint32(p[4:])), LastOffset: int64(be.Uint64(p[8:])),
			OffsetDelta: int32(be.Uint32(p[16:])), Timestamp: int64(be.Uint64(p[20:])),
		})
		p = p[fullBatchSize:]
	}
	return id, e, p, nil
}
