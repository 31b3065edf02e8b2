package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"sordini/test/javacheck/output"
)

// process is a tool as a process of its own.
type process struct {
	cmd       *exec.Cmd
	out, errs sink
	exited    chan struct{}
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.errs
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // its state tells the same
		close(p.exited)
	}()
	return p, nil
}

// await waits until done holds, or the process has ended.
func (p *process) await(done func() bool) error {
	for deadline := time.Now().Add(toolPatience); !done(); {
		select {
		case <-p.exited:
			return nil // what it printed tells why
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.kill()
			return fmt.Errorf("it has not done its work within %v; it printed:\n%s%s", toolPatience, p.out.text(), p.errs.text())
		}
	}
	return nil
}

// end waits for the end of the process, after a signal if it would go on.
func (p *process) end(signal bool) (output.Output, error) {
	if signal {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return output.Output{}, err
		}
	}
	select {
	case <-p.exited:
		status := p.cmd.ProcessState.ExitCode()
		if signal && status == -1 {
			status = 128 + int(syscall.SIGTERM)
		}
		return output.Output{Status: status, Out: p.out.text(), Err: p.errs.text()}, nil
	case <-time.After(toolPatience):
		p.kill()
		return output.Output{}, fmt.Errorf("it did not end within %v; it printed:\n%s%s", toolPatience, p.out.text(), p.errs.text())
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exited
}

func (u *until) reached(printed, tmp string) bool {
	if u.file == "" {
		return strings.Contains(printed, u.text)
	}
	text, err := os.ReadFile(filepath.Join(tmp, u.file))
	return err == nil && bytes.Contains(text, []byte(u.text))
}

// sink takes what a process prints, and may be read while it does.
type sink struct {
	mu    sync.Mutex
	taken bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken.Write(p)
}

func (s *sink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken.String()
}
