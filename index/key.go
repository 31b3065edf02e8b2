package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// The key index tells in which batches of a segment records of a key are. Big endian:
//
//	+-----------+-----------+-----------+-----------+-----------+-----------+
//	| "SKEY"    | version 1 | zero      | base      | log size  | entries n |
//	| 4 bytes   | uint16    | uint16    | int64     | int64     | uint64    |
//	+-----------+-----------+-----------+-----------+-----------+-----------+
//	| last pos  | last CRC  | CRC-32C   |  44 bytes so far
//	| uint32    | uint32    | uint32    |
//	+-----------+-----------+-----------+-----------+
//	| CRC-32C   | page, from 0          |           |  a page: 8 + 340 * 12 bytes,
//	| uint32    | uint32    | key hash  | position  |  the last one shorter
//	|           |           | uint64    | uint32    |
//	+-----------+-----------+-----------+-----------+
//
// Entries rise by hash, then position, and none is there twice. Position is where the
// batch starts in the .log file, so that one read leads to it. Which .log file that is
// tell the base offset, the size, and position and checksum of the last batch. A page's
// checksum covers all of the page behind it, that of the header all before it.
//
// The bloom filter says of a key that no record has it, or that one may:
//
//	+-----------+-----------+-----------+-----------+-----------+-----------+
//	| "SBLM"    | version 2 | probes    | base      | log size  | words w   |
//	| 4 bytes   | uint16    | uint16    | int64     | int64     | uint64    |
//	+-----------+-----------+-----------+-----------+-----------+-----------+
//	| last pos  | last CRC  | w words   | CRC-32C of all before             |
//	| uint32    | uint32    | uint64    | uint32                            |
//	+-----------+-----------+-----------+-----------------------------------+
//
// It consists of blocks of eight words. The first bits of a hash choose the block, and a
// product of it has six bits for each word, from the lowest on, which choose a bit there.
// So asking costs one access to memory, and a filter that is made from entries in order
// is written from its start to its end.
const (
	keyMagic      = "SKEY"
	bloomMagic    = "SBLM"
	keyVersion    = 1
	bloomVersion  = 2
	keyHeader     = 44
	bloomHeader   = 44
	keyPageHeader = 8
	keyEntrySize  = 12
	pageEntries   = 340
	keyPageSize   = keyPageHeader + pageEntries*keyEntrySize

	// BloomBits is the bits of a bloom filter for each key: about one key in 160 that
	// is not there passes.
	BloomBits  = 11
	blockWords = 8 // with one probe each
	blockBits  = 64 * blockWords
	probeBits  = 6
)

