package test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Codecs as attributes number them.
const (
	codecGzip = iota + 1
	codecSnappy
	codecLZ4
	codecZstd
)

// lie is a record batch that is not what it says, but has a good checksum most of
// the time.
func (f *forger) lie() []byte {
	now := int64(1_700_000_000_000)
	records, n := f.records()
	attributes := int16(0)
	if f.IntN(3) == 0 {
		attributes = int16(1 + f.IntN(4))
		if f.IntN(3) > 0 {
			records = squeeze(int(attributes), records)
		} // else: garbage where compressed records should be
	}
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: attributes, LastOffsetDelta: int32(n - 1), FirstTimestamp: now,
		MaxTimestamp: now, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(n), Records: records,
	}
	f.falsify(&b)
	out := seal(b.AppendTo(nil))
	switch f.IntN(12) {
	case 0:
		binary.BigEndian.PutUint32(out[lengthAt:], uint32(f.edge32()))
	case 1:
		out[magicAt] = byte(f.Uint32())
	case 2:
		out = out[:f.IntN(len(out))]
	case 3:
		out = append(out, out...)
	case 4:
		out[f.IntN(len(out))] ^= 1 << f.IntN(8)
	case 5:
		binary.BigEndian.PutUint64(out, uint64(f.edge64()))
	}
	return out
}

// falsify changes fields of the header that the checksum vouches for.
func (f *forger) falsify(b *kmsg.RecordBatch) {
	switch f.IntN(9) {
	case 0:
		b.NumRecords = f.edge32()
	case 1:
		b.LastOffsetDelta = f.edge32()
	case 2: // consistent, and not what the records are
		b.NumRecords = max(1, f.edge32()&math.MaxInt32)
		b.LastOffsetDelta = b.NumRecords - 1
	case 3:
		b.Attributes = int16(f.Uint32())
	case 4:
		b.FirstTimestamp, b.MaxTimestamp = f.edge64(), f.edge64()
	case 5:
		b.ProducerID, b.ProducerEpoch, b.FirstSequence = f.edge64(), int16(f.Uint32()), f.edge32()
	case 6:
		b.ProducerID, b.ProducerEpoch, b.FirstSequence = int64(f.IntN(5)), int16(f.IntN(3)), int32(f.IntN(10))
	}
}

// records are some records, of which one may be wrong, and their number.
func (f *forger) records() ([]byte, int) {
	n := 1 + f.IntN(5)
	wrong := f.IntN(2 * n)
	var b []byte
	for i := range n {
		r := kmsg.Record{OffsetDelta: int32(i), Key: []byte("k"), Value: f.noise(f.IntN(50))}
		if f.IntN(4) == 0 {
			r.Headers = []kmsg.Header{{Key: "h", Value: []byte("v")}}
		}
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		if i != wrong {
			b = r.AppendTo(b)
			continue
		}
		switch f.IntN(7) {
		case 0:
			r.Length = f.edge32()
		case 1:
			r.OffsetDelta = f.edge32()
		case 2:
			r.TimestampDelta64 = f.edge64()
		case 3:
			r.Key = nil
		case 4: // a varint without an end
			b = append(b, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"...)
		case 5: // a varint longer than need be
			b = append(b, 0x8c, 0x80, 0x80, 0x80, 0x00)
		case 6:
			b = append(b, f.noise(20)...)
		}
		b = r.AppendTo(b)
	}
	return b, n
}

// squeeze compresses.
func squeeze(codec int, b []byte) []byte {
	var out bytes.Buffer
	switch codec {
	case codecGzip:
		w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
		w.Write(b)
		w.Close()
	case codecSnappy:
		return snappy.Encode(nil, b)
	case codecLZ4:
		w := lz4.NewWriter(&out)
		w.Write(b)
		w.Close()
	case codecZstd:
		w, _ := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
		w.Write(b)
		w.Close()
	}
	return out.Bytes()
}

// swollen are batches with good headers whose compressed records swell as far as
// their codec lets them within a request of a megabyte.
var swollen = sync.OnceValue(func() [][]byte {
	const gigabyte = 1e9
	// Blocks of noise that a small window cannot find again: what swells in one
	// codec stays large in another.
	random := bytes.Repeat(noise(100<<10), 400)
	bombs := [][]byte{
		bombBatch(codecGzip, zeros(codecGzip, gigabyte)),
		bombBatch(codecZstd, zeros(codecZstd, gigabyte)),
		bombBatch(codecZstd, squeeze(codecZstd, append(bombHead(len(random)), random...))),
		bombBatch(codecLZ4, zeros(codecLZ4, 100<<20)),
		bombBatch(codecSnappy, zeros(codecSnappy, 16<<20)),
		bombBatch(codecSnappy, binary.AppendUvarint(nil, math.MaxUint32)),
		bombBatch(codecZstd, wideWindow()),
	}
	for i, b := range bombs {
		if len(b) > 1<<20 {
			panic(fmt.Sprintf("bomb %d has %d bytes, too large to be sent", i, len(b)))
		}
	}
	return bombs
})

// zeros is a record of size bytes, nearly all of them zeros, compressed. What can
// be in pieces is: one piece is compressed, and repeated.
func zeros(codec, size int) []byte {
	piece := size
	if codec == codecGzip || codec == codecZstd {
		piece = 4 << 20
	}
	out := squeeze(codec, append(bombHead(size), make([]byte, piece)...))
	if size > piece {
		out = append(out, bytes.Repeat(squeeze(codec, make([]byte, piece)), size/piece-1)...)
	}
	return out
}

// bombHead is the start of one record whose value has size bytes.
func bombHead(size int) []byte {
	body := []byte{0, 0, 0, 2, 'k'} // attributes, deltas, a key
	body = binary.AppendVarint(body, int64(size-64))
	return append(binary.AppendVarint(nil, int64(len(body)+size-64+1)), body...)
}

// wideWindow is a zstd frame that asks for a window of 2 GiB (RFC 8878, 3.1.1.1.2)
// and has one block of a repeated byte.
func wideWindow() []byte {
	b := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3}
	const last, runLength = 1, 1 << 1
	block := uint32(last | runLength | 100_000<<3)
	return append(b, byte(block), byte(block>>8), byte(block>>16), 0)
}

// bombBatch is a batch of one record that is compressed already.
func bombBatch(codec int16, records []byte) []byte {
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: codec, FirstTimestamp: 1_700_000_000_000,
		MaxTimestamp: 1_700_000_000_000, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: 1, Records: records,
	}
	return seal(b.AppendTo(nil))
}
