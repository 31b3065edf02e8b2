package api

import (
	"errors"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/server/config"
	"sordini/server/partition"
	"sordini/server/wire"
)

// firstZstdVersion is the version of Produce that knows zstd (KIP-110).
const firstZstdVersion = 7

// admitBatch checks what a client sent for one partition and leaves it in ap,
// ready to be appended: in place, unless the topic wants another codec.
//
// inside is what may be decompressed for the whole request.
func (a *API) admitBatch(r *wire.Request, p *partition.Partition, ap *log.Append, records []byte, inside *allowance) error {
	t := p.Settings()
	if size := int64(len(records)); size > t.MaxMessageBytes {
		return fail(kerr.MessageTooLarge, fmt.Sprintf(
			"The record batch size in the append to %s-%d is %d bytes which exceeds the maximum configured value of %d.",
			p.Topic, p.Index, size, t.MaxMessageBytes))
	}
	h, err := batch.Validate(records)
	if err != nil {
		return err
	}
	switch {
	case h.IsTransactional():
		return fail(kerr.InvalidTxnState, "transactions are not served by this broker")
	case h.Codec() == batch.CodecZstd && r.Version < firstZstdVersion:
		return fail(kerr.UnsupportedCompressionType, "Produce requests before version 7 are not allowed to use ZStandard compression")
	}
	if err := a.lookInside(p, t, &h, records, inside); err != nil {
		return err
	}
	if h.MaxTimestamp < h.BaseTimestamp {
		if err := repairTime(&h, records, inside); err != nil {
			return err
		}
	}
	if records, h, err = a.recompress(p, t, h, records, inside); err != nil {
		return err
	}
	if t.TimestampType == config.LogAppendTime {
		batch.StampAppendTime(records, a.set.Now().UnixMilli())
		if h, err = batch.ParseHeader(records); err != nil {
			return err
		}
	}
	if size := int64(len(records)); size > t.SegmentBytes {
		return fail(kerr.RecordListTooLarge, fmt.Sprintf(
			"Message batch size is %d bytes in append to partition %s-%d, which exceeds the maximum configured segment size of %d.",
			size, p.Topic, p.Index, t.SegmentBytes))
	}
	ap.Batch, ap.Header = records, h
	return nil
}

// lookInside walks over the records where the header can't tell: keys on a
// compacted topic, timestamps outside the window that the topic allows.
func (a *API) lookInside(p *partition.Partition, t *config.Topic, h *batch.Header, records []byte, inside *allowance) error {
	o := batch.ValidateOptions{Limits: inside.limits(math.MaxInt64)}
	if t.CleanupCompact {
		o.KeysFor = fmt.Sprintf("%s-%d", p.Topic, p.Index)
	}
	if t.TimestampType == config.CreateTime {
		o.Window = a.timestampWindow(t, h)
	}
	if o.KeysFor == "" && o.Window == nil {
		return nil
	}
	if h.Codec() != batch.CodecNone {
		defer a.occupy()()
	}
	if err := batch.ValidateRecords(records, o); err != nil {
		return err
	}
	if o.Window != nil && h.MaxTimestamp > o.Window.Latest {
		return repairTime(h, records, inside) // no record is so late
	}
	return nil
}

// repairTime sets the max timestamp of a header that lies about it: retention and
// lookups by time go by it.
func repairTime(h *batch.Header, records []byte, inside *allowance) error {
	changed, err := batch.RepairMaxTimestamp(records, inside.limits(math.MaxInt64))
	if changed {
		*h, err = batch.ParseHeader(records)
	}
	return err
}

// allowance is what may be decompressed for one request: in proportion to what was
// sent, so that nobody makes the server work for minutes by a frame of bombs.
type allowance struct {
	total, spent int64 // bytes
}

const (
	// swellAlways and swellPerByte make up the allowance. Honest records shrink to
	// a tenth; one batch of an extreme kind is admitted all the same.
	swellAlways  = 256 << 20
	swellPerByte = 64
)

func allowanceFor(request int) allowance {
	return allowance{total: swellAlways + swellPerByte*int64(request)}
}

// limits are those for the next batch, with a bound of its own.
func (a *allowance) limits(most int64) batch.Limits {
	return batch.Limits{MaxBytes: max(1, min(most, swellAlways, a.total-a.spent)), Spent: &a.spent}
}

// occupy takes one of as many places as there are processors to decompress in.
// More at a time would not be faster, and decoders take megabytes each.
func (a *API) occupy() (leave func()) {
	a.insides <- struct{}{}
	return func() { <-a.insides }
}

// timestampWindow returns the window if some record may be outside of it.
func (a *API) timestampWindow(t *config.Topic, h *batch.Header) *batch.TimestampWindow {
	now := a.set.Now().UnixMilli()
	earliest, latest := int64(math.MinInt64), int64(math.MaxInt64)
	if t.TimestampBeforeMaxMs < math.MaxInt64-now {
		earliest = now - t.TimestampBeforeMaxMs
	}
	if t.TimestampAfterMaxMs < math.MaxInt64-now {
		latest = now + t.TimestampAfterMaxMs
	}
	if earliest == math.MinInt64 && h.MaxTimestamp <= latest {
		return nil
	}
	return &batch.TimestampWindow{Earliest: earliest, Latest: latest}
}

// recompress gives the batch the codec that the topic demands. Compressing is the
// slow part, so a batch may swell less here.
func (a *API) recompress(p *partition.Partition, t *config.Topic, h batch.Header, records []byte, inside *allowance) ([]byte, batch.Header, error) {
	if t.CompressionType == "producer" {
		return records, h, nil
	}
	codec, level, err := topicCodec(t)
	if err != nil || codec == h.Codec() {
		return records, h, err
	}
	const recompressAlways = 64 << 20
	limits := inside.limits(max(recompressAlways, swellPerByte*t.MaxMessageBytes))
	limits.MaxResult = t.MaxMessageBytes
	leave := a.occupy()
	records, err = batch.Recompress(records, codec, level, limits)
	leave()
	if errors.Is(err, batch.ErrResultTooLarge) {
		err = fail(kerr.MessageTooLarge, fmt.Sprintf(
			"Message batch size in append to partition %s-%d exceeds the maximum configured size of %d once compressed by %v.",
			p.Topic, p.Index, t.MaxMessageBytes, codec))
	}
	if err != nil {
		return nil, h, err
	}
	h, err = batch.ParseHeader(records)
	return records, h, err
}

func topicCodec(t *config.Topic) (codec batch.Codec, level int, err error) {
	switch t.CompressionType {
	case "uncompressed":
		return batch.CodecNone, 0, nil
	case "gzip":
		return batch.CodecGzip, t.GzipLevel, nil
	case "lz4":
		return batch.CodecLZ4, t.LZ4Level, nil
	case "zstd":
		return batch.CodecZstd, t.ZstdLevel, nil
	}
	codec, err = batch.ParseCodec(t.CompressionType)
	return codec, 0, err
}