// ErrKeys is damage of a key index or a bloom filter.
var ErrKeys = errors.New("key index is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// KeyHash is the hash by which keys are indexed.
func KeyHash(key []byte) uint64 { return xxhash.Sum64(key) }

// KeyEntry says that the batch which starts at Pos has a record whose key has this hash.
type KeyEntry struct {
	Hash uint64
	Pos  uint32
}

// Compare orders entries as the file has them.
func (e KeyEntry) Compare(o KeyEntry) int {
	switch {
	case e.Hash < o.Hash, e.Hash == o.Hash && e.Pos < o.Pos:
		return -1
	case e == o:
		return 0
	}
	return 1
}

// KeySource is the .log file that an index was made from.
type KeySource struct {
	Base, Size int64
	LastPos    uint32 // where the last batch starts
	LastCRC    uint32 // the checksum in its header
}

// format says which of the files a header is of.
type format struct {
	magic           string
	version, number uint16
}

var (
	keyFormat   = format{keyMagic, keyVersion, 0}
	bloomFormat = format{bloomMagic, bloomVersion, blockWords}
)

func (s KeySource) append(b []byte, f format, n uint64) []byte {
	be := binary.BigEndian
	b = append(b, f.magic...)
	b = be.AppendUint16(b, f.version)
	b = be.AppendUint16(b, f.number)
	b = be.AppendUint64(b, uint64(s.Base))
	b = be.AppendUint64(b, uint64(s.Size))
	b = be.AppendUint64(b, n)
	b = be.AppendUint32(b, s.LastPos)
	return be.AppendUint32(b, s.LastCRC)
}

// parseSource reads what the headers of both files have in common.
func parseSource(b []byte, f format) (s KeySource, n uint64, err error) {
	be := binary.BigEndian
	if string(b[:4]) != f.magic || be.Uint16(b[4:]) != f.version || be.Uint16(b[6:]) != f.number {
		return s, 0, fmt.Errorf("%w: no header of version %d", ErrKeys, f.version)
	}
	s = KeySource{
		Base: int64(be.Uint64(b[8:])), Size: int64(be.Uint64(b[16:])),
		LastPos: be.Uint32(b[32:]), LastCRC: be.Uint32(b[36:]),
	}
	return s, be.Uint64(b[24:]), nil
}

// WriteKeys writes the key index of entries, which are in order and without doubles.
func WriteKeys(w io.Writer, src KeySource, entries []KeyEntry) error {
	be := binary.BigEndian
	b := src.append(make([]byte, 0, keyPageSize), keyFormat, uint64(len(entries)))
	if _, err := w.Write(be.AppendUint32(b, crc32.Checksum(b, castagnoli))); err != nil {
		return err
	}
	for page := uint32(0); len(entries) > 0; page++ {
		b = be.AppendUint32(append(b[:0], 0, 0, 0, 0), page)
		n := min(pageEntries, len(entries))
		for _, e := range entries[:n] {
			b = be.AppendUint64(b, e.Hash)
			b = be.AppendUint32(b, e.Pos)
		}
		be.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
		if _, err := w.Write(b); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// Keys reads a key index from its file. It may be used by any number of goroutines.
type Keys struct {
	Source KeySource
	n      int
}

// OpenKeys reads the header of a key index of size bytes. The error is ErrKeys, or
// one of r.
func OpenKeys(r io.ReaderAt, size int64) (*Keys, error) {
	var b [keyHeader]byte
	if size < keyHeader {
		return nil, fmt.Errorf("%w: %d bytes", ErrKeys, size)
	}
	if err := readFull(r, b[:], 0); err != nil {
		return nil, err
	}
	if crc32.Checksum(b[:keyHeader-4], castagnoli) != binary.BigEndian.Uint32(b[keyHeader-4:]) {
		return nil, fmt.Errorf("%w: checksum of the header", ErrKeys)
	}
	src, n, err := parseSource(b[:], keyFormat)
	if err != nil {
		return nil, err
	}
	if n > math.MaxInt32 || size != keysSize(int64(n)) {
		return nil, fmt.Errorf("%w: %d bytes for %d entries", ErrKeys, size, n)
	}
	return &Keys{Source: src, n: int(n)}, nil
}

func keysSize(n int64) int64 {
	return keyHeader + (n+pageEntries-1)/pageEntries*keyPageHeader + n*keyEntrySize
}

// Len is the number of entries.
func (k *Keys) Len() int { return k.n }

// KeyPage is a page of a key index that was read and checked.
type KeyPage struct {
	loaded bool
	page   int
	n      int
	buf    [keyPageSize]byte
}

func (p *KeyPage) at(i int) KeyEntry {
	b := p.buf[keyPageHeader+i*keyEntrySize:]
	return KeyEntry{binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:])}
}

func (k *Keys) load(r io.ReaderAt, p *KeyPage, page int) error {
	if p.loaded && p.page == page {
		return nil
	}
	p.loaded = false
	p.n = min(pageEntries, k.n-page*pageEntries)
	b := p.buf[:keyPageHeader+p.n*keyEntrySize]
	if err := readFull(r, b, keyHeader+int64(page)*keyPageSize); err != nil {
		return err
	}
	if crc32.Checksum(b[4:], castagnoli) != binary.BigEndian.Uint32(b) || binary.BigEndian.Uint32(b[4:]) != uint32(page) {
		return fmt.Errorf("%w: checksum of page %d", ErrKeys, page)
	}
	p.loaded, p.page = true, page
	return nil
}

// At is the entry of a slot, 0 to Len-1. p is kept from call to call.
func (k *Keys) At(r io.ReaderAt, p *KeyPage, slot int) (KeyEntry, error) {
	if err := k.load(r, p, slot/pageEntries); err != nil {
		return KeyEntry{}, err
	}
	return p.at(slot % pageEntries), nil
}

// guesses is how often Search guesses a page before it halves what is left.
const guesses = 3

// Search is the first slot whose entry is not below e. Hashes are spread evenly, so a
// guess leads to the page or beside it; two or three pages are read.
func (k *Keys) Search(r io.ReaderAt, p *KeyPage, e KeyEntry) (int, error) {
	low, high := 0, (k.n+pageEntries-1)/pageEntries // the page is in [low, high)
	lowHash, highHash := uint64(0), uint64(math.MaxUint64)
	for tries := 0; low < high; tries++ {
		page := (low + high) / 2
		if tries < guesses && highHash > lowHash {
			share := float64(e.Hash-lowHash) / float64(highHash-lowHash)
			page = min(high-1, low+int(share*float64(high-low)))
		}
		if err := k.load(r, p, page); err != nil {
			return 0, err
		}
		first, last := p.at(0), p.at(p.n-1)
		switch {
		case last.Compare(e) < 0:
			low, lowHash = page+1, min(last.Hash, e.Hash)
		case first.Compare(e) >= 0 && page > low:
			high, highHash = page, max(first.Hash, e.Hash)
		default:
			return page*pageEntries + p.search(e), nil
		}
	}
	return min(k.n, low*pageEntries), nil
}

func (p *KeyPage) search(e KeyEntry) int {
	low, high := 0, p.n
	for low < high {
		if mid := (low + high) / 2; p.at(mid).Compare(e) < 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// Bloom is a bloom filter of key hashes. It may be used by any number of goroutines.
type Bloom struct {
	Source KeySource
	words  []uint64
}

// NewBloom makes the filter for entries in order.
func NewBloom(src KeySource, entries []KeyEntry) *Bloom {
	n := 0
	for i := range entries {
		if i == 0 || entries[i].Hash != entries[i-1].Hash {
			n++
		}
	}
	f := &Bloom{Source: src, words: make([]uint64, (n*BloomBits+blockBits-1)/blockBits*blockWords)}
	for i := range entries {
		block, p := f.block(entries[i].Hash)
		block[0] |= 1 << (p % 64) // written out: a loop takes twice the time
		block[1] |= 1 << (p >> probeBits % 64)
		block[2] |= 1 << (p >> (2 * probeBits) % 64)
		block[3] |= 1 << (p >> (3 * probeBits) % 64)
		block[4] |= 1 << (p >> (4 * probeBits) % 64)
		block[5] |= 1 << (p >> (5 * probeBits) % 64)
		block[6] |= 1 << (p >> (6 * probeBits) % 64)
		block[7] |= 1 << (p >> (7 * probeBits) % 64)
	}
	return f
}

// block is the block of a hash, and its probes there. The filter is not empty.
func (f *Bloom) block(hash uint64) (block *[blockWords]uint64, probes uint64) {
	at, _ := bits.Mul64(hash, uint64(len(f.words)/blockWords))
	return (*[blockWords]uint64)(f.words[at*blockWords:]), bits.RotateLeft64(hash*0x9e3779b97f4a7c15, 32)
}

// Has says false if no record has a key of this hash.
func (f *Bloom) Has(hash uint64) bool {
	if len(f.words) == 0 {
		return false
	}
	block, probes := f.block(hash)
	for word := range block {
		if block[word]&(1<<(probes>>(word*probeBits)%64)) == 0 {
			return false
		}
	}
	return true
}

// Bytes is the memory that the filter takes.
func (f *Bloom) Bytes() int64 { return int64(len(f.words)) * 8 }

// Write writes the filter.
func (f *Bloom) Write(w io.Writer) error {
	const piece = 64 << 10
	b := f.Source.append(make([]byte, 0, piece+bloomHeader), bloomFormat, uint64(len(f.words)))
	var sum uint32
	for _, word := range f.words {
		if b = binary.BigEndian.AppendUint64(b, word); len(b) >= piece {
			sum = crc32.Update(sum, castagnoli, b)
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	sum = crc32.Update(sum, castagnoli, b)
	_, err := w.Write(binary.BigEndian.AppendUint32(b, sum))
	return err
}

// ParseBloom is the inverse of Write. The error is ErrKeys.
func ParseBloom(b []byte) (*Bloom, error) {
	if len(b) < bloomHeader {
		return nil, fmt.Errorf("%w: bloom filter of %d bytes", ErrKeys, len(b))
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(body):]) {
		return nil, fmt.Errorf("%w: checksum of the bloom filter", ErrKeys)
	}
	src, n, err := parseSource(body, bloomFormat)
	if err != nil {
		return nil, err
	}
	if body = body[bloomHeader-4:]; len(body)%(8*blockWords) != 0 || uint64(len(body)/8) != n {
		return nil, fmt.Errorf("%w: bloom filter of %d bytes for %d words", ErrKeys, len(b), n)
	}
	f := &Bloom{Source: src, words: make([]uint64, n)}
	for i := range f.words {
		f.words[i] = binary.BigEndian.Uint64(body[i*8:])
	}
	return f, nil
}
