package broker

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
)

// settings make sessions of the consumer protocol as short as those of the classic
// protocol may be, and groups begin at once.
var settings = []string{
	"group.consumer.min.session.timeout.ms=6000", "group.consumer.session.timeout.ms=6000",
	"group.consumer.min.heartbeat.interval.ms=1000", "group.consumer.heartbeat.interval.ms=1000",
	"group.initial.rebalance.delay.ms=0",
}

// Broker is a server on this machine.
type Broker struct {
	Address string // host:port
	program string
	args    []string
	env     []string
	log     string // file that takes its output
	cmd     *exec.Cmd
	done    chan error
}

// Sordini starts a binary of sordini on a free port, with all it writes below dir.
func Sordini(binary, dir string) (*Broker, error) {
	address, err := free()
	if err != nil {
		return nil, err
	}
	return sordini(binary, dir, address)
}

// sordini starts a binary with more settings, each key=value. It takes settings from
// the environment too, and those of the caller are not meant for it.
func sordini(binary, dir, address string, more ...string) (*Broker, error) {
	args := []string{"serve", "--listen", address, "--admin-listen", "", "--data-dir", filepath.Join(dir, "data")}
	for _, s := range append(more, settings...) {
		args = append(args, "--set", s)
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "KAFKA_") || strings.HasPrefix(v, "SORDINI_")
	})
	return start(&Broker{Address: address, program: binary, args: args, env: env}, dir)
}

// Kafka starts Kafka by a script, as "SCRIPT serve DIR PORT key=value ...".
func Kafka(script, dir string) (*Broker, error) {
	address, err := free()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address) // as free made it
	args := append([]string{"serve", filepath.Join(dir, "data"), port}, settings...)
	return start(&Broker{Address: address, program: script, args: args, env: os.Environ()}, dir)
}

// free is an address that nobody listens on.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func start(b *Broker, dir string) (*Broker, error) {
	b.log = filepath.Join(dir, "server.log")
	return b, b.Start()
}

// Start starts the server, which must not run, and returns when it listens.
func (b *Broker) Start() error {
	out, err := os.OpenFile(b.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	b.cmd = exec.Command(b.program, b.args...)
	b.cmd.Env = b.env
	b.cmd.Stdout, b.cmd.Stderr = out, out
	if err := b.cmd.Start(); err != nil {
		return err
	}
	b.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(b.cmd, b.done)
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", b.Address, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case err := <-b.done:
			return fmt.Errorf("the server ended: %v; see %s", err, b.log)
		default:
		}
		if time.Since(began) > startTimeout {
			b.Kill()
			return fmt.Errorf("the server does not listen on %s after %v; see %s", b.Address, startTimeout, b.log)
		}
	}
}

// Kill ends the process at once.
func (b *Broker) Kill() {
	_ = b.cmd.Process.Kill() // it may have ended by itself
	b.done <- <-b.done       // for the next who waits
}

// Stop ends the process in order.
func (b *Broker) Stop() error {
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-b.done:
		b.done <- err
		if code := b.cmd.ProcessState.ExitCode(); code != 0 && code != 128+int(syscall.SIGTERM) {
			return fmt.Errorf("the server's end: %w; see %s", err, b.log)
		}
		return nil
	case <-time.After(stopTimeout):
		b.Kill()
		return fmt.Errorf("the server did not stop within %v; see %s", stopTimeout, b.log)
	}
}

// CPU is what the process has used, 0 where that cannot be told.
func (b *Broker) CPU() time.Duration {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(b.cmd.Process.Pid) + "/stat")
	if err != nil {
		return 0
	}
	return cpu(string(text))
}
