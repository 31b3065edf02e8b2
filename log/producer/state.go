package producer

import (
	"errors"
	"fmt"
	"math"

	"sordini/protocol/batch"
)

// Errors of Check, each the meaning of one of Kafka's codes.
var (
	// ErrOutOfOrder: a batch is missing before this one, or a new epoch does not
	// begin with sequence 0 (OUT_OF_ORDER_SEQUENCE_NUMBER, 45).
	ErrOutOfOrder = errors.New("out of order sequence number")
	// ErrEpoch: the producer id is in use with a newer epoch
	// (INVALID_PRODUCER_EPOCH, 47).
	ErrEpoch = errors.New("invalid producer epoch")
)

// Retained is how many batches of a producer are remembered: the number of
// requests that a client may have in flight.
const Retained = 5

// Batch is one stored batch of a producer.
type Batch struct {
	FirstSequence, LastSequence int32
	LastOffset                  int64
	OffsetDelta                 int32 // last offset - first offset
	Timestamp                   int64 // ms
}

// FirstOffset is the offset of the batch's first record.
func (b Batch) FirstOffset() int64 { return b.LastOffset - int64(b.OffsetDelta) }

// NoOffset says that no transaction is open.
const NoOffset int64 = -1

// Entry is what is known of one producer id.
type Entry struct {
	Epoch            int16
	CoordinatorEpoch int32
	TxnFirstOffset   int64 // NoOffset if no transaction is open
	count            int   // batches used, the newest last
	batches          [Retained]Batch
}

// Batches returns the remembered batches, oldest first.
func (e *Entry) Batches() []Batch { return e.batches[:e.count] }

func (e *Entry) last() (Batch, bool) {
	if e.count == 0 {
		return Batch{}, false
	}
	return e.batches[e.count-1], true
}

func (e *Entry) push(b Batch) {
	if e.count == Retained {
		copy(e.batches[:], e.batches[1:])
		e.count--
	}
	e.batches[e.count] = b
	e.count++
}

// State is the producers of one partition.
type State struct {
	entries map[int64]*Entry
}

// NewState returns a state that knows no producer.
func NewState() *State { return &State{entries: make(map[int64]*Entry)} }

// Len is the number of producers known.
func (s *State) Len() int { return len(s.entries) }

// Get returns the entry of a producer id, or nil.
func (s *State) Get(id int64) *Entry { return s.entries[id] }

// Check decides about a batch that a client sent, before it is appended. A
// duplicate is returned with true; an error says why the batch is refused. A
// producer that is not known may begin with any sequence, because its state may
// have expired.
func (s *State) Check(h *batch.Header) (duplicate Batch, isDuplicate bool, err error) {
	e := s.entries[h.ProducerID]
	if e == nil {
		return Batch{}, false, nil
	}
	if h.ProducerEpoch < e.Epoch {
		return Batch{}, false, fmt.Errorf("%w: producer %d has epoch %d, the batch has %d", ErrEpoch, h.ProducerID, e.Epoch, h.ProducerEpoch)
	}
	if h.ProducerEpoch > e.Epoch {
		if h.BaseSequence != 0 {
			return Batch{}, false, fmt.Errorf("%w: producer %d begins epoch %d with sequence %d", ErrOutOfOrder, h.ProducerID, h.ProducerEpoch, h.BaseSequence)
		}
		return Batch{}, false, nil
	}
	for _, b := range e.Batches() {
		if b.FirstSequence == h.BaseSequence && b.LastSequence == h.LastSequence() {
			return b, true, nil
		}
	}
	last, ok := e.last()
	if ok && !follows(last.LastSequence, h.BaseSequence) {
		return Batch{}, false, fmt.Errorf("%w: producer %d epoch %d sends sequence %d after %d", ErrOutOfOrder, h.ProducerID, h.ProducerEpoch, h.BaseSequence, last.LastSequence)
	}
	return Batch{}, false, nil
}

// follows says whether next comes right after last; sequences wrap to 0.
func follows(last, next int32) bool {
	return next == last+1 || next == 0 && last == math.MaxInt32
}

// Update notes a batch that was appended, live or in replay; h carries the
// offset that the batch was given.
func (s *State) Update(h *batch.Header) {
	if !h.HasProducer() {
		return
	}
	e := s.entries[h.ProducerID]
	if e == nil {
		e = &Entry{TxnFirstOffset: NoOffset, Epoch: h.ProducerEpoch, CoordinatorEpoch: -1}
		s.entries[h.ProducerID] = e
	}
	if h.ProducerEpoch != e.Epoch {
		e.Epoch, e.count = h.ProducerEpoch, 0
	}
	if h.IsControl() {
		e.TxnFirstOffset = NoOffset
		return
	}
	e.push(Batch{
		FirstSequence: h.BaseSequence, LastSequence: h.LastSequence(),
		LastOffset: h.LastOffset(), OffsetDelta: h.LastOffsetDelta, Timestamp: h.MaxTimestamp,
	})
}

// LastOffsets returns the last offset of each producer's newest batch below flushed:
// the one from which its state would be made again if a power cut took what is not
// flushed. It is NoOffset where none of the remembered batches lies there.
func (s *State) LastOffsets(flushed int64) map[int64]int64 {
	last := make(map[int64]int64, len(s.entries))
	for id, e := range s.entries {
		last[id] = NoOffset
		for _, b := range e.Batches() {
			if b.LastOffset < flushed {
				last[id] = b.LastOffset
			}
		}
	}
	return last
}

// Expire forgets the producers whose last batch is older than the given time
// (ms since the epoch) and returns how many (producer.id.expiration.ms). A
// producer with an open transaction stays.
func (s *State) Expire(before int64) int {
	n := 0
	for id, e := range s.entries {
		last, ok := e.last()
		if e.TxnFirstOffset == NoOffset && ok && last.Timestamp < before {
			delete(s.entries, id)
			n++
		}
	}
	return n
}
