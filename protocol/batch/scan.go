package batch

import (
	"fmt"
	"io"
)

// ScanTimestamp finds the first record of the whole batch b that is not older
// than target, in ms since 1970. It stops there, so what follows is not checked.
// Errors are those of [Records], but no record is too large: keys and values are
// passed over.
func ScanTimestamp(b []byte, target int64, lim Limits) (offset, timestamp int64, found bool, err error) {
	err = scan(b, lim, func(_ int32, r Record) bool {
		if r.Timestamp >= target {
			offset, timestamp, found = r.Offset, r.Timestamp, true
		}
		return !found
	})
	if err != nil {
		return 0, 0, false, err
	}
	return offset, timestamp, found, nil
}

// ScanMaxTimestamp finds the record of the whole batch b that has the largest
// timestamp, in ms since 1970, and of several the first. Errors are as in
// [ScanTimestamp], and ErrInvalidRecord if the batch holds no record.
func ScanMaxTimestamp(b []byte, lim Limits) (offset, timestamp int64, err error) {
	found := false
	err = scan(b, lim, func(_ int32, r Record) bool {
		if !found || r.Timestamp > timestamp {
			offset, timestamp, found = r.Offset, r.Timestamp, true
		}
		return true
	})
	if err == nil && !found {
		err = fmt.Errorf("batch: no record to take a timestamp from: %w", ErrInvalidRecord)
	}
	if err != nil {
		return 0, 0, err
	}
	return offset, timestamp, nil
}

// RepairMaxTimestamp makes the max timestamp in the header of the whole batch b
// the largest that its records have, in place, and reports whether it was
// another. Apache Kafka 4.3.0 does so with every batch it is sent. A max below the
// base timestamp is the cheap sign that it is needed. Errors are those of
// [ScanMaxTimestamp]; b is then unchanged.
func RepairMaxTimestamp(b []byte, lim Limits) (changed bool, err error) {
	_, timestamp, err := ScanMaxTimestamp(b, lim)
	if err != nil {
		return false, err
	}
	if h := decodeHeader((*[HeaderSize]byte)(b)); h.MaxTimestamp == timestamp {
		return false, nil
	}
	StampMaxTimestamp(b, timestamp)
	return true, nil
}

// scan visits the records, without keeping keys and values, until visit returns
// false.
func scan(b []byte, lim Limits, visit func(index int32, r Record) bool) error {
	d, err := newDecoder(b, lim)
	if err != nil {
		return err
	}
	defer d.close()
	for {
		index := d.index
		r, err := d.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !visit(index, r) {
			return nil
		}
	}
}
