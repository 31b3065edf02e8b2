package scenario

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"sordini/test/clients/event"
	"sordini/test/clients/member"
)

// stopTimeout is how long a member may take to leave.
const stopTimeout = 20 * time.Second

// memberArgs are the arguments of "member LIBRARY", which ParseMember reads.
func memberArgs(cfg member.Config) []string {
	return []string{cfg.Address, cfg.Topic, strconv.Itoa(cfg.Partitions), cfg.Group, cfg.Protocol, cfg.Strategy, cfg.Instance}
}

// ParseMember reads the arguments of a member's process.
func ParseMember(args []string) (library string, cfg member.Config, err error) {
	if len(args) != 8 {
		return "", cfg, fmt.Errorf("a member has 8 arguments, not %d", len(args))
	}
	n, err := strconv.Atoi(args[3])
	return args[0], member.Config{
		Address: args[1], Topic: args[2], Partitions: n, Group: args[4], Protocol: args[5], Strategy: args[6], Instance: args[7],
	}, err
}

// process is one member.
type process struct {
	name     string
	instance string
	cmd      *exec.Cmd
	readers  sync.WaitGroup
	done     chan struct{} // closed when it has ended and all it told was taken
	err      error         // of the process, once done
}

// start runs a member, gives its events to tell, and keeps its output below dir.
func start(c command, name, instance, dir string, tell func(event.Event)) (*process, error) {
	p := &process{name: name, instance: instance, cmd: c.cmd, done: make(chan struct{})}
	for stream, parse := range map[string]func(string) []event.Event{"out": c.stdout, "err": c.stderr} {
		file, err := os.Create(filepath.Join(dir, name+"."+stream))
		if err != nil {
			return nil, err
		}
		open := c.cmd.StdoutPipe
		if stream == "err" {
			open = c.cmd.StderrPipe
		}
		pipe, err := open()
		if err != nil {
			return nil, err
		}
		p.readers.Go(func() {
			defer file.Close()
			read(io.TeeReader(pipe, file), parse, name, tell)
		})
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.readers.Wait()
		p.err = c.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func read(r io.Reader, parse func(string) []event.Event, name string, tell func(event.Event)) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		now := time.Now().UnixNano()
		for _, e := range parse(lines.Text()) {
			if e.At == 0 {
				e.At = now
			}
			e.Member = name
			tell(e)
		}
	}
}

// parse reads an event that a member wrote as such.
func parse(line string) []event.Event {
	var e event.Event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		return []event.Event{{Kind: event.Fault, Text: fmt.Sprintf("output %q: %v", line, err)}}
	}
	return []event.Event{e}
}

// kill ends the process at once and returns when all it told was taken.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
}

// stop ends the process in order.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		p.kill()
		return fmt.Errorf("%s did not stop within %v", p.name, stopTimeout)
	}
	// A virtual machine that ends by a signal says so by 128 plus its number.
	if code := p.cmd.ProcessState.ExitCode(); code != 0 && code != 128+int(syscall.SIGTERM) {
		return fmt.Errorf("%s: %w", p.name, p.err)
	}
	return nil
}

// output is what an expression finds in the output of a command, "?" for nothing.
func output(expression, name string, args ...string) string {
	text, err := exec.Command(name, args...).CombinedOutput()
	if match := regexp.MustCompile("(?m)" + expression).FindStringSubmatch(string(text)); match != nil {
		return strings.Join(match[1:], "/")
	}
	if err != nil {
		return "? (" + err.Error() + ")"
	}
	return "?"
}
