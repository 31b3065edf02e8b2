package batch

import "fmt"

// Validate checks that b is exactly one batch that a client may write. It looks
// at the header and the checksum only: it neither decompresses nor walks records,
// and allocates nothing for a good batch. [ValidateRecords] looks inside.
//
// What Apache Kafka 4.3.0 answers to Produce, in the order in which it checks:
//
//	no batch, or bytes that end inside the first      INVALID_RECORD
//	length field below 14                             CORRUPT_MESSAGE
//	magic neither 0, 1 nor 2                          CORRUPT_MESSAGE
//	magic 0 or 1                                      INVALID_RECORD
//	a second batch, even if damaged                   INVALID_RECORD
//	base offset not 0                                 INVALID_RECORD
//	length field below 49, wrong CRC                  CORRUPT_MESSAGE
//	codec 5 to 7                                      UNKNOWN_SERVER_ERROR
//	count < 1, last offset delta != count - 1         INVALID_RECORD
//	control batch                                     INVALID_RECORD
//	producer id >= 0 with base sequence < 0           INVALID_RECORD
//	producer id >= 0 with epoch -2                    INVALID_PRODUCER_EPOCH
//
// It accepts any leader epoch, bits 6 to 15 of the attributes, any negative
// producer id, and any max timestamp, which it replaces by the true one: see
// [RepairMaxTimestamp]. Validate differs from it on purpose here:
//
//   - An unknown codec is ErrUnsupportedCodec, which tells the client more.
//   - Bytes behind the batch that are not another one are ErrCorrupt. Kafka cuts
//     off what is too short to be a batch and accepts the rest.
//   - A producer id needs an epoch: Kafka accepts -1.
//   - A transactional batch needs a producer id: Kafka accepts one without, and
//     no marker could ever end its transaction.
//   - The bit for log append time, which is the broker's to set, is
//     ErrInvalidTimestamp. Kafka says the same for a topic that uses log append
//     time and clears the bit for one that does not.
func Validate(b []byte) (Header, error) {
	if len(b) < HeaderSize && (len(b) <= posMagic || b[posMagic] == Magic) {
		return Header{}, fmt.Errorf("batch: %d bytes, want at least %d: %w", len(b), HeaderSize, ErrIncomplete)
	}
	h, err := parseFrame(b)
	if err != nil {
		return h, err
	}
	if err := h.checkFrame(b); err != nil {
		return h, err
	}
	if err := CheckCRC(b, h); err != nil {
		return h, err
	}
	return h, h.checkClient()
}

// checkFrame checks that b is as long as its header says.
func (h Header) checkFrame(b []byte) error {
	size := h.Size()
	switch {
	case size > int64(len(b)):
		return fmt.Errorf("batch: %d of %d bytes: %w", len(b), size, ErrIncomplete)
	case size < int64(len(b)):
		if _, err := ParseHeader(b[size:]); err == nil {
			return fmt.Errorf("batch: %d bytes after the first of %d: %w", int64(len(b))-size, size, ErrTooManyBatches)
		}
		return fmt.Errorf("batch: %d bytes after the end at %d: %w", int64(len(b))-size, size, ErrCorrupt)
	case h.BaseOffset != 0:
		return fmt.Errorf("batch: base offset %d, want 0: %w", h.BaseOffset, ErrInvalidRecord)
	}
	return nil
}

// checkClient checks what the checksum vouches for and a client decides.
func (h Header) checkClient() error {
	switch {
	case !h.Codec().Known():
		return fmt.Errorf("batch: %v: %w", h.Codec(), ErrUnsupportedCodec)
	case h.Count <= 0:
		return fmt.Errorf("batch: count %d: %w", h.Count, ErrInvalidRecord)
	case h.LastOffsetDelta != h.Count-1:
		return fmt.Errorf("batch: last offset delta %d, count %d: %w", h.LastOffsetDelta, h.Count, ErrInvalidRecord)
	case h.IsControl():
		return fmt.Errorf("batch: control records from a client: %w", ErrInvalidRecord)
	case h.IsLogAppendTime():
		return fmt.Errorf("batch: log append time from a client: %w", ErrInvalidTimestamp)
	case h.HasProducer() && h.BaseSequence < 0:
		return fmt.Errorf("batch: producer %d: base sequence %d: %w", h.ProducerID, h.BaseSequence, ErrInvalidRecord)
	case h.HasProducer() && h.ProducerEpoch < 0:
		return fmt.Errorf("batch: producer %d: epoch %d: %w", h.ProducerID, h.ProducerEpoch, ErrInvalidRecord)
	case h.IsTransactional() && !h.HasProducer():
		return fmt.Errorf("batch: transactional without a producer id: %w", ErrInvalidRecord)
	}
	return nil
}
