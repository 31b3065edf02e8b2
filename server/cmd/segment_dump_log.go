package cmd

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"sordini/protocol/batch"
	"sordini/server/cmd/inspect"
)

// dumpedBatch is a batch, or bytes that are none, as JSON.
type dumpedBatch struct {
	JSONVersion    int    `json:"_version"`
	Type           string `json:"type"` // "batch", or "damage" for bytes that are none
	File           string `json:"file"`
	Position       int64  `json:"position"`
	Size           int64  `json:"size"`
	BaseOffset     int64  `json:"baseOffset"` // of damage: the offset that was expected
	LastOffset     int64  `json:"lastOffset"`
	Records        int32  `json:"records"`
	BaseTimestamp  int64  `json:"baseTimestampMs"`
	MaxTimestamp   int64  `json:"maxTimestampMs"`
	AppendTime     bool   `json:"logAppendTime"`
	Codec          string `json:"codec"`
	ProducerID     int64  `json:"producerId"` // -1 if none
	ProducerEpoch  int16  `json:"producerEpoch"`
	BaseSequence   int32  `json:"baseSequence"`
	LeaderEpoch    int32  `json:"leaderEpoch"`
	Transactional  bool   `json:"transactional"`
	Control        bool   `json:"control"`
	CRC            uint32 `json:"crc"`
	Valid          bool   `json:"valid"`
	Torn           bool   `json:"torn"`
	Fault          string `json:"fault,omitempty"`
	RecordsSkipped string `json:"recordsSkipped,omitempty"` // why not all records follow
}

// dumpedRecord is a record as JSON. Keys and values are Go strings without the quotes.
type dumpedRecord struct {
	JSONVersion int            `json:"_version"`
	Type        string         `json:"type"` // "record"
	File        string         `json:"file"`
	Offset      int64          `json:"offset"`
	TimestampMs int64          `json:"timestampMs"`
	Key         *string        `json:"key"`     // null for none; cut
	KeySize     int            `json:"keySize"` // bytes
	Value       *string        `json:"value"`   // null for none; cut
	ValueSize   int            `json:"valueSize"`
	Headers     []dumpedHeader `json:"headers,omitempty"`
}

type dumpedHeader struct {
	Key   string  `json:"key"`
	Value *string `json:"value"`
}

const batchRow = "%10s  %6s  %12s  %7s  %24s  %6s  %10s  %5s  %5s  %s"

func (d *dumper) log(path string, _ int64) error {
	f, l, err := inspect.OpenLog(path)
	if err != nil {
		return err
	}
	defer f.Close()
	d.row(batchRow, "POSITION", "SIZE", "OFFSETS", "RECORDS", "TIME", "CODEC", "PRODUCER", "EPOCH", "FLAGS", "CRC")
	return inspect.Scan(l, func(item inspect.Item, load func() ([]byte, error)) error {
		if item.Fault != nil {
			return d.damage(path, item)
		}
		return d.batch(path, item, load)
	})
}

func (d *dumper) damage(path string, item inspect.Item) error {
	word := string(inspect.Bad)
	if item.Torn {
		word = "TORN"
	}
	d.row("%10d  %6d  %12d  %s: %s", item.Pos, item.Size, item.Offset, word, item.Fault)
	return d.json(dumpedBatch{
		JSONVersion: jsonVersion, Type: "damage", File: path, Position: item.Pos, Size: item.Size,
		BaseOffset: item.Offset, LastOffset: -1, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, LeaderEpoch: -1,
		BaseTimestamp: -1, MaxTimestamp: -1, Torn: item.Torn, Fault: item.Fault.Error(),
	})
}

