package cmd

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"sordini/segment/vfs"
	"sordini/server/config"
	"sordini/server/partition"
)

func testBanner() banner {
	broker := config.Defaults().Broker()
	return banner{
		build:      buildInfo{Version: "0.1.0", Revision: "1a2b3c4d5e6f", Go: "go1.26.8", OS: "linux", Arch: "amd64"},
		dirs:       []bannerDir{{partition.Dir{Path: "./data"}, vfs.Usage{Total: 252 << 30, Free: 52 << 30, Type: "ext4"}}},
		flush:      broker.Topic(nil),
		recovery:   partition.Report{Clean: true, Topics: 3, Partitions: 12, Segments: 48, Took: 38 * time.Millisecond},
		kafka:      "127.0.0.1:9092",
		listeners:  broker.Network.Listeners,
		autoCreate: true,
		admin:      "127.0.0.1:9644",
		profiling:  true,
		took:       61 * time.Millisecond,
	}
}

func TestBanner_Defaults(t *testing.T) { golden(t, "banner.txt", testBanner().String()) }

// TestBanner_Example holds that the help shows what the command prints, but for where lines break.
func TestBanner_Example(t *testing.T) {
	words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	if got, want := words(testBanner().String()), words(exampleBanner); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBanner_Everything(t *testing.T) {
	b := testBanner()
	b.build = buildInfo{Version: "devel", Go: "go1.26.8", OS: "linux", Arch: "arm64", Revision: "1a2b3c4d5e6f", Modified: true}
	b.dirs = []bannerDir{
		{partition.Dir{Path: "/ssd", Class: "ssd"}, vfs.Usage{Total: 252 << 30, Free: 52 << 30, Type: "ext4"}},
		{partition.Dir{Path: "/old", Class: "hdd", Cordoned: true}, vfs.Usage{Total: 1 << 40, Free: 1 << 30, Type: "xfs"}},
		{partition.Dir{Path: "/gone", Class: "hdd", Err: errors.New("not a directory")}, vfs.Usage{}},
		{partition.Dir{Path: "/unknown"}, vfs.Usage{}},
	}
	b.profile = "fast"
	b.flush = config.Topic{FlushPolicy: config.FlushAsync, FlushMs: 1500, FlushMessages: 1000}
	b.recovery = partition.Report{
		Topics: 1, Partitions: 2, Segments: 5, Scanned: 2, Batches: 4021, Records: 118203, Bytes: 3 << 30, Cut: 688, Damaged: 1, Offline: 1,
		Checkpoint: true, JournalEntries: 12, JournalBytes: 48 << 10,
		Took: 2100 * time.Millisecond,
	}
	b.kafka = "[::]:9092"
	b.listeners = []config.Listener{{Name: "PLAINTEXT", Protocol: "PLAINTEXT", Port: 9092}, {Name: "DOCKER", Protocol: "PLAINTEXT", Port: 29092}}
	b.advertised = []config.Listener{{Name: "DOCKER", Protocol: "PLAINTEXT", Host: "broker", Port: 29092}}
	b.autoCreate, b.admin, b.profiling = false, "0.0.0.0:9644", false
	golden(t, "banner_everything.txt", b.String())
}

func TestDescribeFlush_Async(t *testing.T) {
	tests := []struct {
		ms, messages int64
		want         string
	}{
		{1000, math.MaxInt64, "after 1.0 s"},
		{200, math.MaxInt64, "after 200 ms"},
		{math.MaxInt64, 10, "after 10 records of a partition"},
		{math.MaxInt64 - 1, 10, "or 10 records of a partition"},
	}
	for _, tt := range tests {
		got, risk := describeFlush(config.Topic{FlushPolicy: config.FlushAsync, FlushMs: tt.ms, FlushMessages: tt.messages})
		if !strings.HasSuffix(got, tt.want) || len(risk) == 0 {
			t.Errorf("%d ms, %d messages: %q, want an end of %q", tt.ms, tt.messages, got, tt.want)
		}
	}
}

func TestDescribeRecovery_FirstStart(t *testing.T) {
	if got := describeRecovery(partition.Report{}); got != "no partitions yet" {
		t.Errorf("%q", got)
	}
}

func TestReachable(t *testing.T) {
	tests := map[string]string{
		"127.0.0.1:9092": "127.0.0.1:9092",
		"0.0.0.0:9092":   "127.0.0.1:9092",
		":9092":          "127.0.0.1:9092",
		"[::]:9092":      "[::1]:9092",
		"10.0.0.7:9092":  "10.0.0.7:9092",
		"broker:9092":    "broker:9092",
	}
	for address, want := range tests {
		if got := reachable(address); got != want {
			t.Errorf("reachable(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestFormatBytes(t *testing.T) {
	tests := map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 10 << 10: "10 KiB", 1536 << 10: "1.5 MiB", 52 << 30: "52 GiB", math.MaxInt64: "8.0 EiB",
	}
	for n, want := range tests {
		if got := formatBytes(n); got != want {
			t.Errorf("formatBytes(%d) = %q, want %q", n, got, want)
		}
	}
}
