package index

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Sizes of an entry on disk, in bytes.
const (
	OffsetEntrySize = 8
	TimeEntrySize   = 12
)

// OffsetEntry says that a batch starts at Pos and that its last offset is the
// segment's base offset + Rel.
type OffsetEntry struct {
	Rel uint32
	Pos uint32
}

// TimeEntry says that no record before the end of the batch that ends at the
// segment's base offset + Rel is later than Timestamp (ms since the epoch).
type TimeEntry struct {
	Timestamp int64
	Rel       uint32
}

// AppendOffsets appends the encoding of entries to dst.
func AppendOffsets(dst []byte, entries []OffsetEntry) []byte {
	for _, e := range entries {
		dst = binary.BigEndian.AppendUint32(dst, e.Rel)
		dst = binary.BigEndian.AppendUint32(dst, e.Pos)
	}
	return dst
}

// AppendTimes appends the encoding of entries to dst.
func AppendTimes(dst []byte, entries []TimeEntry) []byte {
	for _, e := range entries {
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.Timestamp))
		dst = binary.BigEndian.AppendUint32(dst, e.Rel)
	}
	return dst
}

func offsetEntry(b []byte) OffsetEntry {
	return OffsetEntry{Rel: binary.BigEndian.Uint32(b), Pos: binary.BigEndian.Uint32(b[4:])}
}

func timeEntry(b []byte) TimeEntry {
	return TimeEntry{Timestamp: int64(binary.BigEndian.Uint64(b)), Rel: binary.BigEndian.Uint32(b[8:])}
}

// DecodeOffsets decodes a whole offset index and checks that it is one: a
// multiple of the entry size, offsets and positions strictly rising, positions
// below logSize.
func DecodeOffsets(b []byte, logSize int64) ([]OffsetEntry, error) {
	if len(b)%OffsetEntrySize != 0 {
		return nil, fmt.Errorf("offset index: %d bytes are not a multiple of %d", len(b), OffsetEntrySize)
	}
	entries := make([]OffsetEntry, 0, len(b)/OffsetEntrySize)
	for i := 0; i < len(b); i += OffsetEntrySize {
		e := offsetEntry(b[i:])
		if int64(e.Pos) >= logSize {
			return nil, fmt.Errorf("offset index: entry %d points to %d, the log has %d bytes", len(entries), e.Pos, logSize)
		}
		if n := len(entries); n > 0 && (e.Rel <= entries[n-1].Rel || e.Pos <= entries[n-1].Pos) {
			return nil, fmt.Errorf("offset index: entry %d does not rise", n)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// DecodeTimes decodes a whole time index and checks that timestamps and offsets
// rise.
func DecodeTimes(b []byte) ([]TimeEntry, error) {
	if len(b)%TimeEntrySize != 0 {
		return nil, fmt.Errorf("time index: %d bytes are not a multiple of %d", len(b), TimeEntrySize)
	}
	entries := make([]TimeEntry, 0, len(b)/TimeEntrySize)
	for i := 0; i < len(b); i += TimeEntrySize {
		e := timeEntry(b[i:])
		if n := len(entries); n > 0 && (e.Rel <= entries[n-1].Rel || e.Timestamp <= entries[n-1].Timestamp) {
			return nil, fmt.Errorf("time index: entry %d does not rise", n)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// readFull is ReadAt that must fill b.
func readFull(r io.ReaderAt, b []byte, pos int64) error {
	n, err := r.ReadAt(b, pos)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
