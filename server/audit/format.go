package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"

	"sordini/server/meta"
	"sordini/server/partition"
)

/*
Partition 0 holds one record for each change, start and stop: JSON, see [Change].

The batches of partitions 1 and 2 stand alone: each tells its own clients. The key of a
record says what it is. Numbers are big endian; uvarint and varint are those of
encoding/binary, a text is a uvarint length and bytes, a time is in microseconds since
1970.

	key    version uint8 = 1, kind uint8, and for pages: topic id [16]byte, partition int32

	kind 1, clients: those that other records of the batch refer to by number, from 0
	  count uvarint, and for each: id text, address text ("host:port"), listener text

	kind 2, page of appends and flushes of one partition
	  leader epoch varint, base offset varint, base time varint, and entries to the end:
	    append  1 uint8, client uvarint
	    flush   2 uint8, by uint8: 1 journal, 2 segment, 3 recovery, 4 stop
	    and for both:
	      from  varint   first offset, less the base offset
	      count uvarint  offsets from there
	      time  varint   of the first, less the base time
	      span  uvarint  time from the first to the last

	kind 3, page of commits for one partition
	  base time varint, and entries to the end:
	    group text, offset varint, time varint less the base time, client uvarint

	kind 4, gap: what was dropped
	  from time varint, span uvarint, appends uvarint, flushes uvarint, commits uvarint

	kind 5, checkpoint, in partition 1: how far logs were. One may take several records.
	  count uvarint, and for each: topic id [16]byte, partition uint32,
	    leader epoch varint, log end uvarint, durable up to uvarint
*/
const (
	formatVersion = 1

	kindClients    = 1
	kindPage       = 2
	kindCommits    = 3
	kindGap        = 4
	kindCheckpoint = 5

	entryAppend = 1
	entryFlush  = 2
)

// errFormat: what was read is not what this package writes.
var errFormat = errors.New("malformed audit record")

// place names a partition for good.
type place struct {
	topic meta.TopicID
	index int32
}

// keySize is the size of a key of a page.
const keySize = 2 + 16 + 4

func appendKey(b []byte, kind byte, p place) []byte {
	b = append(b, formatVersion, kind)
	b = append(b, p.topic[:]...)
	return binary.BigEndian.AppendUint32(b, uint32(p.index))
}

// parseKey tells kind and, of a page, its partition. A record of a later version has
// kind 0.
func parseKey(b []byte) (kind byte, p place) {
	if len(b) < 2 || b[0] != formatVersion {
		return 0, place{}
	}
	if kind = b[1]; kind != kindPage && kind != kindCommits {
		return kind, place{}
	}
	if len(b) != keySize {
		return 0, place{}
	}
	copy(p.topic[:], b[2:])
	p.index = int32(binary.BigEndian.Uint32(b[18:]))
	return kind, p
}

// Client is who appended or committed.
type Client struct {
	ID       string // what the client calls itself
	Address  string // host:port
	Listener string
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendAddress(b []byte, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return appendText(b, "")
	}
	at := len(b)
	b = append(b, 0) // an address is shorter than 128
	b = a.AppendTo(b)
	b[at] = byte(len(b) - at - 1)
	return b
}

// span is a run of offsets with the time that it took.
type span struct {
	from, to int64 // offsets, to exclusive
	at, last int64 // microseconds since 1970
}

// fact is an entry of a page: an append if client is not negative, a flush otherwise.
type fact struct {
	span
	client int // number in the batch
	by     partition.Durability
}

type pageBase struct {
	epoch        int32
	offset, time int64
}

func appendPage(b []byte, p pageBase) []byte {
	b = binary.AppendVarint(b, int64(p.epoch))
	b = binary.AppendVarint(b, p.offset)
	return binary.AppendVarint(b, p.time)
}

func appendFact(b []byte, p *pageBase, f *fact) []byte {
	if f.client >= 0 {
		b = append(b, entryAppend)
		b = binary.AppendUvarint(b, uint64(f.client))
	} else {
		b = append(b, entryFlush, byte(f.by))
	}
	b = binary.AppendVarint(b, f.from-p.offset)
	b = binary.AppendUvarint(b, uint64(f.to-f.from))
	b = binary.AppendVarint(b, f.at-p.time)
	return binary.AppendUvarint(b, uint64(f.last-f.at))
}

// reader takes values from the front of bytes. What is wrong once is wrong for good.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) fail() { r.b, r.bad = nil, true }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

