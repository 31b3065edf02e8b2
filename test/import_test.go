package test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kafkaDir unpacks a log directory that Apache Kafka 4.3.0 wrote.
func kafkaDir(t testing.TB, name string) string {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "server", "takeover", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		path := ""
		if err == nil {
			path = filepath.Join(dir, filepath.FromSlash(h.Name))
			err = os.MkdirAll(filepath.Dir(path), 0o755)
		}
		if err == nil && !h.FileInfo().IsDir() {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, b, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestImport takes over topics that Kafka wrote, and serves them: records, settings, and
// the offsets of a group. The server refuses Kafka's own directory and says what to do.
func TestImport(t *testing.T) {
	kafka := kafkaDir(t, "kafka-4.3.0-stopped.tar.zst")
	b := newBroker(t)
	b.dir = kafka
	if err := b.tryStart(); err == nil || !strings.Contains(err.Error(), "sordini import "+kafka) {
		t.Fatalf("a server on Kafka's directory: %v", err)
	}
	b.dir = filepath.Join(t.TempDir(), "data")
	text := importTopics(t, 1, kafka, "--data-dir", b.dir)
	if !strings.Contains(text, "aborted: refused") {
		t.Errorf("import: %s", text)
	}
	importTopics(t, 0, kafka, "--data-dir", b.dir, "--uncommitted")
	b.start()
	if text := importTopics(t, 1, kafka, "--data-dir", b.dir); !strings.Contains(text, "stop it first") {
		t.Errorf("import while the server runs: %s", text)
	}
	next := make(map[int32]int64)
	consume(t, b, "orders", func(r *kgo.Record) {
		i := 2*next[r.Partition] + int64(r.Partition)
		want := fmt.Sprintf("k%d=round %d value %d at %d [{h [49]} {h []}]", i%10, i/10, i%10, 1_795_000_000_000+500*i)
		if got := fmt.Sprintf("%s=%s at %d %v", r.Key, r.Value, r.Timestamp.UnixMilli(), r.Headers); r.Offset != next[r.Partition] || got != want {
			t.Errorf("partition %d, offset %d: %s, want %s", r.Partition, r.Offset, got, want)
		}
		next[r.Partition]++
	})
	if next[0] != 15 || next[1] != 15 {
		t.Errorf("records by partition: %v", next)
	}
	if d := digestOf(t, b.addr, "codecs"); d.records != 15 {
		t.Errorf("%d records of codecs", d.records)
	}
	c := client(t, b)
	offsets, err := kadm.NewClient(c).FetchOffsets(within(t, patience), "readers")
	if err != nil {
		t.Fatal(err)
	}
	for partition, at := range []int64{4, 9} {
		if o, ok := offsets.Lookup("orders", int32(partition)); !ok || o.At != at {
			t.Errorf("committed offset of partition %d: %+v, want %d", partition, o, at)
		}
	}
	starts, err := kadm.NewClient(c).ListStartOffsets(within(t, patience), "deleted")
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := starts.Lookup("deleted", 0); !ok || o.Offset != 7 {
		t.Errorf("log start: %+v", o)
	}
}
