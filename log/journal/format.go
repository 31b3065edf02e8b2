package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	magic      = "SJR1"
	headerSize = 32
	entrySize  = 16 + 4 + 4*8 + 4
	alignment  = 512 // of rounds; a sector is written whole or not at all

	suffix = ".journal"

	// maxRound bounds the bytes of a round, also of one that is read.
	maxRound = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Key names a log: topic id and partition.
type Key struct {
	Topic     [16]byte
	Partition int32
}

// Entry is a stretch of whole batches and where they belong.
type Entry struct {
	Key
	Segment     int64 // base offset of the segment
	Pos         int64 // bytes from the start of its file
	First, Next int64 // offsets: of the first record, and behind the last
	Batches     []byte
}

// fileName is the path of a generation's file.
func fileName(dir string, generation uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", generation, suffix))
}

// parseFileName is the inverse of fileName, for a name without its directory.
func parseFileName(name string) (generation uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	generation, err := strconv.ParseUint(digits, 10, 64)
	return generation, err == nil
}

// beginRound begins a round in b, which is empty.
func beginRound(b []byte) []byte { return append(b, make([]byte, headerSize)...) }

func appendEntry(b []byte, e *Entry) []byte {
	b = append(b, e.Topic[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(e.Partition))
	for _, n := range []int64{e.Segment, e.Pos, e.First, e.Next} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Batches)))
	return append(b, e.Batches...)
}

// endRound fills in the header and the zeros.
func endRound(b []byte, generation, number uint64, count uint32) []byte {
	copy(b, magic)
	binary.BigEndian.PutUint64(b[8:], generation)
	binary.BigEndian.PutUint64(b[16:], number)
	binary.BigEndian.PutUint32(b[24:], uint32(len(b)-headerSize))
	binary.BigEndian.PutUint32(b[28:], count)
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return append(b, make([]byte, padding(len(b)))...)
}

// padding is how many bytes are missing to a multiple of the alignment.
func padding(n int) int { return -n & (alignment - 1) }

// header is the beginning of a round.
type header struct {
	generation, number uint64
	length             int // of the entries
	count              int
}

// parseHeader says false if b is not the beginning of a round.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < headerSize || string(b[:4]) != magic {
		return h, false
	}
	length := binary.BigEndian.Uint32(b[24:])
	h = header{
		generation: binary.BigEndian.Uint64(b[8:]), number: binary.BigEndian.Uint64(b[16:]),
		length: int(length), count: int(binary.BigEndian.Uint32(b[28:])),
	}
	return h, length <= maxRound
}

// checked says whether b, a whole round without its zeros, is as it was written.
func checked(b []byte) bool {
	return binary.BigEndian.Uint32(b[4:]) == crc32.Checksum(b[8:], castagnoli)
}

var errEntry = errors.New("journal: entry runs over its round")

// splitEntry takes the first entry off b. Its batches lie in b.
func splitEntry(b []byte) (e Entry, rest []byte, err error) {
	if len(b) < entrySize {
		return e, nil, errEntry
	}
	copy(e.Topic[:], b)
	e.Partition = int32(binary.BigEndian.Uint32(b[16:]))
	for i, n := range []*int64{&e.Segment, &e.Pos, &e.First, &e.Next} {
		*n = int64(binary.BigEndian.Uint64(b[20+8*i:]))
	}
	length := int64(binary.BigEndian.Uint32(b[52:]))
	b = b[entrySize:]
	if length > int64(len(b)) || e.Segment < 0 || e.Pos < 0 || e.First < e.Segment || e.Next < e.First {
		return e, nil, errEntry
	}
	e.Batches = b[:length]
	return e, b[length:], nil
}