// count is a uvarint that is a number of offsets, microseconds or things.
func (r *reader) count() int64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > math.MaxInt64 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return int64(v)
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n int64) []byte {
	if n < 0 || n > int64(len(r.b)) {
		r.fail()
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) text() []byte { return r.bytes(r.count()) }

func (r *reader) span(offset, time int64) span {
	var s span
	s.from = offset + r.varint()
	s.to = s.from + r.count()
	s.at = time + r.varint()
	s.last = s.at + r.count()
	if s.from < 0 || s.to <= s.from || s.at < 0 || s.last < s.at {
		r.fail()
	}
	return s
}

func (r *reader) err(what string) error {
	if r.bad {
		return fmt.Errorf("%w: %s", errFormat, what)
	}
	return nil
}

// readPage calls yield with each entry of a page. The epoch is the page's.
func readPage(b []byte, yield func(epoch int32, f fact)) error {
	r := reader{b: b}
	epoch, offset, time := r.varint(), r.varint(), r.varint()
	if epoch < math.MinInt32 || epoch > math.MaxInt32 {
		r.fail()
	}
	for len(r.b) > 0 {
		f := fact{client: -1}
		switch r.byte() {
		case entryAppend:
			client := r.count()
			if client > maxClients {
				r.fail()
			}
			f.client = int(client)
		case entryFlush:
			f.by = partition.Durability(r.byte())
		default:
			r.fail()
		}
		f.span = r.span(offset, time)
		if !r.bad {
			yield(int32(epoch), f)
		}
	}
	return r.err("page")
}

// maxClients bounds the clients of one batch.
const maxClients = 1 << 20

// readClients returns the clients of a batch.
func readClients(b []byte) ([]Client, error) {
	r := reader{b: b}
	n := r.count()
	if n > int64(len(r.b))/3 { // each takes three lengths
		r.fail()
	}
	var all []Client
	for i := int64(0); i < n && !r.bad; i++ {
		all = append(all, Client{ID: string(r.text()), Address: string(r.text()), Listener: string(r.text())})
	}
	if len(r.b) > 0 {
		r.fail()
	}
	return all, r.err("clients")
}

// commit is an entry of a page of commits.
type commit struct {
	group  []byte // in the memory of the page
	offset int64
	at     int64
	client int
}

func readCommits(b []byte, yield func(commit)) error {
	r := reader{b: b}
	time := r.varint()
	for len(r.b) > 0 {
		c := commit{group: r.text(), offset: r.varint(), at: time + r.varint()}
		client := r.count()
		if client > maxClients || c.at < 0 {
			r.fail()
		}
		c.client = int(client)
		if !r.bad {
			yield(c)
		}
	}
	return r.err("commits")
}

func appendCommit(b []byte, time int64, group string, offset, at int64, client int) []byte {
	b = appendText(b, group)
	b = binary.AppendVarint(b, offset)
	b = binary.AppendVarint(b, at-time)
	return binary.AppendUvarint(b, uint64(client))
}

// Gap tells what was dropped, and when.
type Gap struct {
	From, To                  int64 // microseconds since 1970
	Appends, Flushes, Commits int64 // entries, each of one batch, flush or commit at least
}

func (g *Gap) empty() bool { return g.Appends+g.Flushes+g.Commits == 0 }

// add counts what else was dropped.
func (g *Gap) add(o Gap) {
	if o.empty() {
		return
	}
	if g.empty() || o.From < g.From {
		g.From = o.From
	}
	g.To = max(g.To, o.To)
	g.Appends += o.Appends
	g.Flushes += o.Flushes
	g.Commits += o.Commits
}

func appendGap(b []byte, g Gap) []byte {
	b = binary.AppendVarint(b, g.From)
	for _, v := range []int64{g.To - g.From, g.Appends, g.Flushes, g.Commits} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	return b
}

func readGap(b []byte) (Gap, error) {
	r := reader{b: b}
	g := Gap{From: r.varint()}
	g.To = g.From + r.count()
	g.Appends, g.Flushes, g.Commits = r.count(), r.count(), r.count()
	if len(r.b) > 0 || g.To < g.From {
		r.fail()
	}
	return g, r.err("gap")
}

// extent is how far the log of a partition was.
type extent struct {
	place
	epoch        int32
	end, durable int64
}

func appendExtent(b []byte, e *extent) []byte {
	b = append(b, e.topic[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(e.index))
	b = binary.AppendVarint(b, int64(e.epoch))
	b = binary.AppendUvarint(b, uint64(e.end))
	return binary.AppendUvarint(b, uint64(e.durable))
}

// readCheckpoint finds a partition in a record of a checkpoint.
func readCheckpoint(b []byte, p place) (e extent, found bool, err error) {
	r := reader{b: b}
	n := r.count()
	for i := int64(0); i < n && !r.bad; i++ {
		x := extent{place: place{topic: meta.TopicID(r.id()), index: int32(r.uint32())}}
		x.epoch = int32(r.varint())
		x.end, x.durable = r.count(), r.count()
		if !r.bad && x.place == p {
			e, found = x, true
		}
	}
	if len(r.b) > 0 {
		r.fail()
	}
	return e, found, r.err("checkpoint")
}

func (r *reader) id() (id [16]byte) {
	copy(id[:], r.bytes(16))
	return id
}

func (r *reader) uint32() uint32 {
	b := r.bytes(4)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}
