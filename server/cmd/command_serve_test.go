package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// exitOf runs the process and returns its exit code; it fails the test if the process does not end.
func exitOf(t *testing.T, p *testProcess) int {
	t.Helper()
	code := make(chan int, 1)
	go func() { code <- p.run() }()
	select {
	case c := <-code:
		return c
	case <-time.After(20 * time.Second):
		t.Fatal("the command does not end")
		return -1
	}
}

// serving returns a process that serves with a fake server, which tells opt what it was started with.
func serving(f *fakeServer, opt *StartOptions, args ...string) *testProcess {
	p := newTestProcess(append([]string{"serve"}, args...)...)
	p.Start = func(_ context.Context, o StartOptions) (Running, error) {
		*opt = o
		return f, nil
	}
	return p
}

func TestServe_StopsOnSignal(t *testing.T) {
	var deadline time.Time
	f := &fakeServer{stop: func(ctx context.Context) error {
		deadline, _ = ctx.Deadline()
		return nil
	}}
	var opt StartOptions
	p := serving(f, &opt, "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "--ports-file", "ports.json", "--set", "num.partitions=5")
	f.ready = func() { p.signals <- syscall.SIGTERM }
	if code := exitOf(t, p); code != exitOK {
		t.Fatalf("exit code %d: %s", code, p.err.String())
	}
	if opt.PortsFile != "ports.json" || opt.Values.Int64("num.partitions") != 5 || opt.Logger == nil || opt.Version == "" || opt.Started.IsZero() {
		t.Errorf("started with %+v", opt)
	}
	if left := time.Until(deadline); left <= 0 || left > stopTimeout {
		t.Errorf("%s to stop, want up to %s", left, stopTimeout)
	}
	if !strings.Contains(p.out.String(), "kcat -b 127.0.0.1:19092 -P -t greetings\n") {
		t.Errorf("no banner: %s", p.out.String())
	}
}

func TestServe_SecondSignalEndsAtOnce(t *testing.T) {
	stopping, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	f := &fakeServer{stop: func(context.Context) error {
		close(stopping)
		<-release
		return nil
	}}
	p := serving(f, new(StartOptions))
	f.ready = func() { p.signals <- syscall.SIGTERM }
	go func() {
		<-stopping
		p.signals <- os.Interrupt
	}()
	if code := exitOf(t, p); code != exitForced {
		t.Errorf("exit code %d, want %d", code, exitForced)
	}
}

func TestServe_SignalDuringStart(t *testing.T) {
	p := newTestProcess("serve")
	p.Start = func(ctx context.Context, _ StartOptions) (Running, error) {
		p.signals <- os.Interrupt
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if code := exitOf(t, p); code != exitOK || p.out.String() != "" {
		t.Errorf("exit code %d, standard output %q", code, p.out.String())
	}

	// A start that does not heed its context ends, and is then stopped.
	stopped := false
	p = newTestProcess("serve")
	p.Start = func(ctx context.Context, _ StartOptions) (Running, error) {
		p.signals <- os.Interrupt
		<-ctx.Done()
		return &fakeServer{stop: func(context.Context) error { stopped = true; return nil }}, nil
	}
	if code := exitOf(t, p); code != exitOK || !stopped || p.out.String() != "" {
		t.Errorf("exit code %d, stopped %t, standard output %q", code, stopped, p.out.String())
	}

	// A second signal does not wait for it.
	release := make(chan struct{})
	defer close(release)
	p = newTestProcess("serve")
	p.Start = func(context.Context, StartOptions) (Running, error) {
		p.signals <- os.Interrupt
		p.signals <- os.Interrupt
		<-release
		return nil, errors.New("released")
	}
	if code := exitOf(t, p); code != exitForced {
		t.Errorf("exit code %d, want %d", code, exitForced)
	}
}

func TestServe_Failures(t *testing.T) {
	p := newTestProcess("serve")
	p.Start = func(context.Context, StartOptions) (Running, error) {
		return nil, errors.New("data directory ./data is in use by another process")
	}
	if code := exitOf(t, p); code != exitFailure || !strings.Contains(p.err.String(), "sordini serve: data directory ./data is in use") {
		t.Errorf("failed start: exit code %d: %s", code, p.err.String())
	}

	stopped := false
	f := &fakeServer{failed: make(chan error, 1), stop: func(context.Context) error { stopped = true; return nil }}
	f.failed <- errors.New("accept: too many open files")
	p = serving(f, new(StartOptions))
	if code := exitOf(t, p); code != exitFailure || !stopped || !strings.Contains(p.err.String(), "too many open files") {
		t.Errorf("failed listener: exit code %d, stopped %t: %s", code, stopped, p.err.String())
	}

	f = &fakeServer{stop: func(context.Context) error { return errors.New("no space left") }}
	p = serving(f, new(StartOptions))
	f.ready = func() { p.signals <- syscall.SIGTERM }
	if code := exitOf(t, p); code != exitFailure || !strings.Contains(p.err.String(), "stop: no space left") {
		t.Errorf("failed stop: exit code %d: %s", code, p.err.String())
	}
}

func TestNewLogger_Formats(t *testing.T) {
	tests := []struct {
		format   string
		terminal bool
		json     bool
	}{
		{"", true, false}, {"", false, true}, {"text", false, false}, {"json", true, true},
	}
	for _, tt := range tests {
		opt := serveOptions{logFormat: tt.format, logLevel: "warn"}
		var b strings.Builder
		logger, err := opt.newLogger(&b, tt.terminal)
		if err != nil {
			t.Fatal(err)
		}
		logger.Info("hidden")
		logger.Warn("shown")
		if got := json.Valid([]byte(b.String())); got != tt.json || !strings.Contains(b.String(), "shown") || strings.Contains(b.String(), "hidden") {
			t.Errorf("%+v: %q", tt, b.String())
		}
	}
}
