package audit

import (
	"context"
	"fmt"
	"io"

	"sordini/protocol/batch"
	"sordini/server/partition"
)

const (
	// readBytes is how much is read at a time.
	readBytes = 1 << 20
	// closeEnough is the number of records at which bisecting ends.
	closeEnough = 32
)

// tape is a partition of the topic, to be read as it is now.
type tape struct {
	ctx        context.Context
	partition  *partition.Partition
	start, end int64
	budget     int64 // bytes that may still be read
	buf        []byte
}

func newTape(ctx context.Context, p *partition.Partition, budget int64) (*tape, error) {
	o, err := p.Offsets()
	if err != nil {
		return nil, err
	}
	return &tape{ctx: ctx, partition: p, start: o.Start, end: o.High.Offset, budget: budget}, nil
}

// since is the offset of the first record that was written at a time or later, in
// microseconds since 1970.
func (t *tape) since(at int64) (offset int64, found bool, err error) {
	o, err := t.partition.Offsets()
	if err != nil {
		return 0, false, err
	}
	f, found, err := t.partition.Log().FindTimestamp(at/1000, o.High)
	return f.Offset, found, err
}

// played is a batch of a tape.
type played struct {
	base, next int64
	records    []batch.Record // in memory of the tape, until the next batch
}

// clients are those that the batch tells.
func (p *played) clients() []Client {
	for _, r := range p.records {
		if kind, _ := parseKey(r.Key); kind == kindClients {
			all, err := readClients(r.Value)
			if err != nil {
				return nil
			}
			return all
		}
	}
	return nil
}

// client is one of them.
func (p *played) client(n int) Client {
	if all := p.clients(); n < len(all) {
		return all[n]
	}
	return Client{}
}

// play calls f for each batch from the one with an offset on, until it returns false.
// whole says that it came to the end, and not to the bound of what may be read.
func (t *tape) play(from, to int64, f func(*played) (more bool, err error)) (whole bool, err error) {
	next := max(from, t.start)
	for next < to {
		if t.budget <= 0 {
			return false, nil
		}
		if err := t.ctx.Err(); err != nil {
			return false, err
		}
		r, o, err := t.partition.Read(next, readBytes, true)
		if o.Start > next && err != nil {
			next = o.Start // retention was faster
			continue
		}
		if err != nil {
			return false, err
		}
		b, err := t.load(r.Len(), &r)
		r.Release()
		if err != nil {
			return false, err
		}
		if len(b) == 0 {
			return true, nil
		}
		t.budget -= int64(len(b))
		for len(b) > 0 {
			var first []byte
			if first, b, err = batch.Split(b); err != nil {
				return false, err
			}
			p, err := playedFrom(first)
			if err != nil {
				return false, err
			}
			if next = p.next; p.base >= to {
				return true, nil
			}
			if more, err := f(p); err != nil || !more {
				return true, err
			}
		}
	}
	return true, nil
}

// source is what a range of a log reads like.
type source interface {
	ReadAt(p []byte, pos int64) (int, error)
}

func (t *tape) load(n int64, r source) ([]byte, error) {
	if int64(cap(t.buf)) < n {
		t.buf = make([]byte, n)
	}
	b := t.buf[:n]
	if _, err := r.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}

func playedFrom(b []byte) (*played, error) {
	h, err := batch.ParseHeader(b)
	if err != nil {
		return nil, err
	}
	if err := batch.CheckCRC(b, h); err != nil {
		return nil, err
	}
	p := &played{base: h.BaseOffset, next: h.LastOffset() + 1}
	for r, err := range batch.Records(b, batch.Limits{}) {
		if err != nil {
			return nil, fmt.Errorf("offset %d: %w", h.BaseOffset, err)
		}
		p.records = append(p.records, r)
	}
	return p, nil
}

// checkpoint finds what a batch says of a partition, if it is a checkpoint. A partition
// that it does not name was empty.
func (p *played) checkpoint(of place) (e extent, is bool, err error) {
	for _, r := range p.records {
		if kind, _ := parseKey(r.Key); kind != kindCheckpoint {
			continue
		}
		is = true
		x, found, err := readCheckpoint(r.Value, of)
		if err != nil {
			return e, is, err
		}
		if found {
			return x, is, nil
		}
	}
	return e, is, nil
}

// seek returns the offset of the last checkpoint that is not past what is looked for,
// or the start if all are.
func (t *tape) seek(of place, past func(extent) bool) (int64, error) {
	low, high := t.start, t.end
	for high-low > closeEnough {
		middle := low + (high-low)/2
		at, is := middle, false
		var gone bool
		whole, err := t.play(middle, high, func(p *played) (bool, error) {
			e, found, err := p.checkpoint(of)
			if found {
				at, is, gone = p.base, true, past(e)
			}
			return !found, err
		})
		switch {
		case err != nil:
			return 0, err
		case !whole:
			return low, nil
		case is && !gone:
			if at <= low {
				return low, nil
			}
			low = at
		default:
			high = middle
		}
	}
	return low, nil
}
