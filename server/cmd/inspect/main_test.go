package inspect

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// logOptions are those of a log in dir that rolls at segmentBytes and indexes nearly every batch.
func logOptions(dir string, segmentBytes int64) log.Options {
	fsys := vfs.OS()
	return log.Options{
		FS: fsys, Dir: dir, Handles: segment.NewHandles(fsys, 8), Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now: time.Now, LeaderEpoch: 3, IndexInterval: 100,
		Config: log.Config{SegmentBytes: segmentBytes, IndexBytes: 1 << 20, Retention: -1, RetainBytes: -1},
	}
}

// openLog opens an empty log in a new directory, named as that of a partition.
func openLog(t *testing.T, segmentBytes int64) (*log.Log, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "orders-0")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, _, err := log.Open(logOptions(dir, segmentBytes), log.Known{})
	if err != nil {
		t.Fatal(err)
	}
	return l, dir
}

// appendBatches appends n batches of three records each, from the producer 7.
func appendBatches(t *testing.T, l *log.Log, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		b := batch.Builder{Producer: &batch.Producer{ID: 7, Epoch: 0, Sequence: int32(3 * i)}}
		for j := range 3 {
			at := 3*i + j
			b.Add(int64(1_000_000+at), fmt.Appendf(nil, "key-%03d", at), fmt.Appendf(nil, "value-%060d", at))
		}
		raw, err := b.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		a := log.NewAppend()
		a.Batch = raw
		if a.Header, err = batch.ParseHeader(raw); err != nil {
			t.Fatal(err)
		}
		l.Append(a)
		if a.Err != nil {
			t.Fatal(a.Err)
		}
	}
}

// closedLog is the directory of a log that was closed in order, with several segments.
func closedLog(t *testing.T) string {
	t.Helper()
	l, dir := openLog(t, 2000)
	appendBatches(t, l, 0, 20)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// verifyDir returns the reports of all segments.
func verifyDir(t *testing.T, dir string) []*Report {
	t.Helper()
	var reports []*Report
	err := Verify(dir, func(r *Report) error {
		reports = append(reports, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return reports
}

// flip changes one byte of a file.
func flip(t *testing.T, path string, pos int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[pos] ^= 0x40
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
