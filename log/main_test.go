package log

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"sordini/log/epoch"
	"sordini/log/producer"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

const (
	rootDir = "data"
	logDir  = rootDir + "/t-0"
)

// flushed flushes a log, and completes its segments.
func flushed(l *Log) (Position, error) {
	pos, err := l.Flush()
	if err == nil {
		err = l.Seal()
	}
	return pos, err
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// entry is a batch of the history.
type entry struct {
	header batch.Header
	bytes  []byte
}

// newDisk returns a file system with a durable, empty log directory.
func newDisk(t testing.TB) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll(logDir); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{".", rootDir} {
		if err := mem.SyncDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	return mem
}

func options(fsys vfs.FS) Options {
	return Options{
		FS: fsys, Dir: logDir, Handles: segment.NewHandles(fsys, 8), Logger: quiet,
		Now:         func() time.Time { return time.UnixMilli(1_700_000_000_000) },
		LeaderEpoch: 1, IndexInterval: 512,
		Config: Config{SegmentBytes: 3000, IndexBytes: 1 << 20, Retention: -1, RetainBytes: -1, Delete: true},
	}
}

func mustOpen(t testing.TB, opt Options, known Known) *Log {
	t.Helper()
	l, _, err := Open(opt, known)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// built makes a batch to be appended.
func built(b *batch.Builder, records int, value []byte, timestamp int64) *Append {
	b.Reset()
	for i := range records {
		b.Add(timestamp+int64(i), nil, value)
	}
	out, err := b.Bytes()
	if err != nil {
		panic(err)
	}
	h, err := batch.ParseHeader(out)
	if err != nil {
		panic(err)
	}
	a := NewAppend()
	a.Batch, a.Header = out, h
	return a
}

// randomBatch is a small batch, of a producer in one of three cases.
func randomBatch(rng *rand.Rand, sequences map[int64]int32) *Append {
	b := batch.Builder{Codec: batch.Codec(rng.IntN(5))}
	records := 1 + rng.IntN(4)
	if rng.IntN(3) == 0 {
		id := int64(rng.IntN(4))
		b.Producer = &batch.Producer{ID: id, Epoch: 0, Sequence: sequences[id]}
		sequences[id] += int32(records)
	}
	value := make([]byte, rng.IntN(300))
	for i := range value {
		value[i] = byte(rng.Uint32())
	}
	return built(&b, records, value, 1_600_000_000_000+rng.Int64N(10_000))
}

// known is what an orderly shutdown or a checkpoint would note.
func known(l *Log, clean bool) Known {
	st := l.State()
	return Known{Start: st.Start, Recovery: st.Flushed.Offset, Clean: clean, End: st.End.Offset, Segment: st.End.Segment, Size: st.End.Pos}
}

// readAllBatches reads the log from its start to its end.
func readAllBatches(l *Log, maxBytes int64) ([]entry, error) {
	st := l.State()
	if st.Failure != nil {
		return nil, st.Failure
	}
	var all []entry
	for offset := st.Start; offset < st.End.Offset; {
		r, err := l.Read(offset, maxBytes, st.End, true)
		if err != nil {
			return nil, fmt.Errorf("read %d: %w", offset, err)
		}
		b := make([]byte, r.Len())
		if len(b) > 0 {
			_, err = r.ReadAt(b, 0)
		}
		r.Release()
		if err != nil || len(b) == 0 {
			return nil, fmt.Errorf("read %d below %d: %d bytes, %v", offset, st.End.Offset, len(b), err)
		}
		for len(b) > 0 {
			var first []byte
			if first, b, err = batch.Split(b); err != nil {
				return nil, fmt.Errorf("read %d: %w", offset, err)
			}
			h, err := batch.ParseHeader(first)
			if err == nil {
				err = batch.CheckCRC(first, h)
			}
			if err != nil {
				return nil, fmt.Errorf("read %d: %w", offset, err)
			}
			if h.LastOffset() >= offset {
				all = append(all, entry{h, first})
				offset = h.LastOffset() + 1
			}
		}
	}
	return all, nil
}

// check compares a log with the history of all batches from offset 0.
func check(l *Log, history []entry) error {
	st := l.State()
	got, err := readAllBatches(l, 2000)
	if err != nil {
		return err
	}
	want := history
	for len(want) > 0 && want[0].header.LastOffset() < st.Start {
		want = want[1:]
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d batches from %d to %d, want %d", len(got), st.Start, st.End.Offset, len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i].bytes, want[i].bytes) {
			return fmt.Errorf("batch %d at %d is another than was appended at %d", i, got[i].header.BaseOffset, want[i].header.BaseOffset)
		}
	}
	return checkDerived(l, history)
}

// checkDerived compares producer state and epochs with what the history says.
func checkDerived(l *Log, history []entry) error {
	var epochs epoch.List
	producers := producer.NewState()
	for _, e := range history {
		producers.Update(&e.header)
		epochs.Add(e.header.LeaderEpoch, e.header.BaseOffset)
	}
	if got, want := l.producers.Snapshot(), producers.Snapshot(); !bytes.Equal(got, want) {
		return fmt.Errorf("producer state differs from the log's:\n%x\n%x", got, want)
	}
	st := l.State()
	epochs.StartAt(st.Start)
	if st.Start == st.End.Offset {
		return nil // of an emptied log the epochs may be known or not
	}
	if got := l.Epochs(); fmt.Sprint(got) != fmt.Sprint(epochs) {
		return fmt.Errorf("leader epochs %v, want %v", got, epochs)
	}
	return nil
}

// endOf is the offset behind the last batch.
func endOf(history []entry) int64 {
	if len(history) == 0 {
		return 0
	}
	return history[len(history)-1].header.LastOffset() + 1
}

func isOffline(err error) bool {
	var offline *OfflineError
	return errors.As(err, &offline)
}

const noLimit = math.MaxInt64
