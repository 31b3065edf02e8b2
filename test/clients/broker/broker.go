package broker

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
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
	// socket is what the server listens on, nil if it opens one itself. It outlives the
	// server, so that nobody is refused while there is none.
	socket *os.File
	cmd    *exec.Cmd
	done   chan error
}

// Sordini starts a binary of sordini on a free port, with all it writes below dir.
func Sordini(binary, dir string) (*Broker, error) {
	address, err := free()
	if err != nil {
		return nil, err
	}
	return start(sordini(binary, dir, address), dir)
}

// Held starts a binary of sordini on a socket that stays open between its deaths:
// connections wait for the next start, as under systemd.
func Held(binary, dir string) (*Broker, error) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer l.Close() // the file below is the same socket
	b := sordini(binary, dir, l.Addr().String())
	if b.socket, err = l.File(); err != nil {
		return nil, err
	}
	return start(b, dir)
}

// sordini is a binary to be started. It takes settings from the environment too, and
// those of the caller are not meant for it.
func sordini(binary, dir, address string) *Broker {
	args := []string{"serve", "--listen", address, "--admin-listen", "", "--data-dir", filepath.Join(dir, "data")}
	for _, s := range settings {
		args = append(args, "--set", s)
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "KAFKA_") || strings.HasPrefix(v, "SORDINI_")
	})
	return &Broker{Address: address, program: binary, args: args, env: env}
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

// Start starts the server, which must not run, and returns when it answers.
func (b *Broker) Start() error {
	out, err := os.OpenFile(b.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	b.cmd = b.command()
	b.cmd.Stdout, b.cmd.Stderr = out, out
	if err := b.cmd.Start(); err != nil {
		return err
	}
	b.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(b.cmd, b.done)
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if answers(b.Address) {
			return nil
		}
		select {
		case err := <-b.done:
			return fmt.Errorf("the server ended: %v; see %s", err, b.log)
		default:
		}
		if time.Since(began) > startTimeout {
			b.Kill()
			return fmt.Errorf("the server does not answer on %s after %v; see %s", b.Address, startTimeout, b.log)
		}
	}
}

// command is the server's command. A socket is handed over as systemd does it: the
// process has to be told its own number, which a shell knows that becomes it.
func (b *Broker) command() *exec.Cmd {
	cmd := exec.Command(b.program, b.args...)
	if b.socket != nil {
		cmd = exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, "sh", b.program}, b.args...)...)
		cmd.ExtraFiles = []*os.File{b.socket}
	}
	cmd.Env = b.env
	return cmd
}

// answers says whether a server answers at the address within a second. That it
// accepts connections tells nothing if its socket is held for it.
func answers(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, &kmsg.ApiVersionsRequest{}, 0)); err != nil {
		return false
	}
	_, err = io.ReadFull(conn, make([]byte, 4))
	return err == nil
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
