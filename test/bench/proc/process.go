//go:build linux

package proc

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a running program.
type Process struct {
	Began time.Time     // just before it was started
	Out   *bufio.Reader // its standard output; nil unless asked for

	cmd    *exec.Cmd
	out    *os.File // behind Out; nil without it
	log    tail
	exited chan struct{}
	err    error // how it ended; valid once exited is closed
}

// Start runs a program with an environment, nil for that of this process. What it
// prints is kept for [Process.Log], but for its standard output if piped is set:
// that is read from Out.
func Start(piped bool, env []string, name string, args ...string) (*Process, error) {
	cmd := exec.Command(name, args...)
	p := &Process{cmd: cmd, exited: make(chan struct{})}
	cmd.Env, cmd.Stderr, cmd.Stdout = env, &p.log, &p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is for the benchmark alone
	if piped {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer w.Close()
		cmd.Stdout, p.out, p.Out = w, r, bufio.NewReader(r)
	}
	p.Began = time.Now()
	if err := cmd.Start(); err != nil {
		p.closeOut()
		return nil, err
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// Pid is the number of the process that was started.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Find returns the number of the process named comm that p has become or has
// started, or that of p if there is none.
func (p *Process) Find(comm string) int {
	children := make(map[int][]int)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is sound
	for _, path := range stats {
		pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
		if f, err := statFields(pid); err == nil {
			parent, _ := strconv.Atoi(f[1])
			children[parent] = append(children[parent], pid)
		}
	}
	for next := []int{p.Pid()}; len(next) > 0; {
		pid := next[0]
		next = append(next[1:], children[pid]...)
		if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil && strings.TrimSpace(string(name)) == comm {
			return pid
		}
	}
	return p.Pid()
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err tells how the process ended; call it once Exited is closed.
func (p *Process) Err() error { return p.err }

// Log is the end of what the process printed.
func (p *Process) Log() string { return p.log.String() }

// Stop ends the process in order, by SIGTERM, and waits at most so long; then it
// kills it and reports that.
func (p *Process) Stop(patience time.Duration) error {
	defer p.closeOut()
	if p.ended() {
		return fmt.Errorf("process %d had ended: %v\n%s", p.Pid(), p.err, p.Log())
	}
	syscall.Kill(-p.Pid(), syscall.SIGTERM) // fails only if it has just ended
	select {
	case <-p.exited:
		return nil
	case <-time.After(patience):
		p.Kill()
		return fmt.Errorf("process %d still ran %v after SIGTERM", p.Pid(), patience)
	}
}

// Kill ends the process and its children at once, if it has not ended, and waits
// for it.
func (p *Process) Kill() {
	defer p.closeOut()
	if !p.ended() {
		syscall.Kill(-p.Pid(), syscall.SIGKILL) // fails only if it has just ended
	}
	<-p.exited
}

func (p *Process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *Process) closeOut() {
	if p.out != nil {
		p.out.Close() // it was only read
	}
}

// tailSize is how much of a process's output is kept, in bytes.
const tailSize = 16 << 10

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
}

var _ io.Writer = (*tail)(nil)

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text.Len() > 2*tailSize {
		t.text.Next(t.text.Len() - tailSize)
	}
	return t.text.Write(b)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.text.Bytes()
	return string(b[max(0, len(b)-tailSize):])
}
