package test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// vitals are what a server holds.
type vitals struct {
	resident    int64 // bytes of memory
	goroutines  int
	descriptors int
}

func (v vitals) String() string {
	return fmt.Sprintf("%.1f MiB resident, %d goroutines, %d descriptors", float64(v.resident)/(1<<20), v.goroutines, v.descriptors)
}

// measure collects garbage in the server and reads its vitals. Connections that
// the measuring itself takes may count.
func measure(t testing.TB, b *broker) vitals {
	t.Helper()
	for range 2 { // what is pooled survives one collection
		if code, text := b.get("/debug/pprof/heap?gc=1&debug=1"); code != 200 {
			t.Fatalf("heap profile: status %d: %s", code, text)
		}
	}
	_, text := b.get("/debug/pprof/goroutine?debug=1")
	var v vitals
	if _, err := fmt.Sscanf(text, "goroutine profile: total %d", &v.goroutines); err != nil {
		t.Fatalf("goroutine profile %.100q: %v", text, err)
	}
	v.resident = resident(t, b)
	if hasProc {
		fds, err := os.ReadDir(b.proc("fd"))
		if err != nil {
			t.Fatal(err)
		}
		v.descriptors = len(fds)
	}
	return v
}

// hasProc says that the system tells about processes in /proc. Without it memory,
// descriptors and processor time count as 0.
const hasProc = runtime.GOOS == "linux"

// proc is the path of a file that tells about the process (proc(5)).
func (b *broker) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(b.cmd.Process.Pid), name)
}

// resident is the server's VmRSS.
func resident(t testing.TB, b *broker) int64 {
	t.Helper()
	if !hasProc {
		return 0
	}
	text, err := os.ReadFile(b.proc("status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// processorTime is what the server has used so far.
func processorTime(t testing.TB, b *broker) time.Duration {
	t.Helper()
	if !hasProc {
		return 0
	}
	text, err := os.ReadFile(b.proc("stat"))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] { // user and system time, in hundredths of a second
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

const (
	// strayGoroutines and strayDescriptors come and go on their own.
	strayGoroutines  = 10
	strayDescriptors = 16
)

// makeCoordinatorTopic makes the topic of the groups, which stays, before anything is
// measured.
func makeCoordinatorTopic(t testing.TB, b *broker) {
	t.Helper()
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKeys = []string{"g"}
	ask[*kmsg.FindCoordinatorResponse](dial(t, b.addr), 4, find)
}

// requireBack waits until the server holds no more than before, apart from some
// memory. The race detector's memory says nothing, so it is not looked at.
func requireBack(t testing.TB, b *broker, before vitals) {
	t.Helper()
	var now vitals
	eventually(t, "what was taken is given back", func() error {
		now = measure(t, b)
		if now.goroutines > before.goroutines+strayGoroutines || now.descriptors > before.descriptors+strayDescriptors ||
			!raceEnabled && now.resident > before.resident+grownBytes {
			return fmt.Errorf("before: %v; now: %v", before, now)
		}
		return nil
	})
	t.Logf("before: %v; after: %v", before, now)
}