func (d *dumper) batch(path string, item inspect.Item, load func() ([]byte, error)) error {
	h := item.Header
	producer := "-"
	if h.HasProducer() {
		producer = fmt.Sprintf("%d/%d/%d", h.ProducerID, h.ProducerEpoch, h.BaseSequence)
	}
	d.row(batchRow, formatInt(item.Pos), formatInt(item.Size), span(h.BaseOffset, h.LastOffset()), formatInt(int64(h.Count)),
		formatTime(h.MaxTimestamp), h.Codec(), producer, formatInt(int64(h.LeaderEpoch)), flagsOf(h), "ok")
	err := d.json(dumpedBatch{
		JSONVersion: jsonVersion, Type: "batch", File: path, Position: item.Pos, Size: item.Size,
		BaseOffset: h.BaseOffset, LastOffset: h.LastOffset(), Records: h.Count, BaseTimestamp: h.BaseTimestamp,
		MaxTimestamp: h.MaxTimestamp, AppendTime: h.IsLogAppendTime(), Codec: h.Codec().String(), ProducerID: h.ProducerID,
		ProducerEpoch: h.ProducerEpoch, BaseSequence: h.BaseSequence, LeaderEpoch: h.LeaderEpoch,
		Transactional: h.IsTransactional(), Control: h.IsControl(), CRC: h.CRC, Valid: true,
	})
	if err != nil || !d.opt.records {
		return err
	}
	whole, err := load()
	if err != nil {
		return err
	}
	return d.recordsOf(path, item, whole)
}

// recordsOf prints the records of a batch. Records that cannot be decoded are told of and end the batch, not the
// dump: the checksum says that they are what the producer sent.
func (d *dumper) recordsOf(path string, item inspect.Item, whole []byte) error {
	for r, err := range batch.Records(whole, batch.Limits{}) {
		if err != nil {
			d.row("  records of this batch cannot be decoded: %s", err)
			return d.json(dumpedBatch{JSONVersion: jsonVersion, Type: "damage", File: path, Position: item.Pos, Size: item.Size,
				BaseOffset: item.Offset, LastOffset: item.Header.LastOffset(), Valid: true, RecordsSkipped: err.Error()})
		}
		if err := d.record(path, r); err != nil {
			return err
		}
	}
	return nil
}

func (d *dumper) record(path string, r batch.Record) error {
	if d.opt.output == formatJSON {
		out := dumpedRecord{
			JSONVersion: jsonVersion, Type: "record", File: path, Offset: r.Offset, TimestampMs: r.Timestamp,
			Key: d.text(r.Key), KeySize: len(r.Key), Value: d.text(r.Value), ValueSize: len(r.Value),
		}
		for h := range r.Headers() {
			out.Headers = append(out.Headers, dumpedHeader{h.Key, d.text(h.Value)})
		}
		return d.json(out)
	}
	var headers strings.Builder
	for h := range r.Headers() {
		fmt.Fprintf(&headers, "  %s=%s", strconv.Quote(h.Key), d.quote(h.Value))
	}
	d.row("  offset %d  %s  key %s  value %s%s", r.Offset, formatTime(r.Timestamp), d.quote(r.Key), d.quote(r.Value), headers.String())
	return nil
}

// quote shows bytes as a Go string, cut to the length that was asked for.
func (d *dumper) quote(b []byte) string {
	if b == nil {
		return "null"
	}
	short := d.cut(b)
	if len(short) == len(b) {
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("%s... (%d bytes)", strconv.Quote(string(short)), len(b))
}

// text is quote without the quotes and the size; nil for null.
func (d *dumper) text(b []byte) *string {
	if b == nil {
		return nil
	}
	quoted := strconv.Quote(string(d.cut(b)))
	text := strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	return &text
}

// cut shortens b, but not inside a character.
func (d *dumper) cut(b []byte) []byte {
	n := d.opt.cut
	if n == 0 || len(b) <= n {
		return b
	}
	for back := 0; back < utf8.UTFMax && n-back > 0; back++ {
		if utf8.RuneStart(b[n-back]) {
			return b[:n-back]
		}
	}
	return b[:n]
}

// flagsOf are letters for the attributes of a batch.
func flagsOf(h batch.Header) string {
	flags := ""
	if h.IsTransactional() {
		flags += "t"
	}
	if h.IsControl() {
		flags += "c"
	}
	if h.IsLogAppendTime() {
		flags += "a"
	}
	if flags == "" {
		return "-"
	}
	return flags
}
