package cmd

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"sordini/server/partition"
)

// screen is a terminal that log lines and a progress bar share: a line takes the place of the bar, which is
// drawn again below it.
type screen struct {
	mu    sync.Mutex
	w     io.Writer
	drawn bool
}

const clearLine = "\r\x1b[2K"

// Write writes log lines.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clearLocked()
	return s.w.Write(b)
}

// clearLocked removes the bar, if there is one. A terminal that does not take it is no reason to stop.
func (s *screen) clearLocked() {
	if s.drawn {
		_, _ = io.WriteString(s.w, clearLine)
		s.drawn = false
	}
}

func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clearLocked()
}

// barWriter is the screen as the bar sees it.
type barWriter struct{ *screen }

func (w barWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drawn = true
	return w.w.Write(b)
}

// watcher tells how far a start is, for as long as it takes.
type watcher struct {
	stage  func() partition.Stage
	logger *slog.Logger
	screen *screen // nil: no person looks
	// every is the time between two lines, patience until the first bar and frame between two.
	every, patience, frame time.Duration

	bar   *progressbar.ProgressBar
	barOf string // what the bar counts
}

func newWatcher(p *partition.Progress, logger *slog.Logger, s *screen) *watcher {
	return &watcher{stage: p.Stage, logger: logger, screen: s, every: time.Second, patience: 300 * time.Millisecond, frame: 100 * time.Millisecond}
}

// start begins to tell; stop ends it.
func (w *watcher) start() (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		w.run(end)
	}()
	return func() {
		close(end)
		<-ended
	}
}

func (w *watcher) run(end <-chan struct{}) {
	tell, every := w.line, w.every
	if w.screen != nil {
		tell, every = w.draw, w.frame
		defer w.screen.clear()
		select {
		case <-time.After(w.patience):
		case <-end:
			return
		}
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if s := w.stage(); s.Phase == partition.PhaseJournal || s.Phase == partition.PhaseLogs {
				tell(s)
			}
		case <-end:
			return
		}
	}
}

func (w *watcher) line(s partition.Stage) {
	args := []any{
		"phase", s.Name, "partitions", s.Partitions.Done, "partitions_total", s.Partitions.Total,
		"segments", s.Segments.Done, "segments_total", s.Segments.Total, "bytes", s.Bytes.Done, "bytes_total", s.Bytes.Total,
		"journal_entries", s.Journal.Entries, "journal_bytes", s.Journal.Bytes,
	}
	if s.Estimate != nil {
		args = append(args, "estimate_seconds", *s.Estimate)
	}
	w.logger.Info("opening logs", args...)
}

// draw draws the bar: of bytes if there are any to scan, else of partitions. It never comes to its end, which
// the library would celebrate by itself.
func (w *watcher) draw(s partition.Stage) {
	done, text := s.Bytes, fmt.Sprintf("recovering, %d of %s open", s.Partitions.Done, count(int(s.Partitions.Total), "partition"))
	of := "bytes"
	switch {
	case s.Phase == partition.PhaseJournal:
		of, done, text = "journal", partition.Done{Done: s.Journal.Bytes, Total: s.Journal.Total}, fmt.Sprintf("writing back the journal, %d entries", s.Journal.Entries)
	case s.Bytes.Total == 0:
		of, done, text = "partitions", s.Partitions, "opening partitions"
	}
	most := max(done.Total, 1)
	if w.barOf != of {
		w.barOf = of
		w.bar = progressbar.NewOptions64(most, progressbar.OptionSetWriter(barWriter{w.screen}), progressbar.OptionUseANSICodes(true),
			progressbar.OptionShowBytes(of != "partitions"), progressbar.OptionUseIECUnits(true), progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(24), progressbar.OptionSetElapsedTime(false), progressbar.OptionSetRenderBlankState(false))
	}
	w.bar.Describe(text)
	w.bar.ChangeMax64(most)
	_ = w.bar.Set64(max(min(done.Done, most-1), 0))
}
