package group

import (
	"context"
	"fmt"
	"io"

	"sordini/protocol/batch"
	"sordini/server/group/record"
	"sordini/server/group/shard"
	"sordini/server/partition"
)

// loader replays a partition into a shard.
type loader struct {
	partition *partition.Partition
	shard     *shard.Shard
	chunk     int64 // bytes to read at a time; a batch that is larger is read whole

	next    int64 // offset to go on at
	records int64
	bytes   int64
	unknown int64 // records of kinds that are not used here
	buf     []byte
}

// run replays everything up to the high watermark, which is the log end as nobody
// writes yet.
func (l *loader) run(ctx context.Context) error {
	o, err := l.partition.Offsets()
	if err != nil {
		return err
	}
	l.next = o.Start
	for l.next < o.High.Offset {
		if err := ctx.Err(); err != nil {
			return err
		}
		before := l.next
		if err := l.step(); err != nil {
			return fmt.Errorf("at offset %d: %w", l.next, err)
		}
		if l.next == before {
			break // only a gap that compaction left is before the end
		}
	}
	l.next = o.High.Offset
	return nil
}

// step replays the next chunk.
func (l *loader) step() error {
	r, _, err := l.partition.Read(l.next, l.chunk, true)
	if err != nil {
		return err
	}
	defer r.Release()
	if int64(cap(l.buf)) < r.Len() {
		l.buf = make([]byte, r.Len())
	}
	b := l.buf[:r.Len()]
	if _, err := r.ReadAt(b, 0); err != nil && err != io.EOF {
		return err
	}
	l.bytes += int64(len(b))
	for len(b) > 0 {
		var first []byte
		if first, b, err = batch.Split(b); err != nil {
			return err
		}
		if err := l.batch(first); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) batch(b []byte) error {
	h, err := batch.ParseHeader(b)
	if err != nil {
		return err
	}
	if err := batch.CheckCRC(b, h); err != nil {
		return err
	}
	l.next = h.LastOffset() + 1
	if h.IsControl() {
		return nil
	}
	for r, err := range batch.Records(b, batch.Limits{}) {
		if err != nil {
			return err
		}
		rec, err := record.Decode(r.Key, r.Value)
		if err != nil {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
		l.records++
		if _, other := rec.(*record.Other); other {
			l.unknown++
			continue
		}
		l.shard.Replay(rec)
	}
	return nil
}
