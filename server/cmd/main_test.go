package cmd

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sordini/server/config"
	"sordini/server/partition"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs.\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// syncBuffer is a buffer that a command writes while a test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// fakeServer is a Running that does what a test says.
type fakeServer struct {
	failed chan error
	stop   func(context.Context) error
	ready  func() // called when the command has printed its banner and begins to wait
}

func (f *fakeServer) Addresses() (kafka, admin string) { return "127.0.0.1:19092", "127.0.0.1:19644" }
func (f *fakeServer) Recovery() partition.Report       { return partition.Report{} }
func (f *fakeServer) Dirs() []partition.Dir            { return []partition.Dir{{Path: "./data"}} }
func (f *fakeServer) Settings() *config.Broker         { return config.Defaults().Broker() }
func (f *fakeServer) Stop(ctx context.Context) error   { return f.stop(ctx) }

func (f *fakeServer) Failed() <-chan error {
	if f.ready != nil {
		f.ready()
	}
	return f.failed
}

// testProcess is a process with its outputs and signals at hand.
type testProcess struct {
	Process
	out, err syncBuffer
	signals  chan os.Signal
}

func newTestProcess(args ...string) *testProcess {
	p := &testProcess{signals: make(chan os.Signal, 2)}
	p.Process = Process{
		Args: args, Stdout: &p.out, Stderr: &p.err, Started: time.Now(),
		Signals: func() (<-chan os.Signal, func()) { return p.signals, func() {} },
	}
	return p
}

func (p *testProcess) run() int { return Run(p.Process) }
