package cmd

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sordini/server/partition"
)

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// halfDone is a start in the middle of its scan.
func halfDone() partition.Stage {
	left := 2.5
	return partition.Stage{
		Phase: partition.PhaseLogs, Name: "logs", Partitions: partition.Done{Done: 3, Total: 10},
		Bytes: partition.Done{Done: 512 << 20, Total: 1 << 30}, Estimate: &left,
	}
}

func TestWatcher_Lines(t *testing.T) {
	var out syncBuffer
	w := newWatcher(new(partition.Progress), slog.New(slog.NewJSONHandler(&out, nil)), nil)
	w.every, w.stage = time.Millisecond, halfDone
	stop := w.start()
	until(t, "a second line", func() bool { return strings.Count(out.String(), "\n") > 1 })
	stop()
	first, _, _ := strings.Cut(out.String(), "\n")
	var line struct {
		Msg             string
		Phase           string
		Partitions      int
		PartitionsTotal int     `json:"partitions_total"`
		Bytes           int64   `json:"bytes"`
		BytesTotal      int64   `json:"bytes_total"`
		Estimate        float64 `json:"estimate_seconds"`
	}
	if err := json.Unmarshal([]byte(first), &line); err != nil {
		t.Fatal(err)
	}
	if line.Msg != "opening logs" || line.Phase != "logs" || line.Partitions != 3 || line.PartitionsTotal != 10 ||
		line.Bytes != 512<<20 || line.BytesTotal != 1<<30 || line.Estimate != 2.5 {
		t.Errorf("%s", first)
	}
}

// Nothing is told while there is nothing to wait for.
func TestWatcher_Silence(t *testing.T) {
	var out syncBuffer
	asked := make(chan struct{}, 100)
	w := newWatcher(new(partition.Progress), slog.New(slog.NewJSONHandler(&out, nil)), nil)
	w.every = time.Millisecond
	w.stage = func() partition.Stage {
		asked <- struct{}{}
		return partition.Stage{Phase: partition.PhaseOpened}
	}
	stop := w.start()
	<-asked
	<-asked
	stop()
	if out.String() != "" {
		t.Errorf("%q", out.String())
	}
}

// A bar is drawn on a terminal; a log line takes its place, and at the end it is gone.
func TestWatcher_Bar(t *testing.T) {
	var out syncBuffer
	s := &screen{w: &out}
	w := newWatcher(new(partition.Progress), slog.New(slog.DiscardHandler), s)
	w.patience, w.frame, w.stage = 0, time.Millisecond, halfDone
	stop := w.start()
	until(t, "a bar at half its length", func() bool {
		return strings.Contains(out.String(), "recovering, 3 of 10 partitions open") && strings.Contains(out.String(), " 50% ")
	})
	if _, err := s.Write([]byte("a line\n")); err != nil {
		t.Fatal(err)
	}
	stop()
	if got := out.String(); !strings.Contains(got, clearLine+"a line\n") || !strings.HasSuffix(got, clearLine) && !strings.HasSuffix(got, "a line\n") {
		t.Errorf("%q", got)
	}
}

// A start that is over at once shows no bar.
func TestWatcher_NoBarForAQuickStart(t *testing.T) {
	var out syncBuffer
	w := newWatcher(new(partition.Progress), slog.New(slog.DiscardHandler), &screen{w: &out})
	w.patience, w.stage = time.Hour, halfDone
	w.start()()
	if out.String() != "" {
		t.Errorf("%q", out.String())
	}
}
