//go:build linux

package raw

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"time"
)

const (
	batchHead = 61   // bytes before the records of a batch
	perRecord = 1024 // bytes of one record in a batch, about
	minRecord = 80   // bytes of the smallest record that Batch makes
)

// Batch makes a batch of exactly size bytes, at least 141, of records of about
// 1 KiB (one record if it is smaller), timestamps of now, and random values.
func Batch(size int) []byte { return build(size, 0, nil, []byte{0}) }

// Keyed is Batch, of at least 157 bytes, with a random key of 16 bytes in each of its
// records, another for each seed above 0.
func Keyed(size int, seed uint64) []byte { return build(size, seed, make([]byte, 16), []byte{0}) }

// Marked is Batch with a header in each of its records.
func Marked(size int, key, value string) []byte {
	headers := binary.AppendVarint(nil, 1)
	for _, text := range []string{key, value} {
		headers = append(binary.AppendVarint(headers, int64(len(text))), text...)
	}
	return build(size, 0, nil, headers)
}

// build makes a batch whose records have a key as long as the one given, of random
// bytes, or none if that is nil, and end with headers, as encoded.
func build(size int, seed uint64, key, headers []byte) []byte {
	if size < batchHead+minRecord+len(key) {
		panic("raw: batch too small") // sizes are constants of the benchmark
	}
	n := Records(size)
	random := rand.New(rand.NewPCG(1+seed, uint64(size)))
	b := make([]byte, batchHead, size)
	for i := range n {
		end := batchHead + (size-batchHead)*(i+1)/n
		b = appendRecord(b, i, end-len(b), random, key, headers)
	}
	now := uint64(time.Now().UnixMilli())
	binary.BigEndian.PutUint32(b[8:], uint32(size-12))
	b[16] = 2                                       // magic
	binary.BigEndian.PutUint32(b[23:], uint32(n-1)) // last offset delta
	binary.BigEndian.PutUint64(b[27:], now)
	binary.BigEndian.PutUint64(b[35:], now)
	for i := 43; i < 57; i++ {
		b[i] = 0xff // producer id, epoch and sequence: -1, for none
	}
	binary.BigEndian.PutUint32(b[57:], uint32(n))
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// Records is the number of records in a batch of a size.
func Records(size int) int { return max(1, (size-batchHead)/perRecord) }

// appendRecord adds record i, of exactly size bytes: between minRecord and 8 KiB,
// where both of its lengths take two bytes.
func appendRecord(b []byte, i, size int, random *rand.Rand, key, headers []byte) []byte {
	end := len(b) + size
	b = binary.AppendVarint(b, int64(size-2))
	b = append(b, 0, 0) // attributes, timestamp delta
	b = binary.AppendVarint(b, int64(i))
	if key == nil {
		b = append(b, 1) // no key: length -1
	} else {
		b = binary.AppendVarint(b, int64(len(key)))
		for range key {
			b = append(b, byte(random.Uint32()))
		}
	}
	b = binary.AppendVarint(b, int64(end-len(b)-2-len(headers)))
	for len(b) < end-len(headers) {
		b = append(b, byte(random.Uint32()))
	}
	return append(b, headers...)
}
