package reference

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sordini/test/reference/catalogue"
	"sordini/test/reference/play"
)

// patience is how long a broker may take to start or to stop.
const patience = 2 * time.Minute

// server is the path of the binary that TestMain has built.
var server string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sordini-reference-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	server = filepath.Join(dir, "sordini")
	args := []string{"build", "-o", server}
	if raceEnabled {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, ".")...)
	build.Dir = filepath.Join("..", "..") // the root of the module
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go %s: %v\n%s", strings.Join(args, " "), err, out)
		return 1
	}
	return m.Run()
}

// process is a broker that runs until the end of the test.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	log    string // path of what it prints
	exited chan struct{}
}

func startProcess(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, log: filepath.Join(t.TempDir(), "log"), exited: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(p.stop)
	return p
}

func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.exited
		p.t.Errorf("%s still ran %v after SIGTERM", p.cmd.Path, patience)
	}
	text, _ := os.ReadFile(p.log)
	for _, sign := range []string{"WARNING: DATA RACE", "panic:"} {
		if bytes.Contains(text, []byte(sign)) {
			p.t.Errorf("the broker's log has %q; it ends:\n%s", sign, text[max(0, len(text)-8<<10):])
		}
	}
}

// await waits until ready holds.
func (p *process) await(ready func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for !ready() {
		select {
		case <-p.exited:
			text, _ := os.ReadFile(p.log)
			p.t.Fatalf("%s ended before it was ready:\n%s", p.cmd.Path, text[max(0, len(text)-8<<10):])
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s is not ready after %v", p.cmd.Path, patience)
		}
	}
}

// startServer starts the server under test for a world.
func startServer(t testing.TB, w catalogue.World) *play.Broker {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	ports := filepath.Join(t.TempDir(), "ports.json")
	args := []string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--admin-listen", "", "--ports-file", ports}
	for _, s := range append(catalogue.CommonSettings(), w.Settings...) {
		args = append(args, "--set", s)
	}
	return restartable(t, dir, func() (*process, string) {
		if err := os.Remove(ports); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		cmd := exec.Command(server, args...)
		cmd.Env = environment()
		p := startProcess(t, cmd)
		var bound struct{ Kafka string }
		p.await(func() bool {
			text, err := os.ReadFile(ports)
			return err == nil && json.Unmarshal(text, &bound) == nil
		})
		return p, bound.Kafka
	})
}

// restartable is a broker that start starts, again and again with the same data.
func restartable(t testing.TB, dir string, start func() (p *process, addr string)) *play.Broker {
	b := &play.Broker{Dir: dir}
	var p *process
	p, b.Addr = start()
	b.Restart = func(how play.Ending) error {
		if how == play.Kill {
			p.cmd.Process.Kill()
			<-p.exited
		} else {
			p.stop()
		}
		p, b.Addr = start()
		return nil
	}
	return b
}

// environment is that of a server: without the variables it would take for its
// settings.
func environment() []string {
	env := []string{"GORACE=atexit_sleep_ms=50"}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SORDINI_") && !strings.HasPrefix(v, "KAFKA_") && !strings.HasPrefix(v, "GORACE=") {
			env = append(env, v)
		}
	}
	return env
}

// kafkaScript is the environment variable with the script that starts Kafka.
const kafkaScript = "KAFKA_REFERENCE"

// startKafka starts Apache Kafka for a world.
func startKafka(t testing.TB, w catalogue.World) *play.Broker {
	t.Helper()
	dir := t.TempDir()
	port := freePort(t)
	args := append([]string{"serve", dir, fmt.Sprint(port)}, w.Settings...)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	return restartable(t, filepath.Join(dir, "data"), func() (*process, string) {
		p := startProcess(t, exec.Command(os.Getenv(kafkaScript), args...))
		p.await(func() bool {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				c.Close()
			}
			return err == nil
		})
		return p, addr
	})
}

// freePort is one that is free together with that of the controller above it. Where it
// looks first depends on the process: a port is free for a moment, too, while another
// test starts its Kafka again.
func freePort(t testing.TB) int {
	t.Helper()
	free := func(port int) bool {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
		}
		return err == nil
	}
	const first, ports = 21000, 1000
	for i := range ports {
		port := first + (os.Getpid()*7+i)%ports
		if free(port) && free(port+10000) {
			return port
		}
	}
	t.Fatal("no free ports for Kafka")
	return 0
}
