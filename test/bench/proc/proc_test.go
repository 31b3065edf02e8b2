//go:build linux

package proc

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestCPU: the clock of the own process counts its work, and that of a child is
// read likewise.
func TestCPU(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for end := Own() + 20*time.Millisecond; Own() < end; {
	}
	after, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if d := after - before; d < 15*time.Millisecond {
		t.Errorf("20 ms of work are %v", d)
	}
	if _, err := CPU(1 << 22); err == nil {
		t.Error("CPU time of no process")
	}
}

func TestProcess(t *testing.T) {
	p, err := Start(true, nil, "sh", "-c", "echo hello; echo trouble >&2; sleep 60 & wait")
	if err != nil {
		t.Fatal(err)
	}
	if line, err := p.Out.ReadString('\n'); err != nil || line != "hello\n" {
		t.Errorf("output %q, %v", line, err)
	}
	for p.Find("sleep") == p.Pid() { // the shell has yet to start it
		time.Sleep(time.Millisecond)
	}
	if _, peak, err := Memory(p.Pid()); err != nil || peak < 100<<10 {
		t.Errorf("memory %d, %v", peak, err)
	}
	if n, err := OpenFiles(p.Pid()); err != nil || n < 3 {
		t.Errorf("%d open files, %v", n, err)
	}
	if err := p.Stop(time.Minute); err != nil {
		t.Error(err)
	}
	if !strings.Contains(p.Log(), "trouble") {
		t.Errorf("log %q", p.Log())
	}
	if err := p.Stop(time.Minute); err == nil {
		t.Error("a process that has ended was stopped")
	}
}

func TestMachine(t *testing.T) {
	f, err := Machine(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if f.Cores < 1 || f.Kernel == "" || f.Congestion == "" || f.FileSystem == "" {
		t.Errorf("facts %+v", f)
	}
	if m := Watch(); m.Foreign(time.Hour) != 0 {
		t.Error("others worked for less than nothing")
	}
}
