package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sordini/log"
	"sordini/protocol/batch"
	"sordini/segment"
	"sordini/segment/vfs"
)

// writeLog makes the log of a partition in a new working directory, and closes it in order. Its path is orders-0.
func writeLog(t *testing.T) string {
	t.Helper()
	t.Chdir(t.TempDir())
	const dir = "orders-0"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	fsys := vfs.OS()
	l, _, err := log.Open(log.Options{
		FS: fsys, Dir: dir, Handles: segment.NewHandles(fsys, 8), Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now: time.Now, LeaderEpoch: 2, IndexInterval: 100,
		Config: log.Config{SegmentBytes: 600, IndexBytes: 1 << 20, Retention: -1, RetainBytes: -1},
	}, log.Known{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		b := batch.Builder{Producer: &batch.Producer{ID: 7, Sequence: int32(2 * i)}}
		at := int64(1_700_000_000_000 + 1000*i)
		b.Add(at, fmt.Appendf(nil, "key-%d", i), []byte("héllo \x00\n"), batch.RecordHeader{Key: "trace", Value: []byte("1")})
		b.Add(at+1, nil, bytes.Repeat([]byte("v"), 100))
		raw, err := b.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		a := log.NewAppend()
		a.Batch = raw
		if a.Header, err = batch.ParseHeader(raw); err != nil {
			t.Fatal(err)
		}
		if l.Append(a); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// outputOf runs a command and compares its exit code.
func outputOf(t *testing.T, code int, args ...string) string {
	t.Helper()
	p := newTestProcess(args...)
	if got := p.run(); got != code {
		t.Fatalf("%q: exit code %d, want %d: %s", args, got, code, p.err.String())
	}
	return p.out.String()
}

// damage flips a byte in the second batch of the log's first segment.
func damage(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, segment.FileName(0, segment.LogSuffix))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := batch.Split(b)
	if err != nil {
		t.Fatal(err)
	}
	b[len(first)+70] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// goldenFrom reads golden files by a path that a change of the working directory does not move.
func goldenFrom(t *testing.T) func(name, got string) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return func(name, got string) {
		t.Helper()
		t.Chdir(here)
		golden(t, name, got)
	}
}

func TestSegmentVerify(t *testing.T) {
	compare := goldenFrom(t)
	dir := writeLog(t)
	good := outputOf(t, exitOK, "segment", "verify", dir)
	damage(t, dir)
	bad := outputOf(t, exitDamage, "segment", "verify", ".")
	var report struct {
		JSONVersion int `json:"_version"`
		Faults      int
	}
	if err := json.Unmarshal([]byte(outputOf(t, exitDamage, "segment", "verify", "-o", "json", dir)), &report); err != nil {
		t.Fatal(err)
	}
	if report.JSONVersion != jsonVersion || report.Faults != 1 {
		t.Errorf("%+v", report)
	}
	compare("verify_good.txt", good)
	compare("verify_bad.txt", bad)
}

func TestSegmentVerify_Torn(t *testing.T) {
	dir := writeLog(t)
	entries, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(entries) == 0 {
		t.Fatal(entries, err)
	}
	last := entries[len(entries)-1]
	info, err := os.Stat(last)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(last, info.Size()-5); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{segment.IndexSuffix, segment.TimeIndexSuffix} {
		if err := os.Remove(strings.TrimSuffix(last, segment.LogSuffix) + suffix); err != nil {
			t.Fatal(err)
		}
	}
	if got := outputOf(t, exitDamage, "segment", "verify", dir); !strings.Contains(got, " TORN ") || strings.Contains(got, "BAD") {
		t.Errorf("%s", got)
	}
}

func TestSegmentDump(t *testing.T) {
	compare := goldenFrom(t)
	dir := writeLog(t)
	first := filepath.Join(dir, segment.FileName(0, ""))
	outputs := map[string]string{
		"dump_batches.txt":   outputOf(t, exitOK, "segment", "dump", dir),
		"dump_records.txt":   outputOf(t, exitOK, "segment", "dump", "--records", "--cut", "20", first+".log"),
		"dump_records.json":  outputOf(t, exitOK, "segment", "dump", "--records", "--cut", "20", "-o", "json", first+".log"),
		"dump_index.txt":     outputOf(t, exitOK, "segment", "dump", first+".index", first+".timeindex"),
		"dump_index.json":    outputOf(t, exitOK, "segment", "dump", "-o", "json", first+".index", first+".timeindex"),
		"dump_producers.txt": outputOf(t, exitOK, "segment", "dump", filepath.Join(dir, segment.FileName(12, ".snapshot")), filepath.Join(dir, segment.FileName(12, ".producers"))),
	}
	damage(t, dir)
	outputs["dump_damage.txt"] = outputOf(t, exitOK, "segment", "dump", first+".log")
	for name, got := range outputs {
		if strings.HasSuffix(name, ".json") {
			for line := range strings.Lines(got) {
				if !json.Valid([]byte(line)) || !strings.Contains(line, `"_version":1`) {
					t.Errorf("%s: %q", name, line)
				}
			}
		}
		compare(name, got)
	}
}

func TestSegmentDump_Refusals(t *testing.T) {
	dir := writeLog(t)
	for path, want := range map[string]string{
		filepath.Join(dir, "leader-epoch-checkpoint"): "not that of a file of a segment",
		filepath.Join(dir, "missing.log"):             "no such file",
		".":                                           "no segment files",
	} {
		p := newTestProcess("segment", "dump", path)
		if code := p.run(); code != exitFailure || !strings.Contains(p.err.String(), want) {
			t.Errorf("%s: exit code %d: %s", path, code, p.err.String())
		}
	}
}
