//go:build linux

package floor

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sordini/test/bench/raw"
)

// start runs a floor that serves connections and connects to it.
func start(t *testing.T, name string, args ...string) *raw.Conn {
	t.Helper()
	r, w := io.Pipe()
	go Run(name, args, w) // until the test binary ends
	var addr [64]byte
	n, err := r.Read(addr[:])
	if err != nil {
		t.Fatal(err)
	}
	c, err := raw.Dial(strings.TrimSpace(string(addr[:n])))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestSend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	content := raw.Batch(10_000)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	c := start(t, SendName, path, "4000")
	if err := Ask(c, 0, 9000); err != nil {
		t.Fatal(err)
	}
	if err := Ask(c, 10, 4000); err != nil { // goes on behind the start of the last slice
		t.Fatal(err)
	}
	got := make([]byte, 9000+10+4000)
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(content[:8000], content[:1000], make([]byte, 10), content[4000:8000])
	if !bytes.Equal(got, want) {
		t.Error("other bytes than those of the file")
	}
}

// TestReceive: all units are taken, answered or not, and the files are gone after.
func TestReceive(t *testing.T) {
	unit := raw.Batch(1000)
	for _, answered := range []bool{false, true} {
		dir := t.TempDir() // each of its own: a receiver removes its files when the other side has gone
		c := start(t, ReceiveName, dir)
		if err := Announce(c, Delivery{Unit: len(unit), Count: 300, Files: 8, Answer: answered}); err != nil {
			t.Fatal(err)
		}
		if answered {
			n := 0
			if err := c.Pipeline([][]byte{unit}, 300, 5, func([]byte) error { n++; return nil }); err != nil || n != 300 {
				t.Fatalf("%d answers, %v", n, err)
			}
		} else if _, err := c.Write(bytes.Repeat(unit, 300)); err != nil {
			t.Fatal(err)
		} else if err := Done(c); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(dir, "floor-7")); err != nil || info.Size() != 37*1000 {
			t.Errorf("last file: %v, %v", info, err)
		}
		c.Close()
	}
}

func TestCommit(t *testing.T) {
	r, err := Commit(t.TempDir(), 4, 50*time.Millisecond)
	if err != nil || r.Rate <= 0 || len(r.Latencies) == 0 {
		t.Errorf("%v appends/s, %d latencies, %v", r.Rate, len(r.Latencies), err)
	}
}

func TestAnswer(t *testing.T) {
	c := start(t, AnswerName, t.TempDir(), "100", "2")
	began := time.Now()
	took, err := c.Repeat(make([]byte, 100), began, began.Add(50*time.Millisecond), func(b []byte) error {
		if len(b) != 60 {
			t.Errorf("answer of %d bytes", len(b))
		}
		return nil
	})
	if err != nil || len(took) == 0 {
		t.Errorf("%d answers, %v", len(took), err)
	}
}

func TestScan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	good := bytes.Repeat(raw.Batch(100_000), 30)
	if err := os.WriteFile(path, good, 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Run(ScanName, []string{path, path}, &out); err != nil {
		t.Fatal(err)
	}
	var r ScanResult
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Batches != 60 || r.Bytes != 6_000_000 {
		t.Errorf("result %+v, %v", r, err)
	}
	good[1_234_567]++
	if err := os.WriteFile(path, good, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Scan([]string{path}); err == nil || !strings.Contains(err.Error(), "position 1200000: wrong checksum") {
		t.Errorf("rot: %v", err)
	}
}

func TestRun_Arguments(t *testing.T) {
	for _, args := range [][]string{{SendName}, {SendName, "x", "0"}, {CommitName, ".", "x", "1s"}, {ScanName}, {"floor-none"}} {
		if err := Run(args[0], args[1:], io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
	if Is("floor-none") || !Is(ScanName) {
		t.Error("names of floors")
	}
}

// TestMute: a client finds all that it needs to write records.
func TestMute(t *testing.T) {
	c := start(t, MuteName, "3")
	client, err := kgo.NewClient(kgo.SeedBrokers(c.RemoteAddr().String()), kgo.DefaultProduceTopic(MuteTopic), kgo.RecordRetries(3))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 10 {
		if err := client.ProduceSync(ctx, &kgo.Record{Value: make([]byte, 1000)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}
