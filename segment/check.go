package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"sordini/protocol/batch"
)

// The .check file tells what the batch headers of a .log file were when it was
// written. The checksum in a batch leaves its first 17 bytes uncovered: base
// offset, length, leader epoch and magic, and nobody checks the rest before the
// broker goes by it. All integers are big endian:
//
//	+-----------+-----------+------------+-----------+----------+------------+
//	| "SCHK"    | version 1 | block bits | base      | log size | next       |
//	| 4 bytes   | uint16    | uint16     | int64     | int64    | uint32     |
//	+-----------+-----------+------------+-----------+----------+------------+
//	| times     | blocks n  | damaged d  |  40 bytes so far
//	| uint32    | uint32    | uint32     |
//	+-----------+-----------+------------+
//	| position  | offset    | CRC-32C    |  n times, 12 bytes
//	| uint32    | uint32    | uint32     |
//	+-----------+-----------+------------+-------------+
//	| position  | end       | offset     | next offset |  d times, 16 bytes
//	| uint32    | uint32    | uint32     | uint32      |
//	+-----------+-----------+------------+-------------+
//	| CRC-32C of all bytes above, uint32 |
//	+------------------------------------+
//
// Block k is the batches that start in bytes [k<<16, (k+1)<<16) of the .log file.
// Its entry has the position and the base offset of the first batch that starts
// there or behind, and the checksum over the 61 header bytes of all its batches,
// in order. The headers hold the lengths, so the positions are covered too. The
// damaged stretches are those known at the time. Offsets are relative to base,
// that of the segment; next is behind the last batch. times is the CRC-32C of the
// .timeindex file, whose entries cannot be held against a batch each.
const (
	checkMagic      = "SCHK"
	checkVersion    = 1
	checkHeader     = 40
	checkEntrySize  = 12
	checkDamageSize = 16
	checkSumSize    = 4

	blockBits = 16
	blockSize = 1 << blockBits

	// maxCheckSize bounds what is read: the entries of the largest segment take
	// 384 KiB.
	maxCheckSize = 4 << 20
)

var errCheck = errors.New("header checksums are damaged")

// blockSum is the entry of a block.
type blockSum struct {
	pos, rel, crc uint32
}

// sums is the entries of a segment as it grows. One goroutine uses it.
type sums struct {
	blocks []blockSum
	next   uint32 // relative offset behind the last batch
}

// add takes in the batch at pos, given by its first 61 bytes or more.
func (c *sums) add(pos int64, b []byte, base int64) {
	rel := uint32(int64(binary.BigEndian.Uint64(b)) - base)
	for k := int(pos >> blockBits); len(c.blocks) <= k; {
		c.blocks = append(c.blocks, blockSum{pos: uint32(pos), rel: rel})
	}
	last := &c.blocks[len(c.blocks)-1]
	last.crc = crc32.Update(last.crc, castagnoli, b[:batch.HeaderSize])
	c.next = rel + binary.BigEndian.Uint32(b[lastDeltaPos:]) + 1
}

func (c *sums) reset() { c.blocks, c.next = c.blocks[:0], 0 }

// checkTable is the contents of a .check file.
type checkTable struct {
	size   int64  // bytes of the log that it covers
	times  uint32 // checksum of the time index
	sums   sums
	damage []Damage
}

// relative is an offset as the file holds it; one out of reach means that nothing
// readable follows.
func relative(offset, base int64) uint32 {
	return uint32(min(max(offset-base, 0), math.MaxUint32))
}

