package reference

import (
	"bytes"
	"encoding/json"
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
func startServer(t testing.TB, w catalogue.World) play.Broker {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	ports := filepath.Join(t.TempDir(), "ports.json")
	args := []string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--admin-listen", "", "--ports-file", ports}
	for _, s := range append(catalogue.CommonSettings(), w.Settings...) {
		args = append(args, "--set", s)
	}
	cmd := exec.Command(server, args...)
	cmd.Env = environment()
	var bound struct{ Kafka string }
	startProcess(t, cmd).await(func() bool {
		text, err := os.ReadFile(ports)
		return err == nil && json.Unmarshal(text, &bound) == nil
	})
	return play.Broker{Addr: bound.Kafka, Dir: dir}
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
func startKafka(t testing.TB, w catalogue.World) play.Broker {
	t.Helper()
	dir := t.TempDir()
	port := freePort(t)
	args := append([]string{"serve", dir, fmt.Sprint(port)}, w.Settings...)
	cmd := exec.Command(os.Getenv(kafkaScript), args...)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	startProcess(t, cmd).await(func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return play.Broker{Addr: addr, Dir: filepath.Join(dir, "data")}
}

// freePort is one that is free together with that of the controller above it.
func freePort(t testing.TB) int {
	t.Helper()
	free := func(port int) bool {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
		}
		return err == nil
	}
	for port := 21000; port < 22000; port++ {
		if free(port) && free(port+10000) {
			return port
		}
	}
	t.Fatal("no free ports for Kafka")
	return 0
}