func (t *checkTable) format(base int64) []byte {
	be := binary.BigEndian
	n := checkHeader + len(t.sums.blocks)*checkEntrySize + len(t.damage)*checkDamageSize + checkSumSize
	b := append(make([]byte, 0, n), checkMagic...)
	b = be.AppendUint16(b, checkVersion)
	b = be.AppendUint16(b, blockBits)
	b = be.AppendUint64(b, uint64(base))
	b = be.AppendUint64(b, uint64(t.size))
	b = be.AppendUint32(b, t.sums.next)
	b = be.AppendUint32(b, t.times)
	b = be.AppendUint32(b, uint32(len(t.sums.blocks)))
	b = be.AppendUint32(b, uint32(len(t.damage)))
	for _, e := range t.sums.blocks {
		b = be.AppendUint32(b, e.pos)
		b = be.AppendUint32(b, e.rel)
		b = be.AppendUint32(b, e.crc)
	}
	for _, d := range t.damage {
		b = be.AppendUint32(b, uint32(d.Pos))
		b = be.AppendUint32(b, uint32(d.EndPos))
		b = be.AppendUint32(b, relative(d.Offset, base))
		b = be.AppendUint32(b, relative(d.NextOffset, base))
	}
	return be.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// parseCheck is the inverse of format for the segment at base, whose .log file has
// size bytes.
func parseCheck(b []byte, base, size int64) (*checkTable, error) {
	be := binary.BigEndian
	if len(b) < checkHeader+checkSumSize || string(b[:4]) != checkMagic {
		return nil, fmt.Errorf("%w: no header", errCheck)
	}
	body := b[:len(b)-checkSumSize]
	if crc32.Checksum(body, castagnoli) != be.Uint32(b[len(body):]) {
		return nil, fmt.Errorf("%w: checksum", errCheck)
	}
	if v, bits := be.Uint16(b[4:]), be.Uint16(b[6:]); v != checkVersion || bits != blockBits {
		return nil, fmt.Errorf("%w: version %d, blocks of 2^%d bytes", errCheck, v, bits)
	}
	t := &checkTable{size: int64(be.Uint64(b[16:])), times: be.Uint32(b[28:])}
	if of := int64(be.Uint64(b[8:])); of != base || t.size != size {
		return nil, fmt.Errorf("%w: they are of %d bytes at offset %d, the segment at %d has %d", errCheck, t.size, of, base, size)
	}
	blocks, damaged := int64(be.Uint32(b[32:])), int64(be.Uint32(b[36:]))
	if int64(len(body)) != checkHeader+blocks*checkEntrySize+damaged*checkDamageSize {
		return nil, fmt.Errorf("%w: %d bytes for %d blocks and %d damaged stretches", errCheck, len(b), blocks, damaged)
	}
	t.sums = sums{blocks: make([]blockSum, blocks), next: be.Uint32(b[24:])}
	p := body[checkHeader:]
	for i := range t.sums.blocks {
		t.sums.blocks[i] = blockSum{be.Uint32(p), be.Uint32(p[4:]), be.Uint32(p[8:])}
		p = p[checkEntrySize:]
	}
	for ; len(p) > 0; p = p[checkDamageSize:] {
		t.damage = append(t.damage, Damage{
			Pos: int64(be.Uint32(p)), EndPos: int64(be.Uint32(p[4:])),
			Offset: base + int64(be.Uint32(p[8:])), NextOffset: base + int64(be.Uint32(p[12:])),
			Reason: "damage that was found before",
		})
	}
	return t, nil
}

// writeCheck writes the .check file for what the segment holds now and for the
// contents of its time index.
func (s *Segment) writeCheck(times []byte) error {
	t := &checkTable{size: s.size.Load(), times: crc32.Checksum(times, castagnoli), sums: s.sums, damage: s.Damages()}
	return s.WriteFile(CheckSuffix, t.format(s.base))
}

// readCheck reads the .check file of a segment of size bytes.
func (s *Segment) readCheck(size int64) (*checkTable, error) {
	name := s.path(CheckSuffix)
	info, err := s.opt.FS.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxCheckSize {
		return nil, fmt.Errorf("%s: %w: %d bytes", name, errCheck, info.Size())
	}
	b, err := readFile(s.opt.FS, name)
	if err != nil {
		return nil, err
	}
	t, err := parseCheck(b, s.base, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// sumAppended takes the headers of an append into the sums.
func (s *Segment) sumAppended(bufs [][]byte, entries []Entry, pos int64) {
	var rest []byte
	for i := range entries {
		if len(rest) == 0 {
			rest, bufs = bufs[0], bufs[1:]
		}
		s.sums.add(pos, rest, s.base)
		rest = rest[entries[i].Size:]
		pos += entries[i].Size
	}
}

// checkEntries makes sure that the entries describe the buffers batch by batch.
func checkEntries(bufs [][]byte, entries []Entry) error {
	var rest int64
	for i := range entries {
		if rest == 0 {
			if len(bufs) == 0 {
				return fmt.Errorf("entry %d has no bytes", i)
			}
			rest, bufs = int64(len(bufs[0])), bufs[1:]
		}
		if n := entries[i].Size; n < batch.HeaderSize || n > rest {
			return fmt.Errorf("entry %d is of %d bytes, its buffer has %d left", i, n, rest)
		}
		rest -= entries[i].Size
	}
	if rest != 0 || len(bufs) != 0 {
		return errors.New("bytes without an entry")
	}
	return nil
}
